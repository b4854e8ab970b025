// Importing files into a store and exporting arrays from it.
//
// The format of a file is that of its extension:
//   .npy  NumPy, versions 1–3, C and Fortran order, either byte order; written byte for byte as
//         NumPy writes it.
//   .txt  One line of text a row, as uint8 rows of the longest line's width, filled up with zeros:
//         labels. Written without the zeros.
//
// Thread safety: free functions; a file may be read by many at once. A file that another program
// changes while it is read gives an error or a mixture, one that it truncates may end the process
// (SIGBUS) where this is said.
#ifndef NPK_CONVERT_H_
#define NPK_CONVERT_H_

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "npk/array.h"
#include "npk/status.h"
#include "npk/store.h"

namespace npk {

/// (done_bytes, total_bytes); returns false to cancel, after which nothing has changed and the call
/// answers FailedPrecondition.
using Progress = std::function<bool(uint64_t, uint64_t)>;

struct ImportOptions {
  /// Replace an array of that name. Without it: AlreadyExists.
  bool overwrite = false;
  Progress progress;
  SaveOptions save = {};
};

struct ExportOptions {
  /// Replace the target file. Without it: AlreadyExists.
  bool overwrite = false;
  Progress progress;
};

/// Reads `file` into array `name`, in bounded memory and one commit, whatever its order.
/// Errors: NotFound, AlreadyExists, Corruption (says the byte), Unsupported (element type),
/// InvalidArgument (extension, text), IoError. A Fortran-ordered file must not be truncated
/// meanwhile (SIGBUS).
Status import_file(const std::string& file, ParallelIO& store, const std::string& name,
                   const ImportOptions& options = {});

struct StoreLocation {
  std::string path;
  StoreOptions options = {};
};
/// As above, into the store there, which is given back. One that is missing is made under a
/// temporary name beside `path` and renamed when the array is in it: after an error there is none.
Result<ParallelIO> import_file(const std::string& file, const StoreLocation& location,
                               const std::string& name, const ImportOptions& options = {});

/// Writes the live rows of array `name` to `file` through a temporary file and a rename: after an
/// error nothing half-written stays. In bounded memory, and of one committed state, that at the
/// moment of the call (a snapshot of it is kept meanwhile) or the one that a Snapshot shows.
Status export_file(const ParallelIO& store, const std::string& name, const std::string& file,
                   const ExportOptions& options = {});
Status export_file(const Snapshot& snapshot, const std::string& name, const std::string& file,
                   const ExportOptions& options = {});

struct FileInfo {
  DType dtype = DType::kFloat32;
  Shape shape;
};
/// What import_file would make of `file`, without reading more than it must. Errors: as
/// import_file.
Result<FileInfo> inspect_file(const std::string& file);

struct OpenFileOptions {
  /// .txt: width of a row in bytes; longer lines are refused. 0: that of the longest line.
  uint64_t text_width_bytes = 0;
};
/// The array in `file`, for appends and replaces: an npy file in the machine's byte order where it
/// lies (mapped; it must not be truncated while the view lives), anything else as a copy in memory.
Result<ArrayView> open_file(const std::string& file, const OpenFileOptions& options = {});

/// Reads a whole npy file into memory (queries, rows to append), whatever its extension.
Result<Array> read_npy(const std::string& file);
/// Writes an npy file as np.save does, in Fortran order where the view is.
Status write_npy(const std::string& file, const ArrayView& values, bool overwrite = false);

/// The extensions that are known: ".npy", ".txt".
std::vector<std::string_view> file_extensions();

}  // namespace npk

#endif  // NPK_CONVERT_H_
