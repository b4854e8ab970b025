// Snapshots: whatever happens to the store, they show what it held when they were taken, and when
// they are gone nothing is left of them.
#include <algorithm>
#include <cstdio>
#include <deque>
#include <filesystem>
#include <optional>
#include <unistd.h>

#include "bindings/cli/torture/random_operations.h"
#include "tests/store/workers.h"
#include "tests/support/child_process.h"
#include "tests/support/store_compare.h"
#include "tests/support/store_fixture.h"

namespace npk {
namespace {

using testing::ints;
using testing::iota;
using testing::Model;
using testing::Random;

class Snapshots : public testing::StoreTest {
 protected:
  Snapshots() : StoreTest(testing::TempDir::Place::kMemory) {}
  static Snapshot take(const ParallelIO& store) {
    auto snapshot = store.snapshot();
    EXPECT_TRUE(snapshot.is_ok()) << snapshot.status().to_string();
    return *std::move(snapshot);
  }
  static testing::Ints all(const StoreReader& reader, const std::string& name = "a") {
    auto array = reader.load_array(name);
    EXPECT_TRUE(array.is_ok()) << array.status().to_string();
    return array.is_ok() ? testing::elements(*array) : testing::Ints();
  }
  ParallelIO make(const StoreOptions& options = {}) const {
    ParallelIO store = open(options);
    NPK_EXPECT_OK(
        store.save_arrays({{"a", ints(iota(20), {20, 1})}, {"b", ints(iota(6, 100), {6})}}));
    return store;
  }
  static StoreOptions read_only() {
    StoreOptions options;
    options.read_only = true;
    return options;
  }
  /// Files that belong to no array and no snapshot: none, once all snapshots are closed and a
  /// checkpoint was made.
  [[nodiscard]] std::vector<std::string> leftovers(const ParallelIO& store) const {
    std::vector<std::string> wanted = {"STORE", "LOCK", "log.0", "log.1", "CHANGES"};
    for (const std::string& name : names(store)) wanted.push_back(metadata(store, name).rows_file);
    std::vector<std::string> left;
    for (const auto& entry : std::filesystem::directory_iterator(path())) {
      const std::string name = entry.path().filename();
      const bool is_other =
          name.find(".rows") == std::string::npos && name.find(".before.") == std::string::npos;
      if (!is_other && std::ranges::find(wanted, name) == wanted.end()) left.push_back(name);
    }
    return left;
  }
};

TEST_F(Snapshots, ShowTheStoreAsItWasWhateverIsDone) {
  for (const Durability durability :
       {Durability::kProcess, Durability::kNone, Durability::kPower}) {
    StoreOptions options;
    options.durability = durability;
    ParallelIO store = make(options);
    NPK_ASSERT_OK(store.drop_arrays("a", Rows::list({0, 5})));
    NPK_ASSERT_OK_AND_ASSIGN(const uint64_t number, store.commit_number());
    const testing::Ints before = all(store);
    Snapshot snapshot = take(store);
    EXPECT_EQ(snapshot.commit_number(), number);
    const std::vector<std::function<Status()>> changes = {
        [&] {
          return store.append_rows("a", ints({70, 71}, {2, 1}));
        },
        [&] {
          return store.replace_rows("a", ints({-1, -2, -3}, {3, 1}), Rows::list({0, 9, -1}));
        },
        [&] {
          return store.drop_arrays("a", Rows::list({1, 3}));
        },
        [&] {
          return store.replace_rows("a", ints({-4, -5}, {2, 1}), Rows::list({0, 4}));
        },
        [&] { return store.sync_metadata(); },
        [&] {
          return store.replace_rows("a", ints(iota(16, -99), {16, 1}), Rows::range(0, 16));
        },
        [&] { return store.compact_array("a"); },
        [&] {
          return store.replace_rows("a", ints({-6}, {1, 1}), Rows::list({2}));
        },
        [&] {
          return store.save_arrays({{"a", ints({1, 2}, {2, 1})}, {"new", ints({3}, {1})}});
        },
        [&] {
          return store.drop_arrays(std::vector<std::string>{"a", "b"});
        },
        [&] { return store.reset(); },
        [&] { return store.sync_metadata(); }};
    for (size_t i = 0; i < changes.size(); ++i) {
      NPK_ASSERT_OK(changes[i]());
      ASSERT_EQ(all(snapshot), before) << "after change " << i;
      EXPECT_EQ(all(snapshot, "b"), iota(6, 100));
      NPK_ASSERT_OK_AND_ASSIGN(const auto names, snapshot.list_arrays());
      EXPECT_EQ(names, (std::vector<std::string>{"a", "b"}));
    }
    NPK_ASSERT_OK_AND_ASSIGN(const Array some, snapshot.read_rows("a", Rows::list({-1, 0, 8})));
    EXPECT_EQ(testing::elements(some), (testing::Ints{19, 1, 10}));
    NPK_ASSERT_OK_AND_ASSIGN(RowStream stream, snapshot.stream_load("a", 5));
    NPK_ASSERT_OK(store.close());
    testing::Ints streamed;
    for (const Array& block : stream) {
      for (const int32_t value : testing::elements(block)) streamed.push_back(value);
    }
    EXPECT_EQ(streamed, before);
    snapshot.close();
    EXPECT_EQ(snapshot.commit_number(), 0u);
    NPK_EXPECT_ERROR(snapshot.load_array("a"), kFailedPrecondition, "closed");
    std::filesystem::remove_all(path());
  }
}

TEST_F(Snapshots, LeaveNothingBehind) {
  ParallelIO store = make();
  for (int round = 0; round < 3; ++round) {
    std::optional<Snapshot> snapshot = take(store);
    NPK_ASSERT_OK(store.replace_rows("a", ints({round}, {1, 1}), Rows::list({3})));
    NPK_ASSERT_OK(store.drop_arrays("a", Rows::list({0})));
    NPK_ASSERT_OK(store.compact_array("a"));
    EXPECT_THAT(leftovers(store), ::testing::SizeIs(2)) << "the old rows and their before-images";
    const testing::Ints seen = all(*snapshot);
    NPK_ASSERT_OK(store.sync_metadata());
    EXPECT_EQ(all(*snapshot), seen);
    snapshot.reset();
    NPK_ASSERT_OK(store.sync_metadata());
    EXPECT_THAT(leftovers(store), ::testing::IsEmpty());
  }
  EXPECT_EQ(testing::verify_damage(path()), "");
}

TEST_F(Snapshots, OneThatOverlapsTheNextKeepsNoMoreThanItNeeds) {
  ParallelIO store = make();
  std::deque<std::pair<Snapshot, testing::Ints>> open;
  for (int32_t round = 0; round < 30; ++round) {
    open.emplace_back(take(store), all(store));
    if (open.size() > 3) open.pop_front();
    NPK_ASSERT_OK(
        store.replace_rows("a", ints({round, -round}, {2, 1}), Rows::list({round % 9, 3})));
    if (round % 2 == 0) NPK_ASSERT_OK(store.sync_metadata());
    for (const auto& [snapshot, seen] : open) ASSERT_EQ(all(snapshot), seen) << "round " << round;
    ASSERT_LE(leftovers(store).size(), 6u) << "round " << round;
  }
}

TEST_F(Snapshots, OfAReadOnlyHandleAreKeptByWriters) {
  ParallelIO store = make();
  const ParallelIO reader = open(read_only());
  const Snapshot snapshot = take(reader);
  NPK_ASSERT_OK(store.replace_rows("a", ints({-1}, {1, 1}), Rows::list({7})));
  NPK_ASSERT_OK(store.drop_arrays("a", Rows::list({2})));
  NPK_ASSERT_OK(store.compact_array("a"));
  EXPECT_EQ(all(snapshot), iota(20));
  EXPECT_EQ(all(reader).size(), 19u);
}

TEST_F(Snapshots, WithoutALockFileHoldUntilSomebodyWrites) {
  // As on media that are read-only here and writable through another mount. Cut off: as a copy that
  // was made by another tool may have it.
  for (const bool is_cut_off : {false, true}) {
    NPK_ASSERT_OK(make().close());
    std::filesystem::remove(path() + "/LOCK");
    if (is_cut_off) testing::write_file(path() + "/LOCK", "");
    std::optional<ParallelIO> reader(open(read_only()));
    const Snapshot snapshot = take(*reader);
    NPK_ASSERT_OK_AND_ASSIGN(RowStream stream, snapshot.stream_load("a", 10));
    NPK_ASSERT_OK(stream.next().status());
    EXPECT_EQ(all(snapshot), iota(20));
    {
      const ParallelIO reader_too = open(read_only());
      EXPECT_EQ(all(reader_too), iota(20));
    }
    ParallelIO store = open();
    NPK_ASSERT_OK(store.replace_rows("a", ints({-1}, {1, 1}), Rows::list({19})));
    NPK_EXPECT_ERROR(snapshot.load_array("a"), kFailedPrecondition, "open it again");
    NPK_EXPECT_ERROR(stream.next(), kFailedPrecondition, "open it again");
    NPK_EXPECT_ERROR(reader->load_array("a"), kFailedPrecondition, "open it again");
    NPK_EXPECT_ERROR(reader->list_arrays(), kFailedPrecondition, "open it again");
    NPK_EXPECT_ERROR(reader->snapshot(), kFailedPrecondition, "open it again");
    const ParallelIO again = open(read_only());  // Beside the old one.
    const Snapshot now = take(again);
    NPK_ASSERT_OK(store.replace_rows("a", ints({-2}, {1, 1}), Rows::list({0})));
    EXPECT_EQ(all(now).back(), -1);
    EXPECT_EQ(all(now).front(), 0);
    EXPECT_EQ(all(again).front(), -2);
    reader.reset();
    EXPECT_EQ(all(again).front(), -2);
    NPK_ASSERT_OK(store.close());
    std::filesystem::remove_all(path());
  }
}

TEST_F(Snapshots, OfAKilledProcessAreGone) {
  ParallelIO store = make();
  NPK_ASSERT_OK_AND_ASSIGN(testing::WorkerProcess child,
                           testing::WorkerProcess::start({"snapshot", path()}));
  ASSERT_EQ(child.receive(1), "s");
  NPK_ASSERT_OK(store.replace_rows("a", ints({-1}, {1, 1}), Rows::list({7})));
  NPK_ASSERT_OK(store.save_arrays({{"b", ints({1}, {1})}}));
  NPK_ASSERT_OK(store.sync_metadata());
  EXPECT_THAT(leftovers(store), ::testing::SizeIs(2));
  child.send("l");  // It says whether its snapshot is what it was.
  ASSERT_EQ(child.receive(1), "y");
  child.kill();
  child.wait();
  NPK_ASSERT_OK(store.append_rows("b", ints({1}, {1})));
  NPK_ASSERT_OK(store.sync_metadata());
  EXPECT_THAT(leftovers(store), ::testing::IsEmpty());
}

TEST_F(Snapshots, GoThroughAFork) {
  ParallelIO store = make();
  std::optional<Snapshot> snapshot = take(store);
  const auto reads = [&] { return all(*snapshot) == iota(20) ? 0 : 1; };
  EXPECT_EQ(testing::run_forked(reads), 0);
  EXPECT_EQ(testing::run_forked([&] {
              snapshot.reset();  // The child's own; its parent's stays.
              return 0;
            }),
            0);
  NPK_ASSERT_OK(store.replace_rows("a", ints({-1}, {1, 1}), Rows::list({7})));
  EXPECT_EQ(all(*snapshot), iota(20));
  EXPECT_EQ(testing::run_forked(reads), 0);
  EXPECT_EQ(testing::run_forked([&] {
              auto other = ParallelIO::open(path());
              return other.is_ok() &&
                             other->replace_rows("a", ints({-8}, {1, 1}), Rows::list({8})).is_ok()
                         ? 0
                         : 1;
            }),
            0);
  EXPECT_EQ(all(*snapshot), iota(20));
}

TEST_F(Snapshots, OfRandomOperationsAgreeWithTheModelAsItWas) {
  const uint64_t seed = testing::test_seed();
  Random random(seed + 1);
  testing::OperationLimits limits;
  limits.names = {"a", "b", "c/d"};
  limits.max_array_bytes = 8 << 10;
  limits.syncs = 0.02;
  limits.long_appends = 0.01;
  testing::OperationGenerator operations(seed, limits);
  Model model;
  StoreOptions options;
  options.log_bytes = 64 << 10;
  std::optional<ParallelIO> store(open(options));
  const ParallelIO reader = open(read_only());
  struct Held {
    Snapshot snapshot;
    Model model;
    int taken;
  };
  std::vector<Held> held;
  uint64_t looks = 0;
  for (int i = 0; i < 5'000; ++i) {
    const auto operation = operations.next(model);
    const Status done = testing::perform(operation, *store);
    ASSERT_TRUE(done.is_ok()) << to_string(operation) << ": " << done.to_string();
    perform(operation, model);
    if (random.chance(0.01)) {
      store.reset();
      options.durability = static_cast<Durability>(random.below(3));
      store.emplace(open(options));
    }
    if (held.size() < 4 && random.chance(0.05)) {
      held.push_back({take(random.chance(0.5) ? *store : reader), model, i});
    }
    if (held.empty() || !random.chance(0.1)) continue;
    const size_t at = random.below(held.size());
    ASSERT_EQ(testing::content_difference(held[at].snapshot, held[at].model), "")
        << "snapshot of operation " << held[at].taken << " after operation " << i << ": "
        << to_string(operation);
    ++looks;
    if (random.chance(0.15)) held.erase(held.begin() + static_cast<ptrdiff_t>(at));
  }
  held.clear();
  NPK_ASSERT_OK(store->sync_metadata());
  EXPECT_THAT(leftovers(*store), ::testing::IsEmpty());
  EXPECT_EQ(testing::verify_damage(path()), "");
  std::printf("snapshots compared with the model: %llu times\n",
              static_cast<unsigned long long>(looks));
}

}  // namespace

namespace testing {

int snapshot_worker(const Arguments& arguments) {
  auto store = ParallelIO::open(arguments.at(0));
  if (!store.is_ok()) return 1;
  const auto snapshot = store->snapshot();
  if (!snapshot.is_ok()) return 1;
  const auto before = read_model(*snapshot);
  if (!before.is_ok()) return 1;
  write_all(STDOUT_FILENO, "s");
  char command = 0;
  while (::read(STDIN_FILENO, &command, 1) == 1) {
    write_all(STDOUT_FILENO, content_difference(*snapshot, *before).empty() ? "y" : "n");
  }
  return 0;
}

}  // namespace testing
}  // namespace npk
