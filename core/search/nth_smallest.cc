#include "core/search/nth_smallest.h"

#include <algorithm>
#include <bit>

namespace npk::internal {
namespace {

/// Moves the values for which `is_first` to the front and tells how many they are.
template <typename Predicate>
size_t partition(std::span<double> values, Predicate is_first) {
  size_t count = 0;
  for (double& value : values) {
    const double moved = value;
    value = values[count];
    values[count] = moved;
    count += size_t{is_first(moved)};
  }
  return count;
}

double middle_of(double a, double b, double c) {
  return std::max(std::min(a, b), std::min(std::max(a, b), c));
}

/// The middle of three middles.
double pivot_of(std::span<const double> values) {
  const size_t step = values.size() / 9;
  const double* v = values.data();
  return middle_of(middle_of(v[0], v[step], v[2 * step]),
                   middle_of(v[3 * step], v[4 * step], v[5 * step]),
                   middle_of(v[6 * step], v[7 * step], v[8 * step]));
}

}  // namespace

double nth_smallest(std::span<double> values, size_t n) {
  constexpr size_t kFew = 32;
  // Pivots that are always bad would make it quadratic.
  size_t rounds_left = 4 * static_cast<size_t>(std::bit_width(values.size()));
  while (values.size() > kFew && rounds_left-- > 0) {
    const double pivot = pivot_of(values);
    const size_t below = partition(values, [pivot](double value) { return value < pivot; });
    if (n < below) {
      values = values.first(below);
      continue;
    }
    values = values.subspan(below);
    n -= below;
    const size_t equal = partition(values, [pivot](double value) { return value <= pivot; });
    if (n < equal) return pivot;
    values = values.subspan(equal);
    n -= equal;
  }
  const auto nth = values.begin() + static_cast<ptrdiff_t>(n);
  std::nth_element(values.begin(), nth, values.end());
  return *nth;
}

}  // namespace npk::internal
