// Which states of a disk a power cut is tried with: policies, and how many variants each has for
// given changes. A PowerCut is three numbers, so that a failing state can be written down and made
// again.
#ifndef NPK_IO_SIM_CRASH_H_
#define NPK_IO_SIM_CRASH_H_

#include <cstdint>
#include <random>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "io/sim_tree.h"

namespace npk::io {

enum class CrashPolicy : uint8_t {
  kNone,             ///< Only what was synced is left.
  kAll,              ///< Every change arrived.
  kDropOne,          ///< All but one.
  kKeepOne,          ///< One alone.
  kTorn,             ///< One write in part, with all others or only those before it.
  kSizeBeforeData,   ///< Files grew, but what they grew by is zeros: for all writes, or for one.
  kNamesBeforeData,  ///< Changes of names arrived, those of files did not.
  kDataBeforeNames,  ///< The other way round.
  kRandomSubset,     ///< Anything that the rules allow.
};
inline constexpr size_t kCrashPolicyCount = 9;

/// "drop one", "size before data", …
std::string_view crash_policy_name(CrashPolicy policy) noexcept;

struct PowerCut {
  CrashPolicy policy = CrashPolicy::kNone;
  uint64_t variant = 0;  ///< Which change, for policies that are about one.
  uint64_t seed = 0;     ///< Of what is left to chance.
  /// "drop one, variant 3, seed 17"
  [[nodiscard]] std::string describe() const;
};

/// How many different states a policy has for these changes; 0 if it says nothing new about them.
/// kRandomSubset has as many as one likes, and says 1 where there is a choice.
uint64_t variant_count(CrashPolicy policy, std::span<const SimChange> changes);
/// The fate of each change.
std::vector<Fate> choose_fates(const PowerCut& cut, std::span<const SimChange> changes);
/// Every policy with every variant, and random subsets; seeds are drawn from `random`.
std::vector<PowerCut> all_power_cuts(std::span<const SimChange> changes, uint64_t random_subsets,
                                     std::mt19937_64& random);

}  // namespace npk::io

#endif  // NPK_IO_SIM_CRASH_H_
