// Processes for tests: the test program started again as a worker (tests/store/main.cc holds the
// table of workers), and plain forks.
#ifndef NPK_TESTS_SUPPORT_CHILD_PROCESS_H_
#define NPK_TESTS_SUPPORT_CHILD_PROCESS_H_

#include <cstdint>
#include <functional>

#include "bindings/cli/torture/worker_process.h"

namespace npk::testing {

/// Runs `body` in a forked child and returns its exit code, or 128 + signal. `body` returns the
/// exit code; it must not use gtest. No test may have threads running when it forks.
int run_forked(const std::function<int()>& body);

/// The number in an environment variable, or `otherwise`.
uint64_t env_number(const char* name, uint64_t otherwise);

}  // namespace npk::testing

#endif  // NPK_TESTS_SUPPORT_CHILD_PROCESS_H_
