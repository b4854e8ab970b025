// Table: aligned columns on stdout.
#ifndef NPK_BINDINGS_CLI_TABLE_H_
#define NPK_BINDINGS_CLI_TABLE_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "bindings/cli/console.h"

namespace npk::cli {

class Table {
 public:
  enum class Align : uint8_t { kLeft, kRight };
  struct Column {
    std::string heading;
    Align align = Align::kLeft;
  };
  Table(Console& console, std::vector<Column> columns);
  ~Table() { flush(); }
  Table(const Table&) = delete;
  Table& operator=(const Table&) = delete;

  /// One cell for each column. Tables of many rows are aligned in stretches, so that they need no
  /// more memory than one.
  void add(std::vector<std::string> cells);
  void flush();

 private:
  void print_line(const std::vector<std::string>& cells, bool is_heading);

  Console& console_;
  std::vector<Column> columns_;
  std::vector<size_t> widths_;
  std::vector<std::vector<std::string>> pending_;
  bool has_printed_heading_ = false;
};

}  // namespace npk::cli

#endif  // NPK_BINDINGS_CLI_TABLE_H_
