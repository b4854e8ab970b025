// The extension module npk._npk; bindings/python/npk/__init__.py gives its names to the package.
#include <nanobind/nanobind.h>

#include "bindings/python/engines.h"
#include "bindings/python/errors.h"
#include "bindings/python/store.h"
#include "npk/version.h"

NB_MODULE(_npk, module) {
  module.attr("__version__") = std::string(npk::kVersion).c_str();
  npk::python::register_errors(module);
  npk::python::register_store(module);
  npk::python::register_engines(module);
}
