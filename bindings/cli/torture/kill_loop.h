// KillLoop: kills writers of one store again and again, and holds it against what they
// acknowledged.
//
// A round is: a worker opens the store and operates on it until it is killed at a random instant;
// up to two more are killed while they open it, which repeats what the first had committed; then
// the store is opened here, read-only (before any recovery), for writing, or not at all, so that
// the next round meets it as it is. Thread safety: one thread a loop, any number of loops.
#ifndef NPK_BINDINGS_CLI_TORTURE_KILL_LOOP_H_
#define NPK_BINDINGS_CLI_TORTURE_KILL_LOOP_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "bindings/cli/torture/ledger.h"
#include "bindings/cli/torture/worker.h"
#include "npk/store.h"

namespace npk::testing {

struct KillOptions {
  std::string path;                      ///< Of the store, which is made if it is missing.
  uint64_t seed = 0;                     ///< Of the operations, not of the instants.
  std::vector<Durability> durabilities;  ///< In turn. Requires: not empty, not kNone.
  bool allow_unsafe_filesystem = false;
  uint64_t longest_run_us = 20'000;  ///< From the end of a worker's open to its kill.
  /// Looks at a store that was opened for writing and holds this state; what is wrong with it.
  std::function<std::string(ParallelIO&, const Model&)> inspect;
};

class KillLoop {
 public:
  explicit KillLoop(KillOptions options);
  /// What is wrong with the store; then the loop is over.
  /// Errors: what a worker met that is no fault of the store's (no space, no processes, …).
  Result<Finding> round();
  /// Looks at the store for the last time.
  Result<Finding> finish();

  [[nodiscard]] const Ledger& ledger() const { return ledger_; }
  [[nodiscard]] uint64_t kills_while_writing() const { return kills_while_writing_; }
  [[nodiscard]] uint64_t kills_while_opening() const { return kills_while_opening_; }

 private:
  WorkerSetup next_setup();
  Result<Finding> kill_while_writing(const WorkerSetup& setup);
  Result<Finding> kill_while_opening(const WorkerSetup& setup);
  Result<Finding> look(const StoreOptions& options);

  KillOptions options_;
  Random random_;
  Ledger ledger_;
  bool is_made_ = false;  // Somebody has opened the store, so it is there.
  uint64_t rounds_ = 0;
  uint64_t kills_while_writing_ = 0;
  uint64_t kills_while_opening_ = 0;
};

}  // namespace npk::testing

#endif  // NPK_BINDINGS_CLI_TORTURE_KILL_LOOP_H_
