// The element types of npy files: one table of the type codes that are read and written, one of
// those that are refused with what their owner can do instead.
#ifndef NPK_FORMATS_NPY_TYPES_H_
#define NPK_FORMATS_NPY_TYPES_H_

#include <string_view>

#include "npk/dtype.h"
#include "npk/status.h"

namespace npk::formats {

struct NpyType {
  DType dtype = DType::kFloat32;
  bool is_big_endian = false;
};

/// "<f4" → float32, little-endian. Byte orders: '<', '>', and '=' and '|', which mean little.
/// Errors: Unsupported (a type that NumPy has and npk has not), Corruption (no type at all).
Result<NpyType> npy_type_from_descr(std::string_view descr);

/// As NumPy writes it. Errors: Unsupported for bfloat16.
Result<std::string_view> npy_descr_of(DType dtype);

/// The error for `descr` values that are lists or tuples: structured types.
Status npy_structured_type_error();

}  // namespace npk::formats

#endif  // NPK_FORMATS_NPY_TYPES_H_
