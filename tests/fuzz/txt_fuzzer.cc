// Text files: a file is refused, or its rows are its lines, filled up with zeros; read in blocks as
// an import reads them, with and without a width that was asked for.
#include <algorithm>
#include <cstring>
#include <string_view>

#include "formats/format.h"
#include "npk/internal/text.h"
#include "tests/fuzz/fuzzers.h"
#include "tests/support/memory_file.h"

namespace npk::testing {
namespace {

std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    if (end != std::string_view::npos && line.ends_with('\r')) line.remove_suffix(1);
    lines.push_back(line);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return lines;
}

std::string check_block(std::span<const std::string_view> lines, uint64_t width, io::Bytes rows) {
  for (size_t i = 0; i < lines.size(); ++i) {
    const std::string_view row(reinterpret_cast<const char*>(rows.data()) + i * width, width);
    if (!row.starts_with(lines[i]) ||
        row.find_first_not_of('\0', lines[i].size()) != std::string_view::npos) {
      return internal::concat("a row is not its line '", lines[i], "'");
    }
  }
  return {};
}

std::string check_width(io::Bytes input, uint64_t width_bytes) {
  const auto reader = formats::open_txt(std::make_unique<MemoryFile>(input), {width_bytes});
  if (!reader.is_ok()) return {};
  const auto lines = lines_of({reinterpret_cast<const char*>(input.data()), input.size()});
  const Shape& shape = (*reader)->shape();
  if (shape.size() != 2 || shape[0] != lines.size()) return "not as many rows as lines";
  if (width_bytes != 0 && shape[1] != width_bytes) return "not the width that was asked for";
  const uint64_t block = formats::block_rows(shape[1]);
  for (uint64_t row = 0; row < shape[0]; row += block) {
    const uint64_t end = std::min(shape[0], row + block);
    Input rows((end - row) * shape[1]);
    const Status status = (*reader)->read(row, end, rows);
    if (!status.is_ok()) return status.to_string();
    if (shape[1] == 0) continue;
    std::string wrong = check_block(std::span(lines).subspan(row, end - row), shape[1], rows);
    if (!wrong.empty()) return wrong;
  }
  return {};
}

}  // namespace

std::string run_txt(io::Bytes input) {
  std::string wrong = check_width(input, 0);
  return wrong.empty() ? check_width(input, 16) : wrong;
}

std::vector<Input> txt_seeds() {
  std::vector<Input> seeds;
  for (const std::string_view text :
       {"", "vim  Vi IMproved\n\nemacs\n", "one\r\ntwo\r\nno end", "\n\n\n", "\xff\xfe\r\r\n"}) {
    const auto bytes = std::as_bytes(std::span(text));
    seeds.emplace_back(bytes.begin(), bytes.end());
  }
  return seeds;
}

}  // namespace npk::testing
