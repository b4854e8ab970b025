// Scan kernels: one query against a block of rows that lie back to back, in canonical order.
//
// The canonical score (docs/simd.md) is computed for every row, so that a scan needs no second
// look. Element j of a row meets element j of the query in virtual lane j mod 16; each lane adds in
// order of j, in float64, products rounded before they are added; the lanes are added as the tree
// (l, l + 8), (l, l + 4), (l, l + 2), (l, l + 1). All targets give the same bits.
//
// Kernels never read a byte outside the rows they were given, and know nothing of files.
#ifndef NPK_SIMD_SCAN_H_
#define NPK_SIMD_SCAN_H_

#include <array>
#include <cstddef>
#include <cstdint>

#include "simd/prefetch.h"
#include "simd/target.h"

namespace npk::simd {

inline constexpr size_t kVirtualLanes = 16;
inline constexpr size_t kIntegerPadding = 64;

/// Rows back to back: row i at rows + i * row_bytes. Any alignment. Filter kernels (simd/filter.h)
/// also take rows that lie scattered: row i at rows + numbers[i] * row_bytes, numbers ascending.
struct RowBlock {
  const std::byte* rows = nullptr;
  size_t count = 0;
  size_t dims = 0;   // Elements of a row; for packed bits, bytes.
  Ahead ahead = {};  // What kernels ask for while they read.
  const uint64_t* numbers = nullptr;
  size_t upcoming = 0;  // Numbers behind `count`: rows that come next, to be asked for.
  ScatteredAhead scattered = {};
  bool in_quarters = false;  // Rows back to back are best read at four places at once.
};

// Always inlined, as prefetch_ahead().

/// Where row i lies.
template <typename T>
__attribute__((always_inline)) inline const T* row_of(const RowBlock& block, size_t i) {
  const size_t number = block.numbers == nullptr ? i : block.numbers[i];
  return reinterpret_cast<const T*>(block.rows) + number * block.dims;
}

/// Where the last row ends: nothing behind it is read.
template <typename T>
__attribute__((always_inline)) inline const T* end_of(const RowBlock& block) {
  if (block.count == 0) return reinterpret_cast<const T*>(block.rows);
  return row_of<T>(block, block.count - 1) + block.dims;
}

/// Rows back to back, to be read and asked for as is best on this processor.
__attribute__((always_inline)) inline RowBlock rows_in_sequence(const std::byte* rows, size_t count,
                                                                size_t dims) {
  const PrefetchPolicy& policy = prefetch_policy();
  RowBlock block = {rows, count, dims, policy.sequential};
  block.in_quarters = policy.in_quarters;
  return block;
}

/// Which row is the i-th to be read: where the block is read in quarters those of the quarters by
/// turns, and what is left of it.
__attribute__((always_inline)) inline size_t row_in_turn(const RowBlock& block, size_t i) {
  const size_t quarter_rows = block.count / 4;
  if (!block.in_quarters || i >= 4 * quarter_rows) return i;
  return i % 4 * quarter_rows + i / 4;
}

/// To be called beside the reading of `at` in a row of a block that is read by turns.
__attribute__((always_inline)) inline void prefetch_in_turn(const void* at, const RowBlock& block) {
  if (block.in_quarters) return prefetch_near(at, block.ahead);
  prefetch_ahead(at, block.ahead);
}

/// The row that is to be asked for while scattered row i is read, or the last one known.
template <typename T>
__attribute__((always_inline)) inline const T* asked_row(const RowBlock& block, size_t i) {
  const size_t last = block.count + block.upcoming - 1;
  const size_t next = i + block.scattered.rows;
  return row_of<T>(block, next < last ? next : last);
}

/// To be called before scattered row i is read, by what does not ask for asked_row() line by line:
/// asks for that row, or for those of the next group.
template <typename T>
__attribute__((always_inline)) inline void prefetch_scattered(const RowBlock& block, size_t i) {
  const auto [rows, order] = block.scattered;
  const size_t group = order == ScatteredOrder::kByGroup ? rows : 1;
  const size_t next = i + rows;
  const size_t known = block.count + block.upcoming;
  if (i % group != 0 || next >= known) return;
  const size_t count = known - next < group ? known - next : group;
  prefetch_rows(block.rows, block.dims * sizeof(T), block.numbers + next, count);
}

/// Writes one number per row to `first`, and to `second` where the kernel says so.
using ScanFn = void (*)(const void* query, const RowBlock& block, double* first, double* second);

/// What a kernel reads. Numbers index ScanKernels::by_type.
enum class RowType : uint8_t { kFloat64, kFloat32, kFloat16, kBFloat16, kInt8, kUint8 };
inline constexpr size_t kRowTypeCount = 6;

/// Query: float64, padded with zeros to a multiple of kVirtualLanes.
struct ScanOps {
  ScanFn dot;       // first = Σ row·query
  ScanFn dot_norm;  // first = Σ row·query, second = Σ row²
  ScanFn l2sq;      // first = Σ (row - query)²
};

struct ScanKernels {
  std::array<ScanOps, kRowTypeCount> by_type;
};

/// Of so many bytes a sum of products fits 32 bits: 255 · 255 · kMostInt32Dims < 2^31.
inline constexpr size_t kMostInt32Dims = 32'768;

/// Elements of an IntegerQuery with the zeros behind them; never 0.
__attribute__((always_inline)) constexpr size_t padded_integer_dims(size_t dims) {
  return (dims / kIntegerPadding + 1) * kIntegerPadding;
}

/// Where element j lies if those at even places come first, then those at odd ones.
constexpr size_t integer_query_place(size_t dims, size_t j) {
  return j % 2 * (padded_integer_dims(dims) / 2) + j / 2;
}

/// A query of int8 or uint8.
struct IntegerQuery {
  const int16_t* values = nullptr;   // Padded with zeros to padded_integer_dims().
  const std::byte* bytes = nullptr;  // The same as int8 or uint8, not padded.
  bool is_signed = false;            // What `bytes` are.
  int64_t sum = 0;                   // Σ query
  int64_t norm = 0;                  // Σ query²
  const int16_t* apart = nullptr;    // As `values`, each at its integer_query_place().
  const int8_t* clipped = nullptr;   // As `values`, if signed, but -127 for -128.
  int64_t clipped_count = 0;         // How many that are.
};

/// Rows of int8 or uint8 and an IntegerQuery: computed in integers. Sums of integers are exact,
/// here as in float64, so these are the canonical numbers too.
struct IntegerKernels {
  ScanOps of_int8;
  ScanOps of_uint8;
};
/// Rows of the floating-point RowTypes (the first four). Query as in ScanOps. With p the query, r
/// the row, m = (p + r) / 2, e = 1e-7 and ln as docs/simd.md defines it:
struct DivergenceKernels {
  static constexpr size_t kTypes = 4;
  ScanFn kl[kTypes];  // first = Σ p·ln((p + e) / (r + e))
  ScanFn js[kTypes];  // first = Σ (p·ln((p + e) / (m + e)) + r·ln((r + e) / (m + e)))
};

/// Query: bytes, as many as a row has.
struct BitKernels {
  ScanFn hamming;  // first = bits that differ
  ScanFn jaccard;  // first = bits of row & query, second = bits of row | query
};

/// From the sums of a block to scores, and from scores to candidates. `count` is at most what the
/// arrays hold; any count.
struct SelectKernels {
  /// sums[i] = clip(sums[i] / (sqrt(norms[i]) * query_norm)), 0 where either norm is 0.
  void (*finish_cosine)(double* sums, const double* norms, size_t count, double query_norm);
  /// sums[i] = sqrt(sums[i])
  void (*finish_sqrt)(double* sums, size_t count);
  /// sums[i] = 1 - sums[i] / unions[i], 0 where the union is empty.
  void (*finish_jaccard)(double* sums, const double* unions, size_t count);
  /// Bit i of words: scores[i] > bound (above), scores[i] < bound (below); never for NaN.
  /// Writes (count + 63) / 64 words, zeros above count.
  void (*above)(const double* scores, size_t count, double bound, uint64_t* words);
  void (*below)(const double* scores, size_t count, double bound, uint64_t* words);
};

const ScanKernels& scan_kernels(Target target) noexcept;
const IntegerKernels& integer_kernels(Target target) noexcept;
const DivergenceKernels& divergence_kernels(Target target) noexcept;
const BitKernels& bit_kernels(Target target) noexcept;
const SelectKernels& select_kernels(Target target) noexcept;

/// The twins in plain C++: oracle and fallback.
const ScanKernels& scalar_scan_kernels() noexcept;
const IntegerKernels& scalar_integer_kernels() noexcept;
const DivergenceKernels& scalar_divergence_kernels() noexcept;
const BitKernels& scalar_bit_kernels() noexcept;
const SelectKernels& scalar_select_kernels() noexcept;

}  // namespace npk::simd

#endif  // NPK_SIMD_SCAN_H_
