// FlushSubnormals: for its lifetime this thread takes subnormal floats for zero.
//
// Intel's processors need a hundred cycles and more for an operation on one (measured: 40 times the
// time for bfloat16 rows of any bits). Only around calls of kernels that reject: margins allow for
// it (docs/simd.md), canonical scores do not. Around a call through a pointer, because a compiler
// may move arithmetic past the change. Elsewhere subnormals cost nothing, and this does nothing:
// the change itself waits for all arithmetic under way, and reading with it (measured on Zen 4: a
// block of 256 rows of 128 bytes took 5 % longer).
#ifndef NPK_SIMD_FLUSH_SUBNORMALS_H_
#define NPK_SIMD_FLUSH_SUBNORMALS_H_

#if defined(__SSE2__)
#include <xmmintrin.h>
#endif

namespace npk::simd {

class FlushSubnormals {
 public:
#if defined(__SSE2__)
  FlushSubnormals() noexcept {
    if (!are_slow()) return;
    constexpr unsigned kResultsAndOperands = 0x8040;  // FTZ and DAZ.
    before_ = _mm_getcsr();
    _mm_setcsr(before_ | kResultsAndOperands);
  }
  ~FlushSubnormals() {
    if (are_slow()) _mm_setcsr(before_);
  }
#else
  FlushSubnormals() noexcept {}
  ~FlushSubnormals() {}
#endif
  FlushSubnormals(const FlushSubnormals&) = delete;
  FlushSubnormals& operator=(const FlushSubnormals&) = delete;

#if defined(__SSE2__)
 private:
  static bool are_slow() noexcept {
    static const bool slow = __builtin_cpu_is("amd") == 0;
    return slow;
  }
  unsigned before_ = 0;
#endif
};

}  // namespace npk::simd

#endif  // NPK_SIMD_FLUSH_SUBNORMALS_H_
