// DirectReader: pieces of a file read around the page cache, several at once, while the caller
// works on those that have arrived.
//
// What it reads is the file as it was at some moment between start() and finish(), with everything
// in it that was written before start(), through whichever mapping: the kernel brings dirty pages
// to the disk before it reads them from there. File::direct_reader() offers it only on file systems
// of which that is known.
//
// Thread safety: one thread at a time.
#ifndef NPK_IO_DIRECT_READER_H_
#define NPK_IO_DIRECT_READER_H_

#include <cstddef>
#include <cstdint>

#include "npk/status.h"

namespace npk::io {

/// How many pieces a reader has room for, and of what size. Memory: slots * (slot_bytes + 8 KiB),
/// rounded up to 2 MiB.
struct DirectReaderOptions {
  uint32_t slots = 8;
  uint64_t slot_bytes = 1 << 20;
};

class DirectReader {
 public:
  DirectReader() = default;
  DirectReader(const DirectReader&) = delete;
  DirectReader& operator=(const DirectReader&) = delete;
  /// Waits for what is under way.
  virtual ~DirectReader() = default;
  /// Begins to read a piece of at most slot_bytes into a slot with no piece under way. What cannot
  /// be begun is read by finish().
  virtual void start(uint32_t slot, uint64_t offset_bytes, uint64_t length_bytes) = 0;
  /// Waits for the piece of the slot; its bytes stay until the slot's next start().
  /// Errors: as File::read_at().
  virtual Result<const std::byte*> finish(uint32_t slot) = 0;
};

/// How cold rows are read: kAuto, or one way whatever is in memory.
enum class ReadMode : uint8_t { kAuto, kMapping, kUring, kPread };
/// What NPK_IO says: auto, mmap, uring or pread. Errors: InvalidArgument for anything else.
Result<ReadMode> read_mode();

/// OK, or why this process cannot use io_uring: an old kernel, or one that forbids it.
Status uring_status();

}  // namespace npk::io

#endif  // NPK_IO_DIRECT_READER_H_
