// A kernel that refuses a system call, as those of containers do.
#ifndef NPK_TESTS_SUPPORT_FORBID_SYSTEM_CALL_H_
#define NPK_TESTS_SUPPORT_FORBID_SYSTEM_CALL_H_

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <iterator>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>

namespace npk::testing {

/// From now on the call fails with EPERM in this thread and those that it starts. There is no way
/// back: for the children of death tests.
inline void forbid_system_call(uint32_t number) {
  sock_filter code[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | 1 /* EPERM */),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog program = {std::size(code), code};
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
      ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0) {
    std::abort();
  }
}

}  // namespace npk::testing

#endif  // NPK_TESTS_SUPPORT_FORBID_SYSTEM_CALL_H_
