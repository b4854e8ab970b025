#include "bindings/cli/row_selection.h"

#include <charconv>
#include <optional>

#include "npk/internal/text.h"

namespace npk::cli {
namespace {

using internal::concat;

Status part_error(std::string_view part, std::string_view text, std::string_view why) {
  return Status::invalid_argument(
      concat("'", part, "' in '", text, "' ", why, "; rows are given as 0,5,-1 or 10:20 or ::2"));
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (size_t begin = 0;;) {
    const size_t end = text.find(separator, begin);
    parts.push_back(text.substr(begin, end == std::string_view::npos ? end : end - begin));
    if (end == std::string_view::npos) return parts;
    begin = end + 1;
  }
}

Result<Rows> parse_slice(std::string_view part, std::string_view text) {
  const auto fields = split(part, ':');
  if (fields.size() > 3) return part_error(part, text, "has more than two ':'");
  std::optional<int64_t> numbers[3];
  for (size_t i = 0; i < fields.size(); ++i) {
    if (fields[i].empty()) continue;
    const Result<int64_t> number = parse_integer(fields[i]);
    if (!number) return part_error(part, text, number.status().message());
    numbers[i] = *number;
  }
  if (numbers[2] == 0) return part_error(part, text, "has a step of 0");
  return Rows::range(numbers[0], numbers[1], numbers[2].value_or(1));
}

}  // namespace

Result<int64_t> parse_integer(std::string_view text) {
  int64_t value = 0;
  const auto result = std::from_chars(text.data(), text.data() + text.size(), value);
  if (result.ec == std::errc::result_out_of_range) {
    return Status::invalid_argument(concat("has a number, '", text, "', beyond 64 bits"));
  }
  if (result.ec != std::errc() || result.ptr != text.data() + text.size()) {
    return Status::invalid_argument(concat("is no row: '", text, "' is no integer"));
  }
  return value;
}

Result<RowSelection> RowSelection::parse(std::string_view text) {
  RowSelection selection;
  std::vector<int64_t> list;  // Integers that follow one another are one part.
  const auto end_list = [&] {
    if (!list.empty()) selection.parts_.push_back(Rows::list(std::move(list)));
    list.clear();
  };
  for (const std::string_view part : split(text, ',')) {
    if (part.empty()) return part_error(part, text, "is empty, a row is missing");
    if (part.find(':') == std::string_view::npos) {
      const Result<int64_t> row = parse_integer(part);
      if (!row) return part_error(part, text, row.status().message());
      list.push_back(*row);
      continue;
    }
    end_list();
    NPK_ASSIGN_OR_RETURN(Rows slice, parse_slice(part, text));
    selection.parts_.push_back(std::move(slice));
  }
  end_list();
  return selection;
}

Result<Rows> RowSelection::rows(uint64_t row_count) const {
  if (parts_.size() == 1) return parts_.front();
  NPK_ASSIGN_OR_RETURN(const std::vector<uint64_t> all, numbers(row_count));
  return Rows::list({all.begin(), all.end()});
}

Result<std::vector<uint64_t>> RowSelection::numbers(uint64_t row_count) const {
  std::vector<uint64_t> all;
  for (const Rows& part : parts_) {
    NPK_ASSIGN_OR_RETURN(const std::vector<uint64_t> rows, part.resolve(row_count));
    all.insert(all.end(), rows.begin(), rows.end());
  }
  return all;
}

}  // namespace npk::cli
