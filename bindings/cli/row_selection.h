// RowSelection: the ROWS argument, "0,5,-1", "10:20", "::2", or a list of both.
//
//   ROWS  := part ("," part)*        part := integer | slice
//   slice := [integer] ":" [integer] [":" [integer]]
//
// Integers and slices mean what they mean in Python; a row that is not there is an error, the ends
// of a slice are clamped.
#ifndef NPK_BINDINGS_CLI_ROW_SELECTION_H_
#define NPK_BINDINGS_CLI_ROW_SELECTION_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "npk/store.h"

namespace npk::cli {

class RowSelection {
 public:
  RowSelection() = default;
  /// Errors: InvalidArgument that names the part that is wrong.
  static Result<RowSelection> parse(std::string_view text);

  /// What the store takes; a slice on its own is not spelt out. Errors: OutOfRange.
  [[nodiscard]] Result<Rows> rows(uint64_t row_count) const;
  /// The number of each selected row. Errors: OutOfRange.
  [[nodiscard]] Result<std::vector<uint64_t>> numbers(uint64_t row_count) const;

 private:
  std::vector<Rows> parts_;
};

/// A decimal integer, all of the text. Errors: InvalidArgument.
Result<int64_t> parse_integer(std::string_view text);

}  // namespace npk::cli

#endif  // NPK_BINDINGS_CLI_ROW_SELECTION_H_
