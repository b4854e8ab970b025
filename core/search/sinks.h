// Sinks: what a scan does with its blocks of rows. One per thread.
//   CollectSink  scores every row for every query
//   FilterSink   rejects most rows of up to 32 bits in float32 first, one query at a time
//   PanelSink    rejects most in float32, many queries at a time, and scores the rest if need be
//   ScoreSink    writes all scores out
#ifndef NPK_CORE_SEARCH_SINKS_H_
#define NPK_CORE_SEARCH_SINKS_H_

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "core/search/collect.h"
#include "core/search/panel_filter.h"
#include "core/search/plan.h"
#include "core/search/row_filter.h"
#include "core/search/scan.h"

namespace npk::internal {

/// Rows of a block for some queries, one after the other. Where a block begins the processor's
/// prefetchers have to find its rows first (measured, one thread at four places of the block at
/// once: 2 MiB 2 to 4 points of the bandwidth above 512 KiB, 8 MiB no more). What several queries
/// look at still fits a second-level cache.
constexpr size_t large_block_rows(uint64_t row_bytes, size_t queries) {
  const uint64_t block_bytes = queries == 1 ? 2u << 20 : 256u << 10;
  const uint64_t fit = block_bytes / std::max<uint64_t>(1, row_bytes);
  return std::clamp<uint64_t>(fit - fit % kBlockRows, kBlockRows, kMostBlockRows);
}

/// Hands the canonical scores of each query to its collector.
class CollectSink : public BlockSink {
 public:
  /// One collector per plan. Lifetime: of the plans.
  CollectSink(std::span<const Plan> plans, std::vector<TopKCollector> collectors,
              uint64_t row_bytes)
      : plans_(plans), collectors_(std::move(collectors)), row_bytes_(row_bytes) {}
  void take(const SelectedBlock& block) override;
  [[nodiscard]] bool takes_lists() const override { return true; }
  [[nodiscard]] size_t block_rows() const override {
    return large_block_rows(row_bytes_, plans_.size());
  }
  [[nodiscard]] TopKCollector& collector(size_t query) { return collectors_[query]; }

 protected:
  /// Scores the whole block for one query.
  void take_for(size_t query, const SelectedBlock& block);

  std::span<const Plan> plans_;
  std::vector<TopKCollector> collectors_;
  uint64_t row_bytes_;  // Of a row of a block.
  std::array<double, kMostBlockRows> scores_;
  std::array<double, kMostBlockRows> scratch_;
};

/// As CollectSink, with the same answers. Lifetime: of the filter too.
class FilterSink final : public CollectSink {
 public:
  FilterSink(std::span<const Plan> plans, std::vector<TopKCollector> collectors,
             const RowFilter& filter, uint64_t row_bytes)
      : CollectSink(plans, std::move(collectors), row_bytes),
        filter_(filter),
        blocks_without_(plans.size(), 0) {}
  void take(const SelectedBlock& block) override;

 private:
  /// Scores those rows of the block that may matter to the query.
  void filter_for(size_t query, const SelectedBlock& block);

  const RowFilter& filter_;
  std::vector<uint32_t> blocks_without_;  // By query: how many blocks to score without asking.
};

/// As CollectSink, with the same answers. Lifetime: of the filter too.
class PanelSink final : public CollectSink {
 public:
  PanelSink(std::span<const Plan> plans, std::vector<TopKCollector> collectors,
            const PanelFilter& filter, const RowSource& rows)
      : CollectSink(plans, std::move(collectors), rows.block_row_bytes()),
        filter_(filter),
        state_(filter),
        scored_from_row_(rows.rows() / 2) {
    forget_bounds();
  }
  void take(const SelectedBlock& block) override;
  [[nodiscard]] bool takes_lists() const override { return false; }
  [[nodiscard]] size_t block_rows() const override { return kBlockRows; }

 private:
  using Panels = std::span<const PanelFilter::Panel>;
  /// Rows [first, first + count) of the block, count <= part_rows().
  void take_part(const SelectedBlock& block, size_t first, size_t count, Panels panels,
                 bool is_exact);
  /// Row r of the part, for those queries of the panel whose bit is set.
  void take_passing(const PanelFilter::Panel& panel, size_t r, uint64_t bits, const std::byte* row,
                    uint64_t number, bool stays);
  /// As if state_ had been told no bound yet.
  void forget_bounds();
  /// Tells state_ what the collector knows, if it is new.
  void refresh_bound(const PanelFilter::Panel& panel, size_t q);

  const PanelFilter& filter_;
  PanelFilter::State state_;
  /// Where nobody knows what is likely, what passes is scored at once from this row on, while it is
  /// in the cache, which takes half as long as later, and more than half of it will remain among
  /// the best. Before, less will.
  uint64_t scored_from_row_;
  std::vector<double> bounds_;  // By query: what state_ was told.
  bool was_exact_ = false;
  size_t unclear_ = 0;         // Pairs of the block whose scores may or may not matter.
  uint32_t blocks_exact_ = 0;  // So many blocks meet the exact panels,
  uint32_t next_exact_ = 1;    // and so many the next time.
};

/// Writes the scores of live rows to their logical places: out[query * live_rows + row].
class ScoreSink final : public BlockSink {
 public:
  /// Lifetime: of all arguments.
  ScoreSink(std::span<const Plan> plans, const RowSource& rows, uint64_t live_rows, double* out)
      : plans_(plans),
        selection_(rows.selection()),
        row_bytes_(rows.block_row_bytes()),
        live_rows_(live_rows),
        out_(out) {}
  void take(const SelectedBlock& block) override;
  [[nodiscard]] size_t block_rows() const override {
    return large_block_rows(row_bytes_, plans_.size());
  }

 private:
  std::span<const Plan> plans_;
  const RowSelection* selection_;  // Null: every row.
  uint64_t row_bytes_;             // Of a row of a block.
  uint64_t live_rows_;
  double* out_;
  std::array<double, kMostBlockRows> scores_;
  std::array<double, kMostBlockRows> scratch_;
};

}  // namespace npk::internal

#endif  // NPK_CORE_SEARCH_SINKS_H_
