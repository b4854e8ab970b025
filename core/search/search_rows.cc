#include "core/search/search_rows.h"

#include <cmath>
#include <deque>
#include <optional>

#include "core/search/plan.h"
#include "core/search/scan.h"
#include "core/search/sinks.h"
#include "core/search/where_set.h"
#include "npk/internal/text.h"

namespace npk::internal {
namespace {

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

Result<std::vector<Plan>> plan_all(const RowSource& rows, const ArrayView& queries, Metric metric) {
  NPK_RETURN_IF_ERROR(queries.check());
  if (queries.dimensions() != 2) {
    return Status::invalid_argument(concat("queries have the shape (count, ", rows.dims(),
                                           "), not ", shape_to_string(queries.shape())));
  }
  NPK_RETURN_IF_ERROR(check_metric_takes(metric, rows.dtype()));
  std::vector<Plan> plans;
  plans.reserve(queries.rows());
  for (uint64_t q = 0; q < queries.rows(); ++q) {
    Result<Plan> plan = Plan::create(rows, queries.slice_rows(q, q + 1), metric);
    if (!plan.is_ok()) return std::move(plan).status().with_context(concat("query ", q));
    plans.push_back(*std::move(plan));
  }
  return plans;
}

Result<std::vector<TopK>> run_plans(const RowSource& rows, std::span<const Plan> plans,
                                    const Wanted& wanted, const SearchOptions& options) {
  std::vector<TopK> answers(plans.size());
  if (options.stats != nullptr) *options.stats = {};
  if (plans.empty() || wanted.k == 0) return answers;
  const std::optional<PanelFilter> panels = PanelFilter::create(rows, plans);
  const std::optional<RowFilter> filter = panels ? std::nullopt : RowFilter::create(rows, plans);
  std::deque<SharedBound> bounds;
  for (size_t q = 0; q < plans.size(); ++q) bounds.emplace_back(wanted.direction);
  std::vector<std::unique_ptr<BlockSink>> sinks(scan_threads(rows, options.threads, plans.size()));
  for (auto& sink : sinks) {
    std::vector<TopKCollector> collectors;
    for (size_t q = 0; q < plans.size(); ++q) {
      collectors.emplace_back(wanted, plans[q].select(), &bounds[q]);
    }
    if (panels) {
      sink = std::make_unique<PanelSink>(plans, std::move(collectors), *panels,
                                         rows.block_row_bytes());
    } else if (filter) {
      sink = std::make_unique<FilterSink>(plans, std::move(collectors), *filter,
                                          rows.block_row_bytes());
    } else {
      sink = std::make_unique<CollectSink>(plans, std::move(collectors), rows.block_row_bytes());
    }
  }
  NPK_RETURN_IF_ERROR(scan_rows(rows, sinks, options.progress, options.stats));
  const RowSelection* selection = rows.selection();
  for (size_t q = 0; q < plans.size(); ++q) {
    std::vector<TopKCollector> collectors;
    collectors.reserve(sinks.size());
    for (auto& sink : sinks) {
      collectors.push_back(std::move(static_cast<CollectSink&>(*sink).collector(q)));
    }
    for (const Hit& hit : TopKCollector::merge(collectors)) {
      answers[q].rows.push_back(selection == nullptr ? hit.row : selection->logical(hit.row));
      answers[q].scores.push_back(hit.score);
    }
  }
  return answers;
}

}  // namespace

Result<std::vector<TopK>> search_rows(const SearchedRows& searched, const ArrayView& queries,
                                      const SearchOptions& options, Extent extent) {
  Rows rows;
  NPK_RETURN_IF_ERROR(open_rows(searched, options.where, rows));
  NPK_ASSIGN_OR_RETURN(const auto plans, plan_all(*rows.source, queries, options.metric));
  NPK_ASSIGN_OR_RETURN(const Wanted wanted, wanted_by(options, extent));
  return run_plans(*rows.source, plans, wanted, options);
}

Result<TopK> search_rows_once(const SearchedRows& searched, const ArrayView& query,
                              const SearchOptions& options, Extent extent) {
  Rows rows;
  NPK_RETURN_IF_ERROR(open_rows(searched, options.where, rows));
  NPK_ASSIGN_OR_RETURN(const Plan plan, Plan::create(*rows.source, query, options.metric));
  NPK_ASSIGN_OR_RETURN(const Wanted wanted, wanted_by(options, extent));
  NPK_ASSIGN_OR_RETURN(auto answers, run_plans(*rows.source, {&plan, 1}, wanted, options));
  return std::move(answers.front());
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
    NPK_ASSIGN_OR_RETURN(plans, plan_all(source, queries, options.metric));
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
