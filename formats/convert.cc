#include "npk/convert.h"

#include <algorithm>
#include <array>

#include "core/store/names.h"
#include "core/store/row_source.h"
#include "formats/format.h"
#include "formats/new_store.h"
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

Status write_blocks(const Snapshot& snapshot, const ArrayMetadata& metadata, const Format& format,
                    io::File& file, const Progress& progress) {
  NPK_ASSIGN_OR_RETURN(const std::unique_ptr<RowWriter> writer,
                       format.create(file, metadata.dtype, metadata.shape));
  NPK_ASSIGN_OR_RETURN(
      RowStream stream,
      snapshot.stream_load(metadata.name, formats::block_rows(metadata.row_bytes)));
  const uint64_t total_bytes =
      (metadata.physical_rows - metadata.deleted_rows) * metadata.row_bytes;
  uint64_t done_bytes = 0;
  for (const Array& block : stream) {
    NPK_RETURN_IF_ERROR(writer->add(block));
    done_bytes += block.size_bytes();
    if (progress && !progress(done_bytes, total_bytes)) return cancelled();
  }
  NPK_RETURN_IF_ERROR(stream.status());
  return writer->finish();
}

Status write_whole(io::File& file, const std::string& header, const ArrayView& values) {
  NPK_RETURN_IF_ERROR(file.write_at(0, std::as_bytes(std::span(header))));
  return file.write_at(header.size(), {values.data(), values.size_bytes()});
}

Status write_rows(io::File& file, const ArrayView& values) {
  NPK_ASSIGN_OR_RETURN(const auto writer,
                       formats::create_npy(file, values.dtype(), values.shape()));
  NPK_RETURN_IF_ERROR(writer->add(values));
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

Result<ParallelIO> import_file(const std::string& file, const StoreLocation& location,
                               const std::string& name, const ImportOptions& options) {
  NPK_RETURN_IF_ERROR(inspect_file(file).status());
  NPK_RETURN_IF_ERROR(internal::check_array_name(name));
  const auto import = [&](ParallelIO& store) { return import_file(file, store, name, options); };
  StoreOptions existing = location.options;
  existing.create_if_missing = false;
  Result<ParallelIO> store = ParallelIO::open(location.path, existing);
  if (store.status().code() == StatusCode::kNotFound && location.options.create_if_missing) {
    NPK_ASSIGN_OR_RETURN(const io::PathInfo info, io::Env::posix().info(location.path));
    if (info.kind == io::PathKind::kMissing) {
      const Status made = formats::make_store(location.path, location.options, import);
      if (made.is_ok()) return ParallelIO::open(location.path, location.options);
      if (made.code() != StatusCode::kAlreadyExists) return made;
    }
    store = ParallelIO::open(location.path, location.options);
  }
  if (store.is_ok()) NPK_RETURN_IF_ERROR(import(*store));
  return store;
}

Status export_file(const Snapshot& snapshot, const std::string& name, const std::string& file,
                   const ExportOptions& options) {
  NPK_ASSIGN_OR_RETURN(const Format* format, format_of(file));
  NPK_ASSIGN_OR_RETURN(const ArrayMetadata metadata, snapshot.get_array_metadata(name));
  NPK_ASSIGN_OR_RETURN(auto target, formats::ReplacingFile::create(file, options.overwrite));
  return target.commit(write_blocks(snapshot, metadata, *format, target.file(), options.progress));
}

Status export_file(const ParallelIO& store, const std::string& name, const std::string& file,
                   const ExportOptions& options) {
  NPK_ASSIGN_OR_RETURN(const Snapshot snapshot, store.snapshot());
  return export_file(snapshot, name, file, options);
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
  return target.commit(fortran ? write_whole(target.file(), header, *fortran)
                               : write_rows(target.file(), values));
}

}  // namespace npk
