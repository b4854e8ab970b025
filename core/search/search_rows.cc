#include "core/search/search_rows.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "core/search/plan.h"
#include "core/search/query_group.h"
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
  // PreparedQuery: wide, narrow twice, clipped; RowFilter and panels: in float32.
  constexpr uint64_t kElementBytes =
      sizeof(double) + 2 * sizeof(int16_t) + sizeof(int8_t) + 2 * sizeof(float);
  const uint64_t plan_bytes = sizeof(Plan) + rows.dims() * kElementBytes + queries.row_bytes();
  const uint64_t kept = std::min(wanted.k, rows.rows()) + kSpareCandidates;
  const uint64_t bytes = plan_bytes + threads * (sizeof(TopKCollector) + kept * kCandidateBytes);
  const uint64_t most = std::max<uint64_t>(1, kQueryBytes / bytes);
  return most < simd::kMaxPanelQueries ? most : most - most % simd::kMaxPanelQueries;
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
  SearchStats stats;
  const uint64_t groups = (count + step - 1) / step;
  for (uint64_t group = 0; group < groups; ++group) {
    const uint64_t begin = group * step;
    NPK_ASSIGN_OR_RETURN(auto plans, plan_queries(source, queries, options.metric, begin,
                                                  std::min(begin + step, count)));
    Progress progress = options.progress;
    if (progress && groups > 1) {
      progress = [&](uint64_t done, uint64_t total) {
        return options.progress((group * total + done) / groups, total);
      };
    }
    NPK_RETURN_IF_ERROR(search_group(source, std::move(plans), wanted, options.threads, progress,
                                     stats, answers.data() + begin));
  }
  if (options.stats != nullptr) *options.stats = stats;
  return answers;
}

Result<TopK> search_rows_once(const SearchedRows& searched, const ArrayView& query,
                              const SearchOptions& options, Extent extent) {
  Rows rows;
  NPK_RETURN_IF_ERROR(open_rows(searched, options.where, rows));
  NPK_ASSIGN_OR_RETURN(Plan plan, Plan::create(*rows.source, query, options.metric));
  NPK_ASSIGN_OR_RETURN(const Wanted wanted, wanted_by(options, extent));
  std::vector<Plan> plans;
  plans.push_back(std::move(plan));
  TopK answer;
  SearchStats stats;
  NPK_RETURN_IF_ERROR(search_group(*rows.source, std::move(plans), wanted, options.threads,
                                   options.progress, stats, &answer));
  if (options.stats != nullptr) *options.stats = stats;
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
  // To score every row takes twice as long as to reject most.
  std::vector<std::unique_ptr<BlockSink>> sinks(
      scan_threads(source, options.threads, 2 * plans.size()));
  for (auto& sink : sinks) {
    sink = std::make_unique<ScoreSink>(plans, source, live, out);
  }
  NPK_RETURN_IF_ERROR(scan_rows(source, sinks, options.progress, options.stats));
  return scores;
}

}  // namespace npk::internal
