#include "bindings/cli/torture/random_values.h"

#include <algorithm>
#include <cstring>
#include <numeric>

namespace npk::testing {
namespace {

uint64_t product(const Shape& shape, size_t first_axis) {
  uint64_t count = 1;
  for (size_t axis = first_axis; axis < shape.size(); ++axis) count *= shape[axis];
  return count;
}

void fill_random(Random& random, DType dtype, std::vector<std::byte>& bytes) {
  for (size_t i = 0; i < bytes.size(); i += 8) {
    const uint64_t word = random.next();
    std::memcpy(&bytes[i], &word, std::min<size_t>(8, bytes.size() - i));
  }
  if (dtype == DType::kBool) {
    for (std::byte& byte : bytes) byte &= std::byte{1};
  }
}

/// Strides for a random layout; returns the bytes it spans. Sets where element (0, …) lies.
uint64_t random_layout(Random& random, const Shape& shape, uint64_t item_bytes,
                       StridesBytes& strides, uint64_t& first_byte) {
  std::vector<size_t> order(shape.size());  // Axes from the innermost in memory to the outermost.
  std::iota(order.rbegin(), order.rend(), size_t{0});
  if (random.chance(0.3)) std::reverse(order.begin(), order.end());
  if (random.chance(0.2)) {
    for (size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[random.below(i)]);
  }
  strides.assign(shape.size(), 0);
  uint64_t span_bytes = item_bytes;
  for (const size_t axis : order) {
    if (random.chance(0.1)) continue;  // Broadcast: stride 0.
    const uint64_t step_bytes = span_bytes * (random.chance(0.15) ? 2 : 1);
    strides[axis] = static_cast<int64_t>(step_bytes);
    span_bytes = step_bytes * std::max<uint64_t>(1, shape[axis]);
    if (shape[axis] > 0 && random.chance(0.2)) {
      strides[axis] = -strides[axis];
      first_byte += (shape[axis] - 1) * step_bytes;
    }
  }
  return span_bytes;
}

/// Independent of ArrayView::copy_rows, which it checks.
std::vector<std::byte> gather(const std::vector<std::byte>& memory, const Shape& shape,
                              const StridesBytes& strides, uint64_t first_byte,
                              uint64_t item_bytes) {
  const uint64_t count = product(shape, 0);
  std::vector<std::byte> bytes(count * item_bytes);
  for (uint64_t element = 0; element < count; ++element) {
    uint64_t rest = element;
    auto at = static_cast<int64_t>(first_byte);
    for (size_t axis = shape.size(); axis-- > 0;) {
      at += static_cast<int64_t>(rest % shape[axis]) * strides[axis];
      rest /= shape[axis];
    }
    std::memcpy(&bytes[element * item_bytes], &memory[static_cast<size_t>(at)], item_bytes);
  }
  return bytes;
}

}  // namespace

ArrayView Values::view() const {
  const void* data = memory->empty() ? nullptr : memory->data() + first_byte;
  if (strides.empty()) return ArrayView::raw(data, dtype, shape, memory);
  return ArrayView::strided(data, dtype, shape, strides, memory);
}

uint64_t Values::row_bytes() const {
  return product(shape, shape.empty() ? 0 : 1) * dtype_item_bytes(dtype);
}

DType random_dtype(Random& random) {
  return dtype_table()[random.below(dtype_table().size())].dtype;
}

Shape random_shape(Random& random, uint64_t max_rows) {
  if (random.chance(0.04)) return {};
  const uint64_t rows = random.chance(0.05) ? 0 : 1 + random.below(max_rows);
  if (random.chance(0.3)) return {rows};
  const bool is_deep = random.chance(0.03);
  Shape shape(is_deep ? 32 : 2 + random.below(random.chance(0.3) ? 7 : 2), 1);
  shape[0] = rows;
  uint64_t width = 1;
  for (size_t axis = 1; axis < shape.size(); ++axis) {
    shape[axis] = is_deep && !random.chance(0.1) ? 1 : 1 + random.below(5);
    if (width * shape[axis] > 64) shape[axis] = 1;
    width *= shape[axis];
  }
  if (random.chance(0.04)) shape[1 + random.below(shape.size() - 1)] = 0;
  return shape;
}

Values random_values(Random& random, DType dtype, Shape shape) {
  Values values;
  values.dtype = dtype;
  values.shape = std::move(shape);
  const uint64_t item_bytes = dtype_item_bytes(dtype);
  values.memory = std::make_shared<std::vector<std::byte>>();
  if (product(values.shape, 0) == 0) return values;
  if (random.chance(0.5)) {
    values.memory->resize(product(values.shape, 0) * item_bytes);
    fill_random(random, dtype, *values.memory);
    values.bytes = *values.memory;
    return values;
  }
  values.first_byte = random.chance(0.2) ? 1 : 0;  // An odd address.
  const uint64_t offset_bytes = values.first_byte;
  const uint64_t span_bytes =
      random_layout(random, values.shape, item_bytes, values.strides, values.first_byte);
  values.memory->resize(offset_bytes + span_bytes);
  fill_random(random, dtype, *values.memory);
  values.bytes =
      gather(*values.memory, values.shape, values.strides, values.first_byte, item_bytes);
  return values;
}

Values contiguous_values(DType dtype, Shape shape, std::vector<std::byte> bytes) {
  Values values;
  values.dtype = dtype;
  values.shape = std::move(shape);
  values.bytes = bytes;
  values.memory = std::make_shared<std::vector<std::byte>>(std::move(bytes));
  return values;
}

}  // namespace npk::testing
