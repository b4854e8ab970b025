// Scans of int8 and uint8 rows with the AVX-512 instruction that multiplies bytes and adds four
// products at once (VNNI). Highway 1.0.3 has no target for it, hence a file of its own.
#ifndef NPK_SIMD_INTEGERS_VNNI_H_
#define NPK_SIMD_INTEGERS_VNNI_H_

#include "simd/scan.h"

namespace npk::simd {

/// Null where the compiler's processor family has no such instruction. To be called only on
/// Target::kAvx3Dl.
const IntegerKernels* vnni_integer_kernels() noexcept;

}  // namespace npk::simd

#endif  // NPK_SIMD_INTEGERS_VNNI_H_
