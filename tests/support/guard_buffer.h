// GuardBuffer: memory that ends where a page without access begins, as a mapped file may end.
#ifndef NPK_TESTS_SUPPORT_GUARD_BUFFER_H_
#define NPK_TESTS_SUPPORT_GUARD_BUFFER_H_

#include <cstddef>
#include <cstdlib>
#include <sys/mman.h>
#include <unistd.h>

namespace npk::testing {

/// `size` bytes, the last of which is the last of its page; a read behind it ends the test.
class GuardBuffer {
 public:
  explicit GuardBuffer(size_t size) : size_(size) {
    const auto page = static_cast<size_t>(::sysconf(_SC_PAGESIZE));
    mapped_ = (size + page - 1) / page * page + page;
    void* memory =
        ::mmap(nullptr, mapped_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) std::abort();
    base_ = static_cast<std::byte*>(memory);
    if (::mprotect(base_ + mapped_ - page, page, PROT_NONE) != 0) std::abort();
    data_ = base_ + mapped_ - page - size;
  }
  ~GuardBuffer() { ::munmap(base_, mapped_); }
  GuardBuffer(const GuardBuffer&) = delete;
  GuardBuffer& operator=(const GuardBuffer&) = delete;

  [[nodiscard]] std::byte* data() const { return data_; }
  [[nodiscard]] size_t size() const { return size_; }

 private:
  size_t size_;
  size_t mapped_ = 0;
  std::byte* base_ = nullptr;
  std::byte* data_ = nullptr;
};

}  // namespace npk::testing

#endif  // NPK_TESTS_SUPPORT_GUARD_BUFFER_H_
