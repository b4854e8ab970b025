// Workers: what this test program does when it is started again as a child process.
#ifndef NPK_TESTS_STORE_WORKERS_H_
#define NPK_TESTS_STORE_WORKERS_H_

#include "bindings/cli/torture/worker_process.h"

namespace npk::testing {

/// Takes a snapshot, says so, and says whether it is as it was whenever asked. snapshot_test.cc.
int snapshot_worker(const Arguments& arguments);
/// Makes golden stores. golden_test.cc.
int golden_worker(const Arguments& arguments);
/// Carries out its share of a stream of operations, in turn with the parent. turns_test.cc.
int turns_worker(const Arguments& arguments);
/// Appends, replaces and compacts until it is told to stop. stress_worker_test.cc.
int stress_writer(const Arguments& arguments);
/// Reads and checks until it is told to stop. stress_worker_test.cc.
int stress_reader(const Arguments& arguments);

}  // namespace npk::testing

#endif  // NPK_TESTS_STORE_WORKERS_H_
