// Bitmaps of few bytes that name many rows: what they may cost.
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

// Those of which a byte asks for the most memory: one row in each block of 65,536, a run that is
// nearly all of it, and the fewest runs that are kept as bits.
TEST(LyingBitmap, ManyBlocksOfFewBytesStayInBounds) {
  using internal::kContainerRows;
  const auto expect_in_bounds = [](size_t input_bytes, uint64_t most_bytes, const auto& add_block) {
    internal::RoaringEncoder encoder;
    const uint64_t blocks = input_bytes / most_bytes;
    for (uint64_t block = 0; block < blocks; ++block) {
      internal::RowBits bits{};
      add_block(block, bits);
      encoder.add_container(block * kContainerRows, internal::runs_of(bits));
    }
    const Input bitmap = std::move(encoder).finish();
    EXPECT_GT(bitmap.size(), input_bytes * 4 / 5);
    const HeapPeak peak;
    NPK_ASSERT_OK_AND_ASSIGN(const auto deleted,
                             internal::DeletedRows::decode(bitmap, blocks * kContainerRows));
    EXPECT_TRUE(deleted->encode() == bitmap);
    EXPECT_LE(peak.bytes(), 2 * bitmap.size() + kFreeBytes);
  };
  expect_in_bounds(3u << 20, 10, [](uint64_t block, auto& bits) { bits[block % 1'000] = 16; });
  expect_in_bounds(1u << 20, 14, [](uint64_t block, auto& bits) {
    internal::set_bits(bits.data(), block % 7, kContainerRows - 1 - block % 1'000);
  });
  expect_in_bounds(1u << 20, 1'034, [](uint64_t, auto& bits) {
    for (size_t word = 0; word < 512; ++word) bits[word] = word == 7 ? 5 : 1;
  });
}

}  // namespace
}  // namespace npk::testing
