// The writer lock: byte 0 of the LOCK file, an OFD lock that dies with its process. Writers hold it
// for one operation, readers that could not read in peace hold it shared.
#ifndef NPK_CORE_STORE_WRITER_LOCK_H_
#define NPK_CORE_STORE_WRITER_LOCK_H_

#include <algorithm>

#include "io/env.h"
#include "npk/internal/text.h"
#include "npk/status.h"

namespace npk::internal {

class WriterLock {
 public:
  static constexpr uint64_t kByte = 0;
  struct Options {
    bool shared = false;
    uint32_t timeout_ms = 0;
  };

  /// Errors: Busy after the timeout.
  static Result<WriterLock> acquire(io::Env& env, io::File& file, const Options& options) {
    // Waits grow from 50 µs to 1 ms; the time asleep is counted, the clock may be set meanwhile.
    uint64_t waited_us = 0;
    for (uint64_t wait_us = 50;; wait_us = std::min<uint64_t>(1'000, wait_us * 2)) {
      NPK_ASSIGN_OR_RETURN(const bool got, file.try_lock(kByte, options.shared));
      if (got) return WriterLock(file);
      if (waited_us >= uint64_t{options.timeout_ms} * 1'000) {
        return Status::busy(concat("another process holds the store's writer lock and has not let "
                                   "go of it within ",
                                   options.timeout_ms, " ms; try again or raise lock_timeout_ms"))
            .with_path(file.path());
      }
      env.sleep_us(wait_us);
      waited_us += wait_us;
    }
  }

  WriterLock(WriterLock&& other) noexcept : file_(std::exchange(other.file_, nullptr)) {}
  WriterLock& operator=(WriterLock&&) = delete;
  ~WriterLock() {
    if (file_ != nullptr) file_->unlock(kByte).ignore();  // Fails only if the lock is not held.
  }

 private:
  explicit WriterLock(io::File& file) : file_(&file) {}
  io::File* file_;
};

}  // namespace npk::internal

#endif  // NPK_CORE_STORE_WRITER_LOCK_H_
