// RowSource: rows that are made as they are needed, and save_rows, which stores an array of them in
// bounded memory and one commit. What importers use: no file need fit in memory.
//
// Thread safety: from any threads at once; a source is read by one thread, rows in order.
#ifndef NPK_CORE_STORE_ROW_SOURCE_H_
#define NPK_CORE_STORE_ROW_SOURCE_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>

#include "npk/array.h"
#include "npk/status.h"
#include "npk/store.h"

namespace npk::internal {

struct RowSource {
  DType dtype = DType::kFloat32;
  Shape shape;
  /// Fills `out` with rows [begin, end) in C order. Called in order of rows, each row once; its
  /// error ends the save, and nothing has changed. A 0-d array is one row.
  std::function<Status(uint64_t begin, uint64_t end, std::span<std::byte> out)> read;
};

struct SaveRowsOptions {
  /// Replace an array of that name. Without it: AlreadyExists, decided in the same commit.
  bool overwrite = false;
  /// (done_bytes, total_bytes); false cancels with FailedPrecondition.
  std::function<bool(uint64_t, uint64_t)> progress;
  SaveOptions save;
};

/// Errors: those of save_arrays, of the source, AlreadyExists.
Status save_rows(const ParallelIO& store, const std::string& name, const RowSource& source,
                 const SaveRowsOptions& options);

}  // namespace npk::internal

#endif  // NPK_CORE_STORE_ROW_SOURCE_H_
