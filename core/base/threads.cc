#include "core/base/threads.h"

#include <algorithm>

#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/info.h>
#include <oneapi/tbb/parallel_for.h>
#include <oneapi/tbb/partitioner.h>
#include <oneapi/tbb/task_arena.h>

namespace npk::internal {

void run_on_threads(uint32_t threads, const std::function<void(uint32_t)>& worker) {
  if (threads <= 1) return worker(0);
  // An arena of more threads than TBB may use would make it print a warning.
  using oneapi::tbb::global_control;
  const size_t most =
      std::min<size_t>(static_cast<size_t>(oneapi::tbb::info::default_concurrency()),
                       global_control::active_value(global_control::max_allowed_parallelism));
  oneapi::tbb::task_arena arena(static_cast<int>(std::min<size_t>(threads, most)));
  arena.execute([&] {
    oneapi::tbb::parallel_for(uint32_t{0}, threads, worker, oneapi::tbb::simple_partitioner());
  });
}

}  // namespace npk::internal
