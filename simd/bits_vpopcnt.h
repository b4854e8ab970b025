// Hamming and Jaccard with the AVX-512 instruction that counts the bits of 64-bit lanes
// (VPOPCNTDQ). Highway 1.0.3 has no target for it, hence a file of its own.
#ifndef NPK_SIMD_BITS_VPOPCNT_H_
#define NPK_SIMD_BITS_VPOPCNT_H_

#include "simd/scan.h"

namespace npk::simd {

/// Null where the compiler's processor family has no such instruction. To be called only on
/// Target::kAvx3Dl.
const BitKernels* vpopcnt_bit_kernels() noexcept;

}  // namespace npk::simd

#endif  // NPK_SIMD_BITS_VPOPCNT_H_
