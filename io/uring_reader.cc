// The life of a piece.
//
// 1. start() widens it to multiples of kAlignmentBytes, as O_DIRECT wants, and hands the read to
//    the kernel, which sets the disk to work before the call returns.
// 2. finish() takes completions, in whatever order they come, until that of its slot is there.
// 3. What the kernel could not read this way (a short read, a kernel that refuses after all)
//    is read once more through the page cache, whose errors are those the caller gets.
// A reader that goes away first waits for everything under way: the disk writes into its buffers.
#include "io/uring_reader.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <string_view>
#include <sys/mman.h>

#include "io/errno_status.h"
#include "npk/internal/text.h"

namespace npk::io {
namespace {

using internal::concat;

// Sectors of 512 or 4096 bytes and pages of memory: what O_DIRECT asks for anywhere.
constexpr uint64_t kAlignmentBytes = 4096;

// Where the kernel has pages of this size, buffers lie in them: a disk takes only so many separate
// pieces of memory in one request (often 128 or 254), and of pages of 4 KiB each is one.
constexpr uint64_t kHugePageBytes = 2 << 20;

constexpr uint64_t round_down(uint64_t value) { return value / kAlignmentBytes * kAlignmentBytes; }
constexpr uint64_t round_up(uint64_t value) { return round_down(value + kAlignmentBytes - 1); }

Status ring_status(int error_number) {
  const bool is_forbidden = error_number == EPERM || error_number == EACCES;
  const std::string_view why = is_forbidden             ? "it is forbidden for this process"
                               : error_number == ENOSYS ? "this kernel does not have it"
                                                        : "the kernel refuses it";
  return Status::unsupported(concat("io_uring cannot be used: ", why)).with_errno(error_number);
}

}  // namespace

Result<ReadMode> read_mode() {
  constexpr std::array<std::pair<std::string_view, ReadMode>, 4> kModes = {
      {{"auto", ReadMode::kAuto},
       {"mmap", ReadMode::kMapping},
       {"uring", ReadMode::kUring},
       {"pread", ReadMode::kPread}}};
  const char* const text = std::getenv("NPK_IO");
  if (text == nullptr) return ReadMode::kAuto;
  for (const auto& [name, mode] : kModes) {
    if (name == text) return mode;
  }
  return Status::invalid_argument(
      concat("NPK_IO is '", text, "'; it may be auto, mmap, uring or pread"));
}

Status uring_status() {
  ::io_uring ring{};
  const int result = ::io_uring_queue_init(1, &ring, 0);
  if (result < 0) return ring_status(-result);
  ::io_uring_queue_exit(&ring);
  return {};
}

UringReader::UringReader(const PosixFile& file, Descriptor direct,
                         const DirectReaderOptions& options)
    : file_(file),
      direct_(std::move(direct)),
      slots_(options.slots),
      // A piece may begin and end in the middle of a page.
      buffer_bytes_(round_up(options.slot_bytes) + 2 * kAlignmentBytes) {}

Result<std::unique_ptr<DirectReader>> UringReader::create(const PosixFile& file, Descriptor direct,
                                                          const DirectReaderOptions& options) {
  std::unique_ptr<UringReader> reader(new UringReader(file, std::move(direct), options));
  NPK_RETURN_IF_ERROR(reader->open_ring());
  NPK_RETURN_IF_ERROR(reader->allocate_buffers());
  return std::unique_ptr<DirectReader>(std::move(reader));
}

Status UringReader::open_ring() {
  const int result = ::io_uring_queue_init(static_cast<unsigned>(slots_.size()), &ring_, 0);
  if (result < 0) return ring_status(-result);
  has_ring_ = true;
  return {};
}

Status UringReader::allocate_buffers() {
  // Whole huge pages, from a multiple of their size on.
  const uint64_t bytes = (slots_.size() * buffer_bytes_ / kHugePageBytes + 1) * kHugePageBytes;
  reserved_bytes_ = bytes + kHugePageBytes;
  void* const address =
      ::mmap(nullptr, reserved_bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (address == MAP_FAILED) {
    return errno_status(errno, concat("reserve ", bytes, " bytes of memory"), file_.path());
  }
  reserved_ = static_cast<std::byte*>(address);
  buffers_ = reserved_ + (kHugePageBytes - reinterpret_cast<uintptr_t>(address) % kHugePageBytes);
  // Without them it works too.
  static_cast<void>(::madvise(buffers_, bytes, MADV_HUGEPAGE));
  std::vector<iovec> list(slots_.size());
  for (uint32_t slot = 0; slot < slots_.size(); ++slot) list[slot] = {buffer(slot), buffer_bytes_};
  // Spares the kernel to look the pages up for each read. Where RLIMIT_MEMLOCK forbids to keep so
  // many in place, it does look them up.
  is_registered_ =
      ::io_uring_register_buffers(&ring_, list.data(), static_cast<unsigned>(list.size())) == 0;
  return {};
}

UringReader::~UringReader() {
  while (under_way_ > 0 && wait_for_one().is_ok()) {
  }
  if (has_ring_) ::io_uring_queue_exit(&ring_);
  // Unmapped rather than freed: should a read be under way after all, its pages stay its own.
  if (reserved_ != nullptr) ::munmap(reserved_, reserved_bytes_);
}

void UringReader::start(uint32_t slot, uint64_t offset_bytes, uint64_t length_bytes) {
  const uint64_t begin = round_down(offset_bytes);
  const uint64_t end = round_up(offset_bytes + length_bytes);
  slots_[slot] = {offset_bytes, length_bytes, offset_bytes - begin, 0, false};
  // There are as many entries as slots, and each is submitted at once. One that was refused stays
  // in the queue: nothing is submitted after it.
  if (is_refused_) return;
  ::io_uring_sqe* const entry = ::io_uring_get_sqe(&ring_);
  const auto bytes = static_cast<unsigned>(end - begin);
  if (is_registered_) {
    ::io_uring_prep_read_fixed(entry, direct_.get(), buffer(slot), bytes, begin,
                               static_cast<int>(slot));
  } else {
    ::io_uring_prep_read(entry, direct_.get(), buffer(slot), bytes, begin);
  }
  ::io_uring_sqe_set_data64(entry, slot);
  int result = 0;
  do {
    result = ::io_uring_submit(&ring_);
  } while (result == -EINTR || result == -EAGAIN);
  is_refused_ = result < 0;
  if (is_refused_) return;
  slots_[slot].is_under_way = true;
  ++under_way_;
}

Status UringReader::wait_for_one() {
  ::io_uring_cqe* completion = nullptr;
  int result = 0;
  do {
    result = ::io_uring_wait_cqe(&ring_, &completion);
  } while (result == -EINTR || result == -EAGAIN);
  if (result < 0) return errno_status(-result, "wait for a read (io_uring_enter)", file_.path());
  Slot& slot = slots_[::io_uring_cqe_get_data64(completion)];
  slot.result = completion->res;
  slot.is_under_way = false;
  ::io_uring_cqe_seen(&ring_, completion);
  --under_way_;
  return {};
}

Result<const std::byte*> UringReader::finish(uint32_t slot) {
  Slot& piece = slots_[slot];
  while (piece.is_under_way) NPK_RETURN_IF_ERROR(wait_for_one());
  std::byte* const bytes = buffer(slot) + piece.head_bytes;
  const auto wanted = static_cast<int64_t>(piece.head_bytes + piece.length_bytes);
  if (piece.result < wanted) {
    NPK_RETURN_IF_ERROR(file_.read_at(piece.offset_bytes, {bytes, piece.length_bytes}));
  }
  return bytes;
}

}  // namespace npk::io
