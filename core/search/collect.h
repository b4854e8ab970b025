// Collectors: what becomes of the scores of a scan. One per thread, merged at the end.
//
// A collector is handed blocks of scores in ascending order of rows. Its order is the contract's:
// better score, then lower row; rows whose score is NaN come last, by row.
//
// A row may also be handed in with a range that its score certainly lies in. Such a row is scored
// only if it may still be among the k best when all rows have been seen: of the thousands that
// were among the best so far, few remain so.
//
// Thread safety: a collector belongs to one thread; SharedBound is shared by those of one scan.
#ifndef NPK_CORE_SEARCH_COLLECT_H_
#define NPK_CORE_SEARCH_COLLECT_H_

#include <atomic>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "npk/search.h"
#include "simd/scan.h"

namespace npk::internal {

struct Hit {
  double score;
  uint64_t row;  // Physical.
};

/// What a score certainly is not worse than, and not better than.
struct ScoreRange {
  double at_worst;
  double at_best;
};

/// Which score is the better one.
enum class Direction : uint8_t { kLarger, kSmaller };

inline bool is_better(Direction direction, double a, double b) noexcept {
  return direction == Direction::kLarger ? a > b : a < b;
}

/// A score that k rows are known to reach: nothing worse can be among the k best.
///
/// Where each of T collectors knows a score that k / T of its rows reach, k rows reach the worst of
/// these. That is near the k-th best score of all, and further than any of them comes alone.
class SharedBound {
 public:
  explicit SharedBound(Direction direction, uint32_t collectors = 1);
  [[nodiscard]] double get() const noexcept { return bound_.load(std::memory_order_relaxed); }
  /// k rows reach this score.
  void offer(double score) noexcept;
  /// share_of(k) rows of this collector reach this score. Requires: collector < collectors.
  void offer_share(uint32_t collector, double score) noexcept;
  [[nodiscard]] uint64_t share_of(uint64_t k) const noexcept {
    return k / shares_.size() + (k % shares_.size() != 0 ? 1 : 0);
  }

 private:
  void improve(std::atomic<double>& known, double score) const noexcept;

  Direction direction_;
  std::atomic<double> bound_;
  std::vector<std::atomic<double>> shares_;  // By collector.
};

/// Rows of a block of scores: numbers[i], or first + i if there is no list. Ascending.
struct RowNumbers {
  uint64_t first = 0;
  const uint64_t* numbers = nullptr;
  [[nodiscard]] uint64_t operator[](size_t i) const noexcept {
    return numbers == nullptr ? first + i : numbers[i];
  }
};

/// What a collector is to keep.
struct Wanted {
  Direction direction = Direction::kLarger;
  uint64_t k = 0;                   // UINT64_MAX: all that reach the threshold.
  std::optional<double> threshold;  // Inclusive. NaN scores never reach one.
  /// What reaches this probably is among the k, what does not probably is not. Only time depends on
  /// it. Nothing: no idea. Requires: a threshold.
  std::optional<double> likely = {};
};

/// Candidates kept beyond k before they are thinned out: few, so that the bound is soon known well;
/// at least half of k, so that thinning costs O(1) for each.
inline constexpr uint64_t kSpareCandidates = 16;
/// For each of the k: one and a half candidates of 24 bytes, and a third as much while they move.
inline constexpr uint64_t kCandidateBytes = 48;

/// Canonical scores of single rows.
class RowScorer {
 public:
  RowScorer() = default;
  RowScorer(const RowScorer&) = delete;
  RowScorer& operator=(const RowScorer&) = delete;
  virtual ~RowScorer() = default;
  /// scores[i] is that of rows[i]. Requires: rows ascend; at most kMostRows.
  virtual void score(std::span<const uint64_t> rows, double* scores) const = 0;
  static constexpr size_t kMostRows = 256;
};

/// The k best rows of what it was handed. Memory: at most
/// kCandidateBytes * (min(k, rows) + kSpareCandidates).
class TopKCollector {
 public:
  /// `index`: which of the collectors of `shared` it is. `shared` must outlive it, and `scorer`,
  /// which may be null if add_between() is never called.
  TopKCollector(const Wanted& wanted, const simd::SelectKernels& select, SharedBound* shared,
                uint32_t index = 0, const RowScorer* scorer = nullptr);

  /// Of these rows, those whose bit is set in `words` count (bit i % 64 of word i / 64; bits beyond
  /// the scores are ignored). Requires: rows ascend from call to call.
  void take(RowNumbers rows, std::span<const double> scores, std::span<const uint64_t> words);
  void add(double score, uint64_t row);
  /// A row whose score is a number in this range.
  void add_between(const ScoreRange& range, uint64_t row);

  /// A score must be better than this to be kept, unless admits_all(): then it is the worst of all.
  /// NaN is never better.
  /// Cheap as long as nothing new is known.
  [[nodiscard]] double strict_bound() noexcept {
    const double shared = shared_->get();
    if (shared != strict_for_) learn_bound(shared);
    return strict_bound_;
  }
  /// Whether a row with a score in this range probably is among the k best, or cannot be told from
  /// those that are. Nothing: no idea.
  [[nodiscard]] std::optional<bool> is_likely(const ScoreRange& range) const noexcept {
    if (!wanted_.likely) return {};
    const double unlikely = std::abs(*wanted_.likely - *wanted_.threshold);
    return 2 * std::abs(range.at_best - range.at_worst) > unlikely ||
           !is_better(wanted_.direction, *wanted_.likely, (range.at_worst + range.at_best) / 2);
  }
  /// Nothing is known yet: every score, NaN too, must be handed in.
  [[nodiscard]] bool admits_all() const noexcept;

  /// Moves the k best of all collectors into one list, in order.
  static std::vector<Hit> merge(std::span<TopKCollector> collectors);

 private:
  /// A row that may be among the k best. Its score is known if both ends of the range are it.
  struct Candidate {
    double at_worst;
    double at_best;
    uint64_t row;
    [[nodiscard]] bool is_scored() const noexcept { return at_worst == at_best; }
  };

  [[nodiscard]] bool precedes(const Candidate& a, const Candidate& b) const noexcept {
    return is_better(wanted_.direction, a.at_worst, b.at_worst) ||
           (a.at_worst == b.at_worst && a.row < b.row);
  }
  [[nodiscard]] bool reaches_threshold(double score) const noexcept {
    return !wanted_.threshold || score == *wanted_.threshold ||
           is_better(wanted_.direction, score, *wanted_.threshold);
  }
  /// Sets strict_bound_.
  void learn_bound(double shared) noexcept;
  void push(const Candidate& candidate);
  /// Learns bounds from the candidates and drops those that cannot be among the k best.
  void shrink();
  /// Scores times this are better when smaller.
  [[nodiscard]] double sign() const noexcept {
    return wanted_.direction == Direction::kLarger ? -1 : 1;
  }
  /// What the candidates are at worst, better when smaller.
  [[nodiscard]] std::vector<double> keys() const;
  /// What the k-th best is at worst. Those that certainly come after k others are dropped.
  /// Requires: k candidates.
  double drop_worse_than_kth();
  template <typename Predicate>
  void keep(Predicate is_kept);
  /// Scores all candidates.
  void score_all();

  Wanted wanted_;
  const simd::SelectKernels* select_;
  SharedBound* shared_;
  uint32_t index_;
  const RowScorer* scorer_;
  std::vector<Candidate> candidates_;
  std::vector<uint64_t> nan_rows_;  // At most k, ascending.
  uint64_t shrink_at_;              // So many candidates are thinned out.
  bool is_full_ = false;            // k candidates are certainly not worse than bound_.
  double bound_ = 0;
  double strict_bound_;
  double strict_for_;  // The shared bound that strict_bound_ was made of; NaN: of another bound_.
};

}  // namespace npk::internal

#endif  // NPK_CORE_SEARCH_COLLECT_H_
