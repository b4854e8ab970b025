#include "bindings/cli/where_argument.h"

#include <limits>

#include "npk/internal/text.h"

namespace npk::cli {
namespace {

using internal::concat;

/// Appends the elements; false if one is beyond int64.
template <typename T>
bool append_numbers(const Array& from, std::vector<int64_t>& to) {
  for (const T value : from.as<T>()) {
    if (!std::in_range<int64_t>(value)) return false;
    to.push_back(static_cast<int64_t>(value));
  }
  return true;
}

/// Row numbers of any integer type. Errors: InvalidArgument (type), OutOfRange.
Result<std::vector<int64_t>> row_numbers(const Array& values) {
  std::vector<int64_t> rows;
  rows.reserve(values.element_count());
  const bool fits =
      append_numbers<int8_t>(values, rows) && append_numbers<int16_t>(values, rows) &&
      append_numbers<int32_t>(values, rows) && append_numbers<int64_t>(values, rows) &&
      append_numbers<uint8_t>(values, rows) && append_numbers<uint16_t>(values, rows) &&
      append_numbers<uint32_t>(values, rows) && append_numbers<uint64_t>(values, rows);
  if (!fits) return Status::out_of_range("a row number is beyond 63 bits");
  if (rows.size() == values.element_count()) return rows;
  return Status::invalid_argument(concat(
      "a mask is bool and row numbers are integers; the file holds ", dtype_name(values.dtype())));
}

Result<Where> where_of_file(const std::string& file) {
  NPK_ASSIGN_OR_RETURN(const Array values, read_npy(file));
  if (values.dimensions() != 1) {
    return Status::invalid_argument(concat("a mask and row numbers have one axis; the file holds ",
                                           shape_to_string(values.shape())));
  }
  if (values.dtype() == DType::kBool) {
    const auto* bytes = reinterpret_cast<const uint8_t*>(values.data());
    return Where::mask({bytes, values.element_count()});
  }
  NPK_ASSIGN_OR_RETURN(std::vector<int64_t> rows, row_numbers(values));
  return Where::rows(std::move(rows));
}

}  // namespace

Result<WhereArgument> WhereArgument::parse(std::string_view text) {
  WhereArgument where;
  where.is_given_ = true;
  if (text.ends_with(".npy")) {
    where.file_ = text;
    return where;
  }
  NPK_ASSIGN_OR_RETURN(where.rows_, RowSelection::parse(text));
  return where;
}

Result<Where> WhereArgument::resolve(uint64_t row_count) const {
  if (!is_given_) return Where();
  if (!file_.empty()) {
    Result<Where> where = where_of_file(file_);
    if (where.is_ok() || !where.status().path().empty()) return where;
    return std::move(where).status().with_path(file_);
  }
  NPK_ASSIGN_OR_RETURN(const std::vector<uint64_t> rows, rows_.numbers(row_count));
  return Where::rows({rows.begin(), rows.end()});
}

}  // namespace npk::cli
