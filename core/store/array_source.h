// ArraySource: where committed states of arrays come from: the store as it is (StoreCore), or as it
// was when a snapshot was taken (SnapshotState). Thread safety: all methods, from any threads.
#ifndef NPK_CORE_STORE_ARRAY_SOURCE_H_
#define NPK_CORE_STORE_ARRAY_SOURCE_H_

#include <functional>
#include <memory>
#include <string_view>

#include "core/store/array_state.h"
#include "io/env.h"
#include "npk/status.h"

namespace npk::internal {

class ArraySource {
 public:
  virtual ~ArraySource() = default;

  /// The committed state of an array. Errors: NotFound.
  virtual Result<StatePtr> find(std::string_view name) = 0;
  /// All of them, of one moment.
  virtual Result<Catalog> catalog() = 0;
  /// Calls `read` with the rows of `state` where they lie, again if another process replaced some
  /// of them meanwhile. Errors: those of `read`; Corruption; NotFound if the generation is gone.
  using Reader = std::function<Status(const std::shared_ptr<io::Mapping>& rows)>;
  virtual Status read_state(const ArrayState& state, const Reader& read) = 0;
  /// The same for the array's state.
  using ArrayReader =
      std::function<Status(const StatePtr&, const std::shared_ptr<io::Mapping>& rows)>;
  virtual Status read_array(std::string_view name, const ArrayReader& read) = 0;
};

}  // namespace npk::internal

#endif  // NPK_CORE_STORE_ARRAY_SOURCE_H_
