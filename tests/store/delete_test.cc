#include "bindings/cli/torture/random_values.h"
#include "tests/support/store_fixture.h"

namespace npk::testing {
namespace {

class DropRows : public StoreTest {
 protected:
  ParallelIO with_column(size_t rows) {
    ParallelIO store = open();
    NPK_EXPECT_OK(store.save_arrays({{"c", ints(iota(rows), {rows})}}));
    return store;
  }
};

TEST_F(DropRows, LeavesTheOthersInOrder) {
  ParallelIO store = with_column(8);
  NPK_ASSERT_OK(store.drop_arrays("c", Rows::list({1, -1, 1})));
  EXPECT_EQ(load(store, "c"), (Ints{0, 2, 3, 4, 5, 6}));
  NPK_ASSERT_OK(store.drop_arrays("c", Rows::range(1, 3)));
  EXPECT_EQ(load(store, "c"), (Ints{0, 4, 5, 6}));
  NPK_ASSERT_OK(store.drop_arrays("c", Rows::mask({1, 0, 0, 1})));
  EXPECT_EQ(load(store, "c"), (Ints{4, 5}));
  EXPECT_EQ(shape(store, "c"), Shape{2});
}

TEST_F(DropRows, LeavesTheFileAsItIs) {
  ParallelIO store = with_column(5);
  const ArrayMetadata before = metadata(store, "c");
  NPK_ASSERT_OK(store.drop_arrays("c", Rows::list({2})));
  const ArrayMetadata after = metadata(store, "c");
  EXPECT_EQ(after.rows_file, before.rows_file);
  EXPECT_EQ(after.physical_rows, 5u);
  EXPECT_EQ(after.deleted_rows, 1u);
  EXPECT_EQ(after.size_bytes, 20u);
  EXPECT_EQ(raw_file(store, "c"), raw_bytes(iota(5)));
}

TEST_F(DropRows, OfAllLeavesAnArrayThatCanGrowAgain) {
  ParallelIO store = with_column(5);
  NPK_ASSERT_OK(store.drop_arrays("c", Rows::all()));
  EXPECT_EQ(shape(store, "c"), Shape{0});
  EXPECT_EQ(load(store, "c"), Ints{});
  NPK_ASSERT_OK(store.append_rows("c", ints(Ints{7}, {1})));
  EXPECT_EQ(load(store, "c"), Ints{7});
  NPK_ASSERT_OK(store.close());
  EXPECT_EQ(load(open(), "c"), Ints{7});
}

TEST_F(DropRows, IsSeenByEveryWayOfReading) {
  ParallelIO store = with_column(10);
  NPK_ASSERT_OK(store.drop_arrays("c", Rows::list({0, 5, 9})));  // Left: 1 2 3 4 6 7 8.
  NPK_ASSERT_OK_AND_ASSIGN(const Array rows, store.read_rows("c", Rows::list({0, 4, -1})));
  EXPECT_EQ(elements(rows), (Ints{1, 6, 8}));
  NPK_ASSERT_OK_AND_ASSIGN(const Array slice, store.getitem("c", Rows::range(3, 5)));
  EXPECT_EQ(elements(slice), (Ints{4, 6}));
  NPK_ASSERT_OK_AND_ASSIGN(RowStream stream, store.stream_load("c", 3));
  Ints streamed;
  for (const Array& block : stream) {
    const Ints part = elements(block);
    streamed.insert(streamed.end(), part.begin(), part.end());
  }
  EXPECT_EQ(streamed, (Ints{1, 2, 3, 4, 6, 7, 8}));
  NPK_EXPECT_ERROR(store.get_array_view("c"), kFailedPrecondition, "compact");
}

TEST_F(DropRows, AtTheEndsLeavesAViewPossible) {
  ParallelIO store = with_column(10);
  NPK_ASSERT_OK(store.drop_arrays("c", Rows::list({0, 1, 9})));
  NPK_ASSERT_OK_AND_ASSIGN(const ArrayView view, store.get_array_view("c"));
  EXPECT_EQ(elements(view), iota(7, 2));
}

TEST_F(DropRows, AcrossManyBlocksAgreesWithAVector) {
  constexpr size_t kRows = 300'000;  // Several blocks of 65,536 rows.
  Random random(test_seed());
  ParallelIO store = with_column(kRows);
  Ints wanted = iota(kRows);
  for (int round = 0; round < 20; ++round) {
    std::vector<int64_t> rows;
    if (round % 3 == 0) {  // A run.
      const uint64_t begin = random.below(wanted.size());
      for (uint64_t i = begin; i < std::min<uint64_t>(begin + 20'000, wanted.size()); ++i) {
        rows.push_back(static_cast<int64_t>(i));
      }
    } else {
      for (int i = 0; i < 3'000; ++i) {
        rows.push_back(static_cast<int64_t>(random.below(wanted.size())));
      }
    }
    NPK_ASSERT_OK(store.drop_arrays("c", Rows::list(rows)));
    std::vector<bool> gone(wanted.size());
    for (const int64_t row : rows) gone[static_cast<size_t>(row)] = true;
    size_t kept = 0;
    for (size_t i = 0; i < wanted.size(); ++i) {
      if (!gone[i]) wanted[kept++] = wanted[i];
    }
    wanted.resize(kept);
    NPK_ASSERT_OK_AND_ASSIGN(const Array last, store.read_rows("c", Rows::range(-50, {})));
    EXPECT_EQ(elements(last), Ints(wanted.end() - 50, wanted.end()));
  }
  EXPECT_EQ(load(store, "c"), wanted);
  NPK_ASSERT_OK(store.close());
  ParallelIO again = open();
  EXPECT_EQ(load(again, "c"), wanted);
  NPK_ASSERT_OK(again.compact_array("c"));
  EXPECT_EQ(raw_file(again, "c"), raw_bytes(wanted));
}

TEST_F(DropRows, RefusesWhatIsNotThereAndChangesNothing) {
  ParallelIO store = with_column(3);
  NPK_EXPECT_ERROR(store.drop_arrays("nope", Rows::list({0})), kNotFound, "nope");
  NPK_EXPECT_ERROR(store.drop_arrays("c", Rows::list({0, 3})), kOutOfRange, "3");
  NPK_EXPECT_ERROR(store.drop_arrays("c", Rows::list({-4})), kOutOfRange, "-4");
  NPK_EXPECT_ERROR(store.drop_arrays("c", Rows::mask({1})), kInvalidArgument, "mask");
  NPK_EXPECT_OK(store.drop_arrays("c", Rows::list({})));
  EXPECT_EQ(load(store, "c"), iota(3));
}

TEST_F(DropRows, OfAZeroDimensionalArrayIsRefused) {
  ParallelIO store = open();
  NPK_ASSERT_OK(store.save_arrays({{"zero", ints(iota(1), {})}}));
  NPK_EXPECT_ERROR(store.drop_arrays("zero", Rows::list({0})), kInvalidArgument, "0-d");
  EXPECT_EQ(load(store, "zero"), Ints{0});
}

class DropArrays : public StoreTest {};

TEST_F(DropArrays, RemovesAllNamedOrNone) {
  ParallelIO store = open();
  const auto view = ints(iota(3), {3});
  NPK_ASSERT_OK(store.save_arrays({{"a", view}, {"b", view}, {"c", view}}));
  NPK_EXPECT_ERROR(store.drop_arrays(std::vector<std::string>{"a", "nope", "b"}), kNotFound,
                   "nope");
  EXPECT_EQ(names(store), (std::vector<std::string>{"a", "b", "c"}));
  NPK_ASSERT_OK(store.drop_arrays(std::vector<std::string>{"a", "c"}));
  EXPECT_EQ(names(store), std::vector<std::string>{"b"});
  NPK_EXPECT_ERROR(store.load_array("a"), kNotFound, "'a'");
  NPK_ASSERT_OK_AND_ASSIGN(const bool has, store.has_array("a"));
  EXPECT_FALSE(has);
}

TEST_F(DropArrays, AnArrayMadeAgainUnderTheNameIsNew) {
  ParallelIO store = open();
  NPK_ASSERT_OK(store.save_arrays({{"a", ints(iota(30), {30})}}));
  NPK_ASSERT_OK(store.set_attributes("a", R"({"old":1})"));
  NPK_ASSERT_OK(store.drop_arrays("a", Rows::list({3})));
  const ArrayMetadata before = metadata(store, "a");
  NPK_ASSERT_OK(store.drop_arrays(std::vector<std::string>{"a"}));
  NPK_ASSERT_OK(store.save_arrays({{"a", ints(iota(2), {2})}}));
  const ArrayMetadata after = metadata(store, "a");
  EXPECT_EQ(after.attributes, "{}");
  EXPECT_EQ(after.deleted_rows, 0u);
  EXPECT_NE(after.rows_file, before.rows_file) << "a view of the old one may still be open";
  EXPECT_EQ(load(store, "a"), iota(2));
}

TEST_F(DropArrays, OfNoNamesChangesNothing) {
  ParallelIO store = open();
  NPK_EXPECT_OK(store.drop_arrays(std::vector<std::string>{}));
}

TEST_F(DropArrays, ResetRemovesEverythingAndTheStoreGoesOn) {
  ParallelIO store = open();
  const auto view = ints(iota(3), {3});
  NPK_ASSERT_OK(store.save_arrays({{"a", view}, {"b", view}}));
  NPK_ASSERT_OK_AND_ASSIGN(const ArrayView held, store.get_array_view("a"));
  NPK_ASSERT_OK(store.reset());
  EXPECT_TRUE(names(store).empty());
  EXPECT_EQ(elements(held), iota(3));
  NPK_ASSERT_OK(store.save_arrays({{"b", ints(iota(1, 5), {1})}}));
  NPK_ASSERT_OK(store.close());
  const ParallelIO again = open();
  EXPECT_EQ(names(again), std::vector<std::string>{"b"});
  EXPECT_EQ(load(again, "b"), Ints{5});
}

}  // namespace
}  // namespace npk::testing
