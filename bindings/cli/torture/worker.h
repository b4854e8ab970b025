// The worker that is killed: it operates on a store and acknowledges each operation.
//
// Its messages, one byte each, go to its standard output: kOpening; kOpened and the model_hash() of
// what it found, eight bytes; kAcknowledged for each operation; kClosed. Instead of any of them,
// kError, the status code as one byte and a text to the end.
#ifndef NPK_BINDINGS_CLI_TORTURE_WORKER_H_
#define NPK_BINDINGS_CLI_TORTURE_WORKER_H_

#include <array>
#include <cstdint>
#include <string>

#include "bindings/cli/torture/random_operations.h"
#include "bindings/cli/torture/worker_process.h"
#include "npk/store.h"

namespace npk::testing {

inline constexpr char kOpening = 'o';
inline constexpr char kOpened = 'O';
inline constexpr char kAcknowledged = 'a';
inline constexpr char kClosed = 'c';
inline constexpr char kError = 'E';

/// The stream of operations of one run; everybody makes the same one from the same seed. With
/// `every_kind` the kinds of operations come in turn.
OperationGenerator kill_operations(uint64_t seed, bool every_kind = false);

struct WorkerSetup {
  std::string path;
  StoreOptions options;  ///< Of them durability, log_bytes and allow_unsafe_filesystem are passed.
  uint64_t seed = 0;
  bool every_kind = false;
  uint64_t operations = UINT64_MAX;  ///< After so many it closes the store and ends.
  /// model_hash() of the states that the store may be in. With any other the worker does nothing.
  std::array<uint64_t, 2> expected{};

  [[nodiscard]] Arguments to_arguments(const std::string& worker) const;
  static WorkerSetup from_arguments(const Arguments& arguments);
};

/// Runs the worker that arguments[0] names; returns the exit code.
///   kill, open: the others are of WorkerSetup. "kill" operates on the store until it is killed or
///     done; "open" opens it, says so, and waits to be killed. With NPK_TORTURE_BREAK in the
///     environment "kill" acknowledges an operation that it left out, and waits: a checker that
///     does not complain is wrong.
///   check PATH SEED LEAST MOST [every-kind]: the store must hold what it did after LEAST to MOST +
///   1 operations
///     of the stream; tells after how many, or what is wrong, with exit code 3.
int run_kill_worker(const Arguments& arguments);

}  // namespace npk::testing

#endif  // NPK_BINDINGS_CLI_TORTURE_WORKER_H_
