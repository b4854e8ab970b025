#include "io/errno_status.h"

#include <cerrno>

#include "npk/internal/text.h"

namespace npk::io {
namespace {

struct ErrnoRow {
  int error_number;
  StatusCode code;
  std::string_view hint;
};

// Anything that is not here is an IoError without a hint.
constexpr ErrnoRow kErrnoRows[] = {
    {ENOENT, StatusCode::kNotFound, ""},
    {EEXIST, StatusCode::kAlreadyExists, ""},
    {ENOSPC, StatusCode::kResourceExhausted, "the disk is full: free space and try again"},
    {EDQUOT, StatusCode::kResourceExhausted, "the disk quota is used up: free space in it"},
    {ENOMEM, StatusCode::kResourceExhausted,
     "out of memory or of mappings: see ulimit -v and vm.max_map_count"},
    {EMFILE, StatusCode::kResourceExhausted,
     "this process has too many open files: raise ulimit -n or close some"},
    {ENFILE, StatusCode::kResourceExhausted, "the system has too many open files"},
    {EFBIG, StatusCode::kResourceExhausted,
     "larger than the file system or ulimit -f lets a file be"},
    {EACCES, StatusCode::kIoError, "no permission: check owner and mode of it and its directory"},
    {EPERM, StatusCode::kIoError, "not permitted: check owner, mode and immutable flags"},
    {EROFS, StatusCode::kIoError, "the file system is read-only: open it for reading only"},
    {ENOTDIR, StatusCode::kIoError, "a part of the path is not a directory"},
    {EISDIR, StatusCode::kIoError, "it is a directory"},
    {ENOTEMPTY, StatusCode::kIoError, "the directory is not empty"},
    {ELOOP, StatusCode::kIoError, "too many symbolic links"},
    {ENAMETOOLONG, StatusCode::kIoError, "the name is too long for this file system"},
    {EXDEV, StatusCode::kIoError, "the two lie on different file systems"},
    {ENOLCK, StatusCode::kIoError, "the file system has no locks: use a local one"},
    {EIO, StatusCode::kIoError, "the device reported an error: see the kernel log"},
};

}  // namespace

Status errno_status(int error_number, std::string_view action, const std::string& path) {
  StatusCode code = StatusCode::kIoError;
  std::string message = internal::concat("cannot ", action);
  for (const ErrnoRow& row : kErrnoRows) {
    if (row.error_number != error_number) continue;
    code = row.code;
    if (!row.hint.empty()) message += internal::concat("; ", row.hint);
  }
  return Status(code, std::move(message)).with_path(path).with_errno(error_number);
}

}  // namespace npk::io
