// Paths as text. Nothing here looks at a file system.
#ifndef NPK_IO_PATHS_H_
#define NPK_IO_PATHS_H_

#include <algorithm>
#include <string>

namespace npk::io {

/// The directory that holds `path`: "." for a plain name; "/" for "/".
inline std::string parent_directory(std::string path) {
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  const size_t slash = path.rfind('/');
  return slash == std::string::npos ? "." : path.substr(0, std::max<size_t>(1, slash));
}

}  // namespace npk::io

#endif  // NPK_IO_PATHS_H_
