#include "core/base/threads.h"

#include <atomic>
#include <chrono>
#include <vector>

#include <gtest/gtest.h>
#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/parallel_for.h>
#include <oneapi/tbb/partitioner.h>
#include <oneapi/tbb/task_arena.h>

namespace npk::internal {
namespace {

TEST(Threads, CallEachWorkerOnce) {
  for (const uint32_t threads : {1u, 2u, 3u, 64u}) {
    std::vector<std::atomic<int>> calls(threads);
    run_on_threads(threads, [&](uint32_t i) { ++calls[i]; });
    for (const auto& count : calls) EXPECT_EQ(count, 1) << threads << " threads";
  }
}

void work_for(std::chrono::microseconds time) {
  const auto end = std::chrono::steady_clock::now() + time;
  while (std::chrono::steady_clock::now() < end) {
  }
}

// A caller of npk may be one of many tasks, and hold a lock that the others want.
TEST(Threads, TakeUpNoTaskOfTheCallersWhileTheyWait) {
  using oneapi::tbb::global_control;
  // More than there are processors, so that threads wait for one another.
  const global_control control(global_control::max_allowed_parallelism, 8);
  thread_local int depth = 0;
  std::atomic<int> nested = 0;
  oneapi::tbb::task_arena(8).execute([&] {
    oneapi::tbb::parallel_for(
        0, 3000,
        [&](int) {
          if (++depth > 1) ++nested;
          run_on_threads(8, [](uint32_t) { work_for(std::chrono::microseconds(20)); });
          --depth;
        },
        oneapi::tbb::simple_partitioner());
  });
  EXPECT_EQ(nested, 0);
}

}  // namespace
}  // namespace npk::internal
