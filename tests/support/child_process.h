// Processes for tests: this program started again as a worker, and plain forks.
//
// A worker is a function in the test program, called before any test and before any thread exists.
// tests/store/main.cc holds the table of workers.
#ifndef NPK_TESTS_SUPPORT_CHILD_PROCESS_H_
#define NPK_TESTS_SUPPORT_CHILD_PROCESS_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <vector>

namespace npk::testing {

/// A running worker, with a pipe in each direction. Killed and waited for at the end of its scope.
class ChildProcess {
 public:
  /// Starts `<this program> --npk-worker arguments…`. Stops the program if that fails.
  static ChildProcess start_worker(const std::vector<std::string>& arguments);
  ChildProcess(ChildProcess&& other) noexcept;
  ChildProcess& operator=(ChildProcess&& other) noexcept;
  ~ChildProcess();

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
  ChildProcess(pid_t pid, int input, int output) : pid_(pid), input_(input), output_(output) {}
  pid_t pid_ = -1;
  int input_ = -1;
  int output_ = -1;
};

/// Writes all of it, or stops the program: for workers.
void write_all(int fd, std::string_view bytes);

/// Runs `body` in a forked child and returns its exit code, or 128 + signal. `body` returns the
/// exit code; it must not use gtest. No test may have threads running when it forks.
int run_forked(const std::function<int()>& body);

/// The number in an environment variable, or `otherwise`.
uint64_t env_number(const char* name, uint64_t otherwise);

/// The bytes of a trivially copyable value.
template <typename T>
std::string_view bytes_of(const T& value) {
  return {reinterpret_cast<const char*>(&value), sizeof(value)};
}

}  // namespace npk::testing

#endif  // NPK_TESTS_SUPPORT_CHILD_PROCESS_H_
