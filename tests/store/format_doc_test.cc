// docs/format.md is normative: its tables must say what the code does.
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "core/store/log.h"
#include "core/store/shared_page.h"
#include "core/store/superblock.h"
#include "tests/support/support.h"

namespace npk::internal {
namespace {

using Table = std::map<std::string, uint64_t>;

std::string trim(const std::string& text) {
  const size_t first = text.find_first_not_of(' ');
  if (first == std::string::npos) return "";
  return text.substr(first, text.find_last_not_of(' ') - first + 1);
}

/// Column 0 by column `name_column` of the table behind "<!-- table: NAME -->".
Table read_table(const std::string& table, size_t name_column) {
  std::istringstream doc(testing::read_file(NPK_SOURCE_DIR "/docs/format.md"));
  Table rows;
  std::string line;
  while (std::getline(doc, line) && line != "<!-- table: " + table + " -->") {
  }
  std::getline(doc, line);  // Heading and rule.
  std::getline(doc, line);
  while (std::getline(doc, line) && line.rfind('|', 0) == 0) {
    std::vector<std::string> cells;
    std::istringstream cell_stream(line.substr(1));
    for (std::string cell; std::getline(cell_stream, cell, '|');) cells.push_back(trim(cell));
    rows[cells.at(name_column)] = std::stoull(cells.at(0));
  }
  return rows;
}

TEST(FormatDocument, SlotTableIsThatOfTheCode) {
  using L = SlotLayout;
  EXPECT_EQ(read_table("SlotLayout", 2), (Table{{"magic", L::kMagic},
                                                {"format", L::kFormat},
                                                {"incompatible_features", L::kIncompatibleFeatures},
                                                {"compatible_features", L::kCompatibleFeatures},
                                                {"log_index", L::kLogIndex},
                                                {"uuid", L::kUuid},
                                                {"checkpoint", L::kCheckpoint},
                                                {"first_record", L::kFirstRecord},
                                                {"generation_floor", L::kGenerationFloor},
                                                {"arrays", L::kArrays},
                                                {"checksum", L::kChecksum}}));
}

TEST(FormatDocument, RecordTableIsThatOfTheCode) {
  using L = RecordLayout;
  EXPECT_EQ(read_table("RecordLayout", 2), (Table{{"magic", L::kMagic},
                                                  {"checksum", L::kChecksum},
                                                  {"length", L::kLength},
                                                  {"type", L::kType},
                                                  {"flags", L::kFlags},
                                                  {"number", L::kNumber},
                                                  {"commit", L::kCommit},
                                                  {"array", L::kArray},
                                                  {"generation", L::kGeneration},
                                                  {"arg0", L::kArg0},
                                                  {"arg1", L::kArg1},
                                                  {"time", L::kTime},
                                                  {"previous_checksum", L::kPreviousChecksum},
                                                  {"reserved", L::kReserved}}));
}

TEST(FormatDocument, RecordTypesAreThoseOfTheCode) {
  const auto number = [](RecordType type) { return static_cast<uint64_t>(type); };
  EXPECT_EQ(read_table("RecordType", 1),
            (Table{{"Create", number(RecordType::kCreate)},
                   {"Append", number(RecordType::kAppend)},
                   {"AppendRef", number(RecordType::kAppendRef)},
                   {"Replace", number(RecordType::kReplace)},
                   {"Delete", number(RecordType::kDelete)},
                   {"SwapGeneration", number(RecordType::kSwapGeneration)},
                   {"Drop", number(RecordType::kDrop)},
                   {"Attributes", number(RecordType::kAttributes)},
                   {"Touch", number(RecordType::kTouch)}}));
}

TEST(FormatDocument, SharedPageTableIsThatOfTheCode) {
  using P = SharedPage;
  EXPECT_EQ(read_table("SharedPage", 1), (Table{{"magic", P::kMagicWord},
                                                {"boot", P::kBoot},
                                                {"store", P::kStore},
                                                {"checkpoint", P::kCheckpoint},
                                                {"log_end", P::kLogEnd},
                                                {"next_record", P::kNextRecord},
                                                {"applied", P::kApplied},
                                                {"writing", P::kWriting},
                                                {"change", P::kChange},
                                                {"images", P::kImages},
                                                {"may_have_images", P::kMayHaveImages},
                                                {"ended_kept", P::kEndedKept},
                                                {"epochs", P::kFirstEpoch}}));
}

}  // namespace
}  // namespace npk::internal
