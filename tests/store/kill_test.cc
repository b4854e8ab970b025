// kill -9 of a writer, again and again on one store: whatever was acknowledged is there, and the
// operation that was under way is there whole or not at all.
//
// NPK_SEED repeats the operations (not the instants of the kills), NPK_KILLS sets their number.
#include <chrono>
#include <cstdio>
#include <cstring>
#include <thread>

#include "npk/internal/text.h"
#include "tests/store/kill_worker.h"
#include "tests/support/child_process.h"
#include "tests/support/store_compare.h"
#include "tests/support/support.h"

namespace npk {
namespace {

using internal::concat;
using testing::ChildProcess;
using testing::KillWorkerSetup;
using testing::Model;
using testing::Operation;
using testing::Random;

void sleep_us(uint64_t microseconds) {
  std::this_thread::sleep_for(std::chrono::microseconds(microseconds));
}

class KillRun {
 public:
  KillRun(uint64_t seed, testing::TempDir::Place place) : directory_(place), random_(seed) {}

  void run(uint64_t kills) {
    for (uint64_t i = 0; i < kills && !::testing::Test::HasFatalFailure(); ++i) {
      SCOPED_TRACE(concat("kill ", i));
      KillWorkerSetup setup;
      setup.path = directory_.file("s");
      setup.seed = random_.next();
      setup.durability = i % 2 == 0 ? Durability::kProcess : Durability::kPower;
      setup.log_bytes = uint64_t{64 << 10} << (3 * random_.below(3));
      kill_while_writing(setup);
      for (uint64_t opens = random_.below(3); opens > 0; --opens) kill_while_opening(setup);
      if (i % 3 == 0) {
        look(setup, /*read_only=*/true);
      }
      if (i % 3 != 1) look(setup, /*read_only=*/false);
    }
    std::printf(
        "kills: %llu while writing (%llu operations acknowledged; of those under way %llu "
        "kept, %llu dropped), %llu while opening\n",
        as_long(kills), as_long(acknowledged_), as_long(kept_), as_long(dropped_),
        as_long(kills_while_opening_));
    EXPECT_GT(acknowledged_, kills) << "the kills came too early to show anything";
  }

 private:
  static unsigned long long as_long(uint64_t number) { return number; }

  void kill_while_writing(const KillWorkerSetup& setup) {
    ChildProcess worker = ChildProcess::start_worker(setup.to_arguments("kill"));
    const bool early = random_.chance(0.1);  // Somewhere in open() rather than after it.
    std::string messages = worker.receive(early ? 1 : 2);
    sleep_us(random_.below(early ? 3'000 : 20'000));
    worker.kill();
    messages += worker.receive_all();
    EXPECT_EQ(worker.wait(), 128 + 9);
    replay(setup, messages);
  }

  /// Carries out on the model what the worker acknowledged, and notes what was under way.
  void replay(const KillWorkerSetup& setup, const std::string& messages) {
    const bool has_opened = messages.size() >= 10 && messages[1] == testing::kOpened;
    const size_t error = messages.find(testing::kError, has_opened ? 10 : 0);
    ASSERT_EQ(error, std::string::npos) << messages.substr(error);
    if (!has_opened) return;  // Killed before it had read the store, so nothing was under way.
    settle(messages.substr(2, 8));
    auto operations = testing::kill_operations(setup.seed);
    for (size_t i = 10; i < messages.size(); ++i) {
      perform(operations.next(model_), model_);
      ++acknowledged_;
    }
    under_way_ = operations.next(model_);
    after_ = model_;
    perform(under_way_, after_);
    is_open_ = true;
  }

  /// The worker found one of the two states that are possible: this is the state from now on.
  void settle(const std::string& hash_bytes) {
    uint64_t hash = 0;
    std::memcpy(&hash, hash_bytes.data(), sizeof(hash));
    if (is_open_ && hash == testing::model_hash(after_)) {
      take(true);
    } else {
      ASSERT_EQ(hash, testing::model_hash(model_))
          << "the worker found neither state; under way was " << to_string(under_way_);
      take(false);
    }
  }

  void take(bool after) {
    if (!is_open_) return;
    if (after) model_ = after_;
    ++(after ? kept_ : dropped_);
    is_open_ = false;
  }

  void kill_while_opening(const KillWorkerSetup& setup) {
    ChildProcess worker = ChildProcess::start_worker(setup.to_arguments("open"));
    std::string messages = worker.receive(1);
    sleep_us(random_.below(3'000));
    worker.kill();
    messages += worker.receive_all();
    ASSERT_EQ(messages.find(testing::kError), std::string::npos) << messages;
    ++kills_while_opening_;
  }

  /// Opens the store here and compares everything. A read-only handle looks before any recovery.
  void look(const KillWorkerSetup& setup, bool read_only) {
    StoreOptions options = setup.options();
    options.read_only = read_only;
    ASSERT_EQ(testing::verify_damage(setup.path), "") << "before open";
    auto store = ParallelIO::open(setup.path, options);
    ASSERT_TRUE(store.is_ok()) << store.status().to_string();
    const std::string old_difference = testing::content_difference(*store, model_);
    const std::string new_difference =
        is_open_ ? testing::content_difference(*store, after_) : old_difference;
    ASSERT_TRUE(old_difference.empty() || new_difference.empty())
        << "compared with the state before: " << old_difference
        << "\ncompared with the state after:  " << new_difference << "\nunder way was "
        << to_string(under_way_);
    take(!old_difference.empty());
    if (read_only) return;
    const std::string text = testing::full_difference(*store, model_, random_);
    ASSERT_EQ(text, "");
    NPK_ASSERT_OK(store->close());
    ASSERT_EQ(testing::verify_damage(setup.path), "") << "after close";
  }

  testing::TempDir directory_;
  Random random_;
  Model model_;  ///< All that was acknowledged.
  bool is_open_ = false;
  Operation under_way_;  ///< If is_open_: it may have happened,
  Model after_;          ///< and then this is the state.
  uint64_t acknowledged_ = 0;
  uint64_t kept_ = 0;
  uint64_t dropped_ = 0;
  uint64_t kills_while_opening_ = 0;
};

TEST(Kill9, EveryAcknowledgedOperationIsThereAndTheOneUnderWayIsWholeOrNot) {
  KillRun run(testing::test_seed(), testing::TempDir::Place::kDisk);
  run.run(testing::env_number("NPK_KILLS", 500));
}

// Where a sync costs nothing, far more operations fit before each kill, and more kills hit the
// store's own steps rather than the disk's.
TEST(Kill9, TheSameInMemoryWithManyMoreOperationsBetweenTheKills) {
  KillRun run(testing::test_seed(), testing::TempDir::Place::kMemory);
  run.run(testing::env_number("NPK_KILLS", 500));
}

}  // namespace
}  // namespace npk
