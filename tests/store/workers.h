// Workers: what this test program does when it is started again as a child process.
#ifndef NPK_TESTS_STORE_WORKERS_H_
#define NPK_TESTS_STORE_WORKERS_H_

#include <string>
#include <vector>

namespace npk::testing {

using Arguments = std::vector<std::string>;

/// Operates on a store until it is killed, and acknowledges each operation. kill_worker_test.cc.
int kill_worker(const Arguments& arguments);
/// Opens a store, says so, and waits to be killed. kill_worker_test.cc.
int open_worker(const Arguments& arguments);
/// Carries out its share of a stream of operations, in turn with the parent. turns_test.cc.
int turns_worker(const Arguments& arguments);
/// Appends, replaces and compacts until it is told to stop. stress_worker_test.cc.
int stress_writer(const Arguments& arguments);
/// Reads and checks until it is told to stop. stress_worker_test.cc.
int stress_reader(const Arguments& arguments);

}  // namespace npk::testing

#endif  // NPK_TESTS_STORE_WORKERS_H_
