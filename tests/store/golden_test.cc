// Golden stores: stores of each format, kept in the tree as they were written once, which every
// later build must open. One for each feature of the format.
//
// To add one: a row in the table, and
//   build/release/bin/npk_store_tests --npk-worker golden tests/store/golden/format-1
// which makes those that are missing there. Those that are there are never made anew.
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <span>

#include "bindings/cli/torture/random_operations.h"
#include "npk/internal/text.h"
#include "tests/store/workers.h"
#include "tests/support/directory_snapshot.h"
#include "tests/support/store_compare.h"
#include "tests/support/store_fixture.h"

namespace npk::testing {
namespace {

using internal::concat;

const std::string kFolder = NPK_SOURCE_DIR "/tests/store/golden/format-1";

Status plain(ParallelIO& store) {
  Random random(1);
  std::vector<std::pair<std::string, ArrayView>> arrays;
  std::vector<Values> values;
  values.reserve(dtype_table().size());
  for (const DTypeInfo& info : dtype_table()) {
    std::vector<std::byte> bytes(size_t{6} * info.item_bytes);
    for (std::byte& byte : bytes) byte = static_cast<std::byte>(random.below(2));
    values.push_back(contiguous_values(info.dtype, {3, 2}, std::move(bytes)));
    arrays.emplace_back(info.name, values.back().view());
  }
  arrays.emplace_back("zero-d", ints({42}, {}));
  arrays.emplace_back("no rows", ints(Ints{}, {0, 3}));
  return store.save_arrays(arrays);
}

/// Every type of record that a log can hold in durability process.
Status log(ParallelIO& store) {
  NPK_RETURN_IF_ERROR(store.save_arrays({{"a", ints(iota(30), {10, 3})}, {"b", ints({7}, {1})}}));
  NPK_RETURN_IF_ERROR(store.append_rows("a", ints(iota(6, 100), {2, 3})));
  NPK_RETURN_IF_ERROR(store.replace_rows("a", ints(iota(6, -6), {2, 3}), Rows::list({0, -1})));
  NPK_RETURN_IF_ERROR(store.drop_arrays("a", Rows::list({4, 5})));
  NPK_RETURN_IF_ERROR(store.set_attributes("a", R"({"unit":"m"})"));
  NPK_RETURN_IF_ERROR(store.save_arrays({{"b", ints(iota(4), {2, 2})}}));
  NPK_RETURN_IF_ERROR(store.clone_array("a", "c"));
  return store.drop_arrays(std::vector<std::string>{"b"});
}

Status deleted(ParallelIO& store) {
  NPK_RETURN_IF_ERROR(store.save_arrays({{"scattered", ints(iota(200), {200})},
                                         {"range", ints(iota(200), {200})},
                                         {"all", ints(iota(5), {5})}}));
  NPK_RETURN_IF_ERROR(store.drop_arrays("scattered", Rows::range(0, 200, 7)));
  NPK_RETURN_IF_ERROR(store.drop_arrays("range", Rows::range(20, 180)));
  return store.drop_arrays("all", Rows::all());
}

Status attributes(ParallelIO& store) {
  NPK_RETURN_IF_ERROR(store.save_arrays({{"a", ints(iota(2), {2})}}));
  return store.set_attributes("a", R"({"text":"\u00fc\n","list":[1,2.5,null,{"deep":[]}]})");
}

Status checksums(ParallelIO& store) {
  const SaveOptions block{Checksums::kBlock};
  NPK_RETURN_IF_ERROR(store.save_arrays(
      {{"a", ints(iota(20'000), {10'000, 2})}, {"empty", ints(Ints{}, {0, 3})}}, block));
  NPK_RETURN_IF_ERROR(store.append_rows("a", ints(iota(10, 100), {5, 2})));
  NPK_RETURN_IF_ERROR(store.replace_rows("a", ints(iota(4, -4), {2, 2}), Rows::list({8'191, 3})));
  return store.drop_arrays("a", Rows::range(100, 200));
}

Status names(ParallelIO& store) {
  for (const std::string& name : awkward_names()) {
    NPK_RETURN_IF_ERROR(
        store.save_arrays({{name, ints({static_cast<int32_t>(name.size())}, {1})}}));
  }
  return {};
}

struct Golden {
  const char* name;
  Status (*make)(ParallelIO&);
  bool is_closed = true;  ///< Else its writer was killed, and all is in the log.
};

constexpr Golden kGoldens[] = {{"plain", plain},         {"log", log, false},
                               {"deleted", deleted},     {"attributes", attributes},
                               {"checksums", checksums}, {"checksums-log", checksums, false},
                               {"names", names}};

std::string folder_of(const Golden& golden, const std::string& all) {
  return concat(all, "/", golden.name, ".npk");
}

class GoldenStores : public StoreTest {
 protected:
  GoldenStores() : StoreTest(TempDir::Place::kMemory) {}

  /// What it must hold: the same calls, made now.
  Model made_now(const Golden& golden) {
    auto store = ParallelIO::open(directory_.file(concat(golden.name, "-now")));
    NPK_EXPECT_OK(store);
    NPK_EXPECT_OK(golden.make(*store));
    auto model = read_model(*store);
    NPK_EXPECT_OK(model);
    return *std::move(model);
  }
};

TEST_F(GoldenStores, AreInTheTreeOneForEachRowOfTheTable) {
  std::vector<std::string> wanted;
  for (const Golden& golden : kGoldens) wanted.push_back(concat(golden.name, ".npk"));
  std::vector<std::string> found;
  for (const auto& entry : std::filesystem::directory_iterator(kFolder)) {
    found.push_back(entry.path().filename());
  }
  EXPECT_THAT(found, ::testing::UnorderedElementsAreArray(wanted));
}

TEST_F(GoldenStores, OpenAreCleanAndHoldWhatWasWritten) {
  for (const Golden& golden : kGoldens) {
    SCOPED_TRACE(golden.name);
    const Model wanted = made_now(golden);
    const DirectorySnapshot files = snapshot(folder_of(golden, kFolder));
    for (const bool read_only : {true, false}) {
      restore(files, path());
      EXPECT_EQ(verify_damage(path()), "");
      StoreOptions options;
      options.read_only = read_only;
      {
        const ParallelIO store = open(options);
        EXPECT_EQ(content_difference(store, wanted), "");
      }
      if (read_only) {
        EXPECT_EQ(snapshot_difference(files, snapshot(path())), "");
      }
      EXPECT_EQ(verify_damage(path()), "");
    }
  }
}

TEST_F(GoldenStores, CanBeChanged) {
  for (const Golden& golden : kGoldens) {
    SCOPED_TRACE(golden.name);
    Model model = made_now(golden);
    restore(snapshot(folder_of(golden, kFolder)), path());
    ParallelIO store = open();
    OperationLimits limits;
    limits.names = {"plain", "new"};
    OperationGenerator operations(test_seed(), std::move(limits));
    for (int i = 0; i < 30; ++i) {
      const Operation operation = operations.next(model);
      NPK_ASSERT_OK(perform(operation, store));
      perform(operation, model);
    }
    NPK_ASSERT_OK(store.close());
    EXPECT_EQ(content_difference(open(), model), "");
    EXPECT_EQ(verify_damage(path()), "");
  }
}

}  // namespace

/// Makes the golden stores that are missing in a folder.
int golden_worker(const Arguments& arguments) {
  const std::string& all = arguments.at(0);
  std::filesystem::create_directories(all);
  for (const Golden& golden : kGoldens) {
    const std::string target = folder_of(golden, all);
    if (std::filesystem::exists(target)) continue;
    const TempDir directory;
    auto store = ParallelIO::open(directory.file("s"));
    if (!store.is_ok() || !golden.make(*store).is_ok()) return 1;
    if (golden.is_closed && !store->close().is_ok()) return 1;
    std::filesystem::copy(directory.file("s"), target);
    std::filesystem::remove(concat(target, "/LOCK"));  // Volatile.
    std::printf("%s\n", target.c_str());
  }
  return 0;
}

}  // namespace npk::testing
