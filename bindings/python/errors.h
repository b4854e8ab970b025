// A Status becomes a Python exception with the same text.
//
//   InvalidArgument ValueError         FailedPrecondition RuntimeError
//   NotFound        KeyError (arrays), FileNotFoundError (stores)
//   AlreadyExists   FileExistsError    OutOfRange         IndexError
//   Corruption      npk.CorruptionError, an OSError
//   IoError         OSError            ResourceExhausted  OSError, or MemoryError without an errno
//   Unsupported     NotImplementedError
//   Busy            TimeoutError       Internal           SystemError
//
// Thread safety: with the GIL only.
#ifndef NPK_BINDINGS_PYTHON_ERRORS_H_
#define NPK_BINDINGS_PYTHON_ERRORS_H_

#include <string>
#include <utility>

#include <nanobind/nanobind.h>

#include "npk/status.h"

namespace npk::python {

/// Makes npk.CorruptionError. Called once, when the module is imported.
void register_errors(nanobind::module_& module);

/// What a NotFound is about decides its exception.
enum class Missing : uint8_t { kArray, kStore };

/// Throws unless `status` is OK.
void check(const Status& status, Missing missing = Missing::kArray);

/// The value, or throws why there is none.
template <typename T>
T value(Result<T> result, Missing missing = Missing::kArray) {
  check(result.status(), missing);
  return *std::move(result);
}

/// str(object) and bool(object).
std::string text_of(nanobind::handle object);
bool is_true(nanobind::handle object);

[[noreturn]] void throw_python(PyObject* type, const std::string& text);

/// Runs `work` without the GIL: other Python threads go on meanwhile.
template <typename Work>
auto unlocked(Work&& work) {
  const nanobind::gil_scoped_release released;
  return work();
}

}  // namespace npk::python

#endif  // NPK_BINDINGS_PYTHON_ERRORS_H_
