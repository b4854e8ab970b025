#include "io/file_rules.h"

#include <cerrno>

#include "io/errno_status.h"
#include "npk/internal/text.h"

namespace npk::io {

using internal::concat;

Status check_range(uint64_t offset_bytes, uint64_t length_bytes, std::string_view action,
                   const std::string& path) {
  if (offset_bytes <= kMaxFileBytes && length_bytes <= kMaxFileBytes - offset_bytes) {
    return Status::ok();
  }
  return errno_status(EFBIG, action, path).with_offset(offset_bytes);
}

Status check_path(const std::string& path) {
  if (path.find('\0') == std::string::npos) return Status::ok();
  return Status::invalid_argument("a path cannot contain a NUL byte").with_path(path.c_str());
}

Status read_only_status(std::string_view action, const std::string& path) {
  return Status::failed_precondition(concat("cannot ", action, ": the file is open read-only"))
      .with_path(path)
      .with_errno(EBADF);
}

Status past_end_status(uint64_t offset_bytes, uint64_t wanted_bytes, uint64_t end_bytes,
                       const std::string& path) {
  return Status::corruption(concat("the file ends after ", end_bytes, " bytes, ",
                                   offset_bytes - end_bytes + wanted_bytes, " more were expected"))
      .with_path(path)
      .with_offset(end_bytes);
}

}  // namespace npk::io
