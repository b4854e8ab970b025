#include "core/search/row_filter.h"

#include "simd/flush_subnormals.h"

namespace npk::internal {
namespace {

/// Null: none.
simd::FilterFn integer_kernel(const RowSource& rows, KernelFamily family) {
  if (rows.dims() > simd::kMostInt32Dims) return nullptr;
  const simd::IntegerFilterKernels& kernels = simd::integer_filter_kernels(simd::target());
  const bool is_signed = rows.dtype() == DType::kInt8;
  switch (family) {
    case KernelFamily::kHamming:
      return kernels.hamming;
    case KernelFamily::kJaccard:
      return kernels.of_bits;
    case KernelFamily::kDot:
      return is_signed ? kernels.dot_of_int8 : kernels.dot_of_uint8;
    default:
      return is_signed ? kernels.of_int8 : kernels.of_uint8;
  }
}

std::optional<Margin> margin_of(const RowSource& rows, std::span<const Plan> plans,
                                bool is_integer) {
  if (is_bit_family(plans.front().family())) return Margin::of_bits(plans);
  return is_integer ? Margin::of_integers(rows.dims(), plans) : Margin::create(rows.dims(), plans);
}

}  // namespace

std::optional<RowFilter> RowFilter::create(const RowSource& rows, std::span<const Plan> plans) {
  const KernelFamily family = plans.front().family();
  const bool is_integer = is_bit_family(family) || !plans.front().query().narrow.empty();
  const auto& kernels = simd::filter_kernels(simd::target());
  const simd::FilterFn kernel = is_integer ? integer_kernel(rows, family)
                                           : kernels.by_type[static_cast<size_t>(rows.row_type())];
  const std::optional<Margin> margin = margin_of(rows, plans, is_integer);
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
