#include "bindings/cli/labels.h"

#include "npk/internal/text.h"

namespace npk::cli {
namespace {

using internal::concat;

constexpr size_t kMaxSuggestions = 3;

Result<ArrayView> open_array(const StoreReader& store, const std::string& name) {
  NPK_ASSIGN_OR_RETURN(const Array copy, store.load_array(name));
  return copy.view();
}

Result<ArrayView> open_text(const std::string& source) {
  Result<ArrayView> lines = open_file(source);
  if (lines || source.ends_with(".txt")) return lines;
  return std::move(lines).status().with_context(
      concat("'", source, "' is no array of the store, so labels are looked for in a file"));
}

}  // namespace

Result<Labels> Labels::open(const StoreReader& store, const std::string& source,
                            const ArrayMetadata& array) {
  NPK_ASSIGN_OR_RETURN(const bool is_array, store.has_array(source));
  NPK_ASSIGN_OR_RETURN(ArrayView rows, is_array ? open_array(store, source) : open_text(source));
  if (rows.dtype() != DType::kUint8 || rows.dimensions() != 2 || !rows.is_contiguous()) {
    return Status::invalid_argument(concat("labels must be lines of text or uint8 rows of them; '",
                                           source, "' is ", dtype_name(rows.dtype()), " of shape ",
                                           shape_to_string(rows.shape())));
  }
  const uint64_t wanted = array.shape.empty() ? 1 : array.shape[0];
  if (rows.rows() != wanted) {
    return Status::invalid_argument(concat(
        "'", source, "' has ", rows.rows(), " labels, but array '", array.name, "' has ", wanted,
        " rows: rows were appended to or deleted from only one of them. Keep labels as an "
        "array of the store and delete from both at once, with 'npk delete STORE ",
        array.name, ",LABELS --rows ROWS'"));
  }
  return Labels(std::move(rows), source);
}

std::string_view Labels::line(uint64_t row) const {
  const std::string_view padded(
      reinterpret_cast<const char*>(rows_.data()) + row * rows_.row_bytes(), rows_.row_bytes());
  return padded.substr(0, padded.find_last_not_of('\0') + 1);
}

Labels::Label Labels::at(uint64_t row) const {
  const std::string_view text = line(row);
  const size_t tab = text.find('\t');
  if (tab == std::string_view::npos) return {text, {}};
  return {text.substr(0, tab), text.substr(tab + 1)};
}

Result<std::vector<uint64_t>> Labels::find(std::string_view label) const {
  std::vector<uint64_t> found;
  std::string suggestions;
  size_t suggestion_count = 0;
  for (uint64_t row = 0; row < rows_.rows(); ++row) {
    const std::string_view text = at(row).text;
    if (text == label) {
      found.push_back(row);
    } else if (suggestion_count < kMaxSuggestions && text.find(label) != std::string_view::npos) {
      suggestions += concat(suggestion_count++ == 0 ? "; there are " : ", ", "'", text, "'");
    }
  }
  if (!found.empty()) return found;
  return Status::not_found(concat("no label in '", source_, "' is '", label, "'", suggestions));
}

}  // namespace npk::cli
