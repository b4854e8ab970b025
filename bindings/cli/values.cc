#include "bindings/cli/values.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstring>

#include "bindings/cli/table.h"
#include "npk/internal/text.h"

namespace npk::cli {
namespace {

using internal::concat;

// Text is handed on in pieces of this size, so that printing needs no second copy of the array.
constexpr size_t kPieceBytes = 1u << 20;

enum class Notation : uint8_t { kText, kJson };

template <typename T>
T load(const std::byte* element) {
  T value;
  std::memcpy(&value, element, sizeof(T));
  return value;
}

template <typename T>
void append_number(std::string& out, T value) {
  std::array<char, 64> text;
  const auto result = std::to_chars(text.data(), text.data() + text.size(), value);
  out.append(text.data(), result.ptr);
}

/// float16 and bfloat16: the fewest digits of the float that come back as the same bits.
template <typename Half>
void append_half(std::string& out, Half half) {
  constexpr int kEnoughDigits = 9;  // For any float.
  const auto value = static_cast<float>(half);
  std::array<char, 64> text;
  for (int digits = 1;; ++digits) {
    const auto result = std::to_chars(text.data(), text.data() + text.size(), value,
                                      std::chars_format::general, digits);
    float back = 0;
    std::from_chars(text.data(), result.ptr, back);
    if (Half(back).bits != half.bits && digits < kEnoughDigits) continue;
    out.append(text.data(), result.ptr);
    return;
  }
}

template <typename Float>
void append_float(std::string& out, Float value, Notation notation) {
  const size_t begin = out.size();
  const auto wide = [value] {
    if constexpr (std::is_class_v<Float>) return static_cast<float>(value);
    if constexpr (!std::is_class_v<Float>) return value;
  }();
  if (std::isnan(wide)) {
    out += notation == Notation::kJson ? "\"NaN\"" : "nan";
  } else if (std::isinf(wide)) {
    const bool is_json = notation == Notation::kJson;
    out += wide > 0 ? (is_json ? "\"Infinity\"" : "inf") : (is_json ? "\"-Infinity\"" : "-inf");
  } else if constexpr (std::is_class_v<Float>) {
    append_half(out, value);
  } else {
    append_number(out, value);
  }
  // A reader of JSON takes 3 and -0 for integers, and the zero then loses its sign.
  const std::string_view printed = std::string_view(out).substr(begin);
  if (notation == Notation::kJson && printed.find_first_not_of("-0123456789") == printed.npos) {
    out += ".0";
  }
}

template <typename Float>
void append_complex(std::string& out, const std::byte* element, Notation notation) {
  const auto real = load<Float>(element);
  const auto imaginary = load<Float>(element + sizeof(Float));
  if (notation == Notation::kJson) {
    out += '[';
    append_float(out, real, notation);
    out += ',';
    append_float(out, imaginary, notation);
    out += ']';
    return;
  }
  append_float(out, real, notation);
  if (std::isnan(imaginary) || !std::signbit(imaginary)) out += '+';
  append_float(out, imaginary, notation);
  out += 'j';
}

void append_element(std::string& out, DType dtype, const std::byte* element, Notation notation) {
  switch (dtype) {
    case DType::kBool:
      out += load<uint8_t>(element) != 0 ? "true" : "false";
      return;
    case DType::kUint8:
      return append_number(out, load<uint8_t>(element));
    case DType::kUint16:
      return append_number(out, load<uint16_t>(element));
    case DType::kUint32:
      return append_number(out, load<uint32_t>(element));
    case DType::kUint64:
      return append_number(out, load<uint64_t>(element));
    case DType::kInt8:
      return append_number(out, load<int8_t>(element));
    case DType::kInt16:
      return append_number(out, load<int16_t>(element));
    case DType::kInt32:
      return append_number(out, load<int32_t>(element));
    case DType::kInt64:
      return append_number(out, load<int64_t>(element));
    case DType::kFloat16:
      return append_float(out, load<Float16>(element), notation);
    case DType::kBFloat16:
      return append_float(out, load<BFloat16>(element), notation);
    case DType::kFloat32:
      return append_float(out, load<float>(element), notation);
    case DType::kFloat64:
      return append_float(out, load<double>(element), notation);
    case DType::kComplex64:
      return append_complex<float>(out, element, notation);
    case DType::kComplex128:
      return append_complex<double>(out, element, notation);
  }
}

std::string line_of(const ArrayView& rows, uint64_t row) {
  std::string line(reinterpret_cast<const char*>(rows.data()) + row * rows.row_bytes(),
                   rows.row_bytes());
  return line.substr(0, line.find_last_not_of('\0') + 1);
}

/// The array from `axis` on as nested lists. Returns the end of what it read.
const std::byte* append_nested(Console& console, std::string& out, const ArrayView& rows,
                               size_t axis, const std::byte* from) {
  if (axis == rows.dimensions()) {
    append_json(out, rows.dtype(), from);
    return from + dtype_item_bytes(rows.dtype());
  }
  out += '[';
  for (uint64_t i = 0; i < rows.shape()[axis]; ++i) {
    if (i > 0) out += ',';
    from = append_nested(console, out, rows, axis + 1, from);
  }
  out += ']';
  if (out.size() > kPieceBytes) {
    console.write(out);
    out.clear();
  }
  return from;
}

void print_json(Console& console, Json object, const ArrayView& rows,
                const std::vector<uint64_t>& numbers, const PrintOptions& options) {
  object["dtype"] = dtype_name(rows.dtype());
  object["shape"] = json_shape(rows.shape());
  object["rows"] = numbers;
  if (options.as_text) {
    Json& text = object["text"] = Json::array();
    for (uint64_t row = 0; row < rows.rows(); ++row) text.push_back(line_of(rows, row));
    console.print(object);
    return;
  }
  // The values are written as they come: a tree of them would take many times their memory.
  std::string out = object.dump(-1, ' ', false, Json::error_handler_t::replace);
  out.pop_back();
  out += ",\"values\":";
  append_nested(console, out, rows, 0, rows.data());
  console.write(out + "}\n");
}

/// The elements of a row that a table shows.
std::vector<uint64_t> shown_elements(uint64_t row_elements, uint64_t limit) {
  std::vector<uint64_t> shown;
  const bool all = limit == 0 || row_elements <= limit;
  for (uint64_t i = 0; i < (all ? row_elements : limit - limit / 2); ++i) shown.push_back(i);
  for (uint64_t i = all ? 0 : limit / 2; i > 0; --i) shown.push_back(row_elements - i);
  return shown;
}

void print_table(Console& console, const ArrayView& rows, const std::vector<uint64_t>& numbers,
                 const PrintOptions& options) {
  const size_t item_bytes = dtype_item_bytes(rows.dtype());
  const uint64_t row_elements = rows.row_bytes() / item_bytes;
  const auto shown = shown_elements(row_elements, options.columns);
  std::vector<Table::Column> columns = {{"row", Table::Align::kRight}};
  const auto is_gap = [&](size_t i) { return i > 0 && shown[i] != shown[i - 1] + 1; };
  for (size_t i = 0; i < shown.size(); ++i) {
    if (is_gap(i)) columns.push_back({"…", Table::Align::kLeft});
    columns.push_back(
        {rows.dimensions() == 1 ? "value" : concat("[", shown[i], "]"), Table::Align::kRight});
  }
  Table table(console, std::move(columns));
  for (uint64_t row = 0; row < rows.rows(); ++row) {
    std::vector<std::string> cells = {std::to_string(numbers[row])};
    for (size_t i = 0; i < shown.size(); ++i) {
      if (is_gap(i)) cells.emplace_back("…");
      append_text(cells.emplace_back(), rows.dtype(),
                  rows.data() + row * rows.row_bytes() + shown[i] * item_bytes);
    }
    table.add(std::move(cells));
  }
}

}  // namespace

void append_text(std::string& out, DType dtype, const std::byte* element) {
  append_element(out, dtype, element, Notation::kText);
}
void append_json(std::string& out, DType dtype, const std::byte* element) {
  append_element(out, dtype, element, Notation::kJson);
}
std::string number_text(double value) {
  std::string out;
  append_float(out, value, Notation::kText);
  return out;
}

Status print_rows(Console& console, Json object, const ArrayView& rows,
                  const std::vector<uint64_t>& numbers, const PrintOptions& options) {
  if (options.as_text && (rows.dtype() != DType::kUint8 || rows.dimensions() != 2)) {
    return Status::invalid_argument(
        concat("only uint8 arrays of 2 dimensions can be shown as text, this one is ",
               dtype_name(rows.dtype()), " of ", rows.dimensions(), " dimensions"));
  }
  if (console.json) {
    print_json(console, std::move(object), rows, numbers, options);
  } else if (rows.dimensions() == 0) {
    std::string text;
    append_text(text, rows.dtype(), rows.data());
    console.write(text + "\n");
  } else if (options.as_text) {
    Table table(console, {{"row", Table::Align::kRight}, {"text", Table::Align::kLeft}});
    for (uint64_t row = 0; row < rows.rows(); ++row) {
      table.add({std::to_string(numbers[row]), printable(line_of(rows, row))});
    }
  } else {
    print_table(console, rows, numbers, options);
  }
  return Status::ok();
}

}  // namespace npk::cli
