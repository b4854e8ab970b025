#include <cstring>

#include "tests/support/store_fixture.h"

namespace npk::testing {
namespace {

class AppendRows : public StoreTest {
 protected:
  ParallelIO with_matrix() {
    ParallelIO store = open();
    NPK_EXPECT_OK(store.save_arrays({{"m", ints(iota(6), {3, 2})}}));
    return store;
  }
};

TEST_F(AppendRows, GrowsTheArrayAndItsFile) {
  ParallelIO store = with_matrix();
  NPK_ASSERT_OK(store.append_rows("m", ints(iota(4, 6), {2, 2})));
  EXPECT_EQ(shape(store, "m"), (Shape{5, 2}));
  EXPECT_EQ(load(store, "m"), iota(10));
  EXPECT_EQ(raw_file(store, "m"), raw_bytes(iota(10)));
}

TEST_F(AppendRows, KeepsTheGenerationAndTheFile) {
  ParallelIO store = with_matrix();
  const ArrayMetadata before = metadata(store, "m");
  for (int i = 0; i < 100; ++i) {
    NPK_ASSERT_OK(store.append_rows("m", ints(iota(2), {1, 2})));
  }
  const ArrayMetadata after = metadata(store, "m");
  EXPECT_EQ(after.generation, before.generation);
  EXPECT_EQ(after.rows_file, before.rows_file);
  EXPECT_EQ(after.physical_rows, 103u);
  EXPECT_EQ(after.created_us, before.created_us);
  EXPECT_GE(after.modified_us, before.modified_us);
}

TEST_F(AppendRows, OfNoRowsIsNoError) {
  ParallelIO store = with_matrix();
  NPK_EXPECT_OK(store.append_rows("m", ints(Ints{}, {0, 2})));
  EXPECT_EQ(load(store, "m"), iota(6));
}

TEST_F(AppendRows, ToAnArrayOfNoRowsOrNoWidth) {
  ParallelIO store = open();
  NPK_ASSERT_OK(
      store.save_arrays({{"none", ints(Ints{}, {0, 3})}, {"thin", ints(Ints{}, {4, 0})}}));
  NPK_ASSERT_OK(store.append_rows("none", ints(iota(3), {1, 3})));
  NPK_ASSERT_OK(store.append_rows("thin", ints(Ints{}, {1'000'000'000, 0})));
  EXPECT_EQ(load(store, "none"), iota(3));
  EXPECT_EQ(shape(store, "thin"), (Shape{1'000'000'004, 0}));
  NPK_ASSERT_OK(store.close());
  const ParallelIO again = open();
  EXPECT_EQ(shape(again, "thin"), (Shape{1'000'000'004, 0}));
}

TEST_F(AppendRows, AfterDeletesAddsToTheEnd) {
  ParallelIO store = with_matrix();
  NPK_ASSERT_OK(store.drop_arrays("m", Rows::list({2})));  // The last row.
  NPK_ASSERT_OK(store.append_rows("m", ints(iota(2, 90), {1, 2})));
  EXPECT_EQ(load(store, "m"), (Ints{0, 1, 2, 3, 90, 91}));
  EXPECT_EQ(metadata(store, "m").physical_rows, 4u);
}

TEST_F(AppendRows, OfTheArraysOwnViewDoublesIt) {
  ParallelIO store = open();
  NPK_ASSERT_OK(store.save_arrays({{"m", ints(iota(5'000), {5'000})}}));
  Ints wanted = iota(5'000);
  for (int i = 0; i < 4; ++i) {
    NPK_ASSERT_OK_AND_ASSIGN(const ArrayView view, store.get_array_view("m"));
    NPK_ASSERT_OK(store.append_rows("m", view));
    const Ints half = wanted;
    wanted.insert(wanted.end(), half.begin(), half.end());
  }
  EXPECT_EQ(load(store, "m"), wanted);
}

TEST_F(AppendRows, OfManyMegabytesInEveryMode) {
  for (const Durability mode : {Durability::kNone, Durability::kProcess, Durability::kPower}) {
    const TempDir directory;
    StoreOptions options;
    options.durability = mode;
    options.log_bytes = 64 << 10;  // Far less than the rows.
    NPK_ASSERT_OK_AND_ASSIGN(ParallelIO store, ParallelIO::open(directory.file("s"), options));
    NPK_ASSERT_OK(store.save_arrays({{"m", ints(Ints{}, {0, 1'024})}}));
    const Ints rows = iota(5 << 20);
    NPK_ASSERT_OK(store.append_rows("m", ArrayView::of(rows, {5'120, 1'024})));
    NPK_ASSERT_OK(store.append_rows("m", ArrayView::of(rows, {5'120, 1'024})));
    NPK_ASSERT_OK(store.close());
    NPK_ASSERT_OK_AND_ASSIGN(const ParallelIO again, ParallelIO::open(directory.file("s")));
    NPK_ASSERT_OK_AND_ASSIGN(const ArrayView view, again.get_array_view("m"));
    ASSERT_EQ(view.size_bytes(), 2 * rows.size() * 4);
    EXPECT_EQ(std::memcmp(view.data(), rows.data(), rows.size() * 4), 0);
    EXPECT_EQ(std::memcmp(view.data() + rows.size() * 4, rows.data(), rows.size() * 4), 0);
  }
}

TEST_F(AppendRows, RefusesWhatDoesNotFitAndChangesNothing) {
  ParallelIO store = with_matrix();
  NPK_EXPECT_ERROR(store.append_rows("nope", ints(iota(2), {1, 2})), kNotFound, "nope");
  NPK_EXPECT_ERROR(store.append_rows("m", ArrayView::of(std::vector<float>(2), {1, 2})),
                   kInvalidArgument, "float32");
  NPK_EXPECT_ERROR(store.append_rows("m", ArrayView::of(std::vector<uint32_t>(2), {1, 2})),
                   kInvalidArgument, "uint32");
  NPK_EXPECT_ERROR(store.append_rows("m", ints(iota(3), {1, 3})), kInvalidArgument, "(1, 3)");
  NPK_EXPECT_ERROR(store.append_rows("m", ints(iota(2), {2})), kInvalidArgument, "(2,)");
  NPK_EXPECT_ERROR(store.append_rows("m", ints(iota(2), {1, 1, 2})), kInvalidArgument, "(1, 1, 2)");
  NPK_EXPECT_ERROR(store.append_rows("m", ints(iota(1), {})), kInvalidArgument, "()");
  NPK_EXPECT_ERROR(store.append_rows("m", ArrayView::of(iota(2), {2, 2})), kInvalidArgument,
                   "needs 16 bytes");
  EXPECT_EQ(load(store, "m"), iota(6));
}

TEST_F(AppendRows, ErrorsNameTheArrayAndWhatItHolds) {
  ParallelIO store = with_matrix();
  const Status status = store.append_rows("m", ArrayView::of(std::vector<double>(2), {1, 2}));
  EXPECT_THAT(status.to_string(), ::testing::HasSubstr("'m'"));
  EXPECT_THAT(status.to_string(), ::testing::HasSubstr("int32"));
}

TEST_F(AppendRows, ToAZeroDimensionalArrayIsRefused) {
  ParallelIO store = open();
  NPK_ASSERT_OK(store.save_arrays({{"zero", ints(iota(1), {})}}));
  NPK_EXPECT_ERROR(store.append_rows("zero", ints(iota(1), {})), kInvalidArgument, "0-d");
  NPK_EXPECT_ERROR(store.append_rows("zero", ints(iota(1), {1})), kInvalidArgument, "zero");
  EXPECT_EQ(load(store, "zero"), Ints{0});
}

TEST_F(AppendRows, OfOverflowingRowCountsIsRefused) {
  ParallelIO store = open();
  NPK_ASSERT_OK(store.save_arrays({{"thin", ints(Ints{}, {uint64_t{1} << 58, 0})}}));
  for (int i = 0; i < 40; ++i) {  // Whatever the limit is, the count must not wrap round.
    const uint64_t before = shape(store, "thin")[0];
    const Status status = store.append_rows("thin", ints(Ints{}, {uint64_t{1} << 58, 0}));
    if (status.is_ok()) {
      ASSERT_EQ(shape(store, "thin")[0], before + (uint64_t{1} << 58));
    } else {
      ASSERT_EQ(shape(store, "thin")[0], before);
    }
  }
  NPK_ASSERT_OK(store.close());
  EXPECT_EQ(names(open()), std::vector<std::string>{"thin"});
}

}  // namespace
}  // namespace npk::testing
