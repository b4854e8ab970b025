// NPK_FILL_TARGET_TABLES: collects what one dispatching file compiled for each target.
//
// Included by dispatching files after hwy/foreach_target.h, inside their HWY_ONCE part. Highway
// compiles the file once per target into a namespace of its own; `getter` is a function of that
// namespace which returns a pointer to its table. It is called only where the processor has the
// target, since a function of the namespace may be compiled to instructions of the target.
#ifndef NPK_SIMD_TARGET_TABLES_H_
#define NPK_SIMD_TARGET_TABLES_H_

#include <hwy/detect_targets.h>

#include "simd/target.h"

#define NPK_TARGET_TABLE(family, target, target_namespace, getter)             \
  if (is_available(target)) {                                                  \
    (family).tables[static_cast<size_t>(target)] = target_namespace::getter(); \
  }

#if HWY_TARGETS & HWY_SSE4
#define NPK_SSE4_TABLE(family, getter) NPK_TARGET_TABLE(family, Target::kSse4, N_SSE4, getter)
#else
#define NPK_SSE4_TABLE(family, getter)
#endif
#if HWY_TARGETS & HWY_AVX2
#define NPK_AVX2_TABLE(family, getter) NPK_TARGET_TABLE(family, Target::kAvx2, N_AVX2, getter)
#else
#define NPK_AVX2_TABLE(family, getter)
#endif
#if HWY_TARGETS & HWY_AVX3
#define NPK_AVX3_TABLE(family, getter) NPK_TARGET_TABLE(family, Target::kAvx3, N_AVX3, getter)
#else
#define NPK_AVX3_TABLE(family, getter)
#endif
#if HWY_TARGETS & HWY_NEON
#define NPK_NEON_TABLE(family, getter) NPK_TARGET_TABLE(family, Target::kNeon, N_NEON, getter)
#else
#define NPK_NEON_TABLE(family, getter)
#endif
#if HWY_TARGETS & HWY_SVE
#define NPK_SVE_TABLE(family, getter) NPK_TARGET_TABLE(family, Target::kSve, N_SVE, getter)
#else
#define NPK_SVE_TABLE(family, getter)
#endif
#if HWY_TARGETS & HWY_SVE2
#define NPK_SVE2_TABLE(family, getter) NPK_TARGET_TABLE(family, Target::kSve2, N_SVE2, getter)
#else
#define NPK_SVE2_TABLE(family, getter)
#endif

#define NPK_FILL_TARGET_TABLES(family, getter) \
  NPK_SSE4_TABLE(family, getter)               \
  NPK_AVX2_TABLE(family, getter)               \
  NPK_AVX3_TABLE(family, getter)               \
  NPK_NEON_TABLE(family, getter)               \
  NPK_SVE_TABLE(family, getter)                \
  NPK_SVE2_TABLE(family, getter)

#endif  // NPK_SIMD_TARGET_TABLES_H_
