// A store with checksums on and one flipped bit, anywhere in any of its files.
//
// Opening and reading it gives an error, or exactly the right content, or wrong rows of which
// verify names the place; never a crash. The machine has been up since the store was written, so a
// bit in the log is told from a log that ends there.
#include <algorithm>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <unistd.h>

#include "bindings/cli/torture/random_values.h"
#include "npk/internal/text.h"
#include "tests/support/child_process.h"
#include "tests/support/directory_snapshot.h"
#include "tests/support/store_compare.h"
#include "tests/support/store_fixture.h"

namespace npk::testing {
namespace {

using internal::concat;

class FlippedBits : public StoreTest {
 protected:
  static constexpr uint64_t kFlips = 2'000;

  FlippedBits() : StoreTest(TempDir::Place::kMemory) {}

  static Status fill(ParallelIO& store) {
    const SaveOptions checksums{Checksums::kBlock};
    NPK_RETURN_IF_ERROR(store.save_arrays({{"long", ints(iota(45'000), {15'000, 3})},
                                           {"holes", ints(iota(500, 1'000), {500})},
                                           {"one", ints(Ints{7}, {})},
                                           {"empty", ints(Ints{}, {0, 4})}},
                                          checksums));
    NPK_RETURN_IF_ERROR(store.drop_arrays("holes", Rows::range(0, 400, 3)));
    NPK_RETURN_IF_ERROR(store.set_attributes("long", R"({"unit":"m"})"));
    NPK_RETURN_IF_ERROR(store.sync_metadata());
    NPK_RETURN_IF_ERROR(store.append_rows("long", ints(iota(3, 300), {1, 3})));
    return store.sync_metadata();
  }

  static Status change(ParallelIO& store) {
    NPK_RETURN_IF_ERROR(store.append_rows("long", ints(iota(30'000, 500), {10'000, 3})));
    NPK_RETURN_IF_ERROR(
        store.replace_rows("long", ints(iota(9, -9), {3, 3}), Rows::list({0, 9'000, -1})));
    NPK_RETURN_IF_ERROR(store.drop_arrays("long", Rows::list({1, 7, -1})));
    NPK_RETURN_IF_ERROR(store.clone_array("holes", "late"));
    NPK_RETURN_IF_ERROR(store.compact_array("late"));
    return store.replace_rows("holes", ints(iota(3, -9), {3}), Rows::list({0, 50, -1}));
  }

  /// The files of a store that was closed, or whose writer was killed with its commits in the log.
  DirectorySnapshot make(Durability durability, bool is_killed) {
    std::filesystem::remove_all(path());
    const int code = run_forked([&] {
      StoreOptions options;
      options.durability = durability;
      auto store = ParallelIO::open(path(), options);
      if (!store.is_ok() || !fill(*store).is_ok() || !change(*store).is_ok()) return 1;
      if (is_killed) return ::kill(::getpid(), SIGKILL);
      return store->close().is_ok() ? 0 : 2;
    });
    EXPECT_EQ(code, is_killed ? 128 + SIGKILL : 0);
    return snapshot(path());
  }

  StoreOptions options(bool read_only) const {
    StoreOptions options;
    options.read_only = read_only;
    options.lock_timeout_ms = 20;  // A flipped bit may look like a replace that never ends.
    return options;
  }

  enum class Outcome { kError, kRight, kReported };

  /// Judges what opening and reading the files comes to; fails the test if it is worse than all.
  Outcome judge(const DirectorySnapshot& files, const Model& right, bool read_only) {
    restore(files, path());
    const std::string damage = verify_damage(path());
    auto store = ParallelIO::open(path(), options(read_only));
    if (!store.is_ok()) return Outcome::kError;
    const auto model = read_model(*store);
    if (!model.is_ok()) return Outcome::kError;
    const std::string difference = content_difference(*store, right);
    if (difference.empty()) return Outcome::kRight;
    EXPECT_NE(damage, "") << "wrong content that verify does not report: " << difference;
    return Outcome::kReported;
  }

  /// Bits of all files: each file as often, wherever in it.
  void flip(const DirectorySnapshot& files, const Model& right, uint64_t flips) {
    std::vector<std::string> names;
    for (const auto& [name, content] : files) {
      if (!content.empty()) names.push_back(name);
    }
    for (uint64_t i = 0; i < flips; ++i) {
      const std::string& name = names[i % names.size()];
      const std::string& content = files.at(name);
      // Logs and LOCK end in zeros: most of the flips go where there is something.
      const size_t last = content.find_last_not_of('\0');
      const size_t used = last == std::string::npos ? content.size() : last + 1;
      const size_t at = random_.below(random_.chance(0.9) ? used : content.size());
      const uint64_t bit = random_.below(8);
      SCOPED_TRACE(concat(name, ", bit ", bit, " of byte ", at, " of ", content.size()));
      DirectorySnapshot damaged = files;
      damaged[name][at] = static_cast<char>(damaged[name][at] ^ (1 << bit));
      for (const bool read_only : {true, false}) {
        ++outcomes_[static_cast<size_t>(judge(damaged, right, read_only))];
        if (HasFailure()) return;
      }
    }
  }

  void flip_all(Durability durability, bool is_killed) {
    const DirectorySnapshot files = make(durability, is_killed);
    if (HasFailure()) return;
    Model right;
    {
      auto store = ParallelIO::open(path(), options(true));
      NPK_ASSERT_OK(store);
      NPK_ASSERT_OK_AND_ASSIGN(right, read_model(*store));
    }
    ASSERT_EQ(verify_damage(path()), "");
    ASSERT_EQ(judge(files, right, false), Outcome::kRight);
    flip(files, right, kFlips / 4);
    std::printf("%llu flips, each opened two ways: %llu errors, %llu right, %llu reported\n",
                static_cast<unsigned long long>(kFlips / 4),
                static_cast<unsigned long long>(outcomes_[0]),
                static_cast<unsigned long long>(outcomes_[1]),
                static_cast<unsigned long long>(outcomes_[2]));
  }

  Random random_{test_seed()};
  uint64_t outcomes_[3] = {};
};

TEST_F(FlippedBits, OfAStoreThatWasClosed) { flip_all(Durability::kProcess, false); }

TEST_F(FlippedBits, OfAStoreThatWasClosedInModePower) { flip_all(Durability::kPower, false); }

TEST_F(FlippedBits, OfAStoreWhoseWriterWasKilled) { flip_all(Durability::kProcess, true); }

TEST_F(FlippedBits, OfAStoreWhoseWriterWasKilledInModePower) { flip_all(Durability::kPower, true); }

}  // namespace
}  // namespace npk::testing
