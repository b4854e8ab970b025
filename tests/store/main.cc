// The program's main(): the tests, or one of the workers that they start.
#include <map>

#include "bindings/cli/torture/worker.h"
#include "tests/store/workers.h"
#include "tests/support/support.h"

namespace {

using npk::testing::Arguments;

int run_worker(const Arguments& arguments) {
  static const std::map<std::string, int (*)(const Arguments&)> kWorkers = {
      {"golden", npk::testing::golden_worker},
      {"snapshot", npk::testing::snapshot_worker},
      {"turns", npk::testing::turns_worker},
      {"writer", npk::testing::stress_writer},
      {"reader", npk::testing::stress_reader}};
  const auto worker = kWorkers.find(arguments.at(0));
  if (worker != kWorkers.end()) return worker->second({arguments.begin() + 1, arguments.end()});
  return npk::testing::run_kill_worker(arguments);
}

}  // namespace

int main(int argc, char** argv) {
  const Arguments arguments(argv + 1, argv + argc);
  if (arguments.size() >= 2 && arguments[0] == npk::testing::kWorkerFlag) {
    return run_worker({arguments.begin() + 1, arguments.end()});
  }
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
