// Workers of kill_test.cc, and that they do what it takes them to do.
#include "tests/store/kill_worker.h"

#include <unistd.h>

#include "tests/store/workers.h"
#include "tests/support/child_process.h"
#include "tests/support/store_compare.h"
#include "tests/support/support.h"

namespace npk::testing {
namespace {

int report_error(const std::string& text) {
  write_all(STDOUT_FILENO, kError + text);
  return 1;
}

TEST(KillWorker, MakesTheSameOperationsFromTheSameSeed) {
  OperationGenerator first = kill_operations(7);
  OperationGenerator second = kill_operations(7);
  Model model;
  for (int i = 0; i < 500; ++i) {
    const Operation operation = first.next(model);
    ASSERT_EQ(to_string(operation), to_string(second.next(model)));
    perform(operation, model);
  }
  EXPECT_FALSE(model.empty());
}

TEST(KillWorker, PassesItsSetupOnTheCommandLine) {
  const KillWorkerSetup setup = {"/some/where", 12, Durability::kPower, 1 << 20};
  auto arguments = setup.to_arguments("kill");
  EXPECT_EQ(arguments[0], "kill");
  arguments.erase(arguments.begin());
  const KillWorkerSetup copy = KillWorkerSetup::from_arguments(arguments);
  EXPECT_EQ(copy.path, setup.path);
  EXPECT_EQ(copy.seed, 12u);
  EXPECT_EQ(copy.options().durability, Durability::kPower);
  EXPECT_EQ(copy.options().log_bytes, 1u << 20);
}

}  // namespace

OperationGenerator kill_operations(uint64_t seed) {
  OperationLimits limits;
  limits.names = {"a", "b", "c/d", std::string(300, 'n')};
  limits.max_rows = 200;
  limits.max_array_bytes = 256 << 10;
  limits.syncs = 0.01;
  limits.resets = 0.002;
  return {seed, std::move(limits)};
}

std::vector<std::string> KillWorkerSetup::to_arguments(const std::string& worker) const {
  return {worker, path, std::to_string(seed), std::to_string(static_cast<int>(durability)),
          std::to_string(log_bytes)};
}

KillWorkerSetup KillWorkerSetup::from_arguments(const std::vector<std::string>& arguments) {
  KillWorkerSetup setup;
  setup.path = arguments.at(0);
  setup.seed = std::stoull(arguments.at(1));
  setup.durability = static_cast<Durability>(std::stoi(arguments.at(2)));
  setup.log_bytes = std::stoull(arguments.at(3));
  return setup;
}

StoreOptions KillWorkerSetup::options() const {
  StoreOptions options;
  options.durability = durability;
  options.log_bytes = log_bytes;
  return options;
}

int kill_worker(const Arguments& arguments) {
  const auto setup = KillWorkerSetup::from_arguments(arguments);
  write_all(STDOUT_FILENO, std::string(1, kOpening));
  auto store = ParallelIO::open(setup.path, setup.options());
  if (!store.is_ok()) return report_error("open: " + store.status().to_string());
  auto model = read_model(*store);
  if (!model.is_ok()) return report_error("read: " + model.status().to_string());
  const uint64_t hash = model_hash(*model);
  write_all(STDOUT_FILENO, kOpened + std::string(bytes_of(hash)));

  OperationGenerator operations = kill_operations(setup.seed);
  while (true) {
    const Operation operation = operations.next(*model);
    const Status status = perform(operation, *store);
    if (!status.is_ok()) {
      return report_error(to_string(operation) + ": " + status.to_string());
    }
    write_all(STDOUT_FILENO, std::string(1, kAcknowledged));
    perform(operation, *model);
  }
}

int open_worker(const Arguments& arguments) {
  const auto setup = KillWorkerSetup::from_arguments(arguments);
  write_all(STDOUT_FILENO, std::string(1, kOpening));
  auto store = ParallelIO::open(setup.path, setup.options());
  if (!store.is_ok()) return report_error("open: " + store.status().to_string());
  write_all(STDOUT_FILENO, std::string(1, kOpened));
  while (true) ::pause();
}

}  // namespace npk::testing
