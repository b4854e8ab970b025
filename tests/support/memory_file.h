// MemoryFile: bytes in memory as a file that can be read and mapped. Its mapping is those bytes
// themselves, so that the address sanitizer sees reads behind their end.
//
// Lifetime: the bytes must outlive the file and its mappings.
#ifndef NPK_TESTS_SUPPORT_MEMORY_FILE_H_
#define NPK_TESTS_SUPPORT_MEMORY_FILE_H_

#include <algorithm>
#include <cstring>
#include <memory>
#include <optional>

#include "io/file_rules.h"

namespace npk::testing {

class MemoryFile : public io::File {
 public:
  explicit MemoryFile(io::Bytes bytes) : File("input"), bytes_(bytes) {}

  Status read_at(uint64_t offset_bytes, std::span<std::byte> out) const override {
    NPK_ASSIGN_OR_RETURN(const uint64_t found, read_some_at(offset_bytes, out));
    if (found == out.size()) return {};
    return io::past_end_status(offset_bytes, out.size(), bytes_.size(), path_);
  }
  Result<uint64_t> read_some_at(uint64_t offset_bytes, std::span<std::byte> out) const override {
    if (offset_bytes >= bytes_.size()) return uint64_t{0};
    const auto found = bytes_.subspan(offset_bytes)
                           .first(std::min<uint64_t>(out.size(), bytes_.size() - offset_bytes));
    if (!found.empty()) std::memcpy(out.data(), found.data(), found.size());
    return uint64_t{found.size()};
  }
  [[nodiscard]] Result<uint64_t> size_bytes() const override { return uint64_t{bytes_.size()}; }
  Result<std::shared_ptr<io::Mapping>> map(uint64_t, io::MapMode) override {
    return std::shared_ptr<io::Mapping>(std::make_shared<View>(bytes_));
  }

  Status write_at(uint64_t, std::span<const io::Bytes>) override { return refused("write"); }
  Status allocate(uint64_t, uint64_t) override { return refused("allocate"); }
  Status copy_from(const File&, uint64_t, uint64_t, uint64_t) override { return refused("copy"); }
  Status sync() override { return refused("sync"); }
  Result<bool> try_lock(uint64_t, bool) override { return refused("lock"); }
  Status unlock(uint64_t) override { return refused("unlock"); }
  [[nodiscard]] Result<std::optional<uint64_t>> find_lock(uint64_t, uint64_t) const override {
    return std::optional<uint64_t>();
  }

 private:
  class View final : public io::Mapping {
   public:
    explicit View(io::Bytes bytes)
        : Mapping(const_cast<std::byte*>(bytes.data()), bytes.size()) {}  // Never stored into.
    void store(uint64_t, io::Bytes) override {}
  };
  [[nodiscard]] Status refused(std::string_view action) const {
    return io::read_only_status(action, path_);
  }

  io::Bytes bytes_;
};

}  // namespace npk::testing

#endif  // NPK_TESTS_SUPPORT_MEMORY_FILE_H_
