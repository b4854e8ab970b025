// WorkerProcess: this program started again as a worker, with a pipe in each direction.
//
// A worker is a function that main() calls for `--npk-worker NAME ARGUMENTS…`, before anything else
// and before any thread exists.
#ifndef NPK_BINDINGS_CLI_TORTURE_WORKER_PROCESS_H_
#define NPK_BINDINGS_CLI_TORTURE_WORKER_PROCESS_H_

#include <cstddef>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <vector>

#include "npk/status.h"

namespace npk::testing {

using Arguments = std::vector<std::string>;

inline constexpr std::string_view kWorkerFlag = "--npk-worker";

/// A running worker. Killed and waited for at the end of its scope.
class WorkerProcess {
 public:
  /// Starts `<this program> --npk-worker arguments…`.
  static Result<WorkerProcess> start(const Arguments& arguments);
  WorkerProcess(WorkerProcess&& other) noexcept;
  WorkerProcess& operator=(WorkerProcess&& other) noexcept;
  ~WorkerProcess();

  [[nodiscard]] pid_t pid() const { return pid_; }
  /// What the worker writes to its standard output.
  [[nodiscard]] int output() const { return output_; }
  /// Sends bytes to the worker's standard input. False if nobody reads any more.
  bool send(std::string_view bytes) const;
  /// Exactly `count` bytes, or what came before the end of the output.
  [[nodiscard]] std::string receive(size_t count) const;
  /// All until the end of the output.
  [[nodiscard]] std::string receive_all() const;
  /// SIGKILL; the output can still be read to its end.
  void kill() const;
  /// Its exit code, or 128 + the signal that ended it.
  int wait();

 private:
  WorkerProcess(pid_t pid, int input, int output) : pid_(pid), input_(input), output_(output) {}
  pid_t pid_ = -1;
  int input_ = -1;
  int output_ = -1;
};

/// Writes all of it, or ends the program: for workers, whose parent has then gone.
void write_all(int fd, std::string_view bytes);

/// The exit code of a child that has ended or will, or 128 + the signal that ended it.
int wait_for(pid_t pid);

/// The bytes of a trivially copyable value.
template <typename T>
std::string_view bytes_of(const T& value) {
  return {reinterpret_cast<const char*>(&value), sizeof(value)};
}

}  // namespace npk::testing

#endif  // NPK_BINDINGS_CLI_TORTURE_WORKER_PROCESS_H_
