#include "core/search/panel_filter.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "simd/flush_subnormals.h"

namespace npk::internal {
namespace {

// Below this many queries the canonical scan, which is bound by memory, is as quick.
constexpr size_t kFewestQueries = 4;
// A quad adds up its vectors at the end, which takes as long as so many multiply-adds for each row.
constexpr size_t kQuadEnd = 24;
// Leaves half of a second-level cache of 1 MiB to the rows.
constexpr size_t kCachedBytes = 640u << 10;
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
  filter.row_bytes_ = rows.block_row_bytes();
  filter.pack(plans);
  return filter;
}

void PanelFilter::pack(std::span<const Plan> plans) {
  for (const Plan& plan : plans) norms_.push_back(plan.query().norm);
  for (size_t first = 0; first < plans.size(); first += panels_.back().count) {
    panels_.push_back(pack_next(plans, first));
  }
}

PanelFilter::Panel PanelFilter::pack_next(std::span<const Plan> plans, size_t first) const {
  const size_t lanes = kernels_->vector_queries;
  const size_t left = plans.size() - first;
  // The last few cost less as quads than as one vector most of which is empty.
  const size_t in_quads = (left % lanes + simd::kQuadQueries - 1) / simd::kQuadQueries;
  const bool ends_in_quads =
      in_quads * (dims_ / lanes * simd::kQuadQueries + kQuadEnd + dims_ % lanes) < dims_;
  const size_t vectors = left / lanes + (left % lanes != 0 && !ends_in_quads ? 1 : 0);
  const bool is_quad = vectors == 0;
  // Two panels of two are quicker than one of three and one of one.
  const size_t taken = vectors == simd::kMaxPanelVectors + 1
                           ? vectors / 2
                           : std::min(vectors, simd::kMaxPanelVectors);
  const size_t width = is_quad ? simd::kQuadQueries : taken * lanes;
  Panel panel = {first, std::min(left, width), width,
                 is_quad ? kernels_->quad : kernels_->panel[taken - 1],
                 std::vector<float>(dims_ * width, 0.0f)};
  const size_t query_step = is_quad ? dims_ : 1;
  const size_t element_step = is_quad ? 1 : width;
  for (size_t q = 0; q < panel.count; ++q) {
    const std::vector<double>& query = plans[first + q].query().wide;
    float* to = panel.packed.data() + q * query_step;
    for (size_t j = 0; j < dims_; ++j) to[j * element_step] = static_cast<float>(query[j]);
  }
  return panel;
}

size_t PanelFilter::cached_panels() const noexcept {
  return std::max<size_t>(1, kCachedBytes / (dims_ * simd::kMaxPanelQueries * sizeof(float)));
}

PanelFilter::State::State(const PanelFilter& filter)
    : filter_(&filter),
      slopes_(filter.norms_.size() + simd::kMaxPanelQueries, 0.0f),
      bounds_(filter.norms_.size() + simd::kMaxPanelQueries, kInfinity),
      dots_(kRows * simd::kMaxPanelQueries) {}

void PanelFilter::State::set_rows(const std::byte* rows, size_t count, const std::byte* next) {
  const simd::FlushSubnormals flush;
  const size_t dims = filter_->dims_;
  const auto* direct = reinterpret_cast<const float*>(rows);
  const bool is_aligned = reinterpret_cast<uintptr_t>(rows) % alignof(float) == 0;
  if (filter_->row_type_ != simd::RowType::kFloat32 || !is_aligned) {
    if (converted_.size() < count * dims) converted_.resize(count * dims);
    const auto convert = filter_->kernels_->to_float32[static_cast<size_t>(filter_->row_type_)];
    convert(rows, count * dims, converted_.data());
    direct = converted_.data();
  }
  rows_ = {direct, count, dims, lengths_.data(), offsets_.data(), nullptr, 0};
  next_ = next;
  filter_->kernels_->square_norms(direct, count, dims, squares_.data());
  for (size_t r = 0; r < count; ++r) {
    const float length = std::sqrt(squares_[r]);
    if (Margin::is_in_range(static_cast<double>(length))) {
      lengths_[r] = length;
      offsets_[r] = squares_[r] * filter_->margin_.half();
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

void PanelFilter::State::run(const Panel& panel, size_t part, size_t parts, uint64_t* passing) {
  const simd::PanelQueries queries = {panel.packed.data(), slopes_.data() + panel.first,
                                      bounds_.data() + panel.first};
  const size_t share = rows_.count * filter_->row_bytes_ / parts;
  rows_.next = next_ == nullptr ? nullptr : next_ + part * share;
  rows_.next_bytes = share;
  {
    const simd::FlushSubnormals flush;
    panel.kernel(rows_, queries, dots_.data(), passing);
  }
  const uint64_t used = (uint64_t{1} << panel.count) - 1;
  for (size_t r = 0; r < rows_.count; ++r) passing[r] &= used;
}

std::optional<ScoreRange> PanelFilter::State::score_range(const Panel& panel, size_t r,
                                                          size_t q) const {
  if (std::isinf(offsets_[r])) return {};
  return filter_->margin_.score_range(
      filter_->norms_[panel.first + q], static_cast<double>(dots_[r * panel.width + q]),
      static_cast<double>(squares_[r]), static_cast<double>(lengths_[r]));
}

}  // namespace npk::internal
