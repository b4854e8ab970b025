// FuzzTarget: a reader of foreign bytes, and how to fuzz it. One row per reader in fuzz_targets.cc.
//
// fuzz_main.cc runs a target under libFuzzer (scripts/fuzz); corpus_test.cc runs all of them on
// what is in corpus/ with any compiler. A target looks at what the library makes of an input, an
// error or an answer, and says what is wrong with it; a crash is what the sanitizers say.
#ifndef NPK_TESTS_FUZZ_FUZZ_TARGET_H_
#define NPK_TESTS_FUZZ_FUZZ_TARGET_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "io/env.h"

namespace npk::testing {

using Input = std::vector<std::byte>;

/// Changes bytes at random: as libFuzzer does, or, in a test, simply.
class ByteMutator {
 public:
  virtual ~ByteMutator() = default;
  /// Any change; the size too, up to `max_bytes`.
  virtual void change(Input& bytes, size_t max_bytes) = 0;
  /// Uniform in [0, bound). Requires: bound > 0.
  virtual uint64_t below(uint64_t bound) = 0;
};

struct FuzzTarget {
  std::string_view name;  ///< Also of its folder in corpus/.
  /// What is wrong with what the library made of the input; empty if nothing is.
  std::string (*run)(io::Bytes input);
  /// Inputs without a fault, made by the library itself.
  std::vector<Input> (*seeds)();
  /// A change that leaves checksums right, so that it gets past them; null if there are none.
  /// The result may be larger than max_bytes by what belongs to the structure.
  void (*mutate)(Input& input, size_t max_bytes, ByteMutator& mutator);
};

/// All of them.
std::span<const FuzzTarget> fuzz_targets();

/// run(), which must not take more memory than 2 x input + 64 MiB.
std::string run_in_bounds(const FuzzTarget& target, io::Bytes input);
/// The most memory that run_in_bounds() has seen so far, less 2 x input.
int64_t peak_memory_bytes();

}  // namespace npk::testing

#endif  // NPK_TESTS_FUZZ_FUZZ_TARGET_H_
