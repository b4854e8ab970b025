#include "core/search/panel_filter.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace npk::internal {
namespace {

// Below this many queries the canonical scan, which is bound by memory, is as quick.
constexpr size_t kFewestQueries = 4;
constexpr float kInfinity = std::numeric_limits<float>::infinity();

}  // namespace

std::optional<PanelFilter> PanelFilter::create(const RowSource& rows, std::span<const Plan> plans) {
  if (plans.size() < kFewestQueries) return {};
  const std::optional<Margin> margin = Margin::create(rows.dims(), plans);
  if (!margin) return {};
  PanelFilter filter(*margin);
  filter.row_type_ = rows.row_type();
  filter.kernels_ = &simd::panel_kernels(simd::target());
  filter.dims_ = rows.dims();
  filter.pack(plans);
  return filter;
}

void PanelFilter::pack(std::span<const Plan> plans) {
  const size_t lanes = kernels_->vector_queries;
  for (const Plan& plan : plans) norms_.push_back(plan.query().norm);
  for (size_t first = 0; first < plans.size();) {
    const size_t left = plans.size() - first;
    const size_t vectors = std::min(simd::kMaxPanelVectors, (left + lanes - 1) / lanes);
    Panel panel = {first, std::min(left, vectors * lanes), vectors, {}};
    const size_t width = vectors * lanes;
    panel.packed.assign(dims_ * width, 0.0f);
    for (size_t q = 0; q < panel.count; ++q) {
      const std::vector<double>& query = plans[first + q].query().wide;
      for (size_t j = 0; j < dims_; ++j) {
        panel.packed[j * width + q] = static_cast<float>(query[j]);
      }
    }
    first += panel.count;
    panels_.push_back(std::move(panel));
  }
}

PanelFilter::State::State(const PanelFilter& filter)
    : filter_(&filter),
      slopes_(filter.norms_.size() + simd::kMaxPanelQueries, 0.0f),
      bounds_(filter.norms_.size() + simd::kMaxPanelQueries, kInfinity) {}

void PanelFilter::State::set_rows(const std::byte* rows, size_t count) {
  const size_t dims = filter_->dims_;
  const auto* direct = reinterpret_cast<const float*>(rows);
  const bool is_aligned = reinterpret_cast<uintptr_t>(rows) % alignof(float) == 0;
  if (filter_->row_type_ != simd::RowType::kFloat32 || !is_aligned) {
    converted_.resize(kRows * dims);
    const auto convert = filter_->kernels_->to_float32[static_cast<size_t>(filter_->row_type_)];
    convert(rows, count * dims, converted_.data());
    direct = converted_.data();
  }
  rows_ = {direct, count, dims, lengths_.data(), offsets_.data(), direct + count * dims};
  std::array<float, kRows> squares;
  filter_->kernels_->square_norms(direct, count, dims, squares.data());
  for (size_t r = 0; r < count; ++r) {
    const float length = std::sqrt(squares[r]);
    if (Margin::is_in_range(static_cast<double>(length))) {
      lengths_[r] = length;
      offsets_[r] = squares[r] * filter_->margin_.half();
    } else {
      // Also for NaN: everything passes.
      lengths_[r] = 0.0f;
      offsets_[r] = -kInfinity;
    }
  }
}

void PanelFilter::State::set_bound(size_t query, double bound) {
  const Margin::Line line = filter_->margin_.line(filter_->norms_[query], bound);
  slopes_[query] = line.slope;
  bounds_[query] = line.bound;
}

void PanelFilter::State::run(const Panel& panel, uint64_t* passing) const {
  const simd::PanelQueries queries = {panel.packed.data(), slopes_.data() + panel.first,
                                      bounds_.data() + panel.first};
  filter_->kernels_->panel[panel.vectors - 1](rows_, queries, passing);
  const uint64_t used = (uint64_t{1} << panel.count) - 1;
  for (size_t r = 0; r < rows_.count; ++r) passing[r] &= used;
}

}  // namespace npk::internal
