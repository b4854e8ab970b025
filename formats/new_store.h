// make_store: a store that appears under its name with content, or not at all.
//
// 1. An empty store is made beside its place, under a temporary name, filled and closed: a
//    checkpoint, so that everything in it survives a power cut.
// 2. It is renamed to its place, and the directory is synced.
// An error removes it, also one of that sync: it then takes its temporary name again first. A kill
// before 2 leaves it behind, named .npk-*.tmp, for the next make_store() or export beside it to
// remove (temporary.h).
#ifndef NPK_FORMATS_NEW_STORE_H_
#define NPK_FORMATS_NEW_STORE_H_

#include <functional>
#include <string>

#include "npk/status.h"
#include "npk/store.h"

namespace npk::formats {

/// Requires: there is nothing at `path`. Errors: AlreadyExists if there is now; those of opening a
/// store and of `fill`, with the paths of files as they would have been.
Status make_store(const std::string& path, const StoreOptions& options,
                  const std::function<Status(ParallelIO&)>& fill);

}  // namespace npk::formats

#endif  // NPK_FORMATS_NEW_STORE_H_
