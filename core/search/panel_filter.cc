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

/// Of the next panel, if there are so many vectors of queries left: two panels of two are quicker
/// than one of three and one of one.
size_t vectors_of_next(size_t left) noexcept {
  return left == simd::kMaxPanelVectors + 1 ? left / 2 : std::min(left, simd::kMaxPanelVectors);
}

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
  const PreparedQuery& query = plans.front().query();
  if (!query.narrow.empty() && filter.dims_ <= simd::kMostBytePanelDims) {
    filter.byte_kernels_ = simd::byte_panel_kernels(simd::target());
    const bool is_signed_row = filter.row_type_ == simd::RowType::kInt8;
    filter.flip_ = is_signed_row == query.integers.is_signed ? 0x80 : 0;
  }
  filter.pack(plans);
  return filter;
}

void PanelFilter::pack(std::span<const Plan> plans) {
  for (const Plan& plan : plans) norms_.push_back(plan.query().norm);
  for (size_t first = 0; first < plans.size(); first += panels_.back().count) {
    panels_.push_back(byte_kernels_ == nullptr ? pack_next(plans, first)
                                               : pack_next_bytes(plans, first));
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
  const size_t taken = vectors_of_next(vectors);
  const size_t width = is_quad ? simd::kQuadQueries : taken * lanes;
  Panel panel = {first, std::min(left, width), width};
  panel.kernel = is_quad ? kernels_->quad : kernels_->panel[taken - 1];
  panel.packed.resize(dims_ * width);
  const size_t query_step = is_quad ? dims_ : 1;
  const size_t element_step = is_quad ? 1 : width;
  for (size_t q = 0; q < panel.count; ++q) {
    const std::vector<double>& query = plans[first + q].query().wide;
    float* to = panel.packed.data() + q * query_step;
    for (size_t j = 0; j < dims_; ++j) to[j * element_step] = static_cast<float>(query[j]);
  }
  return panel;
}

PanelFilter::Panel PanelFilter::pack_next_bytes(std::span<const Plan> plans, size_t first) const {
  constexpr size_t kLanes = simd::kBytePanelLanes;
  constexpr size_t kStep = 4;  // Elements of one lane.
  const size_t left = plans.size() - first;
  const size_t vectors = vectors_of_next((left + kLanes - 1) / kLanes);
  const size_t width = vectors * kLanes;
  const bool is_signed = plans.front().query().integers.is_signed;
  Panel panel = {first, std::min(left, width), width};
  panel.byte_kernel = (is_signed ? byte_kernels_->of_int8 : byte_kernels_->of_uint8)[vectors - 1];
  panel.packed_bytes.resize((dims_ + kStep - 1) / kStep * kStep * width);
  panel.starts.resize(width);
  for (size_t q = 0; q < panel.count; ++q) {
    const simd::IntegerQuery& query = plans[first + q].query().integers;
    for (size_t j = 0; j < dims_; ++j) {
      panel.packed_bytes[(j / kStep * width + q) * kStep + j % kStep] = query.bytes[j];
    }
    // What flipped rows have more, or less: 128 in each element.
    if (flip_ != 0) panel.starts[q] = static_cast<int32_t>((is_signed ? -128 : 128) * query.sum);
  }
  return panel;
}

size_t PanelFilter::cached_panels() const noexcept {
  const size_t item_bytes = byte_kernels_ == nullptr ? sizeof(float) : 1;
  return std::max<size_t>(1, kCachedBytes / (dims_ * simd::kMaxPanelQueries * item_bytes));
}

PanelFilter::State::State(const PanelFilter& filter)
    : filter_(&filter),
      slopes_(filter.norms_.size() + simd::kMaxPanelQueries, 0.0f),
      bounds_(filter.norms_.size() + simd::kMaxPanelQueries, kInfinity),
      dots_(kRows * simd::kMaxPanelQueries) {}

void PanelFilter::State::prepare_floats(const std::byte* rows, size_t count) {
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
  filter_->kernels_->square_norms(direct, count, dims, squares_.data());
}

void PanelFilter::State::prepare_bytes(const std::byte* rows, size_t count) {
  const size_t dims = filter_->dims_;
  const size_t step_bytes = (dims + 63) / 64 * 64;
  if (converted_bytes_.size() < count * step_bytes) converted_bytes_.resize(count * step_bytes);
  std::byte* prepared = converted_bytes_.data();
  filter_->byte_kernels_->prepare(rows, count, dims, filter_->row_type_ == simd::RowType::kInt8,
                                  filter_->flip_, prepared, step_bytes, squares_.data());
  byte_rows_ = {prepared, count, step_bytes, dims, lengths_.data(), offsets_.data(), nullptr, 0};
}

void PanelFilter::State::set_rows(const std::byte* rows, size_t count, const std::byte* next) {
  const simd::FlushSubnormals flush;
  count_ = count;
  next_ = next;
  if (filter_->byte_kernels_ == nullptr) {
    prepare_floats(rows, count);
  } else {
    prepare_bytes(rows, count);
  }
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
  const float* slopes = slopes_.data() + panel.first;
  const float* bounds = bounds_.data() + panel.first;
  const size_t share = count_ * filter_->row_bytes_ / parts;
  const std::byte* next = next_ == nullptr ? nullptr : next_ + part * share;
  if (panel.byte_kernel != nullptr) {
    byte_rows_.next = next;
    byte_rows_.next_bytes = share;
    panel.byte_kernel(byte_rows_, {panel.packed_bytes.data(), panel.starts.data(), slopes, bounds},
                      dots_.data(), passing);
  } else {
    rows_.next = next;
    rows_.next_bytes = share;
    const simd::FlushSubnormals flush;
    panel.kernel(rows_, {panel.packed.data(), slopes, bounds}, dots_.data(), passing);
  }
  const uint64_t used = (uint64_t{1} << panel.count) - 1;
  for (size_t r = 0; r < count_; ++r) passing[r] &= used;
}

std::optional<ScoreRange> PanelFilter::State::score_range(const Panel& panel, size_t r,
                                                          size_t q) const {
  if (std::isinf(offsets_[r])) return {};
  return filter_->margin_.score_range(
      filter_->norms_[panel.first + q], static_cast<double>(dots_[r * panel.width + q]),
      static_cast<double>(squares_[r]), static_cast<double>(lengths_[r]));
}

}  // namespace npk::internal
