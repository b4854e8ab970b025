// The filter kernels in plain C++: simd/filter.h.
#include <cmath>
#include <cstring>

#include "npk/dtype.h"
#include "simd/filter.h"

namespace npk::simd {
namespace {

template <typename T>
void filter(const float* query, const RowBlock& block, const FilterLine& line, uint64_t* passing) {
  for (size_t i = 0; i < block.count; ++i) {
    const auto* at = reinterpret_cast<const std::byte*>(row_of<T>(block, i));
    float dot = 0;
    float square = 0;
    for (size_t j = 0; j < block.dims; ++j, at += sizeof(T)) {
      T value;
      std::memcpy(&value, at, sizeof(T));
      const auto x = static_cast<float>(value);
      dot += x * query[j];
      square += x * x;
    }
    const float bound = line.slope * std::sqrt(square) + (line.bound + line.half * square);
    const bool is_rejected =
        square >= line.least_square && square <= line.most_square && dot < bound;
    if (i % 64 == 0) passing[i / 64] = 0;
    passing[i / 64] |= uint64_t{!is_rejected} << (i % 64);
  }
}

constexpr FilterKernels kTable = {
    {nullptr, filter<float>, filter<Float16>, filter<BFloat16>, filter<int8_t>, filter<uint8_t>}};

}  // namespace

const FilterKernels& scalar_filter_kernels() noexcept { return kTable; }

}  // namespace npk::simd
