// WhereArgument: the rows that `search --where` lets through: ROWS, or a .npy file that holds a
// mask (bool, one value a row) or row numbers (integers).
#ifndef NPK_BINDINGS_CLI_WHERE_ARGUMENT_H_
#define NPK_BINDINGS_CLI_WHERE_ARGUMENT_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "bindings/cli/row_selection.h"
#include "npk/npk.h"

namespace npk::cli {

class WhereArgument {
 public:
  /// Every row.
  WhereArgument() = default;
  /// Does not open the file. Errors: InvalidArgument, for text that is neither rows nor a .npy
  /// file.
  static Result<WhereArgument> parse(std::string_view text);
  /// For an array of `row_count` rows. Errors: those of the file, OutOfRange, InvalidArgument.
  [[nodiscard]] Result<Where> resolve(uint64_t row_count) const;

 private:
  bool is_given_ = false;
  std::string file_;  // Else:
  RowSelection rows_;
};

}  // namespace npk::cli

#endif  // NPK_BINDINGS_CLI_WHERE_ARGUMENT_H_
