#include "bindings/python/errors.h"

#include <cerrno>

#include <nanobind/stl/string.h>

namespace nb = nanobind;

namespace npk::python {
namespace {

PyObject* corruption_error = nullptr;  // Lives as long as the interpreter.

PyObject* exception_type(const Status& status, Missing missing) {
  switch (status.code()) {
    case StatusCode::kInvalidArgument:
      return PyExc_ValueError;
    case StatusCode::kNotFound:
      return missing == Missing::kStore ? PyExc_FileNotFoundError : PyExc_KeyError;
    case StatusCode::kAlreadyExists:
      return PyExc_FileExistsError;
    case StatusCode::kOutOfRange:
      return PyExc_IndexError;
    case StatusCode::kFailedPrecondition:
      return PyExc_RuntimeError;
    case StatusCode::kCorruption:
      return corruption_error;
    case StatusCode::kIoError:
      return PyExc_OSError;
    case StatusCode::kResourceExhausted:
      return status.error_number() != 0 && status.error_number() != ENOMEM ? PyExc_OSError
                                                                           : PyExc_MemoryError;
    case StatusCode::kUnsupported:
      return PyExc_NotImplementedError;
    case StatusCode::kBusy:
      return PyExc_TimeoutError;
    case StatusCode::kOk:
    case StatusCode::kInternal:
      break;
  }
  return PyExc_SystemError;
}

/// "Corruption: message [path at byte 4096]" without the code, which the type tells.
std::string message_of(const Status& status) {
  return status.to_string().substr(status_code_name(status.code()).size() + 2);
}

}  // namespace

void register_errors(nb::module_& module) {
  corruption_error = PyErr_NewExceptionWithDoc(
      "npk._npk.CorruptionError", "Bytes on disk are not what a store may hold. An OSError.",
      PyExc_OSError, nullptr);
  if (corruption_error == nullptr) throw nb::python_error();
  module.attr("CorruptionError") = nb::borrow(corruption_error);
}

std::string text_of(nb::handle object) {
  const nb::object text = nb::steal(PyObject_Str(object.ptr()));
  if (!text.is_valid()) throw nb::python_error();
  return nb::cast<std::string>(text);
}

bool is_true(nb::handle object) {
  const int truth = PyObject_IsTrue(object.ptr());
  if (truth < 0) throw nb::python_error();
  return truth != 0;
}

void throw_python(PyObject* type, const std::string& text) {
  PyErr_SetString(type, text.c_str());
  throw nb::python_error();
}

void check(const Status& status, Missing missing) {
  if (status.is_ok()) return;
  PyObject* const type = exception_type(status, missing);
  const std::string text = message_of(status);
  // OSError(errno, text) fills in .errno; with a text alone it stays None.
  if (type == PyExc_OSError && status.error_number() != 0) {
    const nb::tuple arguments = nb::make_tuple(status.error_number(), text.c_str());
    PyErr_SetObject(type, arguments.ptr());
    throw nb::python_error();
  }
  throw_python(type, text);
}

}  // namespace npk::python
