#include <atomic>
#include <limits>
#include <thread>

#include "npk/internal/text.h"
#include "npk/search.h"
#include "npk/store.h"
#include "simd/target.h"
#include "tests/support/search_reference.h"
#include "tests/support/support.h"

namespace npk {
namespace {

using npk::testing::Content;
using npk::testing::difference;
using npk::testing::random_query;
using npk::testing::random_rows;
using npk::testing::reference_top_k;
using npk::testing::TempDir;

class StreamingVectorEngineTest : public ::testing::Test {
 protected:
  void SetUp() override {
    Result<ParallelIO> opened = ParallelIO::open(dir_.file("s.npk"));
    NPK_ASSERT_OK(opened);
    store_.emplace(*std::move(opened));
  }

  /// The engine over the store must answer as the reference over what load_array gives.
  void expect_reference(const std::string& name, const Array& query, Metric metric, uint64_t k) {
    NPK_ASSERT_OK_AND_ASSIGN(const Array live, store_->load_array(name));
    const TopK want = reference_top_k(live, query, metric, k);
    for (const uint32_t threads : {1u, 2u}) {
      const SearchOptions options = {.metric = metric, .k = k, .threads = threads};
      NPK_ASSERT_OK_AND_ASSIGN(const TopK got,
                               StreamingVectorEngine().top_k(*store_, name, query, options));
      ASSERT_EQ(difference(got, want), "") << metric_info(metric).name << " k " << k;
    }
  }

  TempDir dir_;
  std::optional<ParallelIO> store_;
};

TEST_F(StreamingVectorEngineTest, AnswersAsAScanOfTheLoadedArrayWhateverWasChanged) {
  std::mt19937_64 random(npk::testing::test_seed());
  for (const MetricInfo& info : metric_table()) {
    const DType dtype = info.dtypes.front() == DType::kUint8 ? DType::kUint8 : DType::kFloat32;
    const std::string name(info.name);
    NPK_ASSERT_OK(
        store_->save_arrays({{name, random_rows(dtype, 3'000, 24, Content::kDuplicates, random)}}));
    const Array query = random_query(dtype, 24, Content::kDuplicates, random);
    for (int step = 0; step < 8; ++step) {
      NPK_ASSERT_OK_AND_ASSIGN(const Shape shape, store_->get_shape(name));
      std::vector<int64_t> some;
      for (uint64_t row = 0; row < shape[0]; ++row) {
        if (random() % 8 == 0) some.push_back(static_cast<int64_t>(row));
      }
      switch (random() % 4) {
        case 0:
          NPK_ASSERT_OK(
              store_->append_rows(name, random_rows(dtype, 200, 24, Content::kNormal, random)));
          break;
        case 1:
          NPK_ASSERT_OK(store_->replace_rows(
              name, random_rows(dtype, some.size(), 24, Content::kNormal, random),
              Rows::list(some)));
          break;
        case 2:
          NPK_ASSERT_OK(store_->drop_arrays(name, Rows::list(some)));
          break;
        default:
          NPK_ASSERT_OK(store_->compact_array(name));
      }
      expect_reference(name, query, info.metric, 1 + random() % 50);
    }
  }
}

TEST_F(StreamingVectorEngineTest, FindsInASnapshotWhatTheStoreHeldThen) {
  std::mt19937_64 random(npk::testing::test_seed());
  const auto rows = [&](uint64_t count) {
    return random_rows(DType::kFloat32, count, 24, Content::kNormal, random);
  };
  NPK_ASSERT_OK(store_->save_arrays({{"v", rows(3'000)}}));
  NPK_ASSERT_OK(store_->drop_arrays("v", Rows::range(0, 900, 7)));
  const Array query = random_query(DType::kFloat32, 24, Content::kNormal, random);
  NPK_ASSERT_OK_AND_ASSIGN(const Array before, store_->load_array("v"));
  NPK_ASSERT_OK_AND_ASSIGN(const Snapshot snapshot, store_->snapshot());
  for (int step = 0; step < 12; ++step) {
    if (step % 3 == 0) NPK_ASSERT_OK(store_->append_rows("v", rows(50)));
    NPK_ASSERT_OK(store_->replace_rows("v", rows(400), Rows::range(step, step + 800, 2)));
    if (step == 5) NPK_ASSERT_OK(store_->drop_arrays("v", Rows::range(10, 500, 3)));
    if (step == 8) NPK_ASSERT_OK(store_->compact_array("v"));
    const SearchOptions options = {.metric = Metric::kL2, .k = 20};
    NPK_ASSERT_OK_AND_ASSIGN(const TopK got,
                             StreamingVectorEngine().top_k(snapshot, "v", query, options));
    ASSERT_EQ(difference(got, reference_top_k(before, query, Metric::kL2, 20)), "") << step;
  }
  expect_reference("v", query, Metric::kL2, 20);
}

TEST_F(StreamingVectorEngineTest, NeverReturnsADeletedRow) {
  const std::vector<float> values = {1, 2, 3, 4, 5, 6, 7, 8};
  NPK_ASSERT_OK(store_->save_arrays({{"v", ArrayView::of(values, {8, 1})}}));
  NPK_ASSERT_OK(store_->drop_arrays("v", Rows::list({7, 0, 3})));
  const std::vector<float> query = {1};
  NPK_ASSERT_OK_AND_ASSIGN(const TopK found,
                           StreamingVectorEngine().top_k(*store_, "v", ArrayView::of(query, {1}),
                                                         {.metric = Metric::kDot, .k = 100}));
  EXPECT_EQ(found.rows, (std::vector<uint64_t>{4, 3, 2, 1, 0}));
  EXPECT_EQ(found.scores, (std::vector<double>{7, 6, 5, 3, 2}));
}

TEST_F(StreamingVectorEngineTest, AnswersOnEmptyAndFullyDeletedArrays) {
  const std::vector<float> values = {1, 2, 3, 4};
  NPK_ASSERT_OK(store_->save_arrays(
      {{"empty", ArrayView::of(values.data(), {0, 2})}, {"gone", ArrayView::of(values, {2, 2})}}));
  NPK_ASSERT_OK(store_->drop_arrays("gone", Rows::all()));
  for (const char* name : {"empty", "gone"}) {
    NPK_ASSERT_OK_AND_ASSIGN(
        const TopK found,
        StreamingVectorEngine().top_k(*store_, name, ArrayView::of(values.data(), {2})));
    EXPECT_TRUE(found.rows.empty()) << name;
    NPK_EXPECT_ERROR(
        StreamingVectorEngine().top_k(*store_, name, ArrayView::of(values.data(), {3})),
        kInvalidArgument, "the query has 3 dimensions, the rows have 2");
  }
}

TEST_F(StreamingVectorEngineTest, NamesTheArrayInItsErrors) {
  const std::vector<float> values = {1, 2, 3, 4};
  NPK_ASSERT_OK(store_->save_arrays(
      {{"v", ArrayView::of(values, {2, 2})}, {"flat", ArrayView::of(values, {4})}}));
  const auto query = ArrayView::of(values.data(), {2});
  const StreamingVectorEngine engine;
  NPK_EXPECT_ERROR(engine.top_k(*store_, "nothing", query), kNotFound, "nothing");
  NPK_EXPECT_ERROR(
      engine.top_k(*store_, "flat", query), kInvalidArgument,
      "search of array 'flat': rows of shape (rows, dimensions) can be searched, not (4,)");
  NPK_EXPECT_ERROR(engine.top_k(*store_, "v", ArrayView::of(values, {4})), kInvalidArgument,
                   "search of array 'v': the query has 4 dimensions");
  NPK_EXPECT_ERROR(engine.top_k(*store_, "v", query, {.metric = Metric::kJaccard}),
                   kInvalidArgument, "metric jaccard takes rows of uint8");
  const std::vector<float> nan = {1, std::numeric_limits<float>::quiet_NaN()};
  NPK_EXPECT_ERROR(engine.top_k(*store_, "v", ArrayView::of(nan, {2})), kInvalidArgument, "NaN");
}

TEST_F(StreamingVectorEngineTest, SeesOneCommittedStateWhileAWriterReplacesAllRows) {
  // Each state of the array holds one number only, so a mixture of two states shows.
  constexpr uint64_t kRows = 20'000;
  const auto filled = [&](float value) { return std::vector<float>(kRows * 8, value); };
  NPK_ASSERT_OK(store_->save_arrays({{"v", ArrayView::of(filled(1), {kRows, 8})}}));
  std::atomic<bool> stop{false};
  std::thread writer([&] {
    for (int round = 2; !stop; ++round) {
      const std::vector<float> next = filled(static_cast<float>(round));
      NPK_EXPECT_OK(store_->replace_rows("v", ArrayView::of(next, {kRows, 8}), Rows::all()));
    }
  });
  const std::vector<float> query(8, 1.0f);
  for (int i = 0; i < 100; ++i) {
    Result<TopK> found = StreamingVectorEngine().top_k(*store_, "v", ArrayView::of(query, {8}),
                                                       {.metric = Metric::kDot, .k = kRows});
    NPK_EXPECT_OK(found);
    if (!found.is_ok()) break;
    EXPECT_EQ(found->rows.size(), kRows);
    EXPECT_EQ(found->scores.front(), found->scores.back());
  }
  stop = true;
  writer.join();
}

}  // namespace
}  // namespace npk
