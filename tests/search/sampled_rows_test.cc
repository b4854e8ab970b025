// Many queries with a large k are given thresholds that a sample tells of. The answers are what
// they are without, wherever the best rows lie, and also where k rows do not reach the threshold.
#include "core/search/sampled_rows.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <functional>
#include <limits>

#include "npk/search.h"
#include "npk/store.h"
#include "simd/target.h"
#include "tests/support/search_cases.h"
#include "tests/support/search_reference.h"
#include "tests/support/support.h"

namespace npk::testing {
namespace {

using internal::RowSelection;
using internal::SampledRows;

std::vector<uint64_t> selected_rows(const RowSelection& selection, uint64_t begin, uint64_t end) {
  std::vector<uint64_t> words((end - begin + 63) / 64, 0xaaaa);
  selection.selected_words(begin, end, words.data());
  std::vector<uint64_t> rows;
  for (size_t w = 0; w < words.size(); ++w) {
    for (uint64_t bits = words[w]; bits != 0; bits &= bits - 1) {
      rows.push_back(begin + w * 64 + static_cast<uint64_t>(std::countr_zero(bits)));
    }
  }
  return rows;
}

/// Rows whose number is a multiple of three.
class Thirds final : public RowSelection {
 public:
  void selected_words(uint64_t begin, uint64_t end, uint64_t* words) const override {
    std::fill_n(words, (end - begin + 63) / 64, 0);
    for (uint64_t row = begin; row < end; ++row) {
      if (row % 3 == 0) words[(row - begin) / 64] |= uint64_t{1} << ((row - begin) % 64);
    }
  }
  [[nodiscard]] uint64_t logical(uint64_t physical) const override { return physical / 3; }
};

TEST(SampledRows, AreOneOfEachStretchAtNoRegularDistance) {
  constexpr uint64_t kRows = 100'000;
  for (const uint64_t stretch : {uint64_t{16}, uint64_t{62}, uint64_t{1'000}}) {
    const std::vector<uint64_t> rows = selected_rows(SampledRows(nullptr, stretch), 0, kRows);
    EXPECT_NEAR(static_cast<double>(rows.size()),
                static_cast<double>(kRows) / static_cast<double>(stretch), 1);
    std::vector<uint64_t> by_place(4);  // In which quarter of its stretch.
    for (size_t i = 0; i < rows.size(); ++i) {
      ASSERT_EQ(rows[i] / stretch, i);
      ++by_place[rows[i] % stretch * 4 / stretch];
    }
    for (const uint64_t count : by_place) EXPECT_GT(count, rows.size() / 8) << stretch;
  }
}

TEST(SampledRows, AreTheSameFromWhereverTheyAreAskedFor) {
  const Thirds thirds;
  const SampledRows all(nullptr, 17);
  const SampledRows some(&thirds, 17);
  EXPECT_EQ(some.logical(9), 3u);
  EXPECT_EQ(all.logical(9), 9u);
  const std::vector<uint64_t> rows = selected_rows(all, 0, 3'000);
  for (const uint64_t begin : {0u, 1u, 63u, 64u, 100u, 2'000u}) {
    for (const uint64_t end : {begin + 1, begin + 64, begin + 257, uint64_t{3'000}}) {
      std::vector<uint64_t> want;
      std::copy_if(rows.begin(), rows.end(), std::back_inserter(want),
                   [&](uint64_t row) { return row >= begin && row < end; });
      EXPECT_EQ(selected_rows(all, begin, end), want);
      std::erase_if(want, [](uint64_t row) { return row % 3 != 0; });
      EXPECT_EQ(selected_rows(some, begin, end), want);
    }
  }
}

constexpr uint64_t kRows = 6'000;
constexpr uint64_t kDims = 24;
constexpr uint64_t kQueries = 10;
constexpr uint64_t kK = 260;
constexpr uint64_t kStretch = kK / 16;  // Of the rows that are sampled for it.

class SampledSearch : public ::testing::Test {
 protected:
  void SetUp() override {
    base_ = random_rows(DType::kFloat32, kRows, kDims, Content::kNormal, random_);
    queries_ = random_queries(DType::kFloat32, kQueries, kDims, Content::kNormal, random_);
  }

  void set_row(uint64_t row, std::span<const float> values, float factor = 1) {
    for (uint64_t j = 0; j < kDims; ++j) {
      base_.mutable_as<float>()[row * kDims + j] = values[j] * factor;
    }
  }
  std::span<const float> query(uint64_t q) const {
    return queries_.as<float>().subspan(q * kDims, kDims);
  }

  /// Every metric, with one thread and more, must answer as the reference.
  void expect_exact(const Selection& selection = {}) {
    for (const Metric metric : {Metric::kCosine, Metric::kDot, Metric::kL2}) {
      SearchOptions options = {.metric = metric, .k = kK};
      if (!selection.rows.empty()) options.where = selection.where;
      std::vector<TopK> all;
      for (uint64_t q = 0; q < kQueries; ++q) {
        const ArrayView one = queries_.view().slice_rows(q, q + 1);
        all.push_back(reference_top_k(base_, one, metric, UINT64_MAX));
      }
      expect_answers(options, selection, all);
      // Fewer or more than k rows reach it.
      for (const size_t place : {kK / 2, 2 * kK}) {
        const double score = all[0].scores[place];
        if (std::isnan(score)) continue;
        (metric_info(metric).larger_is_better ? options.min_score : options.max_distance) = score;
        expect_answers(options, selection, all);
      }
    }
  }

  void expect_answers(SearchOptions options, const Selection& selection,
                      const std::vector<TopK>& all) {
    for (const uint32_t threads : {1u, 3u}) {
      options.threads = threads;
      options.stats = &stats_;
      NPK_ASSERT_OK_AND_ASSIGN(const auto got,
                               VectorEngine().multi_query_top_k(base_, queries_, options));
      for (uint64_t q = 0; q < kQueries; ++q) {
        ASSERT_EQ(difference(got[q], filtered(all[q], options, selection.rows, options.k)), "")
            << metric_info(options.metric).name << ", query " << q << ", threads " << threads;
      }
    }
  }

  /// What the last search read, in rows.
  uint64_t rows_read() const { return stats_.read_bytes / base_.row_bytes(); }

  std::mt19937_64 random_{test_seed()};
  Array base_;
  Array queries_;
  SearchStats stats_;
  const std::vector<uint64_t> sample_ = selected_rows(SampledRows(nullptr, kStretch), 0, kRows);
};

TEST_F(SampledSearch, ReadsTheSampleOnlyWhereItPays) {
  const auto read_for = [&](uint64_t rows, uint64_t queries, uint64_t k) {
    SearchStats stats;
    NPK_EXPECT_OK(VectorEngine().multi_query_top_k(base_.view().slice_rows(0, rows),
                                                   queries_.view().slice_rows(0, queries),
                                                   {.k = k, .stats = &stats}));
    EXPECT_EQ(stats.scored_rows, rows);
    return stats.read_bytes / base_.row_bytes() - rows;
  };
  EXPECT_EQ(read_for(kRows, kQueries, kK), sample_.size());
  EXPECT_EQ(read_for(kRows, 4, kK), sample_.size());
  EXPECT_EQ(read_for(kRows, 1, kK), 0u);
  EXPECT_EQ(read_for(kRows, kQueries, 10), 0u);
  EXPECT_EQ(read_for(kRows, kQueries, kRows / 4), 0u);
  EXPECT_EQ(read_for(kRows, kQueries, UINT64_MAX), 0u);
  EXPECT_EQ(read_for(4 * kK, kQueries, kK), 0u);
}

TEST_F(SampledSearch, IsExactForRowsInAnyOrder) {
  expect_exact();
  EXPECT_EQ(rows_read(), kRows + sample_.size());
  EXPECT_EQ(stats_.scored_rows, kRows);
}

TEST_F(SampledSearch, IsExactForRowsSortedByTheirScore) {
  // Nearer and nearer to query 0, or further and further away.
  const std::vector<float> before(base_.as<float>().begin(), base_.as<float>().end());
  for (const bool is_ascending : {true, false}) {
    for (uint64_t row = 0; row < kRows; ++row) {
      const uint64_t place = is_ascending ? row : kRows - row;
      const float share = static_cast<float>(place) / static_cast<float>(kRows);
      for (uint64_t j = 0; j < kDims; ++j) {
        base_.mutable_as<float>()[row * kDims + j] =
            share * query(0)[j] + (1 - share) * before[row * kDims + j];
      }
    }
    expect_exact();
  }
}

TEST_F(SampledSearch, IsExactForRowsInClusters) {
  // The best of each query lie together, as many as k, a few more or a few less.
  for (uint64_t q = 0; q < kQueries; ++q) {
    const uint64_t first = random_() % (kRows - 2 * kK);
    for (uint64_t i = 0; i < kK - 5 + random_() % 10; ++i) {
      set_row(first + i, query(q), 3 + static_cast<float>(random_() % 1000) / 1000);
    }
  }
  expect_exact();
}

TEST_F(SampledSearch, IsExactForRowsThatAreAllTheSame) {
  for (uint64_t row = 0; row < kRows; ++row) set_row(row, query(1));
  expect_exact();
}

TEST_F(SampledSearch, IsExactWhereTheScoresOfMostRowsAreNaN) {
  // First more rows than k have a number, then fewer.
  for (const uint64_t step : {7u, 40u}) {
    for (uint64_t row = 0; row < kRows; ++row) {
      if (row % step == 0) continue;
      base_.mutable_as<float>()[row * kDims + row % kDims] =
          std::numeric_limits<float>::quiet_NaN();
    }
    expect_exact();
  }
}

TEST_F(SampledSearch, IsExactForAnySelection) {
  for (int repeat = 0; repeat < 6; ++repeat) expect_exact(random_selection(kRows, random_));
}

TEST_F(SampledSearch, AsksAgainIfTheSampleHoldsTooManyOfTheBest) {
  // Far fewer than k rows are good for query 3, and nearly all are drawn.
  for (size_t i = 0; i < 100; ++i) set_row(sample_[i * 3], query(3), 100);
  for (const uint32_t threads : {1u, 2u}) {
    uint64_t last = 0;
    SearchOptions options = {.k = kK, .threads = threads, .stats = &stats_};
    options.progress = [&](uint64_t done, uint64_t total) {
      EXPECT_GE(done, last);
      EXPECT_EQ(total, kRows);
      last = done;
      return true;
    };
    NPK_ASSERT_OK_AND_ASSIGN(const auto got,
                             VectorEngine().multi_query_top_k(base_, queries_, options));
    EXPECT_EQ(rows_read(), 2 * kRows + sample_.size());
    EXPECT_EQ(stats_.scored_rows, kRows);
    EXPECT_EQ(last, kRows);
    for (uint64_t q = 0; q < kQueries; ++q) {
      const ArrayView one = queries_.view().slice_rows(q, q + 1);
      EXPECT_EQ(difference(got[q], reference_top_k(base_, one, Metric::kCosine, kK)), "") << q;
    }
  }
  expect_exact();
}

TEST_F(SampledSearch, CanBeCancelledWhileItAsksAgain) {
  for (size_t i = 0; i < 100; ++i) set_row(sample_[i * 3], query(3), 100);
  bool was_done = false;
  SearchOptions options = {.k = kK, .threads = 1};
  options.progress = [&](uint64_t done, uint64_t total) {
    return !std::exchange(was_done, done == total);
  };
  NPK_EXPECT_ERROR(VectorEngine().multi_query_top_k(base_, queries_, options), kFailedPrecondition,
                   "cancelled");
}

TEST_F(SampledSearch, OfAStoreLeavesDeletedRowsOut) {
  const TempDir dir;
  NPK_ASSERT_OK_AND_ASSIGN(ParallelIO store, ParallelIO::open(dir.file("s.npk")));
  NPK_ASSERT_OK(store.save_arrays({{"rows", base_.view()}}));
  for (const uint64_t percent : {30u, 96u}) {
    // At last fewer than k are left.
    std::vector<int64_t> deleted;
    NPK_ASSERT_OK_AND_ASSIGN(const Shape shape, store.get_shape("rows"));
    for (uint64_t row = 0; row < shape[0]; ++row) {
      if (random_() % 100 < percent) deleted.push_back(static_cast<int64_t>(row));
    }
    NPK_ASSERT_OK(store.drop_arrays("rows", Rows::list(deleted)));
    NPK_ASSERT_OK_AND_ASSIGN(const Array live, store.load_array("rows"));
    for (const uint32_t threads : {1u, 3u}) {
      NPK_ASSERT_OK_AND_ASSIGN(const auto got,
                               StreamingVectorEngine().streaming_multi_query_top_k(
                                   store, "rows", queries_, {.k = kK, .threads = threads}));
      for (uint64_t q = 0; q < kQueries; ++q) {
        const ArrayView one = queries_.view().slice_rows(q, q + 1);
        EXPECT_EQ(difference(got[q], reference_top_k(live, one, Metric::kCosine, kK)), "") << q;
      }
    }
  }
}

}  // namespace
}  // namespace npk::testing
