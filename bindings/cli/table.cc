#include "bindings/cli/table.h"

#include <algorithm>

namespace npk::cli {
namespace {

constexpr size_t kStretchRows = 1'000;

/// Characters, not bytes: UTF-8 continuation bytes take no place.
size_t display_width(std::string_view text) {
  return static_cast<size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xc0) != 0x80;
  }));
}

}  // namespace

Table::Table(Console& console, std::vector<Column> columns)
    : console_(console), columns_(std::move(columns)) {
  for (const Column& column : columns_) widths_.push_back(display_width(column.heading));
}

void Table::add(std::vector<std::string> cells) {
  for (size_t i = 0; i < cells.size(); ++i) {
    widths_[i] = std::max(widths_[i], display_width(cells[i]));
  }
  pending_.push_back(std::move(cells));
  if (pending_.size() == kStretchRows) flush();
}

void Table::flush() {
  if (!has_printed_heading_) {
    std::vector<std::string> headings;
    for (const Column& column : columns_) headings.push_back(column.heading);
    print_line(headings, true);
    has_printed_heading_ = true;
  }
  for (const auto& cells : pending_) print_line(cells, false);
  pending_.clear();
}

void Table::print_line(const std::vector<std::string>& cells, bool is_heading) {
  std::string line;
  for (size_t i = 0; i < cells.size(); ++i) {
    const std::string padding(widths_[i] - std::min(widths_[i], display_width(cells[i])), ' ');
    if (i > 0) line += "  ";
    if (columns_[i].align == Align::kRight) {
      line += padding + cells[i];
    } else {
      line += cells[i];
      if (i + 1 < cells.size()) line += padding;
    }
  }
  console_.write((is_heading ? console_.styled(line, Style::kHeading) : line) + "\n");
}

}  // namespace npk::cli
