#include "core/search/row_filter.h"

#include "simd/flush_subnormals.h"

namespace npk::internal {
namespace {

struct Choice {
  simd::FilterFn kernel = nullptr;
  std::optional<Margin> margin;
};

/// Rows and queries of bits, or of int8 and uint8.
Choice choose_of_integers(const RowSource& rows, std::span<const Plan> plans) {
  if (rows.dims() > simd::kMostInt32Dims) return {};
  const simd::IntegerFilterKernels& kernels = simd::integer_filter_kernels(simd::target());
  const KernelFamily family = plans.front().family();
  if (family == KernelFamily::kHamming) return {kernels.hamming, Margin::of_bits(plans)};
  if (family == KernelFamily::kJaccard) return {kernels.of_bits, Margin::of_bits(plans)};
  const bool is_signed = rows.dtype() == DType::kInt8;
  const simd::FilterFn l2sq = is_signed ? kernels.l2sq_of_int8 : kernels.l2sq_of_uint8;
  const bool is_l2 = family == KernelFamily::kL2 || family == KernelFamily::kL2Sq;
  // Differences of bytes of one type have so many bits as they have.
  const bool is_of_one_type = plans.front().query().integers.is_signed == is_signed;
  if (is_l2 && is_of_one_type && l2sq != nullptr) return {l2sq, Margin::of_distances(plans)};
  const auto margin = Margin::of_integers(rows.dims(), plans);
  if (family == KernelFamily::kDot) {
    return {is_signed ? kernels.dot_of_int8 : kernels.dot_of_uint8, margin};
  }
  return {is_signed ? kernels.of_int8 : kernels.of_uint8, margin};
}

}  // namespace

std::optional<RowFilter> RowFilter::create(const RowSource& rows, std::span<const Plan> plans) {
  const bool is_integer =
      is_bit_family(plans.front().family()) || !plans.front().query().narrow.empty();
  const auto& of_floats = simd::filter_kernels(simd::target()).by_type;
  const auto [kernel, margin] = is_integer ? choose_of_integers(rows, plans)
                                           : Choice{of_floats[static_cast<size_t>(rows.row_type())],
                                                    Margin::create(rows.dims(), plans)};
  if (kernel == nullptr || !margin) return {};
  RowFilter filter(*margin);
  filter.kernel_ = kernel;
  filter.dims_ = rows.dims();
  for (const Plan& plan : plans) {
    Query& query = filter.queries_.emplace_back();
    query.prepared = &plan.query();
    if (is_integer) continue;
    query.values.resize(simd::padded_filter_dims(filter.dims_), 0);
    for (size_t j = 0; j < filter.dims_; ++j) {
      query.values[simd::filter_query_place(rows.row_type(), filter.dims_, j)] =
          static_cast<float>(plan.query().wide[j]);
    }
  }
  return filter;
}

void RowFilter::run(size_t query, double bound, const SelectedBlock& block,
                    uint64_t* passing) const {
  constexpr auto kLeast = static_cast<float>(Margin::kLeastLength * Margin::kLeastLength);
  constexpr auto kMost = static_cast<float>(Margin::kMostLength * Margin::kMostLength);
  const auto& [prepared, values] = queries_[query];
  const Margin::Line line = margin_.line(prepared->norm, bound);
  std::optional<simd::FlushSubnormals> flush;
  if (!values.empty()) flush.emplace();
  kernel_(values.empty() ? prepared->data() : values.data(), block.kernel_rows(dims_),
          {line.slope, line.bound, line.half, kLeast, kMost}, passing);
}

}  // namespace npk::internal
