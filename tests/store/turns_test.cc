// Two processes change one store in turn and each looks at what the other did: what one has
// committed, the other sees at its next call.
#include <cstring>
#include <unistd.h>

#include "bindings/cli/torture/random_operations.h"
#include "tests/store/workers.h"
#include "tests/support/child_process.h"
#include "tests/support/store_compare.h"
#include "tests/support/support.h"

namespace npk::testing {
namespace {

// Commands to the worker. It answers each with a text of this length, empty if all is well.
constexpr char kYours = 'y';   // Carry out the next operation.
constexpr char kMine = 'm';    // The parent has carried it out.
constexpr char kLook = 'l';    // Compare everything with the model.
constexpr char kReopen = 'r';  // Close and open again.

OperationGenerator turns_operations(uint64_t seed) {
  OperationLimits limits;
  limits.names = {"a", "b", "c/d", "e"};
  limits.max_rows = 60;
  limits.syncs = 0.01;
  limits.resets = 0.003;
  return {seed, std::move(limits)};
}

/// One process's half: the store, the model, the stream of operations.
class Player {
 public:
  Player(std::string path, uint64_t seed)
      : path_(std::move(path)), operations_(turns_operations(seed)), random_(seed + 1) {
    options_.log_bytes = 64 << 10;
  }

  std::string reopen() {
    store_.reset();
    auto store = ParallelIO::open(path_, options_);
    if (!store.is_ok()) return "open: " + store.status().to_string();
    store_.emplace(*std::move(store));
    return {};
  }

  std::string next(bool is_mine) {
    const Operation operation = operations_.next(model_);
    if (is_mine) {
      const Status status = perform(operation, *store_);
      if (!status.is_ok()) return to_string(operation) + ": " + status.to_string();
    }
    perform(operation, model_);
    const std::string text = quick_difference(*store_, model_);
    return text.empty() ? text : text + " after " + to_string(operation);
  }

  std::string look() { return full_difference(*store_, model_, random_); }

 private:
  std::string path_;
  StoreOptions options_;
  std::optional<ParallelIO> store_;
  Model model_;
  OperationGenerator operations_;
  Random random_;
};

std::string ask(const WorkerProcess& worker, char command) {
  worker.send(std::string(1, command));
  const std::string size_bytes = worker.receive(sizeof(uint32_t));
  if (size_bytes.size() < sizeof(uint32_t)) return "the worker has gone";
  uint32_t size = 0;
  std::memcpy(&size, size_bytes.data(), sizeof(size));
  return worker.receive(size);
}

TEST(TwoProcesses, SeeEachOthersCommitsAtOnce) {
  const uint64_t seed = test_seed();
  const TempDir directory(TempDir::Place::kMemory);
  Player player(directory.file("s"), seed);
  Random random(seed + 2);
  ASSERT_EQ(player.reopen(), "");
  WorkerProcess worker =
      *WorkerProcess::start({"turns", directory.file("s"), std::to_string(seed)});
  ASSERT_EQ(ask(worker, kReopen), "");
  const uint64_t operations = env_number("NPK_MODEL_OPS", 100'000) / 20;
  for (uint64_t i = 0; i < operations; ++i) {
    const bool is_mine = random.chance(0.5);
    if (is_mine) {
      ASSERT_EQ(player.next(true), "") << "operation " << i << ", by the parent";
      ASSERT_EQ(ask(worker, kMine), "") << "operation " << i << ", seen by the worker";
    } else {
      ASSERT_EQ(ask(worker, kYours), "") << "operation " << i << ", by the worker";
      ASSERT_EQ(player.next(false), "") << "operation " << i << ", seen by the parent";
    }
    if (random.chance(0.02)) {
      ASSERT_EQ(player.look(), "") << "operation " << i;
      ASSERT_EQ(ask(worker, kLook), "") << "operation " << i;
    }
    if (random.chance(0.004)) {
      ASSERT_EQ(ask(worker, kReopen), "") << "operation " << i;
    }
    if (random.chance(0.004)) {
      ASSERT_EQ(player.reopen(), "") << "operation " << i;
    }
  }
  EXPECT_EQ(verify_damage(directory.file("s")), "");
}

}  // namespace

int turns_worker(const Arguments& arguments) {
  Player player(arguments.at(0), std::stoull(arguments.at(1)));
  char command = 0;
  while (::read(STDIN_FILENO, &command, 1) == 1) {
    std::string answer;
    if (command == kReopen) answer = player.reopen();
    if (command == kYours || command == kMine) answer = player.next(command == kYours);
    if (command == kLook) answer = player.look();
    const auto size = static_cast<uint32_t>(answer.size());
    write_all(STDOUT_FILENO, std::string(bytes_of(size)) + answer);
  }
  return 0;
}

}  // namespace npk::testing
