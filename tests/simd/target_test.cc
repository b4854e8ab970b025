#include "simd/target.h"

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <set>
#include <sstream>

#include "simd/panel.h"
#include "simd/scan.h"
#include "tests/support/support.h"

#if defined(__x86_64__)
#include <sys/syscall.h>
#include <unistd.h>
#endif
#if defined(__aarch64__)
#include <sys/auxv.h>

#include <asm/hwcap.h>
#endif

namespace npk::simd {
namespace {

#if defined(__x86_64__)
std::set<std::string> processor_flags() {
  std::ifstream cpuinfo("/proc/cpuinfo");
  std::string line;
  while (std::getline(cpuinfo, line)) {
    if (line.rfind("flags", 0) == 0) break;
  }
  std::istringstream words(line);
  std::set<std::string> flags;
  for (std::string word; words >> word;) flags.insert(word);
  return flags;
}

/// Whether the kernel lets this process use AMX; some sandboxes do not.
bool may_use_tiles() {
  constexpr long kAskForState = 0x1023;  // ARCH_REQ_XCOMP_PERM of Linux,
  constexpr long kTileData = 18;         // and its XFEATURE_XTILE_DATA.
  return ::syscall(SYS_arch_prctl, kAskForState, kTileData) == 0;
}

std::set<Target> targets_of_this_processor() {
  const std::set<std::string> flags = processor_flags();
  const auto has = [&](std::initializer_list<const char*> wanted) {
    return std::all_of(wanted.begin(), wanted.end(),
                       [&](const char* flag) { return flags.count(flag) != 0; });
  };
  std::set<Target> expected = {Target::kScalar};
  if (has({"sse4_1", "sse4_2", "pclmulqdq", "aes"})) expected.insert(Target::kSse4);
  if (has({"avx2", "fma", "bmi1", "bmi2", "f16c"})) expected.insert(Target::kAvx2);
  if (has({"avx2", "fma", "avx512f", "avx512vl", "avx512dq", "avx512bw", "avx512cd"})) {
    expected.insert(Target::kAvx3);
    if (has({"avx512_vnni", "avx512_vpopcntdq", "avx512_bitalg", "avx512vbmi"})) {
      expected.insert(Target::kAvx3Dl);
      if (has({"amx_tile", "amx_int8", "amx_bf16", "avx512_bf16"}) && may_use_tiles()) {
        expected.insert(Target::kAmx);
      }
    }
  }
  return expected;
}
#elif defined(__aarch64__)
std::set<Target> targets_of_this_processor() {
  std::set<Target> expected = {Target::kScalar, Target::kNeon};
#if !defined(__clang__)  // With Clang, Highway 1.0.3 compiles only what every processor has.
  if ((getauxval(AT_HWCAP) & HWCAP_SVE) != 0) expected.insert(Target::kSve);
  if ((getauxval(AT_HWCAP2) & HWCAP2_SVE2) != 0) expected.insert(Target::kSve2);
#endif
  return expected;
}
#else
std::set<Target> targets_of_this_processor() { return {Target::kScalar}; }
#endif

// The kernel's list of features, not Highway's, says what should be there.
TEST(Targets, EveryTargetOfThisProcessorIsAvailable) {
  const auto available = available_targets();
  for (const Target target : available) {
    EXPECT_TRUE(is_available(target));
    std::printf("target %s with vectors of %zu bits\n", std::string(target_name(target)).c_str(),
                panel_kernels(target).vector_queries * sizeof(float) * 8);
  }
  EXPECT_EQ(std::set<Target>(available.begin(), available.end()), targets_of_this_processor());
  NPK_EXPECT_OK(target_status());
}

TEST(Targets, NamesGoBothWaysInAnyCase) {
  for (const Target target : available_targets()) {
    std::string name(target_name(target));
    NPK_ASSERT_OK_AND_ASSIGN(const Target upper, target_from_name(name));
    EXPECT_EQ(upper, target);
    for (char& c : name) c = static_cast<char>(std::tolower(c));
    NPK_ASSERT_OK_AND_ASSIGN(const Target lower, target_from_name(name));
    EXPECT_EQ(lower, target);
  }
}

TEST(Targets, AWrongNameListsThoseThatThereAre) {
  NPK_EXPECT_ERROR(target_from_name("avx9"), kInvalidArgument, "'avx9'");
  NPK_EXPECT_ERROR(target_from_name("avx9"), kInvalidArgument, "SCALAR");
  for (const Target target : available_targets()) {
    NPK_EXPECT_ERROR(target_from_name(""), kInvalidArgument, std::string(target_name(target)));
  }
}

TEST(Targets, EachVectorTargetHasScanKernelsOfItsOwn) {
  std::set<const ScanKernels*> tables;
  std::set<const SelectKernels*> selections;
  for (const Target target : available_targets()) {
    if (target == Target::kAvx3Dl || target == Target::kAmx) continue;  // They share those of AVX3.
    EXPECT_TRUE(tables.insert(&scan_kernels(target)).second) << target_name(target);
    EXPECT_TRUE(selections.insert(&select_kernels(target)).second) << target_name(target);
  }
  EXPECT_EQ(&scan_kernels(Target::kScalar), &scalar_scan_kernels());
}

TEST(Targets, EachTargetHasBitKernelsOfItsOwn) {
  std::set<const BitKernels*> tables;
  for (const Target target : available_targets()) {
    if (target == Target::kAmx) continue;  // Shares those of AVX3_DL.
    EXPECT_TRUE(tables.insert(&bit_kernels(target)).second) << target_name(target);
  }
}

}  // namespace
}  // namespace npk::simd
