// concat: builds messages from pieces. For the library's own use; not part of the public API.
#ifndef NPK_INTERNAL_TEXT_H_
#define NPK_INTERNAL_TEXT_H_

#include <concepts>
#include <string>
#include <string_view>

namespace npk::internal {

inline void append_piece(std::string& out, std::string_view piece) { out += piece; }
inline void append_piece(std::string& out, char piece) { out += piece; }
template <typename T>
requires(std::is_arithmetic_v<T> && !std::same_as<T, char>) void append_piece(std::string& out,
                                                                              T piece) {
  out += std::to_string(piece);
}

template <typename... Pieces>
std::string concat(const Pieces&... pieces) {
  std::string out;
  (append_piece(out, pieces), ...);
  return out;
}

}  // namespace npk::internal

#endif  // NPK_INTERNAL_TEXT_H_
