#include "simd/filter.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include "npk/dtype.h"
#include "npk/internal/text.h"
#include "tests/support/guard_buffer.h"
#include "tests/support/support.h"
#include "tests/support/tested_targets.h"

namespace npk::simd {
namespace {

using npk::testing::GuardBuffer;

constexpr RowType kFloatTypes[] = {RowType::kFloat64, RowType::kFloat32, RowType::kFloat16,
                                   RowType::kBFloat16};
constexpr RowType kTypes[] = {RowType::kFloat64,  RowType::kFloat32, RowType::kFloat16,
                              RowType::kBFloat16, RowType::kInt8,    RowType::kUint8};

size_t bytes_of(RowType type) {
  if (type == RowType::kFloat64) return 8;
  if (type == RowType::kFloat32) return 4;
  return type == RowType::kFloat16 || type == RowType::kBFloat16 ? 2 : 1;
}

template <typename T>
void put_as(std::byte* to, size_t i, T value) {
  std::memcpy(to + i * sizeof(T), &value, sizeof(T));
}

/// Writes `value`, which the type must hold, as element i.
void put(RowType type, std::byte* to, size_t i, float value) {
  if (type == RowType::kFloat64) return put_as(to, i, static_cast<double>(value));
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

/// Every other row, and the last, as a list that is asked for as `scattered` says, of which the
/// last `upcoming` only come next: those bits of `all`, the answer for all rows.
void expect_same_of_list(FilterFn kernel, const void* query, RowBlock block, const FilterLine& line,
                         const std::vector<uint64_t>& all, const ScatteredAhead& scattered,
                         size_t upcoming, const std::string& name) {
  std::vector<uint64_t> numbers;
  for (size_t i = 0; i < block.count; ++i) {
    if (i % 2 == 0 || i + 1 == block.count) numbers.push_back(i);
  }
  block.upcoming = std::min(upcoming, numbers.size());
  block.count = numbers.size() - block.upcoming;
  block.numbers = numbers.data();
  block.scattered = scattered;
  std::vector<uint64_t> want((block.count + 63) / 64, 0);
  for (size_t i = 0; i < block.count; ++i) {
    want[i / 64] |= (all[numbers[i] / 64] >> (numbers[i] % 64) & 1) << (i % 64);
  }
  std::vector<uint64_t> got(want.size(), 77);
  kernel(query, block, line, got.data());
  ASSERT_EQ(got, want) << name << " list of " << block.count << " x " << block.dims;
}

/// `kernel` lets the same rows pass as its twin `scalar`, in sequence, at four places at once, and
/// listed, in whichever order some processor is asked for them.
void expect_same_rows(FilterFn kernel, FilterFn scalar, const void* query, RowBlock block,
                      std::span<const FilterLine> lines, const std::string& name) {
  const size_t words = (block.count + 63) / 64;
  for (const FilterLine& line : lines) {
    std::vector<uint64_t> want(words + 1, 77);
    std::vector<uint64_t> got(words + 1, 77);
    scalar(query, block, line, want.data());
    kernel(query, block, line, got.data());
    ASSERT_EQ(got, want) << name << " " << block.count << " x " << block.dims;
    block.in_quarters = true;
    std::ranges::fill(got, 77);
    kernel(query, block, line, got.data());
    ASSERT_EQ(got, want) << name << " " << block.count << " x " << block.dims << " in quarters";
    block.in_quarters = false;
    for (const auto order : {ScatteredOrder::kByRow, ScatteredOrder::kByGroup}) {
      for (const size_t upcoming : {0u, 1u, 8u}) {
        expect_same_of_list(kernel, query, block, line, want, {8, order}, upcoming, name);
      }
    }
  }
}

// Small integers: every float32 sum is exact, so the same rows pass whatever the order.
void check_filter(RowType type, size_t dims, size_t count, std::mt19937_64& random) {
  const GuardBuffer rows(count * dims * bytes_of(type));
  for (size_t i = 0; i < count * dims; ++i) {
    put(type, rows.data(), i, static_cast<float>(random() % 8));
  }
  const GuardBuffer padded(padded_filter_dims(dims) * sizeof(float));
  std::memset(padded.data(), 0, padded.size());
  auto* query = reinterpret_cast<float*>(padded.data());
  for (size_t j = 0; j < dims; ++j) {
    query[filter_query_place(type, dims, j)] = static_cast<float>(random() % 17) - 8;
  }
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
  const auto index = static_cast<size_t>(type);
  for (const Target target : npk::testing::tested_targets()) {
    const FilterFn kernel = filter_kernels(target).by_type[index];
    if (kernel == nullptr) continue;
    expect_same_rows(kernel, scalar_filter_kernels().by_type[index], query,
                     {rows.data(), count, dims}, lines,
                     internal::concat(target_name(target), " type ", index));
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
    for (const size_t dims : {70u, 127u, 128u, 300u, 768u}) {
      for (const size_t count : {256u, 257u, 259u, 270u}) check_filter(type, dims, count, random);
    }
  }
}

/// What the elements of rows and queries are.
enum class Extent : uint8_t { kAny, kSmall, kLargest, kApart };

void fill(const GuardBuffer& buffer, Extent extent, bool is_signed, std::mt19937_64& random,
          bool is_query = false) {
  const bool is_opposite = is_query && extent == Extent::kApart;
  const auto largest = static_cast<std::byte>((is_signed ? 0x80 : 0xff) ^ (is_opposite ? 0xff : 0));
  for (size_t i = 0; i < buffer.size(); ++i) {
    const auto any = static_cast<std::byte>(random());
    buffer.data()[i] = extent == Extent::kAny     ? any
                       : extent == Extent::kSmall ? any & std::byte{3}
                                                  : largest;
  }
}

/// Lines that some row of these numbers lies on, or near.
std::vector<FilterLine> lines_through(float dot, float square) {
  const float infinity = std::numeric_limits<float>::infinity();
  return {{0, dot, 0, 0, infinity},           {0, std::nextafter(dot, infinity), 0, 0, infinity},
          {0.5f, 0, 0, 0, infinity},          {-0.5f, 0, 0, 0, infinity},
          {0, 0, 0.25f, 0, infinity},         {0, dot, -0.5f, 0, infinity},
          {0, infinity, 0, square, infinity}, {0, infinity, 0, 0, square},
          {0, -infinity, 0, 0, infinity}};
}

/// What IntegerFilterKernels::of_int8 may do with -128, done with all.
void filter_clipped(const void* query_data, const RowBlock& block, const FilterLine& line,
                    uint64_t* passing) {
  const auto& query = *static_cast<const IntegerQuery*>(query_data);
  for (size_t i = 0; i < block.count; ++i) {
    const auto* row = row_of<int8_t>(block, i);
    int dot = 0;
    int square = 0;
    for (size_t j = 0; j < block.dims; ++j) {
      dot += row[j] * query.clipped[j];
      const int clipped = std::max<int>(row[j], -127);
      square += clipped * clipped;
    }
    const auto length_squared = static_cast<float>(square);
    const float bound =
        line.slope * std::sqrt(length_squared) + (line.bound + line.half * length_squared);
    const bool is_rejected = length_squared >= line.least_square &&
                             length_squared <= line.most_square && static_cast<float>(dot) < bound;
    if (i % 64 == 0) passing[i / 64] = 0;
    passing[i / 64] |= uint64_t{!is_rejected} << (i % 64);
  }
}

/// Whether the kernel does so: (-128) times (-128) is 16,384 then, or 128 times 127.
bool is_clipping(FilterFn of_int8) {
  std::vector<std::byte> bytes(kIntegerPadding, std::byte{0});
  bytes[0] = std::byte{0x80};
  std::vector<int16_t> values(kIntegerPadding, 0);
  values[0] = -128;
  std::vector<int8_t> clipped(kIntegerPadding, 0);
  clipped[0] = -127;
  const IntegerQuery query = {values.data(), bytes.data(),  true,           -128,
                              16'384,        values.data(), clipped.data(), 1};
  uint64_t passing = 0;
  of_int8(&query, {bytes.data(), 1, 1}, {0, 16'300, 0, 0, 1e9f}, &passing);
  return passing == 0;
}

// Integers: there is one answer, whatever the order.
void check_integer_filters(size_t dims, size_t count, Extent extent, std::mt19937_64& random) {
  const IntegerFilterKernels& scalar = scalar_integer_filter_kernels();
  for (const int kinds : {0, 1, 2, 3}) {
    const bool is_signed_row = kinds % 2 != 0;
    const bool is_signed_query = kinds / 2 != 0;
    const GuardBuffer rows(count * dims);
    const GuardBuffer query(dims);
    fill(rows, extent, is_signed_row, random);
    fill(query, extent, is_signed_query, random, true);
    const size_t padded = padded_integer_dims(dims);
    std::vector<int16_t> values(padded, 0);
    const GuardBuffer apart(padded * sizeof(int16_t));
    std::memset(apart.data(), 0, apart.size());
    const auto* apart_values = reinterpret_cast<const int16_t*>(apart.data());
    const GuardBuffer clipped(padded);
    std::memset(clipped.data(), 0, clipped.size());
    const auto* clipped_values = reinterpret_cast<const int8_t*>(clipped.data());
    IntegerQuery integers = {values.data(), query.data(), is_signed_query, 0, 0, apart_values};
    if (is_signed_query) integers.clipped = clipped_values;
    double dot = 0;
    double square = 0;
    for (size_t j = 0; j < dims; ++j) {
      const auto value = std::to_integer<uint8_t>(query.data()[j]);
      values[j] = is_signed_query ? int16_t{static_cast<int8_t>(value)} : int16_t{value};
      put_as(apart.data(), integer_query_place(dims, j), values[j]);
      if (is_signed_query) {
        put_as(clipped.data(), j, static_cast<int8_t>(std::max<int>(values[j], -127)));
        integers.clipped_count += int64_t{values[j] == -128};
      }
      integers.sum += values[j];
      integers.norm += int64_t{values[j]} * values[j];
    }
    const RowBlock block = {rows.data(), count, dims};
    const ScanKernels& scan = scalar_scan_kernels();
    const RowType type = is_signed_row ? RowType::kInt8 : RowType::kUint8;
    const std::vector<double> wide(values.begin(), values.end());
    if (count > 0) {
      scan.by_type[static_cast<size_t>(type)].dot_norm(wide.data(), {rows.data(), 1, dims}, &dot,
                                                       &square);
    }
    const auto lines = lines_through(static_cast<float>(dot), static_cast<float>(square));
    const FilterFn IntegerFilterKernels::*kernel =
        is_signed_row ? &IntegerFilterKernels::of_int8 : &IntegerFilterKernels::of_uint8;
    const FilterFn IntegerFilterKernels::*dot_kernel =
        is_signed_row ? &IntegerFilterKernels::dot_of_int8 : &IntegerFilterKernels::dot_of_uint8;
    const FilterFn IntegerFilterKernels::*l2sq_kernel =
        is_signed_row ? &IntegerFilterKernels::l2sq_of_int8 : &IntegerFilterKernels::l2sq_of_uint8;
    const double l2sq = square + static_cast<double>(integers.norm) - 2 * dot;
    const auto l2sq_lines = lines_through(static_cast<float>(count > 0 ? -l2sq : 0), 0);
    for (const Target target : npk::testing::tested_targets()) {
      const IntegerFilterKernels& kernels = integer_filter_kernels(target);
      const std::string name = internal::concat(target_name(target), " kinds ", kinds);
      const bool clips = is_signed_row && is_signed_query && is_clipping(kernels.of_int8);
      expect_same_rows(kernels.*kernel, clips ? filter_clipped : scalar.*kernel, &integers, block,
                       lines, name);
      expect_same_rows(kernels.*dot_kernel, scalar.*dot_kernel, &integers, block, lines,
                       name + " dot");
      if (is_signed_row != is_signed_query || kernels.*l2sq_kernel == nullptr) continue;
      expect_same_rows(kernels.*l2sq_kernel, scalar.*l2sq_kernel, &integers, block, l2sq_lines,
                       name + " l2sq");
    }
  }
}

void check_bit_filters(size_t bytes, size_t count, Extent extent, std::mt19937_64& random) {
  const IntegerFilterKernels& scalar = scalar_integer_filter_kernels();
  const GuardBuffer rows(count * bytes);
  fill(rows, extent, true, random);
  const GuardBuffer query(padded_integer_dims(bytes));
  fill(query, extent, false, random);
  std::memset(query.data() + bytes, 0, query.size() - bytes);
  const RowBlock block = {rows.data(), count, bytes};
  int differing = 0;
  for (size_t j = 0; j < (count == 0 ? 0 : bytes); ++j) {
    differing += std::popcount(std::to_integer<uint8_t>(rows.data()[j] ^ query.data()[j]));
  }
  const auto lines = lines_through(static_cast<float>(bytes), static_cast<float>(4 * bytes));
  const auto hamming_lines = lines_through(static_cast<float>(-differing), 0);
  for (const Target target : npk::testing::tested_targets()) {
    const IntegerFilterKernels& kernels = integer_filter_kernels(target);
    const std::string name(target_name(target));
    expect_same_rows(kernels.of_bits, scalar.of_bits, query.data(), block, lines, name + " bits");
    expect_same_rows(kernels.hamming, scalar.hamming, query.data(), block, hamming_lines,
                     name + " hamming");
  }
}

void check_all_integer_filters(size_t dims, size_t count, Extent extent, std::mt19937_64& random) {
  check_integer_filters(dims, count, extent, random);
  check_bit_filters(dims, count, extent, random);
}

TEST(IntegerFilterKernels, PassTheRowsOfTheirScalarTwinForEveryLength) {
  std::mt19937_64 random(npk::testing::test_seed());
  for (size_t dims = 0; dims <= 130; ++dims) {
    for (const size_t count : {0u, 1u, 3u, 17u}) {
      check_all_integer_filters(dims, count, Extent::kAny, random);
    }
  }
  for (const Extent extent : {Extent::kAny, Extent::kSmall, Extent::kLargest, Extent::kApart}) {
    for (const size_t dims : {1u, 64u, 128u, 193u}) {
      for (const size_t count : {4u, 15u, 16u, 65u, 256u, 263u}) {
        check_all_integer_filters(dims, count, extent, random);
      }
    }
    check_all_integer_filters(kMostInt32Dims, 2, extent, random);
  }
}

TEST(FilterKernels, AreThereForEveryTypeButFloat64WhereThatIsScoredAsQuickly) {
  for (const Target target : npk::testing::tested_targets()) {
    const auto& by_type = filter_kernels(target).by_type;
    const bool is_narrow = target < Target::kAvx3;
    EXPECT_EQ(by_type[static_cast<size_t>(RowType::kFloat64)] != nullptr, is_narrow)
        << target_name(target);
    for (size_t type = 1; type < kRowTypeCount; ++type) EXPECT_NE(by_type[type], nullptr);
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
      for (const Target target : npk::testing::tested_targets()) {
        const FilterFn kernel = filter_kernels(target).by_type[static_cast<size_t>(type)];
        if (kernel == nullptr) continue;
        uint64_t passing = 77;
        kernel(query.data(), {rows.data(), 1, 20}, line, &passing);
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
      std::vector<float> query(padded_filter_dims(dims), 0.0f);
      double dot = 0;
      double norm = 0;
      double query_norm = 0;
      for (size_t j = 0; j < dims; ++j) {
        const float value = normal(random) * scale;
        put(type, rows.data(), j, value);
        float& q = query[filter_query_place(type, dims, j)];
        q = normal(random);
        const double x = rounded_to(type, value);
        dot += x * static_cast<double>(q);
        norm += x * x;
        query_norm += static_cast<double>(q) * static_cast<double>(q);
      }
      const double margin =
          static_cast<double>(dims + 2) * 0x1p-24 * std::sqrt(norm * query_norm) * 2;
      for (const Target target : npk::testing::tested_targets()) {
        const FilterFn kernel = filter_kernels(target).by_type[static_cast<size_t>(type)];
        if (kernel == nullptr) continue;
        const auto passes = [&](double bound) {
          uint64_t passing = 0;
          kernel(query.data(), {rows.data(), 1, dims}, {0, static_cast<float>(bound), 0, 0, 1e36f},
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
