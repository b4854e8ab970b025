// Temporaries: what is made under another name beside its place, and renamed to it when it is
// whole. A file, or a directory with a file LOCK; its maker holds a lock on it until then. What a
// killed one left behind nobody holds, and the next maker beside it removes it.
//
// Thread safety: all functions, from any threads and processes at once.
#ifndef NPK_FORMATS_TEMPORARY_H_
#define NPK_FORMATS_TEMPORARY_H_

#include <memory>
#include <string>

#include "io/env.h"
#include "npk/status.h"

namespace npk::formats {

/// A new name in the directory of `target`: ".npk-*.tmp".
std::string temporary_name(const std::string& target);

/// Whether the caller, who has just made the temporary, may go on with it: it is locked now through
/// `file` (itself, or LOCK in it), until that is closed. False: it was taken for one of a killed
/// maker before it was locked; make another. Where files cannot be locked, nobody removes it.
Result<bool> hold_temporary(io::File& file);

/// Removes the temporaries in the directory of `target` that nobody holds. What cannot be removed
/// stays: there is nobody to tell, and the name says what it is.
void clear_temporaries(const std::string& target);

/// Removes a file, or a directory and the files in it, as far as that can be done.
void remove_temporary(const std::string& path);

/// The same error, of `to` where its path begins with `from`: errors are to name what was asked
/// for.
Status as_of(Status status, const std::string& from, const std::string& to);

}  // namespace npk::formats

#endif  // NPK_FORMATS_TEMPORARY_H_
