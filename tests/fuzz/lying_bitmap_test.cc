// Bitmaps of few bytes that name many rows: what they may cost.
#include <algorithm>

#include "core/store/codec.h"
#include "core/store/deleted_rows.h"
#include "core/store/roaring_format.h"
#include "tests/fuzz/fuzz_target.h"
#include "tests/support/heap_peak.h"
#include "tests/support/support.h"

namespace npk::testing {
namespace {

constexpr uint64_t kFreeBytes = 64u << 20;

TEST(LyingBitmap, RunsThatNameAThousandMillionRowsTakeNoMemoryForEach) {
  constexpr uint64_t kRows = uint64_t{1} << 30;
  const Input bitmap = internal::encode_roaring_range(0, kRows);
  EXPECT_LT(bitmap.size(), 1u << 20);
  const HeapPeak peak;
  NPK_ASSERT_OK_AND_ASSIGN(const auto deleted, internal::DeletedRows::decode(bitmap, kRows));
  EXPECT_EQ(deleted->count(), kRows);
  EXPECT_LE(peak.bytes(), 2 * bitmap.size() + kFreeBytes);
  EXPECT_FALSE(internal::DeletedRows::decode(bitmap, kRows - 1).is_ok());
  EXPECT_LE(peak.bytes(), 2 * bitmap.size() + kFreeBytes);
}

// One row in each block of 65,536 is the most memory that a byte can ask for.
TEST(LyingBitmap, TheMostBlocksThatAnInputCanNameStayInBounds) {
  constexpr size_t kInputBytes = 64u << 10;
  constexpr size_t kBytesOfEach = 10;  // Description, offset, row.
  std::vector<uint64_t> rows;
  for (uint64_t block = 0; block < kInputBytes / kBytesOfEach - 10; ++block) {
    rows.push_back(block * internal::DeletedRows::kBlockRows + block % 1'000);
  }
  Input input;
  internal::append_le(input, rows.back() + 1);
  const Input bitmap = internal::encode_roaring(rows);
  input.insert(input.end(), bitmap.begin(), bitmap.end());
  ASSERT_LE(input.size(), kInputBytes);
  ASSERT_GT(input.size(), kInputBytes - 1'000);
  const auto target = std::ranges::find(fuzz_targets(), "bitmap", &FuzzTarget::name);
  EXPECT_EQ(run_in_bounds(*target, input), "");
}

}  // namespace
}  // namespace npk::testing
