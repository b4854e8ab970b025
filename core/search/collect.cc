#include "core/search/collect.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <limits>

namespace npk::internal {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
/// Hits kept beyond k before they are thinned out: few, so that the bound is soon known well; at
/// least k, so that thinning costs O(1) for each.
constexpr uint64_t kSpareHits = 16;

double worst(Direction direction) noexcept {
  return direction == Direction::kLarger ? -kInfinity : kInfinity;
}

}  // namespace

SharedBound::SharedBound(Direction direction) noexcept
    : direction_(direction), bound_(worst(direction)) {}

void SharedBound::offer(double score) noexcept {
  double known = get();
  while (is_better(direction_, score, known) &&
         !bound_.compare_exchange_weak(known, score, std::memory_order_relaxed)) {
  }
}

TopKCollector::TopKCollector(const Wanted& wanted, const simd::SelectKernels& select,
                             SharedBound* shared)
    : wanted_(wanted), select_(&select), shared_(shared) {}

double TopKCollector::strict_bound() const noexcept {
  // Rows of this thread ascend, so one that only equals its own bound comes too late. One that
  // equals the bound of another thread may still come before that thread's rows.
  double bound = wanted_.threshold.value_or(worst(wanted_.direction));
  const double shared = shared_->get();
  if (is_better(wanted_.direction, shared, bound)) bound = shared;
  if (is_full_ && !is_better(wanted_.direction, bound, bound_)) return bound_;
  return std::nextafter(bound, worst(wanted_.direction));
}

void TopKCollector::take(RowNumbers rows, std::span<const double> scores,
                         std::span<const uint64_t> words) {
  if (wanted_.k == 0) return;
  std::array<uint64_t, 4> passing;
  for (size_t begin = 0; begin < scores.size(); begin += 64 * passing.size()) {
    const size_t count = std::min(scores.size() - begin, 64 * passing.size());
    const double bound = admits_all() ? worst(wanted_.direction) : strict_bound();
    if (bound != worst(wanted_.direction)) {
      const bool is_larger = wanted_.direction == Direction::kLarger;
      (is_larger ? select_->above : select_->below)(scores.data() + begin, count, bound,
                                                    passing.data());
    } else {
      passing.fill(~uint64_t{0});
    }
    for (size_t w = 0; w * 64 < count; ++w) {
      uint64_t bits = passing[w] & words[begin / 64 + w];
      if (count - w * 64 < 64) bits &= (uint64_t{1} << (count - w * 64)) - 1;
      for (; bits != 0; bits &= bits - 1) {
        const size_t i = begin + w * 64 + static_cast<size_t>(std::countr_zero(bits));
        add(scores[i], rows[i]);
      }
    }
  }
}

void TopKCollector::add(double score, uint64_t row) {
  if (wanted_.threshold.has_value()) {
    const double threshold = *wanted_.threshold;
    if (!(score == threshold || is_better(wanted_.direction, score, threshold))) return;
  }
  if (std::isnan(score)) {
    if (!is_full_ && nan_rows_.size() < wanted_.k) nan_rows_.push_back(row);
    return;
  }
  if (is_full_ && !is_better(wanted_.direction, score, bound_)) return;
  hits_.push_back({score, row});
  const uint64_t k = wanted_.k;
  if (hits_.size() >= k && hits_.size() - k >= std::max(k, kSpareHits)) shrink();
}

void TopKCollector::shrink() {
  const auto kth = hits_.begin() + static_cast<ptrdiff_t>(wanted_.k - 1);
  std::nth_element(hits_.begin(), kth, hits_.end(),
                   [this](const Hit& a, const Hit& b) { return precedes(a, b); });
  bound_ = kth->score;
  hits_.resize(wanted_.k);
  is_full_ = true;
  nan_rows_.clear();
  shared_->offer(bound_);
}

std::vector<Hit> TopKCollector::merge(std::span<TopKCollector> collectors) {
  std::vector<Hit> hits;
  std::vector<uint64_t> nan_rows;
  if (collectors.empty()) return hits;
  for (TopKCollector& collector : collectors) {
    hits.insert(hits.end(), collector.hits_.begin(), collector.hits_.end());
    nan_rows.insert(nan_rows.end(), collector.nan_rows_.begin(), collector.nan_rows_.end());
    collector.hits_ = {};
  }
  const TopKCollector& any = collectors.front();
  const uint64_t kept = std::min<uint64_t>(any.wanted_.k, hits.size());
  std::partial_sort(hits.begin(), hits.begin() + static_cast<ptrdiff_t>(kept), hits.end(),
                    [&any](const Hit& a, const Hit& b) { return any.precedes(a, b); });
  hits.resize(kept);
  std::sort(nan_rows.begin(), nan_rows.end());
  for (const uint64_t row : nan_rows) {
    if (hits.size() == any.wanted_.k) break;
    hits.push_back({std::numeric_limits<double>::quiet_NaN(), row});
  }
  return hits;
}

}  // namespace npk::internal
