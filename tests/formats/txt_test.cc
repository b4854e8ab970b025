// Lines of text as rows.
#include <algorithm>
#include <string>
#include <vector>

#include "npk/convert.h"
#include "tests/support/support.h"

namespace npk {
namespace {

using testing::TempDir;

std::vector<std::string> rows_of(const ArrayView& view) {
  std::vector<std::string> rows;
  for (uint64_t row = 0; row < view.rows(); ++row) {
    rows.emplace_back(reinterpret_cast<const char*>(view.data()) + row * view.row_bytes(),
                      view.row_bytes());
  }
  return rows;
}

std::string padded(std::string_view text, size_t width) {
  std::string row(text);
  row.resize(width, '\0');
  return row;
}

TEST(Txt, EachLineIsARowAsWideAsTheLongest) {
  const TempDir directory;
  testing::write_file(directory.file("a.txt"), "vim\n\nétude\nx\r\nlast");
  NPK_ASSERT_OK_AND_ASSIGN(const ArrayView view, open_file(directory.file("a.txt")));
  EXPECT_EQ(view.dtype(), DType::kUint8);
  EXPECT_EQ(view.shape(), (Shape{5, 6}));
  EXPECT_THAT(rows_of(view),
              ::testing::ElementsAre(padded("vim", 6), padded("", 6), padded("étude", 6),
                                     padded("x", 6), padded("last", 6)));
}

TEST(Txt, AnEmptyFileHasNoRowsAndEmptyLinesHaveNoWidth) {
  const TempDir directory;
  testing::write_file(directory.file("a.txt"), "");
  NPK_ASSERT_OK_AND_ASSIGN(const FileInfo none, inspect_file(directory.file("a.txt")));
  EXPECT_EQ(none.shape, (Shape{0, 0}));
  testing::write_file(directory.file("a.txt"), "\n\n\n");
  NPK_ASSERT_OK_AND_ASSIGN(const ArrayView view, open_file(directory.file("a.txt")));
  EXPECT_EQ(view.shape(), (Shape{3, 0}));
}

TEST(Txt, LinesAcrossManyReadBlocksKeepTheirPlaces) {
  const TempDir directory;
  std::mt19937_64 random(testing::test_seed());
  std::vector<std::string> lines(50'000);
  std::string text;
  size_t width = 0;
  for (std::string& line : lines) {
    line.assign(random() % 100, static_cast<char>('a' + random() % 26));
    width = std::max(width, line.size());
    text += line + (random() % 2 == 0 ? "\n" : "\r\n");
  }
  testing::write_file(directory.file("a.txt"), text);
  NPK_ASSERT_OK_AND_ASSIGN(const ArrayView view, open_file(directory.file("a.txt")));
  const auto rows = rows_of(view);
  ASSERT_EQ(rows.size(), lines.size());
  for (size_t i = 0; i < lines.size(); ++i) ASSERT_EQ(rows[i], padded(lines[i], width)) << i;
}

TEST(Txt, TheWidthMayBeGivenAndThenLongerLinesAreRefused) {
  const TempDir directory;
  testing::write_file(directory.file("a.txt"), "vim\nemacs\n");
  NPK_ASSERT_OK_AND_ASSIGN(const ArrayView view,
                           open_file(directory.file("a.txt"), {.text_width_bytes = 8}));
  EXPECT_EQ(view.shape(), (Shape{2, 8}));
  const auto narrow = open_file(directory.file("a.txt"), {.text_width_bytes = 4});
  NPK_EXPECT_ERROR(narrow, kInvalidArgument, "line 2 has 5 bytes, at most 4, the width");
  EXPECT_EQ(narrow.status().offset_bytes(), 4u);
}

TEST(Txt, AZeroByteIsNoText) {
  const TempDir directory;
  testing::write_file(directory.file("a.txt"), std::string("vim\nem\0cs\n", 10));
  const auto view = open_file(directory.file("a.txt"));
  NPK_EXPECT_ERROR(view, kInvalidArgument, "line 2 holds a zero byte");
  EXPECT_EQ(view.status().offset_bytes(), 6u);
}

TEST(Txt, LinesWithoutEndAreRefused) {
  const TempDir directory;
  testing::write_file(directory.file("a.txt"), "x\n" + std::string(65'537, 'y') + "\n");
  NPK_EXPECT_ERROR(inspect_file(directory.file("a.txt")), kInvalidArgument,
                   "line 2 has 65537 bytes, at most 65536");
  testing::write_file(directory.file("a.txt"), "x\n" + std::string(3'000'000, 'y'));
  NPK_EXPECT_ERROR(inspect_file(directory.file("a.txt")), kInvalidArgument, "line 2 ");
}

TEST(Txt, OneLongLineDoesNotTurnASmallFileIntoAGiant) {
  const TempDir directory;
  std::string text;
  for (int i = 0; i < 100'000; ++i) text += "x\n";
  testing::write_file(directory.file("a.txt"), text + std::string(60'000, 'y') + "\n");
  const auto view = open_file(directory.file("a.txt"));
  NPK_EXPECT_ERROR(view, kInvalidArgument, "line 100001 has 60000 bytes");
  EXPECT_EQ(view.status().offset_bytes(), 200'000u);
}

TEST(Files, AnUnknownExtensionNamesThoseThatAreKnown) {
  const TempDir directory;
  NPK_EXPECT_ERROR(open_file(directory.file("a.csv")), kInvalidArgument,
                   "(.csv) are not known; the name must end in one of .npy, .txt");
  NPK_EXPECT_ERROR(open_file(directory.file("plain")), kInvalidArgument, "no extension");
}

}  // namespace
}  // namespace npk
