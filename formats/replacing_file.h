// ReplacingFile: a file that appears under its name whole or not at all.
//
// 1. A temporary file next to the target is written: same directory, so that 3 can be atomic.
// 2. It is synced: after a power cut the name must not lead to a file without its bytes.
// 3. It is renamed to the target, and the directory is synced.
// An error or a destructor before 3 removes the temporary file; a kill before 3 leaves the target
// as it was, and the file for the next one who makes something beside it to remove (temporary.h).
//
// Thread safety: one thread.
#ifndef NPK_FORMATS_REPLACING_FILE_H_
#define NPK_FORMATS_REPLACING_FILE_H_

#include <memory>
#include <string>

#include "io/env.h"
#include "npk/status.h"

namespace npk::formats {

class ReplacingFile {
 public:
  /// Errors: AlreadyExists if there is a target and `overwrite` is false; FailedPrecondition if it
  /// is no regular file; IoError.
  static Result<ReplacingFile> create(const std::string& target, bool overwrite);
  ReplacingFile(ReplacingFile&&) noexcept = default;
  ReplacingFile& operator=(ReplacingFile&&) = delete;
  ~ReplacingFile();

  [[nodiscard]] io::File& file() noexcept { return *file_; }
  /// What was written, `written` being OK, appears under its name.
  Status commit(Status written);

 private:
  ReplacingFile(std::string target, bool overwrite, std::unique_ptr<io::File> file)
      : target_(std::move(target)), overwrite_(overwrite), file_(std::move(file)) {}

  std::string target_;
  bool overwrite_;
  std::unique_ptr<io::File> file_;  // Null once committed.
};

}  // namespace npk::formats

#endif  // NPK_FORMATS_REPLACING_FILE_H_
