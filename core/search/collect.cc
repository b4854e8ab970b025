#include "core/search/collect.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <limits>

#include "core/search/nth_smallest.h"

namespace npk::internal {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kUnknown = std::numeric_limits<double>::quiet_NaN();
double worst(Direction direction) noexcept {
  return direction == Direction::kLarger ? -kInfinity : kInfinity;
}
/// How many candidates beyond `count` make it worth while to thin them out.
uint64_t spare_of(uint64_t count) noexcept { return std::max(count / 2, kSpareCandidates); }

}  // namespace

SharedBound::SharedBound(Direction direction, uint32_t collectors)
    : direction_(direction), bound_(worst(direction)), shares_(collectors) {
  for (std::atomic<double>& share : shares_) share.store(worst(direction));
}

void SharedBound::improve(std::atomic<double>& known, double score) const noexcept {
  double before = known.load(std::memory_order_relaxed);
  while (is_better(direction_, score, before) &&
         !known.compare_exchange_weak(before, score, std::memory_order_relaxed)) {
  }
}

void SharedBound::offer(double score) noexcept { improve(bound_, score); }

void SharedBound::offer_share(uint32_t collector, double score) noexcept {
  improve(shares_[collector], score);
  for (const std::atomic<double>& share : shares_) {
    const double known = share.load(std::memory_order_relaxed);
    if (is_better(direction_, score, known)) score = known;
  }
  offer(score);
}

TopKCollector::TopKCollector(const Wanted& wanted, const simd::SelectKernels& select,
                             SharedBound* shared, uint32_t index, const RowScorer* scorer)
    : wanted_(wanted),
      select_(&select),
      shared_(shared),
      index_(index),
      scorer_(scorer),
      strict_bound_(worst(wanted.direction)),
      strict_for_(kUnknown) {
  // Sums of it must not overflow, and nobody has more rows.
  wanted_.k = std::min(wanted_.k, UINT64_MAX / 4);
  const uint64_t share = shared->share_of(wanted_.k);
  shrink_at_ = share + spare_of(share);
}

bool TopKCollector::admits_all() const noexcept {
  return !is_full_ && !wanted_.threshold && shared_->get() == worst(wanted_.direction);
}

void TopKCollector::learn_bound(double shared) noexcept {
  // Rows of this thread ascend, so one that only equals its own bound comes too late. One that
  // equals the bound of another thread may still come before that thread's rows.
  double bound = wanted_.threshold.value_or(worst(wanted_.direction));
  if (is_better(wanted_.direction, shared, bound)) bound = shared;
  const bool is_own = is_full_ && !is_better(wanted_.direction, bound, bound_);
  strict_bound_ = is_own ? bound_ : std::nextafter(bound, worst(wanted_.direction));
  strict_for_ = shared;
}

void TopKCollector::take(RowNumbers rows, std::span<const double> scores,
                         std::span<const uint64_t> words) {
  if (wanted_.k == 0) return;
  std::array<uint64_t, 4> passing;
  for (size_t begin = 0; begin < scores.size(); begin += 64 * passing.size()) {
    const size_t count = std::min(scores.size() - begin, 64 * passing.size());
    const double bound = strict_bound();
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
  const uint64_t most = k + spare_of(k);
  if (candidates_.size() == candidates_.capacity() && candidates_.size() >= k / 2) {
    candidates_.reserve(most);  // No more than there will ever be.
  }
  candidates_.push_back(candidate);
  if (candidates_.size() < shrink_at_) return;
  shrink();
  if (candidates_.size() > k + spare_of(k) / 2) {
    // Too many lie too close together to be told apart unscored.
    score_all();
    shrink();
  }
  shrink_at_ = std::min(most, candidates_.size() + spare_of(shared_->share_of(k)));
}

void TopKCollector::shrink() {
  const uint64_t k = wanted_.k;
  const uint64_t share = shared_->share_of(k);
  if (share < k && candidates_.size() >= share) {
    std::vector<double> of_all = keys();
    shared_->offer_share(index_, sign() * nth_smallest(of_all, share - 1));
  }
  if (candidates_.size() >= k) {
    bound_ = drop_worse_than_kth();
    is_full_ = true;
    shared_->offer(bound_);
    strict_for_ = kUnknown;
  }
  if (admits_all()) return;
  nan_rows_.clear();
  const double shared = shared_->get();
  if (is_full_ && !is_better(wanted_.direction, shared, bound_)) return;
  keep([limit = sign() * shared, s = sign()](const Candidate& candidate) {
    return s * candidate.at_best <= limit;
  });
}

std::vector<double> TopKCollector::keys() const {
  std::vector<double> all(candidates_.size());
  std::transform(candidates_.begin(), candidates_.end(), all.begin(),
                 [s = sign()](const Candidate& candidate) { return s * candidate.at_worst; });
  return all;
}

template <typename Predicate>
void TopKCollector::keep(Predicate is_kept) {
  // No branch depends on the candidates: a processor would guess wrong half of the time.
  size_t count = 0;
  for (const Candidate& candidate : candidates_) {
    const Candidate copy = candidate;
    candidates_[count] = copy;
    count += size_t{is_kept(copy)};
  }
  candidates_.erase(candidates_.begin() + static_cast<ptrdiff_t>(count), candidates_.end());
}

double TopKCollector::drop_worse_than_kth() {
  std::vector<double> ordered = keys();
  const double bound = nth_smallest(ordered, wanted_.k - 1);
  const auto is_below = [bound](double key) { return key < bound; };
  const auto below = std::count_if(ordered.begin(), ordered.end(), is_below);
  const auto equals = std::count(ordered.begin(), ordered.end(), bound);
  // Of those that are as good as the k-th at worst, the first rows are among the k.
  const auto places = static_cast<ptrdiff_t>(wanted_.k) - below;
  uint64_t last_row = UINT64_MAX;
  if (equals > places) {
    std::vector<uint64_t> rows;
    for (const Candidate& candidate : candidates_) {
      if (sign() * candidate.at_worst == bound) rows.push_back(candidate.row);
    }
    std::nth_element(rows.begin(), rows.begin() + (places - 1), rows.end());
    last_row = rows[static_cast<size_t>(places - 1)];
  }
  keep([=, s = sign()](const Candidate& candidate) -> bool {
    const double key = s * candidate.at_worst;
    const bool is_among_k = (key < bound) | ((key == bound) & (candidate.row <= last_row));
    const bool may_be = !candidate.is_scored() & (s * candidate.at_best <= bound);
    return is_among_k | may_be;
  });
  return sign() * bound;
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
