#include "formats/npy_types.h"

#include <algorithm>
#include <array>

#include "npk/internal/text.h"

namespace npk::formats {
namespace {

using internal::concat;

struct CodeRow {
  std::string_view descr;  // As written: byte order and code.
  DType dtype;
};

constexpr std::array kCodes = {
    CodeRow{"|b1", DType::kBool},      CodeRow{"|u1", DType::kUint8},
    CodeRow{"<u2", DType::kUint16},    CodeRow{"<u4", DType::kUint32},
    CodeRow{"<u8", DType::kUint64},    CodeRow{"|i1", DType::kInt8},
    CodeRow{"<i2", DType::kInt16},     CodeRow{"<i4", DType::kInt32},
    CodeRow{"<i8", DType::kInt64},     CodeRow{"<f2", DType::kFloat16},
    CodeRow{"<f4", DType::kFloat32},   CodeRow{"<f8", DType::kFloat64},
    CodeRow{"<c8", DType::kComplex64}, CodeRow{"<c16", DType::kComplex128},
};

struct RefusedRow {
  char kind;
  std::string_view what;
  std::string_view advice;
};

constexpr std::array kRefused = {
    RefusedRow{'O', "Python objects",
               "reading them would run code from the file; save numbers, or text as a .txt file"},
    RefusedRow{'S', "byte strings", "write them as a .txt file, one line a row"},
    RefusedRow{'U', "text", "write it as a .txt file, one line a row"},
    RefusedRow{'M', "dates", "save values.view('int64')"},
    RefusedRow{'m', "time differences", "save values.view('int64')"},
    RefusedRow{'V', "structured or untyped bytes (bfloat16 is saved so)",
               "save each field as an array of its own, bfloat16 as float32"},
    RefusedRow{'f', "a float of a width that is not known", "save values.astype('float64')"},
    RefusedRow{'c', "a complex of a width that is not known", "save values.astype('complex128')"},
    RefusedRow{'i', "an integer of a width that is not known", "save values.astype('int64')"},
    RefusedRow{'u', "an integer of a width that is not known", "save values.astype('uint64')"},
    RefusedRow{'T', "text", "write it as a .txt file, one line a row"},
};

std::string known_types() {
  std::string names;
  for (const CodeRow& row : kCodes) {
    names += concat(names.empty() ? "" : ", ", dtype_name(row.dtype));
  }
  return names;
}

}  // namespace

Result<NpyType> npy_type_from_descr(std::string_view descr) {
  if (descr.size() >= 2 && std::string_view("<>=|").find(descr[0]) != std::string_view::npos) {
    const std::string_view code = descr.substr(1);
    for (const CodeRow& row : kCodes) {
      if (row.descr.substr(1) == code) return NpyType{row.dtype, descr[0] == '>'};
    }
    for (const RefusedRow& row : kRefused) {
      if (row.kind != code[0]) continue;
      return Status::unsupported(concat("element type '", descr, "' is ", row.what, ": ",
                                        row.advice, "; possible are ", known_types()));
    }
  }
  return Status::corruption(concat("'", descr,
                                   "' is no element type; one of '<', '>', '=' and '|' and a code "
                                   "as in '<f4' was expected"));
}

Result<std::string_view> npy_descr_of(DType dtype) {
  for (const CodeRow& row : kCodes) {
    if (row.dtype == dtype) return row.descr;
  }
  return Status::unsupported(
      concat("NumPy has no ", dtype_name(dtype),
             ", so an npy file cannot hold it: save the array as float32, which holds every value "
             "exactly, and export that; or read its rows file as uint16"));
}

Status npy_structured_type_error() {
  return Status::unsupported(
      concat("the element type is structured (a list of fields): save each field as an array of "
             "its own; possible are ",
             known_types()));
}

}  // namespace npk::formats
