#include "core/search/metrics.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <string>

#include "npk/internal/text.h"

namespace npk {
namespace {

using internal::concat;
using internal::KernelFamily;

constexpr std::array<std::string_view, 2> kCosineAliases = {"cos", "cosine_similarity"};
constexpr std::array<std::string_view, 5> kDotAliases = {"dot_product", "dotproduct", "inner",
                                                         "inner_product", "ip"};
constexpr std::array<std::string_view, 2> kL2Aliases = {"euclidean", "l2_distance"};
constexpr std::array<std::string_view, 2> kL2SqAliases = {"l2_squared", "squared_euclidean"};
constexpr std::array<std::string_view, 1> kJaccardAliases = {"tanimoto"};
constexpr std::array<std::string_view, 1> kKlAliases = {"kl_divergence"};
constexpr std::array<std::string_view, 1> kJsAliases = {"js_divergence"};

// Searched in their own kernels, then those that are converted to float64 on the way.
constexpr std::array kNumbers = {DType::kFloat64,  DType::kFloat32, DType::kFloat16,
                                 DType::kBFloat16, DType::kInt8,    DType::kUint8,
                                 DType::kInt16,    DType::kInt32,   DType::kInt64,
                                 DType::kUint16,   DType::kUint32,  DType::kUint64};
constexpr std::array kFloats = {DType::kFloat64, DType::kFloat32, DType::kFloat16,
                                DType::kBFloat16};
constexpr std::array kPackedBits = {DType::kUint8};

constexpr std::array kTable = {
    MetricInfo{Metric::kCosine, "cosine", kCosineAliases, true, kNumbers},
    MetricInfo{Metric::kDot, "dot", kDotAliases, true, kNumbers},
    MetricInfo{Metric::kL2, "l2", kL2Aliases, false, kNumbers},
    MetricInfo{Metric::kL2Sq, "l2sq", kL2SqAliases, false, kNumbers},
    MetricInfo{Metric::kHamming, "hamming", {}, false, kPackedBits},
    MetricInfo{Metric::kJaccard, "jaccard", kJaccardAliases, false, kPackedBits},
    MetricInfo{Metric::kKl, "kl", kKlAliases, false, kFloats},
    MetricInfo{Metric::kJs, "js", kJsAliases, false, kFloats},
};
constexpr std::array kFamilies = {
    KernelFamily::kCosine,  KernelFamily::kDot,     KernelFamily::kL2, KernelFamily::kL2Sq,
    KernelFamily::kHamming, KernelFamily::kJaccard, KernelFamily::kKl, KernelFamily::kJs};
static_assert(kFamilies.size() == kTable.size());

consteval bool table_is_in_order() {
  for (size_t i = 0; i < kTable.size(); ++i) {
    if (static_cast<size_t>(kTable[i].metric) != i) return false;
  }
  return true;
}
static_assert(table_is_in_order(), "metric_info() indexes the table by number");

std::string lower_case(std::string_view text) {
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return lower;
}

bool takes(const MetricInfo& info, DType dtype) {
  return std::find(info.dtypes.begin(), info.dtypes.end(), dtype) != info.dtypes.end();
}

}  // namespace

std::span<const MetricInfo> metric_table() noexcept { return kTable; }

const MetricInfo& metric_info(Metric metric) noexcept {
  return kTable[static_cast<size_t>(metric)];
}

Result<Metric> metric_from_name(std::string_view name) {
  const std::string wanted = lower_case(name);
  for (const MetricInfo& info : kTable) {
    if (info.name == wanted) return info.metric;
    if (std::find(info.aliases.begin(), info.aliases.end(), wanted) != info.aliases.end()) {
      return info.metric;
    }
  }
  std::string known;
  for (const MetricInfo& info : kTable) {
    known += concat(known.empty() ? "" : ", ", info.name);
    for (const std::string_view alias : info.aliases) {
      known += concat(alias == info.aliases.front() ? " (" : ", ", alias);
    }
    if (!info.aliases.empty()) known += ')';
  }
  return Status::invalid_argument(concat("unknown metric '", name, "'; known are ", known));
}

namespace internal {

KernelFamily kernel_family(Metric metric) noexcept {
  return kFamilies[static_cast<size_t>(metric)];
}

Direction direction_of(Metric metric) noexcept {
  return metric_info(metric).larger_is_better ? Direction::kLarger : Direction::kSmaller;
}

Status check_metric_takes(Metric metric, DType dtype) {
  if (static_cast<size_t>(metric) >= kTable.size()) {
    return Status::invalid_argument(
        concat("metric number ", static_cast<unsigned>(metric), " is not known to this version"));
  }
  const MetricInfo& info = metric_info(metric);
  if (takes(info, dtype)) return {};
  std::string types;
  for (const DType known : info.dtypes) {
    types += concat(types.empty() ? "" : ", ", dtype_name(known));
  }
  std::string metrics;
  for (const MetricInfo& other : kTable) {
    if (takes(other, dtype)) metrics += concat(metrics.empty() ? "" : ", ", other.name);
  }
  return Status::invalid_argument(
      concat("metric ", info.name, " takes rows of ", types, ", not of ", dtype_name(dtype),
             metrics.empty() ? std::string("; no metric takes those")
                             : concat("; those can be searched with ", metrics)));
}

}  // namespace internal
}  // namespace npk
