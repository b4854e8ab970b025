#include "core/search/query_group.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <deque>
#include <memory>
#include <optional>
#include <span>

#include "core/base/threads.h"
#include "core/search/sampled_rows.h"
#include "core/search/sinks.h"

namespace npk::internal {
namespace {

// So many of the k best rows are expected in a sample,
constexpr uint64_t kSampledHits = 16;
// and as many as this once in 60,000 times, whatever the rows are: the hits are a sum of
// independent draws, and this is five standard deviations more.
constexpr uint64_t kSampleRank = 36;
// What reaches the score of this one probably is a hit. More than expected: to score a row that is
// displaced later takes less time than to score one that was not expected to remain.
constexpr uint64_t kLikelyRank = 20;
// Of a smaller k a sample would be a sixteenth of the rows or more.
constexpr uint64_t kLeastSampledK = 16 * kSampledHits;
// Drawing a row takes as long as holding it against so many queries,
constexpr uint64_t kQueriesPerDraw = 100;
// and as long as it takes to hold so many bytes against a query is saved for each of the k best of
// a query (both measured on a Xeon with AMX, with rows of 512 and of 3072 bytes).
constexpr uint64_t kBytesPerHit = 200'000;
// With a threshold so little passes in vain that coarse panels are still the quicker ones for a k
// this many times as large (measured there: up to 2,000 instead of 256).
constexpr uint64_t kCoarserK = 8;

/// Canonical scores of rows of a source.
class PlanScorer final : public RowScorer {
 public:
  PlanScorer(const RowSource& rows, const Plan& plan) : rows_(rows), plan_(plan) {}
  void score(std::span<const uint64_t> numbers, double* scores) const override {
    if (rows_.is_direct()) {
      std::array<double, kMostRows> scratch;
      plan_.score_listed(rows_.address(0), rows_.block_row_bytes(), numbers.data(), numbers.size(),
                         0, scores, scratch.data());
      return;
    }
    std::vector<std::byte> buffer;
    for (size_t i = 0; i < numbers.size(); ++i) {
      scores[i] = plan_.score_one(rows_.gather(numbers.subspan(i, 1), buffer));
    }
  }

 private:
  const RowSource& rows_;
  const Plan& plan_;
};

/// What a search keeps for its queries.
struct Collecting {
  std::deque<PlanScorer> scorers;
  std::deque<SharedBound> bounds;
  std::vector<std::unique_ptr<BlockSink>> sinks;  // One per thread.
};

/// What all scans for the same queries have in common.
struct Queries {
  std::span<const Plan> plans;
  uint32_t threads;
  // At most one of them:
  std::optional<PanelFilter> panels = {};
  std::optional<RowFilter> filter = {};
};

Queries prepare(const RowSource& rows, std::span<const Plan> plans, uint64_t k, uint32_t threads) {
  Queries queries = {plans, scan_threads(rows, threads, plans.size())};
  queries.panels = PanelFilter::create(rows, plans, k);
  if (!queries.panels) queries.filter = RowFilter::create(rows, plans);
  return queries;
}

/// `wanted`: by query.
void make_sinks(const RowSource& rows, const Queries& queries, std::span<const Wanted> wanted,
                Collecting& collecting) {
  const std::span<const Plan> plans = queries.plans;
  for (const Plan& plan : plans) {
    collecting.scorers.emplace_back(rows, plan);
    collecting.bounds.emplace_back(plan.direction(), queries.threads);
  }
  for (uint32_t thread = 0; thread < queries.threads; ++thread) {
    std::vector<TopKCollector> collectors;
    collectors.reserve(plans.size());
    for (size_t q = 0; q < plans.size(); ++q) {
      collectors.emplace_back(wanted[q], plans[q].select(), &collecting.bounds[q], thread,
                              &collecting.scorers[q]);
    }
    if (queries.panels) {
      collecting.sinks.push_back(
          std::make_unique<PanelSink>(plans, std::move(collectors), *queries.panels, rows));
    } else if (queries.filter) {
      collecting.sinks.push_back(std::make_unique<FilterSink>(
          plans, std::move(collectors), *queries.filter, rows.block_row_bytes()));
    } else {
      collecting.sinks.push_back(
          std::make_unique<CollectSink>(plans, std::move(collectors), rows.block_row_bytes()));
    }
  }
}

TopK merge_query(const RowSource& rows, std::span<const std::unique_ptr<BlockSink>> sinks,
                 size_t query) {
  std::vector<TopKCollector> collectors;
  collectors.reserve(sinks.size());
  for (const auto& sink : sinks) {
    collectors.push_back(std::move(static_cast<CollectSink&>(*sink).collector(query)));
  }
  const std::vector<Hit> hits = TopKCollector::merge(collectors);
  const RowSelection* selection = rows.selection();
  TopK answer;
  answer.rows.reserve(hits.size());
  answer.scores.reserve(hits.size());
  for (const Hit& hit : hits) {
    answer.rows.push_back(selection == nullptr ? hit.row : selection->logical(hit.row));
    answer.scores.push_back(hit.score);
  }
  return answer;
}

/// Every scan reads the rows again.
void add_scan(SearchStats& sum, const SearchStats& scan) {
  sum.scored_rows = scan.scored_rows;
  sum.read_bytes += scan.read_bytes;
  sum.direct_bytes += scan.direct_bytes;
  sum.copied_bytes += scan.copied_bytes;
}

/// One scan, and an answer for each query of what is wanted of it.
Status scan_once(const RowSource& rows, const Queries& queries, std::span<const Wanted> wanted,
                 const Progress& progress, SearchStats& stats, TopK* answers) {
  Collecting collecting;
  make_sinks(rows, queries, wanted, collecting);
  SearchStats of_scan;
  NPK_RETURN_IF_ERROR(scan_rows(rows, collecting.sinks, progress, &of_scan));
  add_scan(stats, of_scan);
  const size_t count = queries.plans.size();
  std::atomic<size_t> next_query{0};
  run_on_threads(static_cast<uint32_t>(std::min(collecting.sinks.size(), count)), [&](uint32_t) {
    for (size_t q = next_query++; q < count; q = next_query++) {
      answers[q] = merge_query(rows, collecting.sinks, q);
    }
  });
  return {};
}

/// Whether a sample takes less time than what is not collected thanks to it.
bool is_worth_sampling(const RowSource& rows, uint64_t count, uint64_t k) {
  if (k < kLeastSampledK || rows.rows() / 8 < k) return false;
  const uint64_t drawn_bytes = rows.rows() / (k / kSampledHits) * rows.block_row_bytes();
  if (drawn_bytes / count > kBytesPerHit * k / (count + kQueriesPerDraw)) return false;
  // It is read row by row: all must be in memory.
  const RowFile& of = rows.file();
  return of.file == nullptr || of.file->is_resident(*of.mapping, 0, rows.rows() * rows.row_bytes());
}

/// Sets thresholds that k rows each probably reach, where a sample tells of one.
Status estimate_thresholds(const RowSource& rows, const Queries& queries, std::span<Wanted> wanted,
                           SearchStats& stats) {
  const SampledRows sampled(rows.selection(), wanted.front().k / kSampledHits);
  std::vector<Wanted> of_sample(wanted.begin(), wanted.end());
  for (Wanted& each : of_sample) each.k = kSampleRank;
  std::vector<TopK> best(wanted.size());
  NPK_RETURN_IF_ERROR(
      scan_once(rows.selecting(&sampled), queries, of_sample, {}, stats, best.data()));
  for (size_t q = 0; q < wanted.size(); ++q) {
    const std::vector<double>& scores = best[q].scores;
    if (scores.size() == kSampleRank && !std::isnan(scores.back())) {
      wanted[q].threshold = scores.back();
      wanted[q].likely = scores[kLikelyRank - 1];
    }
  }
  return {};
}

}  // namespace

Status search_group(const RowSource& rows, std::vector<Plan> plans, const Wanted& wanted,
                    uint32_t threads, const Progress& progress, SearchStats& stats, TopK* answers) {
  if (plans.empty() || wanted.k == 0) return {};
  std::vector<size_t> again;
  {
    const bool is_sampled = is_worth_sampling(rows, plans.size(), wanted.k);
    const uint64_t k = is_sampled ? wanted.k / kCoarserK : wanted.k;
    const Queries queries = prepare(rows, plans, k, threads);
    std::vector<Wanted> by_query(plans.size(), wanted);
    if (is_sampled && queries.panels) {
      NPK_RETURN_IF_ERROR(estimate_thresholds(rows, queries, by_query, stats));
    }
    NPK_RETURN_IF_ERROR(scan_once(rows, queries, by_query, progress, stats, answers));
    for (size_t q = 0; q < plans.size(); ++q) {
      const bool is_estimated = by_query[q].threshold != wanted.threshold;
      if (is_estimated && answers[q].rows.size() < wanted.k) again.push_back(q);
    }
  }
  if (again.empty()) return {};
  std::vector<Plan> plans_again;
  for (const size_t q : again) plans_again.push_back(std::move(plans[q]));
  const std::vector<Wanted> by_query(again.size(), wanted);
  std::vector<TopK> found(again.size());
  Progress still_done;
  if (progress) still_done = [&](uint64_t, uint64_t total) { return progress(total, total); };
  NPK_RETURN_IF_ERROR(scan_once(rows, prepare(rows, plans_again, wanted.k, threads), by_query,
                                still_done, stats, found.data()));
  for (size_t i = 0; i < again.size(); ++i) answers[again[i]] = std::move(found[i]);
  return {};
}

}  // namespace npk::internal
