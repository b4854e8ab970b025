#include "simd/filter.h"

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "npk/dtype.h"
#include "tests/support/guard_buffer.h"
#include "tests/support/support.h"

namespace npk::simd {
namespace {

using npk::testing::GuardBuffer;

constexpr RowType kFloatTypes[] = {RowType::kFloat32, RowType::kFloat16, RowType::kBFloat16};
constexpr RowType kTypes[] = {RowType::kFloat32, RowType::kFloat16, RowType::kBFloat16,
                              RowType::kInt8, RowType::kUint8};

size_t bytes_of(RowType type) {
  if (type == RowType::kFloat32) return 4;
  return type == RowType::kFloat16 || type == RowType::kBFloat16 ? 2 : 1;
}

template <typename T>
void put_as(std::byte* to, size_t i, T value) {
  std::memcpy(to + i * sizeof(T), &value, sizeof(T));
}

/// Writes `value`, which the type must hold, as element i.
void put(RowType type, std::byte* to, size_t i, float value) {
  if (type == RowType::kFloat32) return put_as(to, i, value);
  if (type == RowType::kFloat16) return put_as(to, i, Float16(value));
  if (type == RowType::kBFloat16) return put_as(to, i, BFloat16(value));
  put_as(to, i, static_cast<int8_t>(value));
}

double rounded_to(RowType type, float value) {
  if (type == RowType::kFloat16) return static_cast<float>(Float16(value));
  if (type == RowType::kBFloat16) return static_cast<float>(BFloat16(value));
  return value;
}

/// Every other row, and the last, as a list: those bits of `all`, the answer for all rows.
void expect_same_of_list(Target target, RowType type, const float* query, RowBlock block,
                         const FilterLine& line, const std::vector<uint64_t>& all) {
  std::vector<uint64_t> numbers;
  for (size_t i = 0; i < block.count; ++i) {
    if (i % 2 == 0 || i + 1 == block.count) numbers.push_back(i);
  }
  block.count = numbers.size();
  block.numbers = numbers.data();
  std::vector<uint64_t> want((numbers.size() + 63) / 64, 0);
  for (size_t i = 0; i < numbers.size(); ++i) {
    want[i / 64] |= (all[numbers[i] / 64] >> (numbers[i] % 64) & 1) << (i % 64);
  }
  std::vector<uint64_t> got(want.size(), 77);
  filter_kernels(target).by_type[static_cast<size_t>(type)](query, block, line, got.data());
  ASSERT_EQ(got, want) << target_name(target) << " " << numbers.size() << " x " << block.dims;
}

// Small integers: every float32 sum is exact, so the same rows pass whatever the order.
void check_filter(RowType type, size_t dims, size_t count, std::mt19937_64& random) {
  const GuardBuffer rows(count * dims * bytes_of(type));
  for (size_t i = 0; i < count * dims; ++i) {
    put(type, rows.data(), i, static_cast<float>(random() % 8));
  }
  const GuardBuffer padded((dims + kVirtualLanes - 1) / kVirtualLanes * kVirtualLanes * 4);
  std::memset(padded.data(), 0, padded.size());
  auto* query = reinterpret_cast<float*>(padded.data());
  for (size_t j = 0; j < dims; ++j) query[j] = static_cast<float>(random() % 17) - 8;
  const float infinity = std::numeric_limits<float>::infinity();
  const auto typical = static_cast<float>(dims);
  const FilterLine lines[] = {
      {0, 0, 0, 0, infinity},
      {0, typical, 0, 0, infinity},
      {0, 0, 0.25f, 0, infinity},
      {0, 0, -0.5f, 0, infinity},
      {0, infinity, 0, 0, infinity},
      {0, -infinity, 0, 0, infinity},
      {0, infinity, 0, 16 * typical, 20 * typical},
  };
  const size_t words = (count + 63) / 64;
  for (const FilterLine& line : lines) {
    std::vector<uint64_t> want(words + 1, 77);
    const auto index = static_cast<size_t>(type);
    scalar_filter_kernels().by_type[index](query, {rows.data(), count, dims}, line, want.data());
    for (const Target target : available_targets()) {
      std::vector<uint64_t> got(words + 1, 77);
      filter_kernels(target).by_type[index](query, {rows.data(), count, dims}, line, got.data());
      ASSERT_EQ(got, want) << target_name(target) << " type " << index << " " << count << " x "
                           << dims;
      expect_same_of_list(target, type, query, {rows.data(), count, dims}, line, want);
    }
  }
}

TEST(FilterKernels, PassTheRowsOfTheirScalarTwinForEveryLength) {
  std::mt19937_64 random(npk::testing::test_seed());
  for (const RowType type : kTypes) {
    for (size_t dims = 0; dims <= 70; ++dims) {
      for (const size_t count : {0u, 1u, 3u, 15u, 16u, 17u, 63u, 64u, 65u}) {
        check_filter(type, dims, count, random);
      }
    }
    for (const size_t dims : {127u, 128u, 300u, 768u}) check_filter(type, dims, 256, random);
  }
}

TEST(FilterKernels, PassARowThatIsNotFinite) {
  const float infinity = std::numeric_limits<float>::infinity();
  const FilterLine line = {0, infinity, 0, 1e-30f, 1e36f};  // Rejects all that it may.
  for (const RowType type : kFloatTypes) {
    for (const float value : {1.0f, infinity, -infinity, std::nanf(""), 0.0f}) {
      std::vector<std::byte> rows(20 * bytes_of(type));
      for (size_t j = 0; j < 20; ++j) put(type, rows.data(), j, j == 3 ? value : 0.0f);
      const std::vector<float> query(32, 1.0f);
      for (const Target target : available_targets()) {
        uint64_t passing = 77;
        filter_kernels(target).by_type[static_cast<size_t>(type)](
            query.data(), {rows.data(), 1, 20}, line, &passing);
        EXPECT_EQ(passing, value == 1.0f ? 0u : 1u) << target_name(target) << " " << value;
      }
    }
  }
}

// The sums are within the rounding of their additions, at every size that a type has: what is
// below by more is rejected, what is above passes.
TEST(FilterKernels, RejectWhatIsBelowByMoreThanRounding) {
  std::mt19937_64 random(npk::testing::test_seed());
  std::normal_distribution<float> normal;
  for (const RowType type : kFloatTypes) {
    for (size_t dims = 1; dims < 200; ++dims) {
      const float scale = std::ldexp(1.0f, static_cast<int>(random() % 12) - 6);
      std::vector<std::byte> rows(dims * bytes_of(type));
      std::vector<float> query(dims + 2 * kVirtualLanes, 0.0f);
      double dot = 0;
      double norm = 0;
      double query_norm = 0;
      for (size_t j = 0; j < dims; ++j) {
        const float value = normal(random) * scale;
        put(type, rows.data(), j, value);
        query[j] = normal(random);
        const double x = rounded_to(type, value);
        dot += x * static_cast<double>(query[j]);
        norm += x * x;
        query_norm += static_cast<double>(query[j]) * static_cast<double>(query[j]);
      }
      const double margin =
          static_cast<double>(dims + 2) * 0x1p-24 * std::sqrt(norm * query_norm) * 2;
      for (const Target target : available_targets()) {
        const auto passes = [&](double bound) {
          uint64_t passing = 0;
          filter_kernels(target).by_type[static_cast<size_t>(type)](
              query.data(), {rows.data(), 1, dims}, {0, static_cast<float>(bound), 0, 0, 1e36f},
              &passing);
          return passing == 1;
        };
        EXPECT_TRUE(passes(dot - margin)) << target_name(target) << " dims " << dims;
        EXPECT_FALSE(passes(dot + margin)) << target_name(target) << " dims " << dims;
      }
    }
  }
}

}  // namespace
}  // namespace npk::simd
