#include "bindings/python/engines.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "bindings/python/arrays.h"
#include "bindings/python/engine_docs.h"
#include "bindings/python/errors.h"
#include "bindings/python/progress.h"
#include "bindings/python/selection.h"
#include "bindings/python/store.h"
#include "npk/search.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace npk::python {
namespace {

/// The keyword arguments that searches share, as Python hands them over.
struct Keywords {
  const std::string& metric;
  nb::handle k;
  std::optional<double> min_score;
  std::optional<double> max_distance;
  nb::handle where;
  nb::handle threads;
  nb::object progress;
};

/// One search: its options, and what of Python they point into. Stays where it was made.
class Search {
 public:
  /// `row_count`: of the array that `where` is about.
  Search(Keywords keywords, uint64_t row_count) : progress_(std::move(keywords.progress)) {
    options_.metric = value(metric_from_name(keywords.metric));
    options_.k = count_from(keywords.k, "k");
    options_.min_score = keywords.min_score;
    options_.max_distance = keywords.max_distance;
    options_.where = where_from(keywords.where, row_count);
    const uint64_t threads = count_from(keywords.threads, "threads");
    options_.threads =
        static_cast<uint32_t>(std::min<uint64_t>(threads, std::numeric_limits<uint32_t>::max()));
    options_.progress = progress_.callback();
  }

  /// Runs call(options) without the GIL; raises what it answers if that is an error.
  template <typename Call>
  auto run(Call&& call) {
    auto result = unlocked([&] { return call(options_); });
    progress_.rethrow();
    return value(std::move(result));
  }

 private:
  Progress progress_;
  SearchOptions options_;
};

nb::tuple arrays_of(TopK top) {
  const size_t count = top.rows.size();
  return nb::make_tuple(to_numpy(std::move(top.rows), {count}),
                        to_numpy(std::move(top.scores), {count}));
}

/// Rows and scores of shape (queries, most hits of a query), filled up with 2^64 - 1 and NaN.
nb::tuple matrices_of(const std::vector<TopK>& answers) {
  size_t width = 0;
  for (const TopK& top : answers) width = std::max(width, top.rows.size());
  std::vector<uint64_t> rows(answers.size() * width, UINT64_MAX);
  std::vector<double> scores(answers.size() * width, std::numeric_limits<double>::quiet_NaN());
  for (size_t i = 0; i < answers.size(); ++i) {
    const auto at = static_cast<ptrdiff_t>(i * width);
    std::copy(answers[i].rows.begin(), answers[i].rows.end(), rows.begin() + at);
    std::copy(answers[i].scores.begin(), answers[i].scores.end(), scores.begin() + at);
  }
  const std::vector<size_t> shape = {answers.size(), width};
  return nb::make_tuple(to_numpy(std::move(rows), shape), to_numpy(std::move(scores), shape));
}

template <typename T>
std::vector<T> vector_of(nb::handle values, const char* dtype, const char* name) {
  const BorrowedArray array(
      nb::module_::import_("numpy").attr("asarray")(values, "dtype"_a = dtype));
  const ArrayView& view = array.view();
  if (view.dimensions() != 1) {
    throw_python(PyExc_ValueError, std::string(name) + " must have one axis, has shape " +
                                       shape_to_string(view.shape()));
  }
  std::vector<T> copy(view.rows());
  view.copy_rows(0, view.rows(), reinterpret_cast<std::byte*>(copy.data()));
  return copy;
}

/// The store of a search: one that is open, a snapshot, or one to be opened for reading while this
/// lives.
class SearchedStore {
 public:
  explicit SearchedStore(nb::handle store) {
    if (nb::isinstance<Store>(store)) {
      store_ = &nb::cast<const Store&>(store).io;
      return;
    }
    if (nb::isinstance<Snapshot>(store)) {
      store_ = &nb::cast<const Snapshot&>(store).io;
      return;
    }
    const std::string path = path_from(store);
    const StoreOptions options = {.create_if_missing = false, .read_only = true};
    own_ = std::make_unique<ParallelIO>(
        value(unlocked([&] { return ParallelIO::open(path, options); }), Missing::kStore));
    store_ = own_.get();
  }
  const StoreReader& operator*() const { return *store_; }
  [[nodiscard]] uint64_t row_count(const std::string& name) const {
    const Shape shape = value(store_->get_shape(name));
    return shape.empty() ? 1 : shape[0];
  }

 private:
  std::unique_ptr<ParallelIO> own_;
  const StoreReader* store_;
};

/// Adds a method with the keyword arguments of a search behind its own.
template <typename Engine, typename Method, typename... Lead>
void def_search(nb::class_<Engine>& engine, const char* name, Method method, const char* doc,
                const nb::sig& signature, const Lead&... lead) {
  engine.def(name, method, lead..., "metric"_a = "cosine", "k"_a = 10, nb::kw_only(),
             "min_score"_a.none() = nb::none(), "max_distance"_a.none() = nb::none(),
             "where"_a.none() = nb::none(), "threads"_a = 0, "progress"_a.none() = nb::none(), doc,
             signature);
}

#define NPK_KEYWORDS                                                            \
  const std::string &metric, nb::handle k, std::optional<double> min_score,     \
      std::optional<double> max_distance, nb::handle where, nb::handle threads, \
      nb::object progress
#define NPK_KEYWORDS_OF \
  Keywords { metric, k, min_score, max_distance, where, threads, std::move(progress) }
#define NPK_KEYWORDS_SIGNATURE                                                               \
  "metric: str = 'cosine', k: int = 10, *, min_score: float | None = None, "                 \
  "max_distance: float | None = None, where: npk._types.RowsLike = None, threads: int = 0, " \
  "progress: npk._types.Progress = None) -> "                                                \
  "tuple[numpy.typing.NDArray[numpy.uint64], numpy.typing.NDArray[numpy.float64]]"
#define NPK_SCORES_SIGNATURE                                                               \
  "metric: str = 'cosine', *, threads: int = 0, progress: npk._types.Progress = None) -> " \
  "numpy.typing.NDArray[numpy.float64]"

nb::tuple top_k(const VectorEngine& self, nb::handle query, nb::handle base, NPK_KEYWORDS) {
  const BorrowedArray rows(base), vector(query);
  Search search(NPK_KEYWORDS_OF, rows.view().rows());
  return arrays_of(search.run([&](const SearchOptions& options) {
    return self.top_k(rows.view(), vector.view(), options);
  }));
}

nb::tuple range_search(const VectorEngine& self, nb::handle query, nb::handle base, NPK_KEYWORDS) {
  const BorrowedArray rows(base), vector(query);
  Search search(NPK_KEYWORDS_OF, rows.view().rows());
  return arrays_of(search.run([&](const SearchOptions& options) {
    return self.range_search(rows.view(), vector.view(), options);
  }));
}

nb::tuple multi_top_k(const VectorEngine& self, nb::handle queries, nb::handle base, NPK_KEYWORDS) {
  const BorrowedArray rows(base), vectors(queries);
  Search search(NPK_KEYWORDS_OF, rows.view().rows());
  return matrices_of(search.run([&](const SearchOptions& options) {
    return self.multi_query_top_k(rows.view(), vectors.view(), options);
  }));
}

nb::tuple segmented_top_k(const VectorEngine& self, nb::handle query, nb::handle segment,
                          nb::handle first_row, nb::handle current_rows, nb::handle current_scores,
                          NPK_KEYWORDS) {
  const BorrowedArray rows(segment), vector(query);
  const uint64_t first = count_from(first_row, "first_row");
  const TopK current = {vector_of<uint64_t>(current_rows, "uint64", "current_rows"),
                        vector_of<double>(current_scores, "float64", "current_scores")};
  Search search(NPK_KEYWORDS_OF, rows.view().rows());
  return arrays_of(search.run([&](const SearchOptions& options) {
    return self.segmented_top_k_search(rows.view(), vector.view(), first, current, options);
  }));
}

nb::object batch_compute(const VectorEngine& self, nb::handle queries, nb::handle base,
                         const std::string& metric, nb::handle threads, nb::object progress) {
  const BorrowedArray rows(base), vectors(queries);
  Search search({metric, nb::int_(0), {}, {}, nb::none(), threads, std::move(progress)}, 0);
  return to_numpy(search.run([&](const SearchOptions& options) {
    return self.batch_compute(rows.view(), vectors.view(), options);
  }));
}

nb::tuple stream_top_k(const StreamingVectorEngine& self, nb::handle query, nb::handle store,
                       const std::string& name, NPK_KEYWORDS) {
  const BorrowedArray vector(query);
  const SearchedStore searched(store);
  Search search(NPK_KEYWORDS_OF, where.is_none() ? 0 : searched.row_count(name));
  return arrays_of(search.run([&](const SearchOptions& options) {
    return self.top_k(*searched, name, vector.view(), options);
  }));
}

nb::tuple stream_range(const StreamingVectorEngine& self, nb::handle query, nb::handle store,
                       const std::string& name, NPK_KEYWORDS) {
  const BorrowedArray vector(query);
  const SearchedStore searched(store);
  Search search(NPK_KEYWORDS_OF, where.is_none() ? 0 : searched.row_count(name));
  return arrays_of(search.run([&](const SearchOptions& options) {
    return self.range_search(*searched, name, vector.view(), options);
  }));
}

nb::tuple stream_multi_top_k(const StreamingVectorEngine& self, nb::handle queries,
                             nb::handle store, const std::string& name, NPK_KEYWORDS) {
  const BorrowedArray vectors(queries);
  const SearchedStore searched(store);
  Search search(NPK_KEYWORDS_OF, where.is_none() ? 0 : searched.row_count(name));
  return matrices_of(search.run([&](const SearchOptions& options) {
    return self.streaming_multi_query_top_k(*searched, name, vectors.view(), options);
  }));
}

nb::object stream_batch_compute(const StreamingVectorEngine& self, nb::handle queries,
                                nb::handle store, const std::string& name,
                                const std::string& metric, nb::handle threads,
                                nb::object progress) {
  const BorrowedArray vectors(queries);
  const SearchedStore searched(store);
  Search search({metric, nb::int_(0), {}, {}, nb::none(), threads, std::move(progress)}, 0);
  return to_numpy(search.run([&](const SearchOptions& options) {
    return self.streaming_batch_compute(*searched, name, vectors.view(), options);
  }));
}

#define NPK_IN_MEMORY "self, query: numpy.typing.ArrayLike, candidates: numpy.typing.ArrayLike, "
#define NPK_IN_MEMORY_MANY \
  "self, queries: numpy.typing.ArrayLike, candidates: numpy.typing.ArrayLike, "
#define NPK_IN_STORE                                                                              \
  "self, query: numpy.typing.ArrayLike, store: Store | Snapshot | str | os.PathLike[str], name: " \
  "str, "
#define NPK_IN_STORE_MANY                                                                     \
  "self, queries: numpy.typing.ArrayLike, store: Store | Snapshot | str | os.PathLike[str], " \
  "name: "                                                                                    \
  "str, "

void register_vector_engine(nb::module_& module) {
  nb::class_<VectorEngine> engine(module, "VectorEngine", docs::kVectorEngine);
  engine.def(nb::init<>())
      .def(
          "compute_metric",
          [](const VectorEngine& self, nb::handle a, nb::handle b, const std::string& metric) {
            const BorrowedArray one(a), other(b);
            const Metric known = value(metric_from_name(metric));
            return value(self.compute_metric(one.view(), other.view(), known));
          },
          "a"_a, "b"_a, "metric"_a = "cosine", docs::kComputeMetric,
          nb::sig("def compute_metric(self, a: numpy.typing.ArrayLike, b: numpy.typing.ArrayLike, "
                  "metric: str = 'cosine') -> float"))
      .def("batch_compute", &batch_compute, "queries"_a, "candidates"_a, "metric"_a = "cosine",
           nb::kw_only(), "threads"_a = 0, "progress"_a.none() = nb::none(), docs::kBatchCompute,
           nb::sig("def batch_compute(" NPK_IN_MEMORY_MANY NPK_SCORES_SIGNATURE))
      .def("capabilities", &VectorEngine::capabilities, docs::kCapabilities);
  def_search(engine, "top_k_search", &top_k, docs::kTopK,
             nb::sig("def top_k_search(" NPK_IN_MEMORY NPK_KEYWORDS_SIGNATURE), "query"_a,
             "candidates"_a);
  def_search(engine, "range_search", &range_search, docs::kRangeSearch,
             nb::sig("def range_search(" NPK_IN_MEMORY NPK_KEYWORDS_SIGNATURE), "query"_a,
             "candidates"_a);
  def_search(engine, "multi_query_top_k", &multi_top_k, docs::kMultiTopK,
             nb::sig("def multi_query_top_k(" NPK_IN_MEMORY_MANY NPK_KEYWORDS_SIGNATURE),
             "queries"_a, "candidates"_a);
  def_search(engine, "segmented_top_k_search", &segmented_top_k, docs::kSegmentedTopK,
             nb::sig("def segmented_top_k_search(self, query: numpy.typing.ArrayLike, segment: "
                     "numpy.typing.ArrayLike, first_row: int, current_rows: "
                     "numpy.typing.ArrayLike, current_scores: "
                     "numpy.typing.ArrayLike, " NPK_KEYWORDS_SIGNATURE),
             "query"_a, "segment"_a, "first_row"_a, "current_rows"_a, "current_scores"_a);
}

void register_streaming_engine(nb::module_& module) {
  nb::class_<StreamingVectorEngine> engine(module, "StreamingVectorEngine",
                                           docs::kStreamingVectorEngine);
  engine.def(nb::init<>())
      .def("streaming_batch_compute", &stream_batch_compute, "queries"_a, "store"_a, "name"_a,
           "metric"_a = "cosine", nb::kw_only(), "threads"_a = 0, "progress"_a.none() = nb::none(),
           docs::kBatchCompute,
           nb::sig("def streaming_batch_compute(" NPK_IN_STORE_MANY NPK_SCORES_SIGNATURE))
      .def("capabilities", &StreamingVectorEngine::capabilities, docs::kCapabilities);
  def_search(engine, "streaming_top_k_from_file", &stream_top_k, docs::kTopK,
             nb::sig("def streaming_top_k_from_file(" NPK_IN_STORE NPK_KEYWORDS_SIGNATURE),
             "query"_a, "store"_a, "name"_a);
  def_search(engine, "streaming_range_search", &stream_range, docs::kRangeSearch,
             nb::sig("def streaming_range_search(" NPK_IN_STORE NPK_KEYWORDS_SIGNATURE), "query"_a,
             "store"_a, "name"_a);
  def_search(engine, "streaming_multi_query_top_k", &stream_multi_top_k, docs::kMultiTopK,
             nb::sig("def streaming_multi_query_top_k(" NPK_IN_STORE_MANY NPK_KEYWORDS_SIGNATURE),
             "queries"_a, "store"_a, "name"_a);
}

}  // namespace

void register_engines(nb::module_& module) {
  register_vector_engine(module);
  register_streaming_engine(module);
  module.def(
      "metrics",
      [] {
        std::vector<std::string> names;
        for (const MetricInfo& info : metric_table()) names.emplace_back(info.name);
        return names;
      },
      "The names of the metrics; each has aliases too.");
  module.def(
      "simd_target", [] { return std::string(simd_target()); },
      "The SIMD target in use, e.g. 'AVX3'; the environment variable NPK_SIMD_TARGET forces one.");
}

}  // namespace npk::python
