// Thresholds, where, several queries at once, scores of all rows, segments, cancelling: in memory
// and from a store with deleted rows.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>

#include "npk/internal/text.h"
#include "npk/search.h"
#include "npk/store.h"
#include "simd/target.h"
#include "tests/support/search_reference.h"
#include "tests/support/support.h"

namespace npk {
namespace {

using internal::concat;
using npk::testing::Content;
using npk::testing::difference;
using npk::testing::kAllContents;
using npk::testing::random_query;
using npk::testing::random_rows;
using npk::testing::reference_top_k;
using npk::testing::TempDir;

/// What the options let through of a full, ordered answer.
TopK filtered(const TopK& all, const SearchOptions& options, const std::vector<bool>& selected,
              uint64_t k) {
  TopK kept;
  for (size_t i = 0; i < all.rows.size() && kept.rows.size() < k; ++i) {
    const double score = all.scores[i];
    if (!selected.empty() && !selected[all.rows[i]]) continue;
    if (options.min_score && !(score >= *options.min_score)) continue;
    if (options.max_distance && !(score <= *options.max_distance)) continue;
    kept.rows.push_back(all.rows[i]);
    kept.scores.push_back(score);
  }
  return kept;
}

struct Selection {
  Where where;
  std::vector<bool> rows;
};

/// A where of any form and selectivity, and what it means.
Selection random_selection(uint64_t count, std::mt19937_64& random) {
  const uint64_t shares[] = {0, 1, 10, 50, 99, 100};
  const uint64_t percent = shares[random() % std::size(shares)];
  Selection selection;
  selection.rows.resize(count);
  std::vector<int64_t> list;
  std::vector<uint8_t> mask(count);
  std::vector<uint64_t> words((count + 63) / 64);
  const auto choose = [&](uint64_t row) {
    selection.rows[row] = true;
    mask[row] = static_cast<uint8_t>(1 + random() % 255);
    words[row / 64] |= uint64_t{1} << (row % 64);
    list.push_back(static_cast<int64_t>(row) -
                   (random() % 2 == 0 ? static_cast<int64_t>(count) : 0));
  };
  if (random() % 4 == 0) {
    std::vector<std::pair<uint64_t, uint64_t>> ranges;
    for (uint64_t i = random() % 5; i > 0; --i) {
      const uint64_t begin = random() % (count + 1);
      ranges.emplace_back(begin, begin + random() % (count - begin + 1));
      std::fill(selection.rows.begin() + static_cast<ptrdiff_t>(begin),
                selection.rows.begin() + static_cast<ptrdiff_t>(ranges.back().second), true);
    }
    selection.where = Where::ranges(std::move(ranges));
    return selection;
  }
  for (uint64_t row = 0; row < count; ++row) {
    if (random() % 100 < percent) choose(row);
  }
  std::shuffle(list.begin(), list.end(), random);
  switch (random() % 3) {
    case 0:
      selection.where = Where::rows(std::move(list));
      break;
    case 1:
      selection.where = Where::mask(mask);
      break;
    default:
      selection.where = Where::bitmap(std::move(words), count);
  }
  return selection;
}

/// Options with a threshold near the `place`-th score of the full answer, or none.
SearchOptions random_threshold(const TopK& all, Metric metric, std::mt19937_64& random) {
  SearchOptions options;
  options.metric = metric;
  options.k = random() % 3 == 0 ? 2'000 : 1 + random() % 30;
  options.threads = static_cast<uint32_t>(1 + random() % 3);
  if (random() % 2 == 0 || all.scores.empty()) return options;
  const double score = all.scores[random() % all.scores.size()];
  if (std::isnan(score)) return options;
  (metric_info(metric).larger_is_better ? options.min_score : options.max_distance) = score;
  return options;
}

TEST(SearchOptions, ThresholdsAndWhereActBeforeKAsInTheReference) {
  std::mt19937_64 random(npk::testing::test_seed());
  const auto targets = simd::available_targets();
  const simd::Target before = simd::target();
  for (int repeat = 0; repeat < 400; ++repeat) {
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
  const auto targets = simd::available_targets();
  const simd::Target before = simd::target();
  for (const MetricInfo& info : metric_table()) {
    for (const DType dtype : info.dtypes) {
      for (const Content content : kAllContents) {
        simd::set_target(targets[random() % targets.size()]);
        const uint64_t counts[] = {0, 1, 3, 5, 17, 48, 53};
        const uint64_t count = counts[random() % std::size(counts)];
        const uint64_t dims = 1 + random() % 70;
        const Array base = random_rows(dtype, random() % 1'200, dims, content, random);
        Array queries = *Array::uninitialized(dtype, {count, dims});
        for (uint64_t q = 0; q < count; ++q) {
          const Array query = random_query(dtype, dims, content, random);
          std::memcpy(queries.mutable_data() + q * queries.row_bytes(), query.data(),
                      query.size_bytes());
        }
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
