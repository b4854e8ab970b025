// Format: one row per file format, with what reads and what writes it. Adding a format is one file
// pair and one row in formats/convert.cc.
//
// Readers hand out rows in bounded memory; writers take blocks of rows in order. Neither knows of
// stores. Thread safety: a reader or writer belongs to one thread.
#ifndef NPK_FORMATS_FORMAT_H_
#define NPK_FORMATS_FORMAT_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "io/env.h"
#include "npk/array.h"
#include "npk/status.h"

namespace npk::formats {

class RowReader {
 public:
  virtual ~RowReader() = default;
  [[nodiscard]] DType dtype() const noexcept { return dtype_; }
  [[nodiscard]] const Shape& shape() const noexcept { return shape_; }

  /// Rows [begin, end) in C order. Requires: out has exactly their size. Fast in order of rows.
  virtual Status read(uint64_t begin, uint64_t end, std::span<std::byte> out) = 0;
  /// The whole array where it lies in the file, pinned; nothing if the bytes there are not those of
  /// the elements. Valid while nobody truncates the file.
  virtual Result<std::optional<ArrayView>> view() { return std::optional<ArrayView>(); }

 protected:
  DType dtype_ = DType::kFloat32;
  Shape shape_;
};

class RowWriter {
 public:
  virtual ~RowWriter() = default;
  /// The next rows, of the element type and row shape that the writer was made for.
  virtual Status add(const ArrayView& rows) = 0;
  /// Writes what depends on the number of rows. Nothing may follow.
  virtual Status finish() = 0;
};

struct ReadOptions {
  /// Width of a row of text in bytes; 0: that of the longest line. Longer lines are refused.
  uint64_t text_width_bytes = 0;
};

struct Format {
  std::string_view extension;  ///< ".npy", lower case.
  Result<std::unique_ptr<RowReader>> (*open)(std::unique_ptr<io::File> file,
                                             const ReadOptions& options);
  /// Errors: Unsupported or InvalidArgument if the format cannot hold such an array.
  Result<std::unique_ptr<RowWriter>> (*create)(io::File& file, DType dtype, const Shape& shape);
};

Result<std::unique_ptr<RowReader>> open_npy(std::unique_ptr<io::File> file, const ReadOptions&);
Result<std::unique_ptr<RowWriter>> create_npy(io::File& file, DType dtype, const Shape& shape);
Result<std::unique_ptr<RowReader>> open_txt(std::unique_ptr<io::File> file, const ReadOptions&);
Result<std::unique_ptr<RowWriter>> create_txt(io::File& file, DType dtype, const Shape& shape);

/// Rows that make a block of about 4 MiB, at least one.
uint64_t block_rows(uint64_t row_bytes) noexcept;

}  // namespace npk::formats

#endif  // NPK_FORMATS_FORMAT_H_
