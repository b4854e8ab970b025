// npk.Store: a ParallelIO for Python. Its methods are thin: arguments are translated, the call runs
// without the GIL, and a Status that is not OK is raised.
#ifndef NPK_BINDINGS_PYTHON_STORE_H_
#define NPK_BINDINGS_PYTHON_STORE_H_

#include <string>

#include <nanobind/nanobind.h>

#include "npk/store.h"

namespace npk::python {

/// Thread safety: that of ParallelIO.
struct Store {
  ParallelIO io;
};

/// Thread safety: that of npk::Snapshot, but for close().
struct Snapshot {
  npk::Snapshot io;
};

/// A path: str, bytes or os.PathLike.
std::string path_from(nanobind::handle path);

/// Adds Store, Snapshot, Batch, RowStream, RowChanges and ArrayMetadata.
void register_store(nanobind::module_& module);

}  // namespace npk::python

#endif  // NPK_BINDINGS_PYTHON_STORE_H_
