// The one place where errno becomes a Status: which code it is, and what the user can do about it.
#ifndef NPK_IO_ERRNO_STATUS_H_
#define NPK_IO_ERRNO_STATUS_H_

#include <string>
#include <string_view>

#include "npk/status.h"

namespace npk::io {

/// "cannot <action>", with what helps against this error_number. `action` names the call in words:
/// "open for reading", "write 4096 bytes (pwrite)".
Status errno_status(int error_number, std::string_view action, const std::string& path);

}  // namespace npk::io

#endif  // NPK_IO_ERRNO_STATUS_H_
