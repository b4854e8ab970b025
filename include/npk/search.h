// Exact nearest rows: VectorEngine in memory, StreamingVectorEngine straight from a store.
//
// The answer is that of float64 arithmetic in one fixed order (docs/simd.md), the same bits on
// every machine, with any number of threads, in memory or from file. Order: score, then lower row
// number; rows whose score is NaN come last, by row number.
#ifndef NPK_SEARCH_H_
#define NPK_SEARCH_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "npk/array.h"
#include "npk/status.h"
#include "npk/store.h"

namespace npk {

/// What each is: docs/simd.md. kl is not symmetric: it is that of the query, or of the first
/// vector, relative to the row, or the second.
enum class Metric : uint8_t {
  kCosine = 0,
  kDot = 1,
  kL2 = 2,
  kL2Sq = 3,
  kHamming = 4,
  kJaccard = 5,
  kKl = 6,
  kJs = 7,
};

struct MetricInfo {
  Metric metric;
  std::string_view name;
  std::span<const std::string_view> aliases;
  bool larger_is_better;
  std::span<const DType> dtypes;  ///< Element types this version searches with it.
};

/// All metrics, in the order of their numbers.
std::span<const MetricInfo> metric_table() noexcept;
const MetricInfo& metric_info(Metric metric) noexcept;
/// By name or alias, in any case. Errors: InvalidArgument that lists the known ones.
Result<Metric> metric_from_name(std::string_view name);

/// Which rows a search may return. Numbers are logical, as everywhere.
/// Thread safety: a value; copies share what they hold.
class Where {
 public:
  /// Every row.
  Where() = default;
  /// Row i if bit i % 64 of word i / 64 is set. Requires: words for `row_count` rows, which must be
  /// the row count of the array (else the search answers InvalidArgument).
  static Where bitmap(std::vector<uint64_t> words, uint64_t row_count);
  /// Rows whose byte is not 0. Its length must be the row count of the array.
  static Where mask(std::span<const uint8_t> mask);
  /// These rows, in any order; -1 is the last row. Out of range: OutOfRange.
  static Where rows(std::vector<int64_t> rows);
  /// Rows of any of the ranges [begin, end). An end beyond the array: OutOfRange.
  static Where ranges(std::vector<std::pair<uint64_t, uint64_t>> ranges);

  [[nodiscard]] bool is_everything() const noexcept { return set_ == nullptr; }

  struct Set;  // core/search/where_set.h
  [[nodiscard]] const Set* set() const noexcept { return set_.get(); }

 private:
  explicit Where(std::shared_ptr<const Set> set) : set_(std::move(set)) {}
  std::shared_ptr<const Set> set_;
};

/// What a search did.
struct SearchStats {
  uint64_t scored_rows = 0;   ///< Rows that were held against the queries; of many queries, once.
  uint64_t read_bytes = 0;    ///< Bytes of rows that were read, from wherever.
  uint64_t direct_bytes = 0;  ///< Read from the file around the page cache, by io_uring.
  uint64_t copied_bytes = 0;  ///< Read from the file through the page cache, by pread.
};

struct SearchOptions {
  // Behaviour.
  Metric metric = Metric::kCosine;
  /// Rows to return; more than there are returns them all, 0 none. No say in a range search, which
  /// a threshold with UINT64_MAX is too.
  uint64_t k = 10;
  /// Only rows that score at least this; for metrics whose larger value is the better one.
  std::optional<double> min_score = {};
  /// Only rows at most this far away; for metrics whose smaller value is the better one.
  std::optional<double> max_distance = {};
  /// Only these rows.
  Where where = {};

  // Performance.
  /// Threads to score with; 0: as many as there are processors, fewer for little work.
  uint32_t threads = 0;
  /// progress(done_rows, total_rows), from one thread at a time and any thread; false cancels, and
  /// the search answers FailedPrecondition.
  std::function<bool(uint64_t, uint64_t)> progress = {};
  /// If given, set by a search that returned OK. Lifetime: of the search.
  SearchStats* stats = nullptr;
};

/// The nearest rows, best first.
struct TopK {
  std::vector<uint64_t> rows;  ///< Logical row numbers.
  std::vector<double> scores;  ///< The metric's value for each.
};

/// The SIMD target in use: "AVX3", "AVX2", "NEON", …, "SCALAR". NPK_SIMD_TARGET forces one.
std::string_view simd_target() noexcept;

/// "AVX3_DL; available: SCALAR, SSE4, AVX2, AVX3, AVX3_DL"
std::string simd_capabilities();

/// Search over arrays in memory. Thread safety: const methods from any threads at once.
///
/// `base` has the shape (rows, dimensions), a query (dimensions) or (1, dimensions), queries
/// (count, dimensions). Element types may differ: they meet in float64.
/// Errors of all: InvalidArgument for shapes that do not go together, a query with NaN or infinity,
/// a metric that is not offered for the element type (the message says which are), a threshold of
/// the wrong direction; OutOfRange for a `where` beyond the rows.
class VectorEngine {
 public:
  /// The metric of two vectors of one length. NaN and infinity are allowed here and give what
  /// float64 gives.
  Result<double> compute_metric(const ArrayView& a, const ArrayView& b, Metric metric) const;
  /// The metric of every row: float64 of shape (rows) for a query of one axis, (count, rows) for
  /// queries of two. Of the options, the metric, threads and progress have a say.
  Result<Array> batch_compute(const ArrayView& base, const ArrayView& queries,
                              const SearchOptions& options = {}) const;
  Result<TopK> top_k(const ArrayView& base, const ArrayView& query,
                     const SearchOptions& options = {}) const;
  /// top_k under NumPack's name.
  Result<TopK> top_k_search(const ArrayView& base, const ArrayView& query,
                            const SearchOptions& options = {}) const {
    return top_k(base, query, options);
  }
  /// Every row that passes min_score or max_distance, one of which must be given, best first.
  Result<TopK> range_search(const ArrayView& base, const ArrayView& query,
                            const SearchOptions& options) const;
  /// The answers of top_k for each of the queries, at a fraction of its cost.
  Result<std::vector<TopK>> multi_query_top_k(const ArrayView& base, const ArrayView& queries,
                                              const SearchOptions& options = {}) const;
  /// The k best of `current` and of the rows of `segment`, whose row 0 is row `first_row` of the
  /// whole: called for segment after segment it gives the answer of top_k over all of them.
  Result<TopK> segmented_top_k_search(const ArrayView& segment, const ArrayView& query,
                                      uint64_t first_row, const TopK& current,
                                      const SearchOptions& options = {}) const;
  [[nodiscard]] std::string capabilities() const { return simd_capabilities(); }
};

/// Search over an array of a store where it lies: deleted rows are never returned, row numbers are
/// logical, and the answer is that of one committed state. Rows that are in memory are read from
/// the mapping; others, where there are 16 MiB and more, around the page cache by io_uring, or by
/// pread where that cannot be. NPK_IO = mmap, uring or pread forces one way (docs/architecture.md).
/// Beyond the mapping and the answers it needs at most 32 MiB for queries and candidates, 4 MiB per
/// thread and, for cold rows, 40 MiB for reads, whatever the array holds and however many queries
/// there are; for a range search or a k of many thousands, instead of the first, 72 bytes per
/// thread for each of the rows that one answer may hold.
/// Errors: as VectorEngine, with the array's name; NotFound.
class StreamingVectorEngine {
 public:
  Result<TopK> top_k(const StoreReader& store, std::string_view name, const ArrayView& query,
                     const SearchOptions& options = {}) const;
  Result<TopK> range_search(const StoreReader& store, std::string_view name, const ArrayView& query,
                            const SearchOptions& options) const;
  /// top_k under NumPack's name.
  Result<TopK> streaming_top_k_from_file(const StoreReader& store, std::string_view name,
                                         const ArrayView& query,
                                         const SearchOptions& options = {}) const {
    return top_k(store, name, query, options);
  }
  Result<Array> streaming_batch_compute(const StoreReader& store, std::string_view name,
                                        const ArrayView& queries,
                                        const SearchOptions& options = {}) const;
  Result<std::vector<TopK>> streaming_multi_query_top_k(const StoreReader& store,
                                                        std::string_view name,
                                                        const ArrayView& queries,
                                                        const SearchOptions& options = {}) const;
  [[nodiscard]] std::string capabilities() const { return simd_capabilities(); }
};

}  // namespace npk

#endif  // NPK_SEARCH_H_
