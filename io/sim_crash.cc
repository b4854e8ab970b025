#include "io/sim_crash.h"

#include <algorithm>

#include "io/sim_random.h"
#include "npk/internal/text.h"

namespace npk::io {
namespace {

using Part = Fate::Part;

constexpr std::string_view kNames[kCrashPolicyCount] = {"none",
                                                        "all",
                                                        "drop one",
                                                        "keep one",
                                                        "torn",
                                                        "size before data",
                                                        "names before data",
                                                        "data before names",
                                                        "random subset"};

constexpr Fate kLost{Part::kLost, false, 0};
constexpr Fate kKept{Part::kKept, true, 0};
constexpr Fate kOnlySize{Part::kLost, true, 0};

/// Index of the n-th change that `counts`; the number of changes if there are fewer.
template <typename Counts>
size_t nth(std::span<const SimChange> changes, uint64_t n, const Counts& counts) {
  for (size_t i = 0; i < changes.size(); ++i) {
    if (counts(changes[i]) && n-- == 0) return i;
  }
  return changes.size();
}

constexpr auto kIsTearable = [](const SimChange& change) { return change.is_tearable(); };
constexpr auto kGrows = [](const SimChange& change) { return change.grows(); };

void tear_one(const PowerCut& cut, std::span<const SimChange> changes, std::vector<Fate>& fates) {
  SimChance chance(cut.seed);
  const size_t torn = nth(changes, cut.variant, kIsTearable);
  const bool others_all = chance.one_in(2);
  for (size_t i = 0; i < fates.size(); ++i) fates[i] = i < torn || others_all ? kKept : kLost;
  if (torn < fates.size()) fates[torn] = {Part::kTorn, !chance.one_in(4), chance.draw()};
}

void delay_data(const PowerCut& cut, std::span<const SimChange> changes, std::vector<Fate>& fates) {
  // Variant 0 is about all that grow, the others about one each.
  const size_t one = cut.variant == 0 ? changes.size() : nth(changes, cut.variant - 1, kGrows);
  for (size_t i = 0; i < fates.size(); ++i) {
    const bool delayed = changes[i].grows() && (cut.variant == 0 || i == one);
    fates[i] = delayed ? kOnlySize : kKept;
  }
}

void draw_subset(const PowerCut& cut, std::span<const SimChange> changes,
                 std::vector<Fate>& fates) {
  SimChance chance(cut.seed);
  // Few lost, half, or few kept: a fair coin alone hardly ever shows the first and the last.
  constexpr uint64_t kLostOfEight[] = {1, 4, 7};
  const uint64_t lost_of_eight = kLostOfEight[chance.draw() % 3];
  for (size_t i = 0; i < fates.size(); ++i) {
    fates[i] = chance.draw() % 8 < lost_of_eight ? kLost : kKept;
    if (changes[i].grows() && chance.one_in(3)) fates[i].size = !fates[i].size;
    if (changes[i].is_tearable() && chance.one_in(4)) {
      fates[i] = {Part::kTorn, chance.one_in(2), chance.draw()};
    }
  }
}

}  // namespace

std::string_view crash_policy_name(CrashPolicy policy) noexcept {
  return kNames[static_cast<size_t>(policy)];
}

std::string PowerCut::describe() const {
  return internal::concat(crash_policy_name(policy), ", variant ", variant, ", seed ", seed);
}

uint64_t variant_count(CrashPolicy policy, std::span<const SimChange> changes) {
  const auto count_if = [&](const auto& counts) {
    return static_cast<uint64_t>(std::count_if(changes.begin(), changes.end(), counts));
  };
  const uint64_t names = count_if([](const SimChange& change) { return change.is_name(); });
  switch (policy) {
    case CrashPolicy::kNone:
      return 1;
    case CrashPolicy::kAll:
      return changes.empty() ? 0 : 1;
    case CrashPolicy::kDropOne:
    case CrashPolicy::kKeepOne:
      return changes.size() < 2 ? 0 : changes.size();
    case CrashPolicy::kTorn:
      return count_if(kIsTearable);
    case CrashPolicy::kSizeBeforeData: {
      const uint64_t growing = count_if(kGrows);
      return growing < 2 ? growing : growing + 1;
    }
    case CrashPolicy::kNamesBeforeData:
    case CrashPolicy::kDataBeforeNames:
      return names > 0 && names < changes.size() ? 1 : 0;
    case CrashPolicy::kRandomSubset:
      return changes.empty() ? 0 : 1;
  }
  return 0;
}

std::vector<Fate> choose_fates(const PowerCut& cut, std::span<const SimChange> changes) {
  std::vector<Fate> fates(changes.size(), cut.policy == CrashPolicy::kAll ? kKept : kLost);
  switch (cut.policy) {
    case CrashPolicy::kNone:
    case CrashPolicy::kAll:
      break;
    case CrashPolicy::kDropOne:
      for (size_t i = 0; i < fates.size(); ++i) fates[i] = i == cut.variant ? kLost : kKept;
      break;
    case CrashPolicy::kKeepOne:
      for (size_t i = 0; i < fates.size(); ++i) fates[i] = i == cut.variant ? kKept : kLost;
      break;
    case CrashPolicy::kTorn:
      tear_one(cut, changes, fates);
      break;
    case CrashPolicy::kSizeBeforeData:
      delay_data(cut, changes, fates);
      break;
    case CrashPolicy::kNamesBeforeData:
      for (size_t i = 0; i < fates.size(); ++i) fates[i] = changes[i].is_name() ? kKept : kLost;
      break;
    case CrashPolicy::kDataBeforeNames:
      for (size_t i = 0; i < fates.size(); ++i) fates[i] = changes[i].is_name() ? kLost : kKept;
      break;
    case CrashPolicy::kRandomSubset:
      draw_subset(cut, changes, fates);
      break;
  }
  return fates;
}

std::vector<PowerCut> all_power_cuts(std::span<const SimChange> changes, uint64_t random_subsets,
                                     std::mt19937_64& random) {
  std::vector<PowerCut> cuts;
  for (size_t p = 0; p < kCrashPolicyCount; ++p) {
    const auto policy = static_cast<CrashPolicy>(p);
    uint64_t count = variant_count(policy, changes);
    if (policy == CrashPolicy::kRandomSubset) count *= random_subsets;
    for (uint64_t variant = 0; variant < count; ++variant) {
      cuts.push_back({policy, variant, random()});
    }
  }
  return cuts;
}

}  // namespace npk::io
