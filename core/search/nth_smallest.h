// nth_smallest: selection without branches that depend on the values.
//
// Half of the comparisons of a selection go either way, and a processor that guesses wrong loses
// more time than it takes to move a value: std::nth_element needs ten times as long for the few
// thousand numbers of a collector (measured).
#ifndef NPK_CORE_SEARCH_NTH_SMALLEST_H_
#define NPK_CORE_SEARCH_NTH_SMALLEST_H_

#include <cstddef>
#include <span>

namespace npk::internal {

/// The n-th smallest of the values, from 0. Their order is lost.
/// Requires: n < values.size(); none is NaN. Complexity: O(values.size()).
double nth_smallest(std::span<double> values, size_t n);

}  // namespace npk::internal

#endif  // NPK_CORE_SEARCH_NTH_SMALLEST_H_
