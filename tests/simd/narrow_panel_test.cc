#include "simd/narrow_panel.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "tests/support/guard_buffer.h"
#include "tests/support/support.h"
#include "tests/support/tested_targets.h"

namespace npk::simd {
namespace {

using npk::testing::GuardBuffer;
using npk::testing::small_integer;

/// Rows and queries of bytes, each of int8 or uint8.
struct BytePanelCase {
  size_t dims;
  size_t count;
  size_t vectors;  // 0: unpacked.
  bool is_signed_row;
  bool is_signed_query;
};

int64_t number(std::byte byte, bool is_signed) {
  return is_signed ? int64_t{static_cast<int8_t>(byte)} : int64_t{static_cast<uint8_t>(byte)};
}

/// Of a row of `dims` elements, as the kernels want them.
size_t padded_words(const NarrowPanelKernels& kernels, size_t dims, size_t item_bytes) {
  const size_t step_bytes = kernels.step_words * kNarrowWordBytes;
  return (dims * item_bytes + step_bytes - 1) / step_bytes * kernels.step_words;
}

/// Queries as the kernels want them.
class NarrowQueries {
 public:
  /// `vectors`: 0 if unpacked; then a few of them only.
  NarrowQueries(const NarrowPanelKernels& kernels, size_t dims, size_t item_bytes, size_t vectors,
                std::mt19937_64& random)
      : kernel_vectors_(vectors),
        width_(std::max<size_t>(1, vectors) * kNarrowPanelLanes),
        count_(vectors == 0 ? 1 + random() % kNarrowPanelLanes : width_),
        step_bytes_((dims * item_bytes + 63) / 64 * 64),
        packed_(vectors == 0
                    ? (count_ + 1) * step_bytes_
                    : padded_words(kernels, dims, item_bytes) * kNarrowWordBytes * width_) {
    std::fill_n(packed_.data(), packed_.size(), std::byte{0});
  }
  /// What a kernel writes for each row.
  [[nodiscard]] size_t width() const { return width_; }
  [[nodiscard]] size_t count() const { return count_; }
  void set(size_t query, size_t j, const void* element, size_t item_bytes) {
    const size_t at = j * item_bytes;
    const size_t place =
        kernel_vectors_ == 0 ? query * step_bytes_ + at : (at / 4 * width_ + query) * 4 + at % 4;
    std::memcpy(packed_.data() + place, element, item_bytes);
  }
  [[nodiscard]] NarrowPanelFn kernel(const NarrowPanelKernels& kernels,
                                     const NarrowPanelFns& packed) const {
    return kernel_vectors_ == 0 ? kernels.unpacked : packed[kernel_vectors_ - 1];
  }
  [[nodiscard]] const std::byte* data() const { return packed_.data(); }

 private:
  size_t kernel_vectors_;
  size_t width_;
  size_t count_;
  size_t step_bytes_;
  GuardBuffer packed_;
};

/// How many vectors wide a panel may be, or 0 for one that is not packed.
size_t random_vectors(const NarrowPanelKernels& kernels, std::mt19937_64& random) {
  if (kernels.unpacked != nullptr && random() % 2 == 0) return 0;
  return 1 + random() % kernels.most_vectors;
}

/// `extreme`: the bytes with the largest products only.
void check_byte_panel(const NarrowPanelKernels& kernels, const BytePanelCase& c, bool extreme,
                      std::mt19937_64& random) {
  const size_t item_bytes = kernels.byte_bytes;
  NarrowQueries packed(kernels, c.dims, item_bytes, c.vectors, random);
  const size_t width = packed.width();
  const GuardBuffer rows(c.count * c.dims);
  std::vector<std::byte> queries(packed.count() * c.dims);
  const auto fill = [&](std::byte* to, size_t count, bool is_signed) {
    for (size_t i = 0; i < count; ++i) {
      to[i] = static_cast<std::byte>(!extreme ? random() : is_signed ? 0x80 : 0xff);
    }
  };
  fill(rows.data(), rows.size(), c.is_signed_row);
  fill(queries.data(), queries.size(), c.is_signed_query);
  const bool flips = kernels.byte_bytes == 1 && c.is_signed_row == c.is_signed_query;
  std::vector<int32_t> starts(width, 0);
  const size_t words = padded_words(kernels, c.dims, item_bytes);
  std::vector<float> slopes(width), bounds(width), lengths(c.count), offsets(c.count);
  for (size_t q = 0; q < packed.count(); ++q) {
    slopes[q] = small_integer(random);
    bounds[q] = small_integer(random) * 16'384;
    for (size_t j = 0; j < c.dims; ++j) {
      const std::byte element = queries[q * c.dims + j];
      const auto value = static_cast<int16_t>(number(element, c.is_signed_query));
      packed.set(q, j, &value, item_bytes);
      if (flips) starts[q] += (c.is_signed_row ? -128 : 128) * value;
    }
  }
  for (float& x : lengths) x = small_integer(random);
  for (float& x : offsets) x = small_integer(random);
  const size_t step_bytes = (c.dims * item_bytes + 63) / 64 * 64;
  const std::vector<float> ones(std::max(c.count, width), 1.0f);
  const GuardBuffer prepared(c.count * step_bytes);
  std::vector<float> squares(c.count), dots(c.count * width);
  std::vector<uint64_t> passing(c.count);
  kernels.prepare_bytes(rows.data(), c.count, c.dims, c.is_signed_row, flips ? 0x80 : 0,
                        prepared.data(), step_bytes, squares.data());
  const auto kernel =
      packed.kernel(kernels, c.is_signed_query ? kernels.of_int8 : kernels.of_uint8);
  kernel({prepared.data(),
          c.count,
          step_bytes,
          words,
          lengths.data(),
          offsets.data(),
          ones.data(),
          {rows.data() + rows.size(), rows.size()}},
         {packed.data(), packed.count(), starts.data(), ones.data(), slopes.data(), bounds.data()},
         dots.data(), passing.data());
  for (size_t r = 0; r < c.count; ++r) {
    uint64_t want = 0;
    int64_t square = 0;
    for (size_t j = 0; j < c.dims; ++j) {
      const int64_t x = number(rows.data()[r * c.dims + j], c.is_signed_row);
      square += x * x;
    }
    ASSERT_EQ(squares[r], static_cast<float>(square)) << "dims " << c.dims;
    for (size_t q = 0; q < packed.count(); ++q) {
      int64_t dot = 0;
      for (size_t j = 0; j < c.dims; ++j) {
        dot += number(rows.data()[r * c.dims + j], c.is_signed_row) *
               number(queries[q * c.dims + j], c.is_signed_query);
      }
      ASSERT_EQ(dots[r * width + q], static_cast<float>(dot)) << r << " of " << c.count;
      const float bound = slopes[q] * lengths[r] + (bounds[q] + offsets[r]);
      want |= uint64_t{!(static_cast<float>(dot) < bound)} << q;
    }
    ASSERT_EQ(passing[r] & ((uint64_t{1} << packed.count()) - 1), want)
        << "row " << r << " of " << c.count << " dims " << c.dims;
  }
}

constexpr size_t kCounts[] = {0, 1, 3, 4, 5, 6, 7, 8, 9, 11, 16, 31, 64};

// Targets that have no such instruction have no such kernels: then float32 does it.
TEST(NarrowPanelKernels, SumBytesExactlyAndRejectExactlyWhatIsBelowTheBound) {
  std::mt19937_64 random(npk::testing::test_seed());
  for (const Target target : npk::testing::tested_targets()) {
    const NarrowPanelKernels* kernels = narrow_panel_kernels(target);
    const bool has_avx2 = target >= Target::kAvx2 && target <= Target::kAmx;
    ASSERT_EQ(kernels != nullptr, has_avx2) << target_name(target);
    if (kernels == nullptr) continue;
    for (int kinds = 0; kinds < 4; ++kinds) {
      SCOPED_TRACE(kinds);
      for (const size_t dims : {1u, 2u, 3u, 4u, 5u, 31u, 63u, 64u, 65u, 130u}) {
        for (const size_t count : kCounts) {
          const size_t vectors = random_vectors(*kernels, random);
          check_byte_panel(*kernels, {dims, count, vectors, kinds % 2 != 0, kinds / 2 != 0}, false,
                           random);
        }
      }
      // 1, 4 and 6 rows at a time.
      for (const size_t count : {1u, 11u}) {
        check_byte_panel(*kernels, {kMostInt32Dims, count, 1, kinds % 2 != 0, kinds / 2 != 0}, true,
                         random);
        if (kernels->unpacked == nullptr) continue;
        check_byte_panel(*kernels, {kMostInt32Dims, count, 0, kinds % 2 != 0, kinds / 2 != 0}, true,
                         random);
      }
    }
  }
}

/// An element of 16 bits and the number that it is.
uint16_t rounded_bits(Rounding rounding, float x) {
  if (rounding == Rounding::kInt16) return static_cast<uint16_t>(static_cast<int16_t>(x));
  return static_cast<uint16_t>(std::bit_cast<uint32_t>(x) >> 16);
}
double rounded_number(Rounding rounding, const std::byte* from) {
  uint16_t bits;
  std::memcpy(&bits, from, sizeof(bits));
  if (rounding == Rounding::kInt16) return static_cast<int16_t>(bits);
  return double{std::bit_cast<float>(uint32_t{bits} << 16)};
}

/// Small integers, exact in either rounding, of rows whose unit is 1/2 and queries whose unit is
/// 1/4: exact in float32.
void check_rounded_panel(const NarrowPanelKernels& kernels, size_t dims, size_t count,
                         size_t vectors, std::mt19937_64& random) {
  NarrowQueries packed(kernels, dims, 2, vectors, random);
  const size_t width = packed.width();
  const size_t words = padded_words(kernels, dims, 2);
  const size_t step_bytes = (dims * 2 + 63) / 64 * 64;
  std::vector<float> row(count * dims), query(packed.count() * dims);
  for (float& x : row) x = small_integer(random);
  for (float& x : query) x = small_integer(random);
  const GuardBuffer rows(count * step_bytes);
  std::fill_n(rows.data(), rows.size(), std::byte{0});
  for (size_t r = 0; r < count; ++r) {
    for (size_t j = 0; j < dims; ++j) {
      const uint16_t bits = rounded_bits(kernels.rounding, row[r * dims + j]);
      std::memcpy(rows.data() + r * step_bytes + j * 2, &bits, 2);
    }
  }
  for (size_t q = 0; q < packed.count(); ++q) {
    for (size_t j = 0; j < dims; ++j) {
      const uint16_t bits = rounded_bits(kernels.rounding, query[q * dims + j]);
      packed.set(q, j, &bits, sizeof(bits));
    }
  }
  std::vector<float> slopes(width), bounds(width), lengths(count), offsets(count);
  for (std::vector<float>* numbers : {&slopes, &bounds, &lengths, &offsets}) {
    for (float& x : *numbers) x = small_integer(random);
  }
  const std::vector<float> row_units(count, 0.5f), query_units(width, 0.25f);
  std::vector<float> dots(count * width);
  std::vector<uint64_t> passing(count);
  packed.kernel(kernels, kernels.of_rounded)(
      {rows.data(),
       count,
       step_bytes,
       words,
       lengths.data(),
       offsets.data(),
       row_units.data(),
       {rows.data() + rows.size(), rows.size()}},
      {packed.data(), packed.count(), nullptr, query_units.data(), slopes.data(), bounds.data()},
      dots.data(), passing.data());
  for (size_t r = 0; r < count; ++r) {
    uint64_t want = 0;
    for (size_t q = 0; q < packed.count(); ++q) {
      float dot = 0;
      for (size_t j = 0; j < dims; ++j) {
        dot += row[r * dims + j] * query[q * dims + j] / 8;
      }
      ASSERT_EQ(dots[r * width + q], dot) << r << " of " << count << " dims " << dims;
      want |= uint64_t{!(dot < slopes[q] * lengths[r] + (bounds[q] + offsets[r]))} << q;
    }
    ASSERT_EQ(passing[r] & ((uint64_t{1} << packed.count()) - 1), want)
        << "row " << r << " of " << count << " dims " << dims;
  }
}

TEST(NarrowPanelKernels, OfRoundedElementsRejectExactlyWhatIsBelowTheBound) {
  std::mt19937_64 random(npk::testing::test_seed());
  for (const Target target : npk::testing::tested_targets()) {
    const NarrowPanelKernels* kernels = narrow_panel_kernels(target);
    if (kernels == nullptr) continue;
    for (const size_t dims : {1u, 2u, 3u, 15u, 16u, 17u, 31u, 32u, 33u, 47u, 49u, 64u, 130u}) {
      for (const size_t count : kCounts) {
        check_rounded_panel(*kernels, dims, count, random_vectors(*kernels, random), random);
      }
    }
  }
}

TEST(NarrowPanelKernels, OfRoundedElementsDoNotOverflowWhateverTheRow) {
  // One element that is all of the length, or all the same: what comes nearest to 32 bits.
  std::mt19937_64 random(npk::testing::test_seed());
  for (const Target target : npk::testing::tested_targets()) {
    const NarrowPanelKernels* kernels = narrow_panel_kernels(target);
    if (kernels == nullptr) continue;
    for (const size_t dims : {size_t{1}, size_t{2}, size_t{1'000}, kMostRoundedDims}) {
      for (const bool is_flat : {false, true}) {
        const float length = is_flat ? std::sqrt(static_cast<float>(dims)) : 1.0f;
        std::vector<float> row(dims, is_flat ? -3.0f : 0.0f);
        row[dims / 2] = -3.0f;
        std::vector<std::byte> prepared((dims * 2 + 63) / 64 * 64);
        float unit = 0;
        float square = 0;
        kernels->prepare_rounded(reinterpret_cast<const std::byte*>(row.data()), 1, dims,
                                 prepared.data(), prepared.size(), {}, &unit, &square);
        const float want = 9 * length * length;
        EXPECT_NEAR(square, want, want * 1e-3f);
        const std::vector<float> units(kNarrowPanelLanes, unit);
        const std::vector<float> zeros(kNarrowPanelLanes, 0.0f);
        for (const size_t vectors : {0u, 1u}) {
          if (vectors == 0 && kernels->unpacked == nullptr) continue;
          // The first query is the row.
          NarrowQueries packed(*kernels, dims, 2, vectors, random);
          for (size_t j = 0; j < dims; ++j) packed.set(0, j, prepared.data() + j * 2, 2);
          std::vector<float> dots(kNarrowPanelLanes);
          uint64_t passing = 0;
          packed.kernel(*kernels, kernels->of_rounded)(
              {prepared.data(),
               1,
               prepared.size(),
               padded_words(*kernels, dims, 2),
               zeros.data(),
               zeros.data(),
               units.data(),
               {}},
              {packed.data(), packed.count(), nullptr, units.data(), zeros.data(), zeros.data()},
              dots.data(), &passing);
          EXPECT_NEAR(dots[0], want, want * 0.01f) << dims << (is_flat ? " flat" : " single");
        }
      }
    }
  }
}

TEST(NarrowPanelKernels, RoundToNearest) {
  std::mt19937_64 random(npk::testing::test_seed());
  std::normal_distribution<float> normal;
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  for (const Target target : npk::testing::tested_targets()) {
    const NarrowPanelKernels* kernels = narrow_panel_kernels(target);
    if (kernels == nullptr) continue;
    for (size_t dims = 1; dims < 140; ++dims) {
      constexpr size_t kRows = 5;
      const size_t step_bytes = (dims * 2 + 63) / 64 * 64;
      std::vector<float> rows(kRows * dims);
      const float scale = std::pow(10.0f, static_cast<float>(random() % 30) - 12);
      for (float& x : rows) x = normal(random) * scale;
      std::fill_n(rows.begin() + static_cast<ptrdiff_t>(2 * dims), dims, 0.0f);
      rows[4 * dims - 1] = random() % 2 == 0 ? kInfinity : std::nanf("");
      const GuardBuffer at_any_address(rows.size() * sizeof(float) + 1);
      std::memcpy(at_any_address.data() + 1, rows.data(), rows.size() * sizeof(float));
      const GuardBuffer prepared(kRows * step_bytes);
      float units[kRows], squares[kRows];
      kernels->prepare_rounded(at_any_address.data() + 1, kRows, dims, prepared.data(), step_bytes,
                               {rows.data(), rows.size() * sizeof(float)}, units, squares);
      for (size_t r = 0; r < kRows; ++r) {
        const bool is_int16 = kernels->rounding == Rounding::kInt16;
        if (r == 2 || r == 3) {
          EXPECT_EQ(units[r], is_int16 ? 0 : 1) << dims;
          EXPECT_TRUE(r == 2 ? squares[r] == 0 : !std::isfinite(squares[r])) << dims;
          continue;
        }
        double square = 0;
        for (size_t j = 0; j < step_bytes / 2; ++j) {
          const double value =
              rounded_number(kernels->rounding, prepared.data() + r * step_bytes + j * 2);
          const double element = j < dims ? double{rows[r * dims + j]} : 0.0;
          square += element * element;
          const double error = is_int16 ? 0.51 * double{units[r]} : 0x1p-8 * std::abs(element);
          ASSERT_NEAR(value * double{units[r]}, element, error) << dims;
        }
        ASSERT_NEAR(double{squares[r]}, square, 1e-5 * square);
        const double length = std::sqrt(square);
        const double of_unit = double{units[r]} * double{kInt16Length};
        if (is_int16) {
          ASSERT_NEAR(of_unit, length, 1e-5 * length);
        }
      }
    }
  }
}

}  // namespace
}  // namespace npk::simd
