// What makes no sense is refused on every path: in memory and from a store, one query and many,
// top-k, range search and all scores.
#include <cmath>
#include <complex>
#include <functional>
#include <limits>

#include "npk/search.h"
#include "npk/store.h"
#include "tests/support/support.h"

namespace npk {
namespace {

using npk::testing::TempDir;

struct Input {
  ArrayView rows;
  ArrayView query;  // Of one axis.
  SearchOptions options = {};
};

struct Path {
  std::string name;
  bool selects = true;    // `where`, k and thresholds have a say.
  bool is_range = false;  // Needs a threshold, has no k.
  std::function<Status(const Input&)> run;
};

ArrayView one_row_of(const ArrayView& query) {
  return ArrayView::raw(query.data(), query.dtype(), {1, query.rows()});
}

std::vector<Path> paths_in_memory() {
  const VectorEngine engine;
  return {
      {"top_k", true, false,
       [=](const Input& in) { return engine.top_k(in.rows, in.query, in.options).status(); }},
      {"top_k_search", true, false,
       [=](const Input& in) {
         return engine.top_k_search(in.rows, in.query, in.options).status();
       }},
      {"range_search", true, true,
       [=](const Input& in) {
         return engine.range_search(in.rows, in.query, in.options).status();
       }},
      {"multi_query_top_k", true, false,
       [=](const Input& in) {
         return engine.multi_query_top_k(in.rows, one_row_of(in.query), in.options).status();
       }},
      {"segmented_top_k_search", true, false,
       [=](const Input& in) {
         return engine.segmented_top_k_search(in.rows, in.query, 0, {}, in.options).status();
       }},
      {"batch_compute, one", false, false,
       [=](const Input& in) {
         return engine.batch_compute(in.rows, in.query, in.options).status();
       }},
      {"batch_compute, many", false, false,
       [=](const Input& in) {
         return engine.batch_compute(in.rows, one_row_of(in.query), in.options).status();
       }},
  };
}

class BadInput : public ::testing::Test {
 protected:
  void SetUp() override {
    Result<ParallelIO> opened = ParallelIO::open(dir_.file("s.npk"));
    NPK_ASSERT_OK(opened);
    store_.emplace(*std::move(opened));
    paths_ = paths_in_memory();
    add("store: top_k", true, false, [this](const Input& in) {
      return engine_.top_k(*store_, "v", in.query, in.options).status();
    });
    add("store: streaming_top_k_from_file", true, false, [this](const Input& in) {
      return engine_.streaming_top_k_from_file(*store_, "v", in.query, in.options).status();
    });
    add("store: range_search", true, true, [this](const Input& in) {
      return engine_.range_search(*store_, "v", in.query, in.options).status();
    });
    add("store: streaming_multi_query_top_k", true, false, [this](const Input& in) {
      return engine_.streaming_multi_query_top_k(*store_, "v", one_row_of(in.query), in.options)
          .status();
    });
    add("store: streaming_batch_compute, one", false, false, [this](const Input& in) {
      return engine_.streaming_batch_compute(*store_, "v", in.query, in.options).status();
    });
    add("store: streaming_batch_compute, many", false, false, [this](const Input& in) {
      return engine_.streaming_batch_compute(*store_, "v", one_row_of(in.query), in.options)
          .status();
    });
  }

  enum class On { kAll, kSelecting, kWithThreshold };
  /// The input is refused on the paths that it concerns. Range searches get a threshold.
  void refused(const Input& given, StatusCode code, const std::string& says, On on = On::kAll) {
    int count = 0;
    for (const auto& [name, status] : run(given, on)) {
      EXPECT_EQ(status.code(), code) << name << ": " << status.to_string();
      EXPECT_THAT(status.to_string(), ::testing::HasSubstr(says)) << name;
      ++count;
    }
    EXPECT_GE(count, 8);
  }
  void accepted(const Input& given) {
    for (const auto& [name, status] : run(given, On::kAll)) {
      EXPECT_TRUE(status.is_ok()) << name << ": " << status.to_string();
    }
  }

  TempDir dir_;
  std::optional<ParallelIO> store_;
  std::vector<float> values_ = std::vector<float>(60, 1.0f);
  ArrayView rows_ = ArrayView::of(values_, {20, 3});
  ArrayView query_ = ArrayView::of(values_.data(), {3});

 private:
  void add(std::string name, bool selects, bool is_range,
           std::function<Status(const Input&)> run_one) {
    paths_.push_back(Path{std::move(name), selects, is_range,
                          [this, run_one = std::move(run_one)](const Input& in) {
                            NPK_RETURN_IF_ERROR(store_->save_arrays({{"v", in.rows}}));
                            return run_one(in);
                          }});
  }
  std::vector<std::pair<std::string, Status>> run(const Input& given, On on) const {
    std::vector<std::pair<std::string, Status>> answers;
    for (const Path& path : paths_) {
      if (on != On::kAll && !path.selects) continue;
      Input input = given;
      const bool is_known = static_cast<size_t>(input.options.metric) < metric_table().size();
      if (path.is_range && on != On::kWithThreshold && is_known) {
        const bool is_larger = metric_info(input.options.metric).larger_is_better;
        (is_larger ? input.options.min_score : input.options.max_distance) = 0.5;
      }
      answers.emplace_back(path.name, path.run(input));
    }
    return answers;
  }

  std::vector<Path> paths_;
  StreamingVectorEngine engine_;
};

TEST_F(BadInput, OfTheWrongDimension) {
  refused({rows_, ArrayView::of(values_.data(), {4})}, StatusCode::kInvalidArgument,
          "4 dimensions, the rows have 3");
  refused({rows_, ArrayView::of(values_.data(), {0})}, StatusCode::kInvalidArgument,
          "0 dimensions, the rows have 3");
  refused({ArrayView::of(values_, {60}), query_}, StatusCode::kInvalidArgument, "not (60,)");
  refused({ArrayView::of(values_, {4, 5, 3}), query_}, StatusCode::kInvalidArgument,
          "not (4, 5, 3)");
}

TEST_F(BadInput, OfTheWrongType) {
  const std::vector<std::complex<float>> complex(60);
  refused({ArrayView::of(complex, {20, 3}), query_}, StatusCode::kInvalidArgument, "complex64");
  refused({rows_, ArrayView::of(complex.data(), {3})}, StatusCode::kInvalidArgument, "complex64");
}

TEST_F(BadInput, OfAMetricThatDoesNotGoWithTheType) {
  refused({rows_, query_, {.metric = Metric::kHamming}}, StatusCode::kInvalidArgument,
          "metric hamming takes rows of uint8, not of float32; those can be searched with cosine, "
          "dot, l2, l2sq, kl, js");
  const std::vector<int32_t> ints(60, 1);
  refused({ArrayView::of(ints, {20, 3}), query_, {.metric = Metric::kKl}},
          StatusCode::kInvalidArgument, "those can be searched with cosine, dot, l2, l2sq");
}

TEST_F(BadInput, OfAnUnknownMetric) {
  refused({rows_, query_, {.metric = static_cast<Metric>(99)}}, StatusCode::kInvalidArgument,
          "metric number 99 is not known");
  NPK_EXPECT_ERROR(metric_from_name("manhattan"), kInvalidArgument,
                   "known are cosine (cos, cosine_similarity), dot (");
}

TEST_F(BadInput, OfAQueryThatIsNotFinite) {
  for (const float value : {std::nanf(""), std::numeric_limits<float>::infinity(),
                            -std::numeric_limits<float>::infinity()}) {
    const std::vector<float> query = {1, value, 1};
    for (const Metric metric : {Metric::kCosine, Metric::kL2, Metric::kJs}) {
      refused({rows_, ArrayView::of(query, {3}), {.metric = metric}}, StatusCode::kInvalidArgument,
              std::isnan(value) ? "holds NaN at element 1" : "holds infinity at element 1");
    }
  }
}

TEST_F(BadInput, OfAWhereOutOfRangeOrOfTheWrongLength) {
  const std::vector<uint8_t> mask(21, 1);
  refused({rows_, query_, {.where = Where::mask(mask)}}, StatusCode::kInvalidArgument,
          "a mask of 21 rows, the array has 20", On::kSelecting);
  refused({rows_, query_, {.where = Where::mask({})}}, StatusCode::kInvalidArgument,
          "a mask of 0 rows, the array has 20", On::kSelecting);
  refused({rows_, query_, {.where = Where::rows({3, 20})}}, StatusCode::kOutOfRange,
          "row 20, the array has 20 rows", On::kSelecting);
  refused({rows_, query_, {.where = Where::rows({-21})}}, StatusCode::kOutOfRange, "row -21",
          On::kSelecting);
  refused({rows_, query_, {.where = Where::ranges({{0, 21}})}}, StatusCode::kOutOfRange,
          "[0, 21), the array has 20 rows", On::kSelecting);
}

TEST_F(BadInput, OfAThresholdThatCannotBeMeant) {
  refused({rows_, query_, {.max_distance = 1}}, StatusCode::kInvalidArgument,
          "give min_score, not max_distance", On::kWithThreshold);
  refused({rows_, query_, {.metric = Metric::kL2, .min_score = 1}}, StatusCode::kInvalidArgument,
          "give max_distance, not min_score", On::kWithThreshold);
  refused({rows_, query_, {.min_score = std::nan("")}}, StatusCode::kInvalidArgument,
          "the threshold is NaN", On::kWithThreshold);
}

TEST_F(BadInput, CancelledInTheMiddle) {
  // Enough rows for several chunks.
  const std::vector<float> many(3'000'000, 1.0f);
  for (const uint32_t threads : {1u, 2u}) {
    SearchOptions options = {.threads = threads};
    options.progress = [](uint64_t done, uint64_t total) { return done < total / 2; };
    refused({ArrayView::of(many, {1'000'000, 3}), query_, options}, StatusCode::kFailedPrecondition,
            "the search was cancelled");
  }
}

TEST_F(BadInput, IsNotWhatALargeKOrNoRowsAre) {
  for (const uint64_t k : {uint64_t{0}, uint64_t{20}, uint64_t{21}, UINT64_MAX}) {
    accepted({rows_, query_, {.k = k}});
    const SearchOptions options = {.k = k};
    NPK_ASSERT_OK_AND_ASSIGN(const TopK in_memory, VectorEngine().top_k(rows_, query_, options));
    NPK_ASSERT_OK_AND_ASSIGN(const TopK in_store,
                             StreamingVectorEngine().top_k(*store_, "v", query_, options));
    EXPECT_EQ(in_memory.rows.size(), std::min<uint64_t>(k, 20));
    EXPECT_EQ(in_store.rows, in_memory.rows);
  }
  for (const Metric metric : {Metric::kCosine, Metric::kL2, Metric::kKl}) {
    accepted({ArrayView::of(values_.data(), {0, 3}), query_, {.metric = metric}});
  }
}

TEST_F(BadInput, OfAnArrayThatIsNotThere) {
  const StreamingVectorEngine engine;
  NPK_EXPECT_ERROR(engine.top_k(*store_, "v", query_), kNotFound, "v");
  NPK_EXPECT_ERROR(engine.range_search(*store_, "v", query_, {.min_score = 1}), kNotFound, "v");
  NPK_EXPECT_ERROR(engine.streaming_batch_compute(*store_, "v", query_), kNotFound, "v");
  NPK_EXPECT_ERROR(engine.streaming_multi_query_top_k(*store_, "v", rows_), kNotFound, "v");
}

TEST_F(BadInput, LeavesNoStatsAndGoodInputDoes) {
  SearchStats stats;
  NPK_ASSERT_OK(VectorEngine().top_k(rows_, query_, {.stats = &stats}));
  EXPECT_EQ(stats.scored_rows, 20u);
  EXPECT_EQ(stats.read_bytes, 240u);
  const SearchOptions one = {.where = Where::rows({7}), .stats = &stats};
  NPK_ASSERT_OK(VectorEngine().top_k(rows_, query_, one));
  EXPECT_EQ(stats.scored_rows, 1u);
  EXPECT_EQ(stats.read_bytes, 12u);
  NPK_ASSERT_OK(VectorEngine().top_k(rows_, query_, {.k = 0, .stats = &stats}));
  EXPECT_EQ(stats.scored_rows, 0u);
}

}  // namespace
}  // namespace npk
