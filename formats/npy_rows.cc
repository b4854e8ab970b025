// Rows of npy files, read and written.
//
// Rows in C order are read where they lie, and turned round where they are big-endian; rows in
// Fortran order are collected from a mapping of the file, because each is spread over all of it.
#include <algorithm>

#include "formats/format.h"
#include "formats/npy.h"

namespace npk::formats {
namespace {

class NpyReader final : public RowReader {
 public:
  NpyReader(std::unique_ptr<io::File> file, NpyHeader header)
      : file_(std::move(file)), header_(std::move(header)) {
    dtype_ = header_.dtype;
    shape_ = header_.shape;
    row_bytes_ = ArrayView::raw(nullptr, dtype_, shape_).row_bytes();
  }

  Status read(uint64_t begin, uint64_t end, std::span<std::byte> out) override {
    if (out.empty()) return Status::ok();
    if (header_.is_fortran_order && shape_.size() > 1) {
      NPK_ASSIGN_OR_RETURN(const ArrayView all, mapped());
      all.copy_rows(begin, end, out.data());
    } else {
      NPK_RETURN_IF_ERROR(file_->read_at(header_.data_offset_bytes + begin * row_bytes_, out));
    }
    if (header_.is_big_endian) swap_byte_order(out, dtype_info(dtype_).swap_bytes);
    return Status::ok();
  }

  Result<std::optional<ArrayView>> view() override {
    // Elements that do not lie at a multiple of their size cannot be used where they are.
    const DTypeInfo& info = dtype_info(dtype_);
    const bool is_swapped = header_.is_big_endian && info.swap_bytes > 1;
    if (is_swapped || header_.data_offset_bytes % info.swap_bytes != 0) {
      return std::optional<ArrayView>();
    }
    NPK_ASSIGN_OR_RETURN(ArrayView all, mapped());
    return std::optional<ArrayView>(std::move(all));
  }

 private:
  Result<ArrayView> mapped() {
    if (mapping_ == nullptr) {
      const uint64_t size_bytes = header_.data_offset_bytes + header_.data_bytes;
      NPK_ASSIGN_OR_RETURN(mapping_, file_->map(size_bytes, io::MapMode::kRead));
    }
    return ArrayView::strided(mapping_->data() + header_.data_offset_bytes, dtype_, shape_,
                              header_.strides_bytes(), mapping_);
  }

  std::unique_ptr<io::File> file_;
  NpyHeader header_;
  uint64_t row_bytes_ = 0;
  std::shared_ptr<io::Mapping> mapping_;
};

class NpyWriter final : public RowWriter {
 public:
  NpyWriter(io::File& file, DType dtype, Shape shape, uint64_t header_bytes)
      : file_(file), dtype_(dtype), shape_(std::move(shape)), end_bytes_(header_bytes) {
    if (!shape_.empty()) shape_[0] = 0;
  }

  Status add(const ArrayView& rows) override {
    if (!shape_.empty()) shape_[0] += rows.rows();
    if (rows.is_contiguous()) {
      return write({rows.data(), rows.size_bytes()});
    }
    const uint64_t row_bytes = rows.row_bytes();
    const uint64_t piece_rows = std::min(rows.rows(), block_rows(row_bytes));
    buffer_.resize(piece_rows * row_bytes);
    for (uint64_t row = 0; row < rows.rows();) {
      const uint64_t end = std::min(rows.rows(), row + piece_rows);
      rows.copy_rows(row, end, buffer_.data());
      NPK_RETURN_IF_ERROR(write(io::Bytes(buffer_).first((end - row) * row_bytes)));
      row = end;
    }
    return Status::ok();
  }

  Status finish() override {
    // The length of the header was known from the start, the number of rows only now is.
    NPK_ASSIGN_OR_RETURN(const std::string header, encode_npy_header(dtype_, shape_, false));
    return file_.write_at(0, std::as_bytes(std::span(header)));
  }

 private:
  Status write(io::Bytes bytes) {
    NPK_RETURN_IF_ERROR(file_.write_at(end_bytes_, bytes));
    end_bytes_ += bytes.size();
    return Status::ok();
  }

  io::File& file_;
  DType dtype_;
  Shape shape_;
  uint64_t end_bytes_;
  std::vector<std::byte> buffer_;
};

}  // namespace

Result<std::unique_ptr<RowReader>> open_npy(std::unique_ptr<io::File> file, const ReadOptions&) {
  NPK_ASSIGN_OR_RETURN(NpyHeader header, read_npy_header(*file));
  return std::unique_ptr<RowReader>(
      std::make_unique<NpyReader>(std::move(file), std::move(header)));
}

Result<std::unique_ptr<RowWriter>> create_npy(io::File& file, DType dtype, const Shape& shape) {
  NPK_ASSIGN_OR_RETURN(const std::string header, encode_npy_header(dtype, shape, false));
  return std::unique_ptr<RowWriter>(std::make_unique<NpyWriter>(file, dtype, shape, header.size()));
}

}  // namespace npk::formats
