// run_on_threads: the threads of scans and checks, from TBB's pool.
#ifndef NPK_CORE_BASE_THREADS_H_
#define NPK_CORE_BASE_THREADS_H_

#include <cstdint>
#include <functional>

namespace npk::internal {

/// Calls `worker(i)` for each i in [0, threads), at once where processors are free, and waits for
/// them. Meanwhile the caller takes up no other task of TBB: it may hold locks.
void run_on_threads(uint32_t threads, const std::function<void(uint32_t)>& worker);

}  // namespace npk::internal

#endif  // NPK_CORE_BASE_THREADS_H_
