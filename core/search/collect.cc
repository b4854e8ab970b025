#include "core/search/collect.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <limits>

namespace npk::internal {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
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
                             SharedBound* shared, const RowScorer* scorer)
    : wanted_(wanted), select_(&select), shared_(shared), scorer_(scorer) {}

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
  if (!reaches_threshold(score)) return;
  if (std::isnan(score)) {
    if (!is_full_ && nan_rows_.size() < wanted_.k) nan_rows_.push_back(row);
    return;
  }
  if (is_full_ && !is_better(wanted_.direction, score, bound_)) return;
  push({score, score, row});
}

void TopKCollector::add_between(const ScoreRange& range, uint64_t row) {
  if (!reaches_threshold(range.at_best)) return;
  if (is_full_ && !is_better(wanted_.direction, range.at_best, bound_)) return;
  // Both ends the same would mean that the score is known.
  const double at_best = range.at_worst == range.at_best
                             ? std::nextafter(range.at_best, -worst(wanted_.direction))
                             : range.at_best;
  push({range.at_worst, at_best, row});
}

void TopKCollector::push(const Candidate& candidate) {
  const uint64_t k = wanted_.k;
  const uint64_t spare = std::max(k, kSpareCandidates);
  if (candidates_.size() == candidates_.capacity() && candidates_.size() >= k / 2) {
    // No more than there will ever be.
    candidates_.reserve(candidates_.size() + (k + spare - candidates_.size()) + 1);
  }
  candidates_.push_back(candidate);
  if (candidates_.size() < k || candidates_.size() - k < spare) return;
  shrink();
  if (candidates_.size() - k <= spare / 2) return;
  // Too many lie too close together to be told apart unscored.
  score_all();
  if (candidates_.size() >= k) shrink();
}

void TopKCollector::shrink() {
  bound_ = drop_worse_than_kth();
  is_full_ = true;
  nan_rows_.clear();
  shared_->offer(bound_);
}

double TopKCollector::drop_worse_than_kth() {
  // Bare numbers, smaller being better, are selected from much quicker than candidates.
  const double sign = wanted_.direction == Direction::kLarger ? -1 : 1;
  const auto key = [sign](const Candidate& candidate) { return sign * candidate.at_worst; };
  std::vector<double> keys(candidates_.size());
  std::transform(candidates_.begin(), candidates_.end(), keys.begin(), key);
  const auto kth = keys.begin() + static_cast<ptrdiff_t>(wanted_.k - 1);
  std::nth_element(keys.begin(), kth, keys.end());
  const double bound = *kth;
  // Of those that are as good as the k-th at worst, the first rows are among the k.
  const auto places = std::count(keys.begin(), kth + 1, bound);
  std::vector<uint64_t> equal;
  if (std::count(keys.begin(), keys.end(), bound) > places) {
    for (const Candidate& candidate : candidates_) {
      if (key(candidate) == bound) equal.push_back(candidate.row);
    }
    std::nth_element(equal.begin(), equal.begin() + (places - 1), equal.end());
  }
  const uint64_t last_row = equal.empty() ? UINT64_MAX : equal[static_cast<size_t>(places - 1)];
  const auto cannot_be = [&](const Candidate& candidate) {
    if (key(candidate) < bound) return false;
    if (key(candidate) == bound && candidate.row <= last_row) return false;
    return candidate.is_scored() || sign * candidate.at_best > bound;
  };
  candidates_.erase(std::remove_if(candidates_.begin(), candidates_.end(), cannot_be),
                    candidates_.end());
  return sign * bound;
}

void TopKCollector::score_all() {
  const auto unscored =
      std::partition(candidates_.begin(), candidates_.end(),
                     [](const Candidate& candidate) { return candidate.is_scored(); });
  std::sort(unscored, candidates_.end(),
            [](const Candidate& a, const Candidate& b) { return a.row < b.row; });
  std::array<uint64_t, RowScorer::kMostRows> rows;
  std::array<double, RowScorer::kMostRows> scores;
  auto kept = unscored;
  for (auto begin = unscored; begin != candidates_.end();) {
    const auto count =
        static_cast<size_t>(std::min<ptrdiff_t>(RowScorer::kMostRows, candidates_.end() - begin));
    for (size_t i = 0; i < count; ++i) rows[i] = begin[static_cast<ptrdiff_t>(i)].row;
    scorer_->score({rows.data(), count}, scores.data());
    begin += static_cast<ptrdiff_t>(count);
    for (size_t i = 0; i < count; ++i) {
      if (reaches_threshold(scores[i])) *kept++ = {scores[i], scores[i], rows[i]};
    }
  }
  candidates_.erase(kept, candidates_.end());
}

std::vector<Hit> TopKCollector::merge(std::span<TopKCollector> collectors) {
  std::vector<Hit> hits;
  if (collectors.empty()) return hits;
  TopKCollector& all = collectors.front();
  for (TopKCollector& collector : collectors.subspan(1)) {
    all.candidates_.insert(all.candidates_.end(), collector.candidates_.begin(),
                           collector.candidates_.end());
    all.nan_rows_.insert(all.nan_rows_.end(), collector.nan_rows_.begin(),
                         collector.nan_rows_.end());
    collector.candidates_ = {};
  }
  const uint64_t k = all.wanted_.k;
  if (all.candidates_.size() > k) all.drop_worse_than_kth();
  all.score_all();
  if (all.candidates_.size() > k) all.drop_worse_than_kth();
  std::sort(all.candidates_.begin(), all.candidates_.end(),
            [&all](const Candidate& a, const Candidate& b) { return all.precedes(a, b); });
  hits.reserve(all.candidates_.size());
  for (const Candidate& candidate : all.candidates_)
    hits.push_back({candidate.at_worst, candidate.row});
  all.candidates_ = {};
  std::sort(all.nan_rows_.begin(), all.nan_rows_.end());
  for (const uint64_t row : all.nan_rows_) {
    if (hits.size() == k) break;
    hits.push_back({std::numeric_limits<double>::quiet_NaN(), row});
  }
  return hits;
}

}  // namespace npk::internal
