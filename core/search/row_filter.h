// RowFilter: which rows of a block may be among the best of one query, found out in float32.
//
// For elements that a core does not widen to float64, or multiply there, as fast as the memory or a
// cache delivers them, and for bytes and bits, whose sums it does not turn into scores as fast.
// Only rejects: a row that is rejected is certainly not better than the bound given. What remains
// is to be scored canonically.
//
// Thread safety: immutable.
#ifndef NPK_CORE_SEARCH_ROW_FILTER_H_
#define NPK_CORE_SEARCH_ROW_FILTER_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "core/search/margin.h"
#include "core/search/plan.h"
#include "core/search/row_source.h"
#include "core/search/scan.h"
#include "simd/filter.h"

namespace npk::internal {

class RowFilter {
 public:
  /// Nothing if it would not help: float64 rows where a scan is as quick, integers whose sums
  /// outgrow 32 bits, extreme norms or dimensions. Lifetime: of the plans.
  static std::optional<RowFilter> create(const RowSource& rows, std::span<const Plan> plans);

  /// Bit i of `passing`: row i must be scored for `query`, of which only scores strictly better
  /// than `bound` matter.
  void run(size_t query, double bound, const SelectedBlock& block, uint64_t* passing) const;

 private:
  explicit RowFilter(const Margin& margin) : margin_(margin) {}

  struct Query {
    const PreparedQuery* prepared;
    std::vector<float> values;  // In float32; none if the kernel takes the query as scans do.
  };
  Margin margin_;
  simd::FilterFn kernel_ = nullptr;
  size_t dims_ = 0;
  std::vector<Query> queries_;
};

}  // namespace npk::internal

#endif  // NPK_CORE_SEARCH_ROW_FILTER_H_
