// Plan: all that is decided for a query before a search touches its rows: which kernels, and how
// the query is laid out for them.
//
// Thread safety: immutable once made.
#ifndef NPK_CORE_SEARCH_PLAN_H_
#define NPK_CORE_SEARCH_PLAN_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "core/search/collect.h"
#include "core/search/metrics.h"
#include "core/search/row_source.h"
#include "npk/search.h"
#include "simd/scan.h"

namespace npk::internal {

/// A query as the kernels want it. Not to be copied: parts of it point to others.
struct PreparedQuery {
  PreparedQuery() = default;
  PreparedQuery(PreparedQuery&&) = default;
  PreparedQuery& operator=(PreparedQuery&&) = default;

  std::vector<double> wide;      // Float64 and padded, for the metrics of numbers.
  std::vector<int16_t> narrow;   // Of int8 or uint8, where the rows are of one of them too: values
                                 // and apart of `integers`, one behind the other.
  std::vector<int8_t> clipped;   // That of `integers`, if narrow is of int8.
  std::vector<std::byte> bytes;  // As they came, where narrow or bits want them; bits padded.
  simd::IntegerQuery integers;   // Of narrow and bytes, if narrow is not empty.
  double norm = 0;               // Euclidean, in canonical order; of bits, as many 0 and 1.
  [[nodiscard]] const void* data() const noexcept {
    if (!narrow.empty()) return &integers;
    return wide.empty() ? static_cast<const void*>(bytes.data()) : wide.data();
  }
};

class Plan {
 public:
  /// Whether a query may hold NaN and infinity.
  enum class Finite : uint8_t { kRequired, kAny };
  /// `query`: (dimensions) or (1, dimensions).
  /// Errors: InvalidArgument for a query of another shape, of an element type that the metric or
  /// the rows do not go with, or one that is not finite; for a metric that does not take the rows;
  /// for an NPK_SIMD_TARGET that this machine does not have.
  static Result<Plan> create(const RowSource& rows, const ArrayView& query, Metric metric,
                             Finite finite = Finite::kRequired);

  /// Canonical scores of rows back to back. Requires: scratch holds `count` numbers too.
  void score(const std::byte* rows, size_t count, double* scores, double* scratch) const;

  /// The same of one row, which is in the cache.
  [[nodiscard]] double score_one(const std::byte* row) const;

  /// As score(), for the rows numbers[i], ascending, of those that begin at `rows`. Behind them are
  /// the numbers of `upcoming` rows that will be asked for next.
  void score_listed(const std::byte* rows, uint64_t row_bytes, const uint64_t* numbers,
                    size_t count, size_t upcoming, double* scores, double* scratch) const;

  [[nodiscard]] KernelFamily family() const noexcept { return family_; }
  [[nodiscard]] Direction direction() const noexcept { return direction_; }
  [[nodiscard]] const PreparedQuery& query() const noexcept { return query_; }
  [[nodiscard]] const simd::SelectKernels& select() const noexcept { return *select_; }

 private:
  Plan() = default;
  void choose_kernels(const RowSource& rows);
  /// From what scan_ wrote to scores.
  void finish(size_t count, double* scores, const double* scratch) const;

  KernelFamily family_ = KernelFamily::kCosine;
  Direction direction_ = Direction::kLarger;
  size_t dims_ = 0;
  PreparedQuery query_;
  simd::ScanFn scan_ = nullptr;
  const simd::SelectKernels* select_ = nullptr;
};

}  // namespace npk::internal

#endif  // NPK_CORE_SEARCH_PLAN_H_
