#include "simd/target.h"

#include <atomic>
#include <cctype>
#include <cstdlib>
#include <string>
#include <vector>

#include <hwy/targets.h>

#include "npk/internal/text.h"

namespace npk::simd {
namespace {

using internal::concat;

struct TargetInfo {
  Target target;
  std::string_view name;
  int64_t highway_bit;  // 0: not Highway's.
};

constexpr std::array<TargetInfo, kTargetCount> kTargets = {{
    {Target::kScalar, "SCALAR", 0},
    {Target::kSsse3, "SSSE3", HWY_SSSE3},
    {Target::kSse4, "SSE4", HWY_SSE4},
    {Target::kAvx2, "AVX2", HWY_AVX2},
    {Target::kAvx3, "AVX3", HWY_AVX3},
    {Target::kAvx3Dl, "AVX3_DL", 0},
    {Target::kNeon, "NEON", HWY_NEON},
    {Target::kSve, "SVE", HWY_SVE},
    {Target::kSve2, "SVE2", HWY_SVE2},
}};

#if HWY_ARCH_X86
bool has_avx3_dl() noexcept {
  return (hwy::SupportedTargets() & HWY_AVX3) != 0 && (HWY_TARGETS & HWY_AVX3) != 0 &&
         __builtin_cpu_supports("avx512vnni") != 0 &&
         __builtin_cpu_supports("avx512vpopcntdq") != 0 &&
         __builtin_cpu_supports("avx512bitalg") != 0 && __builtin_cpu_supports("avx512vbmi") != 0;
}
#else
bool has_avx3_dl() noexcept { return false; }
#endif

bool is_available(const TargetInfo& info) noexcept {
  if (info.target == Target::kScalar) return true;
  if (info.target == Target::kAvx3Dl) return has_avx3_dl();
  return (info.highway_bit & HWY_TARGETS & hwy::SupportedTargets()) != 0;
}

bool equals_ignoring_case(std::string_view a, std::string_view b) noexcept {
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); ++i) {
    if (std::toupper(static_cast<unsigned char>(a[i])) != b[i]) return false;
  }
  return true;
}

struct Choice {
  std::vector<Target> available;
  Status status;
  std::atomic<Target> target{Target::kScalar};

  Choice() {
    for (const TargetInfo& info : kTargets) {
      if (is_available(info)) available.push_back(info.target);
    }
    target = available.back();
  }
  [[nodiscard]] Result<Target> find(std::string_view name) const {
    std::string known;
    for (const Target candidate : available) {
      if (equals_ignoring_case(name, target_name(candidate))) return candidate;
      known += concat(known.empty() ? "" : ", ", target_name(candidate));
    }
    return Status::invalid_argument(
        concat("SIMD target '", name, "' is not one that this machine has: ", known));
  }
};

Choice& choice() {
  static Choice* const chosen = [] {
    static Choice instance;
    const char* wanted = std::getenv("NPK_SIMD_TARGET");
    if (wanted != nullptr && *wanted != '\0') {
      Result<Target> found = instance.find(wanted);
      if (found.is_ok()) {
        instance.target = *found;
      } else {
        instance.status = std::move(found).status().with_context("NPK_SIMD_TARGET");
      }
    }
    return &instance;
  }();
  return *chosen;
}

}  // namespace

std::string_view target_name(Target target) noexcept {
  return kTargets[static_cast<size_t>(target)].name;
}

Result<Target> target_from_name(std::string_view name) { return choice().find(name); }

std::span<const Target> available_targets() noexcept { return choice().available; }

Target target() noexcept { return choice().target.load(std::memory_order_relaxed); }

const Status& target_status() { return choice().status; }

void set_target(Target target) noexcept { choice().target = target; }

}  // namespace npk::simd
