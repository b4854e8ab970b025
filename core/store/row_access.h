// with_rows: how the layers above (search, formats) read an array where it lies.
//
// Thread safety: from any threads at once.
#ifndef NPK_CORE_STORE_ROW_ACCESS_H_
#define NPK_CORE_STORE_ROW_ACCESS_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>

#include "core/store/deleted_rows.h"
#include "io/env.h"
#include "npk/array.h"
#include "npk/status.h"
#include "npk/store.h"

namespace npk::internal {

/// One committed state of an array. `pin` keeps rows and deleted valid.
struct PinnedRows {
  DType dtype = DType::kFloat32;
  Shape shape;                      // Logical.
  const std::byte* rows = nullptr;  // Physical row i at rows + i * row_bytes.
  uint64_t physical_rows = 0;
  uint64_t row_bytes = 0;
  std::shared_ptr<const DeletedRows> deleted;  // Never null.
  std::shared_ptr<const io::Mapping> pin;      // `rows` is its beginning.
  /// The same rows for reads of the file; null if they are not all in it. Valid during the call.
  const io::File* file = nullptr;
};

/// Calls `read` with the committed state of array `name`. No replace is applied by this process
/// while it runs; if another process applied one, `read` is called again, at last with writers kept
/// out, so what it saw when this returns OK is one committed state. `read` must therefore start
/// afresh each time and publish nothing before this returns.
Status with_rows(const StoreReader& store, std::string_view name,
                 const std::function<Status(const PinnedRows&)>& read);

}  // namespace npk::internal

#endif  // NPK_CORE_STORE_ROW_ACCESS_H_
