// A store as a plain map of byte vectors, and operations that can be carried out on both it and a
// real store. The tests compare the two.
#ifndef NPK_BINDINGS_CLI_TORTURE_STORE_MODEL_H_
#define NPK_BINDINGS_CLI_TORTURE_STORE_MODEL_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "bindings/cli/torture/random_values.h"
#include "npk/store.h"

namespace npk::testing {

struct ModelArray {
  DType dtype = DType::kUint8;
  Shape shape;
  std::vector<std::byte> bytes;  ///< The live rows.
  std::string attributes = "{}";

  [[nodiscard]] uint64_t rows() const { return shape.empty() ? 1 : shape[0]; }
  [[nodiscard]] uint64_t row_bytes() const;
  void append(const Values& values);
  void replace(const Values& values, const std::vector<uint64_t>& rows);
  void delete_rows(const std::vector<uint64_t>& rows);
  /// The rows picked, in that order.
  [[nodiscard]] std::vector<std::byte> gather(const std::vector<uint64_t>& rows) const;
};

using Model = std::map<std::string, ModelArray>;

/// The same for equal models in every process.
uint64_t model_hash(const Model& model);

/// Rows as the caller names them, and the numbers they mean.
struct RowChoice {
  Rows rows = Rows::all();
  std::vector<uint64_t> resolved;
  std::string text = "all";
};

/// Lists with negatives and duplicates, ranges with any step, masks, all rows.
RowChoice random_rows(Random& random, uint64_t row_count);

struct Operation {
  enum class Kind {
    kSave,
    kAppend,
    kReplace,
    kDeleteRows,
    kDropArrays,
    kCompact,
    kClone,
    kAttributes,
    kBatch,
    kSync,
    kReset
  };
  Kind kind = Kind::kSync;
  std::vector<std::string> names;  ///< Arrays concerned; source and target for kClone.
  std::vector<Values> values;      ///< One for each name (kSave), or one.
  RowChoice rows;
  std::string attributes;
  SaveOptions save_options;      ///< kSave.
  std::vector<Operation> parts;  ///< kBatch.
};

std::string to_string(const Operation& operation);
void perform(const Operation& operation, Model& model);
/// Carries it out on the store.
Status perform(const Operation& operation, ParallelIO& store);
/// Adds it to a batch. Requires: it is of a kind that a batch takes.
void add_to(const Operation& operation, WriteBatch& batch);

}  // namespace npk::testing

#endif  // NPK_BINDINGS_CLI_TORTURE_STORE_MODEL_H_
