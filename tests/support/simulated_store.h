// What tests of stores on the simulated disk have in common: where the store is, and how it is
// opened.
#ifndef NPK_TESTS_SUPPORT_SIMULATED_STORE_H_
#define NPK_TESTS_SUPPORT_SIMULATED_STORE_H_

#include "core/store/store_handle.h"
#include "io/sim_env.h"
#include "npk/store.h"

namespace npk::testing {

inline constexpr const char* kSimulatedStore = "/s.npk";

/// A log that is soon full, so that short workloads meet checkpoints, and no long wait for locks,
/// because nobody else is there to let go of them.
inline StoreOptions simulated_options(Durability durability) {
  StoreOptions options;
  options.durability = durability;
  options.lock_timeout_ms = 20;
  options.log_bytes = 64u << 10;
  return options;
}

}  // namespace npk::testing

#endif  // NPK_TESTS_SUPPORT_SIMULATED_STORE_H_
