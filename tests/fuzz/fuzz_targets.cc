#include <algorithm>
#include <array>

#include "npk/internal/text.h"
#include "tests/fuzz/fuzzers.h"
#include "tests/fuzz/structure_mutators.h"
#include "tests/support/heap_peak.h"

namespace npk::testing {
namespace {

constexpr std::array kTargets = {
    FuzzTarget{"superblock", run_superblock, superblock_seeds, mutate_superblock},
    FuzzTarget{"log", run_log, log_seeds, mutate_log_input},
    FuzzTarget{"sidecar", run_sidecar, sidecar_seeds, mutate_sidecar},
    FuzzTarget{"bitmap", run_bitmap, bitmap_seeds, nullptr},
    FuzzTarget{"changes", run_changes, changes_seeds, mutate_changes},
    FuzzTarget{"before", run_before, before_seeds, mutate_before},
    FuzzTarget{"store", run_store, store_seeds, mutate_store},
    FuzzTarget{"npy", run_npy, npy_seeds, nullptr},
    FuzzTarget{"txt", run_txt, txt_seeds, nullptr},
};

constexpr int64_t kFreeBytes = 64 << 20;
int64_t most_bytes = 0;

}  // namespace

std::span<const FuzzTarget> fuzz_targets() { return kTargets; }

int64_t peak_memory_bytes() { return most_bytes; }

std::string run_in_bounds(const FuzzTarget& target, io::Bytes input) {
  const HeapPeak peak;
  std::string wrong = target.run(input);
  const int64_t beyond_bytes =
      static_cast<int64_t>(peak.bytes()) - 2 * static_cast<int64_t>(input.size());
  most_bytes = std::max(most_bytes, beyond_bytes);
  if (!wrong.empty() || beyond_bytes <= kFreeBytes) return wrong;
  return internal::concat("took ", peak.bytes(), " bytes for an input of ", input.size());
}

}  // namespace npk::testing
