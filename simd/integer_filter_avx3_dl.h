// The integer filters with the AVX-512 instructions that multiply bytes and count bits (VNNI,
// VPOPCNTDQ). Highway 1.0.3 has no target for them, hence a file of its own.
#ifndef NPK_SIMD_INTEGER_FILTER_AVX3_DL_H_
#define NPK_SIMD_INTEGER_FILTER_AVX3_DL_H_

#include "simd/filter.h"

namespace npk::simd {

/// Null where the compiler's processor family has no such instructions. To be called only on
/// Target::kAvx3Dl.
const IntegerFilterKernels* avx3_dl_integer_filter_kernels() noexcept;

}  // namespace npk::simd

#endif  // NPK_SIMD_INTEGER_FILTER_AVX3_DL_H_
