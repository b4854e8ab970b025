// npy files: a file is refused, or all ways to read it give the same elements, and they are as many
// as the file has.
#include <cstring>

#include "formats/format.h"
#include "formats/npy.h"
#include "npk/internal/text.h"
#include "tests/fuzz/fuzzers.h"
#include "tests/support/memory_file.h"

namespace npk::testing {
namespace {

// Rows that are read one by one.
constexpr uint64_t kSingleRows = 64;

std::string check_view(const ArrayView& view, const Array& whole) {
  if (view.shape() != whole.shape() || view.dtype() != whole.dtype())
    return "a view of another shape";
  Input copy(whole.size_bytes());
  if (!copy.empty()) view.copy_rows(0, whole.rows(), copy.data());
  const bool same = copy.empty() || std::memcmp(copy.data(), whole.data(), copy.size()) == 0;
  return same ? "" : "the view shows other elements than read() gives";
}

std::string check_rows(formats::RowReader& reader, const Array& whole) {
  const uint64_t row_bytes = whole.row_bytes();
  Input row(whole.rows() == 0 ? 0 : row_bytes);  // A row that is not there may be of any size.
  for (uint64_t i = 0; i < std::min(whole.rows(), kSingleRows) && row_bytes > 0; ++i) {
    const Status status = reader.read(i, i + 1, row);
    if (!status.is_ok()) return status.to_string();
    if (std::memcmp(row.data(), whole.data() + i * row_bytes, row_bytes) != 0) {
      return internal::concat("row ", i, " alone is another than among all");
    }
  }
  return {};
}

}  // namespace

std::string run_npy(io::Bytes input) {
  const auto reader = formats::open_npy(std::make_unique<MemoryFile>(input), {});
  if (!reader.is_ok()) return {};
  auto whole = Array::uninitialized((*reader)->dtype(), (*reader)->shape());
  if (!whole.is_ok()) return whole.status().to_string();
  if (whole->size_bytes() > input.size()) return "more elements than the file has";
  const Status read =
      (*reader)->read(0, whole->rows(), std::span(whole->mutable_data(), whole->size_bytes()));
  if (!read.is_ok()) return read.to_string();
  std::string wrong = check_rows(**reader, *whole);
  const auto view = (*reader)->view();
  if (!view.is_ok()) return view.status().to_string();
  if (wrong.empty() && *view) wrong = check_view(**view, *whole);
  return wrong;
}

std::vector<Input> npy_seeds() {
  std::vector<Input> seeds;
  const std::vector<Shape> shapes = {{}, {5}, {3, 4}, {2, 3, 2}, {0, 4}, {4, 0}};
  for (size_t i = 0; i < 2 * shapes.size(); ++i) {
    const DType dtype = dtype_table()[i % dtype_table().size()].dtype;
    const Shape& shape = shapes[i % shapes.size()];
    const auto header = formats::encode_npy_header(dtype, shape, i >= shapes.size());
    if (!header.is_ok()) continue;
    const auto text = std::as_bytes(std::span(*header));
    Input seed(text.begin(), text.end());
    const size_t elements_bytes = ArrayView::raw(nullptr, dtype, shape).size_bytes();
    for (size_t k = 0; k < elements_bytes; ++k) seed.push_back(static_cast<std::byte>(k & 1));
    seeds.push_back(std::move(seed));
  }
  return seeds;
}

}  // namespace npk::testing
