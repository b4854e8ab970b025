// search.
#include "bindings/cli/labels.h"
#include "bindings/cli/progress.h"
#include "bindings/cli/table.h"
#include "bindings/cli/values.h"
#include "bindings/cli/verb.h"
#include "npk/internal/text.h"

namespace npk::cli {
namespace {

using internal::concat;

struct Arguments {
  StoreArguments store;
  std::string name;
  std::optional<std::string> query_file;
  std::optional<int64_t> query_row;
  std::optional<std::string> query_label;
  std::optional<std::string> labels;
  SearchOptions options;
};

void check_usage(const Arguments& arguments) {
  const int queries = (arguments.query_file ? 1 : 0) + (arguments.query_row ? 1 : 0) +
                      (arguments.query_label ? 1 : 0);
  if (queries != 1) {
    throw CLI::ValidationError("search", "give one of --query FILE, --row ROW and --like LABEL");
  }
  if (arguments.query_label && !arguments.labels) {
    throw CLI::ValidationError("--like", "needs --labels, to know which row has the label");
  }
}

/// The query, and in `object` where it came from.
Result<Array> read_query(Console& console, const Arguments& arguments, const ParallelIO& store,
                         const Labels* labels, Json& object) {
  if (arguments.query_file) {
    object["query"] = {{"file", *arguments.query_file}};
    return read_npy(*arguments.query_file);
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
  return store.read_rows(arguments.name, Rows::list({row}));
}

Json json_hits(const TopK& hits, const Labels* labels) {
  Json list = Json::array();
  for (size_t i = 0; i < hits.rows.size(); ++i) {
    Json hit;
    hit["rank"] = i + 1;
    hit["row"] = hits.rows[i];
    hit["score"] = json_number(hits.scores[i]);
    if (labels != nullptr) {
      const Labels::Label label = labels->at(hits.rows[i]);
      hit["label"] = label.text;
      hit["description"] = label.description.empty() ? Json(nullptr) : Json(label.description);
    }
    list.push_back(std::move(hit));
  }
  return list;
}

void print_hits(Console& console, const TopK& hits, const Labels* labels) {
  std::vector<Table::Column> columns = {{"rank", Table::Align::kRight},
                                        {"row", Table::Align::kRight},
                                        {"score", Table::Align::kLeft}};
  if (labels != nullptr) columns.push_back({"label", Table::Align::kLeft});
  bool has_descriptions = false;
  for (const uint64_t row : hits.rows) {
    has_descriptions |= labels != nullptr && !labels->at(row).description.empty();
  }
  if (has_descriptions) columns.push_back({"description", Table::Align::kLeft});
  Table table(console, std::move(columns));
  for (size_t i = 0; i < hits.rows.size(); ++i) {
    std::vector<std::string> cells = {std::to_string(i + 1), std::to_string(hits.rows[i]),
                                      number_text(hits.scores[i])};
    if (labels != nullptr) cells.push_back(printable(labels->at(hits.rows[i]).text));
    if (has_descriptions) cells.push_back(printable(labels->at(hits.rows[i]).description));
    table.add(std::move(cells));
  }
}

Result<int> run_search(Console& console, const Arguments& arguments) {
  check_usage(arguments);
  NPK_ASSIGN_OR_RETURN(const ParallelIO store, open_store(arguments.store, Access::kRead));
  NPK_ASSIGN_OR_RETURN(const ArrayMetadata array, store.get_array_metadata(arguments.name));
  std::optional<Labels> labels;
  if (arguments.labels) {
    NPK_ASSIGN_OR_RETURN(labels, Labels::open(store, *arguments.labels, array));
  }
  const Labels* const known_labels = labels ? &*labels : nullptr;
  Json object = console.object();
  object["store"] = arguments.store.path;
  object["array"] = array.name;
  object["metric"] = metric_info(arguments.options.metric).name;
  object["k"] = arguments.options.k;
  NPK_ASSIGN_OR_RETURN(const Array query,
                       read_query(console, arguments, store, known_labels, object));
  TopK hits;
  {
    ProgressBar bar(console, concat("searching ", array.name), ProgressBar::Unit::kRows);
    SearchOptions options = arguments.options;
    options.progress = bar.callback();
    NPK_ASSIGN_OR_RETURN(hits, StreamingVectorEngine().top_k(store, array.name, query, options));
  }
  for (const uint64_t row : hits.rows) {
    if (known_labels == nullptr || row < row_count(array)) continue;
    return Status::failed_precondition(
        concat("rows were appended to '", array.name,
               "' during the search, and the labels know nothing of them; search again"));
  }
  if (!console.json) print_hits(console, hits, known_labels);
  if (console.json) object["hits"] = json_hits(hits, known_labels);
  console.print(object);
  return kSuccess;
}

std::string metric_names() {
  std::string names;
  for (const MetricInfo& metric : metric_table()) {
    names += concat(names.empty() ? "" : ", ", metric.name);
  }
  return names;
}

}  // namespace

Run define_search(CLI::App& app) {
  auto arguments = std::make_shared<Arguments>();
  Arguments& a = *arguments;
  add_store(app, a.store);
  app.add_option("NAME", a.name, "The array")->required();
  app.add_option("--query", a.query_file, "Vector to look for: an .npy file")->type_name("FILE");
  app.add_option_function<std::string>(
         "--row",
         [&a](const std::string& text) {
           const Result<int64_t> row = parse_integer(text);
           if (!row) throw CLI::ValidationError("--row", "'" + text + "' is no row number");
           a.query_row = *row;
         },
         "Look for rows like this one; -1 is the last")
      ->type_name("ROW");
  app.add_option("--like", a.query_label, "Look for rows like the one with this label")
      ->type_name("LABEL");
  app.add_option("--labels", a.labels,
                 "Names of the rows: a uint8 array of the store, or a .txt file of as many lines "
                 "as there are rows")
      ->type_name("ARRAY|FILE");
  add_count(app, "-k", a.options.k, "How many rows");
  app.add_option_function<std::string>(
         "--metric",
         [&a](const std::string& text) {
           const Result<Metric> metric = metric_from_name(text);
           if (!metric) throw CLI::ValidationError("--metric", metric.status().message());
           a.options.metric = *metric;
         },
         "One of " + metric_names())
      ->default_str("cosine")
      ->type_name("NAME");
  add_count(app, "--threads", a.options.threads, "Threads to search with, 0 for all processors");
  return [arguments](Console& console) { return run_search(console, *arguments); };
}

}  // namespace npk::cli
