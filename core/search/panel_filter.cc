#include "core/search/panel_filter.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace npk::internal {
namespace {

// Below this many queries the canonical scan, which is bound by memory, is as quick.
constexpr size_t kFewestQueries = 4;
// The margins are written for (dims + 16) * kUnit <= 0.01.
constexpr size_t kMostDims = 100'000;
constexpr double kUnit = 0x1p-24;
// Norms in between neither overflow float32 in any product or sum, nor vanish.
constexpr double kLeastNorm = 1e-15;
constexpr double kMostNorm = 1e18;
constexpr float kInfinity = std::numeric_limits<float>::infinity();

/// Rounded to nearest; beyond the largest float it is infinity.
float to_float(double value) {
  constexpr double kMost = std::numeric_limits<float>::max();
  return value > kMost ? kInfinity : value < -kMost ? -kInfinity : static_cast<float>(value);
}

bool is_in_range(double norm) { return norm >= kLeastNorm && norm <= kMostNorm; }

}  // namespace

std::optional<PanelFilter> PanelFilter::create(const RowSource& rows, std::span<const Plan> plans) {
  if (plans.size() < kFewestQueries || rows.dims() == 0 || rows.dims() > kMostDims) return {};
  const KernelFamily family = plans.front().family();
  const bool is_product = family == KernelFamily::kCosine || family == KernelFamily::kDot ||
                          family == KernelFamily::kL2 || family == KernelFamily::kL2Sq;
  if (!is_product) return {};
  const auto has_norm = [](const Plan& plan) { return is_in_range(plan.query().norm); };
  if (!std::all_of(plans.begin(), plans.end(), has_norm)) return {};
  PanelFilter filter;
  filter.family_ = family;
  filter.row_type_ = rows.row_type();
  filter.kernels_ = &simd::panel_kernels(simd::target());
  filter.dims_ = rows.dims();
  filter.rounding_ = 1.1 * static_cast<double>(rows.dims() + 16) * kUnit;
  filter.tiny_ = static_cast<double>(rows.dims() + 16) * 0x1p-120;
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

PanelFilter::Line PanelFilter::line(size_t query, double bound) const {
  const double norm = norms_[query];
  const double margin = -rounding_ * norm;  // For each unit of a row's length.
  switch (family_) {
    case KernelFamily::kCosine:
      // dot < bound * norm * length. The length is known to `rounding_` only.
      return {to_float(norm * bound - 2.5 * rounding_ * norm * std::max(1.0, std::abs(bound))),
              to_float(-tiny_)};
    case KernelFamily::kDot:
      return {to_float(1.1 * margin), to_float(bound - 4 * kUnit * std::abs(bound) - tiny_)};
    default: {
      // |row - query|^2 > bound, that is dot < (|row|^2 + |query|^2 - bound) / 2.
      double squared = bound;
      if (family_ == KernelFamily::kL2) squared = bound < 0 ? -1 : bound * bound * (1 + 0x1p-50);
      const double half = (norm * norm - squared) / 2;
      const double slack = 4 * kUnit * (norm * norm + std::abs(squared)) + tiny_;
      return {to_float(1.1 * margin), to_float(half - slack)};
    }
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
  const bool is_l2 =
      filter_->family_ == KernelFamily::kL2 || filter_->family_ == KernelFamily::kL2Sq;
  const auto half = static_cast<float>(0.5 * (1 - 1.1 * filter_->rounding_));
  for (size_t r = 0; r < count; ++r) {
    const float length = std::sqrt(squares[r]);
    if (is_in_range(static_cast<double>(length))) {
      lengths_[r] = length;
      offsets_[r] = is_l2 ? squares[r] * half : 0.0f;
    } else {
      // Also for NaN: everything passes.
      lengths_[r] = 0.0f;
      offsets_[r] = -kInfinity;
    }
  }
}

void PanelFilter::State::set_bound(size_t query, double bound) {
  if (std::isinf(bound)) {
    const bool is_larger =
        filter_->family_ == KernelFamily::kCosine || filter_->family_ == KernelFamily::kDot;
    const bool passes_all = is_larger == (bound < 0);
    slopes_[query] = 0;
    bounds_[query] = passes_all ? -kInfinity : kInfinity;
    return;
  }
  const Line line = filter_->line(query, bound);
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
