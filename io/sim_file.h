// Open files and mappings of a simulated process. Made by SimEnv::open.
#ifndef NPK_IO_SIM_FILE_H_
#define NPK_IO_SIM_FILE_H_

#include <memory>
#include <string>

#include "io/sim_process.h"

namespace npk::io {

class SimFile final : public File {
 public:
  /// Requires: the disk's lock is held.
  SimFile(std::string path, std::shared_ptr<SimProcess> process, std::shared_ptr<SimNode> node,
          bool writable);
  ~SimFile() override;
  SimFile(const SimFile&) = delete;
  SimFile& operator=(const SimFile&) = delete;

  Status read_at(uint64_t offset_bytes, std::span<std::byte> out) const override;
  Result<uint64_t> read_some_at(uint64_t offset_bytes, std::span<std::byte> out) const override;
  using File::write_at;
  Status write_at(uint64_t offset_bytes, std::span<const Bytes> pieces) override;
  Status allocate(uint64_t offset_bytes, uint64_t length_bytes) override;
  Status copy_from(const File& source, uint64_t source_offset_bytes, uint64_t offset_bytes,
                   uint64_t length_bytes) override;
  Status sync() override;
  Result<uint64_t> size_bytes() const override;
  Result<std::shared_ptr<Mapping>> map(uint64_t length_bytes, MapMode mode) override;
  Result<bool> try_lock(uint64_t byte, bool shared) override;
  Status unlock(uint64_t byte) override;
  [[nodiscard]] Result<std::optional<uint64_t>> find_lock(uint64_t begin,
                                                          uint64_t end) const override;

 private:
  [[nodiscard]] Status check_writable(std::string_view action) const;
  /// Without count or fault; takes the lock.
  Status read_quietly(uint64_t offset_bytes, std::span<std::byte> out) const;
  void write_quietly(uint64_t offset_bytes, Bytes bytes);

  std::shared_ptr<SimProcess> process_;
  std::shared_ptr<SimNode> node_;
  bool writable_;
};

}  // namespace npk::io

#endif  // NPK_IO_SIM_FILE_H_
