#include "tests/support/directory_snapshot.h"
#include "tests/support/store_fixture.h"

namespace npk::testing {
namespace {

class Batch : public StoreTest {
 protected:
  ParallelIO with_two() {
    ParallelIO store = open();
    NPK_EXPECT_OK(store.save_arrays({{"a", ints(iota(3), {3})}, {"b", ints(iota(3, 10), {3})}}));
    return store;
  }
};

TEST_F(Batch, AppliesAllItsOperations) {
  ParallelIO store = with_two();
  WriteBatch batch;
  EXPECT_TRUE(batch.empty());
  batch.append_rows("a", ints(Ints{3}, {1}))
      .replace_rows("b", ints(Ints{-1}, {1}), Rows::list({-1}))
      .drop_rows("b", Rows::list({0}))
      .save_array("c", ints(iota(2), {2}))
      .set_attributes("c", R"({"x":[1]})");
  EXPECT_EQ(batch.size(), 5u);
  NPK_ASSERT_OK(store.commit(batch));
  EXPECT_EQ(load(store, "a"), iota(4));
  EXPECT_EQ(load(store, "b"), (Ints{11, -1}));
  EXPECT_EQ(load(store, "c"), iota(2));
  NPK_ASSERT_OK_AND_ASSIGN(const std::string attributes, store.get_attributes("c"));
  EXPECT_EQ(attributes, R"({"x":[1]})");
}

TEST_F(Batch, OperationsSeeThoseBeforeThem) {
  ParallelIO store = open();
  WriteBatch batch;
  batch.save_array("n", ints(iota(2), {2}))
      .append_rows("n", ints(iota(3, 2), {3}))                         // 0 1 2 3 4
      .replace_rows("n", ints(Ints{-4}, {1}), Rows::list({-1}))        // 0 1 2 3 -4
      .drop_rows("n", Rows::list({0, 1}))                              // 2 3 -4
      .append_rows("n", ints(Ints{7}, {1}))                            // 2 3 -4 7
      .replace_rows("n", ints(Ints{-2, -7}, {2}), Rows::list({0, 3}))  // -2 3 -4 -7
      .drop_rows("n", Rows::list({1}));                                // -2 -4 -7
  NPK_ASSERT_OK(store.commit(batch));
  EXPECT_EQ(load(store, "n"), (Ints{-2, -4, -7}));
  NPK_ASSERT_OK(store.close());
  EXPECT_EQ(load(open(), "n"), (Ints{-2, -4, -7}));
}

TEST_F(Batch, MayDropAndMakeAnArrayOfTheSameName) {
  ParallelIO store = with_two();
  NPK_ASSERT_OK(store.set_attributes("a", R"({"old":true})"));
  WriteBatch batch;
  batch.append_rows("a", ints(Ints{3}, {1}))
      .drop_array("a")
      .save_array("a", ints(Ints{42}, {1, 1}))
      .append_rows("a", ints(Ints{43}, {1, 1}));
  NPK_ASSERT_OK(store.commit(batch));
  EXPECT_EQ(shape(store, "a"), (Shape{2, 1}));
  EXPECT_EQ(load(store, "a"), (Ints{42, 43}));
  EXPECT_EQ(metadata(store, "a").attributes, "{}");
  NPK_ASSERT_OK(store.close());
  EXPECT_EQ(load(open(), "a"), (Ints{42, 43}));
}

TEST_F(Batch, MayMakeAnArrayAndDropItAgain) {
  ParallelIO store = with_two();
  WriteBatch batch;
  batch.save_array("t", ints(iota(2), {2})).append_rows("b", ints(Ints{13}, {1})).drop_array("t");
  NPK_ASSERT_OK(store.commit(batch));
  EXPECT_EQ(names(store), (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(load(store, "b"), iota(4, 10));
  NPK_ASSERT_OK(store.close());
  EXPECT_EQ(names(open()), (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(files_ending_in(snapshot(path()), ".rows").size(), 2u);
}

TEST_F(Batch, OverwritesAndGoesOnWithTheNewTypeAndShape) {
  ParallelIO store = with_two();
  WriteBatch batch;
  batch.save_array("a", ArrayView::of(std::vector<double>{}, {0, 2}));
  const std::vector<double> row = {1.5, 2.5};
  batch.append_rows("a", ArrayView::of(row, {1, 2}));
  NPK_ASSERT_OK(store.commit(batch));
  EXPECT_EQ(load<double>(store, "a"), row);
  WriteBatch wrong;
  wrong.save_array("a", ints(iota(2), {2})).append_rows("a", ArrayView::of(row, {1, 2}));
  NPK_EXPECT_ERROR(store.commit(wrong), kInvalidArgument, "float64");
  EXPECT_EQ(load<double>(store, "a"), row);
}

TEST_F(Batch, WithOneBadOperationChangesNothingWhereverItStands) {
  ParallelIO store = with_two();
  NPK_ASSERT_OK(store.sync_metadata());
  const auto add_good = [](WriteBatch& batch) {
    batch.append_rows("a", ints(Ints{3}, {1}))
        .replace_rows("b", ints(Ints{-1}, {1}), Rows::list({0}))
        .save_array("new", ints(iota(5), {5}));
  };
  const std::vector<std::pair<StatusCode, void (*)(WriteBatch&)>> bad = {
      {StatusCode::kNotFound, [](WriteBatch& b) { b.append_rows("nope", ints(Ints{1}, {1})); }},
      {StatusCode::kNotFound, [](WriteBatch& b) { b.drop_array("nope"); }},
      {StatusCode::kNotFound, [](WriteBatch& b) { b.set_attributes("nope", "{}"); }},
      {StatusCode::kOutOfRange, [](WriteBatch& b) { b.drop_rows("a", Rows::list({99})); }},
      {StatusCode::kOutOfRange,
       [](WriteBatch& b) { b.replace_rows("a", ints(Ints{1}, {1}), Rows::list({-99})); }},
      {StatusCode::kInvalidArgument,
       [](WriteBatch& b) {
         b.append_rows("a", ints(Ints{1, 2}, {1, 2}));
       }},
      {StatusCode::kInvalidArgument, [](WriteBatch& b) { b.set_attributes("a", "3"); }},
      {StatusCode::kInvalidArgument, [](WriteBatch& b) { b.save_array("", ints(Ints{1}, {1})); }}};
  for (const auto& [code, add_bad] : bad) {
    for (const bool bad_first : {true, false}) {
      WriteBatch batch;
      if (bad_first) add_bad(batch);
      add_good(batch);
      if (!bad_first) add_bad(batch);
      EXPECT_EQ(store.commit(batch).code(), code);
      EXPECT_EQ(load(store, "a"), iota(3));
      EXPECT_EQ(load(store, "b"), iota(3, 10));
      EXPECT_EQ(names(store), (std::vector<std::string>{"a", "b"}));
    }
  }
  NPK_ASSERT_OK(store.close());
  const ParallelIO again = open();
  EXPECT_EQ(load(again, "a"), iota(3));
  EXPECT_EQ(files_ending_in(snapshot(path()), ".rows").size(), 2u) << "refused batches left files";
}

TEST_F(Batch, SaysWhichOperationIsWrong) {
  ParallelIO store = with_two();
  WriteBatch batch;
  batch.append_rows("a", ints(Ints{3}, {1})).drop_rows("b", Rows::list({7}));
  const Status status = store.commit(batch);
  EXPECT_EQ(status.code(), StatusCode::kOutOfRange);
  EXPECT_THAT(status.to_string(), ::testing::HasSubstr("'b'"));
  EXPECT_THAT(status.to_string(), ::testing::HasSubstr("7"));
}

TEST_F(Batch, EmptyClearedAndRepeatedOnesBehave) {
  ParallelIO store = with_two();
  WriteBatch batch;
  NPK_EXPECT_OK(store.commit(batch));
  batch.append_rows("a", ints(Ints{3}, {1}));
  NPK_ASSERT_OK(store.commit(batch));
  NPK_ASSERT_OK(store.commit(batch));  // A batch is not used up.
  EXPECT_EQ(load(store, "a"), (Ints{0, 1, 2, 3, 3}));
  batch.clear();
  EXPECT_TRUE(batch.empty());
  WriteBatch moved = std::move(batch);
  moved.drop_rows("a", Rows::range(3, {}));
  NPK_ASSERT_OK(store.commit(moved));
  EXPECT_EQ(load(store, "a"), iota(3));
}

TEST_F(Batch, KeepsPinnedMemoryAliveUntilTheCommit) {
  ParallelIO store = with_two();
  WriteBatch batch;
  {
    NPK_ASSERT_OK_AND_ASSIGN(const Array rows, Array::copy_of(ints(iota(1'000, 3), {1'000})));
    batch.append_rows("a", rows);  // The array goes, its memory stays with the view's pin.
  }
  NPK_ASSERT_OK(store.commit(batch));
  EXPECT_EQ(load(store, "a"), iota(1'003));
}

TEST_F(Batch, LargerThanTheLogCommitsWhole) {
  for (const Durability mode : {Durability::kNone, Durability::kProcess, Durability::kPower}) {
    const TempDir directory;
    StoreOptions options;
    options.log_bytes = 64 << 10;
    options.durability = mode;
    NPK_ASSERT_OK_AND_ASSIGN(ParallelIO store, ParallelIO::open(directory.file("s"), options));
    const Ints values = iota(100'000);
    NPK_ASSERT_OK(store.save_arrays({{"a", ArrayView::of(values, {100'000})}}));
    WriteBatch batch;
    for (int32_t i = 0; i < 50; ++i) {
      batch.replace_rows("a", ints(iota(1'000, -i), {1'000}),
                         Rows::range(i * 1'000, i * 1'000 + 1'000));
      batch.append_rows("a", ints(iota(1'000, i), {1'000}));
    }
    NPK_ASSERT_OK(store.commit(batch));
    NPK_ASSERT_OK(store.close());
    NPK_ASSERT_OK_AND_ASSIGN(const ParallelIO again, ParallelIO::open(directory.file("s")));
    const Ints found = load(again, "a");
    ASSERT_EQ(found.size(), 150'000u);
    for (int32_t i = 0; i < 50; ++i) {
      ASSERT_EQ(found[static_cast<size_t>(i) * 1'000 + 999], 999 - i);
      ASSERT_EQ(found[100'000 + static_cast<size_t>(i) * 1'000 + 999], 999 + i);
    }
  }
}

}  // namespace
}  // namespace npk::testing
