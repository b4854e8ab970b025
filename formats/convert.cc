#include "npk/convert.h"

#include <algorithm>
#include <array>

#include "core/store/row_source.h"
#include "formats/format.h"
#include "formats/npy.h"
#include "formats/replacing_file.h"
#include "npk/internal/text.h"

namespace npk {
namespace {

using formats::Format;
using formats::RowReader;
using formats::RowWriter;
using internal::concat;

constexpr std::array kFormats = {
    Format{".npy", formats::open_npy, formats::create_npy},
    Format{".txt", formats::open_txt, formats::create_txt},
};

constexpr uint64_t kBlockBytes = 4u << 20;

Result<const Format*> format_of(const std::string& file) {
  std::string known;
  for (const Format& format : kFormats) {
    if (file.ends_with(format.extension)) return &format;
    known += concat(known.empty() ? "" : ", ", format.extension);
  }
  const std::string name = file.substr(file.rfind('/') + 1);
  const size_t dot = name.rfind('.');
  const std::string extension = dot == std::string::npos ? "no extension" : name.substr(dot);
  return Status::invalid_argument(concat("files of this kind (", extension,
                                         ") are not known; the name must end in one of ", known))
      .with_path(file);
}

Result<std::unique_ptr<RowReader>> open_reader(const std::string& file,
                                               const formats::ReadOptions& options) {
  NPK_ASSIGN_OR_RETURN(const Format* format, format_of(file));
  NPK_ASSIGN_OR_RETURN(auto opened, io::Env::posix().open(file, io::OpenMode::kRead));
  return format->open(std::move(opened), options);
}

/// A whole array in memory.
Result<Array> read_all(RowReader& reader) {
  NPK_ASSIGN_OR_RETURN(Array array, Array::uninitialized(reader.dtype(), reader.shape()));
  NPK_RETURN_IF_ERROR(
      reader.read(0, array.rows(), std::span(array.mutable_data(), array.size_bytes())));
  return array;
}

Status cancelled() { return Status::failed_precondition("cancelled; nothing has changed"); }

/// Writes all blocks of an array. The first block says what the array is at the moment of the
/// stream, `metadata` only stands in where there is no block.
Status write_blocks(const ParallelIO& store, const ArrayMetadata& metadata, const Format& format,
                    io::File& file, const Progress& progress) {
  NPK_ASSIGN_OR_RETURN(RowStream stream,
                       store.stream_load(metadata.name, formats::block_rows(metadata.row_bytes)));
  NPK_ASSIGN_OR_RETURN(std::optional<Array> block, stream.next());
  NPK_ASSIGN_OR_RETURN(const std::unique_ptr<RowWriter> writer,
                       format.create(file, block ? block->dtype() : metadata.dtype,
                                     block ? block->shape() : metadata.shape));
  const uint64_t total_bytes =
      (metadata.physical_rows - metadata.deleted_rows) * metadata.row_bytes;
  uint64_t done_bytes = 0;
  while (block) {
    NPK_RETURN_IF_ERROR(writer->add(*block));
    done_bytes += block->size_bytes();
    if (progress && !progress(done_bytes, std::max(done_bytes, total_bytes))) return cancelled();
    NPK_ASSIGN_OR_RETURN(block, stream.next());
  }
  return writer->finish();
}

/// The same elements seen in C order, if they lie in Fortran order and not in C order.
std::optional<ArrayView> fortran_as_c(const ArrayView& values) {
  if (values.is_contiguous() || values.dimensions() < 2) return std::nullopt;
  Shape shape = values.shape();
  StridesBytes strides = values.strides_bytes();
  std::reverse(shape.begin(), shape.end());
  std::reverse(strides.begin(), strides.end());
  ArrayView reversed = ArrayView::strided(values.data(), values.dtype(), std::move(shape),
                                          std::move(strides), values.pin());
  if (!reversed.is_contiguous()) return std::nullopt;
  return reversed;
}

}  // namespace

uint64_t formats::block_rows(uint64_t row_bytes) noexcept {
  return std::max<uint64_t>(1, kBlockBytes / std::max<uint64_t>(1, row_bytes));
}

std::vector<std::string_view> file_extensions() {
  std::vector<std::string_view> extensions;
  extensions.reserve(kFormats.size());
  for (const Format& format : kFormats) extensions.push_back(format.extension);
  return extensions;
}

Result<FileInfo> inspect_file(const std::string& file) {
  NPK_ASSIGN_OR_RETURN(const auto reader, open_reader(file, {}));
  return FileInfo{reader->dtype(), reader->shape()};
}

Result<ArrayView> open_file(const std::string& file, const OpenFileOptions& options) {
  NPK_ASSIGN_OR_RETURN(const auto reader, open_reader(file, {options.text_width_bytes}));
  NPK_ASSIGN_OR_RETURN(std::optional<ArrayView> view, reader->view());
  if (view) return *std::move(view);
  NPK_ASSIGN_OR_RETURN(const Array array, read_all(*reader));
  return array.view();
}

Status import_file(const std::string& file, ParallelIO& store, const std::string& name,
                   const ImportOptions& options) {
  NPK_ASSIGN_OR_RETURN(const auto reader, open_reader(file, {}));
  internal::RowSource source;
  source.dtype = reader->dtype();
  source.shape = reader->shape();
  source.read = [&reader](uint64_t begin, uint64_t end, std::span<std::byte> out) {
    return reader->read(begin, end, out);
  };
  return internal::save_rows(store, name, source,
                             {options.overwrite, options.progress, options.save});
}

Status export_file(const ParallelIO& store, const std::string& name, const std::string& file,
                   const ExportOptions& options) {
  NPK_ASSIGN_OR_RETURN(const Format* format, format_of(file));
  NPK_ASSIGN_OR_RETURN(const ArrayMetadata metadata, store.get_array_metadata(name));
  NPK_ASSIGN_OR_RETURN(auto target, formats::ReplacingFile::create(file, options.overwrite));
  NPK_RETURN_IF_ERROR(write_blocks(store, metadata, *format, target.file(), options.progress));
  return target.commit();
}

Result<Array> read_npy(const std::string& file) {
  NPK_ASSIGN_OR_RETURN(auto opened, io::Env::posix().open(file, io::OpenMode::kRead));
  NPK_ASSIGN_OR_RETURN(const auto reader, formats::open_npy(std::move(opened), {}));
  return read_all(*reader);
}

Status write_npy(const std::string& file, const ArrayView& values, bool overwrite) {
  NPK_RETURN_IF_ERROR(values.check());
  const std::optional<ArrayView> fortran = fortran_as_c(values);
  NPK_ASSIGN_OR_RETURN(
      const std::string header,
      formats::encode_npy_header(values.dtype(), values.shape(), fortran.has_value()));
  NPK_ASSIGN_OR_RETURN(auto target, formats::ReplacingFile::create(file, overwrite));
  if (fortran) {
    NPK_RETURN_IF_ERROR(target.file().write_at(0, std::as_bytes(std::span(header))));
    NPK_RETURN_IF_ERROR(
        target.file().write_at(header.size(), {fortran->data(), fortran->size_bytes()}));
    return target.commit();
  }
  NPK_ASSIGN_OR_RETURN(const auto writer,
                       formats::create_npy(target.file(), values.dtype(), values.shape()));
  NPK_RETURN_IF_ERROR(writer->add(values));
  NPK_RETURN_IF_ERROR(writer->finish());
  return target.commit();
}

}  // namespace npk
