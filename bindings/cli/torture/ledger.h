// Ledger: what a store must hold, by the word of the workers that were killed.
//
// Between two looks at the store at most one stream of operations is open: so many of its first
// operations were acknowledged, and the next one may have happened or not. A look settles which.
#ifndef NPK_BINDINGS_CLI_TORTURE_LEDGER_H_
#define NPK_BINDINGS_CLI_TORTURE_LEDGER_H_

#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "bindings/cli/torture/random_operations.h"
#include "bindings/cli/torture/store_model.h"

namespace npk::testing {

/// What is wrong with a store.
struct Finding {
  uint64_t lost = 0;  ///< Acknowledged operations that are not there.
  uint64_t torn =
      0;  ///< Operations that are there in part, or that the store cannot be read any more.
  std::string text;  ///< Empty if nothing is wrong.
};

/// The largest number of operations of the stream, from `first` to `last`, after which a store that
/// began as `model` holds what this one holds; nothing if there is none. `difference`, if given,
/// receives what differs from the state after `first`.
std::optional<uint64_t> find_state(const ParallelIO& store, Model model,
                                   OperationGenerator operations, uint64_t first, uint64_t last,
                                   std::string* difference = nullptr);

class Ledger {
 public:
  /// model_hash() of the state without and with the operation under way.
  [[nodiscard]] std::array<uint64_t, 2> expected() const;
  /// A worker found one of the expected() states: this is the state from now on.
  void settle(uint64_t hash);
  /// A worker that began from the settled state was killed; `acknowledged` operations of the stream
  /// were. Requires: settled.
  void record(OperationGenerator operations, uint64_t acknowledged);
  /// Compares the store with what it must hold, and settles.
  Finding check(const ParallelIO& store);

  /// The settled state; without the operation under way if check() or settle() are still to come.
  [[nodiscard]] const Model& state() const { return before_; }
  [[nodiscard]] uint64_t acknowledged() const { return acknowledged_; }
  /// Operations under way when their worker was killed, that were there afterwards.
  [[nodiscard]] uint64_t kept() const { return kept_; }
  [[nodiscard]] uint64_t dropped() const { return dropped_; }

 private:
  void take(bool after);
  [[nodiscard]] Finding explain(const ParallelIO& store, const std::string& difference) const;

  Model base_;    ///< Where the open stream began.
  Model before_;  ///< All that was acknowledged.
  Model after_;   ///< And the operation under way, if any.
  OperationGenerator stream_{0, {}};
  uint64_t stream_acknowledged_ = 0;
  bool is_open_ = false;
  uint64_t acknowledged_ = 0;
  uint64_t kept_ = 0;
  uint64_t dropped_ = 0;
};

}  // namespace npk::testing

#endif  // NPK_BINDINGS_CLI_TORTURE_LEDGER_H_
