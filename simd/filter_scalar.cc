// The filter kernels in plain C++: simd/filter.h.
#include <bit>
#include <cmath>
#include <cstring>

#include "npk/dtype.h"
#include "simd/filter.h"

namespace npk::simd {
namespace {

bool is_rejected(float dot, float square, const FilterLine& line) {
  const float bound = line.slope * std::sqrt(square) + (line.bound + line.half * square);
  return square >= line.least_square && square <= line.most_square && dot < bound;
}

void put(bool is_passing, size_t i, uint64_t* passing) {
  if (i % 64 == 0) passing[i / 64] = 0;
  passing[i / 64] |= uint64_t{is_passing} << (i % 64);
}

template <RowType kType, typename T>
void filter(const void* query_data, const RowBlock& block, const FilterLine& line,
            uint64_t* passing) {
  const auto* query = static_cast<const float*>(query_data);
  for (size_t i = 0; i < block.count; ++i) {
    const auto* at = reinterpret_cast<const std::byte*>(row_of<T>(block, i));
    float dot = 0;
    float square = 0;
    for (size_t j = 0; j < block.dims; ++j, at += sizeof(T)) {
      T value;
      std::memcpy(&value, at, sizeof(T));
      const auto x = static_cast<float>(value);
      dot += x * query[filter_query_place(kType, block.dims, j)];
      square += x * x;
    }
    put(!is_rejected(dot, square, line), i, passing);
  }
}

constexpr FilterKernels kTable = {
    {filter<RowType::kFloat64, double>, filter<RowType::kFloat32, float>,
     filter<RowType::kFloat16, Float16>, filter<RowType::kBFloat16, BFloat16>,
     filter<RowType::kInt8, int8_t>, filter<RowType::kUint8, uint8_t>}};

bool is_rejected(float dot, const FilterLine& line) { return dot < line.bound; }

template <typename T, bool kHasSquare>
void filter_integers(const void* query_data, const RowBlock& block, const FilterLine& line,
                     uint64_t* passing) {
  const int16_t* query = static_cast<const IntegerQuery*>(query_data)->values;
  for (size_t i = 0; i < block.count; ++i) {
    const T* row = row_of<T>(block, i);
    int32_t dot = 0;
    int32_t square = 0;
    for (size_t j = 0; j < block.dims; ++j) {
      dot += row[j] * query[j];
      square += row[j] * row[j];
    }
    put(!(kHasSquare ? is_rejected(static_cast<float>(dot), static_cast<float>(square), line)
                     : is_rejected(static_cast<float>(dot), line)),
        i, passing);
  }
}

template <typename T>
void filter_l2sq(const void* query_data, const RowBlock& block, const FilterLine& line,
                 uint64_t* passing) {
  const int16_t* query = static_cast<const IntegerQuery*>(query_data)->values;
  for (size_t i = 0; i < block.count; ++i) {
    const T* row = row_of<T>(block, i);
    int32_t dot = 0;
    for (size_t j = 0; j < block.dims; ++j) dot -= (row[j] - query[j]) * (row[j] - query[j]);
    put(!is_rejected(static_cast<float>(dot), line), i, passing);
  }
}

void filter_bits(const void* query_data, const RowBlock& block, const FilterLine& line,
                 uint64_t* passing) {
  const auto* query = static_cast<const uint8_t*>(query_data);
  for (size_t i = 0; i < block.count; ++i) {
    const auto* row = row_of<uint8_t>(block, i);
    int dot = 0;
    int square = 0;
    for (size_t j = 0; j < block.dims; ++j) {
      dot += std::popcount(static_cast<uint8_t>(row[j] & query[j]));
      square += std::popcount(row[j]);
    }
    put(!is_rejected(static_cast<float>(dot), static_cast<float>(square), line), i, passing);
  }
}

void filter_hamming(const void* query_data, const RowBlock& block, const FilterLine& line,
                    uint64_t* passing) {
  const auto* query = static_cast<const uint8_t*>(query_data);
  for (size_t i = 0; i < block.count; ++i) {
    const auto* row = row_of<uint8_t>(block, i);
    int dot = 0;
    for (size_t j = 0; j < block.dims; ++j) {
      dot -= std::popcount(static_cast<uint8_t>(row[j] ^ query[j]));
    }
    put(!is_rejected(static_cast<float>(dot), line), i, passing);
  }
}

constexpr IntegerFilterKernels kIntegerTable = {filter_integers<int8_t, true>,
                                                filter_integers<uint8_t, true>,
                                                filter_integers<int8_t, false>,
                                                filter_integers<uint8_t, false>,
                                                filter_l2sq<int8_t>,
                                                filter_l2sq<uint8_t>,
                                                filter_bits,
                                                filter_hamming};

}  // namespace

const FilterKernels& scalar_filter_kernels() noexcept { return kTable; }
const IntegerFilterKernels& scalar_integer_filter_kernels() noexcept { return kIntegerTable; }

}  // namespace npk::simd
