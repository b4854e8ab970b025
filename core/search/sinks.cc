#include "core/search/sinks.h"

#include <algorithm>
#include <bit>
#include <limits>

namespace npk::internal {

void CollectSink::take(const SelectedBlock& block) {
  for (size_t q = 0; q < plans_.size(); ++q) take_for(q, block);
}

void CollectSink::take_for(size_t query, const SelectedBlock& block) {
  const Plan& plan = plans_[query];
  if (block.is_list) {
    plan.score_listed(block.rows, row_bytes_, block.numbers.numbers, block.count, block.upcoming,
                      scores_.data(), scratch_.data());
  } else {
    plan.score(block.rows, block.count, scores_.data(), scratch_.data());
  }
  collectors_[query].take(block.numbers, {scores_.data(), block.count}, block.words);
}

void FilterSink::take(const SelectedBlock& block) {
  for (size_t q = 0; q < plans_.size(); ++q) {
    if (collectors_[q].admits_all()) {
      take_for(q, block);
    } else if (blocks_without_[q] > 0) {
      --blocks_without_[q];
      take_for(q, block);
    } else {
      filter_for(q, block);
    }
  }
}

void FilterSink::filter_for(size_t query, const SelectedBlock& block) {
  // Where the filter rejects too little (ties everywhere, distances far below the lengths) it is
  // left out for a while.
  const size_t most_passing = std::max(kBlockRows, block.count) / 4;
  constexpr uint32_t kBlocksWithout = 15;
  std::array<uint64_t, kMostBlockRows / 64> words;
  const uint64_t* list = block.is_list ? block.numbers.numbers : nullptr;
  filter_.run(query, collectors_[query].strict_bound(), block, words.data());
  std::array<uint64_t, kMostBlockRows / 4> passing;
  size_t count = 0;
  for (size_t w = 0; w * 64 < block.count; ++w) {
    for (uint64_t bits = words[w] & block.words[w]; bits != 0; bits &= bits - 1) {
      if (count == most_passing) {
        blocks_without_[query] = kBlocksWithout;
        return take_for(query, block);
      }
      const auto i = w * 64 + static_cast<uint64_t>(std::countr_zero(bits));
      passing[count++] = list == nullptr ? i : list[i];
    }
  }
  if (count == 0) return;
  plans_[query].score_listed(block.rows, row_bytes_, passing.data(), count, 0, scores_.data(),
                             scratch_.data());
  for (size_t i = 0; i < count; ++i) {
    collectors_[query].add(scores_[i], list == nullptr ? block.numbers[passing[i]] : passing[i]);
  }
}

void PanelSink::take(const SelectedBlock& block) {
  // Where what rounding leaves unclear is much, exact panels cost less than to score it.
  constexpr size_t kMostUnclear = 16;
  constexpr uint32_t kMostBlocksExact = 16;
  const bool is_exact = blocks_exact_ > 0;
  if (is_exact) --blocks_exact_;
  if (is_exact != was_exact_) forget_bounds();  // Other panels, other margins.
  was_exact_ = is_exact;
  unclear_ = 0;
  const Panels all = is_exact ? filter_.exact_panels() : filter_.panels();
  // As many panels as stay in the cache meet all rows of the block before the next ones do.
  const size_t step = PanelFilter::cached_panels(all);
  for (size_t p = 0; p < all.size(); p += step) {
    const Panels panels = all.subspan(p, std::min(step, all.size() - p));
    // Other threads may have found better bounds meanwhile.
    for (const PanelFilter::Panel& panel : panels) {
      for (size_t q = 0; q < panel.count; ++q) refresh_bound(panel, q);
    }
    const size_t rows = filter_.part_rows();
    for (size_t first = 0; first < block.count; first += rows) {
      take_part(block, first, std::min(block.count - first, rows), panels, is_exact);
    }
  }
  if (is_exact) return;
  const bool is_too_much = unclear_ > block.count * plans_.size() / kMostUnclear;
  blocks_exact_ = is_too_much ? next_exact_ : 0;
  next_exact_ = is_too_much ? std::min(2 * next_exact_, kMostBlocksExact) : 1;
}

void PanelSink::forget_bounds() {
  bounds_.assign(plans_.size(), std::numeric_limits<double>::quiet_NaN());
}

void PanelSink::refresh_bound(const PanelFilter::Panel& panel, size_t q) {
  const double bound = collectors_[panel.first + q].strict_bound();
  if (bound == bounds_[panel.first + q]) return;
  bounds_[panel.first + q] = bound;
  state_.set_bound(panel, q, bound);
}

void PanelSink::take_part(const SelectedBlock& block, size_t first, size_t count, Panels panels,
                          bool is_exact) {
  const uint64_t selected =
      block.words[first / 64] >> (first % 64) & (~uint64_t{0} >> (64 - count));
  if (selected == 0) return;
  const std::byte* rows = block.rows + first * row_bytes_;
  const std::byte* behind = rows + count * row_bytes_;
  const std::byte* next = first + count < block.count ? behind : block.next;
  state_.set_rows(rows, count, next, panels.size(), is_exact);
  std::array<uint64_t, PanelFilter::kMostRows> passing;
  for (size_t p = 0; p < panels.size(); ++p) {
    state_.run(panels[p], p, panels.size(), passing.data());
    for (size_t r = 0; r < count; ++r) {
      if (passing[r] == 0 || (selected >> r & 1) == 0) continue;
      take_passing(panels[p], r, passing[r], rows + r * row_bytes_, block.numbers[first + r],
                   block.stays);
    }
  }
}

void PanelSink::take_passing(const PanelFilter::Panel& panel, size_t r, uint64_t bits,
                             const std::byte* row, uint64_t number, bool stays) {
  for (; bits != 0; bits &= bits - 1) {
    const auto q = static_cast<size_t>(std::countr_zero(bits));
    TopKCollector& collector = collectors_[panel.first + q];
    const double bound = bounds_[panel.first + q];
    const Direction direction = plans_[panel.first + q].direction();
    if (const auto range = state_.score_range(panel, r, q)) {
      if (!is_better(direction, range->at_best, bound)) continue;
      if (!is_better(direction, range->at_worst, bound)) ++unclear_;
      if (stays && !collector.is_likely(*range).value_or(number >= scored_from_row_)) {
        collector.add_between(*range, number);
        refresh_bound(panel, q);
        continue;
      }
    }
    collector.add(plans_[panel.first + q].score_one(row), number);
    refresh_bound(panel, q);
  }
}

void ScoreSink::take(const SelectedBlock& block) {
  for (size_t q = 0; q < plans_.size(); ++q) {
    double* row = out_ + q * live_rows_;
    if (selection_ == nullptr) {  // Scores lie as the rows do.
      plans_[q].score(block.rows, block.count, row + block.numbers[0], scratch_.data());
      continue;
    }
    plans_[q].score(block.rows, block.count, scores_.data(), scratch_.data());
    for (size_t i = 0; i < block.count; ++i) {
      if ((block.words[i / 64] >> (i % 64) & 1) == 0) continue;
      row[selection_->logical(block.numbers[i])] = scores_[i];
    }
  }
}

}  // namespace npk::internal
