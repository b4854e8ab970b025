#include <algorithm>
#include <filesystem>

#include "bindings/cli/torture/random_values.h"
#include "tests/support/store_fixture.h"

namespace npk::testing {
namespace {

class ReplaceRows : public StoreTest {
 protected:
  ParallelIO with_column(size_t rows) {
    ParallelIO store = open();
    NPK_EXPECT_OK(store.save_arrays({{"c", ints(iota(rows), {rows})}}));
    return store;
  }
};

TEST_F(ReplaceRows, ChangesTheRowsNamedInThatOrder) {
  ParallelIO store = with_column(6);
  NPK_ASSERT_OK(store.replace_rows("c", ints(Ints{50, 30, -1}, {3}), Rows::list({5, 3, -6})));
  EXPECT_EQ(load(store, "c"), (Ints{-1, 1, 2, 30, 4, 50}));
  NPK_ASSERT_OK(store.replace_rows("c", ints(Ints{7, 8}, {2}), Rows::range(1, 3)));
  EXPECT_EQ(load(store, "c"), (Ints{-1, 7, 8, 30, 4, 50}));
  NPK_ASSERT_OK(store.replace_rows("c", ints(Ints{100, 200, 300}, {3}),
                                   Rows::range(std::nullopt, std::nullopt, -2)));
  EXPECT_EQ(load(store, "c"), (Ints{-1, 300, 8, 200, 4, 100}));
  NPK_ASSERT_OK(store.replace_rows("c", ints(Ints{9}, {1}), Rows::mask({0, 0, 0, 0, 1, 0})));
  EXPECT_EQ(load(store, "c"), (Ints{-1, 300, 8, 200, 9, 100}));
  NPK_ASSERT_OK(store.replace_rows("c", ints(iota(6), {6}), Rows::all()));
  EXPECT_EQ(load(store, "c"), iota(6));
}

TEST_F(ReplaceRows, IsInPlaceAndVisibleInTheFile) {
  ParallelIO store = with_column(1'000);
  const ArrayMetadata before = metadata(store, "c");
  NPK_ASSERT_OK(store.replace_rows("c", ints(Ints{-5}, {1}), Rows::list({500})));
  EXPECT_EQ(metadata(store, "c").rows_file, before.rows_file);
  Ints wanted = iota(1'000);
  wanted[500] = -5;
  EXPECT_EQ(raw_file(store, "c"), raw_bytes(wanted));
}

TEST_F(ReplaceRows, OfDuplicatesKeepsTheLast) {
  ParallelIO store = with_column(3);
  NPK_ASSERT_OK(
      store.replace_rows("c", ints(Ints{10, 11, 12, 13}, {4}), Rows::list({1, 1, -2, 1})));
  EXPECT_EQ(load(store, "c"), (Ints{0, 13, 2}));
}

TEST_F(ReplaceRows, CountsLogicalRowsAfterDeletes) {
  ParallelIO store = with_column(10);
  NPK_ASSERT_OK(store.drop_arrays("c", Rows::list({0, 4, 5})));  // Left: 1 2 3 6 7 8 9.
  NPK_ASSERT_OK(store.replace_rows("c", ints(Ints{-3, -6, -9}, {3}), Rows::list({2, 3, -1})));
  EXPECT_EQ(load(store, "c"), (Ints{1, 2, -3, -6, 7, 8, -9}));
}

TEST_F(ReplaceRows, OfMostOfALargeArrayInEveryMode) {
  for (const Durability mode : {Durability::kNone, Durability::kProcess, Durability::kPower}) {
    const TempDir directory;
    StoreOptions options;
    options.durability = mode;
    options.log_bytes = 64 << 10;
    NPK_ASSERT_OK_AND_ASSIGN(ParallelIO store, ParallelIO::open(directory.file("s"), options));
    Ints values = iota(1 << 20);
    NPK_ASSERT_OK(store.save_arrays({{"c", ArrayView::of(values, {1 << 18, 4})}}));
    NPK_ASSERT_OK(store.drop_arrays("c", Rows::range(0, 1 << 18, 3)));
    const uint64_t live = shape(store, "c")[0];
    const Ints news = iota(live * 4, 1'000'000);
    NPK_ASSERT_OK(store.replace_rows("c", ArrayView::of(news, {live, 4}), Rows::all()));
    EXPECT_EQ(load(store, "c"), news);
    NPK_ASSERT_OK(
        store.replace_rows("c", ArrayView::of(news, {live - 1, 4}), Rows::range(1, std::nullopt)));
    Ints wanted(news.begin(), news.begin() + 4);
    wanted.insert(wanted.end(), news.begin(), news.end() - 4);
    EXPECT_EQ(load(store, "c"), wanted);
    NPK_ASSERT_OK(store.close());
    NPK_ASSERT_OK_AND_ASSIGN(const ParallelIO again, ParallelIO::open(directory.file("s")));
    EXPECT_EQ(load(again, "c"), wanted);
  }
}

TEST_F(ReplaceRows, OfRowsThatFillTheLogManyTimesOver) {
  StoreOptions options;
  options.log_bytes = 64 << 10;
  ParallelIO store = open(options);
  NPK_ASSERT_OK(store.save_arrays({{"c", ints(iota(4'096), {512, 8})}}));
  Random random(test_seed());
  Ints wanted = iota(4'096);
  for (int32_t i = 0; i < 3'000; ++i) {
    const uint64_t row = random.below(512);
    std::fill_n(wanted.begin() + static_cast<std::ptrdiff_t>(row * 8), 8, i);
    NPK_ASSERT_OK(
        store.replace_rows("c", ints(Ints(8, i), {1, 8}), Rows::list({static_cast<int64_t>(row)})));
  }
  EXPECT_EQ(load(store, "c"), wanted);
}

TEST_F(ReplaceRows, ByTheArraysOwnReversedViewReversesIt) {
  ParallelIO store = with_column(2'001);
  NPK_ASSERT_OK_AND_ASSIGN(const ArrayView view, store.get_array_view("c"));
  const auto reversed = ArrayView::strided(view.data() + 2'000 * sizeof(int32_t), DType::kInt32,
                                           {2'001}, {-4}, view.pin());
  NPK_ASSERT_OK(store.replace_rows("c", reversed, Rows::all()));
  Ints wanted = iota(2'001);
  std::reverse(wanted.begin(), wanted.end());
  EXPECT_EQ(load(store, "c"), wanted);
}

TEST_F(ReplaceRows, ByTheArraysOwnViewInAnotherOrder) {
  ParallelIO store = with_column(2'001);
  NPK_ASSERT_OK_AND_ASSIGN(const ArrayView view, store.get_array_view("c"));
  NPK_ASSERT_OK(store.replace_rows("c", view, Rows::range({}, {}, -1)));
  Ints wanted = iota(2'001);
  std::reverse(wanted.begin(), wanted.end());
  EXPECT_EQ(load(store, "c"), wanted);
  // Also if the view came without its pin.
  const auto bare = ArrayView::of(view.as<int32_t>(), {2'001});
  NPK_ASSERT_OK(store.replace_rows("c", bare, Rows::range({}, {}, -1)));
  EXPECT_EQ(load(store, "c"), iota(2'001));
}

TEST_F(ReplaceRows, AndAppendByOwnViewsInABatchGiveWhatTheLogGives) {
  for (const Durability mode : {Durability::kProcess, Durability::kPower}) {
    const TempDir directory;
    StoreOptions options;
    options.durability = mode;
    NPK_ASSERT_OK_AND_ASSIGN(ParallelIO store, ParallelIO::open(directory.file("s"), options));
    NPK_ASSERT_OK(store.save_arrays({{"c", ints(iota(4), {4})}, {"d", ints(iota(4), {4})}}));
    NPK_ASSERT_OK_AND_ASSIGN(const ArrayView view, store.get_array_view("c"));
    WriteBatch batch;
    batch.replace_rows("c", ints(Ints{-1, -2}, {2}), Rows::list({0, 1}))
        .replace_rows("d", view, Rows::all())
        .append_rows("d", view)
        .append_rows("c", view);
    NPK_ASSERT_OK(store.commit(batch));
    const Ints c = load(store, "c");
    const Ints d = load(store, "d");
    // A copy of the files recovers from the log: it must come to the same.
    std::filesystem::copy(directory.file("s"), directory.file("twin"));
    std::filesystem::remove(directory.file("twin/LOCK"));
    NPK_ASSERT_OK_AND_ASSIGN(ParallelIO twin, ParallelIO::open(directory.file("twin")));
    EXPECT_EQ(load(twin, "c"), c);
    EXPECT_EQ(load(twin, "d"), d);
  }
}

TEST_F(ReplaceRows, OfNoRowsIsNoError) {
  ParallelIO store = with_column(3);
  NPK_EXPECT_OK(store.replace_rows("c", ints(Ints{}, {0}), Rows::list({})));
  NPK_EXPECT_OK(store.replace_rows("c", ints(Ints{}, {0}), Rows::range(2, 1)));
  EXPECT_EQ(load(store, "c"), iota(3));
}

TEST_F(ReplaceRows, RefusesWhatDoesNotFitAndChangesNothing) {
  ParallelIO store = with_column(3);
  const auto two = ints(iota(2), {2});
  NPK_EXPECT_ERROR(store.replace_rows("nope", two, Rows::list({0, 1})), kNotFound, "nope");
  NPK_EXPECT_ERROR(store.replace_rows("c", two, Rows::list({0, 3})), kOutOfRange, "3");
  NPK_EXPECT_ERROR(store.replace_rows("c", two, Rows::list({0, -4})), kOutOfRange, "-4");
  NPK_EXPECT_ERROR(store.replace_rows("c", two, Rows::list({0, INT64_MIN})), kOutOfRange, "");
  NPK_EXPECT_ERROR(store.replace_rows("c", two, Rows::list({0})), kInvalidArgument, "2");
  NPK_EXPECT_ERROR(store.replace_rows("c", two, Rows::all()), kInvalidArgument, "3");
  NPK_EXPECT_ERROR(store.replace_rows("c", two, Rows::mask({1, 1})), kInvalidArgument, "mask");
  NPK_EXPECT_ERROR(store.replace_rows("c", ints(iota(2), {2, 1}), Rows::list({0, 1})),
                   kInvalidArgument, "(2, 1)");
  NPK_EXPECT_ERROR(
      store.replace_rows("c", ArrayView::of(std::vector<float>(2), {2}), Rows::list({0, 1})),
      kInvalidArgument, "float32");
  EXPECT_EQ(load(store, "c"), iota(3));
}

}  // namespace
}  // namespace npk::testing
