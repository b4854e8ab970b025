#include "tests/support/child_process.h"

#include <cstdio>
#include <cstdlib>
#include <unistd.h>

namespace npk::testing {

int run_forked(const std::function<int()>& body) {
  std::fflush(nullptr);
  const pid_t pid = ::fork();
  if (pid < 0) {
    std::perror("fork");
    std::abort();
  }
  if (pid == 0) std::_Exit(body());
  return wait_for(pid);
}

uint64_t env_number(const char* name, uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

}  // namespace npk::testing
