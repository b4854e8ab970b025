#include "core/search/plan.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "npk/internal/text.h"

namespace npk::internal {
namespace {

Status check_query_shape(const RowSource& rows, const ArrayView& query) {
  NPK_RETURN_IF_ERROR(query.check());
  const Shape& shape = query.shape();
  const bool is_vector = shape.size() == 1 || (shape.size() == 2 && shape[0] == 1);
  if (!is_vector) {
    return Status::invalid_argument(concat("a query has the shape (", rows.dims(), ",) or (1, ",
                                           rows.dims(), "), not ", shape_to_string(shape)));
  }
  if (shape.back() != rows.dims()) {
    return Status::invalid_argument(
        concat("the query has ", shape.back(), " dimensions, the rows have ", rows.dims()));
  }
  return {};
}

Status check_query_type(const RowSource& rows, const ArrayView& query, Metric metric) {
  NPK_RETURN_IF_ERROR(check_metric_takes(metric, rows.dtype()));
  const DTypeKind kind = dtype_info(query.dtype()).kind;
  const bool is_number = kind != DTypeKind::kComplex && kind != DTypeKind::kBool;
  if (is_bit_family(kernel_family(metric)) ? query.dtype() == DType::kUint8 : is_number) return {};
  return Status::invalid_argument(concat("a query of ", dtype_name(query.dtype()),
                                         " cannot be compared with rows of ",
                                         dtype_name(rows.dtype()), " by ", metric_info(metric).name,
                                         "; give it as ", dtype_name(rows.dtype())));
}

std::vector<std::byte> packed(const ArrayView& view) {
  std::vector<std::byte> bytes(view.size_bytes());
  if (!bytes.empty()) {
    if (view.dimensions() == 1) {
      view.copy_rows(0, view.rows(), bytes.data());
    } else {
      view.slice_rows(0, 1).copy_rows(0, 1, bytes.data());
    }
  }
  return bytes;
}

bool is_byte(DType dtype) noexcept { return dtype == DType::kInt8 || dtype == DType::kUint8; }

size_t padded_to(size_t count, size_t multiple) {
  return (count / multiple + 1) * multiple;  // Never 0: PreparedQuery::data() tells by it.
}

/// From wide and bytes.
void prepare_integers(DType dtype, size_t dims, PreparedQuery& prepared) {
  const size_t padded = simd::padded_integer_dims(dims);
  prepared.narrow.assign(2 * padded, 0);
  int16_t* const apart = prepared.narrow.data() + padded;
  const bool is_signed = dtype == DType::kInt8;
  if (is_signed) prepared.clipped.assign(padded, 0);
  prepared.integers = {.values = prepared.narrow.data(),
                       .bytes = prepared.bytes.data(),
                       .is_signed = is_signed,
                       .apart = apart,
                       .clipped = prepared.clipped.data()};
  for (size_t j = 0; j < dims; ++j) {
    const auto value = static_cast<int16_t>(prepared.wide[j]);
    prepared.narrow[j] = value;
    apart[simd::integer_query_place(dims, j)] = value;
    prepared.integers.sum += value;
    prepared.integers.norm += int64_t{value} * value;
    if (!is_signed) continue;
    prepared.clipped[j] = static_cast<int8_t>(std::max<int16_t>(value, -127));
    prepared.integers.clipped_count += int64_t{value < -127};
  }
}

uint64_t count_bits(std::span<const std::byte> bytes) {
  uint64_t bits = 0;
  for (const std::byte byte : bytes) {
    bits += static_cast<uint64_t>(std::popcount(std::to_integer<uint8_t>(byte)));
  }
  return bits;
}

PreparedQuery prepare(const ArrayView& query, KernelFamily family, DType row_dtype) {
  PreparedQuery prepared;
  const bool is_narrow = is_byte(query.dtype()) && is_byte(row_dtype);
  const bool needs_copy = is_narrow || is_bit_family(family) || !query.is_contiguous();
  if (needs_copy) prepared.bytes = packed(query);
  if (is_bit_family(family)) {
    prepared.norm = std::sqrt(static_cast<double>(count_bits(prepared.bytes)));
    prepared.bytes.resize(simd::padded_integer_dims(prepared.bytes.size()));
    return prepared;
  }
  const size_t dims = query.element_count();
  prepared.wide.assign(padded_to(dims, simd::kVirtualLanes), 0.0);
  convert_to_float64(query.dtype(), needs_copy ? prepared.bytes.data() : query.data(), dims,
                     prepared.wide.data());
  if (is_narrow) prepare_integers(query.dtype(), dims, prepared);
  // The norm is a row's: the same kernel, the same bits.
  double dot = 0;
  double norm_squared = 0;
  const simd::RowBlock row = {reinterpret_cast<const std::byte*>(prepared.wide.data()), 1, dims};
  simd::scan_kernels(simd::target())
      .by_type[static_cast<size_t>(simd::RowType::kFloat64)]
      .dot_norm(prepared.wide.data(), row, &dot, &norm_squared);
  prepared.norm = std::sqrt(norm_squared);
  return prepared;
}

Status check_finite(const PreparedQuery& query) {
  for (size_t i = 0; i < query.wide.size(); ++i) {
    if (!std::isfinite(query.wide[i])) {
      return Status::invalid_argument(concat("the query holds ",
                                             std::isnan(query.wide[i]) ? "NaN" : "infinity",
                                             " at element ", i, "; nothing is near it"));
    }
  }
  return {};
}

}  // namespace

Result<Plan> Plan::create(const RowSource& rows, const ArrayView& query, Metric metric,
                          Finite finite) {
  NPK_RETURN_IF_ERROR(simd::target_status());
  NPK_RETURN_IF_ERROR(check_query_type(rows, query, metric));
  NPK_RETURN_IF_ERROR(check_query_shape(rows, query));
  Plan plan;
  plan.family_ = kernel_family(metric);
  plan.direction_ = direction_of(metric);
  plan.dims_ = rows.dims();
  plan.query_ = prepare(query, plan.family_, rows.dtype());
  if (finite == Finite::kRequired) NPK_RETURN_IF_ERROR(check_finite(plan.query_));
  plan.choose_kernels(rows);
  return plan;
}

void Plan::choose_kernels(const RowSource& rows) {
  const simd::Target target = simd::target();
  select_ = &simd::select_kernels(target);
  const simd::BitKernels& bits = simd::bit_kernels(target);
  const simd::IntegerKernels& integers = simd::integer_kernels(target);
  const simd::ScanOps& in_float64 =
      simd::scan_kernels(target).by_type[static_cast<size_t>(rows.row_type())];
  const simd::ScanOps& in_integers =
      rows.dtype() == DType::kInt8 ? integers.of_int8 : integers.of_uint8;
  const simd::ScanOps& ops = query_.narrow.empty() ? in_float64 : in_integers;
  switch (family_) {
    case KernelFamily::kCosine:
      scan_ = ops.dot_norm;
      break;
    case KernelFamily::kDot:
      scan_ = ops.dot;
      break;
    case KernelFamily::kL2:
    case KernelFamily::kL2Sq:
      scan_ = ops.l2sq;
      break;
    case KernelFamily::kHamming:
      scan_ = bits.hamming;
      break;
    case KernelFamily::kJaccard:
      scan_ = bits.jaccard;
      break;
    case KernelFamily::kKl:
      scan_ = simd::divergence_kernels(target).kl[static_cast<size_t>(rows.row_type())];
      break;
    case KernelFamily::kJs:
      scan_ = simd::divergence_kernels(target).js[static_cast<size_t>(rows.row_type())];
      break;
  }
}

void Plan::score(const std::byte* rows, size_t count, double* scores, double* scratch) const {
  scan_(query_.data(), simd::rows_in_sequence(rows, count, dims_), scores, scratch);
  finish(count, scores, scratch);
}

double Plan::score_one(const std::byte* row) const {
  double score = 0;
  double scratch = 0;
  scan_(query_.data(), {row, 1, dims_}, &score, &scratch);
  finish(1, &score, &scratch);
  return score;
}

void Plan::score_listed(const std::byte* rows, uint64_t row_bytes, const uint64_t* numbers,
                        size_t count, size_t upcoming, double* scores, double* scratch) const {
  const simd::RowBlock listed = {
      rows, count, row_bytes, {}, numbers, upcoming, simd::scattered_ahead(row_bytes)};
  for (size_t i = 0; i < count;) {
    // Rows that lie together are one block.
    size_t run = 1;
    while (i + run < count && numbers[i + run] == numbers[i] + run) ++run;
    for (size_t r = i; r < i + run; ++r) simd::prefetch_scattered<std::byte>(listed, r);
    scan_(query_.data(), {rows + numbers[i] * row_bytes, run, dims_}, scores + i, scratch + i);
    i += run;
  }
  finish(count, scores, scratch);
}

void Plan::finish(size_t count, double* scores, const double* scratch) const {
  switch (family_) {
    case KernelFamily::kCosine:
      return select_->finish_cosine(scores, scratch, count, query_.norm);
    case KernelFamily::kL2:
      return select_->finish_sqrt(scores, count);
    case KernelFamily::kJaccard:
      return select_->finish_jaccard(scores, scratch, count);
    case KernelFamily::kJs:
      // Rounding may leave a sum of equal vectors just below zero.
      for (size_t i = 0; i < count; ++i) scores[i] = scores[i] < 0 ? 0 : std::sqrt(0.5 * scores[i]);
      return;
    case KernelFamily::kDot:
    case KernelFamily::kL2Sq:
    case KernelFamily::kHamming:
    case KernelFamily::kKl:
      return;
  }
}

}  // namespace npk::internal
