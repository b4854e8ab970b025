// A Python function as npk's progress callback.
#ifndef NPK_BINDINGS_PYTHON_PROGRESS_H_
#define NPK_BINDINGS_PYTHON_PROGRESS_H_

#include <cstdint>
#include <exception>
#include <functional>
#include <utility>

#include <nanobind/nanobind.h>

#include "bindings/python/errors.h"

namespace npk::python {

/// Calls function(done, total) with the GIL, from whatever thread npk reports. False cancels; None,
/// which a function without return gives, goes on. What the function raises cancels too, and is
/// raised again by rethrow(). Must live as long as the call it is handed to.
class Progress {
 public:
  explicit Progress(nanobind::object function) : function_(std::move(function)) {}
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// Empty if the Python function is None.
  std::function<bool(uint64_t, uint64_t)> callback() {
    if (function_.is_none()) return {};
    return [this](uint64_t done, uint64_t total) { return report(done, total); };
  }
  /// After the call, with the GIL.
  void rethrow() const {
    if (raised_ != nullptr) std::rethrow_exception(raised_);
  }

 private:
  bool report(uint64_t done, uint64_t total) {
    const nanobind::gil_scoped_acquire held;
    try {
      const nanobind::object answer = function_(done, total);
      return answer.is_none() || is_true(answer);
    } catch (...) {
      raised_ = std::current_exception();
      return false;
    }
  }

  nanobind::object function_;
  std::exception_ptr raised_;
};

}  // namespace npk::python

#endif  // NPK_BINDINGS_PYTHON_PROGRESS_H_
