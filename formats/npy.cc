#include "formats/npy.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "formats/npy_types.h"
#include "npk/internal/text.h"

namespace npk::formats {
namespace {

using internal::concat;

constexpr std::string_view kMagic = "\x93NUMPY";
constexpr size_t kVersionAt = 6;
constexpr size_t kLengthAt = 8;
constexpr size_t kAlignment = 64;
// NumPy's GROWTH_AXIS_MAX_DIGITS: an append may rewrite the count of rows in place.
constexpr size_t kGrowthDigits = 21;

struct VersionRow {
  uint8_t major;
  size_t length_bytes;  // Of the header length.
  bool python2;         // Written by Pythons whose integers end in L.
};
constexpr std::array kVersions = {VersionRow{1, 2, true}, VersionRow{2, 4, true},
                                  VersionRow{3, 4, false}};

struct ForeignRow {
  std::string_view magic;
  std::string_view advice;
};
/// What is given as .npy by mistake.
constexpr std::array kForeign = {
    ForeignRow{"PK\x03\x04", "it is a zip archive, an .npz or a .pt: unpack it first"},
    ForeignRow{"\x80", "it may be a Python pickle: load it in Python and np.save it"},
    ForeignRow{"\x89HDF", "it is an HDF5 file: read it with h5py and np.save it"},
};

uint64_t read_little_endian(std::span<const std::byte> bytes) {
  uint64_t value = 0;
  for (size_t i = bytes.size(); i-- > 0;) value = value << 8 | static_cast<uint64_t>(bytes[i]);
  return value;
}

Status magic_error(std::string_view start) {
  std::string message = start.empty() ? "the file is empty, not an npy file"
                                      : "not an npy file: it does not begin with \\x93NUMPY";
  for (const ForeignRow& row : kForeign) {
    if (start.substr(0, row.magic.size()) == row.magic) message += concat("; ", row.advice);
  }
  return Status::corruption(std::move(message)).with_offset(0);
}

/// Checks magic and version. Requires: file_bytes bytes in the file, of which start are the first.
Result<VersionRow> check_start(std::span<const std::byte> start) {
  const std::string_view text(reinterpret_cast<const char*>(start.data()), start.size());
  const std::string_view magic = text.substr(0, kMagic.size());
  if (magic != kMagic.substr(0, magic.size()) || text.empty()) return magic_error(text);
  const Status too_short = Status::corruption(concat(
      "the file ends after ", text.size(), " bytes, inside the first bytes of an npy header"));
  if (text.size() < kLengthAt) return Status(too_short).with_offset(text.size());
  const auto major = static_cast<uint8_t>(start[kVersionAt]);
  const auto minor = static_cast<uint8_t>(start[kVersionAt + 1]);
  for (const VersionRow& row : kVersions) {
    if (row.major != major || minor != 0) continue;
    if (text.size() < kLengthAt + row.length_bytes) {
      return Status(too_short).with_offset(text.size());
    }
    return row;
  }
  return Status::unsupported(
             concat("npy version ", major, ".", minor, " is not known; 1.0, 2.0 and 3.0 are"))
      .with_offset(kVersionAt);
}

/// Sets data_bytes and holds the header against what the file has.
Status check_data(NpyHeader& header, uint64_t file_bytes) {
  NPK_ASSIGN_OR_RETURN(const uint64_t count, shape_element_count(header.shape));
  header.data_bytes = count * dtype_item_bytes(header.dtype);
  const uint64_t found = file_bytes - header.data_offset_bytes;
  if (found == header.data_bytes) return Status::ok();
  std::string message =
      concat("the header says ", dtype_name(header.dtype), " of shape ",
             shape_to_string(header.shape), ", which is ", header.data_bytes, " bytes from byte ",
             header.data_offset_bytes, " on, but there are ", found);
  message += found < header.data_bytes
                 ? ": the file was cut off, or its header is wrong"
                 : ": bytes that belong to nothing follow, or the header is wrong";
  return Status::corruption(std::move(message))
      .with_offset(header.data_offset_bytes + std::min(found, header.data_bytes));
}

std::string python_tuple(const Shape& shape) {
  return shape_to_string(shape);  // The same text: "()", "(3,)", "(3, 4)".
}

}  // namespace

StridesBytes NpyHeader::strides_bytes() const {
  StridesBytes strides(shape.size());
  auto stride = static_cast<int64_t>(dtype_item_bytes(dtype));
  for (size_t i = 0; i < shape.size(); ++i) {
    const size_t axis = is_fortran_order ? i : shape.size() - 1 - i;
    strides[axis] = stride;
    // An extent of 0 leaves no element to be found, whatever the strides.
    stride *= static_cast<int64_t>(std::max<uint64_t>(shape[axis], 1));
  }
  return strides;
}

Result<NpyHeader> read_npy_header(const io::File& file) {
  const auto at_file = [&file](Status status) { return std::move(status).with_path(file.path()); };
  NPK_ASSIGN_OR_RETURN(const uint64_t file_bytes, file.size_bytes());
  std::array<std::byte, 12> buffer;
  NPK_ASSIGN_OR_RETURN(const uint64_t start_bytes, file.read_some_at(0, buffer));
  const std::span<const std::byte> start(buffer.data(), start_bytes);
  Result<VersionRow> version = check_start(start);
  if (!version) return at_file(std::move(version).status());

  const uint64_t header_bytes = read_little_endian(start.subspan(kLengthAt, version->length_bytes));
  const uint64_t offset_bytes = kLengthAt + version->length_bytes;
  if (header_bytes > file_bytes - offset_bytes) {
    return at_file(
        Status::corruption(concat("the header says that it has ", header_bytes, " bytes, but only ",
                                  file_bytes - offset_bytes, " follow: the file was cut off"))
            .with_offset(kLengthAt));
  }
  if (header_bytes > kMaxNpyHeaderBytes) {
    return at_file(Status::unsupported(concat("the header says that it has ", header_bytes,
                                              " bytes; at most ", kMaxNpyHeaderBytes,
                                              " are read, more than any plain array needs"))
                       .with_offset(kLengthAt));
  }
  std::string text(header_bytes, '\0');
  NPK_RETURN_IF_ERROR(file.read_at(offset_bytes, std::as_writable_bytes(std::span(text))));
  Result<NpyHeader> header = parse_npy_dictionary(text, offset_bytes, version->python2);
  if (!header) return at_file(std::move(header).status());
  header->data_offset_bytes = offset_bytes + header_bytes;
  NPK_RETURN_IF_ERROR(at_file(check_data(*header, file_bytes)));
  return header;
}

Result<std::string> encode_npy_header(DType dtype, const Shape& shape, bool is_fortran_order) {
  NPK_ASSIGN_OR_RETURN(const std::string_view descr, npy_descr_of(dtype));
  NPK_ASSIGN_OR_RETURN([[maybe_unused]] const uint64_t count, shape_element_count(shape));
  std::string text =
      concat("{'descr': '", descr, "', 'fortran_order': ", is_fortran_order ? "True" : "False",
             ", 'shape': ", python_tuple(shape), ", }");
  if (!shape.empty()) {
    const uint64_t growing = is_fortran_order ? shape.back() : shape.front();
    text.append(kGrowthDigits - std::to_string(growing).size(), ' ');
  }
  // As NumPy pads: to a multiple of 64 with the newline, and by a whole 64 where nothing is
  // missing.
  const size_t start_bytes = kLengthAt + kVersions[0].length_bytes;
  text.append(kAlignment - (start_bytes + text.size() + 1) % kAlignment, ' ');
  text += '\n';
  std::string header(kMagic);
  header += {'\x01', '\x00'};
  header += static_cast<char>(text.size() & 0xff);
  header += static_cast<char>(text.size() >> 8);
  return header + text;
}

void swap_byte_order(std::span<std::byte> bytes, uint32_t unit_bytes) noexcept {
  const auto swap_all = [bytes]<typename Unit>(Unit unit, auto swap_one) {
    for (size_t at = 0; at + sizeof(Unit) <= bytes.size(); at += sizeof(Unit)) {
      std::memcpy(&unit, bytes.data() + at, sizeof(Unit));
      unit = swap_one(unit);
      std::memcpy(bytes.data() + at, &unit, sizeof(Unit));
    }
  };
  if (unit_bytes == 2) swap_all(uint16_t{}, [](uint16_t v) { return __builtin_bswap16(v); });
  if (unit_bytes == 4) swap_all(uint32_t{}, [](uint32_t v) { return __builtin_bswap32(v); });
  if (unit_bytes == 8) swap_all(uint64_t{}, [](uint64_t v) { return __builtin_bswap64(v); });
}

}  // namespace npk::formats
