// Collectors: what becomes of the scores of a scan. One per thread, merged at the end.
//
// A collector is handed blocks of scores in ascending order of rows. Its order is the contract's:
// better score, then lower row; rows whose score is NaN come last, by row.
//
// Thread safety: a collector belongs to one thread; SharedBound is shared by those of one scan.
#ifndef NPK_CORE_SEARCH_COLLECT_H_
#define NPK_CORE_SEARCH_COLLECT_H_

#include <atomic>
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

/// Which score is the better one.
enum class Direction : uint8_t { kLarger, kSmaller };

inline bool is_better(Direction direction, double a, double b) noexcept {
  return direction == Direction::kLarger ? a > b : a < b;
}

/// A score that k rows are known to reach: nothing worse can be among the k best.
class SharedBound {
 public:
  explicit SharedBound(Direction direction) noexcept;
  [[nodiscard]] double get() const noexcept { return bound_.load(std::memory_order_relaxed); }
  /// Keeps the better of the two.
  void offer(double score) noexcept;

 private:
  Direction direction_;
  std::atomic<double> bound_;
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
};

/// The k best rows of what it was handed. Memory: O(min(k, rows)).
class TopKCollector {
 public:
  /// `shared` must outlive it.
  TopKCollector(const Wanted& wanted, const simd::SelectKernels& select, SharedBound* shared);

  /// Of these rows, those whose bit is set in `words` count (bit i % 64 of word i / 64; bits beyond
  /// the scores are ignored). Requires: rows ascend from call to call.
  void take(RowNumbers rows, std::span<const double> scores, std::span<const uint64_t> words);
  void add(double score, uint64_t row);

  /// A score must be better than this to be kept, unless admits_all(). NaN is never better.
  [[nodiscard]] double strict_bound() const noexcept;
  /// Nothing is known yet: every score, NaN too, must be handed in.
  [[nodiscard]] bool admits_all() const noexcept { return !is_full_ && !wanted_.threshold; }

  /// Moves the k best of all collectors into one list, in order.
  static std::vector<Hit> merge(std::span<TopKCollector> collectors);

 private:
  /// Keeps the k best of hits_ and learns the bound from them.
  void shrink();
  [[nodiscard]] bool precedes(const Hit& a, const Hit& b) const noexcept {
    return is_better(wanted_.direction, a.score, b.score) || (a.score == b.score && a.row < b.row);
  }

  Wanted wanted_;
  const simd::SelectKernels* select_;
  SharedBound* shared_;
  std::vector<Hit> hits_;
  std::vector<uint64_t> nan_rows_;  // At most k, ascending.
  bool is_full_ = false;            // k rows better than or equal to bound_ are in hits_.
  double bound_ = 0;
};

}  // namespace npk::internal

#endif  // NPK_CORE_SEARCH_COLLECT_H_
