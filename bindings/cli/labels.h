// Labels: a line of text for each row of an array.
//
// They are a text file, whose line i belongs to logical row i, or an array of the store, as
// imported from one. A label may be followed by a tab and a description. There must be as many
// labels as rows: after a delete, a file that was not changed with it would name the wrong rows.
#ifndef NPK_BINDINGS_CLI_LABELS_H_
#define NPK_BINDINGS_CLI_LABELS_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "npk/npk.h"

namespace npk::cli {

class Labels {
 public:
  /// `source`: the name of an array of the store, or else a file.
  /// Errors: NotFound, InvalidArgument (no text, not one for each of the array's rows).
  static Result<Labels> open(const StoreReader& store, const std::string& source,
                             const ArrayMetadata& array);

  struct Label {
    std::string_view text;
    std::string_view description;  ///< After the first tab; empty if there is none.
  };
  /// Valid as long as this object.
  [[nodiscard]] Label at(uint64_t row) const;
  /// The rows with exactly this label, lowest first; never none. Errors: NotFound, with labels that
  /// hold the text.
  [[nodiscard]] Result<std::vector<uint64_t>> find(std::string_view label) const;

 private:
  Labels(ArrayView rows, std::string source) : rows_(std::move(rows)), source_(std::move(source)) {}
  [[nodiscard]] std::string_view line(uint64_t row) const;

  ArrayView rows_;  // uint8, C-contiguous, pinned.
  std::string source_;
};

}  // namespace npk::cli

#endif  // NPK_BINDINGS_CLI_LABELS_H_
