// The roaring format: what npk writes CRoaring reads, and the other way round. NPK_ROARING_ROUNDS
// sets of rows are compared, NPK_SEED repeats them.
#include "core/store/roaring_format.h"

#include <map>
#include <random>

#include <roaring/roaring.h>

#include "core/store/codec.h"
#include "tests/support/child_process.h"
#include "tests/support/support.h"

namespace npk {
namespace {

using internal::kContainerRows;

/// Rows of some containers, ascending, so that containers of every form come: few rows, many,
/// and runs of them.
std::vector<uint64_t> random_rows(std::mt19937_64& random) {
  std::vector<uint64_t> rows;
  uint64_t container = random() % 3;
  for (uint64_t containers = 1 + random() % 8; containers > 0; --containers) {
    const uint64_t apart = uint64_t{1} << (random() % 17);
    const uint64_t longest = uint64_t{1} << (random() % 17);
    for (uint64_t row = random() % apart; row < kContainerRows; row += 1 + random() % apart) {
      const uint64_t end = std::min(kContainerRows, row + 1 + random() % longest);
      for (; row < end; ++row) rows.push_back(container * kContainerRows + row);
    }
    container += 1 + random() % 2 * (random() % 100'000);
  }
  return rows;
}

/// The lower 32 bits of the rows, by the upper.
std::map<uint32_t, std::vector<uint32_t>> by_upper(const std::vector<uint64_t>& rows) {
  std::map<uint32_t, std::vector<uint32_t>> parts;
  for (const uint64_t row : rows) {
    parts[static_cast<uint32_t>(row >> 32)].push_back(static_cast<uint32_t>(row));
  }
  return parts;
}

std::vector<uint64_t> read_with_croaring(std::span<const std::byte> bytes) {
  std::vector<uint64_t> rows;
  const auto bitmaps = internal::get_le<uint64_t>(bytes.data());
  bytes = bytes.subspan(8);
  for (uint64_t i = 0; i < bitmaps; ++i) {
    const auto upper = internal::get_le<uint32_t>(bytes.data());
    bytes = bytes.subspan(4);
    const auto* const data = reinterpret_cast<const char*>(bytes.data());
    roaring_bitmap_t* bitmap = roaring_bitmap_portable_deserialize_safe(data, bytes.size());
    if (bitmap == nullptr) {
      ADD_FAILURE() << "CRoaring refuses it";
      return rows;
    }
    std::vector<uint32_t> lower(roaring_bitmap_get_cardinality(bitmap));
    roaring_bitmap_to_uint32_array(bitmap, lower.data());
    roaring_bitmap_free(bitmap);
    for (const uint32_t row : lower) rows.push_back(uint64_t{upper} << 32 | row);
    bytes = bytes.subspan(roaring_bitmap_portable_deserialize_size(data, bytes.size()));
  }
  EXPECT_TRUE(bytes.empty());
  return rows;
}

std::vector<std::byte> write_with_croaring(const std::vector<uint64_t>& rows, bool with_runs) {
  std::vector<std::byte> bytes;
  const auto parts = by_upper(rows);
  internal::append_le<uint64_t>(bytes, parts.size());
  for (const auto& [upper, lower] : parts) {
    roaring_bitmap_t* const bitmap = roaring_bitmap_of_ptr(lower.size(), lower.data());
    if (with_runs) roaring_bitmap_run_optimize(bitmap);
    internal::append_le(bytes, upper);
    const size_t at = bytes.size();
    bytes.resize(at + roaring_bitmap_portable_size_in_bytes(bitmap));
    roaring_bitmap_portable_serialize(bitmap, reinterpret_cast<char*>(bytes.data() + at));
    roaring_bitmap_free(bitmap);
  }
  return bytes;
}

std::vector<uint64_t> read(std::span<const std::byte> bytes) {
  std::vector<uint64_t> rows;
  NPK_EXPECT_OK(internal::decode_roaring(
      bytes, UINT64_MAX, [&](uint64_t first_row, uint64_t word, uint64_t bits) {
        for (; bits != 0; bits &= bits - 1) {
          rows.push_back(first_row + word * 64 + static_cast<uint64_t>(std::countr_zero(bits)));
        }
      }));
  return rows;
}

TEST(RoaringFormat, IsThatOfCRoaringBothWays) {
  std::mt19937_64 random(testing::test_seed());
  const uint64_t rounds = testing::env_number("NPK_ROARING_ROUNDS", 200);
  for (uint64_t round = 0; round < rounds; ++round) {
    const std::vector<uint64_t> rows = random_rows(random);
    const auto bytes = internal::encode_roaring(rows);
    ASSERT_EQ(read_with_croaring(bytes), rows) << "round " << round;
    ASSERT_EQ(read(bytes), rows) << "round " << round;
    const auto theirs = write_with_croaring(rows, true);
    ASSERT_EQ(read(theirs), rows) << "round " << round;
    EXPECT_EQ(bytes, theirs) << "round " << round;
    ASSERT_EQ(read(write_with_croaring(rows, false)), rows) << "round " << round;
  }
}

TEST(RoaringFormat, OfARangeIsThatOfItsRows) {
  std::mt19937_64 random(testing::test_seed());
  EXPECT_EQ(internal::encode_roaring_range(5, 5), internal::encode_roaring({}));
  for (int round = 0; round < 50; ++round) {
    const uint64_t begin = (uint64_t{1} << (random() % 40)) - 1;
    const uint64_t end = begin + 1 + random() % (3 * kContainerRows);
    std::vector<uint64_t> rows(end - begin);
    std::iota(rows.begin(), rows.end(), begin);
    const auto bytes = internal::encode_roaring_range(begin, end);
    EXPECT_EQ(bytes, internal::encode_roaring(rows)) << begin << " to " << end;
    EXPECT_EQ(read_with_croaring(bytes), rows);
  }
}

}  // namespace
}  // namespace npk
