#include "core/base/threads.h"

#include <algorithm>

#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/info.h>
#include <oneapi/tbb/parallel_for.h>
#include <oneapi/tbb/partitioner.h>
#include <oneapi/tbb/task_arena.h>
#ifdef NPK_THREAD_SANITIZER
#include <sanitizer/tsan_interface.h>
#endif

namespace npk::internal {
namespace {

/// What one thread did before give() comes before what another does after take(). TBB sees to that;
/// the thread sanitizer, which does not look into TBB, is told so.
class Handover {
 public:
#ifdef NPK_THREAD_SANITIZER
  void give() { __tsan_release(this); }
  void take() { __tsan_acquire(this); }
#else
  void give() {}
  void take() {}
#endif
};

}  // namespace

void run_on_threads(uint32_t threads, const std::function<void(uint32_t)>& worker) {
  if (threads <= 1) return worker(0);
  // An arena of more threads than TBB may use would make it print a warning.
  using oneapi::tbb::global_control;
  const size_t most =
      std::min<size_t>(static_cast<size_t>(oneapi::tbb::info::default_concurrency()),
                       global_control::active_value(global_control::max_allowed_parallelism));
  oneapi::tbb::task_arena arena(static_cast<int>(std::min<size_t>(threads, most)));
  Handover work;
  Handover results;
  const auto run_one = [&](uint32_t thread) {
    work.take();
    worker(thread);
    results.give();
  };
  work.give();
  arena.execute([&] {
    oneapi::tbb::parallel_for(uint32_t{0}, threads, run_one, oneapi::tbb::simple_partitioner());
  });
  results.take();
}

}  // namespace npk::internal
