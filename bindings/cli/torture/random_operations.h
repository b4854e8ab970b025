// A seeded stream of operations that are valid for a given model.
#ifndef NPK_BINDINGS_CLI_TORTURE_RANDOM_OPERATIONS_H_
#define NPK_BINDINGS_CLI_TORTURE_RANDOM_OPERATIONS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "bindings/cli/torture/store_model.h"

namespace npk::testing {

struct OperationLimits {
  std::vector<std::string> names;       ///< Arrays are called by these.
  uint64_t max_rows = 40;               ///< Of one append or save, mostly.
  uint64_t max_array_bytes = 64 << 10;  ///< Beyond it an array is made anew or loses rows.
  double long_appends = 0.002;          ///< Appends of up to 80,000 bytes' worth of rows.
  double syncs = 0.002;                 ///< Share of checkpoints.
  double resets = 0.0005;
  bool every_kind = false;  ///< Kinds in turn, not at random: twelve operations have them all.
};

/// Names with everything that a file name may not hold, and two long ones with one beginning.
std::vector<std::string> awkward_names();

class OperationGenerator {
 public:
  OperationGenerator(uint64_t seed, OperationLimits limits)
      : random_(seed), limits_(std::move(limits)) {}
  /// Depends on the seed, the calls before, and the model's names, types, shapes: nothing else.
  Operation next(const Model& model);

 private:
  Operation next_kind(const Model& model);
  Operation save(size_t count);
  Operation append(const Model& model, const std::string& name);
  Operation replace(const Model& model, const std::string& name);
  Operation delete_rows(const Model& model, const std::string& name);
  Operation drop(const Model& model);
  Operation clone(const Model& model);
  Operation attributes(const std::string& name);
  Operation batch(const Model& model);
  /// An operation on one array, of a kind that a batch takes too.
  Operation on_one_array(const Model& model);
  const std::string& any_array(const Model& model);

  Random random_;
  OperationLimits limits_;
  uint64_t turn_ = 0;  // Of the kinds.
};

}  // namespace npk::testing

#endif  // NPK_BINDINGS_CLI_TORTURE_RANDOM_OPERATIONS_H_
