// rows_changed_since: who keeps a copy of an array and follows what it is told has the array.
#include <cstdio>
#include <cstring>
#include <filesystem>

#include "bindings/cli/torture/random_operations.h"
#include "core/store/change_history.h"
#include "core/store/roaring_format.h"
#include "npk/internal/text.h"
#include "tests/support/child_process.h"
#include "tests/support/memory_file.h"
#include "tests/support/store_compare.h"
#include "tests/support/store_fixture.h"

namespace npk {
namespace {

using testing::ints;
using testing::iota;
using testing::ModelArray;
using testing::Random;
using Runs = std::vector<RowRun>;

/// A copy of an array as of a commit, brought up to date by what the store tells.
struct Follower {
  std::string name;
  uint64_t commit_number = 0;
  ModelArray copy;

  /// Returns whether the store knew what had changed.
  Result<bool> follow(const ParallelIO& store) {
    NPK_ASSIGN_OR_RETURN(const RowChanges changes, store.rows_changed_since(name, commit_number));
    if (changes.everything) {
      NPK_ASSIGN_OR_RETURN(const Array all, store.load_array(name));
      copy.dtype = all.dtype();
      copy.shape = all.shape();
      copy.bytes.assign(all.data(), all.data() + all.size_bytes());
    } else {
      NPK_RETURN_IF_ERROR(patch(store, changes));
    }
    commit_number = changes.commit_number;
    return !changes.everything;
  }

 private:
  Status patch(const ParallelIO& store, const RowChanges& changes) {
    std::vector<uint64_t> deleted;
    for (const RowRun& run : changes.deleted) {
      for (uint64_t row = run.begin; row < run.end; ++row) deleted.push_back(row);
    }
    if (!copy.shape.empty()) {
      copy.delete_rows(deleted);
      copy.shape[0] = changes.rows;
      copy.bytes.resize(changes.rows * copy.row_bytes(), std::byte{0xee});
    }
    for (const RowRun& run : changes.changed) {
      NPK_ASSIGN_OR_RETURN(const Array rows,
                           store.read_rows(name, Rows::range(static_cast<int64_t>(run.begin),
                                                             static_cast<int64_t>(run.end))));
      std::copy_n(rows.data(), rows.size_bytes(),
                  copy.bytes.begin() + static_cast<ptrdiff_t>(run.begin * copy.row_bytes()));
    }
    return {};
  }
};

class ChangeFeed : public testing::StoreTest {
 protected:
  ChangeFeed() : StoreTest(testing::TempDir::Place::kMemory) {}
  static RowChanges changes(const ParallelIO& store, uint64_t since,
                            const std::string& name = "a") {
    auto told = store.rows_changed_since(name, since);
    EXPECT_TRUE(told.is_ok()) << told.status().to_string();
    return told.is_ok() ? *told : RowChanges{};
  }
  static uint64_t number(const ParallelIO& store) {
    auto number = store.commit_number();
    EXPECT_TRUE(number.is_ok()) << number.status().to_string();
    return number.is_ok() ? *number : 0;
  }
  /// A store with an int32 array "a" of ten rows.
  ParallelIO make() {
    ParallelIO store = open();
    NPK_EXPECT_OK(store.save_arrays({{"a", ints(iota(10), {10, 1})}}));
    return store;
  }
};

TEST_F(ChangeFeed, BeginsAtZeroAndGrowsWithEachCommit) {
  ParallelIO store = open();
  EXPECT_EQ(number(store), 0u);
  uint64_t last = 0;
  for (int i = 0; i < 5; ++i) {
    NPK_ASSERT_OK(store.save_arrays({{"a", ints(iota(3), {3})}}));
    EXPECT_GT(number(store), last);
    last = number(store);
  }
  NPK_ASSERT_OK(store.sync_metadata());
  EXPECT_EQ(number(store), last) << "a checkpoint commits nothing";
  NPK_EXPECT_ERROR(store.rows_changed_since("b", 0), kNotFound, "'b'");
}

TEST_F(ChangeFeed, TellsOfAppendedReplacedAndDeletedRows) {
  ParallelIO store = make();
  const uint64_t start = number(store);
  EXPECT_EQ(changes(store, start).changed, Runs());
  NPK_ASSERT_OK(store.append_rows("a", ints({10, 11}, {2, 1})));
  const uint64_t appended = number(store);
  NPK_ASSERT_OK(store.replace_rows("a", ints({-3, -4, -8}, {3, 1}), Rows::list({3, 4, 8})));
  const uint64_t replaced = number(store);
  NPK_ASSERT_OK(store.drop_arrays("a", Rows::list({0, 4, 10})));
  const RowChanges all = changes(store, start);
  EXPECT_FALSE(all.everything);
  EXPECT_EQ(all.rows, 9u);
  EXPECT_EQ(all.commit_number, number(store));
  EXPECT_EQ(all.changed, (Runs{{2, 3}, {6, 7}, {8, 9}}));  // 3, 8 and 11 as they are called now.
  EXPECT_EQ(all.deleted, (Runs{{0, 1}, {4, 5}})) << "row 10 was not there then";
  EXPECT_EQ(changes(store, appended).deleted, (Runs{{0, 1}, {4, 5}, {10, 11}}));
  EXPECT_EQ(changes(store, appended).changed, (Runs{{2, 3}, {6, 7}}));
  EXPECT_EQ(changes(store, replaced).changed, Runs());
  EXPECT_EQ(changes(store, all.commit_number).deleted, Runs());
}

TEST_F(ChangeFeed, SaysWhenItCannotTell) {
  ParallelIO store = make();
  const uint64_t start = number(store);
  EXPECT_TRUE(changes(store, 0).everything) << "the array is newer";
  EXPECT_TRUE(changes(store, start + 1).everything) << "there was no such commit";
  EXPECT_EQ(changes(store, 0).changed, (Runs{{0, 10}}));
  NPK_ASSERT_OK(store.drop_arrays("a", Rows::list({1})));
  NPK_ASSERT_OK(store.compact_array("a"));
  EXPECT_TRUE(changes(store, start).everything);
  EXPECT_FALSE(changes(store, number(store)).everything);
  const uint64_t compacted = number(store);
  NPK_ASSERT_OK(store.save_arrays({{"a", ints(iota(4), {4})}}));
  EXPECT_TRUE(changes(store, compacted).everything);
  NPK_ASSERT_OK(store.drop_arrays(std::vector<std::string>{"a"}));
  NPK_ASSERT_OK(store.save_arrays({{"a", ints(iota(4), {4})}}));
  EXPECT_TRUE(changes(store, compacted).everything);
  NPK_ASSERT_OK(store.close());
  StoreOptions none;
  none.durability = Durability::kNone;
  ParallelIO unlogged = open(none);
  const uint64_t before = number(unlogged);
  NPK_ASSERT_OK(unlogged.replace_rows("a", ints({7}, {1}), Rows::list({2})));
  EXPECT_TRUE(changes(unlogged, before).everything);
}

TEST_F(ChangeFeed, ReachesBackBehindCheckpointsAndReopening) {
  uint64_t start = 0;
  {
    ParallelIO store = make();
    start = number(store);
    NPK_ASSERT_OK(store.replace_rows("a", ints({5}, {1, 1}), Rows::list({5})));
  }
  for (int32_t i = 0; i < 5; ++i) {
    ParallelIO store = open();
    NPK_ASSERT_OK(store.append_rows("a", ints({i}, {1, 1})));
    NPK_ASSERT_OK(store.sync_metadata());
  }
  StoreOptions options;
  options.read_only = true;
  const ParallelIO store = open(options);
  EXPECT_FALSE(changes(store, start).everything);
  EXPECT_EQ(changes(store, start).changed, (Runs{{5, 6}, {10, 15}}));
}

TEST_F(ChangeFeed, FollowsAnotherProcess) {
  ParallelIO store = make();
  Follower follower{"a", 0, {}};
  NPK_ASSERT_OK(follower.follow(store));
  for (int32_t round = 0; round < 20; ++round) {
    ASSERT_EQ(
        testing::run_forked([&] {
          auto other = ParallelIO::open(path());
          if (!other.is_ok()) return 1;
          const bool done =
              other->replace_rows("a", ints({round}, {1, 1}), Rows::list({round % 7})).is_ok() &&
              other->append_rows("a", ints({100 + round}, {1, 1})).is_ok() &&
              other->drop_arrays("a", Rows::list({round % 3})).is_ok();
          return done && (round % 4 != 0 || other->sync_metadata().is_ok()) ? 0 : 1;
        }),
        0);
    NPK_ASSERT_OK_AND_ASSIGN(const bool was_told, follower.follow(store));
    EXPECT_TRUE(was_told);
    NPK_ASSERT_OK_AND_ASSIGN(const Array all, store.load_array("a"));
    ASSERT_EQ(follower.copy.bytes.size(), all.size_bytes());
    EXPECT_EQ(std::memcmp(follower.copy.bytes.data(), all.data(), all.size_bytes()), 0);
  }
}

TEST_F(ChangeFeed, NumbersOfCommitsThatARestartMayHaveTakenAreNotUsedAgain) {
  uint64_t start = 0;
  {
    ParallelIO store = make();
    start = number(store);
  }
  std::filesystem::remove(path() + "/LOCK");  // As after a restart: nobody knows who wrote.
  for (int i = 0; i < 2; ++i) {
    ParallelIO store = open();
    EXPECT_GT(number(store), start + 1'000'000);
    EXPECT_TRUE(changes(store, start).everything);
    EXPECT_TRUE(changes(store, start + 7).everything);
    const uint64_t now = number(store);
    NPK_ASSERT_OK(store.append_rows("a", ints({1}, {1, 1})));
    EXPECT_FALSE(changes(store, now).everything);
    EXPECT_EQ(changes(store, now).changed.size(), 1u);
  }
  EXPECT_EQ(testing::verify_damage(path()), "");
}

TEST_F(ChangeFeed, ADamagedHistoryIsNamedAndNotBelieved) {
  uint64_t start = 0;
  {
    ParallelIO store = make();
    start = number(store);
    NPK_ASSERT_OK(store.append_rows("a", ints({1}, {1, 1})));
  }
  const std::string whole = testing::read_file(path() + "/CHANGES");
  for (size_t at = 0; at < whole.size(); at += 5) {
    std::string bytes = whole;
    bytes[at] = static_cast<char>(bytes[at] ^ 4);
    testing::write_file(path() + "/CHANGES", bytes);
    StoreOptions options;
    options.read_only = true;
    ASSERT_TRUE(changes(open(options), start).everything) << "byte " << at;
    EXPECT_THAT(testing::verify_damage(path()), ::testing::HasSubstr("CHANGES"));
  }
  testing::write_file(path() + "/CHANGES", whole.substr(0, whole.size() - 8));
  ParallelIO store = open();
  EXPECT_TRUE(changes(store, start).everything);
  const uint64_t now = number(store);
  NPK_ASSERT_OK(store.append_rows("a", ints({1}, {1, 1})));
  NPK_ASSERT_OK(store.sync_metadata());
  EXPECT_EQ(testing::verify_damage(path()), "");
  EXPECT_EQ(changes(store, now).changed, (Runs{{11, 12}}));
}

TEST_F(ChangeFeed, IsBoundedAndNeverSaysTooLittle) {
  Random random(testing::test_seed());
  StoreOptions options;
  options.log_bytes = 1 << 20;
  ParallelIO store = open(options);
  constexpr uint64_t kRows = 50'000;
  NPK_ASSERT_OK(store.save_arrays({{"a", ints(iota(kRows), {kRows, 1})}}));
  std::vector<Follower> followers;
  for (int i = 0; i < 1'500; ++i) {
    std::vector<int64_t> rows;
    for (int k = 0; k < 60; ++k) rows.push_back(static_cast<int64_t>(random.below(kRows)));
    NPK_ASSERT_OK(store.replace_rows("a", ints(iota(rows.size(), i * 1'000), {rows.size(), 1}),
                                     Rows::list(rows)));
    if (i % 50 == 0) NPK_ASSERT_OK(store.append_rows("a", ints({i}, {1, 1})));
    if (i % 100 == 0) {
      followers.push_back({"a", 0, {}});
      NPK_ASSERT_OK(followers.back().follow(store));
    }
  }
  NPK_ASSERT_OK(store.sync_metadata());
  EXPECT_LE(std::filesystem::file_size(path() + "/CHANGES"), 2u << 20);
  NPK_ASSERT_OK_AND_ASSIGN(const Array all, store.load_array("a"));
  for (size_t i = 0; i < followers.size(); ++i) {
    NPK_ASSERT_OK_AND_ASSIGN(const bool was_told, followers[i].follow(store));
    EXPECT_TRUE(was_told) << "follower " << i;
    ASSERT_EQ(followers[i].copy.bytes.size(), all.size_bytes());
    EXPECT_EQ(std::memcmp(followers[i].copy.bytes.data(), all.data(), all.size_bytes()), 0);
  }
}

TEST_F(ChangeFeed, FollowersOfRandomOperationsHaveWhatTheStoreHas) {
  const uint64_t seed = testing::test_seed();
  Random random(seed + 1);
  testing::OperationLimits limits;
  limits.names = {"a", "b", "c"};
  limits.max_array_bytes = 4 << 10;
  limits.syncs = 0.02;
  testing::OperationGenerator operations(seed, limits);
  testing::Model model;
  std::vector<Follower> followers;
  StoreOptions options;
  options.log_bytes = 64 << 10;
  std::optional<ParallelIO> store(open(options));
  uint64_t told = 0;
  uint64_t not_told = 0;
  for (int i = 0; i < 6'000; ++i) {
    const auto operation = operations.next(model);
    const Status done = testing::perform(operation, *store);
    ASSERT_TRUE(done.is_ok()) << to_string(operation) << ": " << done.to_string();
    perform(operation, model);
    if (random.chance(0.01)) {
      store.reset();
      store.emplace(open(options));
    }
    if (followers.size() < 9) followers.push_back({random.pick(limits.names), 0, {}});
    Follower& follower = followers[random.below(followers.size())];
    const auto array = model.find(follower.name);
    if (array == model.end()) continue;
    NPK_ASSERT_OK_AND_ASSIGN(const bool was_told, follower.follow(*store));
    (was_told ? told : not_told)++;
    ASSERT_EQ(follower.copy.shape, array->second.shape) << "operation " << i;
    ASSERT_EQ(follower.copy.bytes, array->second.bytes) << "operation " << i;
  }
  std::printf("followed: %llu, read anew: %llu\n", static_cast<unsigned long long>(told),
              static_cast<unsigned long long>(not_told));
  EXPECT_GT(told, 100u);
}

TEST(ChangeHistory, StaysBoundedWhereItsOlderHalfIsSmallAndItsNewerIsNot) {
  const testing::MemoryFile log({});
  internal::ChangeHistory history;
  internal::Record record;
  record.type = internal::RecordType::kDelete;
  for (uint64_t number = 1; number <= 1'200; ++number) {
    const uint64_t rows = number <= 1'000 ? 1 : 8'000;
    std::vector<uint64_t> deleted;
    for (uint64_t i = 0; i < rows; ++i) deleted.push_back(2 * i);
    record.payload = internal::encode_roaring(deleted);
    record.array = record.number = record.commit = number;
    NPK_ASSERT_OK(history.add(log, record));
    const auto bytes = history.encode();
    ASSERT_LE(bytes.size(), 40 + 8 * (128u << 10)) << "after change " << number;
    if (number % 100 == 0) NPK_ASSERT_OK(internal::ChangeHistory::decode(bytes));
  }
}

}  // namespace
}  // namespace npk
