#include "tests/support/tested_targets.h"

#include <cstdio>
#include <cstdlib>
#include <sstream>
#include <string>
#include <vector>

namespace npk::testing {
namespace {

std::vector<simd::Target> chosen_targets() {
  const auto all = simd::available_targets();
  const char* names = std::getenv("NPK_TESTED_TARGETS");
  if (names == nullptr || *names == '\0') return {all.begin(), all.end()};
  std::vector<simd::Target> chosen;
  std::istringstream list(names);
  for (std::string name; std::getline(list, name, ',');) {
    const auto target = simd::target_from_name(name);
    if (!target.is_ok()) {
      std::fprintf(stderr, "NPK_TESTED_TARGETS: %s\n", target.status().to_string().c_str());
      std::exit(1);
    }
    chosen.push_back(*target);
  }
  return chosen;
}

}  // namespace

std::span<const simd::Target> tested_targets() {
  static const std::vector<simd::Target> chosen = chosen_targets();
  return chosen;
}

}  // namespace npk::testing
