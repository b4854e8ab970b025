// Docstrings of the engines.
#ifndef NPK_BINDINGS_PYTHON_ENGINE_DOCS_H_
#define NPK_BINDINGS_PYTHON_ENGINE_DOCS_H_

namespace npk::python::docs {

inline constexpr auto kVectorEngine = R"(Exact nearest rows of arrays in memory.

The answer is that of float64 arithmetic in one fixed order: the same bits on every machine, with
any number of threads. Order: score, then lower row number; rows whose score is NaN come last.

candidates: shape (rows, dimensions), any strides; query: (dimensions) or (1, dimensions); queries:
(count, dimensions). Elements: any numbers but complex ones; hamming and jaccard take packed bits
(uint8). All methods may be called from any threads at once, and release the GIL while they work.
Metrics: cosine, dot, l2, l2sq, hamming, jaccard, kl, js, and aliases; npk.metrics() lists them.
Raises ValueError for shapes that do not go together, a query with NaN or infinity, a metric that
the elements do not have, a threshold of the wrong direction; TypeError for elements that are no
numbers; IndexError for a `where` beyond the rows.)";

inline constexpr auto kStreamingVectorEngine =
    R"(Exact nearest rows of an array of a store, where it lies.

As VectorEngine, with a Store, or the path of one, and an array's name in place of the candidates.
Deleted rows are never returned, row numbers are logical, and the answer is that of one committed
state. Raises also KeyError for an array, FileNotFoundError for a store that is not there.)";

inline constexpr auto kComputeMetric = R"(The metric of two vectors of one length.

NaN and infinity are allowed here and give what float64 gives.)";

inline constexpr auto kBatchCompute = R"(The metric of every row.

float64 of shape (rows) for a query of one axis, (count, rows) for queries of two.)";

inline constexpr auto kTopK = R"(The k nearest rows, best first: (rows, scores).

rows: uint64, scores: float64, both of shape (n); n is k, or less if there are fewer rows.
min_score: only rows that score at least this, where larger is better (cosine, dot).
max_distance: only rows at most this far away, where smaller is better.
where: only these rows: a boolean mask, row numbers, a slice.
threads: 0 for as many as there are processors.
progress(done_rows, total_rows): called from time to time; False cancels (RuntimeError).)";

inline constexpr auto kRangeSearch =
    R"(Every row that passes min_score or max_distance, one of which must be given, best first.

Arguments and answer as of the top-k search; k has no say.)";

inline constexpr auto kMultiTopK =
    R"(The k nearest rows of each query, at a fraction of the cost of one search for each.

(rows, scores), uint64 and float64, both of shape (count, n); row i is the answer to query i. If a
threshold leaves a query fewer hits than another, its places are filled up with 2**64 - 1 and NaN.
Arguments as of the top-k search.)";

inline constexpr auto kSegmentedTopK =
    R"(The k best of `current_rows`, `current_scores` and of the rows of `segment`.

Row 0 of the segment is row `first_row` of the whole. Called for segment after segment, first with
empty arrays, it gives the answer of top_k_search over all of them. `where` is about the segment.)";

inline constexpr auto kCapabilities =
    R"(The SIMD target in use and those available, e.g. 'AVX3; available: SCALAR, SSE4, AVX3'.)";

}  // namespace npk::python::docs

#endif  // NPK_BINDINGS_PYTHON_ENGINE_DOCS_H_
