#include <cmath>

#include "core/search/collect.h"
#include "core/search/plan.h"
#include "core/search/search_rows.h"
#include "npk/internal/text.h"
#include "npk/search.h"
#include "simd/target.h"

namespace npk {

using internal::concat;
using internal::Extent;

std::string_view simd_target() noexcept { return simd::target_name(simd::target()); }

std::string simd_capabilities() {
  std::string text = concat(simd_target(), "; available: ");
  const auto available = simd::available_targets();
  for (const simd::Target target : available) {
    text += concat(target == available.front() ? "" : ", ", simd::target_name(target));
  }
  return text;
}

Result<double> VectorEngine::compute_metric(const ArrayView& a, const ArrayView& b,
                                            Metric metric) const {
  NPK_RETURN_IF_ERROR(a.check());
  if (a.dimensions() != 1 || a.shape() != b.shape()) {
    return Status::invalid_argument(concat("a metric is of two vectors of one length, not of ",
                                           "shapes ", shape_to_string(a.shape()), " and ",
                                           shape_to_string(b.shape())));
  }
  NPK_RETURN_IF_ERROR(b.check());
  // The second vector is the row, so that kl is that of the first relative to the second.
  const auto row =
      ArrayView::strided(b.data(), b.dtype(), {1, b.rows()}, {0, b.strides_bytes()[0]});
  NPK_ASSIGN_OR_RETURN(const auto rows, internal::RowSource::create(row, nullptr));
  NPK_ASSIGN_OR_RETURN(const auto plan,
                       internal::Plan::create(rows, a, metric, internal::Plan::Finite::kAny));
  std::vector<std::byte> buffer;
  double score = 0;
  double scratch = 0;
  plan.score(rows.block(0, 1, buffer), 1, &score, &scratch);
  return score;
}

Result<Array> VectorEngine::batch_compute(const ArrayView& base, const ArrayView& queries,
                                          const SearchOptions& options) const {
  return internal::score_rows({base}, queries, options);
}

Result<TopK> VectorEngine::top_k(const ArrayView& base, const ArrayView& query,
                                 const SearchOptions& options) const {
  return internal::search_rows_once({base}, query, options, Extent::kTopK);
}

Result<TopK> VectorEngine::range_search(const ArrayView& base, const ArrayView& query,
                                        const SearchOptions& options) const {
  return internal::search_rows_once({base}, query, options, Extent::kRange);
}

Result<std::vector<TopK>> VectorEngine::multi_query_top_k(const ArrayView& base,
                                                          const ArrayView& queries,
                                                          const SearchOptions& options) const {
  return internal::search_rows({base}, queries, options, Extent::kTopK);
}

Result<TopK> VectorEngine::segmented_top_k_search(const ArrayView& segment, const ArrayView& query,
                                                  uint64_t first_row, const TopK& current,
                                                  const SearchOptions& options) const {
  if (current.rows.size() != current.scores.size()) {
    return Status::invalid_argument(concat("the current answer has ", current.rows.size(),
                                           " rows and ", current.scores.size(), " scores"));
  }
  NPK_ASSIGN_OR_RETURN(const TopK found, top_k(segment, query, options));
  const internal::Direction direction = internal::direction_of(options.metric);
  const auto precedes = [&](double a, uint64_t row_a, double b, uint64_t row_b) {
    if (std::isnan(a) || std::isnan(b))
      return std::isnan(a) == std::isnan(b) ? row_a < row_b : !std::isnan(a);
    return internal::is_better(direction, a, b) || (a == b && row_a < row_b);
  };
  TopK merged;
  size_t i = 0;
  size_t j = 0;
  while (merged.rows.size() < options.k && (i < current.rows.size() || j < found.rows.size())) {
    const bool takes_current =
        j == found.rows.size() ||
        (i < current.rows.size() &&
         precedes(current.scores[i], current.rows[i], found.scores[j], found.rows[j] + first_row));
    merged.rows.push_back(takes_current ? current.rows[i] : found.rows[j] + first_row);
    merged.scores.push_back(takes_current ? current.scores[i] : found.scores[j]);
    takes_current ? ++i : ++j;
  }
  return merged;
}

}  // namespace npk
