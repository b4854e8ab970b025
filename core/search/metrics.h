// What the engine knows of each metric beyond the public table: its kernel family.
// One row of the table in metrics.cc is all that a metric of an existing family needs.
#ifndef NPK_CORE_SEARCH_METRICS_H_
#define NPK_CORE_SEARCH_METRICS_H_

#include <cstdint>

#include "core/search/collect.h"
#include "npk/search.h"

namespace npk::internal {

enum class KernelFamily : uint8_t { kCosine, kDot, kL2, kL2Sq, kHamming, kJaccard, kKl, kJs };

KernelFamily kernel_family(Metric metric) noexcept;
/// Whether it compares packed bits.
constexpr bool is_bit_family(KernelFamily family) noexcept {
  return family == KernelFamily::kHamming || family == KernelFamily::kJaccard;
}
Direction direction_of(Metric metric) noexcept;
/// OK if this version searches rows of `dtype` with `metric`. Errors: InvalidArgument that names
/// the element types the metric takes and the metrics the element type has.
Status check_metric_takes(Metric metric, DType dtype);

}  // namespace npk::internal

#endif  // NPK_CORE_SEARCH_METRICS_H_
