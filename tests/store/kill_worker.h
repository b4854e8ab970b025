// What the kill tests and their workers agree on.
#ifndef NPK_TESTS_STORE_KILL_WORKER_H_
#define NPK_TESTS_STORE_KILL_WORKER_H_

#include <cstdint>
#include <string>
#include <vector>

#include "npk/store.h"
#include "tests/support/random_operations.h"

namespace npk::testing {

/// The stream of operations of one run; the parent makes the same one from the same seed.
OperationGenerator kill_operations(uint64_t seed);

struct KillWorkerSetup {
  std::string path;
  uint64_t seed = 0;
  Durability durability = Durability::kProcess;
  uint64_t log_bytes = 64 << 10;

  [[nodiscard]] std::vector<std::string> to_arguments(const std::string& worker) const;
  static KillWorkerSetup from_arguments(const std::vector<std::string>& arguments);
  [[nodiscard]] StoreOptions options() const;
};

/// Messages of a worker, one byte each; kOpened is followed by the model_hash() of what it found,
/// kError by text to the end.
inline constexpr char kOpening = 'o';
inline constexpr char kOpened = 'O';
inline constexpr char kAcknowledged = 'a';
inline constexpr char kError = 'E';

}  // namespace npk::testing

#endif  // NPK_TESTS_STORE_KILL_WORKER_H_
