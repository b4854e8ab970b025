#include "core/search/row_filter.h"

#include "simd/flush_subnormals.h"

namespace npk::internal {

std::optional<RowFilter> RowFilter::create(const RowSource& rows, std::span<const Plan> plans) {
  const auto kernel =
      simd::filter_kernels(simd::target()).by_type[static_cast<size_t>(rows.row_type())];
  const std::optional<Margin> margin = Margin::create(rows.dims(), plans);
  if (kernel == nullptr || !margin || !plans.front().query().narrow.empty()) return {};
  RowFilter filter(*margin);
  filter.kernel_ = kernel;
  filter.dims_ = rows.dims();
  for (const Plan& plan : plans) {
    const std::vector<double>& wide = plan.query().wide;
    Query& query = filter.queries_.emplace_back();
    query.norm = plan.query().norm;
    query.values.reserve(wide.size());
    for (const double value : wide) query.values.push_back(static_cast<float>(value));
  }
  return filter;
}

void RowFilter::run(size_t query, double bound, const SelectedBlock& block,
                    uint64_t* passing) const {
  constexpr auto kLeast = static_cast<float>(Margin::kLeastLength * Margin::kLeastLength);
  constexpr auto kMost = static_cast<float>(Margin::kMostLength * Margin::kMostLength);
  const Query& prepared = queries_[query];
  const Margin::Line line = margin_.line(prepared.norm, bound);
  const simd::FlushSubnormals flush;
  kernel_(prepared.values.data(), block.kernel_rows(dims_),
          {line.slope, line.bound, margin_.half(), kLeast, kMost}, passing);
}

}  // namespace npk::internal
