#include "npk/array.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <sys/mman.h>

#include "npk/internal/text.h"

namespace npk {
namespace {

// From this size on, memory comes page-aligned and on huge pages: filling fresh 4 KiB pages costs
// 5.8 times as much (docs/benchmarks.md).
constexpr uint64_t kHugeBytes = 2u << 20;

uint64_t product(std::span<const uint64_t> extents) {
  uint64_t count = 1;
  for (const uint64_t extent : extents) count *= extent;
  return count;
}

/// Copies one sub-array of any strides to C order. Returns the end of what it wrote.
std::byte* copy_strided(const std::byte* from, std::span<const uint64_t> shape,
                        std::span<const int64_t> strides, size_t item_bytes, std::byte* out) {
  if (shape.empty()) {
    std::memcpy(out, from, item_bytes);
    return out + item_bytes;
  }
  for (uint64_t i = 0; i < shape[0]; ++i) {
    out = copy_strided(from + static_cast<int64_t>(i) * strides[0], shape.subspan(1),
                       strides.subspan(1), item_bytes, out);
  }
  return out;
}

StridesBytes c_strides(std::span<const uint64_t> shape, size_t item_bytes) {
  StridesBytes strides(shape.size());
  auto stride = static_cast<int64_t>(item_bytes);
  for (size_t axis = shape.size(); axis-- > 0;) {
    strides[axis] = stride;
    stride *= static_cast<int64_t>(shape[axis]);
  }
  return strides;
}

}  // namespace

std::string shape_to_string(std::span<const uint64_t> shape) {
  std::string text = "(";
  for (size_t i = 0; i < shape.size(); ++i) {
    text += internal::concat(i == 0 ? "" : ", ", shape[i]);
  }
  return text + (shape.size() == 1 ? ",)" : ")");
}

Result<uint64_t> shape_element_count(std::span<const uint64_t> shape) {
  if (shape.size() > kMaxDimensions) {
    return Status::invalid_argument(internal::concat("an array of ", shape.size(),
                                                     " dimensions was given; at most ",
                                                     kMaxDimensions, " are possible"));
  }
  // Zero extents must not hide an overflow: each other extent is kept in bounds too.
  uint64_t count = 1;
  bool is_empty = false;
  for (const uint64_t extent : shape) {
    if (extent == 0) {
      is_empty = true;
    } else if (__builtin_mul_overflow(count, extent, &count) || count > (uint64_t{1} << 59)) {
      return Status::invalid_argument(internal::concat("shape ", shape_to_string(shape),
                                                       " has more elements than can be addressed"));
    }
  }
  return is_empty ? 0 : count;
}

ArrayView::ArrayView() : shape_{0} {}

ArrayView::ArrayView(const void* data, uint64_t available_bytes, DType dtype, Shape shape)
    : data_(static_cast<const std::byte*>(data)),
      available_bytes_(available_bytes),
      dtype_(dtype),
      shape_(std::move(shape)) {}

ArrayView ArrayView::raw(const void* data, DType dtype, Shape shape,
                         std::shared_ptr<const void> pin) {
  ArrayView view(data, UINT64_MAX, dtype, std::move(shape));
  view.pin_ = std::move(pin);
  return view;
}

ArrayView ArrayView::strided(const void* data, DType dtype, Shape shape, StridesBytes strides,
                             std::shared_ptr<const void> pin) {
  ArrayView view = raw(data, dtype, std::move(shape), std::move(pin));
  // C order is recognised, so that it takes the fast paths; axes of extent 1 have no say.
  const StridesBytes contiguous = c_strides(view.shape_, dtype_item_bytes(dtype));
  bool is_contiguous = strides.size() == view.shape_.size();
  for (size_t axis = 0; is_contiguous && axis < strides.size(); ++axis) {
    is_contiguous = view.shape_[axis] <= 1 || strides[axis] == contiguous[axis];
  }
  if (is_contiguous) return view;
  if (strides.size() != view.shape_.size()) {
    view.strides_.resize(view.shape_.size() + 1);  // No strides would mean C order: for check().
  } else if (product(view.shape_) != 0) {
    view.strides_ = std::move(strides);
  }
  return view;
}

StridesBytes ArrayView::strides_bytes() const {
  return is_contiguous() ? c_strides(shape_, dtype_item_bytes(dtype_)) : strides_;
}

uint64_t ArrayView::row_bytes() const noexcept {
  const std::span<const uint64_t> extents(shape_);
  return product(extents.empty() ? extents : extents.subspan(1)) * dtype_item_bytes(dtype_);
}

uint64_t ArrayView::element_count() const noexcept { return product(shape_); }

ArrayView ArrayView::slice_rows(uint64_t begin, uint64_t end) const {
  ArrayView view = *this;
  view.shape_[0] = end - begin;
  const int64_t stride = strides_.empty() ? static_cast<int64_t>(row_bytes()) : strides_[0];
  if (data_ != nullptr) view.data_ = data_ + static_cast<int64_t>(begin) * stride;
  if (available_bytes_ != UINT64_MAX) {  // Contiguous, and of known size.
    const uint64_t skipped_bytes = begin * row_bytes();
    view.available_bytes_ = available_bytes_ - std::min(available_bytes_, skipped_bytes);
  }
  return view;
}

void ArrayView::copy_rows(uint64_t begin, uint64_t end, std::byte* out) const {
  const uint64_t bytes = row_bytes();
  if (begin >= end || bytes == 0) return;
  if (is_contiguous()) {
    std::memcpy(out, data_ + begin * bytes, (end - begin) * bytes);
    return;
  }
  const std::span<const uint64_t> extents(shape_);
  const std::span<const int64_t> strides(strides_);
  for (uint64_t row = begin; row < end; ++row) {
    out = copy_strided(data_ + static_cast<int64_t>(row) * strides[0], extents.subspan(1),
                       strides.subspan(1), dtype_item_bytes(dtype_), out);
  }
}

Status ArrayView::check() const {
  NPK_ASSIGN_OR_RETURN(const uint64_t count, shape_element_count(shape_));
  if (!strides_.empty() && strides_.size() != shape_.size()) {
    return Status::invalid_argument(internal::concat(
        "a view of ", shape_.size(), " dimensions was given strides of another number"));
  }
  const uint64_t needed_bytes = count * dtype_item_bytes(dtype_);
  if (needed_bytes > available_bytes_) {
    return Status::invalid_argument(
        internal::concat("shape ", shape_to_string(shape_), " of ", dtype_name(dtype_), " needs ",
                         needed_bytes, " bytes, but the data given has ", available_bytes_));
  }
  if (data_ == nullptr && count > 0) {
    return Status::invalid_argument("a view of a null pointer was given");
  }
  return {};
}

Result<Array> Array::uninitialized(DType dtype, Shape shape) {
  NPK_ASSIGN_OR_RETURN(const uint64_t count, shape_element_count(shape));
  const uint64_t bytes = count * dtype_item_bytes(dtype);
  Array array;
  array.dtype_ = dtype;
  array.shape_ = std::move(shape);
  array.element_count_ = count;
  const uint64_t alignment = bytes >= kHugeBytes ? kHugeBytes : 64;
  const uint64_t rounded = (bytes + alignment - 1) / alignment * alignment;
  void* memory = std::aligned_alloc(alignment, rounded == 0 ? alignment : rounded);
  if (memory == nullptr) {
    return Status::resource_exhausted(internal::concat(
        "no memory for an array of ", bytes, " bytes, shape ", shape_to_string(array.shape_)));
  }
  if (bytes >= kHugeBytes) ::madvise(memory, rounded, MADV_HUGEPAGE);  // A hint: may be refused.
  array.buffer_ = std::shared_ptr<std::byte>(static_cast<std::byte*>(memory), std::free);
  return array;
}

Result<Array> Array::zeros(DType dtype, Shape shape) {
  NPK_ASSIGN_OR_RETURN(Array array, uninitialized(dtype, std::move(shape)));
  std::memset(array.mutable_data(), 0, array.size_bytes());
  return array;
}

Result<Array> Array::copy_of(const ArrayView& view) {
  NPK_RETURN_IF_ERROR(view.check());
  NPK_ASSIGN_OR_RETURN(Array array, uninitialized(view.dtype(), view.shape()));
  if (view.dimensions() == 0) {
    std::memcpy(array.mutable_data(), view.data(), array.size_bytes());
  } else {
    view.copy_rows(0, view.rows(), array.mutable_data());
  }
  return array;
}

ArrayView Array::view() const { return ArrayView::raw(buffer_.get(), dtype_, shape_, buffer_); }

uint64_t Array::view_row_bytes() const noexcept {
  const std::span<const uint64_t> extents(shape_);
  return product(extents.empty() ? extents : extents.subspan(1)) * dtype_item_bytes(dtype_);
}

}  // namespace npk
