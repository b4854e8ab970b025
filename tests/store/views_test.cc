#include "tests/support/store_fixture.h"

namespace npk::testing {
namespace {

class Views : public StoreTest {
 protected:
  ParallelIO with_array(size_t rows) {
    ParallelIO store = open();
    NPK_EXPECT_OK(store.save_arrays({{"a", ints(iota(rows), {rows})}}));
    return store;
  }
  static ArrayView view(const ParallelIO& store) {
    auto view = store.get_array_view("a");
    EXPECT_TRUE(view.is_ok()) << view.status().to_string();
    return *std::move(view);
  }
};

TEST_F(Views, ShowTheRowsWithoutCopyingThem) {
  ParallelIO store = with_array(10);
  const ArrayView first = view(store);
  EXPECT_EQ(elements(first), iota(10));
  EXPECT_EQ(first.data(), view(store).data());
  EXPECT_NE(first.pin(), nullptr);
  NPK_EXPECT_ERROR(store.get_array_view("nope"), kNotFound, "nope");
}

TEST_F(Views, StayAsTheyAreThroughCompactOverwriteDropAndClose) {
  ParallelIO store = with_array(50'000);
  NPK_ASSERT_OK(store.drop_arrays("a", Rows::range(0, 10)));
  const ArrayView before_compact = view(store);
  NPK_ASSERT_OK(store.compact_array("a"));
  const ArrayView before_overwrite = view(store);
  NPK_ASSERT_OK(store.save_arrays({{"a", ints(iota(70'000, 5), {70'000})}}));
  const ArrayView before_drop = view(store);
  NPK_ASSERT_OK(store.drop_arrays(std::vector<std::string>{"a"}));
  NPK_ASSERT_OK(store.save_arrays({{"a", ints(Ints{1}, {1})}}));
  const ArrayView before_close = view(store);
  NPK_ASSERT_OK(store.sync_metadata());
  NPK_ASSERT_OK(store.close());
  EXPECT_EQ(elements(before_compact), iota(49'990, 10));
  EXPECT_EQ(elements(before_overwrite), iota(49'990, 10));
  EXPECT_EQ(elements(before_drop), iota(70'000, 5));
  EXPECT_EQ(elements(before_close), Ints{1});
}

TEST_F(Views, KeepTheirLengthWhenRowsAreAppendedOrDeleted) {
  ParallelIO store = with_array(3);
  const ArrayView old_view = view(store);
  for (int32_t i = 3; i < 20'000; i += 500) {
    NPK_ASSERT_OK(store.append_rows("a", ints(iota(500, i), {500})));
  }
  NPK_ASSERT_OK(store.drop_arrays("a", Rows::list({0})));
  EXPECT_EQ(elements(old_view), iota(3));
  EXPECT_EQ(elements(view(store)).front(), 1);
}

TEST_F(Views, ShowRowsReplacedLater) {
  ParallelIO store = with_array(100);
  const ArrayView old_view = view(store);
  NPK_ASSERT_OK(store.replace_rows("a", ints(Ints{-7}, {1}), Rows::list({7})));
  EXPECT_EQ(elements(old_view)[7], -7);
}

TEST_F(Views, OfEmptyAndZeroDimensionalArrays) {
  ParallelIO store = open();
  NPK_ASSERT_OK(store.save_arrays({{"none", ints(Ints{}, {0, 3})},
                                   {"thin", ints(Ints{}, {5, 0})},
                                   {"zero", ints(Ints{8}, {})}}));
  NPK_ASSERT_OK_AND_ASSIGN(const ArrayView none, store.get_array_view("none"));
  EXPECT_EQ(none.shape(), (Shape{0, 3}));
  NPK_ASSERT_OK_AND_ASSIGN(const ArrayView thin, store.get_array_view("thin"));
  EXPECT_EQ(thin.shape(), (Shape{5, 0}));
  NPK_ASSERT_OK_AND_ASSIGN(const ArrayView zero, store.get_array_view("zero"));
  EXPECT_EQ(zero.shape(), Shape{});
  EXPECT_EQ(elements(zero), Ints{8});
  for (const ArrayView& each : {none, thin, zero}) NPK_EXPECT_OK(each.check());
}

TEST_F(Views, ManyOfManyGenerationsLiveSideBySide) {
  ParallelIO store = with_array(1);
  std::vector<ArrayView> views;
  for (int32_t i = 0; i < 200; ++i) {
    NPK_ASSERT_OK(store.save_arrays({{"a", ints(iota(100, i), {100})}}));
    views.push_back(view(store));
  }
  for (int32_t i = 0; i < 200; ++i) {
    ASSERT_EQ(elements(views[static_cast<size_t>(i)]), iota(100, i));
  }
}

class ReadRows : public StoreTest {};

TEST_F(ReadRows, GivesTheRowsAskedForInThatOrder) {
  ParallelIO store = open();
  NPK_ASSERT_OK(store.save_arrays({{"a", ints(iota(20), {10, 2})}}));
  const auto read = [&](const Rows& rows) {
    auto array = store.read_rows("a", rows);
    EXPECT_TRUE(array.is_ok()) << array.status().to_string();
    EXPECT_EQ(array->shape().size(), 2u);
    return elements(*array);
  };
  EXPECT_EQ(read(Rows::list({9, 0, 9, -1})), (Ints{18, 19, 0, 1, 18, 19, 18, 19}));
  EXPECT_EQ(read(Rows::range(8, std::nullopt)), (Ints{16, 17, 18, 19}));
  EXPECT_EQ(read(Rows::range(std::nullopt, std::nullopt, -5)), (Ints{18, 19, 8, 9}));
  EXPECT_EQ(read(Rows::range(-1'000, 1)), (Ints{0, 1}));
  EXPECT_EQ(read(Rows::range(5, 5)), Ints{});
  EXPECT_EQ(read(Rows::list({})), Ints{});
  EXPECT_EQ(read(Rows::mask({0, 0, 0, 255, 0, 0, 0, 0, 0, 1})), (Ints{6, 7, 18, 19}));
  EXPECT_EQ(read(Rows::all()), iota(20));
}

TEST_F(ReadRows, IntoTheCallersMemoryNeedsExactlyThatMuch) {
  ParallelIO store = open();
  NPK_ASSERT_OK(store.save_arrays({{"a", ints(iota(20), {10, 2})}}));
  Ints out(4, -1);
  const std::vector<int64_t> rows = {-1, 2};
  const std::span<std::byte> bytes = std::as_writable_bytes(std::span(out));
  NPK_ASSERT_OK(store.read_rows_into("a", rows, bytes));
  EXPECT_EQ(out, (Ints{18, 19, 4, 5}));
  NPK_EXPECT_ERROR(store.read_rows_into("a", rows, bytes.first(15)), kInvalidArgument, "16");
  NPK_EXPECT_ERROR(store.read_rows_into("a", {}, bytes), kInvalidArgument, "16");
  NPK_EXPECT_OK(store.read_rows_into("a", {}, {}));
  const std::vector<int64_t> bad = {0, 10};
  NPK_EXPECT_ERROR(store.read_rows_into("a", bad, bytes), kOutOfRange, "10");
}

TEST_F(ReadRows, OutOfRangeNamesTheRowAndTheRowCount) {
  ParallelIO store = open();
  NPK_ASSERT_OK(store.save_arrays({{"a", ints(iota(3), {3})}}));
  NPK_EXPECT_ERROR(store.read_rows("a", Rows::list({0, 3})), kOutOfRange, "3");
  NPK_EXPECT_ERROR(store.read_rows("a", Rows::list({-4})), kOutOfRange, "-4");
  NPK_EXPECT_ERROR(store.read_rows("a", Rows::list({INT64_MIN})), kOutOfRange, "'a'");
  NPK_EXPECT_ERROR(store.read_rows("a", Rows::mask({1, 1})), kInvalidArgument, "mask");
  NPK_EXPECT_ERROR(store.read_rows("a", Rows::range(0, 2, 0)), kInvalidArgument, "step");
  NPK_EXPECT_ERROR(store.read_rows("nope", Rows::all()), kNotFound, "nope");
}

TEST_F(ReadRows, OfAZeroDimensionalArrayGivesItsElementOrIsRefused) {
  ParallelIO store = open();
  NPK_ASSERT_OK(store.save_arrays({{"zero", ints(Ints{8}, {})}}));
  auto all = store.read_rows("zero", Rows::all());
  if (all.is_ok()) {
    EXPECT_EQ(elements(*all), Ints{8});
  } else {
    EXPECT_EQ(all.status().code(), StatusCode::kInvalidArgument) << all.status().to_string();
  }
}

class Streams : public StoreTest {};

TEST_F(Streams, GiveBlocksAndAShorterLastOne) {
  ParallelIO store = open();
  NPK_ASSERT_OK(store.save_arrays({{"a", ints(iota(20), {10, 2})}}));
  NPK_ASSERT_OK_AND_ASSIGN(RowStream stream, store.stream_load("a", 4));
  std::vector<Shape> shapes;
  Ints all;
  while (true) {
    NPK_ASSERT_OK_AND_ASSIGN(const std::optional<Array> block, stream.next());
    if (!block) break;
    shapes.push_back(block->shape());
    for (const int32_t value : elements(*block)) all.push_back(value);
  }
  EXPECT_EQ(shapes, (std::vector<Shape>{{4, 2}, {4, 2}, {2, 2}}));
  EXPECT_EQ(all, iota(20));
  NPK_ASSERT_OK_AND_ASSIGN(const std::optional<Array> after_end, stream.next());
  EXPECT_FALSE(after_end.has_value());
}

TEST_F(Streams, ShowTheRowsOfTheMomentTheyBegan) {
  ParallelIO store = open();
  NPK_ASSERT_OK(store.save_arrays({{"a", ints(iota(1'000), {1'000})}}));
  NPK_ASSERT_OK(store.drop_arrays("a", Rows::list({0})));
  NPK_ASSERT_OK_AND_ASSIGN(RowStream stream, store.stream_load("a", 10));
  NPK_ASSERT_OK(stream.next());
  NPK_ASSERT_OK(store.append_rows("a", ints(Ints{5}, {1})));
  NPK_ASSERT_OK(store.drop_arrays("a", Rows::range(100, 500)));
  NPK_ASSERT_OK(store.compact_array("a"));
  NPK_ASSERT_OK(store.save_arrays({{"a", ints(Ints{5}, {1})}}));
  NPK_ASSERT_OK(store.drop_arrays(std::vector<std::string>{"a"}));
  Ints rest;
  for (const Array& block : stream) {
    for (const int32_t value : elements(block)) rest.push_back(value);
  }
  NPK_EXPECT_OK(stream.status());
  EXPECT_EQ(rest, iota(989, 11));
}

TEST_F(Streams, OfEmptyArraysAndHugeBlocks) {
  ParallelIO store = open();
  NPK_ASSERT_OK(store.save_arrays({{"none", ints(Ints{}, {0, 3})}, {"a", ints(iota(3), {3})}}));
  NPK_ASSERT_OK_AND_ASSIGN(RowStream none, store.stream_load("none", 10));
  for ([[maybe_unused]] const Array& block : none) ADD_FAILURE() << "a block of an empty array";
  NPK_EXPECT_OK(none.status());
  NPK_ASSERT_OK_AND_ASSIGN(RowStream whole, store.stream_load("a", UINT64_MAX));
  NPK_ASSERT_OK_AND_ASSIGN(const std::optional<Array> block, whole.next());
  ASSERT_TRUE(block.has_value());
  EXPECT_EQ(elements(*block), iota(3));
  NPK_EXPECT_ERROR(store.stream_load("a", 0), kInvalidArgument, "0 rows");
  NPK_EXPECT_ERROR(store.stream_load("nope", 1), kNotFound, "nope");
}

}  // namespace
}  // namespace npk::testing
