// The SIMD targets that tests walk.
#ifndef NPK_TESTS_SUPPORT_TESTED_TARGETS_H_
#define NPK_TESTS_SUPPORT_TESTED_TARGETS_H_

#include <span>

#include "simd/target.h"

namespace npk::testing {

/// Those that this processor can run; if NPK_TESTED_TARGETS is set only what it names, separated by
/// commas: an emulated processor need not repeat what real ones test. A name of what there is not
/// ends the program.
std::span<const simd::Target> tested_targets();

}  // namespace npk::testing

#endif  // NPK_TESTS_SUPPORT_TESTED_TARGETS_H_
