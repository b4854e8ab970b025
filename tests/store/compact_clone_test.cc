#include "tests/support/directory_snapshot.h"
#include "tests/support/store_fixture.h"

namespace npk::testing {
namespace {

class CompactArray : public StoreTest {};

TEST_F(CompactArray, GivesTheBytesOfDeletedRowsBack) {
  ParallelIO store = open();
  NPK_ASSERT_OK(store.save_arrays({{"c", ints(iota(10'000), {5'000, 2})}}));
  NPK_ASSERT_OK(store.set_attributes("c", R"({"k":1})"));
  NPK_ASSERT_OK(store.drop_arrays("c", Rows::range(0, 5'000, 2)));
  const Ints wanted = load(store, "c");
  const ArrayMetadata before = metadata(store, "c");
  NPK_ASSERT_OK(store.compact_array("c"));
  const ArrayMetadata after = metadata(store, "c");
  EXPECT_GT(after.generation, before.generation);
  EXPECT_EQ(after.physical_rows, 2'500u);
  EXPECT_EQ(after.deleted_rows, 0u);
  EXPECT_EQ(after.size_bytes, 20'000u);
  EXPECT_EQ(after.attributes, R"({"k":1})");
  EXPECT_EQ(after.created_us, before.created_us);
  EXPECT_EQ(raw_file(store, "c"), raw_bytes(wanted));
  NPK_ASSERT_OK(store.close());
  EXPECT_EQ(files_ending_in(snapshot(path()), ".rows").size(), 1u);
  EXPECT_TRUE(files_containing(snapshot(path()), ".deleted.").empty());
  EXPECT_EQ(load(open(), "c"), wanted);
}

TEST_F(CompactArray, OfAnArrayWithoutDeletionsKeepsItsContent) {
  ParallelIO store = open();
  NPK_ASSERT_OK(store.save_arrays({{"c", ints(iota(10), {10})}}));
  NPK_ASSERT_OK(store.compact_array("c"));
  EXPECT_EQ(load(store, "c"), iota(10));
  NPK_EXPECT_ERROR(store.compact_array("nope"), kNotFound, "nope");
}

TEST_F(CompactArray, OfNothingLeftAndOfOddShapes) {
  ParallelIO store = open();
  NPK_ASSERT_OK(store.save_arrays({{"gone", ints(iota(10), {10})},
                                   {"thin", ints(Ints{}, {5, 0})},
                                   {"zero", ints(iota(1), {})}}));
  NPK_ASSERT_OK(store.drop_arrays("gone", Rows::all()));
  NPK_ASSERT_OK(store.drop_arrays("thin", Rows::list({1, 2})));
  for (const char* name : {"gone", "thin", "zero"}) NPK_ASSERT_OK(store.compact_array(name));
  EXPECT_EQ(shape(store, "gone"), Shape{0});
  EXPECT_EQ(shape(store, "thin"), (Shape{3, 0}));
  EXPECT_EQ(load(store, "zero"), Ints{0});
  NPK_ASSERT_OK(store.append_rows("gone", ints(Ints{3}, {1})));
  EXPECT_EQ(load(store, "gone"), Ints{3});
}

TEST_F(CompactArray, ReportsProgressUpToTheTotal) {
  ParallelIO store = open();
  NPK_ASSERT_OK(store.save_arrays({{"c", ints(iota(8 << 20), {1 << 20, 8})}}));
  NPK_ASSERT_OK(store.drop_arrays("c", Rows::range(0, 1 << 20, 4)));
  uint64_t last = 0;
  uint64_t total = 0;
  NPK_ASSERT_OK(store.compact_array("c", [&](uint64_t done, uint64_t of) {
    EXPECT_GE(done, last);
    EXPECT_LE(done, of);
    last = done;
    total = of;
    return true;
  }));
  EXPECT_EQ(total, uint64_t{3} << 23);  // Three quarters of 32 MiB are live.
  EXPECT_EQ(last, total);
}

TEST_F(CompactArray, CancelledChangesNothing) {
  ParallelIO store = open();
  NPK_ASSERT_OK(store.save_arrays({{"c", ints(iota(8 << 20), {1 << 20, 8})}}));
  NPK_ASSERT_OK(store.drop_arrays("c", Rows::list({0})));
  NPK_ASSERT_OK(store.sync_metadata());
  const auto files = files_ending_in(snapshot(path()), ".rows");
  const ArrayMetadata before = metadata(store, "c");
  const Status status = store.compact_array("c", [](uint64_t, uint64_t) { return false; });
  EXPECT_FALSE(status.is_ok());
  EXPECT_THAT(status.to_string(), ::testing::HasSubstr("cancel"));
  EXPECT_EQ(metadata(store, "c").generation, before.generation);
  EXPECT_EQ(files_ending_in(snapshot(path()), ".rows"), files) << "the half-made file must go";
  NPK_ASSERT_OK(store.append_rows("c", ints(iota(8), {1, 8})));
  EXPECT_EQ(shape(store, "c"), (Shape{1 << 20, 8}));
}

class CloneArray : public StoreTest {};

TEST_F(CloneArray, CopiesLiveRowsAndAttributes) {
  ParallelIO store = open();
  NPK_ASSERT_OK(store.save_arrays({{"a", ints(iota(10), {5, 2})}}));
  NPK_ASSERT_OK(store.set_attributes("a", R"({"who":"a"})"));
  NPK_ASSERT_OK(store.drop_arrays("a", Rows::list({1, 3})));
  NPK_ASSERT_OK(store.clone_array("a", "b"));
  EXPECT_EQ(load(store, "b"), (Ints{0, 1, 4, 5, 8, 9}));
  EXPECT_EQ(metadata(store, "b").attributes, R"({"who":"a"})");
  EXPECT_EQ(metadata(store, "b").deleted_rows, 0u);
  EXPECT_EQ(metadata(store, "b").physical_rows, 3u);
}

TEST_F(CloneArray, IsIndependentOfItsSource) {
  ParallelIO store = open();
  NPK_ASSERT_OK(store.save_arrays({{"a", ints(iota(4), {4})}}));
  NPK_ASSERT_OK(store.clone_array("a", "b"));
  NPK_ASSERT_OK(store.replace_rows("a", ints(Ints{-1}, {1}), Rows::list({0})));
  NPK_ASSERT_OK(store.append_rows("b", ints(Ints{9}, {1})));
  NPK_ASSERT_OK(store.set_attributes("b", R"({"only":"b"})"));
  EXPECT_EQ(load(store, "a"), (Ints{-1, 1, 2, 3}));
  EXPECT_EQ(load(store, "b"), (Ints{0, 1, 2, 3, 9}));
  EXPECT_EQ(metadata(store, "a").attributes, "{}");
  NPK_ASSERT_OK(store.drop_arrays(std::vector<std::string>{"a"}));
  NPK_ASSERT_OK(store.close());
  EXPECT_EQ(load(open(), "b"), (Ints{0, 1, 2, 3, 9}));
}

TEST_F(CloneArray, OfEveryOddShape) {
  ParallelIO store = open();
  NPK_ASSERT_OK(store.save_arrays({{"zero", ints(Ints{5}, {})},
                                   {"none", ints(Ints{}, {0, 3})},
                                   {"thin", ints(Ints{}, {4, 0})}}));
  for (const char* name : {"zero", "none", "thin"}) {
    const std::string target = std::string(name) + " copy";
    NPK_ASSERT_OK(store.clone_array(name, target));
    EXPECT_EQ(shape(store, target), shape(store, name));
    EXPECT_EQ(load(store, target), load(store, name));
  }
}

TEST_F(CloneArray, RefusesMissingSourcesTakenTargetsAndBadNames) {
  ParallelIO store = open();
  NPK_ASSERT_OK(store.save_arrays({{"a", ints(iota(3), {3})}, {"b", ints(iota(1), {1})}}));
  NPK_EXPECT_ERROR(store.clone_array("nope", "x"), kNotFound, "nope");
  NPK_EXPECT_ERROR(store.clone_array("a", "b"), kAlreadyExists, "'b'");
  NPK_EXPECT_ERROR(store.clone_array("a", "a"), kAlreadyExists, "'a'");
  NPK_EXPECT_ERROR(store.clone_array("a", std::string_view("x\0y", 3)), kInvalidArgument, "NUL");
  EXPECT_EQ(names(store), (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(load(store, "b"), iota(1));
}

}  // namespace
}  // namespace npk::testing
