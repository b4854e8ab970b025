// Many queries at once give the answers of each alone, whatever the panels and the bounds made of
// them, in bounded memory.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "npk/internal/text.h"
#include "npk/search.h"
#include "simd/target.h"
#include "tests/support/heap_peak.h"
#include "tests/support/search_cases.h"
#include "tests/support/search_reference.h"
#include "tests/support/support.h"
#include "tests/support/tested_targets.h"

namespace npk::testing {
namespace {

using internal::concat;

class ManyQueries : public ::testing::Test {
 protected:
  void TearDown() override { simd::set_target(before_); }

  /// Every target and thread count must give `want`, one answer for each query.
  void expect_everywhere(const ArrayView& base, const ArrayView& queries, SearchOptions options,
                         const std::vector<TopK>& want) {
    for (const simd::Target target : tested_targets()) {
      simd::set_target(target);
      for (const uint32_t threads : {1u, 3u}) {
        options.threads = threads;
        NPK_ASSERT_OK_AND_ASSIGN(const auto got,
                                 VectorEngine().multi_query_top_k(base, queries, options));
        ASSERT_EQ(got.size(), want.size());
        for (size_t q = 0; q < want.size(); ++q) {
          ASSERT_EQ(difference(got[q], want[q]), "")
              << "query " << q << " of " << want.size() << ", " << metric_info(options.metric).name
              << " of " << dtype_name(base.dtype()) << ", " << base.rows() << " x "
              << base.shape()[1] << ", k " << options.k << ", threads " << threads << ", "
              << simd_target();
        }
      }
    }
  }

  /// The references of all queries.
  static std::vector<TopK> full_answers(const ArrayView& base, const ArrayView& queries,
                                        Metric metric) {
    std::vector<TopK> all;
    for (uint64_t q = 0; q < queries.rows(); ++q) {
      all.push_back(reference_top_k(base, queries.slice_rows(q, q + 1), metric, UINT64_MAX));
    }
    return all;
  }

  std::mt19937_64 random_{test_seed()};
  const simd::Target before_ = simd::target();
};

constexpr Metric kProductMetrics[] = {Metric::kCosine, Metric::kDot, Metric::kL2, Metric::kL2Sq};

TEST_F(ManyQueries, OfAnyNumberHaveTheAnswersOfEachAlone) {
  // Around every width of panel: of quads, of one to three vectors of 4, 8 and 16.
  for (const uint64_t count : {1u,  3u,  4u,  5u,  7u,  9u,  10u, 12u, 13u, 15u, 16u, 17u, 20u,
                               31u, 33u, 47u, 48u, 49u, 52u, 61u, 64u, 65u, 79u, 96u, 99u, 100u}) {
    const Metric metric = kProductMetrics[random_() % std::size(kProductMetrics)];
    const Content content = kAllContents[random_() % std::size(kAllContents)];
    // From 64 dimensions on there are quads.
    const uint64_t dims = random_() % 2 == 0 ? 64 + random_() % 40 : 1 + random_() % 64;
    const uint64_t rows = 70 + random_() % part_of(600);
    const Array base = random_rows(DType::kFloat32, rows, dims, content, random_);
    const Array queries = random_queries(DType::kFloat32, count, dims, content, random_);
    const std::vector<TopK> all = full_answers(base, queries, metric);
    for (const uint64_t k : {uint64_t{1}, uint64_t{10}, uint64_t{100}, rows + 5}) {
      std::vector<TopK> want;
      for (const TopK& full : all) want.push_back(filtered(full, {}, {}, k));
      expect_everywhere(base, queries, {.metric = metric, .k = k}, want);
    }
  }
}

TEST_F(ManyQueries, OfEveryTypeAndContentHaveTheAnswersOfEachAlone) {
  for (const Metric metric : kProductMetrics) {
    for (const DType dtype : metric_info(metric).dtypes) {
      for (const Content content : kAllContents) {
        const uint64_t rows = 70 + random_() % part_of(500);
        const uint64_t dims = 1 + random_() % 100;
        const Array base = random_rows(dtype, rows, dims, content, random_);
        const Array queries = random_queries(dtype, 4 + random_() % 60, dims, content, random_);
        const std::vector<TopK> all = full_answers(base, queries, metric);
        SearchOptions options = random_threshold(all[random_() % all.size()], metric, random_);
        Selection selection;
        if (random_() % 2 == 0) {
          selection = random_selection(rows, random_);
          options.where = selection.where;
        }
        std::vector<TopK> want;
        for (const TopK& full : all) {
          want.push_back(filtered(full, options, selection.rows, options.k));
        }
        expect_everywhere(base, queries, options, want);
      }
    }
  }
}

TEST_F(ManyQueries, OfManyBlocksAreExactWhetherTheirScoresLieFarApartOrNot) {
  // So many that bounds are known well, and rows rejected by less than float32 could tell; of
  // contents whose scores lie close together less is rejected, and then nothing for a while.
  for (const Content content : kAllContents) {
    const Metric metric = kProductMetrics[random_() % std::size(kProductMetrics)];
    const std::span<const DType> dtypes = metric_info(metric).dtypes;
    for (const DType dtype : {DType::kFloat32, dtypes[random_() % dtypes.size()]}) {
      const uint64_t rows = 1'500 + part_of(7'500);
      const uint64_t dims = 17 + random_() % 60;
      const Array base = random_rows(dtype, rows, dims, content, random_);
      const Array queries = random_queries(dtype, 9 + random_() % 20, dims, content, random_);
      const uint64_t k = random_() % 2 == 0 ? 1 + random_() % 10 : 200;
      std::vector<TopK> want;
      for (const TopK& full : full_answers(base, queries, metric)) {
        want.push_back(filtered(full, {}, {}, k));
      }
      expect_everywhere(base, queries, {.metric = metric, .k = k}, want);
    }
  }
}

TEST_F(ManyQueries, OfBytesAgainstBytesOfTheOtherKindToo) {
  for (const DType rows_of : {DType::kInt8, DType::kUint8}) {
    for (const DType queries_of : {DType::kInt8, DType::kUint8}) {
      for (const uint64_t count : {4u, 16u, 17u, 33u, 49u, 64u, 100u}) {
        const Metric metric = kProductMetrics[random_() % std::size(kProductMetrics)];
        const Content content = kAllContents[random_() % std::size(kAllContents)];
        const uint64_t rows = 70 + random_() % part_of(500);
        const uint64_t dims = 1 + random_() % 200;
        const Array base = random_rows(rows_of, rows, dims, content, random_);
        const Array queries = random_queries(queries_of, count, dims, content, random_);
        const uint64_t k = 1 + random_() % 30;
        std::vector<TopK> want;
        for (const TopK& full : full_answers(base, queries, metric)) {
          want.push_back(filtered(full, {}, {}, k));
        }
        expect_everywhere(base, queries, {.metric = metric, .k = k}, want);
      }
    }
  }
}

TEST_F(ManyQueries, OfRowsThatFloat32CannotTellApartAreExactForAnyK) {
  // All rows are the same but for one last bit here and there: no range of scores says anything.
  const uint64_t rows = 500 + part_of(2'500);
  const uint64_t dims = 70;
  Array base = *Array::uninitialized(DType::kFloat32, {rows, dims});
  const Array row = random_query(DType::kFloat32, dims, Content::kNormal, random_);
  for (uint64_t i = 0; i < rows; ++i) {
    std::memcpy(base.mutable_data() + i * base.row_bytes(), row.data(), row.size_bytes());
    float& element = base.mutable_as<float>()[i * dims + random_() % dims];
    if (random_() % 3 != 0) element = std::nextafter(element, random_() % 2 == 0 ? 9.0f : -9.0f);
  }
  const Array queries = random_queries(DType::kFloat32, 20, dims, Content::kNormal, random_);
  for (const Metric metric : kProductMetrics) {
    const std::vector<TopK> all = full_answers(base, queries, metric);
    for (const uint64_t k : {uint64_t{1}, uint64_t{20}, uint64_t{300}, rows - 1}) {
      std::vector<TopK> want;
      for (const TopK& full : all) want.push_back(filtered(full, {}, {}, k));
      expect_everywhere(base, queries, {.metric = metric, .k = k}, want);
    }
  }
}

TEST_F(ManyQueries, SearchedInGroupsAreAnsweredInOrderAndToldAsOneSearch) {
  // Each keeps up to 20,000 candidates per thread, so that a group is of a few.
  const uint64_t rows = 20'000;
  const uint64_t count = 60;
  const Array base = random_rows(DType::kFloat32, rows, 4, Content::kNormal, random_);
  const Array queries = random_queries(DType::kFloat32, count, 4, Content::kNormal, random_);
  uint64_t last = 0;
  SearchOptions options = {.metric = Metric::kDot, .k = rows, .threads = 2};
  options.progress = [&](uint64_t done, uint64_t total) {
    EXPECT_GE(done, last);
    EXPECT_EQ(total, rows);
    last = done;
    return true;
  };
  NPK_ASSERT_OK_AND_ASSIGN(const auto got,
                           VectorEngine().multi_query_top_k(base, queries, options));
  EXPECT_EQ(last, rows);
  for (uint64_t q = 0; q < count; ++q) {
    const auto query = queries.view().slice_rows(q, q + 1);
    EXPECT_EQ(difference(got[q], reference_top_k(base, query, Metric::kDot, rows)), "") << q;
  }
}

TEST_F(ManyQueries, AreAllCheckedBeforeTheFirstIsSearched) {
  const uint64_t rows = 20'000;
  const Array base = random_rows(DType::kFloat32, rows, 4, Content::kNormal, random_);
  Array queries = random_queries(DType::kFloat32, 60, 4, Content::kNormal, random_);
  queries.mutable_as<float>()[59 * 4 + 2] = std::numeric_limits<float>::infinity();
  SearchOptions options = {.k = rows};
  options.progress = [](uint64_t, uint64_t) {
    ADD_FAILURE() << "searched";
    return true;
  };
  NPK_EXPECT_ERROR(VectorEngine().multi_query_top_k(base, queries, options), kInvalidArgument,
                   "query 59: the query holds infinity at element 2");
}

/// What a search took from the heap beyond its answers.
uint64_t extra_bytes(const ArrayView& base, const ArrayView& queries,
                     const SearchOptions& options) {
  const HeapPeak peak;
  const auto answers = VectorEngine().multi_query_top_k(base, queries, options);
  if (!answers.is_ok()) return UINT64_MAX;
  uint64_t answer_bytes = answers->capacity() * sizeof(TopK);
  for (const TopK& answer : *answers) {
    answer_bytes += answer.rows.capacity() * sizeof(uint64_t);
    answer_bytes += answer.scores.capacity() * sizeof(double);
  }
  return peak.bytes() - std::min(peak.bytes(), answer_bytes);
}

TEST_F(ManyQueries, NeedAtMost64MiBBesideTheirAnswers) {
  constexpr uint64_t kMost = 64u << 20;
  struct Size {
    DType dtype;
    uint64_t rows, dims, queries, k;
  };
  const Size sizes[] = {
      {DType::kFloat32, 1'500'000, 16, 100, 10},    // Many rows.
      {DType::kFloat32, 20'000, 32, 3'000, 1'000},  // Many queries, many hits.
      {DType::kFloat32, 200, 4'096, 4'000, 10},     // Queries of 64 MiB and more.
      {DType::kInt8, 300, 12'000, 100, 10},         // Rows that grow when converted.
      {DType::kInt32, 300, 12'000, 100, 10},        // And to float64.
      {DType::kFloat32, 100'000, 8, 5, 100'000},    // All rows.
  };
  for (const Size& size : sizes) {
    const Array base = random_rows(size.dtype, size.rows, size.dims, Content::kNormal, random_);
    const Array queries =
        random_rows(size.dtype, size.queries, size.dims, Content::kNormal, random_);
    for (const Metric metric : {Metric::kCosine, Metric::kL2}) {
      const SearchOptions options = {.metric = metric, .k = size.k, .threads = 2};
      EXPECT_LE(extra_bytes(base, queries, options), kMost)
          << dtype_name(size.dtype) << " " << size.rows << " x " << size.dims << ", "
          << size.queries << " queries, k " << size.k;
    }
  }
}

}  // namespace
}  // namespace npk::testing
