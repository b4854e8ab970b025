#include <fcntl.h>
#include <filesystem>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/child_process.h"
#include "tests/support/directory_snapshot.h"
#include "tests/support/store_fixture.h"

namespace npk::testing {
namespace {

class Open : public StoreTest {};

TEST_F(Open, MakesAStoreOrAnswersNotFoundAsAsked) {
  StoreOptions options;
  options.create_if_missing = false;
  NPK_EXPECT_ERROR(ParallelIO::open(path(), options), kNotFound, path());
  EXPECT_FALSE(std::filesystem::exists(path()));
  ParallelIO store = open();
  EXPECT_EQ(store.path(), path());
  EXPECT_TRUE(names(store).empty());
  NPK_ASSERT_OK(store.close());
  NPK_EXPECT_OK(ParallelIO::open(path(), options));
}

TEST_F(Open, ReadOnlyMakesNothing) {
  StoreOptions options;
  options.read_only = true;
  NPK_EXPECT_ERROR(ParallelIO::open(path(), options), kNotFound, path());
  EXPECT_FALSE(std::filesystem::exists(path()));
}

TEST_F(Open, TakesAnEmptyDirectoryAndRefusesOneWithOtherThings) {
  std::filesystem::create_directory(path());
  NPK_EXPECT_OK(ParallelIO::open(path()));
  const std::string other = directory_.file("photos");
  std::filesystem::create_directory(other);
  write_file(other + "/cat.jpg", "meow");
  NPK_EXPECT_ERROR(ParallelIO::open(other), kFailedPrecondition, other);
  EXPECT_EQ(snapshot(other).size(), 1u);
}

TEST_F(Open, TwiceInOneProcessSharesOneState) {
  ParallelIO first = open();
  ParallelIO second = open();
  NPK_ASSERT_OK(first.save_arrays({{"a", ints(iota(3), {3})}}));
  EXPECT_EQ(load(second, "a"), iota(3));
  NPK_ASSERT_OK(second.append_rows("a", ints(Ints{3}, {1})));
  EXPECT_EQ(load(first, "a"), iota(4));
  NPK_ASSERT_OK(first.close());
  EXPECT_EQ(load(second, "a"), iota(4));
  NPK_ASSERT_OK(second.append_rows("a", ints(Ints{4}, {1})));
  EXPECT_EQ(load(open(), "a"), iota(5));
}

TEST_F(Open, ThroughAnotherPathSharesTheStateToo) {
  ParallelIO first = open();
  const std::string link = directory_.file("link");
  std::filesystem::create_directory_symlink(path(), link);
  NPK_ASSERT_OK_AND_ASSIGN(ParallelIO second, ParallelIO::open(link + "/."));
  NPK_ASSERT_OK(first.save_arrays({{"a", ints(iota(3), {3})}}));
  for (int32_t i = 3; i < 40; ++i) {
    NPK_ASSERT_OK((i % 2 == 0 ? first : second).append_rows("a", ints(Ints{i}, {1})));
    ASSERT_EQ(load(first, "a"), iota(static_cast<size_t>(i) + 1));
    ASSERT_EQ(load(second, "a"), iota(static_cast<size_t>(i) + 1));
  }
}

TEST_F(Open, AfterTheDirectoryWasReplacedSeesTheNewStore) {
  ParallelIO old_store = open();
  NPK_ASSERT_OK(old_store.save_arrays({{"old", ints(iota(3), {3})}}));
  std::filesystem::rename(path(), directory_.file("moved"));
  ParallelIO new_store = open();
  EXPECT_TRUE(names(new_store).empty());
  NPK_ASSERT_OK(new_store.save_arrays({{"new", ints(iota(2), {2})}}));
  EXPECT_EQ(load(old_store, "old"), iota(3));
}

TEST_F(Open, RefusesOptionsOutOfRange) {
  StoreOptions options;
  options.log_bytes = 1;
  NPK_EXPECT_ERROR(validate(options), kInvalidArgument, "log_bytes");
  NPK_EXPECT_ERROR(ParallelIO::open(path(), options), kInvalidArgument, "log_bytes");
  options.log_bytes = uint64_t{2} << 30;
  NPK_EXPECT_ERROR(validate(options), kInvalidArgument, "log_bytes");
  EXPECT_FALSE(std::filesystem::exists(path()));
  NPK_EXPECT_OK(validate(StoreOptions{}));
}

TEST_F(Open, ReadOnlyReadsAndRefusesEveryWrite) {
  {
    ParallelIO store = open();
    NPK_ASSERT_OK(store.save_arrays({{"a", ints(iota(3), {3})}}));
  }
  const auto before = snapshot(path());
  StoreOptions options;
  options.read_only = true;
  {
    ParallelIO store = open(options);
    EXPECT_EQ(load(store, "a"), iota(3));
    const auto view = ints(Ints{1}, {1});
    WriteBatch batch;
    batch.append_rows("a", view);
    const std::vector<Status> refused = {store.save_arrays({{"b", view}}),
                                         store.append_rows("a", view),
                                         store.replace_rows("a", view, Rows::list({0})),
                                         store.drop_arrays("a", Rows::list({0})),
                                         store.drop_arrays(std::vector<std::string>{"a"}),
                                         store.compact_array("a"),
                                         store.clone_array("a", "b"),
                                         store.set_attributes("a", "{}"),
                                         store.commit(batch),
                                         store.sync_metadata(),
                                         store.reset()};
    for (const Status& status : refused) {
      EXPECT_EQ(status.code(), StatusCode::kFailedPrecondition) << status.to_string();
      EXPECT_THAT(status.to_string(), ::testing::HasSubstr("read"));
    }
  }
  EXPECT_EQ(snapshot_difference(before, snapshot(path())), "");
}

TEST_F(Open, ReadOnlyBesideAWriterOfTheSameProcess) {
  ParallelIO writer = open();
  NPK_ASSERT_OK(writer.save_arrays({{"a", ints(iota(3), {3})}}));
  StoreOptions options;
  options.read_only = true;
  ParallelIO reader = open(options);
  EXPECT_EQ(load(reader, "a"), iota(3));
  NPK_ASSERT_OK(writer.append_rows("a", ints(Ints{3}, {1})));
  EXPECT_EQ(load(reader, "a"), iota(4));
  NPK_EXPECT_ERROR(reader.append_rows("a", ints(Ints{4}, {1})), kFailedPrecondition, "read");
  NPK_ASSERT_OK(writer.close());
  EXPECT_EQ(load(reader, "a"), iota(4));
}

TEST_F(Open, AWriterBesideAReadOnlyOneOfTheSameProcess) {
  NPK_ASSERT_OK(open().save_arrays({{"a", ints(iota(3), {3})}}));
  StoreOptions options;
  options.read_only = true;
  ParallelIO reader = open(options);
  ParallelIO writer = open();
  NPK_ASSERT_OK(writer.append_rows("a", ints(Ints{3}, {1})));
  EXPECT_EQ(load(reader, "a"), iota(4));
}

class Close : public StoreTest {};

TEST_F(Close, EndsTheHandleButNotWhatCameFromIt) {
  ParallelIO store = open();
  NPK_ASSERT_OK(store.save_arrays({{"a", ints(iota(3), {3})}}));
  NPK_ASSERT_OK_AND_ASSIGN(const ArrayView view, store.get_array_view("a"));
  NPK_ASSERT_OK_AND_ASSIGN(RowStream stream, store.stream_load("a", 2));
  NPK_ASSERT_OK(store.close());
  NPK_EXPECT_ERROR(store.load_array("a"), kFailedPrecondition, "closed");
  NPK_EXPECT_ERROR(store.append_rows("a", view), kFailedPrecondition, "closed");
  NPK_EXPECT_ERROR(store.list_arrays(), kFailedPrecondition, "closed");
  NPK_EXPECT_ERROR(store.sync_metadata(), kFailedPrecondition, "closed");
  NPK_EXPECT_OK(store.close());  // It is closed already.
  EXPECT_EQ(elements(view), iota(3));
  Ints streamed;
  for (const Array& block : stream) {
    for (const int32_t value : elements(block)) streamed.push_back(value);
  }
  NPK_EXPECT_OK(stream.status());
  EXPECT_EQ(streamed, iota(3));
}

TEST_F(Close, TwiceOrAfterAMoveIsHarmless) {
  ParallelIO store = open();
  ParallelIO moved = std::move(store);
  NPK_ASSERT_OK(moved.save_arrays({{"a", ints(iota(3), {3})}}));
  store = std::move(moved);
  EXPECT_EQ(load(store, "a"), iota(3));
  NPK_ASSERT_OK(store.close());
}

TEST_F(Close, LetsGoOfEveryFileDescriptor) {
  const auto count = [] {
    size_t found = 0;
    for ([[maybe_unused]] const auto& entry :
         std::filesystem::directory_iterator("/proc/self/fd")) {
      ++found;
    }
    return found;
  };
  const size_t before = count();
  for (int round = 0; round < 20; ++round) {
    ParallelIO store = open();
    for (int i = 0; i < 5; ++i) {
      NPK_ASSERT_OK(store.save_arrays({{std::to_string(i), ints(iota(3), {3})}}));
      NPK_ASSERT_OK(store.append_rows(std::to_string(i), ints(iota(3), {3})));
      NPK_ASSERT_OK(store.compact_array(std::to_string(i)));
      NPK_EXPECT_OK(store.load_array(std::to_string(i)));
    }
  }
  EXPECT_LE(count(), before);
}

class Fork : public StoreTest {};

TEST_F(Fork, TheChildsHandleReadsAndRefusesToWrite) {
  ParallelIO store = open();
  NPK_ASSERT_OK(store.save_arrays({{"a", ints(iota(1'000), {1'000})}}));
  NPK_ASSERT_OK(store.append_rows("a", ints(Ints{1'000}, {1})));
  const int code = run_forked([&] {
    auto loaded = store.load_array("a");
    if (!loaded.is_ok() || loaded->as<int32_t>()[1'000] != 1'000) return 1;
    if (!store.get_array_view("a").is_ok()) return 2;
    if (!store.read_rows("a", Rows::list({-1})).is_ok()) return 3;
    const auto one = ints(Ints{1}, {1});
    if (store.append_rows("a", one).code() != StatusCode::kFailedPrecondition) return 4;
    if (store.replace_rows("a", one, Rows::list({0})).code() != StatusCode::kFailedPrecondition) {
      return 5;
    }
    if (store.reset().code() != StatusCode::kFailedPrecondition) return 6;
    store.close().ignore();  // Must not checkpoint what is the parent's.
    return 0;
  });
  EXPECT_EQ(code, 0);
  NPK_ASSERT_OK(store.append_rows("a", ints(Ints{1'001}, {1})));
  EXPECT_EQ(load(store, "a"), iota(1'002));
}

TEST_F(Fork, TheChildMayOpenTheStoreForItself) {
  ParallelIO store = open();
  NPK_ASSERT_OK(store.save_arrays({{"a", ints(iota(3), {3})}}));
  const int code = run_forked([&] {
    auto own = ParallelIO::open(path());
    if (!own.is_ok()) return 1;
    if (!own->append_rows("a", ints(Ints{3}, {1})).is_ok()) return 2;
    return own->close().is_ok() ? 0 : 3;
  });
  EXPECT_EQ(code, 0);
  EXPECT_EQ(load(store, "a"), iota(4));
  NPK_ASSERT_OK(store.append_rows("a", ints(Ints{4}, {1})));
  NPK_ASSERT_OK(store.close());
  EXPECT_EQ(load(open(), "a"), iota(5));
}

}  // namespace
}  // namespace npk::testing
