#include "bindings/python/selection.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <nanobind/stl/string.h>

#include "bindings/python/arrays.h"
#include "bindings/python/errors.h"

namespace nb = nanobind;

namespace npk::python {
namespace {

int64_t integer_from(nb::handle number) {
  const nb::object index = nb::steal(PyNumber_Index(number.ptr()));
  if (!index.is_valid()) throw nb::python_error();
  const int64_t value = PyLong_AsLongLong(index.ptr());
  if (value == -1 && PyErr_Occurred() != nullptr) throw nb::python_error();
  return value;
}

/// A number, or an object that stands for one; True and arrays are none.
bool is_number(nb::handle selection) {
  return PyIndex_Check(selection.ptr()) != 0 && !PyBool_Check(selection.ptr()) &&
         PySequence_Check(selection.ptr()) == 0;
}

std::optional<int64_t> end_from(nb::handle number) {
  if (number.is_none()) return std::nullopt;
  return integer_from(number);
}

/// The elements of a one-dimensional array: bytes of a mask, or row numbers.
struct Elements {
  bool is_mask = false;
  std::vector<uint8_t> mask;
  std::vector<int64_t> rows;
};

Elements elements_from(nb::handle selection) {
  const nb::module_ numpy = nb::module_::import_("numpy");
  nb::object array = numpy.attr("asarray")(selection);
  const auto kind = nb::cast<std::string>(array.attr("dtype").attr("kind"));
  const bool is_empty = nb::cast<size_t>(array.attr("size")) == 0;
  const bool is_mask = kind == "b";
  if (nb::cast<int>(array.attr("ndim")) != 1 ||
      (!is_mask && kind != "i" && kind != "u" && !is_empty)) {
    throw_python(PyExc_TypeError,
                 std::string("rows are chosen by a number, a slice, a one-dimensional sequence of "
                             "numbers or a boolean mask; found an array of type ") +
                     text_of(array.attr("dtype")) + " and shape " + text_of(array.attr("shape")));
  }
  if (kind == "u" && is_true(array.attr("__gt__")(INT64_MAX).attr("any")())) {
    throw_python(PyExc_OverflowError, "a row number is beyond int64");
  }
  Elements elements{.is_mask = is_mask, .mask = {}, .rows = {}};
  const BorrowedArray values(array.attr("astype")(is_mask ? "bool" : "int64"));
  const ArrayView& view = values.view();
  if (is_mask) {
    elements.mask.resize(view.rows());
    view.copy_rows(0, view.rows(), reinterpret_cast<std::byte*>(elements.mask.data()));
  } else {
    elements.rows.resize(view.rows());
    view.copy_rows(0, view.rows(), reinterpret_cast<std::byte*>(elements.rows.data()));
  }
  return elements;
}

}  // namespace

Rows rows_from(nb::handle selection) {
  if (selection.is_none()) return Rows::all();
  if (PySlice_Check(selection.ptr())) {
    const int64_t step = end_from(selection.attr("step")).value_or(1);
    if (step == 0) throw_python(PyExc_ValueError, "slice step cannot be zero");
    return Rows::range(end_from(selection.attr("start")), end_from(selection.attr("stop")), step);
  }
  if (is_number(selection)) return Rows::list({integer_from(selection)});
  Elements elements = elements_from(selection);
  return elements.is_mask ? Rows::mask(std::move(elements.mask))
                          : Rows::list(std::move(elements.rows));
}

Where where_from(nb::handle selection, uint64_t row_count) {
  if (selection.is_none()) return {};
  if (PySlice_Check(selection.ptr())) {
    const Rows rows = rows_from(selection);
    if (const auto run = rows.contiguous(row_count)) return Where::ranges({*run});
    const std::vector<uint64_t> numbers = value(rows.resolve(row_count));
    return Where::rows({numbers.begin(), numbers.end()});
  }
  if (is_number(selection)) return Where::rows({integer_from(selection)});
  Elements elements = elements_from(selection);
  return elements.is_mask ? Where::mask(elements.mask) : Where::rows(std::move(elements.rows));
}

uint64_t count_from(nb::handle number, const char* name) {
  const nb::object index = nb::steal(PyNumber_Index(number.ptr()));
  if (!index.is_valid()) throw nb::python_error();
  int overflow = 0;
  const int64_t value = PyLong_AsLongLongAndOverflow(index.ptr(), &overflow);
  if (overflow < 0 || (overflow == 0 && value < 0)) {
    if (PyErr_Occurred() != nullptr) throw nb::python_error();
    throw_python(PyExc_ValueError,
                 std::string(name) + " must not be negative, is " + text_of(index));
  }
  return overflow > 0 ? UINT64_MAX : static_cast<uint64_t>(value);
}

}  // namespace npk::python
