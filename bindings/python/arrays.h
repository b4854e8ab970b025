// NumPy arrays as ArrayViews, and arrays of npk as NumPy arrays: neither way copies elements.
//
// bfloat16 is the type of the package ml_dtypes, which is needed for it and for nothing else.
//
// Thread safety: with the GIL only; the ArrayView that a BorrowedArray shows may be read without.
#ifndef NPK_BINDINGS_PYTHON_ARRAYS_H_
#define NPK_BINDINGS_PYTHON_ARRAYS_H_

#include <cstdint>
#include <optional>
#include <vector>

#include <nanobind/nanobind.h>

#include "npk/array.h"

namespace npk::python {

/// Holds the buffer of a NumPy array, of any strides, for as long as it lives. What is not an array
/// becomes one as numpy.asarray makes it; arrays in foreign byte order and unaligned ones are
/// copied. Throws TypeError for elements that npk does not know (objects, texts, dates).
class BorrowedArray {
 public:
  explicit BorrowedArray(nanobind::handle object);
  ~BorrowedArray();
  BorrowedArray(BorrowedArray&& other) noexcept;
  BorrowedArray(const BorrowedArray&) = delete;
  BorrowedArray& operator=(const BorrowedArray&) = delete;
  BorrowedArray& operator=(BorrowedArray&&) = delete;

  /// Valid as long as this object.
  [[nodiscard]] const ArrayView& view() const noexcept { return view_; }

 private:
  /// Takes the buffer if it can be read as it is.
  std::optional<DType> borrow_at_once(nanobind::handle object);
  DType borrow_prepared(nanobind::handle object);

  nanobind::object array_;  // What was made of the caller's object, if something was.
  Py_buffer buffer_ = {};
  ArrayView view_;
};

/// A writable NumPy array that owns the elements.
nanobind::object to_numpy(Array array);
/// A read-only NumPy array that keeps the view's pin. Requires: is_contiguous().
nanobind::object to_numpy(const ArrayView& view);
/// One- or two-dimensional: `shape` holds as many elements as `values`.
nanobind::object to_numpy(std::vector<uint64_t> values, const std::vector<size_t>& shape);
nanobind::object to_numpy(std::vector<double> values, const std::vector<size_t>& shape);

}  // namespace npk::python

#endif  // NPK_BINDINGS_PYTHON_ARRAYS_H_
