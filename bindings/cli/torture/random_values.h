// Random element types, shapes and values in every memory layout that a view can have.
//
// Everything follows from the seed alone, so that two processes that hold the same seed make the
// same values.
#ifndef NPK_BINDINGS_CLI_TORTURE_RANDOM_VALUES_H_
#define NPK_BINDINGS_CLI_TORTURE_RANDOM_VALUES_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <random>
#include <vector>

#include "npk/array.h"

namespace npk::testing {

class Random {
 public:
  explicit Random(uint64_t seed) : engine_(seed) {}
  uint64_t next() { return engine_(); }
  /// Uniform in [0, bound). Requires: bound > 0.
  uint64_t below(uint64_t bound) { return engine_() % bound; }
  /// Uniform in [low, high].
  int64_t between(int64_t low, int64_t high) {
    return low + static_cast<int64_t>(below(static_cast<uint64_t>(high - low) + 1));
  }
  bool chance(double probability) {
    return static_cast<double>(engine_() >> 11) * 0x1p-53 < probability;
  }
  template <typename T>
  const T& pick(const std::vector<T>& choices) {
    return choices[below(choices.size())];
  }

 private:
  std::mt19937_64 engine_;
};

/// Values as a caller would hand them over, and the same in C order.
struct Values {
  DType dtype = DType::kUint8;
  Shape shape = {0};
  std::vector<std::byte> bytes;  ///< The elements in C order.

  /// A view of `memory`, where the elements lie in some layout. Shares ownership.
  [[nodiscard]] ArrayView view() const;
  [[nodiscard]] uint64_t rows() const { return shape.empty() ? 1 : shape[0]; }
  [[nodiscard]] uint64_t row_bytes() const;

  std::shared_ptr<std::vector<std::byte>> memory;
  uint64_t first_byte = 0;  ///< Of element (0, 0, …) in `memory`.
  StridesBytes strides;
};

DType random_dtype(Random& random);
/// 0-d to 8-d, now and then 32-d; up to `max_rows` rows, now and then none; small or no width.
Shape random_shape(Random& random, uint64_t max_rows);
/// Random elements, laid out at random: C order, Fortran order, reversed, broadcast, with gaps, at
/// odd addresses.
Values random_values(Random& random, DType dtype, Shape shape);
/// C order.
Values contiguous_values(DType dtype, Shape shape, std::vector<std::byte> bytes);

}  // namespace npk::testing

#endif  // NPK_BINDINGS_CLI_TORTURE_RANDOM_VALUES_H_
