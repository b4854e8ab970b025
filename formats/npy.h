// The npy file format of NumPy: its header, both ways.
//
//   "\x93NUMPY", version (2 bytes), header length (u16 in version 1.0, u32 in 2.0 and 3.0), and a
//   Python dictionary with exactly the keys descr, fortran_order and shape; then the elements.
//
// The reader takes the literals that NumPy writes and nothing else; every error has the offset of
// the byte that is wrong. The writer gives the bytes of NumPy's np.save (checked against 2.4).
//
// Thread safety: free functions without state.
#ifndef NPK_FORMATS_NPY_H_
#define NPK_FORMATS_NPY_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "io/env.h"
#include "npk/array.h"
#include "npk/status.h"

namespace npk::formats {

/// Headers longer than this are refused: only structured types, which are not read, need more.
inline constexpr uint64_t kMaxNpyHeaderBytes = 65'535;

struct NpyHeader {
  DType dtype = DType::kFloat32;
  bool is_big_endian = false;
  bool is_fortran_order = false;
  Shape shape;
  uint64_t data_offset_bytes = 0;
  uint64_t data_bytes = 0;

  /// Strides of the elements as they lie in the file.
  [[nodiscard]] StridesBytes strides_bytes() const;
};

/// Reads the header and holds it against the file's size.
/// Errors: Corruption, Unsupported (an element type, a version), both with the offset; IoError.
Result<NpyHeader> read_npy_header(const io::File& file);

/// The dictionary of a header, whose first byte lies at `offset_bytes` of the file. Fills dtype,
/// byte order, element order and shape. `python2`: integers may end in L, as in files of old.
Result<NpyHeader> parse_npy_dictionary(std::string_view text, uint64_t offset_bytes, bool python2);

/// All bytes before the elements, version 1.0 (that of every shape that npk knows). The length does
/// not depend on the number of rows: NumPy leaves room for it to grow.
/// Errors: Unsupported for bfloat16.
Result<std::string> encode_npy_header(DType dtype, const Shape& shape, bool is_fortran_order);

/// Turns round the bytes of every unit of `unit_bytes` (1, 2, 4 or 8).
void swap_byte_order(std::span<std::byte> bytes, uint32_t unit_bytes) noexcept;

}  // namespace npk::formats

#endif  // NPK_FORMATS_NPY_H_
