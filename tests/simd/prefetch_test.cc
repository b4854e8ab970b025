#include "simd/prefetch.h"

#include <bit>

#include <gtest/gtest.h>

namespace npk::simd {
namespace {

// prefetch_rows() has room for kMostScatteredRows, and groups begin at multiples of their length.
TEST(ScatteredAhead, IsAPowerOfTwoOfFewRowsForEveryLength) {
  for (size_t row_bytes = 0; row_bytes <= 10'000; ++row_bytes) {
    const size_t rows = scattered_ahead(row_bytes).rows;
    EXPECT_TRUE(std::has_single_bit(rows)) << row_bytes;
    EXPECT_LE(rows, kMostScatteredRows) << row_bytes;
    EXPECT_TRUE(rows == 1 || rows * row_bytes <= 8192) << row_bytes;
  }
}

TEST(PrefetchPolicy, ReadsABlockOfWhichAllRowsAreWantedInSequence) {
  EXPECT_GE(prefetch_policy().whole_eighths, 1u);
  EXPECT_LE(prefetch_policy().whole_eighths, 8u);
}

}  // namespace
}  // namespace npk::simd
