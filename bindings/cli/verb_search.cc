// search.
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>

#include "bindings/cli/labels.h"
#include "bindings/cli/progress.h"
#include "bindings/cli/search_output.h"
#include "bindings/cli/verb.h"
#include "bindings/cli/where_argument.h"
#include "npk/internal/text.h"

namespace npk::cli {
namespace {

using internal::concat;

// Few enough that what is kept for each query stays small, many enough for the kernels.
constexpr uint64_t kDefaultBatch = 1024;

struct Arguments {
  StoreArguments store;
  std::string name;
  std::optional<std::string> query_file;
  std::optional<std::string> queries_file;
  std::optional<int64_t> query_row;
  std::optional<std::string> query_label;
  std::optional<std::string> labels;
  WhereArgument where;
  SearchOptions options;
  Option k;
  uint64_t batch = kDefaultBatch;
  bool json_lines = false;
  bool wants_stats = false;
};

void check_usage(const Console& console, const Arguments& arguments) {
  const int queries = (arguments.query_file ? 1 : 0) + (arguments.queries_file ? 1 : 0) +
                      (arguments.query_row ? 1 : 0) + (arguments.query_label ? 1 : 0);
  if (queries != 1) {
    throw UsageError("search",
                     "give one of --query FILE, --queries FILE, --row ROW and --like LABEL");
  }
  if (arguments.query_label && !arguments.labels) {
    throw UsageError("--like", "needs --labels, to know which row has the label");
  }
  if (arguments.json_lines && console.json) {
    throw UsageError("--jsonl", "one object a query, or one in all with --json: not both");
  }
}

/// The query or queries, and in `object` where they came from.
Result<ArrayView> read_queries(Console& console, const Arguments& arguments, const Snapshot& store,
                               const Labels* labels, Json& object) {
  if (arguments.queries_file) {
    NPK_ASSIGN_OR_RETURN(ArrayView queries, open_file(*arguments.queries_file));
    object["query"] = {{"file", *arguments.queries_file}, {"count", queries.rows()}};
    return queries;
  }
  if (arguments.query_file) {
    object["query"] = {{"file", *arguments.query_file}};
    NPK_ASSIGN_OR_RETURN(const Array query, read_npy(*arguments.query_file));
    return query.view();
  }
  int64_t row = arguments.query_row.value_or(0);
  if (arguments.query_label) {
    NPK_ASSIGN_OR_RETURN(const std::vector<uint64_t> found, labels->find(*arguments.query_label));
    row = static_cast<int64_t>(found.front());
    if (found.size() > 1) {
      console.note(concat("'", printable(*arguments.query_label), "' is the label of ",
                          found.size(), " rows; the first, ", row, ", is taken"));
    }
    object["query"] = {{"label", *arguments.query_label}, {"row", row}};
  } else {
    object["query"] = {{"row", row}};
  }
  NPK_ASSIGN_OR_RETURN(const Array query, store.read_rows(arguments.name, Rows::list({row})));
  return query.view();
}

/// What all batches of a run took together.
struct Totals {
  uint64_t queries = 0;
  SearchStats stats;
  std::chrono::steady_clock::duration time{};

  [[nodiscard]] double seconds() const { return std::chrono::duration<double>(time).count(); }
  [[nodiscard]] double gigabytes_per_second() const {
    return seconds() > 0 ? static_cast<double>(stats.read_bytes) / seconds() / 1e9 : 0;
  }
};

Json json_stats(const Totals& totals) {
  Json stats;
  stats["queries"] = totals.queries;
  stats["elapsed_us"] = std::chrono::duration_cast<std::chrono::microseconds>(totals.time).count();
  stats["read_bytes"] = totals.stats.read_bytes;
  stats["direct_bytes"] = totals.stats.direct_bytes;
  stats["copied_bytes"] = totals.stats.copied_bytes;
  stats["scored_rows"] = totals.stats.scored_rows;
  stats["gigabytes_per_second"] = totals.gigabytes_per_second();
  stats["simd_target"] = simd_target();
  return stats;
}

void print_stats(Console& console, const Totals& totals) {
  std::array<char, 96> speed;
  std::snprintf(speed.data(), speed.size(), "%.3f ms, %.2f GB/s", totals.seconds() * 1e3,
                totals.gigabytes_per_second());
  const std::string queries = totals.queries == 1 ? "1 query" : concat(totals.queries, " queries");
  const auto part = [](uint64_t bytes, const char* way) {
    return bytes == 0 ? std::string() : concat(" (", human_bytes(bytes), " by ", way, ")");
  };
  console.note(concat(
      queries, ", ", counted(totals.stats.scored_rows, "row"), " scored, ",
      human_bytes(totals.stats.read_bytes), " read", part(totals.stats.direct_bytes, "io_uring"),
      part(totals.stats.copied_bytes, "pread"), " in ", speed.data(), ", ", simd_target()));
}

/// Of one query one answer, of queries (count, dimensions) one each.
Result<std::vector<TopK>> search_batch(const Snapshot& store, const std::string& name,
                                       const ArrayView& queries, bool of_many,
                                       const SearchOptions& options, Totals& totals) {
  SearchOptions counted_options = options;
  SearchStats stats;
  counted_options.stats = &stats;
  const StreamingVectorEngine engine;
  const auto begin = std::chrono::steady_clock::now();
  std::vector<TopK> answers;
  if (of_many) {
    NPK_ASSIGN_OR_RETURN(answers,
                         engine.streaming_multi_query_top_k(store, name, queries, counted_options));
  } else {
    NPK_ASSIGN_OR_RETURN(TopK hits, engine.top_k(store, name, queries, counted_options));
    answers.push_back(std::move(hits));
  }
  totals.time += std::chrono::steady_clock::now() - begin;
  totals.queries += answers.size();
  totals.stats.scored_rows += stats.scored_rows;
  totals.stats.read_bytes += stats.read_bytes;
  totals.stats.direct_bytes += stats.direct_bytes;
  totals.stats.copied_bytes += stats.copied_bytes;
  return answers;
}

Status search_all(Console& console, const Arguments& arguments, const Snapshot& store,
                  const ArrayMetadata& array, const ArrayView& queries, SearchOutput& output,
                  Totals& totals) {
  SearchOptions options = arguments.options;
  NPK_ASSIGN_OR_RETURN(options.where, arguments.where.resolve(row_count(array)));
  const bool has_threshold = options.min_score || options.max_distance;
  if (has_threshold && !arguments.k.is_given()) options.k = UINT64_MAX;
  const bool of_many = arguments.queries_file.has_value();
  const bool is_split = of_many && queries.dimensions() == 2 && queries.rows() > 0;
  const uint64_t rows = is_split ? queries.rows() : 1;
  const uint64_t batch = is_split && arguments.batch > 0 ? arguments.batch : rows;
  for (uint64_t begin = 0; begin < rows; begin += std::min(batch, rows - begin)) {
    std::vector<TopK> answers;
    {
      ProgressBar bar(console, concat("searching ", array.name), ProgressBar::Unit::kRows);
      options.progress = bar.callback();
      const ArrayView part =
          is_split ? queries.slice_rows(begin, begin + std::min(batch, rows - begin)) : queries;
      Result<std::vector<TopK>> found =
          search_batch(store, array.name, part, of_many, options, totals);
      if (!found && begin > 0) {
        return std::move(found).status().with_context(concat("queries from ", begin, " on"));
      }
      NPK_ASSIGN_OR_RETURN(answers, std::move(found));
    }
    for (const TopK& hits : answers) output.add(hits);
  }
  return {};
}

Result<int> run_search(Console& console, const Arguments& arguments) {
  check_usage(console, arguments);
  if (arguments.json_lines) console.json = true;
  NPK_ASSIGN_OR_RETURN(const ParallelIO opened, open_store(arguments.store, Access::kRead));
  // Rows, labels, and all batches of queries as of one commit.
  NPK_ASSIGN_OR_RETURN(const Snapshot store, opened.snapshot());
  NPK_ASSIGN_OR_RETURN(const ArrayMetadata array, store.get_array_metadata(arguments.name));
  std::optional<Labels> labels;
  if (arguments.labels) {
    NPK_ASSIGN_OR_RETURN(labels, Labels::open(store, *arguments.labels, array));
  }
  const Labels* const known_labels = labels ? &*labels : nullptr;
  const bool is_range =
      !arguments.k.is_given() && (arguments.options.min_score || arguments.options.max_distance);
  Json object = console.object();
  object["store"] = arguments.store.path;
  object["array"] = array.name;
  object["metric"] = metric_info(arguments.options.metric).name;
  object["k"] = is_range ? Json(nullptr) : Json(arguments.options.k);
  NPK_ASSIGN_OR_RETURN(const ArrayView queries,
                       read_queries(console, arguments, store, known_labels, object));
  const SearchFormat format = arguments.json_lines ? SearchFormat::kJsonLines
                              : console.json       ? SearchFormat::kJson
                                                   : SearchFormat::kTable;
  SearchOutput output(console, format, known_labels, arguments.queries_file.has_value());
  Totals totals;
  NPK_RETURN_IF_ERROR(search_all(console, arguments, store, array, queries, output, totals));
  output.finish(std::move(object), arguments.wants_stats ? json_stats(totals) : Json());
  if (arguments.wants_stats) print_stats(console, totals);
  return kSuccess;
}

Option add_number(Options& options, const std::string& name, std::optional<double>& value,
                  const std::string& description) {
  return options.add(
      name,
      [&value](const std::string& text) -> Status {
        char* end = nullptr;
        const double number = std::strtod(text.c_str(), &end);
        if (text.empty() || *end != '\0') {
          return Status::invalid_argument(concat("'", text, "' is no number"));
        }
        value = number;
        return {};
      },
      description);
}

std::string metric_names() {
  std::string names;
  for (const MetricInfo& metric : metric_table()) {
    names += concat(names.empty() ? "" : ", ", metric.name);
  }
  return names;
}

void define_queries(Options& options, Arguments& a) {
  options.add("--query", a.query_file, "Vector to look for: an .npy file").of_type("FILE");
  options
      .add("--queries", a.queries_file,
           "Vectors to look for, one a row: an .npy file (count, dimensions)")
      .of_type("FILE");
  options
      .add(
          "--row",
          [&a](const std::string& text) -> Status {
            const Result<int64_t> row = parse_integer(text);
            if (!row) return Status::invalid_argument(concat("'", text, "' is no row number"));
            a.query_row = *row;
            return {};
          },
          "Look for rows like this one; -1 is the last")
      .of_type("ROW");
  options.add("--like", a.query_label, "Look for rows like the one with this label")
      .of_type("LABEL");
  options
      .add("--labels", a.labels,
           "Names of the rows: a uint8 array of the store, or a .txt file of as many lines "
           "as there are rows")
      .of_type("ARRAY|FILE");
}

void define_limits(Options& options, Arguments& a) {
  a.k = add_count(options, "-k", a.options.k, "How many rows");
  options
      .add(
          "--metric",
          [&a](const std::string& text) -> Status {
            NPK_ASSIGN_OR_RETURN(a.options.metric, metric_from_name(text));
            return {};
          },
          "One of " + metric_names())
      .with_default("cosine")
      .of_type("NAME");
  options
      .add(
          "--where",
          [&a](const std::string& text) -> Status {
            NPK_ASSIGN_OR_RETURN(a.where, WhereArgument::parse(text));
            return {};
          },
          "Only these rows: 0,5,10:20, or an .npy file with a bool for each row or with row "
          "numbers")
      .of_type("ROWS|FILE");
  add_number(options, "--min-score", a.options.min_score,
             "Only rows that score at least this, where larger is better; all of them without -k, "
             "the best k with it")
      .of_type("SCORE");
  add_number(options, "--max-distance", a.options.max_distance,
             "Only rows at most this far away, where smaller is better; all of them without -k, "
             "the best k with it")
      .of_type("DISTANCE");
}

}  // namespace

Run define_search(Options& options) {
  auto arguments = std::make_shared<Arguments>();
  Arguments& a = *arguments;
  add_store(options, a.store);
  options.add("NAME", a.name, "The array").required();
  define_queries(options, a);
  define_limits(options, a);
  add_count(options, "--threads", a.options.threads,
            "Threads to search with, 0 for all processors");
  add_count(options, "--batch", a.batch,
            "Queries of --queries that one pass over the rows answers, 0 for all");
  options.add_flag("--jsonl", a.json_lines, "Print one JSON object for each query, one a line");
  options.add_flag("--stats", a.wants_stats,
                   "Tell time, bytes, rows and SIMD target: on stderr, or in the JSON");
  return [arguments](Console& console) { return run_search(console, *arguments); };
}

}  // namespace npk::cli
