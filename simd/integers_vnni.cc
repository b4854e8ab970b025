// vpdpbusd multiplies unsigned bytes with signed ones. With x the row, q the query and ^ for the
// flip of the highest bit, which turns int8 x into the unsigned x + 128 and uint8 x into the signed
// x - 128, the sums of products are
//
//   row    query  Σ x·q                     Σ x²
//   int8   int8   Σ (x^)·q - 128·Σ q        Σ (x^)·x - 128·Σ x
//   int8   uint8  Σ q·x                     as above
//   uint8  int8   Σ x·q                     Σ x·(x^) + 128·Σ x
//   uint8  uint8  Σ q·(x^) + 128·Σ q        as above
//
// and Σ (x - q)² is Σ x² - 2·Σ x·q + Σ q². All of it is exact in integers. Elements behind the end
// are zeros in both, before the flip, and add nothing to any of these.
//
// A lane of 32 bits takes four products of at most 255·128 for every 64 elements, so that kSpan
// elements stay below 2^31 in all lanes together; only Σ x² of uint8 needs the 32nd bit.
#include "simd/integers_vnni.h"

#if defined(__x86_64__)

#include <immintrin.h>

#include "simd/prefetch.h"

// GCC 12 takes the undefined source of its own unmasked intrinsics for a mistake of ours.
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif

#define NPK_VNNI __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,bmi2")))
#define NPK_VNNI_INLINE NPK_VNNI __attribute__((always_inline)) inline

namespace npk::simd {
namespace {

constexpr size_t kBytes = 64;
constexpr size_t kSpan = 65'536;
static_assert(kSpan * 255 * 128 < (uint64_t{1} << 31) && kSpan * 255 * 255 < (uint64_t{1} << 32));

enum class Op : uint8_t { kDot, kDotNorm, kL2Sq };

/// Lanes whose sums over a span of a row are its numbers; all modulo 2^32.
struct Lanes {
  __m512i dot;
  __m512i norm;
  __m512i sum;
};

template <Op kOp, bool kSignedRow, bool kSignedQuery>
NPK_VNNI_INLINE void add_bytes(__m512i x, __m512i q, Lanes& lanes) {
  const __m512i flipped = _mm512_xor_si512(x, _mm512_set1_epi8(-128));
  if constexpr (kSignedRow) {
    lanes.dot = kSignedQuery ? _mm512_dpbusd_epi32(lanes.dot, flipped, q)
                             : _mm512_dpbusd_epi32(lanes.dot, q, x);
  } else {
    lanes.dot = kSignedQuery ? _mm512_dpbusd_epi32(lanes.dot, x, q)
                             : _mm512_dpbusd_epi32(lanes.dot, q, flipped);
  }
  if constexpr (kOp != Op::kDot) {
    const __m512i ones = _mm512_set1_epi8(1);
    lanes.norm = kSignedRow ? _mm512_dpbusd_epi32(lanes.norm, flipped, x)
                            : _mm512_dpbusd_epi32(lanes.norm, x, flipped);
    lanes.sum = kSignedRow ? _mm512_dpbusd_epi32(lanes.sum, ones, x)
                           : _mm512_dpbusd_epi32(lanes.sum, x, ones);
  }
}

struct Sums {
  int64_t dot = 0;
  int64_t norm = 0;
};

template <Op kOp, bool kSignedRow, bool kSignedQuery>
NPK_VNNI_INLINE Sums sums_of_row(const std::byte* row, const std::byte* query, size_t bytes,
                                 Ahead ahead) {
  Sums sums;
  size_t at = 0;
  do {
    const size_t end = bytes - at > kSpan ? at + kSpan : bytes;
    Lanes lanes = {_mm512_setzero_si512(), _mm512_setzero_si512(), _mm512_setzero_si512()};
    for (; at + kBytes <= end; at += kBytes) {
      prefetch_ahead(row + at, ahead);
      add_bytes<kOp, kSignedRow, kSignedQuery>(_mm512_loadu_si512(row + at),
                                               _mm512_loadu_si512(query + at), lanes);
    }
    if (at < end) {
      const __mmask64 mask = _bzhi_u64(~0ULL, static_cast<unsigned>(end - at));
      add_bytes<kOp, kSignedRow, kSignedQuery>(_mm512_maskz_loadu_epi8(mask, row + at),
                                               _mm512_maskz_loadu_epi8(mask, query + at), lanes);
      at = end;
    }
    sums.dot += _mm512_reduce_add_epi32(lanes.dot);
    if constexpr (kOp != Op::kDot) {
      const __m512i shifted = _mm512_slli_epi32(lanes.sum, 7);
      const __m512i norm = kSignedRow ? _mm512_sub_epi32(lanes.norm, shifted)
                                      : _mm512_add_epi32(lanes.norm, shifted);
      sums.norm += static_cast<uint32_t>(_mm512_reduce_add_epi32(norm));
    }
  } while (at < bytes);
  return sums;
}

template <Op kOp, bool kSignedRow, bool kSignedQuery>
NPK_VNNI_INLINE void scan_rows(const IntegerQuery& query, const RowBlock& block, double* first,
                               double* second) {
  const int64_t shift = kSignedRow != kSignedQuery ? 0 : (kSignedRow ? -128 : 128) * query.sum;
  const std::byte* row = block.rows;
  for (size_t i = 0; i < block.count; ++i, row += block.dims) {
    const Sums sums =
        sums_of_row<kOp, kSignedRow, kSignedQuery>(row, query.bytes, block.dims, block.ahead);
    const int64_t dot = sums.dot + shift;
    first[i] = static_cast<double>(kOp == Op::kL2Sq ? sums.norm - 2 * dot + query.norm : dot);
    if constexpr (kOp == Op::kDotNorm) second[i] = static_cast<double>(sums.norm);
  }
}

template <Op kOp, bool kSignedRow>
NPK_VNNI void scan_bytes(const void* query_data, const RowBlock& block, double* first,
                         double* second) {
  const auto& query = *static_cast<const IntegerQuery*>(query_data);
  if (query.is_signed) {
    scan_rows<kOp, kSignedRow, true>(query, block, first, second);
  } else {
    scan_rows<kOp, kSignedRow, false>(query, block, first, second);
  }
}

template <bool kSignedRow>
constexpr ScanOps ops_of() {
  return {scan_bytes<Op::kDot, kSignedRow>, scan_bytes<Op::kDotNorm, kSignedRow>,
          scan_bytes<Op::kL2Sq, kSignedRow>};
}

constexpr IntegerKernels kTable = {ops_of<true>(), ops_of<false>()};

}  // namespace

const IntegerKernels* vnni_integer_kernels() noexcept { return &kTable; }

}  // namespace npk::simd

#else

namespace npk::simd {

const IntegerKernels* vnni_integer_kernels() noexcept { return nullptr; }

}  // namespace npk::simd

#endif
