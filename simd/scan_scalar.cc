// The scan kernels in plain C++: what docs/simd.md defines, written down as shortly as possible.
#include <bit>
#include <cmath>
#include <cstring>

#include "npk/dtype.h"
#include "simd/scan.h"

namespace npk::simd {
namespace {

enum class Op : uint8_t { kDot, kDotNorm, kL2Sq };

template <typename T>
double widen(const std::byte* from) noexcept {
  T value;
  std::memcpy(&value, from, sizeof(T));
  if constexpr (std::is_arithmetic_v<T>) {
    return static_cast<double>(value);
  } else {
    return static_cast<double>(static_cast<float>(value));
  }
}

/// The one order in which the lanes are added.
double add_lanes(std::array<double, kVirtualLanes>& lanes) noexcept {
  for (size_t half = kVirtualLanes / 2; half > 0; half /= 2) {
    for (size_t l = 0; l < half; ++l) lanes[l] += lanes[l + half];
  }
  return lanes[0];
}

template <Op kOp, typename T>
void scan(const void* query_data, const RowBlock& block, double* first, double* second) {
  const auto* query = static_cast<const double*>(query_data);
  const std::byte* at = block.rows;
  for (size_t i = 0; i < block.count; ++i) {
    std::array<double, kVirtualLanes> sums{};
    std::array<double, kVirtualLanes> norms{};
    for (size_t j = 0; j < block.dims; ++j, at += sizeof(T)) {
      const double value = widen<T>(at);
      if constexpr (kOp == Op::kL2Sq) {
        const double difference = value - query[j];
        sums[j % kVirtualLanes] += difference * difference;
      } else {
        sums[j % kVirtualLanes] += value * query[j];
        if constexpr (kOp == Op::kDotNorm) norms[j % kVirtualLanes] += value * value;
      }
    }
    first[i] = add_lanes(sums);
    if constexpr (kOp == Op::kDotNorm) second[i] = add_lanes(norms);
  }
}

template <typename T>
constexpr ScanOps ops_of() {
  return {scan<Op::kDot, T>, scan<Op::kDotNorm, T>, scan<Op::kL2Sq, T>};
}

constexpr ScanKernels kScan = {{ops_of<double>(), ops_of<float>(), ops_of<Float16>(),
                                ops_of<BFloat16>(), ops_of<int8_t>(), ops_of<uint8_t>()}};

template <Op kOp, typename T>
void scan_integers(const void* query_data, const RowBlock& block, double* first, double* second) {
  const int16_t* query = static_cast<const IntegerQuery*>(query_data)->values;
  const auto* row = reinterpret_cast<const T*>(block.rows);
  for (size_t i = 0; i < block.count; ++i, row += block.dims) {
    int64_t sum = 0;
    int64_t norm = 0;
    for (size_t j = 0; j < block.dims; ++j) {
      const int32_t x = row[j];
      const int32_t y = query[j];
      sum += kOp == Op::kL2Sq ? (x - y) * (x - y) : x * y;
      norm += x * x;
    }
    first[i] = static_cast<double>(sum);
    if constexpr (kOp == Op::kDotNorm) second[i] = static_cast<double>(norm);
  }
}

template <typename T>
constexpr ScanOps integer_ops_of() {
  return {scan_integers<Op::kDot, T>, scan_integers<Op::kDotNorm, T>, scan_integers<Op::kL2Sq, T>};
}

constexpr IntegerKernels kIntegers = {integer_ops_of<int8_t>(), integer_ops_of<uint8_t>()};

template <bool kHamming>
void scan_bits(const void* query_data, const RowBlock& block, double* first, double* second) {
  const auto* query = static_cast<const uint8_t*>(query_data);
  const auto* row = reinterpret_cast<const uint8_t*>(block.rows);
  for (size_t i = 0; i < block.count; ++i, row += block.dims) {
    uint64_t one = 0;
    uint64_t two = 0;
    for (size_t j = 0; j < block.dims; ++j) {
      const auto x = static_cast<uint8_t>(kHamming ? row[j] ^ query[j] : row[j] & query[j]);
      one += static_cast<uint64_t>(std::popcount(x));
      two += static_cast<uint64_t>(std::popcount(static_cast<uint8_t>(row[j] | query[j])));
    }
    first[i] = static_cast<double>(one);
    if constexpr (!kHamming) second[i] = static_cast<double>(two);
  }
}

constexpr BitKernels kBits = {scan_bits<true>, scan_bits<false>};

void finish_cosine(double* sums, const double* norms, size_t count, double query_norm) {
  for (size_t i = 0; i < count; ++i) {
    const double norm = std::sqrt(norms[i]);
    const double cosine = sums[i] / (norm * query_norm);
    const double clipped = cosine > 1 ? 1 : cosine < -1 ? -1 : cosine;
    sums[i] = norm == 0 || query_norm == 0 ? 0 : clipped;
  }
}

void finish_sqrt(double* sums, size_t count) {
  for (size_t i = 0; i < count; ++i) sums[i] = std::sqrt(sums[i]);
}

void finish_jaccard(double* sums, const double* unions, size_t count) {
  for (size_t i = 0; i < count; ++i) {
    sums[i] = unions[i] == 0 ? 0 : 1 - sums[i] / unions[i];
  }
}

template <bool kAbove>
void compare(const double* scores, size_t count, double bound, uint64_t* words) {
  for (size_t begin = 0; begin < count; begin += 64) {
    uint64_t word = 0;
    for (size_t i = begin; i < count && i < begin + 64; ++i) {
      const bool passes = kAbove ? scores[i] > bound : scores[i] < bound;
      word |= uint64_t{passes} << (i - begin);
    }
    words[begin / 64] = word;
  }
}

constexpr SelectKernels kSelect = {finish_cosine, finish_sqrt, finish_jaccard, compare<true>,
                                   compare<false>};

}  // namespace

const ScanKernels& scalar_scan_kernels() noexcept { return kScan; }
const IntegerKernels& scalar_integer_kernels() noexcept { return kIntegers; }
const BitKernels& scalar_bit_kernels() noexcept { return kBits; }
const SelectKernels& scalar_select_kernels() noexcept { return kSelect; }

}  // namespace npk::simd
