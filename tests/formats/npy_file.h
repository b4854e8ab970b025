// Builds npy files byte by byte, without the code that is tested.
#ifndef NPK_TESTS_FORMATS_NPY_FILE_H_
#define NPK_TESTS_FORMATS_NPY_FILE_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "npk/array.h"
#include "npk/dtype.h"

namespace npk::testing {

/// Magic, version, length and the dictionary as it is given.
inline std::string npy_header_bytes(int version, std::string_view dictionary) {
  std::string bytes = "\x93NUMPY";
  bytes += static_cast<char>(version);
  bytes += '\0';
  const size_t length_bytes = version == 1 ? 2 : 4;
  for (size_t i = 0; i < length_bytes; ++i) {
    bytes += static_cast<char>(dictionary.size() >> (8 * i) & 0xff);
  }
  return bytes + std::string(dictionary);
}

/// A whole file: the dictionary, spaces, a newline, the data.
inline std::string npy_file_bytes(int version, std::string_view dictionary, std::string_view data) {
  std::string padded(dictionary);
  while ((npy_header_bytes(version, padded).size() + 1) % 64 != 0) padded += ' ';
  return npy_header_bytes(version, padded + "\n") + std::string(data);
}

/// The type code without its byte order: "f4".
inline std::string npy_code(DType dtype) {
  const DTypeInfo& info = dtype_info(dtype);
  constexpr char kLetters[] = {'b', 'u', 'i', 'f', '?', 'c'};
  return kLetters[static_cast<size_t>(info.kind)] + std::to_string(info.item_bytes);
}

/// The elements of `c_order` in Fortran order, or with every unit's bytes reversed, or both.
inline std::string npy_data(std::string_view c_order, DType dtype, const Shape& shape, bool fortran,
                            bool big_endian) {
  const DTypeInfo& info = dtype_info(dtype);
  const size_t count = c_order.size() / info.item_bytes;
  std::string data(c_order.size(), '\0');
  for (size_t from = 0; from < count; ++from) {
    size_t to = from;
    if (fortran) {
      // Take the index apart from the last axis on, put it together from the first on.
      size_t rest = from;
      size_t stride = count;
      to = 0;
      for (size_t axis = shape.size(); axis-- > 0;) {
        stride /= shape[axis];
        to += rest % shape[axis] * stride;
        rest /= shape[axis];
      }
    }
    for (size_t byte = 0; byte < info.item_bytes; ++byte) {
      const size_t unit = byte / info.swap_bytes * info.swap_bytes;
      const size_t place = big_endian ? unit + (info.swap_bytes - 1 - (byte - unit)) : byte;
      data[to * info.item_bytes + place] = c_order[from * info.item_bytes + byte];
    }
  }
  return data;
}

}  // namespace npk::testing

#endif  // NPK_TESTS_FORMATS_NPY_FILE_H_
