// The kernels of kl and js in plain C++: simd/scan.h.
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <type_traits>

#include "npk/dtype.h"
#include "simd/log_constants.h"
#include "simd/scan.h"

namespace npk::simd {
namespace {

double log_of_positive(double x) noexcept {
  double exponent = 0;
  if (x < kLeastNormal) {
    x *= kSubnormalScale;
    exponent = -54;
  }
  const auto bits = std::bit_cast<int64_t>(x);
  const int64_t k = (bits - kHalfRootBits) >> 52;
  const double m = std::bit_cast<double>(bits - k * (int64_t{1} << 52));
  exponent += std::bit_cast<double>(kIntegerBits + k) - kIntegerOffset;
  const double f = m - 1;
  const double s = f / (2 + f);
  const double z = s * s;
  const double w = z * z;
  const double even = w * (kLog2 + w * (kLog4 + w * kLog6));
  const double odd = z * (kLog1 + w * (kLog3 + w * (kLog5 + w * kLog7)));
  const double half = 0.5 * f * f;
  const double tail = s * (half + (even + odd)) + exponent * kLn2Low;
  return exponent * kLn2High - ((half - tail) - f);
}

double logarithm(double x) noexcept {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  if (x == 0) return -kInfinity;
  if (x == kInfinity) return kInfinity;
  if (!(x > 0)) return std::numeric_limits<double>::quiet_NaN();
  return log_of_positive(x);
}

double relative_entropy(double a, double b) noexcept {
  return a * logarithm((a + kDivergenceEpsilon) / (b + kDivergenceEpsilon));
}

template <bool kIsJs>
double term(double p, double r) noexcept {
  if constexpr (!kIsJs) return relative_entropy(p, r);
  const double middle = (p + r) * 0.5;
  return relative_entropy(p, middle) + relative_entropy(r, middle);
}

template <bool kIsJs, typename T>
void scan(const void* query_data, const RowBlock& block, double* first, double* /*second*/) {
  const auto* query = static_cast<const double*>(query_data);
  const std::byte* at = block.rows;
  for (size_t i = 0; i < block.count; ++i) {
    double lanes[kVirtualLanes] = {};
    for (size_t j = 0; j < block.dims; ++j, at += sizeof(T)) {
      T value;
      std::memcpy(&value, at, sizeof(T));
      double wide = 0;
      if constexpr (std::is_arithmetic_v<T>) {
        wide = static_cast<double>(value);
      } else {
        wide = static_cast<double>(static_cast<float>(value));
      }
      lanes[j % kVirtualLanes] += term<kIsJs>(query[j], wide);
    }
    for (size_t half = kVirtualLanes / 2; half > 0; half /= 2) {
      for (size_t l = 0; l < half; ++l) lanes[l] += lanes[l + half];
    }
    first[i] = lanes[0];
  }
}

constexpr DivergenceKernels kTable = {
    {scan<false, double>, scan<false, float>, scan<false, Float16>, scan<false, BFloat16>},
    {scan<true, double>, scan<true, float>, scan<true, Float16>, scan<true, BFloat16>}};

}  // namespace

const DivergenceKernels& scalar_divergence_kernels() noexcept { return kTable; }

}  // namespace npk::simd
