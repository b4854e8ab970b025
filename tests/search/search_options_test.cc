// Thresholds, where, several queries at once, scores of all rows, segments, cancelling: in memory
// and from a store with deleted rows.
#include <algorithm>
#include <limits>

#include "npk/internal/text.h"
#include "npk/search.h"
#include "npk/store.h"
#include "simd/target.h"
#include "tests/support/search_cases.h"
#include "tests/support/search_reference.h"
#include "tests/support/support.h"
#include "tests/support/tested_targets.h"

namespace npk {
namespace {

using internal::concat;
using npk::testing::Content;
using npk::testing::difference;
using npk::testing::filtered;
using npk::testing::kAllContents;
using npk::testing::part_of;
using npk::testing::random_queries;
using npk::testing::random_query;
using npk::testing::random_rows;
using npk::testing::random_selection;
using npk::testing::random_threshold;
using npk::testing::reference_top_k;
using npk::testing::Selection;
using npk::testing::TempDir;

TEST(SearchOptions, ThresholdsAndWhereActBeforeKAsInTheReference) {
  std::mt19937_64 random(npk::testing::test_seed());
  const auto targets = npk::testing::tested_targets();
  const simd::Target before = simd::target();
  for (uint64_t repeat = 0; repeat < part_of(400); ++repeat) {
    simd::set_target(targets[random() % targets.size()]);
    const MetricInfo& info = metric_table()[random() % metric_table().size()];
    const DType dtype = info.dtypes[random() % info.dtypes.size()];
    const Content content = kAllContents[random() % std::size(kAllContents)];
    const uint64_t rows = random() % 1'500;
    const Array base = random_rows(dtype, rows, 19, content, random);
    const Array query = random_query(dtype, 19, content, random);
    const TopK all = reference_top_k(base, query, info.metric, UINT64_MAX);
    const Selection selection = random_selection(rows, random);
    SearchOptions options = random_threshold(all, info.metric, random);
    options.where = selection.where;
    NPK_ASSERT_OK_AND_ASSIGN(const TopK got, VectorEngine().top_k(base, query, options));
    ASSERT_EQ(difference(got, filtered(all, options, selection.rows, options.k)), "")
        << dtype_name(dtype) << " " << info.name;
    if (options.min_score || options.max_distance) {
      NPK_ASSERT_OK_AND_ASSIGN(const TopK range, VectorEngine().range_search(base, query, options));
      ASSERT_EQ(difference(range, filtered(all, options, selection.rows, UINT64_MAX)), "");
    }
  }
  simd::set_target(before);
}

TEST(SearchOptions, WhereNamesLogicalRowsOfAStoreWithDeletedRows) {
  std::mt19937_64 random(npk::testing::test_seed());
  const TempDir dir;
  NPK_ASSERT_OK_AND_ASSIGN(ParallelIO store, ParallelIO::open(dir.file("s.npk")));
  for (int repeat = 0; repeat < 30; ++repeat) {
    NPK_ASSERT_OK(store.save_arrays(
        {{"v", random_rows(DType::kFloat32, 1'000, 9, Content::kDuplicates, random)}}));
    std::vector<int64_t> dropped;
    const uint64_t one_in = 1 + random() % 40;
    for (int64_t row = 0; row < 1'000; ++row) {
      if (random() % one_in == 0) dropped.push_back(row);
    }
    NPK_ASSERT_OK(store.drop_arrays("v", Rows::list(dropped)));
    NPK_ASSERT_OK_AND_ASSIGN(const Array live, store.load_array("v"));
    const Array query = random_query(DType::kFloat32, 9, Content::kNormal, random);
    const TopK all = reference_top_k(live, query, Metric::kL2, UINT64_MAX);
    const Selection selection = random_selection(live.rows(), random);
    SearchOptions options = random_threshold(all, Metric::kL2, random);
    options.where = selection.where;
    const StreamingVectorEngine engine;
    NPK_ASSERT_OK_AND_ASSIGN(const TopK got, engine.top_k(store, "v", query, options));
    ASSERT_EQ(difference(got, filtered(all, options, selection.rows, options.k)), "");
    NPK_ASSERT_OK_AND_ASSIGN(const Array scores,
                             engine.streaming_batch_compute(store, "v", query, options));
    ASSERT_EQ(scores.shape(), (Shape{live.rows()}));
    for (size_t i = 0; i < all.rows.size(); ++i) {
      ASSERT_EQ(scores.as<double>()[all.rows[i]], all.scores[i]);
    }
  }
}

TEST(SearchOptions, ManyQueriesGetTheAnswersOfOneQueryEach) {
  std::mt19937_64 random(npk::testing::test_seed());
  const auto targets = npk::testing::tested_targets();
  const simd::Target before = simd::target();
  for (const MetricInfo& info : metric_table()) {
    for (const DType dtype : info.dtypes) {
      for (const Content content : kAllContents) {
        simd::set_target(targets[random() % targets.size()]);
        const uint64_t counts[] = {0, 1, 3, 5, 17, 48, 53};
        const uint64_t count = counts[random() % std::size(counts)];
        const uint64_t dims = 1 + random() % 70;
        const Array base = random_rows(dtype, random() % part_of(1'200), dims, content, random);
        const Array queries = random_queries(dtype, count, dims, content, random);
        const Selection selection = random_selection(base.rows(), random);
        SearchOptions options = {.metric = info.metric, .k = 1 + random() % 40};
        options.threads = static_cast<uint32_t>(1 + random() % 3);
        if (random() % 2 == 0) options.where = selection.where;
        NPK_ASSERT_OK_AND_ASSIGN(const auto answers,
                                 VectorEngine().multi_query_top_k(base, queries, options));
        ASSERT_EQ(answers.size(), count);
        for (uint64_t q = 0; q < count; ++q) {
          const TopK all =
              reference_top_k(base, queries.view().slice_rows(q, q + 1), info.metric, UINT64_MAX);
          const auto& rows = options.where.is_everything() ? std::vector<bool>() : selection.rows;
          ASSERT_EQ(difference(answers[q], filtered(all, options, rows, options.k)), "")
              << dtype_name(dtype) << " " << info.name << " content " << static_cast<int>(content)
              << " query " << q << " of " << count << " dims " << dims << " " << simd_target();
        }
      }
    }
  }
  simd::set_target(before);
}

TEST(SearchOptions, SegmentsAddUpToTheWhole) {
  std::mt19937_64 random(npk::testing::test_seed());
  for (const Content content : kAllContents) {
    const Array base = random_rows(DType::kFloat32, 1'000, 12, content, random);
    const Array query = random_query(DType::kFloat32, 12, content, random);
    for (const Metric metric : {Metric::kCosine, Metric::kL2Sq}) {
      const SearchOptions options = {.metric = metric, .k = 25};
      TopK current;
      for (uint64_t begin = 0; begin < 1'000; begin += 190) {
        const auto segment = base.view().slice_rows(begin, std::min<uint64_t>(begin + 190, 1'000));
        NPK_ASSERT_OK_AND_ASSIGN(current, VectorEngine().segmented_top_k_search(
                                              segment, query, begin, current, options));
      }
      EXPECT_EQ(difference(current, reference_top_k(base, query, metric, 25)), "");
    }
  }
  const std::vector<float> one = {1};
  NPK_EXPECT_ERROR(VectorEngine().segmented_top_k_search(
                       ArrayView::of(one, {1, 1}), ArrayView::of(one, {1}), 0, TopK{{1, 2}, {0.5}}),
                   kInvalidArgument, "2 rows and 1 scores");
}

TEST(SearchOptions, BatchComputeGivesEveryScore) {
  std::mt19937_64 random(npk::testing::test_seed());
  const Array base = random_rows(DType::kFloat32, 700, 30, Content::kSpecial, random);
  const Array queries = random_rows(DType::kFloat32, 5, 30, Content::kNormal, random);
  for (const Metric metric : {Metric::kCosine, Metric::kDot, Metric::kL2, Metric::kL2Sq}) {
    NPK_ASSERT_OK_AND_ASSIGN(const Array scores,
                             VectorEngine().batch_compute(base, queries, {.metric = metric}));
    ASSERT_EQ(scores.shape(), (Shape{5, 700}));
    for (uint64_t q = 0; q < 5; ++q) {
      const TopK all = reference_top_k(base, queries.view().slice_rows(q, q + 1), metric, 700);
      TopK got = {all.rows, {}};
      for (const uint64_t row : all.rows) got.scores.push_back(scores.as<double>()[q * 700 + row]);
      ASSERT_EQ(difference(got, all), "");
    }
  }
}

TEST(SearchOptions, RefuseWhatCannotBeMeant) {
  const std::vector<float> values(20, 1.0f);
  const auto base = ArrayView::of(values, {10, 2});
  const auto query = ArrayView::of(values.data(), {2});
  const VectorEngine engine;
  const double nan = std::numeric_limits<double>::quiet_NaN();
  NPK_EXPECT_ERROR(engine.top_k(base, query, {.metric = Metric::kCosine, .max_distance = 1}),
                   kInvalidArgument, "cosine is better when larger: give min_score");
  NPK_EXPECT_ERROR(engine.top_k(base, query, {.metric = Metric::kL2, .min_score = 1}),
                   kInvalidArgument, "l2 is a distance: give max_distance");
  NPK_EXPECT_ERROR(engine.top_k(base, query, {.metric = Metric::kDot, .min_score = nan}),
                   kInvalidArgument, "NaN");
  NPK_EXPECT_ERROR(engine.range_search(base, query, {.metric = Metric::kDot}), kInvalidArgument,
                   "needs min_score");
  const std::vector<uint8_t> mask(9, 1);
  NPK_EXPECT_ERROR(engine.top_k(base, query, {.where = Where::mask(mask)}), kInvalidArgument,
                   "where is a mask of 9 rows, the array has 10");
  NPK_EXPECT_ERROR(engine.top_k(base, query, {.where = Where::bitmap({}, 10)}), kInvalidArgument,
                   "mask of 0 rows");
  NPK_EXPECT_ERROR(engine.top_k(base, query, {.where = Where::rows({0, 10})}), kOutOfRange,
                   "row 10");
  NPK_EXPECT_ERROR(engine.top_k(base, query, {.where = Where::rows({-11})}), kOutOfRange,
                   "row -11");
  NPK_EXPECT_ERROR(engine.top_k(base, query, {.where = Where::ranges({{3, 11}})}), kOutOfRange,
                   "[3, 11)");
  NPK_EXPECT_ERROR(engine.top_k(base, query, {.where = Where::ranges({{3, 2}})}), kInvalidArgument,
                   "before it begins");
  NPK_EXPECT_ERROR(engine.multi_query_top_k(base, query), kInvalidArgument,
                   "queries have the shape (count, 2), not (2,)");
  std::vector<float> second_is_nan = {1, 1, 1, std::numeric_limits<float>::quiet_NaN()};
  NPK_EXPECT_ERROR(engine.multi_query_top_k(base, ArrayView::of(second_is_nan, {2, 2})),
                   kInvalidArgument, "query 1: the query holds NaN at element 1");
}

TEST(SearchOptions, ProgressIsToldAndCanCancel) {
  const std::vector<float> values(400'000, 1.0f);
  const auto base = ArrayView::of(values, {100'000, 4});
  const auto query = ArrayView::of(values.data(), {4});
  uint64_t last = 0;
  SearchOptions options;
  options.progress = [&](uint64_t done, uint64_t total) {
    EXPECT_GE(done, last);
    EXPECT_EQ(total, 100'000u);
    last = done;
    return true;
  };
  NPK_EXPECT_OK(VectorEngine().top_k(base, query, options));
  EXPECT_EQ(last, 100'000u);
  options.progress = [](uint64_t, uint64_t) { return false; };
  NPK_EXPECT_ERROR(VectorEngine().top_k(base, query, options), kFailedPrecondition, "cancelled");
  NPK_EXPECT_ERROR(VectorEngine().batch_compute(base, query, options), kFailedPrecondition,
                   "cancelled");
}

TEST(Capabilities, NameTheTargetInUseAndThoseThatThereAre) {
  const std::string text = VectorEngine().capabilities();
  EXPECT_THAT(text, ::testing::StartsWith(std::string(simd_target())));
  EXPECT_THAT(text, ::testing::HasSubstr("SCALAR"));
}

}  // namespace
}  // namespace npk
