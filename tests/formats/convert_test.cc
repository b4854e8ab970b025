// Import and export: files to arrays and back, in blocks, cancelled, and failing in the middle.
#include "npk/convert.h"

#include <algorithm>
#include <filesystem>
#include <functional>
#include <numeric>
#include <vector>

#include "tests/formats/npy_file.h"
#include "tests/support/support.h"

namespace npk {
namespace {

using testing::npy_data;
using testing::npy_file_bytes;
using testing::TempDir;

class Convert : public ::testing::Test {
 protected:
  void SetUp() override {
    auto opened = ParallelIO::open(directory_.file("s.npk"));
    ASSERT_TRUE(opened.is_ok()) << opened.status().to_string();
    store_.emplace(*std::move(opened));
  }

  /// An npy file of int32 0, 1, 2, … in C order.
  std::string counting_file(const Shape& shape, bool fortran, bool big_endian) {
    std::vector<int32_t> values(*shape_element_count(shape));
    std::iota(values.begin(), values.end(), 0);
    const std::string elements(reinterpret_cast<const char*>(values.data()), values.size() * 4);
    const std::string dictionary = std::string("{'descr': '") + (big_endian ? '>' : '<') +
                                   "i4', 'fortran_order': " + (fortran ? "True" : "False") +
                                   ", 'shape': " + shape_to_string(shape) + ", }";
    std::string path = directory_.file("counting.npy");
    testing::write_file(
        path, npy_file_bytes(1, dictionary,
                             npy_data(elements, DType::kInt32, shape, fortran, big_endian)));
    return path;
  }
  void expect_counting(const std::string& name, const Shape& shape) {
    NPK_ASSERT_OK_AND_ASSIGN(const Array array, store_->load_array(name));
    EXPECT_EQ(array.shape(), shape);
    const auto values = array.as<int32_t>();
    ASSERT_EQ(values.size(), *shape_element_count(shape));
    for (size_t i = 0; i < values.size(); ++i) ASSERT_EQ(values[i], static_cast<int32_t>(i));
  }
  std::vector<std::string> files() const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(directory_.path())) {
      names.push_back(entry.path().filename().string());
    }
    std::sort(names.begin(), names.end());
    return names;
  }

  TempDir directory_;
  std::optional<ParallelIO> store_;
};

// 12 MB: several blocks, the last one short.
const Shape kBig = {30'011, 100};
constexpr uint64_t kBigBytes = uint64_t{30'011} * 400;
const std::vector<int32_t> kOne = {1};

TEST_F(Convert, FilesOfEveryOrderAreImportedInBlocks) {
  for (const bool fortran : {false, true}) {
    for (const bool big_endian : {false, true}) {
      const std::string file = counting_file(kBig, fortran, big_endian);
      std::vector<uint64_t> steps;
      NPK_ASSERT_OK(import_file(file, *store_, "a",
                                {.overwrite = true, .progress = [&](uint64_t done, uint64_t total) {
                                   EXPECT_EQ(total, kBigBytes);
                                   steps.push_back(done);
                                   return true;
                                 }}));
      EXPECT_GT(steps.size(), 1u);
      EXPECT_TRUE(std::is_sorted(steps.begin(), steps.end()));
      EXPECT_EQ(steps.back(), kBigBytes);
      expect_counting("a", kBig);
    }
  }
}

TEST_F(Convert, ArraysWithoutRowsWidthOrDimensionsKeepTheirShape) {
  for (const Shape& shape : {Shape{}, Shape{0}, Shape{0, 5}, Shape{5, 0}, Shape{3, 0, 2}}) {
    for (const bool fortran : {false, true}) {
      NPK_ASSERT_OK(import_file(counting_file(shape, fortran, fortran), *store_, "a", {true, {}}));
      expect_counting("a", shape);
      NPK_ASSERT_OK(export_file(*store_, "a", directory_.file("out.npy"), {true, {}}));
      NPK_ASSERT_OK_AND_ASSIGN(const Array back, read_npy(directory_.file("out.npy")));
      EXPECT_EQ(back.shape(), shape);
      EXPECT_EQ(back.dtype(), DType::kInt32);
    }
  }
}

TEST_F(Convert, ACancelledImportChangesNothing) {
  NPK_ASSERT_OK(import_file(counting_file({3}, false, false), *store_, "a"));
  const std::string file = counting_file(kBig, false, true);
  for (const std::string name : {"a", "b"}) {
    int calls = 0;
    NPK_EXPECT_ERROR(import_file(file, *store_, name,
                                 {.overwrite = true,
                                  .progress = [&](uint64_t, uint64_t) { return ++calls < 2; }}),
                     kFailedPrecondition, "cancelled");
    EXPECT_EQ(calls, 2);
  }
  expect_counting("a", {3});
  EXPECT_THAT(*store_->list_arrays(), ::testing::ElementsAre("a"));
}

TEST_F(Convert, AnImportDoesNotReplaceAnArrayUnlessAsked) {
  NPK_ASSERT_OK(import_file(counting_file({3}, false, false), *store_, "a"));
  const std::string file = counting_file({5, 2}, false, false);
  NPK_EXPECT_ERROR(import_file(file, *store_, "a"), kAlreadyExists, "'a'");
  expect_counting("a", {3});
  NPK_ASSERT_OK(import_file(file, *store_, "a", {.overwrite = true, .progress = {}}));
  expect_counting("a", {5, 2});
}

TEST_F(Convert, AFileThatIsCutOffWhileItIsReadChangesNothing) {
  NPK_ASSERT_OK(import_file(counting_file({3}, false, false), *store_, "a"));
  for (const bool big_endian : {false, true}) {
    const std::string file = counting_file(kBig, false, big_endian);
    NPK_EXPECT_ERROR(import_file(file, *store_, "a",
                                 {.overwrite = true,
                                  .progress =
                                      [&](uint64_t, uint64_t) {
                                        std::filesystem::resize_file(file, 5'000);
                                        return true;
                                      }}),
                     kCorruption, "counting.npy at byte");
    expect_counting("a", {3});
  }
}

TEST_F(Convert, TextThatChangesWhileItIsReadChangesNothing) {
  const std::string file = directory_.file("labels.txt");
  std::string text;
  for (int i = 0; i < 200'000; ++i) text += "label number " + std::to_string(i + 100'000) + "\n";
  const std::string shorter = text.substr(0, text.size() / 2);
  const std::string wider = text.substr(0, text.size() / 2) + std::string(100, 'x') + text;
  for (const std::string& changed : {shorter, wider}) {
    testing::write_file(file, text);
    bool is_changed = false;
    NPK_EXPECT_ERROR(import_file(file, *store_, "labels",
                                 {.overwrite = true,
                                  .progress =
                                      [&](uint64_t done, uint64_t total) {
                                        if (!is_changed && done < total) {
                                          testing::write_file(file, changed);
                                          is_changed = true;
                                        }
                                        return true;
                                      }}),
                     kCorruption, "changed while it was read");
    EXPECT_TRUE(is_changed);
    EXPECT_THAT(*store_->list_arrays(), ::testing::IsEmpty());
  }
  testing::write_file(file, text);
  NPK_ASSERT_OK(import_file(file, *store_, "labels"));
  NPK_ASSERT_OK(export_file(*store_, "labels", directory_.file("out.txt")));
  EXPECT_EQ(testing::read_file(directory_.file("out.txt")), text);
}

TEST_F(Convert, AnExportHasTheLiveRowsAndTellsHowFarItIs) {
  NPK_ASSERT_OK(import_file(counting_file(kBig, false, false), *store_, "a"));
  NPK_ASSERT_OK(store_->drop_arrays("a", Rows::range(1, std::nullopt)));
  NPK_ASSERT_OK(store_->append_rows("a", ArrayView::of(std::vector<int32_t>(100, 7), {1, 100})));
  uint64_t last_done = 0;
  NPK_ASSERT_OK(export_file(*store_, "a", directory_.file("out.npy"),
                            {.overwrite = false, .progress = [&](uint64_t done, uint64_t total) {
                               EXPECT_EQ(total, 800u);
                               last_done = done;
                               return true;
                             }}));
  EXPECT_EQ(last_done, 800u);
  NPK_ASSERT_OK_AND_ASSIGN(const Array out, read_npy(directory_.file("out.npy")));
  EXPECT_EQ(out.shape(), (Shape{2, 100}));
  EXPECT_EQ(out.as<int32_t>()[99], 99);
  EXPECT_EQ(out.as<int32_t>()[100], 7);
}

TEST_F(Convert, AnExportIsTheStateOfItsBeginningWhateverIsWrittenMeanwhile) {
  NPK_ASSERT_OK(import_file(counting_file(kBig, false, false), *store_, "a"));
  const std::vector<int32_t> row(100, 7);
  const ArrayView one_row = ArrayView::of(row, {1, 100});
  const std::vector<std::function<Status()>> changes = {
      [&] { return store_->replace_rows("a", one_row, Rows::list({-1})); },
      [&] { return store_->append_rows("a", one_row); },
      [&] { return store_->drop_arrays("a", Rows::list({0})); },
      [&] { return store_->compact_array("a"); },
      [&] { return store_->replace_rows("a", one_row, Rows::list({-2})); },
      [&] {
        return store_->save_arrays({{"a", one_row}});
      },
      [&] { return store_->drop_arrays(std::vector<std::string>{"a"}); },
      [&] { return store_->sync_metadata(); }};
  // The n-th block finds the first n changes done; the last block, all of them.
  size_t done_changes = 0;
  const auto change = [&](uint64_t done, uint64_t total) {
    const size_t wanted = done_changes == 0 ? 2 : done_changes + 3;
    while (done_changes < std::min(wanted, changes.size()))
      NPK_EXPECT_OK(changes[done_changes++]());
    EXPECT_EQ(total, kBigBytes);
    return done <= total;
  };
  NPK_ASSERT_OK(export_file(*store_, "a", directory_.file("out.npy"),
                            {.overwrite = false, .progress = change}));
  EXPECT_EQ(done_changes, changes.size());
  NPK_ASSERT_OK_AND_ASSIGN(const Array out, read_npy(directory_.file("out.npy")));
  EXPECT_EQ(out.shape(), kBig);
  for (size_t i = 0; i < out.element_count(); ++i) {
    ASSERT_EQ(out.as<int32_t>()[i], static_cast<int32_t>(i));
  }
}

TEST_F(Convert, ExportsOfASnapshotAreOfOneCommit) {
  const std::vector<int32_t> old = {1, 2};
  const std::vector<int32_t> young = {3, 4};
  NPK_ASSERT_OK(
      store_->save_arrays({{"a", ArrayView::of(old, {2})}, {"b", ArrayView::of(old, {2})}}));
  NPK_ASSERT_OK_AND_ASSIGN(const Snapshot snapshot, store_->snapshot());
  for (const char* name : {"a", "b"}) {
    NPK_ASSERT_OK(store_->replace_rows("b", ArrayView::of(young, {2}), Rows::all()));
    const std::string file = directory_.file(std::string(name) + ".npy");
    NPK_ASSERT_OK(export_file(snapshot, name, file));
    NPK_ASSERT_OK_AND_ASSIGN(const Array out, read_npy(file));
    EXPECT_EQ(out.as<int32_t>()[0], 1) << name;
  }
}

TEST_F(Convert, AMissingStoreIsThereWhenItsFirstArrayIsInIt) {
  const std::string file = counting_file(kBig, false, false);
  const StoreLocation location = {directory_.file("new.npk")};
  bool was_seen = false;
  const auto look = [&](uint64_t, uint64_t) {
    was_seen |= std::filesystem::exists(location.path);
    return true;
  };
  {
    NPK_ASSERT_OK_AND_ASSIGN(ParallelIO store,
                             import_file(file, location, "a", {.progress = look}));
    EXPECT_EQ(store.path(), location.path);
    NPK_ASSERT_OK(store.append_rows("a", ArrayView::of(std::vector<int32_t>(100), {1, 100})));
  }
  EXPECT_FALSE(was_seen);
  // Now that it is there, the next array goes straight into it.
  NPK_ASSERT_OK_AND_ASSIGN(const ParallelIO store, import_file(file, location, "b"));
  NPK_ASSERT_OK_AND_ASSIGN(const auto names, store.list_arrays());
  EXPECT_EQ(names, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(files(), (std::vector<std::string>{"counting.npy", "new.npk", "s.npk"}));
}

TEST_F(Convert, AnImportThatFailsLeavesNoStoreWhereThereWasNone) {
  const std::string file = counting_file(kBig, false, false);
  const auto before = files();
  const auto cancel = [](uint64_t done, uint64_t total) { return done < total / 2; };
  for (const char* end : {"", "/", "//"}) {
    const StoreLocation location = {directory_.file("new.npk") + end};
    NPK_EXPECT_ERROR(import_file(file, location, "a", {.progress = cancel}), kFailedPrecondition,
                     "cancelled");
    NPK_EXPECT_ERROR(import_file(file, location, ""), kInvalidArgument, "name");
    NPK_EXPECT_ERROR(import_file(directory_.file("none.npy"), location, "a"), kNotFound, "none");
    const auto cut = [&](uint64_t, uint64_t) {
      std::filesystem::resize_file(file, 1'000);
      return true;
    };
    NPK_EXPECT_ERROR(import_file(file, location, "a", {.progress = cut}), kCorruption, "ends");
    counting_file(kBig, false, false);
    EXPECT_EQ(files(), before);
  }
  StoreLocation refused = {directory_.file("new.npk")};
  refused.options.create_if_missing = false;
  NPK_EXPECT_ERROR(import_file(file, refused, "a"), kNotFound, "no store here");
  NPK_EXPECT_ERROR(import_file(file, StoreLocation{directory_.file("no/such.npk")}, "a"), kNotFound,
                   "no/such.npk");
  NPK_EXPECT_ERROR(import_file(file, StoreLocation{""}, "a"), kInvalidArgument, "empty");
  EXPECT_EQ(files(), before);
}

TEST_F(Convert, AStoreThatAnotherMakesMeanwhileTakesTheImportToo) {
  const std::string file = counting_file(kBig, false, false);
  const StoreLocation location = {directory_.file("new.npk")};
  const auto be_faster = [&](uint64_t, uint64_t) {
    if (std::filesystem::exists(location.path)) return true;
    NPK_EXPECT_OK(ParallelIO::open(location.path)->save_arrays({{"b", ArrayView::of(kOne, {1})}}));
    return true;
  };
  NPK_ASSERT_OK_AND_ASSIGN(const ParallelIO store,
                           import_file(file, location, "a", {.progress = be_faster}));
  NPK_ASSERT_OK_AND_ASSIGN(const auto names, store.list_arrays());
  EXPECT_EQ(names, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(files(), (std::vector<std::string>{"counting.npy", "new.npk", "s.npk"}));
}

TEST_F(Convert, ACancelledExportLeavesWhatWasThere) {
  NPK_ASSERT_OK(import_file(counting_file(kBig, false, false), *store_, "a"));
  const auto cancel = [](uint64_t, uint64_t) { return false; };
  const auto before = files();
  NPK_EXPECT_ERROR(export_file(*store_, "a", directory_.file("out.npy"),
                               {.overwrite = false, .progress = cancel}),
                   kFailedPrecondition, "cancelled");
  EXPECT_EQ(files(), before);
  testing::write_file(directory_.file("out.npy"), "precious");
  NPK_EXPECT_ERROR(export_file(*store_, "a", directory_.file("out.npy"),
                               {.overwrite = true, .progress = cancel}),
                   kFailedPrecondition, "cancelled");
  EXPECT_EQ(testing::read_file(directory_.file("out.npy")), "precious");
}

TEST_F(Convert, BFloat16HasNoNpyFormAndNothingIsWritten) {
  const std::vector<BFloat16> values = {BFloat16(1.0f), BFloat16(2.0f)};
  NPK_ASSERT_OK(store_->save_arrays({{"a", ArrayView::of(values, {2})}}));
  const auto before = files();
  NPK_EXPECT_ERROR(export_file(*store_, "a", directory_.file("out.npy")), kUnsupported,
                   "NumPy has no bfloat16");
  EXPECT_EQ(files(), before);
}

TEST_F(Convert, AnArrayThatIsNotThereIsNotExported) {
  const auto before = files();
  NPK_EXPECT_ERROR(export_file(*store_, "none", directory_.file("out.npy")), kNotFound, "'none'");
  EXPECT_EQ(files(), before);
}

}  // namespace
}  // namespace npk
