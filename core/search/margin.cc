#include "core/search/margin.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace npk::internal {
namespace {

// The margins are written for (dims + 16) * kUnit <= 0.01.
constexpr size_t kMostDims = 100'000;
constexpr double kUnit = 0x1p-24;
constexpr float kInfinity = std::numeric_limits<float>::infinity();

/// Rounded to nearest; beyond the largest float it is infinity.
float to_float(double value) {
  constexpr double kMost = std::numeric_limits<float>::max();
  return value > kMost ? kInfinity : value < -kMost ? -kInfinity : static_cast<float>(value);
}

bool have_norms(std::span<const Plan> plans) {
  return !plans.empty() && std::all_of(plans.begin(), plans.end(), [](const Plan& plan) {
    return Margin::is_in_range(plan.query().norm);
  });
}

/// 0 less the largest integer below `bound`: other integers below it, negated and rounded to
/// float32, are not below this, as rounding leaves the order.
float negated_below(double bound) { return to_float(1 - std::ceil(bound)); }

/// A row of |x| bits of which `both` are the query's too, which has |q|, matters if
/// 1 - both / (|x| + |q| - both) < distance, that is if both / (|x| + |q| - both) is above t.
Margin::Line jaccard_line(double query_norm, double distance) {
  const double t = 1 - distance - 0x1p-51;  // The distance was rounded twice.
  if (t <= 0) return {0, -kInfinity, 0};
  const double share = t / (1 + t) * (1 - 8 * kUnit);
  return {0, to_float(share * query_norm * query_norm), to_float(share)};
}

}  // namespace

std::optional<Margin> Margin::create(size_t dims, std::span<const Plan> plans,
                                     double element_error) {
  if (!have_norms(plans) || dims == 0 || dims > kMostDims) return {};
  const KernelFamily family = plans.front().family();
  const bool is_l2 = family == KernelFamily::kL2 || family == KernelFamily::kL2Sq;
  if (family != KernelFamily::kCosine && family != KernelFamily::kDot && !is_l2) return {};
  Margin margin;
  margin.family_ = family;
  margin.rounding_ = 1.1 * static_cast<double>(dims + 16) * kUnit;
  margin.elements_ = element_error;
  margin.tiny_ = static_cast<double>(dims + 16) * 0x1p-120;
  if (is_l2) margin.half_ = static_cast<float>(0.5 * (1 - 1.1 * margin.rounding_));
  return margin;
}

std::optional<Margin> Margin::of_integers(size_t dims, std::span<const Plan> plans) {
  std::optional<Margin> margin = create(dims, plans);
  if (!margin) return {};
  if (margin->family_ == KernelFamily::kDot) {
    margin->rounding_ = margin->tiny_ = 0;  // Rounding leaves the order of the score and the bound.
    return margin;
  }
  margin->longest_ = 1.008;  // Above 128 / 127.
  for (const Plan& plan : plans) {
    const auto clipped = static_cast<double>(plan.query().integers.clipped_count);
    margin->elements_ = std::max(margin->elements_, std::sqrt(clipped) / plan.query().norm);
  }
  return margin;
}

Margin Margin::of_distances(std::span<const Plan> plans) {
  Margin margin;
  margin.family_ = plans.front().family();
  margin.is_of_distances_ = true;
  return margin;
}

std::optional<Margin> Margin::of_bits(std::span<const Plan> plans) {
  if (!have_norms(plans)) return {};
  Margin margin;
  margin.family_ = plans.front().family();
  return margin;
}

Margin::Line Margin::line(double query_norm, double bound) const {
  if (std::isinf(bound)) {
    const bool is_larger = family_ == KernelFamily::kCosine || family_ == KernelFamily::kDot;
    const bool passes_all = is_larger == (bound < 0);
    return {0, passes_all ? -kInfinity : kInfinity, 0};
  }
  // Both for each unit of a row's length.
  const auto slope = [this](double exact) {
    return to_float(exact < 0 ? longest_ * exact : exact);
  };
  const double margin = -(1.1 * rounding_ + 1.01 * elements_) * query_norm;
  switch (family_) {
    case KernelFamily::kCosine:
      // dot < bound * norm * length. The length is known to `rounding_` only.
      return {slope(query_norm * bound + margin -
                    1.4 * rounding_ * query_norm * std::max(1.0, std::abs(bound))),
              to_float(-tiny_), half_};
    case KernelFamily::kDot:
      return {slope(margin), to_float(bound - 4 * kUnit * std::abs(bound) - tiny_), half_};
    case KernelFamily::kJaccard:
      return jaccard_line(query_norm, bound);
    case KernelFamily::kHamming:
      return {0, negated_below(bound), 0};
    default: {
      double squared = bound;
      if (family_ == KernelFamily::kL2) {
        // A distance of 0 is below any other, also where the square of that vanishes.
        constexpr double kLeast = std::numeric_limits<double>::denorm_min();
        squared = bound < 0 ? -1 : std::max(kLeast, bound * bound * (1 + 0x1p-50));
      }
      if (is_of_distances_) return {0, negated_below(squared), 0};
      // |row - query|^2 > bound, that is dot < (|row|^2 + |query|^2 - bound) / 2.
      const double norm_squared = query_norm * query_norm;
      const double slack = 4 * kUnit * (norm_squared + std::abs(squared)) + tiny_;
      return {slope(margin), to_float((norm_squared - squared) / 2 - slack), half_};
    }
  }
}

ScoreRange Margin::score_range(double query_norm, double dot, double square, double length) const {
  const double norm = query_norm;
  switch (family_) {
    case KernelFamily::kCosine: {
      const double scale = 1 / (norm * length);
      const double error = 2.6 * rounding_ + 1.05 * elements_ + 2 * tiny_ * scale;
      return {dot * scale - error, dot * scale + error};
    }
    case KernelFamily::kDot: {
      const double error = (1.1 * rounding_ + 1.05 * elements_) * norm * length + tiny_;
      return {dot - error, dot + error};
    }
    default: {
      const double squared = square + norm * norm - 2 * dot;
      const double error = 1.1 * rounding_ * (square + 2 * norm * length) +
                           2.1 * elements_ * norm * length + 1e-11 * norm * norm + 3 * tiny_;
      const double least = std::max(0.0, squared - error);
      if (family_ == KernelFamily::kL2Sq) return {squared + error, least};
      return {std::sqrt(squared + error) * (1 + 1e-12), std::sqrt(least) * (1 - 1e-12)};
    }
  }
}

}  // namespace npk::internal
