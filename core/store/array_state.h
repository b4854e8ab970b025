// ArrayState: one committed state of one array, and Catalog: of all arrays.
//
// States are immutable and shared: a reader keeps the one it began with. Only commits, the
// refresher and recovery make new ones (fold.h).
#ifndef NPK_CORE_STORE_ARRAY_STATE_H_
#define NPK_CORE_STORE_ARRAY_STATE_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "core/store/deleted_rows.h"
#include "core/store/row_sums.h"
#include "core/store/rows_file.h"
#include "npk/dtype.h"
#include "npk/store.h"

namespace npk::internal {

struct ArrayState {
  std::string name;
  std::string stem;  ///< Of its files' names.
  uint64_t id = 0;   ///< Number of the record that created it; never used again.
  DType dtype = DType::kFloat32;
  Shape row_shape;         ///< The shape without axis 0.
  bool is_scalar = false;  ///< 0-d: one row and no axis 0.
  uint64_t rows = 0;       ///< Physical.
  uint64_t generation = 0;
  int64_t created_us = 0;
  int64_t modified_us = 0;
  std::string attributes = "{}";
  uint64_t last_record = 0;  ///< Newest record folded in.
  std::shared_ptr<const DeletedRows> deleted = std::make_shared<DeletedRows>();
  std::shared_ptr<const RowSums> sums;  ///< Of all its rows; null: the array has no checksums.
  std::shared_ptr<RowsFile> file;

  [[nodiscard]] uint64_t row_bytes() const {
    uint64_t bytes = dtype_item_bytes(dtype);
    for (const uint64_t extent : row_shape) bytes *= extent;
    return bytes;
  }
  [[nodiscard]] uint64_t live_rows() const { return rows - deleted->count(); }
  [[nodiscard]] uint64_t size_bytes() const { return rows * row_bytes(); }
  /// Logical shape of `row_count` rows.
  [[nodiscard]] Shape shape_of(uint64_t row_count) const {
    if (is_scalar) return {};
    Shape shape{row_count};
    shape.insert(shape.end(), row_shape.begin(), row_shape.end());
    return shape;
  }
};

using StatePtr = std::shared_ptr<const ArrayState>;

/// Arrays by name, in byte order.
using Catalog = std::map<std::string, StatePtr, std::less<>>;

/// NotFound that says which array, and some of those there are.
Status array_not_found(std::string_view name, const Catalog& catalog);

}  // namespace npk::internal

#endif  // NPK_CORE_STORE_ARRAY_STATE_H_
