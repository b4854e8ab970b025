// Values: elements and rows as text and as JSON. Floating-point numbers are printed with the fewest
// digits that give back the same number of the same type.
#ifndef NPK_BINDINGS_CLI_VALUES_H_
#define NPK_BINDINGS_CLI_VALUES_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "bindings/cli/console.h"

namespace npk::cli {

/// "1.5", "nan", "true", "1+2j".
void append_text(std::string& out, DType dtype, const std::byte* element);
/// 1.5, "NaN", true, [1,2].
void append_json(std::string& out, DType dtype, const std::byte* element);
/// A score or another double.
std::string number_text(double value);

struct PrintOptions {
  /// Values shown of a row in a table, the first and the last ones; 0: all.
  uint64_t columns = 8;
  /// Rows are lines of text (uint8, 2-d).
  bool as_text = false;
};

/// Rows as a table, or, with --json, as `object` with the members dtype, shape, rows and values.
/// `numbers`: of each row; empty for a 0-d array.
/// Errors: InvalidArgument if they are to be text and are not.
Status print_rows(Console& console, Json object, const ArrayView& rows,
                  const std::vector<uint64_t>& numbers, const PrintOptions& options);

}  // namespace npk::cli

#endif  // NPK_BINDINGS_CLI_VALUES_H_
