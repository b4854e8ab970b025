// ArrayView and Array: an N-dimensional array that is looked at, and one that is owned.
//
// A view is a pointer, an element type, a shape and strides, and whatever keeps the memory alive: a
// view of the caller's own memory is valid as long as that memory; a view that came from a store
// pins its generation, and nothing that npk does to the store unmaps or truncates what it shows.
//
// Thread safety: views and arrays are values; const access from many threads is safe.
#ifndef NPK_ARRAY_H_
#define NPK_ARRAY_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "npk/dtype.h"
#include "npk/status.h"

namespace npk {

/// Extents, outermost first; {} is a 0-d array of one element. Axis 0 counts the rows.
using Shape = std::vector<uint64_t>;
/// Distance in bytes between neighbours along each axis; may be zero or negative.
using StridesBytes = std::vector<int64_t>;

inline constexpr size_t kMaxDimensions = 32;

/// "(1000, 128)", as NumPy writes it.
std::string shape_to_string(std::span<const uint64_t> shape);
/// Product of the extents, 1 for a 0-d shape. Errors: InvalidArgument if it overflows 2^63 elements
/// or there are more than kMaxDimensions axes.
Result<uint64_t> shape_element_count(std::span<const uint64_t> shape);

class ArrayView {
 public:
  /// An empty float32 array of shape (0,).
  ArrayView();

  /// C-contiguous elements. Requires: data holds as many elements as the shape says; an
  /// inconsistent pair gives a view whose check() fails, and every npk call refuses it.
  template <typename T>
  static ArrayView of(std::span<T> data, Shape shape) {
    return ArrayView(data.data(), data.size_bytes(), dtype_of<std::remove_const_t<T>>(),
                     std::move(shape));
  }
  /// `data`: a contiguous container of elements (vector, array, span).
  template <typename Container>
  requires requires(const Container& c) { std::span(c); }
  static ArrayView of(const Container& data, Shape shape) {
    return of(std::span<const typename Container::value_type>(data), std::move(shape));
  }
  /// Requires: at least product(shape) readable elements at data.
  template <typename T>
  requires std::is_object_v<T>
  static ArrayView of(const T* data, Shape shape) {
    return raw(data, dtype_of<T>(), std::move(shape));
  }
  /// C-contiguous bytes of any element type. `pin` keeps the memory alive.
  static ArrayView raw(const void* data, DType dtype, Shape shape,
                       std::shared_ptr<const void> pin = nullptr);
  /// Any strides: transposed, reversed, broadcast, Fortran order.
  static ArrayView strided(const void* data, DType dtype, Shape shape, StridesBytes strides,
                           std::shared_ptr<const void> pin = nullptr);

  [[nodiscard]] DType dtype() const noexcept { return dtype_; }
  [[nodiscard]] const Shape& shape() const noexcept { return shape_; }
  /// Strides of every axis, computed where the view is C-contiguous.
  [[nodiscard]] StridesBytes strides_bytes() const;
  [[nodiscard]] size_t dimensions() const noexcept { return shape_.size(); }
  /// Extent of axis 0; 1 for a 0-d array.
  [[nodiscard]] uint64_t rows() const noexcept { return shape_.empty() ? 1 : shape_[0]; }
  /// Bytes of one row in C order.
  [[nodiscard]] uint64_t row_bytes() const noexcept;
  [[nodiscard]] uint64_t element_count() const noexcept;
  [[nodiscard]] uint64_t size_bytes() const noexcept {
    return element_count() * dtype_item_bytes(dtype_);
  }
  [[nodiscard]] bool is_contiguous() const noexcept { return strides_.empty(); }
  [[nodiscard]] const std::byte* data() const noexcept { return data_; }
  /// What keeps the memory alive; null if the caller does.
  [[nodiscard]] const std::shared_ptr<const void>& pin() const noexcept { return pin_; }

  /// The elements, in C order. Requires: is_contiguous() and T is the element type (else empty).
  template <typename T>
  [[nodiscard]] std::span<const T> as() const noexcept {
    if (dtype_ != dtype_of<T>() || !is_contiguous()) return {};
    return {reinterpret_cast<const T*>(data_), element_count()};
  }
  /// Rows [begin, end), sharing memory and pin. Requires: begin <= end <= rows(), dimensions() > 0.
  [[nodiscard]] ArrayView slice_rows(uint64_t begin, uint64_t end) const;
  /// Writes rows [begin, end) in C order. Requires: out holds (end - begin) * row_bytes() bytes.
  void copy_rows(uint64_t begin, uint64_t end, std::byte* out) const;

  /// OK, or why no call can take this view (too many axes, overflow, too little data, null).
  [[nodiscard]] Status check() const;

 private:
  ArrayView(const void* data, uint64_t available_bytes, DType dtype, Shape shape);

  const std::byte* data_ = nullptr;
  uint64_t available_bytes_ = UINT64_MAX;
  DType dtype_ = DType::kFloat32;
  Shape shape_;
  StridesBytes strides_;  // Empty: C-contiguous.
  std::shared_ptr<const void> pin_;
};

/// An owned, C-contiguous, writable array. Copies of an Array share nothing; moves are cheap.
class Array {
 public:
  Array() = default;
  /// Elements are not initialised. Errors: InvalidArgument (shape), ResourceExhausted (memory).
  static Result<Array> uninitialized(DType dtype, Shape shape);
  static Result<Array> zeros(DType dtype, Shape shape);
  /// A C-contiguous copy of any view.
  static Result<Array> copy_of(const ArrayView& view);

  Array(Array&&) noexcept = default;
  Array& operator=(Array&&) noexcept = default;
  Array(const Array&) = delete;
  Array& operator=(const Array&) = delete;

  [[nodiscard]] DType dtype() const noexcept { return dtype_; }
  [[nodiscard]] const Shape& shape() const noexcept { return shape_; }
  [[nodiscard]] size_t dimensions() const noexcept { return shape_.size(); }
  [[nodiscard]] uint64_t rows() const noexcept { return shape_.empty() ? 1 : shape_[0]; }
  [[nodiscard]] uint64_t row_bytes() const noexcept { return view_row_bytes(); }
  [[nodiscard]] uint64_t element_count() const noexcept { return element_count_; }
  [[nodiscard]] uint64_t size_bytes() const noexcept {
    return element_count_ * dtype_item_bytes(dtype_);
  }
  [[nodiscard]] const std::byte* data() const noexcept { return buffer_.get(); }
  [[nodiscard]] std::byte* mutable_data() noexcept { return buffer_.get(); }
  template <typename T>
  [[nodiscard]] std::span<const T> as() const noexcept {
    if (dtype_ != dtype_of<T>()) return {};
    return {reinterpret_cast<const T*>(buffer_.get()), element_count_};
  }
  template <typename T>
  [[nodiscard]] std::span<T> mutable_as() noexcept {
    if (dtype_ != dtype_of<T>()) return {};
    return {reinterpret_cast<T*>(buffer_.get()), element_count_};
  }
  /// A view that shares ownership of the elements: valid for as long as it lives.
  [[nodiscard]] ArrayView view() const;
  operator ArrayView() const { return view(); }  // NOLINT(google-explicit-constructor)

 private:
  [[nodiscard]] uint64_t view_row_bytes() const noexcept;

  DType dtype_ = DType::kFloat32;
  Shape shape_ = {0};
  uint64_t element_count_ = 0;
  std::shared_ptr<std::byte> buffer_;
};

}  // namespace npk

#endif  // NPK_ARRAY_H_
