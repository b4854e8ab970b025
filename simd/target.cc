#include "simd/target.h"

#include <algorithm>
#include <atomic>
#include <cctype>
#include <cstdlib>
#include <string>
#include <vector>

#include <hwy/targets.h>
#if HWY_ARCH_X86 && HWY_OS_LINUX
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif
#if HWY_ARCH_ARM_A64 && HWY_OS_LINUX
#include <sys/auxv.h>
#endif

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
    {Target::kSse4, "SSE4", HWY_SSE4},
    {Target::kAvx2, "AVX2", HWY_AVX2},
    {Target::kAvx3, "AVX3", HWY_AVX3},
    {Target::kAvx3Dl, "AVX3_DL", 0},
    {Target::kAmx, "AMX", 0},
    {Target::kNeon, "NEON", HWY_NEON},
    {Target::kSve, "SVE", HWY_SVE},
    {Target::kSve2, "SVE2", HWY_SVE2},
}};

#if HWY_ARCH_X86
bool processor_has_avx3_dl() noexcept {
  return (hwy::SupportedTargets() & HWY_AVX3) != 0 && (HWY_TARGETS & HWY_AVX3) != 0 &&
         __builtin_cpu_supports("avx512vnni") != 0 &&
         __builtin_cpu_supports("avx512vpopcntdq") != 0 &&
         __builtin_cpu_supports("avx512bitalg") != 0 && __builtin_cpu_supports("avx512vbmi") != 0;
}
#else
bool processor_has_avx3_dl() noexcept { return false; }
#endif

#if HWY_ARCH_X86 && HWY_OS_LINUX
/// Linux gives the registers, which are 8 KiB for each thread that uses them, to processes that
/// ask.
bool processor_has_amx() noexcept {
  // Bits of CPUID leaf 7 (Intel SDM, volume 2A): AMX-BF16, AMX-TILE, AMX-INT8; AVX512_BF16.
  constexpr unsigned kTiles = 1u << 22 | 1u << 24 | 1u << 25;
  constexpr unsigned kVectors = 1u << 5;
  constexpr long kAskForState = 0x1023;  // ARCH_REQ_XCOMP_PERM of Linux,
  constexpr long kTileData = 18;         // and its XFEATURE_XTILE_DATA.
  unsigned a = 0, b = 0, c = 0, d = 0;
  return processor_has_avx3_dl() && __get_cpuid_count(7, 0, &a, &b, &c, &d) != 0 &&
         (d & kTiles) == kTiles && __get_cpuid_count(7, 1, &a, &b, &c, &d) != 0 &&
         (a & kVectors) != 0 && syscall(SYS_arch_prctl, kAskForState, kTileData) == 0;
}
#else
bool processor_has_amx() noexcept { return false; }
#endif

#if HWY_ARCH_ARM_A64
/// Not Highway's: it asks for AES too, which our kernels do not use and small processors do not
/// have.
int64_t highway_bits() noexcept {
  int64_t bits = HWY_NEON;  // Every processor of 64 bits has it.
#if HWY_OS_LINUX
  constexpr unsigned long kHwcapSve = 1UL << 22;  // HWCAP_SVE and HWCAP2_SVE2 of Linux's arm64 ABI
  constexpr unsigned long kHwcap2Sve2 = 1UL << 1;
  if ((getauxval(AT_HWCAP) & kHwcapSve) != 0) bits |= HWY_SVE;
  if ((getauxval(AT_HWCAP2) & kHwcap2Sve2) != 0) bits |= HWY_SVE2;
#endif
  return bits;
}
#else
int64_t highway_bits() noexcept { return hwy::SupportedTargets(); }
#endif

bool has(const TargetInfo& info) noexcept {
  if (info.target == Target::kScalar) return true;
  if (info.target == Target::kAvx3Dl) return processor_has_avx3_dl();
  if (info.target == Target::kAmx) return processor_has_amx();
  return (info.highway_bit & HWY_TARGETS & highway_bits()) != 0;
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
      if (has(info)) available.push_back(info.target);
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

bool is_available(Target target) noexcept {
  const std::span<const Target> available = available_targets();
  return std::find(available.begin(), available.end(), target) != available.end();
}

Target target() noexcept { return choice().target.load(std::memory_order_relaxed); }

const Status& target_status() { return choice().status; }

void set_target(Target target) noexcept { choice().target = target; }

}  // namespace npk::simd
