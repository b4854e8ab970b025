// RowSource: the rows a search goes through, wherever they lie, and RowSelection: which of them.
//
// Deleted rows and `where` are the same thing here: rows that are not selected. Row numbers inside
// the engine are physical; logical ones are made for the rows that are returned.
//
// Thread safety: const methods from any threads at once.
#ifndef NPK_CORE_SEARCH_ROW_SOURCE_H_
#define NPK_CORE_SEARCH_ROW_SOURCE_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "io/env.h"
#include "npk/array.h"
#include "npk/status.h"
#include "simd/scan.h"

namespace npk::internal {

class RowSelection {
 public:
  RowSelection() = default;
  RowSelection(const RowSelection&) = delete;
  RowSelection& operator=(const RowSelection&) = delete;
  virtual ~RowSelection() = default;
  /// Bit i of word w is 1 if row begin + 64 w + i is selected; bits at and after `end` are 0.
  /// Requires: words holds (end - begin + 63) / 64.
  virtual void selected_words(uint64_t begin, uint64_t end, uint64_t* words) const = 0;
  /// The number under which the caller knows selected row `physical`. Ascends with it.
  [[nodiscard]] virtual uint64_t logical(uint64_t physical) const = 0;
};

/// Where rows of a mapping may be read from as well. Nothing: from nowhere.
struct RowFile {
  const io::File* file = nullptr;
  const io::Mapping* mapping = nullptr;  // Row 0 is at its beginning.
};

/// Rows of (rows, dimensions) in memory or in a mapping.
class RowSource {
 public:
  /// Errors: InvalidArgument unless `rows` is a sound view of two dimensions.
  /// Lifetime: of what `rows` shows; `selection` (null: every row) must outlive it.
  static Result<RowSource> create(const ArrayView& rows, const RowSelection* selection);

  [[nodiscard]] uint64_t rows() const noexcept { return view_.rows(); }
  [[nodiscard]] uint64_t dims() const noexcept { return view_.shape()[1]; }
  [[nodiscard]] DType dtype() const noexcept { return view_.dtype(); }
  [[nodiscard]] uint64_t row_bytes() const noexcept { return row_bytes_; }
  [[nodiscard]] const RowSelection* selection() const noexcept { return selection_; }
  [[nodiscard]] const RowFile& file() const noexcept { return file_; }
  void set_file(const RowFile& file) noexcept { file_ = file; }
  /// The same source of which only rows from `first` on are there, from `rows` on.
  /// Requires: the rows lie back to back. Lifetime: of `rows`.
  [[nodiscard]] RowSource moved(const std::byte* rows, uint64_t first) const;

  /// The same rows where they are mapped, of which others are selected. Lifetime: of `selection`.
  [[nodiscard]] RowSource selecting(const RowSelection* selection) const;

  /// The kernels' name for the rows of block(): the element type, or float64 if it has none.
  [[nodiscard]] simd::RowType row_type() const noexcept { return row_type_; }
  /// Whether block() is the rows themselves, without a copy.
  [[nodiscard]] bool is_direct() const noexcept { return !is_converted_ && view_.is_contiguous(); }
  /// Bytes of one row of block().
  [[nodiscard]] uint64_t block_row_bytes() const noexcept {
    return is_converted_ ? dims() * sizeof(double) : row_bytes_;
  }
  /// Rows [begin, end) back to back. `buffer` is used, and grown, if they do not lie so already.
  [[nodiscard]] const std::byte* block(uint64_t begin, uint64_t end,
                                       std::vector<std::byte>& buffer) const;
  /// As block(), for any rows.
  [[nodiscard]] const std::byte* gather(std::span<const uint64_t> rows,
                                        std::vector<std::byte>& buffer) const;
  /// Where the row lies, null if its elements do not lie back to back.
  [[nodiscard]] const std::byte* address(uint64_t row) const noexcept {
    return view_.is_contiguous() ? view_.data() + row * row_bytes_ : nullptr;
  }

 private:
  explicit RowSource(ArrayView view) : view_(std::move(view)) {}

  ArrayView view_;
  uint64_t row_bytes_ = 0;
  const RowSelection* selection_ = nullptr;
  RowFile file_;
  simd::RowType row_type_ = simd::RowType::kFloat64;
  bool is_converted_ = false;
};

/// `count` elements of `dtype` as float64, exactly but for 64-bit integers beyond 2^53, which are
/// rounded to nearest. Requires: not complex.
void convert_to_float64(DType dtype, const std::byte* from, size_t count, double* to);

}  // namespace npk::internal

#endif  // NPK_CORE_SEARCH_ROW_SOURCE_H_
