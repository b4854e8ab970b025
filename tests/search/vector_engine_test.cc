#include <cmath>
#include <limits>

#include "npk/internal/text.h"
#include "npk/search.h"
#include "simd/target.h"
#include "tests/support/search_reference.h"
#include "tests/support/support.h"
#include "tests/support/tested_targets.h"

namespace npk {
namespace {

using internal::concat;
using npk::testing::Content;
using npk::testing::difference;
using npk::testing::kAllContents;
using npk::testing::part_of;
using npk::testing::random_query;
using npk::testing::random_rows;
using npk::testing::reference_top_k;

/// Restores the target in use.
class TargetScope {
 public:
  TargetScope() : before_(simd::target()) {}
  ~TargetScope() { simd::set_target(before_); }

 private:
  simd::Target before_;
};

std::string describe(DType dtype, Metric metric, Content content, uint64_t rows, uint64_t dims,
                     const SearchOptions& options) {
  return concat(dtype_name(dtype), " ", metric_info(metric).name, " content ",
                static_cast<int>(content), " ", rows, " x ", dims, " k ", options.k, " threads ",
                options.threads, " ", simd_target());
}

/// All targets and thread counts must give the reference's rows, order and bits.
void expect_reference_everywhere(const ArrayView& base, const ArrayView& query, Metric metric,
                                 uint64_t k, Content content) {
  const TopK want = reference_top_k(base, query, metric, k);
  const TargetScope scope;
  for (const simd::Target target : npk::testing::tested_targets()) {
    simd::set_target(target);
    for (const uint32_t threads : {1u, 3u}) {
      const SearchOptions options = {.metric = metric, .k = k, .threads = threads};
      NPK_ASSERT_OK_AND_ASSIGN(const TopK got, VectorEngine().top_k(base, query, options));
      ASSERT_EQ(difference(got, want), "")
          << describe(base.dtype(), metric, content, base.rows(), base.shape()[1], options);
    }
  }
}

TEST(VectorEngine, GivesTheRowsOrderAndBitsOfFloat64OnEveryTarget) {
  std::mt19937_64 random(npk::testing::test_seed());
  for (const MetricInfo& info : metric_table()) {
    for (const DType dtype : info.dtypes) {
      for (const Content content : kAllContents) {
        for (int repeat = 0; repeat < 4; ++repeat) {
          const uint64_t rows =
              random() % 3 == 0 ? random() % 10 : part_of(300) + random() % part_of(700);
          const uint64_t dims = repeat == 0 ? 1 + random() % 8 : 1 + random() % 150;
          const uint64_t k = random() % 4 == 0 ? random() % 2000 : 1 + random() % 20;
          const Array base = random_rows(dtype, rows, dims, content, random);
          const Array query = random_query(dtype, dims, content, random);
          expect_reference_everywhere(base, query, info.metric, k, content);
        }
      }
    }
  }
}

TEST(VectorEngine, GivesTheSameAnswerWithManyThreadsAndChunks) {
  std::mt19937_64 random(npk::testing::test_seed());
  const uint64_t rows = part_of(30'000);
  for (const MetricInfo& info : metric_table()) {
    const DType dtype = info.dtypes.front();
    for (const Content content : kAllContents) {
      const Array base = random_rows(dtype, rows, 33, content, random);
      const Array query = random_query(dtype, 33, content, random);
      for (const uint64_t k : {1u, 10u, 1'000u}) {
        const TopK want = reference_top_k(base, query, info.metric, k);
        for (const uint32_t threads : {1u, 2u, 5u}) {
          const SearchOptions options = {.metric = info.metric, .k = k, .threads = threads};
          NPK_ASSERT_OK_AND_ASSIGN(const TopK got, VectorEngine().top_k(base, query, options));
          ASSERT_EQ(difference(got, want), "")
              << describe(dtype, info.metric, content, rows, 33, options);
        }
      }
    }
  }
}

TEST(VectorEngine, ProductsThatOverflowFloat32DoNotOverflow) {
  const std::vector<float> base = {3e38f, 3e38f, -3e38f, 3e38f, 1e-45f, 0.0f};
  const std::vector<float> query = {3e38f, 3e38f};
  const auto rows = ArrayView::of(base, {3, 2});
  const auto wanted = ArrayView::of(query, {2});
  NPK_ASSERT_OK_AND_ASSIGN(const TopK dot,
                           VectorEngine().top_k(rows, wanted, {.metric = Metric::kDot}));
  EXPECT_EQ(dot.rows, (std::vector<uint64_t>{0, 2, 1}));
  EXPECT_EQ(dot.scores[0], 2.0 * double{3e38f} * double{3e38f});
  NPK_ASSERT_OK_AND_ASSIGN(const TopK cosine, VectorEngine().top_k(rows, wanted, {}));
  EXPECT_EQ(cosine.rows, (std::vector<uint64_t>{0, 2, 1}));
  EXPECT_DOUBLE_EQ(cosine.scores[1], std::sqrt(0.5));
}

TEST(VectorEngine, SortsTiesByRowAndNaNRowsLastByRow) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const std::vector<float> base = {1, nan, 2, 1, nan, 2, 2};
  const std::vector<float> query = {1};
  const auto rows = ArrayView::of(base, {7, 1});
  NPK_ASSERT_OK_AND_ASSIGN(const TopK dot, VectorEngine().top_k(rows, ArrayView::of(query, {1}),
                                                                {.metric = Metric::kDot, .k = 99}));
  EXPECT_EQ(dot.rows, (std::vector<uint64_t>{2, 5, 6, 0, 3, 1, 4}));
  EXPECT_TRUE(std::isnan(dot.scores[6]));
  NPK_ASSERT_OK_AND_ASSIGN(const TopK five, VectorEngine().top_k(rows, ArrayView::of(query, {1, 1}),
                                                                 {.metric = Metric::kL2, .k = 6}));
  EXPECT_EQ(five.rows, (std::vector<uint64_t>{0, 3, 2, 5, 6, 1}));
}

TEST(VectorEngine, AnswersEdgesOfKAndSize) {
  const std::vector<float> base = {1, 2, 3, 4, 5, 6};
  const std::vector<float> query = {1, 0, 0};
  const auto rows = ArrayView::of(base, {2, 3});
  const auto wanted = ArrayView::of(query, {3});
  const VectorEngine engine;
  NPK_ASSERT_OK_AND_ASSIGN(const TopK none, engine.top_k(rows, wanted, {.k = 0}));
  EXPECT_TRUE(none.rows.empty() && none.scores.empty());
  NPK_ASSERT_OK_AND_ASSIGN(const TopK all, engine.top_k(rows, wanted, {.k = UINT64_MAX}));
  EXPECT_EQ(all.rows.size(), 2u);
  NPK_ASSERT_OK_AND_ASSIGN(const TopK one, engine.top_k(rows.slice_rows(1, 2), wanted, {.k = 5}));
  EXPECT_EQ(one.rows, (std::vector<uint64_t>{0}));
  NPK_ASSERT_OK_AND_ASSIGN(const TopK empty, engine.top_k(rows.slice_rows(0, 0), wanted, {}));
  EXPECT_TRUE(empty.rows.empty());
  const auto no_width = ArrayView::of(base.data(), {4, 0});
  for (const Metric metric : {Metric::kCosine, Metric::kDot, Metric::kL2, Metric::kL2Sq}) {
    NPK_ASSERT_OK_AND_ASSIGN(
        const TopK flat,
        engine.top_k(no_width, ArrayView::of(base.data(), {0}), {.metric = metric, .k = 2}));
    EXPECT_EQ(flat.rows, (std::vector<uint64_t>{0, 1}));
    EXPECT_EQ(flat.scores, (std::vector<double>{0, 0}));
  }
}

TEST(VectorEngine, ZeroNormsHaveCosineZero) {
  const std::vector<float> base = {0, 0, -0.0f, 0, 1, 1, -1, -1};
  const auto rows = ArrayView::of(base, {4, 2});
  const std::vector<float> query = {1, 2};
  NPK_ASSERT_OK_AND_ASSIGN(const TopK found,
                           VectorEngine().top_k(rows, ArrayView::of(query, {2}), {}));
  EXPECT_EQ(found.rows, (std::vector<uint64_t>{2, 0, 1, 3}));
  EXPECT_EQ(found.scores[1], 0);
  const std::vector<float> zero = {0, 0};
  NPK_ASSERT_OK_AND_ASSIGN(const TopK none,
                           VectorEngine().top_k(rows, ArrayView::of(zero, {2}), {}));
  EXPECT_EQ(none.rows, (std::vector<uint64_t>{0, 1, 2, 3}));
  EXPECT_EQ(none.scores, (std::vector<double>{0, 0, 0, 0}));
}

TEST(VectorEngine, SearchesViewsOfAnyStrides) {
  std::mt19937_64 random(npk::testing::test_seed());
  const Array wide = random_rows(DType::kFloat32, 500, 40, Content::kNormal, random);
  const Array query = random_query(DType::kFloat32, 20, Content::kNormal, random);
  // Every second column, rows backwards.
  const auto view =
      ArrayView::strided(wide.data() + 499 * 160, DType::kFloat32, {500, 20}, {-160, 8});
  for (const Metric metric : {Metric::kCosine, Metric::kL2}) {
    NPK_ASSERT_OK_AND_ASSIGN(const TopK got, VectorEngine().top_k(view, query, {.metric = metric}));
    EXPECT_EQ(difference(got, reference_top_k(view, query, metric, 10)), "");
  }
  const auto every_other = ArrayView::strided(query.data(), DType::kFloat32, {10}, {8});
  const auto narrow = ArrayView::strided(wide.data(), DType::kFloat32, {500, 10}, {160, 4});
  NPK_ASSERT_OK_AND_ASSIGN(const TopK got, VectorEngine().top_k(narrow, every_other, {}));
  EXPECT_EQ(difference(got, reference_top_k(narrow, every_other, Metric::kCosine, 10)), "");
}

TEST(VectorEngine, QueryAndRowsOfDifferentTypesMeetInFloat64) {
  std::mt19937_64 random(npk::testing::test_seed());
  const DType types[] = {DType::kFloat64, DType::kFloat32, DType::kFloat16, DType::kBFloat16,
                         DType::kInt8,    DType::kUint8,   DType::kInt64,   DType::kUint16};
  for (const DType row_type : types) {
    for (const DType query_type : types) {
      const Array base = random_rows(row_type, 200, 21, Content::kNormal, random);
      const Array query = random_query(query_type, 21, Content::kNormal, random);
      for (const Metric metric : {Metric::kCosine, Metric::kDot, Metric::kL2, Metric::kL2Sq}) {
        expect_reference_everywhere(base, query, metric, 7, Content::kNormal);
      }
    }
  }
}

TEST(VectorEngine, RefusesQueriesThatDoNotGoWithTheRows) {
  const std::vector<float> floats(12, 1.0f);
  const std::vector<uint8_t> bytes(12, 1);
  const std::vector<std::complex<float>> complexes(12);
  const auto rows = ArrayView::of(floats, {3, 4});
  const VectorEngine engine;
  NPK_EXPECT_ERROR(engine.top_k(rows, ArrayView::of(floats, {12})), kInvalidArgument,
                   "the query has 12 dimensions, the rows have 4");
  NPK_EXPECT_ERROR(engine.top_k(rows, ArrayView::of(floats, {3, 4})), kInvalidArgument,
                   "a query has the shape (4,) or (1, 4), not (3, 4)");
  NPK_EXPECT_ERROR(engine.top_k(rows, ArrayView::of(floats.data(), Shape{})), kInvalidArgument,
                   "not ()");
  NPK_EXPECT_ERROR(engine.top_k(ArrayView::of(floats, {12}), ArrayView::of(floats, {12})),
                   kInvalidArgument, "(rows, dimensions)");
  NPK_EXPECT_ERROR(engine.top_k(ArrayView::of(floats, {3, 2, 2}), ArrayView::of(floats, {12})),
                   kInvalidArgument, "(3, 2, 2)");
  NPK_EXPECT_ERROR(
      engine.top_k(ArrayView::of(complexes, {3, 4}), ArrayView::of(floats.data(), {4})),
      kInvalidArgument, "not of complex64; no metric takes those");
  NPK_EXPECT_ERROR(engine.top_k(rows, ArrayView::of(complexes.data(), {4})), kInvalidArgument,
                   "a query of complex64 cannot be compared with rows of float32 by cosine");
  NPK_EXPECT_ERROR(
      engine.top_k(rows, ArrayView::of(floats.data(), {4}), {.metric = Metric::kHamming}),
      kInvalidArgument,
      "metric hamming takes rows of uint8, not of float32; those can be searched with "
      "cosine, dot, l2, l2sq");
  NPK_EXPECT_ERROR(engine.top_k(ArrayView::of(bytes, {3, 4}), ArrayView::of(floats.data(), {4}),
                                {.metric = Metric::kJaccard}),
                   kInvalidArgument, "give it as uint8");
  NPK_EXPECT_ERROR(
      engine.top_k(rows, ArrayView::of(floats.data(), {4}), {.metric = static_cast<Metric>(77)}),
      kInvalidArgument, "metric number 77");
  NPK_EXPECT_ERROR(engine.top_k(rows, ArrayView::of(floats, {100})), kInvalidArgument,
                   "needs 400 bytes");
}

TEST(VectorEngine, RefusesAQueryWithNaNOrInfinity) {
  const std::vector<float> base(8, 1.0f);
  for (const Metric metric : {Metric::kCosine, Metric::kDot, Metric::kL2, Metric::kL2Sq}) {
    std::vector<float> query = {0, 1, std::numeric_limits<float>::quiet_NaN(), 0};
    const auto rows = ArrayView::of(base, {2, 4});
    NPK_EXPECT_ERROR(VectorEngine().top_k(rows, ArrayView::of(query, {4}), {.metric = metric}),
                     kInvalidArgument, "NaN at element 2");
    query[2] = -std::numeric_limits<float>::infinity();
    NPK_EXPECT_ERROR(VectorEngine().top_k(rows, ArrayView::of(query, {4}), {.metric = metric}),
                     kInvalidArgument, "infinity at element 2");
  }
}

TEST(VectorEngine, ComputesTheMetricOfTwoVectors) {
  const std::vector<float> a = {1, 2, 2};
  const std::vector<float> b = {2, 4, 4};
  const std::vector<uint8_t> x = {0b1100, 0xff};
  const std::vector<uint8_t> y = {0b0110, 0xff};
  const VectorEngine engine;
  const auto of = [&](Metric metric) {
    return *engine.compute_metric(ArrayView::of(a, {3}), ArrayView::of(b, {3}), metric);
  };
  EXPECT_EQ(of(Metric::kCosine), 1);
  EXPECT_EQ(of(Metric::kDot), 18);
  EXPECT_EQ(of(Metric::kL2), 3);
  EXPECT_EQ(of(Metric::kL2Sq), 9);
  const auto bits = [&](Metric metric) {
    return *engine.compute_metric(ArrayView::of(x, {2}), ArrayView::of(y, {2}), metric);
  };
  EXPECT_EQ(bits(Metric::kHamming), 2);
  EXPECT_EQ(bits(Metric::kJaccard), 1 - 9.0 / 11.0);
  const std::vector<double> p = {0.5, 0.5, 0};
  const std::vector<double> q = {0.25, 0.25, 0.5};
  const auto divergence = [&](const auto& from, const auto& to, Metric metric) {
    return *engine.compute_metric(ArrayView::of(from, {3}), ArrayView::of(to, {3}), metric);
  };
  EXPECT_NEAR(divergence(p, q, Metric::kKl), std::log(2.0), 1e-6);
  EXPECT_NEAR(divergence(q, p, Metric::kKl), 0.5 * std::log(0.5) + 0.5 * std::log(0.5 / 1e-7),
              1e-5);
  EXPECT_NEAR(divergence(p, q, Metric::kJs),
              std::sqrt(0.5 * (std::log(4.0 / 3) + 0.5 * std::log(2.0 / 3) + 0.5 * std::log(2.0))),
              1e-6);
  EXPECT_EQ(divergence(p, p, Metric::kJs), 0);
  NPK_EXPECT_ERROR(
      engine.compute_metric(ArrayView::of(a, {3}), ArrayView::of(b.data(), {2}), Metric::kDot),
      kInvalidArgument, "shapes (3,) and (2,)");
}

TEST(Metrics, HaveNamesAndAliasesInAnyCase) {
  for (const MetricInfo& info : metric_table()) {
    NPK_ASSERT_OK_AND_ASSIGN(const Metric by_name, metric_from_name(info.name));
    EXPECT_EQ(by_name, info.metric);
    for (const std::string_view alias : info.aliases) {
      std::string upper(alias);
      for (char& c : upper) c = static_cast<char>(std::toupper(c));
      NPK_ASSERT_OK_AND_ASSIGN(const Metric by_alias, metric_from_name(upper));
      EXPECT_EQ(by_alias, info.metric);
    }
  }
  NPK_EXPECT_ERROR(metric_from_name("manhattan"), kInvalidArgument,
                   "unknown metric 'manhattan'; known are cosine (cos, cosine_similarity), dot (");
}

}  // namespace
}  // namespace npk
