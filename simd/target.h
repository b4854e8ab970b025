// Targets: the instruction sets that the kernels of this library were compiled for.
//
// One is in use at a time: the best that the processor has, or the one that NPK_SIMD_TARGET names.
// Every kernel family is a table of plain functions for each target (see NPK_TARGET_TABLES); a
// caller fetches the table once per search. Results do not depend on the target: docs/simd.md.
//
// Thread safety: all functions from any threads; set_target() is for tests and single-threaded.
#ifndef NPK_SIMD_TARGET_H_
#define NPK_SIMD_TARGET_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "npk/status.h"

namespace npk::simd {

/// From the slowest to the fastest of each architecture.
enum class Target : uint8_t {
  kScalar = 0,  // Plain C++: always there, oracle of all others.
  kSse4,
  kAvx2,    // With FMA, BMI2 and F16C: Haswell, Zen.
  kAvx3,    // AVX-512 F, BW, CD, DQ, VL: Skylake-X.
  kAvx3Dl,  // And VNNI, VPOPCNTDQ, BITALG, VBMI: Ice Lake, Zen 4.
  kAmx,     // And AMX tiles of bytes and bfloat16, AVX-512 BF16: Sapphire Rapids.
  kNeon,
  kSve,
  kSve2,
};
inline constexpr size_t kTargetCount = 9;

/// "SCALAR", "SSE4", "AVX2", …
std::string_view target_name(Target target) noexcept;
/// By name, in any case. Errors: InvalidArgument that lists those that this machine has.
Result<Target> target_from_name(std::string_view name);

/// The targets that are compiled in and that this processor can run, slowest first.
std::span<const Target> available_targets() noexcept;
/// Whether `target` is one of them.
bool is_available(Target target) noexcept;
/// The target in use.
Target target() noexcept;
/// OK, or why NPK_SIMD_TARGET could not be followed; target() is then the best one.
const Status& target_status();
/// Forces an available target until the next call.
void set_target(Target target) noexcept;

/// The tables of one kernel family, by target; null where there is none.
template <typename Table>
struct TargetTables {
  std::array<const Table*, kTargetCount> tables{};
  /// The table of `target`, or of the next slower target that has one. The scalar one always does.
  [[nodiscard]] const Table& get(Target target) const noexcept {
    size_t i = static_cast<size_t>(target);
    while (tables[i] == nullptr) --i;
    return *tables[i];
  }
};

}  // namespace npk::simd

#endif  // NPK_SIMD_TARGET_H_
