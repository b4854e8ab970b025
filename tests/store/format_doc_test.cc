// docs/format.md is normative: its tables must say what the code does.
#include <cstdio>
#include <map>
#include <span>
#include <sstream>
#include <string>
#include <vector>

#include "core/store/log.h"
#include "core/store/shared_page.h"
#include "core/store/store_handle.h"
#include "core/store/superblock.h"
#include "io/sim_env.h"
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
                   {"Touch", number(RecordType::kTouch)},
                   {"Sums", number(RecordType::kSums)}}));
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

/// The bytes of the hex dump behind "<!-- hexdump: NAME -->": an offset, up to 16 bytes, a remark.
std::string read_hexdump(const std::string& name) {
  std::istringstream doc(testing::read_file(NPK_SOURCE_DIR "/docs/format.md"));
  std::string line;
  while (std::getline(doc, line) && line != "<!-- hexdump: " + name + " -->") {
  }
  std::getline(doc, line);  // The fence.
  std::string bytes;
  while (std::getline(doc, line) && line != "```") {
    EXPECT_EQ(std::stoull(line.substr(0, 8), nullptr, 16), bytes.size()) << line;
    for (size_t at = 10; at + 2 <= std::min<size_t>(line.size(), 58) && line[at] != ' '; at += 3) {
      bytes += static_cast<char>(std::stoul(line.substr(at, 2), nullptr, 16));
    }
  }
  return bytes;
}

std::string hexdump(const std::string& bytes) {
  std::string text;
  char field[24];
  for (size_t at = 0; at < bytes.size(); at += 16) {
    std::snprintf(field, sizeof(field), "%08zx ", at);
    text += field;
    std::string plain;
    for (size_t i = at; i < std::min(bytes.size(), at + 16); ++i) {
      std::snprintf(field, sizeof(field), " %02x", static_cast<unsigned char>(bytes[i]));
      text += field;
      plain += bytes[i] >= ' ' && bytes[i] <= '~' ? bytes[i] : '.';
    }
    text.append(3 * (16 - plain.size()) + 3, ' ');
    text += plain + "\n";
  }
  return text;
}

/// On the simulated disk time and randomness follow from its seed, so the bytes are always these.
TEST(FormatDocument, HexDumpsAreTheBytesThatTheCodeWrites) {
  io::SimEnv env(io::SimDisk::make(1));
  NPK_ASSERT_OK_AND_ASSIGN(auto store, open_store(env, "/s.npk", {}));
  const std::vector<float> rows{1, 2, 3, 4};
  NPK_ASSERT_OK(store.save_arrays({{"a", ArrayView::of(rows, {2, 2})}}));
  for (const char* name : {"log.0", "a.0.rows"}) {
    NPK_ASSERT_OK_AND_ASSIGN(const auto file,
                             env.open(std::string("/s.npk/") + name, io::OpenMode::kRead));
    NPK_ASSERT_OK_AND_ASSIGN(const uint64_t size, file->size_bytes());
    std::string bytes(size, '\0');
    NPK_ASSERT_OK(file->read_at(0, std::as_writable_bytes(std::span(bytes))));
    EXPECT_TRUE(read_hexdump(name) == bytes) << "the bytes of " << name << " are:\n"
                                             << hexdump(bytes);
  }
}

}  // namespace
}  // namespace npk::internal
