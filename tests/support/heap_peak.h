// HeapPeak: how much memory a piece of code takes, at its worst, through operator new.
//
// Whoever links it gets operators new and delete that count. Thread safety: one HeapPeak at a time.
#ifndef NPK_TESTS_SUPPORT_HEAP_PEAK_H_
#define NPK_TESTS_SUPPORT_HEAP_PEAK_H_

#include <cstdint>

namespace npk::testing {

class HeapPeak {
 public:
  /// From now on.
  HeapPeak();
  /// The most that was taken at once, beyond what was taken when it was made.
  [[nodiscard]] uint64_t bytes() const;

 private:
  int64_t before_;
};

}  // namespace npk::testing

#endif  // NPK_TESTS_SUPPORT_HEAP_PEAK_H_
