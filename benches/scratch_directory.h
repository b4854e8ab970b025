// ScratchDirectory: a bench's files, which go when it ends.
#ifndef NPK_BENCHES_SCRATCH_DIRECTORY_H_
#define NPK_BENCHES_SCRATCH_DIRECTORY_H_

#include <filesystem>
#include <string>
#include <system_error>
#include <unistd.h>

namespace npk::bench {

/// A new directory, removed with all that is in it. Errors: throws filesystem_error.
class ScratchDirectory {
 public:
  explicit ScratchDirectory(const std::string& name, const std::filesystem::path& parent =
                                                         std::filesystem::temp_directory_path())
      : path_(parent / ("npk-" + name + "-" + std::to_string(::getpid()))) {
    std::filesystem::create_directories(path_);
  }
  ~ScratchDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  ScratchDirectory(const ScratchDirectory&) = delete;
  ScratchDirectory& operator=(const ScratchDirectory&) = delete;

  [[nodiscard]] std::string file(const std::string& name) const { return path_ / name; }

 private:
  std::filesystem::path path_;
};

}  // namespace npk::bench

#endif  // NPK_BENCHES_SCRATCH_DIRECTORY_H_
