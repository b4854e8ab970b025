#include "bindings/python/arrays.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <nanobind/ndarray.h>
#include <nanobind/stl/string.h>

#include "bindings/python/errors.h"

namespace nb = nanobind;

namespace npk::python {
namespace {

nb::object numpy(const char* name) { return nb::module_::import_("numpy").attr(name); }

/// numpy.dtype has no bfloat16; ml_dtypes registers one.
nb::object bfloat16_type() {
  try {
    return nb::module_::import_("ml_dtypes").attr("bfloat16");
  } catch (nb::python_error& error) {
    if (!error.matches(PyExc_ImportError)) throw;
  }
  throw_python(
      PyExc_ImportError,
      "NumPy has no bfloat16 of its own; the package ml_dtypes has: pip install ml_dtypes");
}

DTypeKind kind_of_letter(char letter) {
  constexpr std::string_view kSigned = "bhilq";
  constexpr std::string_view kUnsigned = "BHILQ";
  if (kSigned.find(letter) != std::string_view::npos) return DTypeKind::kSigned;
  if (kUnsigned.find(letter) != std::string_view::npos) return DTypeKind::kUnsigned;
  return letter == '?' ? DTypeKind::kBool : DTypeKind::kFloat;
}

/// The element type of a format of the struct module, as PEP 3118 extends it.
std::optional<DType> dtype_of_format(std::string_view format, Py_ssize_t item_bytes) {
  // '<' is what this machine has (x86-64, Arm); '>' and '!' are not.
  if (!format.empty() && (format[0] == '@' || format[0] == '=' || format[0] == '<')) {
    format.remove_prefix(1);
  }
  const bool is_complex = !format.empty() && format[0] == 'Z';
  if (is_complex) format.remove_prefix(1);
  constexpr std::string_view kKnown = "?bhilqBHILQefd";
  if (format.size() != 1 || kKnown.find(format[0]) == std::string_view::npos) return std::nullopt;
  const DTypeKind kind = is_complex ? DTypeKind::kComplex : kind_of_letter(format[0]);
  for (const DTypeInfo& info : dtype_table()) {
    if (info.kind == kind && info.item_bytes == item_bytes) return info.dtype;
  }
  return std::nullopt;
}

[[noreturn]] void throw_unknown_type(nb::handle array) {
  std::string known;
  for (const DTypeInfo& info : dtype_table()) {
    known += (known.empty() ? "" : ", ") + std::string(info.name);
  }
  throw_python(PyExc_TypeError, std::string("elements of type ") + text_of(array.attr("dtype")) +
                                    " cannot be stored or searched; known types: " + known);
}

/// Whether each element lies at a multiple of its size, or of 8 if that is less (complex128).
bool is_aligned(const Py_buffer& buffer) {
  const auto unit = std::min<uintptr_t>(static_cast<uintptr_t>(buffer.itemsize), 8);
  uintptr_t bits = reinterpret_cast<uintptr_t>(buffer.buf);
  for (int axis = 0; axis < buffer.ndim; ++axis) {
    bits |= static_cast<uintptr_t>(buffer.strides[axis]);
  }
  return unit == 0 || bits % unit == 0;  // Element sizes are powers of two.
}

/// An array of native byte order and aligned, which `object` is already in nearly all cases.
nb::object usable(nb::handle object) {
  nb::object array = numpy("asarray")(object);
  const nb::object dtype = array.attr("dtype");
  if (!is_true(dtype.attr("isnative"))) {
    array = array.attr("astype")(dtype.attr("newbyteorder")("="));
  }
  if (!is_true(array.attr("flags").attr("aligned"))) array = array.attr("copy")();
  return array;
}

nb::dlpack::dtype dlpack_type(DType dtype) {
  const DTypeInfo& info = dtype_info(dtype);
  const auto code = [&] {
    switch (info.kind) {
      case DTypeKind::kBool:
        return nb::dlpack::dtype_code::Bool;
      case DTypeKind::kSigned:
        return nb::dlpack::dtype_code::Int;
      case DTypeKind::kFloat:
        return nb::dlpack::dtype_code::Float;
      case DTypeKind::kComplex:
        return nb::dlpack::dtype_code::Complex;
      case DTypeKind::kUnsigned:
      case DTypeKind::kBrainFloat:  // Handed over as its bits.
        break;
    }
    return nb::dlpack::dtype_code::UInt;
  }();
  return {static_cast<uint8_t>(code), static_cast<uint8_t>(info.item_bytes * 8), 1};
}

using Writable = nb::ndarray<nb::numpy>;
using ReadOnly = nb::ndarray<nb::numpy, nb::ro>;

/// `Keeper` is moved to the heap and lives as long as the NumPy array.
template <typename NumpyArray, typename Keeper>
nb::object wrapped(Keeper keeper, const void* data, DType dtype, const std::vector<size_t>& shape) {
  auto kept = std::make_unique<Keeper>(std::move(keeper));
  const nb::capsule owner(kept.get(), [](void* p) noexcept { delete static_cast<Keeper*>(p); });
  static_cast<void>(kept.release());
  // An array without elements may have no memory; NumPy wants an address all the same.
  static char nothing[16] = {};
  void* const address = data != nullptr ? const_cast<void*>(data) : nothing;
  nb::object array =
      nb::cast(NumpyArray(address, shape.size(), shape.data(), owner, nullptr, dlpack_type(dtype)));
  return dtype == DType::kBFloat16 ? array.attr("view")(bfloat16_type()) : array;
}

std::vector<size_t> sizes(const Shape& shape) { return {shape.begin(), shape.end()}; }

}  // namespace

BorrowedArray::BorrowedArray(nb::handle object) {
  std::optional<DType> dtype = borrow_at_once(object);
  if (!dtype) dtype = borrow_prepared(object);
  const auto dimensions = static_cast<size_t>(buffer_.ndim);
  Shape shape(dimensions);
  StridesBytes strides(dimensions);
  for (size_t axis = 0; axis < dimensions; ++axis) {
    shape[axis] = static_cast<uint64_t>(buffer_.shape[axis]);
    strides[axis] = buffer_.strides[axis];
  }
  view_ = ArrayView::strided(buffer_.buf, *dtype, std::move(shape), std::move(strides));
}

std::optional<DType> BorrowedArray::borrow_at_once(nb::handle object) {
  if (PyObject_CheckBuffer(object.ptr()) == 0) return std::nullopt;
  if (PyObject_GetBuffer(object.ptr(), &buffer_, PyBUF_RECORDS_RO) != 0) {
    PyErr_Clear();
    return std::nullopt;
  }
  const std::optional<DType> dtype = dtype_of_format(buffer_.format, buffer_.itemsize);
  if (!dtype || !is_aligned(buffer_)) {
    PyBuffer_Release(&buffer_);
    return std::nullopt;
  }
  return dtype;
}

DType BorrowedArray::borrow_prepared(nb::handle object) {
  array_ = usable(object);
  // NumPy hands out no buffer of bfloat16; of its bits it does.
  const bool is_bfloat16 = nb::cast<std::string>(array_.attr("dtype").attr("name")) == "bfloat16";
  if (is_bfloat16) array_ = array_.attr("view")("uint16");
  const std::optional<DType> dtype = borrow_at_once(array_);
  if (!dtype) throw_unknown_type(array_);
  return is_bfloat16 ? DType::kBFloat16 : *dtype;
}

BorrowedArray::BorrowedArray(BorrowedArray&& other) noexcept
    : array_(std::move(other.array_)),
      buffer_(std::exchange(other.buffer_, Py_buffer{})),
      view_(std::move(other.view_)) {}

BorrowedArray::~BorrowedArray() {
  if (buffer_.obj != nullptr) PyBuffer_Release(&buffer_);
}

nb::object to_numpy(Array array) {
  const DType dtype = array.dtype();
  const std::vector<size_t> shape = sizes(array.shape());
  const void* const data = array.data();
  return wrapped<Writable>(std::move(array), data, dtype, shape);
}

nb::object to_numpy(const ArrayView& view) {
  return wrapped<ReadOnly>(view, view.data(), view.dtype(), sizes(view.shape()));
}

nb::object to_numpy(std::vector<uint64_t> values, const std::vector<size_t>& shape) {
  const void* const data = values.data();  // Moving a vector leaves its elements in place.
  return wrapped<Writable>(std::move(values), data, DType::kUint64, shape);
}

nb::object to_numpy(std::vector<double> values, const std::vector<size_t>& shape) {
  const void* const data = values.data();
  return wrapped<Writable>(std::move(values), data, DType::kFloat64, shape);
}

}  // namespace npk::python
