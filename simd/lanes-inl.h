// The 16 virtual lanes of the canonical score in the vectors of the target: 2 with AVX-512, 4 with
// AVX2, 8 with SSE and NEON, and with SVE as many as the processor's vectors ask for (2 if they
// have 512 bits or more). Included once per target by dispatching files.
//
// The vectors have names, not indices: GCC 12 keeps an array of accumulators in memory. And they
// are variables, not members: SVE's have no size that the compiler knows, so no struct can hold
// them.
#if defined(NPK_SIMD_LANES_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef NPK_SIMD_LANES_INL_H_
#undef NPK_SIMD_LANES_INL_H_
#else
#define NPK_SIMD_LANES_INL_H_
#endif

#include <array>
#include <cstdint>

#include <hwy/highway.h>

#include "simd/prefetch.h"
#include "simd/scan.h"

HWY_BEFORE_NAMESPACE();
namespace npk::simd::HWY_NAMESPACE {
#if HWY_TARGET != HWY_SCALAR && HWY_TARGET != HWY_EMU128
namespace {

namespace hn = hwy::HWY_NAMESPACE;

using D64 = hn::CappedTag<double, 8>;
using DU64 = hn::RebindToUnsigned<D64>;
using V64 = hn::Vec<D64>;
static_assert(kVirtualLanes >= 2 * hn::MaxLanes(D64()));

/// Whether kernels can read four quarters of a block at once. The processors that want it have AVX2
/// and no AVX-512 (simd/prefetch.cc); others get the rows in sequence.
constexpr bool kReadsQuarters = HWY_TARGET == HWY_AVX2;

/// Lanes of a vector: constant but with SVE, where it is a power of 2 from 2 to 8.
HWY_INLINE size_t width() { return hn::Lanes(D64()); }
HWY_INLINE size_t vectors() { return kVirtualLanes / width(); }

#define NPK_EACH_VECTOR(M)                     \
  {                                            \
    M(0) M(1) if (vectors() > 2) { M(2) M(3) } \
    if (vectors() > 4) {                       \
      M(4) M(5) M(6) M(7)                      \
    }                                          \
  }

/// lanes[l] + lanes[l + half] until one is left.
#if HWY_HAVE_SCALABLE
HWY_INLINE double add_lanes(V64 v) {
  double lanes[hn::MaxLanes(D64())];
  hn::StoreU(v, D64(), lanes);
  for (size_t half = width() / 2; half > 0; half /= 2) {
    for (size_t l = 0; l < half; ++l) lanes[l] += lanes[l + half];
  }
  return lanes[0];
}
#else
template <class D, class V>
HWY_INLINE double add_halves(D /*d*/, V v) {
  if constexpr (hn::MaxLanes(D()) == 1) {
    return hn::GetLane(v);
  } else {
    const hn::Half<D> dh;
    return add_halves(dh, hn::Add(hn::LowerHalf(dh, v), hn::UpperHalf(dh, v)));
  }
}
HWY_INLINE double add_lanes(V64 v) { return add_halves(D64(), v); }
#endif

/// Names for the vectors that NPK_LANES16 declares. Those beyond vectors() are not used.
struct Lanes16 {
  V64 &v0, &v1, &v2, &v3, &v4, &v5, &v6, &v7;

  HWY_INLINE double total() const {
    if (vectors() == 2) return add_lanes(hn::Add(v0, v1));
    if (vectors() == 4) return add_lanes(hn::Add(hn::Add(v0, v2), hn::Add(v1, v3)));
    const V64 even = hn::Add(hn::Add(v0, v4), hn::Add(v2, v6));
    const V64 odd = hn::Add(hn::Add(v1, v5), hn::Add(v3, v7));
    return add_lanes(hn::Add(even, odd));
  }
};

/// Declares `name`, a Lanes16 of zeros.
#define NPK_LANES16(name)                                                                 \
  V64 name##0 = hn::Zero(D64()), name##1 = name##0, name##2 = name##0, name##3 = name##0, \
      name##4 = name##0, name##5 = name##0, name##6 = name##0, name##7 = name##0;         \
  const Lanes16 name = {name##0, name##1, name##2, name##3, name##4, name##5, name##6, name##7};

/// To memory and back: kVirtualLanes numbers, aligned.
HWY_INLINE void load_lanes(const double* HWY_RESTRICT from, const Lanes16& lanes) {
#define NPK_LOAD(i) lanes.v##i = hn::Load(D64(), from + (i)*width());
  NPK_EACH_VECTOR(NPK_LOAD)
#undef NPK_LOAD
}
HWY_INLINE void store_lanes(const Lanes16& lanes, double* HWY_RESTRICT to) {
#define NPK_STORE(i) hn::Store(lanes.v##i, D64(), to + (i)*width());
  NPK_EACH_VECTOR(NPK_STORE)
#undef NPK_STORE
}

/// width() elements as float64, exactly.
HWY_INLINE V64 widen(const double* from) { return hn::LoadU(D64(), from); }
HWY_INLINE V64 widen(const float* from) {
  return hn::PromoteTo(D64(), hn::LoadU(hn::Rebind<float, D64>(), from));
}
/// Elements of 8 and 16 bits as float32, exactly: as many as D has lanes.
template <class D, typename T>
HWY_INLINE hn::Vec<D> widen_to_float32(D d, const T* from) {
  const auto narrow = hn::LoadU(hn::Rebind<T, D>(), from);
  if constexpr (sizeof(T) == 1) {
    return hn::ConvertTo(d, hn::PromoteTo(hn::RebindToSigned<D>(), narrow));
  } else {
    return hn::PromoteTo(d, narrow);
  }
}
#if HWY_TARGET == HWY_SSE4
// Without F16C. Highway 1.0.3 has a conversion in software that takes infinity for 65,536.
template <class D>
HWY_INLINE hn::Vec<D> widen_to_float32(D d, const hwy::float16_t* from) {
  const hn::Rebind<uint16_t, D> du16;
  const hn::RebindToUnsigned<D> du32;
  const hn::RebindToSigned<D> di32;
  const auto bits = hn::PromoteTo(du32, hn::LoadU(du16, reinterpret_cast<const uint16_t*>(from)));
  const auto magnitude = hn::And(bits, hn::Set(du32, 0x7fff));
  const auto sign = hn::ShiftLeft<16>(hn::And(bits, hn::Set(du32, 0x8000)));
  const auto shifted = hn::ShiftLeft<13>(magnitude);
  // Exponents differ by 112. A subnormal becomes the digits behind 2^-14, which is then taken away:
  // no operand is a subnormal float, which may count as zero (simd/flush_subnormals.h).
  const auto normal = hn::Add(shifted, hn::Set(du32, 112u << 23));
  const auto behind = hn::Or(shifted, hn::Set(du32, 113u << 23));
  const auto subnormal = hn::BitCast(du32, hn::Sub(hn::BitCast(d, behind), hn::Set(d, 0x1p-14f)));
  const auto special = hn::Or(shifted, hn::Set(du32, 0x7f800000));
  const auto signed_magnitude = hn::BitCast(di32, magnitude);
  const auto is_special = hn::Gt(signed_magnitude, hn::Set(di32, 0x7bff));
  const auto is_normal = hn::Gt(signed_magnitude, hn::Set(di32, 0x3ff));
  const auto finite = hn::IfThenElse(hn::RebindMask(du32, is_normal), normal, subnormal);
  const auto value = hn::IfThenElse(hn::RebindMask(du32, is_special), special, finite);
  return hn::BitCast(d, hn::Or(value, sign));
}
#endif
template <typename T>
HWY_INLINE V64 widen(const T* from) {
  static_assert(sizeof(T) <= 2);
  return hn::PromoteTo(D64(), widen_to_float32(hn::Rebind<float, D64>(), from));
}

/// As prefetch_ahead, for the bytes of `count` elements.
template <typename T>
HWY_INLINE void prefetch_elements(const T* from, size_t count, Ahead ahead) {
  for (size_t b = 0; b < count * sizeof(T); b += 64) {
    prefetch_ahead(reinterpret_cast<const char*>(from) + b, ahead);
  }
}

/// As prefetch_near, for the bytes of `count` elements.
template <typename T>
HWY_INLINE void prefetch_near_elements(const T* from, size_t count, Ahead ahead) {
  for (size_t b = 0; b < count * sizeof(T); b += 64) {
    prefetch_near(reinterpret_cast<const char*>(from) + b, ahead);
  }
}

/// As prefetch_line, for the bytes of `count` elements.
template <typename T>
HWY_INLINE void prefetch_elements(const T* from, size_t count) {
  for (size_t b = 0; b < count * sizeof(T); b += 64) {
    prefetch_line(reinterpret_cast<const char*>(from) + b);
  }
}

}  // namespace
#endif  // HWY_TARGET
}  // namespace npk::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#ifndef NPK_SIMD_TAIL_MASKS_
#define NPK_SIMD_TAIL_MASKS_
namespace npk::simd {
/// From index 16 - n on: n times all ones, then zeros. A plain array: the functions of std::array
/// could be compiled for one target and be run on another.
inline constexpr uint64_t kOnes = ~uint64_t{0};
inline constexpr uint64_t kTailMasks[2 * kVirtualLanes] = {kOnes, kOnes, kOnes, kOnes, kOnes, kOnes,
                                                           kOnes, kOnes, kOnes, kOnes, kOnes, kOnes,
                                                           kOnes, kOnes, kOnes, kOnes};
}  // namespace npk::simd
#endif

#endif  // Toggle guard.
