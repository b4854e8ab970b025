// Logs that speak of rows and files which a power cut took: how much of them counts.
#include "core/store/arrival.h"

#include <algorithm>

#include "bindings/cli/torture/random_operations.h"
#include "bindings/cli/torture/random_values.h"
#include "core/store/load.h"
#include "tests/support/simulated_store.h"
#include "tests/support/store_compare.h"
#include "tests/support/support.h"

namespace npk {
namespace {

using internal::Directory;
using io::SimDisk;
using io::SimEnv;
using testing::Random;

std::string in_store(std::string_view name) {
  return std::string(testing::kSimulatedStore) + "/" + std::string(name);
}

/// The rows files of a store.
std::vector<std::string> rows_files(SimEnv& env) {
  auto names = env.list(testing::kSimulatedStore);
  EXPECT_TRUE(names.is_ok()) << names.status().to_string();
  std::erase_if(*names, [](const std::string& name) {
    return internal::file_kind(name) != internal::FileKind::kRows;
  });
  std::ranges::sort(*names);
  return *names;
}

std::shared_ptr<SimDisk> after_restart(SimEnv& env) {
  env.kill();
  env.disk()->write_back();
  std::mt19937_64 random(1);
  return env.disk()->after_power_cut(io::CrashPolicy::kAll, random);
}

/// A store of one array, appended to so many times, then so many commits that each save an array
/// and drop the one before: of the saved ones no file is left.
std::shared_ptr<SimDisk> store_that_lost_a_chain(size_t appends, size_t commits) {
  SimEnv env(SimDisk::make(testing::test_seed()));
  auto store = open_store(env, testing::kSimulatedStore, {});
  EXPECT_TRUE(store.is_ok()) << store.status().to_string();
  const std::vector<float> row(3, 1);
  const ArrayView values = ArrayView::of(row, {1, 3});
  NPK_EXPECT_OK(store->save_arrays({{"kept", values}}));
  for (size_t i = 0; i < appends; ++i) NPK_EXPECT_OK(store->append_rows("kept", values));
  for (size_t i = 0; i < commits; ++i) {
    WriteBatch batch;
    batch.save_array(internal::concat("lost", i), values);
    if (i > 0) batch.drop_array(internal::concat("lost", i - 1));
    NPK_EXPECT_OK(store->commit(batch));
  }
  SimEnv next(after_restart(env));
  for (const std::string& name : rows_files(next)) {
    if (name.starts_with("lost")) NPK_EXPECT_OK(next.remove(in_store(name)));
  }
  return next.disk()->after_kill();
}

// Without the last commit the one before it is missing something, and so on: each time anew all
// that is left would have to be looked at.
TEST(Arrival, IsLookedAtOnceThoughEveryCommitDrawsTheOneBeforeItAlong) {
  const auto reads = [](size_t commits) {
    constexpr size_t kAppends = 100;
    SimEnv env(store_that_lost_a_chain(kAppends, commits));
    auto store = open_store(env, testing::kSimulatedStore, {});
    EXPECT_TRUE(store.is_ok()) << store.status().to_string();
    const uint64_t count = env.call_count(io::SimCalls::kRead);
    EXPECT_EQ(*store->list_arrays(), std::vector<std::string>{"kept"});
    EXPECT_EQ(*store->get_shape("kept"), (Shape{kAppends + 1, 3}));
    return count;
  };
  const uint64_t few = reads(1);
  EXPECT_LE(reads(100), few + 10 * 100);
}

internal::Superblock superblock_of(SimEnv& env) {
  const auto read = internal::read_superblock(env, in_store(internal::kStoreFile));
  EXPECT_TRUE(read.is_ok()) << read.status().to_string();
  return read->superblock;
}

/// Where the commits of the store's log end, the first being before all of them.
std::vector<uint64_t> ends_of_commits(SimEnv& env) {
  const internal::Superblock superblock = superblock_of(env);
  const auto log =
      env.open(in_store(internal::log_file(superblock.log_index)), io::OpenMode::kRead);
  EXPECT_TRUE(log.is_ok()) << log.status().to_string();
  internal::LogReader reader(**log, superblock.log_seed(), {0, superblock.first_record, 0});
  std::vector<uint64_t> ends = {0};
  while (true) {
    const auto commit = reader.next_commit();
    EXPECT_TRUE(commit.is_ok()) << commit.status().to_string();
    if (commit->records.empty()) return ends;
    ends.push_back(commit->end.offset_bytes);
  }
}

/// A disk with the same store, whose log ends there.
std::shared_ptr<SimDisk> with_log_cut(const SimDisk& disk, uint64_t end_bytes) {
  SimEnv env(disk.after_kill());
  const auto log = env.open(in_store(internal::log_file(superblock_of(env).log_index)),
                            io::OpenMode::kReadWrite);
  EXPECT_TRUE(log.is_ok()) << log.status().to_string();
  const std::vector<std::byte> zeros(*(*log)->size_bytes() - end_bytes);
  NPK_EXPECT_OK((*log)->write_at(end_bytes, io::Bytes(zeros)));
  return env.disk()->after_kill();
}

/// Takes away, shortens or changes some of the rows files.
void lose_rows(SimEnv& env, Random& random) {
  for (const std::string& name : rows_files(env)) {
    if (random.chance(0.7)) continue;
    const std::string path = in_store(name);
    if (random.chance(0.3)) {
      NPK_ASSERT_OK(env.remove(path));
      continue;
    }
    NPK_ASSERT_OK_AND_ASSIGN(const auto file, env.open(path, io::OpenMode::kReadWrite));
    NPK_ASSERT_OK_AND_ASSIGN(const uint64_t size, file->size_bytes());
    std::vector<std::byte> bytes(size);
    NPK_ASSERT_OK(file->read_at(0, bytes));
    if (size > 0) bytes[random.below(size)] ^= std::byte{1};
    NPK_ASSERT_OK_AND_ASSIGN(const auto emptied, env.open(path, io::OpenMode::kTruncate));
    const uint64_t left = random.chance(0.5) ? size : random.below(size + 1);
    NPK_ASSERT_OK(emptied->write_at(0, io::Bytes(bytes).first(left)));
  }
}

// A log that ends behind one of its commits is good if nothing is missing of it: of all those ends
// the last that is good must be found.
TEST(Arrival, IsThatOfTheLongestPartOfTheLogThatMissesNothing) {
  const uint64_t seed = testing::test_seed();
  uint64_t shortened = 0;
  for (uint64_t round = 0; round < 60; ++round) {
    Random random(seed + round);
    SimEnv env(SimDisk::make(seed + round));
    {
      NPK_ASSERT_OK_AND_ASSIGN(auto store, open_store(env, testing::kSimulatedStore, {}));
      testing::OperationLimits limits;
      limits.names = {"a", "b", "c"};
      limits.max_array_bytes = 2 << 10;
      limits.long_appends = limits.syncs = limits.resets = 0;
      testing::OperationGenerator operations(seed + round, limits);
      testing::Model model;
      for (int i = 0; i < 20; ++i) {
        const auto operation = operations.next(model);
        NPK_ASSERT_OK(testing::perform(operation, store));
        perform(operation, model);
      }
      env.kill();
    }
    SimEnv next(after_restart(env));
    lose_rows(next, random);
    const auto disk = next.disk()->after_kill();
    const auto load = [](const std::shared_ptr<SimDisk>& from) {
      SimEnv reader(from);
      auto loaded = internal::load({&reader, testing::kSimulatedStore, true}, {});
      EXPECT_TRUE(loaded.is_ok()) << loaded.status().to_string();
      return std::pair(loaded->was_cut, loaded->committed.position.offset_bytes);
    };
    const std::vector<uint64_t> ends = ends_of_commits(next);
    const auto last_good = std::find_if(ends.rbegin(), ends.rend(), [&](uint64_t end) {
      return !load(with_log_cut(*disk, end)).first;
    });
    ASSERT_NE(last_good, ends.rend());
    EXPECT_EQ(load(disk).second, *last_good) << "round " << round;
    if (last_good != ends.rbegin() && *last_good != 0) ++shortened;
    if (HasFailure()) return;
  }
  EXPECT_GT(shortened, 5u);
}

}  // namespace
}  // namespace npk
