// Hamming and Jaccard on packed bits for every target: simd/scan.h.
//
// Bits are counted per byte with two table look-ups (nibbles) and summed by bytes into 64-bit
// lanes every 31 vectors at the latest, before a byte can overflow (31 * 8 = 248). Counts are
// integers: exact, and the same in every order.
#include <cstring>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "simd/bits.cc"
#include <hwy/foreach_target.h>  // IWYU pragma: keep
// Must come after foreach_target.h.
#include <hwy/highway.h>

#include "simd/prefetch.h"
#include "simd/scan.h"

HWY_BEFORE_NAMESPACE();
namespace npk::simd::HWY_NAMESPACE {
#if HWY_TARGET != HWY_SCALAR && HWY_TARGET != HWY_EMU128
namespace {

namespace hn = hwy::HWY_NAMESPACE;

using D8 = hn::CappedTag<uint8_t, 64>;
using D64 = hn::Repartition<uint64_t, D8>;
using V8 = hn::Vec<D8>;
using V64 = hn::Vec<D64>;
constexpr size_t kMaxBytes = hn::MaxLanes(D8());
constexpr size_t kMaxSteps = 31;

HWY_INLINE V8 count_per_byte(V8 x) {
  const D8 d;
  HWY_ALIGN static constexpr uint8_t kNibbleBits[16] = {0, 1, 1, 2, 1, 2, 2, 3,
                                                        1, 2, 2, 3, 2, 3, 3, 4};
  const V8 table = hn::LoadDup128(d, kNibbleBits);
  const V8 nibble = hn::Set(d, 15);
  const V8 low = hn::And(x, nibble);
  const V8 high = hn::And(
      hn::BitCast(d, hn::ShiftRight<4>(hn::BitCast(hn::Repartition<uint16_t, D8>(), x))), nibble);
  return hn::Add(hn::TableLookupBytes(table, low), hn::TableLookupBytes(table, high));
}

/// Adds the counts of `steps` (at most kMaxSteps) whole vectors to both numbers. Two parameters,
/// not a struct: SVE vectors cannot be members.
template <bool kHamming>
HWY_INLINE void count_steps(const uint8_t* row, const uint8_t* query, size_t steps,
                            const RowBlock& block, V64& first, V64& second) {
  const D8 d;
  const size_t width = hn::Lanes(d);
  V8 first_bytes = hn::Zero(d);
  V8 second_bytes = first_bytes;
  for (size_t s = 0; s < steps; ++s) {
    const V8 x = hn::LoadU(d, row + s * width);
    const V8 q = hn::LoadU(d, query + s * width);
    prefetch_in_turn(row + s * width, block);
    first_bytes = hn::Add(first_bytes, count_per_byte(kHamming ? hn::Xor(x, q) : hn::And(x, q)));
    if constexpr (!kHamming) second_bytes = hn::Add(second_bytes, count_per_byte(hn::Or(x, q)));
  }
  first = hn::Add(first, hn::SumsOf8(first_bytes));
  if constexpr (!kHamming) second = hn::Add(second, hn::SumsOf8(second_bytes));
}

template <bool kHamming>
HWY_INLINE void count_row(const uint8_t* row, const uint8_t* query, const RowBlock& block,
                          V64& first, V64& second) {
  const size_t bytes = block.dims;
  const size_t width = hn::Lanes(D8());
  size_t at = 0;
  while (bytes - at >= width) {
    const size_t steps = HWY_MIN((bytes - at) / width, kMaxSteps);
    count_steps<kHamming>(row + at, query + at, steps, block, first, second);
    at += steps * width;
  }
  if (at < bytes) {
    uint8_t row_tail[kMaxBytes] = {};
    uint8_t query_tail[kMaxBytes] = {};
    std::memcpy(row_tail, row + at, bytes - at);
    std::memcpy(query_tail, query + at, bytes - at);
    count_steps<kHamming>(row_tail, query_tail, 1, {}, first, second);
  }
}

HWY_INLINE double total(V64 counts) {
  const D64 d;
  return static_cast<double>(hn::GetLane(hn::SumOfLanes(d, counts)));
}

template <bool kHamming>
void scan_bits(const void* query_data, const RowBlock& block, double* first, double* second) {
  const auto* query = static_cast<const uint8_t*>(query_data);
  for (size_t turn = 0; turn < block.count; ++turn) {
    const size_t i = row_in_turn(block, turn);
    V64 one = hn::Zero(D64());
    V64 two = one;
    count_row<kHamming>(row_of<uint8_t>(block, i), query, block, one, two);
    first[i] = total(one);
    if constexpr (!kHamming) second[i] = total(two);
  }
}

constexpr BitKernels kTable = {scan_bits<true>, scan_bits<false>};

}  // namespace
const BitKernels* bit_table() { return &kTable; }
#endif  // HWY_TARGET
}  // namespace npk::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include "simd/bits_vpopcnt.h"
#include "simd/target_tables.h"

namespace npk::simd {

const BitKernels& bit_kernels(Target target) noexcept {
  static const auto tables = [] {
    TargetTables<BitKernels> filled;
    filled.tables[0] = &scalar_bit_kernels();
    NPK_FILL_TARGET_TABLES(filled, bit_table)
    filled.tables[static_cast<size_t>(Target::kAvx3Dl)] = vpopcnt_bit_kernels();
    return filled;
  }();
  return tables.get(target);
}

}  // namespace npk::simd
#endif  // HWY_ONCE
