// RowsFile: the rows of one generation of one array, opened and mapped when first needed.
//
// Shared by all states of that generation. Mappings are long-lived and reach beyond the end of the
// file, so that appends rarely need a new one; old mappings stay valid for the views that hold
// them.
//
// Thread safety: all methods, from any threads at once.
#ifndef NPK_CORE_STORE_ROWS_FILE_H_
#define NPK_CORE_STORE_ROWS_FILE_H_

#include <cstdint>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <vector>

#include "io/env.h"
#include "npk/status.h"

namespace npk::internal {

/// Readers and the writer of rows in one process: many readers or one writer, in order of arrival,
/// so that neither starves the other.
class RowGate {
 public:
  void lock_shared() {
    const std::lock_guard turn(turn_);
    gate_.lock_shared();
  }
  void unlock_shared() { gate_.unlock_shared(); }
  void lock() {
    const std::lock_guard turn(turn_);
    gate_.lock();
  }
  void unlock() { gate_.unlock(); }

 private:
  std::mutex turn_;
  std::shared_mutex gate_;
};

class RowsFile {
 public:
  RowsFile(io::Env& env, std::string path, bool read_only)
      : env_(env), path_(std::move(path)), read_only_(read_only) {}

  [[nodiscard]] const std::string& path() const noexcept { return path_; }
  /// Makes the file; it must not exist. For a new generation, before its commit.
  Status create();
  /// The file itself, for positioned reads and writes. Errors: NotFound, IoError.
  Result<io::File*> file();
  /// A read-only mapping of at least [0, size_bytes). Errors: Corruption if the file is shorter.
  Result<std::shared_ptr<io::Mapping>> map(uint64_t size_bytes);
  /// A writable mapping of at least [0, size_bytes). Requires: the file is that long.
  Result<std::shared_ptr<io::Mapping>> map_writable(uint64_t size_bytes);
  /// As map(), but a copy: what is stored in it stays in it, and a page that is stored into no
  /// longer shows what becomes of the file.
  Result<std::shared_ptr<io::Mapping>> map_private(uint64_t size_bytes);
  /// From now on map() shows the file with these bytes laid over it, in memory only: what a
  /// read-only opener does with commits that a killed writer has not applied.
  struct Patch {
    uint64_t offset_bytes;
    std::vector<std::byte> bytes;
  };
  void overlay(Patch patch);
  [[nodiscard]] bool has_overlay();

  RowGate& gate() noexcept { return gate_; }

 private:
  Status open_locked();
  Result<std::shared_ptr<io::Mapping>> map_locked(std::shared_ptr<io::Mapping>& slot,
                                                  uint64_t size_bytes, io::MapMode mode);
  Result<std::shared_ptr<io::Mapping>> map_overlaid(uint64_t size_bytes);

  io::Env& env_;
  const std::string path_;
  const bool read_only_;
  RowGate gate_;
  std::shared_mutex mutex_;  // Guards what follows.
  std::unique_ptr<io::File> file_;
  std::shared_ptr<io::Mapping> mapping_;
  std::shared_ptr<io::Mapping> writable_;
  uint64_t known_size_bytes_ = 0;  // The file is at least this long.
  std::vector<Patch> patches_;
};

}  // namespace npk::internal

#endif  // NPK_CORE_STORE_ROWS_FILE_H_
