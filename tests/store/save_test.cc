#include <filesystem>

#include "bindings/cli/torture/random_values.h"
#include "tests/support/directory_snapshot.h"
#include "tests/support/store_compare.h"
#include "tests/support/store_fixture.h"

namespace npk::testing {
namespace {

class SaveArrays : public StoreTest {};

TEST_F(SaveArrays, KeepsEveryElementTypeAndShapeThroughAReopen) {
  const uint64_t seed = test_seed();
  const std::vector<Shape> shapes = {{},        {0},       {1},          {7},
                                     {0, 3},    {3, 0},    {4, 5},       {2, 3, 4},
                                     {2, 0, 4}, {1, 2, 1}, Shape(32, 1), {2, 1, 2, 1, 2, 1, 2, 3}};
  Model model;
  {
    Random random(seed);
    ParallelIO store = open();
    for (const DTypeInfo& info : dtype_table()) {
      for (const Shape& shape : shapes) {
        const Values values = random_values(random, info.dtype, shape);
        const std::string name = std::string(info.name) + shape_to_string(shape);
        NPK_ASSERT_OK(store.save_arrays({{name, values.view()}}));
        model[name] = {info.dtype, shape, values.bytes, "{}"};
      }
    }
    ASSERT_EQ(full_difference(store, model, random), "");
  }
  Random random(seed);
  ParallelIO store = open();
  EXPECT_EQ(full_difference(store, model, random), "");
}

TEST_F(SaveArrays, WritesRowsFromByteZeroInCOrderAndNothingElse) {
  const Ints values = iota(12);
  ParallelIO store = open();
  const auto transposed =
      ArrayView::strided(values.data(), DType::kInt32, {4, 3}, {4, 16});  // Of a (3, 4) array.
  NPK_ASSERT_OK(store.save_arrays({{"c", ArrayView::of(values, {3, 4})}, {"f", transposed}}));
  EXPECT_EQ(raw_file(store, "c"), raw_bytes(values));
  EXPECT_EQ(raw_file(store, "f"), raw_bytes(Ints{0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11}));
}

TEST_F(SaveArrays, OverwriteMayChangeElementTypeAndShape) {
  ParallelIO store = open();
  NPK_ASSERT_OK(store.save_arrays({{"a", ints(iota(12), {3, 4})}}));
  const ArrayMetadata before = metadata(store, "a");
  const std::vector<double> doubles = {1.5, 2.5};
  NPK_ASSERT_OK(store.save_arrays({{"a", ArrayView::of(doubles, {2})}}));
  EXPECT_EQ(load<double>(store, "a"), doubles);
  EXPECT_GT(metadata(store, "a").generation, before.generation);
  EXPECT_EQ(names(store), std::vector<std::string>{"a"});

  const float one = 1;
  NPK_ASSERT_OK(store.save_arrays({{"a", ArrayView::of(&one, {})}}));
  EXPECT_EQ(shape(store, "a"), Shape{});
  EXPECT_EQ(load<float>(store, "a"), std::vector<float>{1});
}

TEST_F(SaveArrays, OverwriteForgetsDeletedRows) {
  ParallelIO store = open();
  NPK_ASSERT_OK(store.save_arrays({{"a", ints(iota(10), {10})}}));
  NPK_ASSERT_OK(store.drop_arrays("a", Rows::list({0, 9})));
  NPK_ASSERT_OK(store.save_arrays({{"a", ints(iota(10, 50), {10})}}));
  EXPECT_EQ(load(store, "a"), iota(10, 50));
  EXPECT_EQ(metadata(store, "a").deleted_rows, 0u);
}

TEST_F(SaveArrays, OfSeveralIsAllOrNothing) {
  ParallelIO store = open();
  NPK_ASSERT_OK(store.save_arrays({{"a", ints(iota(3), {3})}}));
  const auto good = ints(iota(3, 7), {3});
  const Ints three = iota(3);
  const auto bad = ArrayView::of(three, {4});
  NPK_EXPECT_ERROR(store.save_arrays({{"a", good}, {"b", good}, {"c", bad}}), kInvalidArgument,
                   "needs 16 bytes");
  NPK_EXPECT_ERROR(store.save_arrays({{"a", good}, {"", good}}), kInvalidArgument, "name");
  EXPECT_EQ(names(store), std::vector<std::string>{"a"});
  EXPECT_EQ(load(store, "a"), iota(3));
}

TEST_F(SaveArrays, OfNothingChangesNothing) {
  ParallelIO store = open();
  NPK_EXPECT_OK(store.save_arrays({}));
  EXPECT_TRUE(names(store).empty());
}

TEST_F(SaveArrays, OfOneNameTwiceEitherKeepsTheLastOrIsRefusedWhole) {
  ParallelIO store = open();
  const Ints first = iota(3);
  const Ints second = iota(2, 9);
  const Status status =
      store.save_arrays({{"a", ArrayView::of(first, {3})}, {"a", ArrayView::of(second, {2})}});
  if (status.is_ok()) {
    EXPECT_EQ(load(store, "a"), second);
  } else {
    EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
    EXPECT_TRUE(names(store).empty());
  }
}

TEST_F(SaveArrays, OfItsOwnViewIsNotEatenByTheOverwrite) {
  ParallelIO store = open();
  NPK_ASSERT_OK(store.save_arrays({{"a", ints(iota(1'000), {1'000})}}));
  NPK_ASSERT_OK_AND_ASSIGN(const ArrayView view, store.get_array_view("a"));
  NPK_ASSERT_OK(store.save_arrays({{"a", view.slice_rows(500, 1'000)}}));
  EXPECT_EQ(load(store, "a"), iota(500, 500));
}

TEST_F(SaveArrays, OfAThousandSmallOnesIsOneCommit) {
  const TempDir memory(TempDir::Place::kMemory);
  NPK_ASSERT_OK_AND_ASSIGN(ParallelIO store, ParallelIO::open(memory.file("s")));
  std::vector<std::pair<std::string, ArrayView>> arrays;
  const Ints values = iota(1'010);
  for (size_t i = 0; i < 1'000; ++i) {
    arrays.emplace_back("layer." + std::to_string(i), ArrayView::of(&values[i], {10}));
  }
  NPK_ASSERT_OK(store.save_arrays(arrays));
  NPK_ASSERT_OK(store.sync_metadata());
  NPK_ASSERT_OK(store.close());
  NPK_ASSERT_OK_AND_ASSIGN(const ParallelIO again, ParallelIO::open(memory.file("s")));
  ASSERT_EQ(names(again).size(), 1'000u);
  for (size_t i = 0; i < 1'000; i += 111) {
    EXPECT_EQ(load(again, "layer." + std::to_string(i)), iota(10, static_cast<int32_t>(i)));
  }
}

TEST_F(SaveArrays, LeavesNoFilesOfOldGenerationsBehind) {
  ParallelIO store = open();
  for (int32_t i = 0; i < 20; ++i) {
    NPK_ASSERT_OK(store.save_arrays({{"a", ints(iota(100, i), {100})}}));
  }
  NPK_ASSERT_OK(store.close());
  EXPECT_EQ(files_ending_in(snapshot(path()), ".rows").size(), 1u);
  EXPECT_TRUE(files_containing(snapshot(path()), ".tmp").empty());
  EXPECT_EQ(load(open(), "a"), iota(100, 19));
}

TEST_F(SaveArrays, MetadataTellsWhatWasSaved) {
  ParallelIO store = open();
  NPK_ASSERT_OK(store.save_arrays({{"m", ints(iota(12), {3, 2, 2})}}));
  const ArrayMetadata found = metadata(store, "m");
  EXPECT_EQ(found.name, "m");
  EXPECT_EQ(found.dtype, DType::kInt32);
  EXPECT_EQ(found.shape, (Shape{3, 2, 2}));
  EXPECT_EQ(found.row_bytes, 16u);
  EXPECT_EQ(found.physical_rows, 3u);
  EXPECT_EQ(found.deleted_rows, 0u);
  EXPECT_EQ(found.size_bytes, 48u);
  EXPECT_EQ(found.attributes, "{}");
  EXPECT_EQ(std::filesystem::file_size(path() + "/" + found.rows_file), 48u);
  EXPECT_GT(found.created_us, 1'600'000'000'000'000);
}

}  // namespace
}  // namespace npk::testing
