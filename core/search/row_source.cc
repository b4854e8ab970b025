#include "core/search/row_source.h"

#include <cstring>
#include <optional>
#include <type_traits>

#include "npk/internal/text.h"

namespace npk::internal {
namespace {

std::optional<simd::RowType> kernel_row_type(DType dtype) noexcept {
  switch (dtype) {
    case DType::kFloat64:
      return simd::RowType::kFloat64;
    case DType::kFloat32:
      return simd::RowType::kFloat32;
    case DType::kFloat16:
      return simd::RowType::kFloat16;
    case DType::kBFloat16:
      return simd::RowType::kBFloat16;
    case DType::kInt8:
      return simd::RowType::kInt8;
    case DType::kUint8:
      return simd::RowType::kUint8;
    default:
      return std::nullopt;
  }
}

template <typename T>
void convert(const std::byte* from, size_t count, double* to) {
  for (size_t i = 0; i < count; ++i, from += sizeof(T)) {
    T value;
    std::memcpy(&value, from, sizeof(T));
    if constexpr (std::is_arithmetic_v<T>) {
      to[i] = static_cast<double>(value);
    } else {
      to[i] = static_cast<double>(static_cast<float>(value));
    }
  }
}

}  // namespace

void convert_to_float64(DType dtype, const std::byte* from, size_t count, double* to) {
  switch (dtype) {
    case DType::kBool:
    case DType::kUint8:
      return convert<uint8_t>(from, count, to);
    case DType::kUint16:
      return convert<uint16_t>(from, count, to);
    case DType::kUint32:
      return convert<uint32_t>(from, count, to);
    case DType::kUint64:
      return convert<uint64_t>(from, count, to);
    case DType::kInt8:
      return convert<int8_t>(from, count, to);
    case DType::kInt16:
      return convert<int16_t>(from, count, to);
    case DType::kInt32:
      return convert<int32_t>(from, count, to);
    case DType::kInt64:
      return convert<int64_t>(from, count, to);
    case DType::kFloat16:
      return convert<Float16>(from, count, to);
    case DType::kBFloat16:
      return convert<BFloat16>(from, count, to);
    case DType::kFloat32:
      return convert<float>(from, count, to);
    case DType::kFloat64:
      return convert<double>(from, count, to);
    case DType::kComplex64:
    case DType::kComplex128:
      return;
  }
}

Result<RowSource> RowSource::create(const ArrayView& rows, const RowSelection* selection) {
  NPK_RETURN_IF_ERROR(rows.check());
  if (rows.dimensions() != 2) {
    return Status::invalid_argument(concat("rows of shape (rows, dimensions) can be searched, not ",
                                           shape_to_string(rows.shape())));
  }
  RowSource source(rows);
  source.row_bytes_ = rows.row_bytes();
  source.selection_ = selection;
  const auto row_type = kernel_row_type(rows.dtype());
  source.is_converted_ = !row_type.has_value();
  source.row_type_ = row_type.value_or(simd::RowType::kFloat64);
  return source;
}

RowSource RowSource::moved(const std::byte* rows, uint64_t first) const {
  // Row 0 would lie where nothing need be; only rows from `first` on are asked for.
  const uintptr_t begin = reinterpret_cast<uintptr_t>(rows) - first * row_bytes_;
  RowSource source = *this;
  source.view_ = ArrayView::raw(reinterpret_cast<const std::byte*>(begin), dtype(), view_.shape());
  return source;
}

RowSource RowSource::selecting(const RowSelection* selection) const {
  RowSource source = *this;
  source.selection_ = selection;
  source.file_ = {};
  return source;
}

const std::byte* RowSource::block(uint64_t begin, uint64_t end,
                                  std::vector<std::byte>& buffer) const {
  if (view_.is_contiguous() && !is_converted_) return view_.data() + begin * row_bytes_;
  const uint64_t elements = (end - begin) * dims();
  const uint64_t raw_bytes = (end - begin) * row_bytes_;
  const uint64_t wide_bytes = is_converted_ ? elements * sizeof(double) : 0;
  if (buffer.size() < raw_bytes + wide_bytes) buffer.resize(raw_bytes + wide_bytes);
  const std::byte* raw = view_.data() + begin * row_bytes_;
  if (!view_.is_contiguous()) {
    view_.copy_rows(begin, end, buffer.data() + wide_bytes);
    raw = buffer.data() + wide_bytes;
  }
  if (!is_converted_) return raw;
  convert_to_float64(dtype(), raw, elements, reinterpret_cast<double*>(buffer.data()));
  return buffer.data();
}

const std::byte* RowSource::gather(std::span<const uint64_t> rows,
                                   std::vector<std::byte>& buffer) const {
  const uint64_t bytes = block_row_bytes();
  // The last part is for one row on its way.
  const uint64_t packed_bytes = rows.size() * bytes;
  if (buffer.size() < packed_bytes + row_bytes_) buffer.resize(packed_bytes + row_bytes_);
  for (size_t i = 0; i < rows.size(); ++i) {
    std::byte* to = buffer.data() + i * bytes;
    const std::byte* from = address(rows[i]);
    if (from == nullptr) {
      std::byte* copy = is_converted_ ? buffer.data() + packed_bytes : to;
      view_.copy_rows(rows[i], rows[i] + 1, copy);
      from = copy;
    }
    if (is_converted_) {
      convert_to_float64(dtype(), from, dims(), reinterpret_cast<double*>(to));
    } else if (from != to && bytes != 0) {
      std::memcpy(to, from, bytes);
    }
  }
  return buffer.data();
}

}  // namespace npk::internal
