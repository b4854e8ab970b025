// What a WriteBatch holds: its operations, in order.
#ifndef NPK_CORE_STORE_WRITE_BATCH_H_
#define NPK_CORE_STORE_WRITE_BATCH_H_

#include <string>
#include <vector>

#include "npk/store.h"

namespace npk {

struct WriteBatch::Operations {
  enum class Kind : uint8_t { kSave, kAppend, kReplace, kDropRows, kDropArray, kSetAttributes };
  struct Operation {
    Kind kind;
    std::string name;
    ArrayView values;
    Rows rows = Rows::all();
    std::string attributes;
    SaveOptions save_options;
  };
  std::vector<Operation> list;
};

}  // namespace npk

#endif  // NPK_CORE_STORE_WRITE_BATCH_H_
