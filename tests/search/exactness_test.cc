// A million random searches against the float64 reference: every metric, element type, target, way
// of asking and selection; ties, near ties, subnormals, tiny and huge norms, NaN.
//
// NPK_SEED repeats a run, NPK_EXACTNESS_SETS sets how many (query, rows) sets are compared.
#include <algorithm>
#include <cstdio>

#include "npk/internal/text.h"
#include "npk/search.h"
#include "npk/store.h"
#include "simd/target.h"
#include "tests/support/child_process.h"
#include "tests/support/search_cases.h"
#include "tests/support/search_reference.h"
#include "tests/support/support.h"
#include "tests/support/tested_targets.h"

namespace npk::testing {
namespace {

using internal::concat;

/// How a search is asked for. All must give the same answers.
enum class Path : uint8_t { kOneByOne, kTogether, kAllScores, kSegments, kStore };

struct Case {
  const MetricInfo* info;
  DType row_type;
  DType query_type;
  Content content;
  uint64_t rows;
  uint64_t dims;
  uint64_t queries;
  Path path;

  [[nodiscard]] std::string describe() const {
    return concat(info->name, " ", dtype_name(row_type), " (", rows, ", ", dims, "), ", queries,
                  " queries of ", dtype_name(query_type), ", content ", static_cast<int>(content),
                  ", path ", static_cast<int>(path), ", target ", simd_target());
  }
};

class Exactness : public ::testing::Test {
 protected:
  void TearDown() override { simd::set_target(before_); }

  Case random_case() {
    Case c;
    c.info = &metric_table()[random_() % metric_table().size()];
    c.row_type = c.info->dtypes[random_() % c.info->dtypes.size()];
    // Of another type now and then; bits and rows of bits stay together.
    const bool is_bits = c.info->metric == Metric::kHamming || c.info->metric == Metric::kJaccard;
    c.query_type = c.row_type;
    if (!is_bits && random_() % 8 == 0) {
      c.query_type = c.info->dtypes[random_() % c.info->dtypes.size()];
    }
    c.content = kAllContents[random_() % std::size(kAllContents)];
    // Small sets find as much as large ones, but for what blocks and threads can get wrong.
    const uint64_t size = random_() % 500;
    c.rows = size == 0 ? 3'000 + random_() % 20'000 : size < 50 ? random_() % 900 : random_() % 70;
    c.dims = random_() % 12 == 0 ? 64 + random_() % 200 : random_() % 40;
    c.queries = random_() % 2 == 0 ? 1 + random_() % 3 : 4 + random_() % 60;
    if (size == 0) c.queries = 1 + random_() % 5;
    const Path paths[] = {Path::kOneByOne, Path::kTogether, Path::kAllScores, Path::kSegments,
                          Path::kTogether, Path::kTogether, Path::kTogether,  Path::kTogether};
    c.path = size == 1 ? Path::kStore : paths[random_() % std::size(paths)];
    return c;
  }

  /// The answers of a case by its path.
  Result<std::vector<TopK>> ask(const Case& c, const Array& base, const Array& queries,
                                const SearchOptions& options) {
    const VectorEngine engine;
    if (c.path == Path::kTogether) return engine.multi_query_top_k(base, queries, options);
    if (c.path == Path::kStore) {
      const TempDir dir;
      NPK_ASSIGN_OR_RETURN(ParallelIO store, ParallelIO::open(dir.file("s.npk")));
      NPK_RETURN_IF_ERROR(store.save_arrays({{"v", base}}));
      return StreamingVectorEngine().streaming_multi_query_top_k(store, "v", queries, options);
    }
    std::vector<TopK> answers;
    for (uint64_t q = 0; q < queries.rows(); ++q) {
      const ArrayView query = queries.view().slice_rows(q, q + 1);
      TopK answer;
      if (c.path == Path::kSegments && options.where.is_everything()) {
        const uint64_t step = 1 + base.rows() / 3;
        for (uint64_t begin = 0; begin < base.rows(); begin += step) {
          const auto segment =
              base.view().slice_rows(begin, std::min<uint64_t>(begin + step, base.rows()));
          NPK_ASSIGN_OR_RETURN(
              answer, engine.segmented_top_k_search(segment, query, begin, answer, options));
        }
      } else {
        NPK_ASSIGN_OR_RETURN(answer, engine.top_k(base, query, options));
      }
      answers.push_back(std::move(answer));
    }
    return answers;
  }

  /// "" or what is wrong.
  std::string run(const Case& c) {
    const Array base = random_rows(c.row_type, c.rows, c.dims, c.content, random_);
    const Array queries = random_queries(c.query_type, c.queries, c.dims, c.content, random_);
    std::vector<TopK> all;
    for (uint64_t q = 0; q < c.queries; ++q) {
      all.push_back(
          reference_top_k(base, queries.view().slice_rows(q, q + 1), c.info->metric, UINT64_MAX));
    }
    SearchOptions options = random_threshold(all[random_() % all.size()], c.info->metric, random_);
    if (c.path == Path::kAllScores) return scores_difference(c, base, queries, all, options);
    Selection selection;
    if (random_() % 3 == 0) {
      selection = random_selection(c.rows, random_);
      options.where = selection.where;
    }
    auto answers = ask(c, base, queries, options);
    if (!answers.is_ok()) return answers.status().to_string();
    for (uint64_t q = 0; q < c.queries; ++q) {
      const TopK want = filtered(all[q], options, selection.rows, options.k);
      const std::string text = difference((*answers)[q], want);
      if (!text.empty()) return concat("query ", q, " k ", options.k, ": ", text);
    }
    return "";
  }

  static std::string scores_difference(const Case& c, const Array& base, const Array& queries,
                                       const std::vector<TopK>& all, const SearchOptions& options) {
    auto scores = VectorEngine().batch_compute(
        base, queries, {.metric = c.info->metric, .threads = options.threads});
    if (!scores.is_ok()) return scores.status().to_string();
    for (uint64_t q = 0; q < c.queries; ++q) {
      TopK got = {all[q].rows, {}};
      for (const uint64_t row : got.rows) {
        got.scores.push_back(scores->as<double>()[q * c.rows + row]);
      }
      const std::string text = difference(got, all[q]);
      if (!text.empty()) return concat("query ", q, ": ", text);
    }
    return "";
  }

  std::mt19937_64 random_{test_seed()};
  const simd::Target before_ = simd::target();
};

TEST_F(Exactness, AMillionRandomSetsHaveTheRowsOrderAndBitsOfFloat64) {
  const auto targets = tested_targets();
  const uint64_t wanted = env_number("NPK_EXACTNESS_SETS", 1'000'000);
  uint64_t sets = 0;
  while (sets < wanted) {
    simd::set_target(targets[random_() % targets.size()]);
    const Case c = random_case();
    ASSERT_EQ(run(c), "") << c.describe() << " after " << sets << " sets";
    sets += c.queries;
  }
  std::printf("sets compared: %llu\n", static_cast<unsigned long long>(sets));
}

}  // namespace
}  // namespace npk::testing
