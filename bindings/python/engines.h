// npk.VectorEngine and npk.StreamingVectorEngine.
#ifndef NPK_BINDINGS_PYTHON_ENGINES_H_
#define NPK_BINDINGS_PYTHON_ENGINES_H_

#include <nanobind/nanobind.h>

namespace npk::python {

/// Adds both engines, and what the module tells of metrics and targets.
void register_engines(nanobind::module_& module);

}  // namespace npk::python

#endif  // NPK_BINDINGS_PYTHON_ENGINES_H_
