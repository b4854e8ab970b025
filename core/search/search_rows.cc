#include "core/search/search_rows.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <deque>
#include <optional>

#include "core/base/threads.h"
#include "core/search/plan.h"
#include "core/search/scan.h"
#include "core/search/sinks.h"
#include "core/search/where_set.h"
#include "npk/internal/text.h"

namespace npk::internal {
namespace {

// With 64 MiB for a search: the rest is for the blocks of rows that threads work on.
constexpr uint64_t kQueryBytes = 32u << 20;

/// Everything about the rows of one search; what it holds must stay where it is.
struct Rows {
  std::optional<WhereRows> where;
  std::optional<SelectedRows> selection;
  std::optional<RowSource> source;
};

Status open_rows(const SearchedRows& searched, const Where& where, Rows& rows) {
  const bool has_deleted = searched.deleted != nullptr && !searched.deleted->empty();
  NPK_RETURN_IF_ERROR(RowSource::create(searched.rows, nullptr).status());
  if (!where.is_everything()) {
    const uint64_t live =
        searched.rows.rows() - (has_deleted ? searched.deleted->count() : uint64_t{0});
    NPK_ASSIGN_OR_RETURN(rows.where, WhereRows::create(where, live));
  }
  if (has_deleted || rows.where) {
    rows.selection.emplace(has_deleted ? searched.deleted : nullptr,
                           rows.where ? &*rows.where : nullptr);
  }
  NPK_ASSIGN_OR_RETURN(
      rows.source, RowSource::create(searched.rows, rows.selection ? &*rows.selection : nullptr));
  rows.source->set_file(searched.file);
  return {};
}

Result<Wanted> wanted_by(const SearchOptions& options, Extent extent) {
  const MetricInfo& info = metric_info(options.metric);
  const auto& other = info.larger_is_better ? options.max_distance : options.min_score;
  if (other.has_value()) {
    return Status::invalid_argument(concat("metric ", info.name,
                                           info.larger_is_better
                                               ? " is better when larger: give min_score, not "
                                                 "max_distance"
                                               : " is a distance: give max_distance, not "
                                                 "min_score"));
  }
  const auto& threshold = info.larger_is_better ? options.min_score : options.max_distance;
  if (threshold.has_value() && std::isnan(*threshold)) {
    return Status::invalid_argument("the threshold is NaN; nothing reaches it");
  }
  if (extent == Extent::kRange && !threshold.has_value()) {
    return Status::invalid_argument(concat("a range search by ", info.name, " needs ",
                                           info.larger_is_better ? "min_score" : "max_distance"));
  }
  return Wanted{direction_of(options.metric), extent == Extent::kRange ? UINT64_MAX : options.k,
                threshold};
}

Status check_queries(const RowSource& rows, const ArrayView& queries, Metric metric) {
  NPK_RETURN_IF_ERROR(queries.check());
  if (queries.dimensions() != 2) {
    return Status::invalid_argument(concat("queries have the shape (count, ", rows.dims(),
                                           "), not ", shape_to_string(queries.shape())));
  }
  return check_metric_takes(metric, rows.dtype());
}

/// Of queries [begin, end).
Result<std::vector<Plan>> plan_queries(const RowSource& rows, const ArrayView& queries,
                                       Metric metric, uint64_t begin, uint64_t end) {
  std::vector<Plan> plans;
  plans.reserve(end - begin);
  for (uint64_t q = begin; q < end; ++q) {
    Result<Plan> plan = Plan::create(rows, queries.slice_rows(q, q + 1), metric);
    if (!plan.is_ok()) return std::move(plan).status().with_context(concat("query ", q));
    plans.push_back(*std::move(plan));
  }
  return plans;
}

/// How many queries are searched at once, so that whatever is kept for them, of however many, does
/// not outgrow kQueryBytes.
uint64_t group_size(const RowSource& rows, const ArrayView& queries, const Wanted& wanted,
                    uint32_t threads) {
  const uint64_t plan_bytes = sizeof(Plan) +
                              rows.dims() * (sizeof(double) + sizeof(int16_t) + 2 * sizeof(float)) +
                              queries.row_bytes();
  const uint64_t kept = std::min(wanted.k, rows.rows()) + kSpareCandidates;
  const uint64_t bytes = plan_bytes + threads * (sizeof(TopKCollector) + kept * kCandidateBytes);
  const uint64_t most = std::max<uint64_t>(1, kQueryBytes / bytes);
  return most < simd::kMaxPanelQueries ? most : most - most % simd::kMaxPanelQueries;
}

/// Canonical scores of rows of a source.
class PlanScorer final : public RowScorer {
 public:
  PlanScorer(const RowSource& rows, const Plan& plan) : rows_(rows), plan_(plan) {}
  void score(std::span<const uint64_t> numbers, double* scores) const override {
    std::array<double, kMostRows> scratch;
    if (rows_.is_direct()) {
      plan_.score_listed(rows_.address(0), rows_.block_row_bytes(), numbers.data(), numbers.size(),
                         0, scores, scratch.data());
      return;
    }
    std::vector<std::byte> buffer;
    for (size_t i = 0; i < numbers.size(); ++i) {
      plan_.score(rows_.gather(numbers.subspan(i, 1), buffer), 1, scores + i, scratch.data());
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

/// At most one of them.
struct Filters {
  std::optional<PanelFilter> panels;
  std::optional<RowFilter> rows;
};

void make_sinks(const RowSource& rows, std::span<const Plan> plans, const Wanted& wanted,
                const Filters& filters, uint32_t threads, Collecting& collecting) {
  for (const Plan& plan : plans) {
    collecting.scorers.emplace_back(rows, plan);
    collecting.bounds.emplace_back(wanted.direction, threads);
  }
  for (uint32_t thread = 0; thread < threads; ++thread) {
    std::vector<TopKCollector> collectors;
    collectors.reserve(plans.size());
    for (size_t q = 0; q < plans.size(); ++q) {
      collectors.emplace_back(wanted, plans[q].select(), &collecting.bounds[q], thread,
                              &collecting.scorers[q]);
    }
    if (filters.panels) {
      collecting.sinks.push_back(
          std::make_unique<PanelSink>(plans, std::move(collectors), *filters.panels, rows));
    } else if (filters.rows) {
      collecting.sinks.push_back(std::make_unique<FilterSink>(
          plans, std::move(collectors), *filters.rows, rows.block_row_bytes()));
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

/// Writes one answer for each plan.
Status run_plans(const RowSource& rows, std::span<const Plan> plans, const Wanted& wanted,
                 uint32_t threads, const Progress& progress, SearchStats* stats, TopK* answers) {
  if (plans.empty() || wanted.k == 0) return {};
  Filters filters;
  filters.panels = PanelFilter::create(rows, plans, wanted.k);
  if (!filters.panels) filters.rows = RowFilter::create(rows, plans);
  Collecting collecting;
  make_sinks(rows, plans, wanted, filters, scan_threads(rows, threads, plans.size()), collecting);
  NPK_RETURN_IF_ERROR(scan_rows(rows, collecting.sinks, progress, stats));
  std::atomic<size_t> next_query{0};
  run_on_threads(static_cast<uint32_t>(std::min(collecting.sinks.size(), plans.size())),
                 [&](uint32_t) {
                   for (size_t q = next_query++; q < plans.size(); q = next_query++) {
                     answers[q] = merge_query(rows, collecting.sinks, q);
                   }
                 });
  return {};
}

/// Every group of queries reads the rows again.
void add_group(SearchStats& sum, const SearchStats& group) {
  sum.scored_rows = group.scored_rows;
  sum.read_bytes += group.read_bytes;
  sum.direct_bytes += group.direct_bytes;
  sum.copied_bytes += group.copied_bytes;
}

}  // namespace

Result<std::vector<TopK>> search_rows(const SearchedRows& searched, const ArrayView& queries,
                                      const SearchOptions& options, Extent extent) {
  Rows rows;
  NPK_RETURN_IF_ERROR(open_rows(searched, options.where, rows));
  const RowSource& source = *rows.source;
  NPK_RETURN_IF_ERROR(check_queries(source, queries, options.metric));
  NPK_ASSIGN_OR_RETURN(const Wanted wanted, wanted_by(options, extent));
  const uint64_t count = queries.rows();
  const uint64_t step =
      group_size(source, queries, wanted, scan_threads(source, options.threads, count));
  // A query that is refused is refused before the first search.
  for (uint64_t begin = step; begin < count; begin += step) {
    NPK_RETURN_IF_ERROR(
        plan_queries(source, queries, options.metric, begin, std::min(begin + step, count))
            .status());
  }
  std::vector<TopK> answers(count);
  if (options.stats != nullptr) *options.stats = {};
  const uint64_t groups = (count + step - 1) / step;
  for (uint64_t group = 0; group < groups; ++group) {
    const uint64_t begin = group * step;
    NPK_ASSIGN_OR_RETURN(const auto plans, plan_queries(source, queries, options.metric, begin,
                                                        std::min(begin + step, count)));
    Progress progress = options.progress;
    if (progress && groups > 1) {
      progress = [&](uint64_t done, uint64_t total) {
        return options.progress((group * total + done) / groups, total);
      };
    }
    SearchStats stats;
    NPK_RETURN_IF_ERROR(run_plans(source, plans, wanted, options.threads, progress, &stats,
                                  answers.data() + begin));
    if (options.stats != nullptr) add_group(*options.stats, stats);
  }
  return answers;
}

Result<TopK> search_rows_once(const SearchedRows& searched, const ArrayView& query,
                              const SearchOptions& options, Extent extent) {
  Rows rows;
  NPK_RETURN_IF_ERROR(open_rows(searched, options.where, rows));
  NPK_ASSIGN_OR_RETURN(const Plan plan, Plan::create(*rows.source, query, options.metric));
  NPK_ASSIGN_OR_RETURN(const Wanted wanted, wanted_by(options, extent));
  TopK answer;
  if (options.stats != nullptr) *options.stats = {};
  NPK_RETURN_IF_ERROR(run_plans(*rows.source, {&plan, 1}, wanted, options.threads, options.progress,
                                options.stats, &answer));
  return answer;
}

Result<Array> score_rows(const SearchedRows& searched, const ArrayView& queries,
                         const SearchOptions& options) {
  Rows rows;
  NPK_RETURN_IF_ERROR(open_rows(searched, {}, rows));
  const RowSource& source = *rows.source;
  std::vector<Plan> plans;
  const bool is_one = queries.dimensions() == 1;
  if (is_one) {
    NPK_ASSIGN_OR_RETURN(Plan plan, Plan::create(source, queries, options.metric));
    plans.push_back(std::move(plan));
  } else {
    NPK_RETURN_IF_ERROR(check_queries(source, queries, options.metric));
    NPK_ASSIGN_OR_RETURN(plans, plan_queries(source, queries, options.metric, 0, queries.rows()));
  }
  const uint64_t live =
      source.rows() - (searched.deleted == nullptr ? uint64_t{0} : searched.deleted->count());
  NPK_ASSIGN_OR_RETURN(
      Array scores,
      Array::uninitialized(DType::kFloat64, is_one ? Shape{live} : Shape{plans.size(), live}));
  auto* out = reinterpret_cast<double*>(scores.mutable_data());
  std::vector<std::unique_ptr<BlockSink>> sinks(
      scan_threads(source, options.threads, plans.size()));
  for (auto& sink : sinks) {
    sink = std::make_unique<ScoreSink>(plans, source.selection(), live, out);
  }
  NPK_RETURN_IF_ERROR(scan_rows(source, sinks, options.progress, options.stats));
  return scores;
}

}  // namespace npk::internal
