// SearchOutput: how `npk search` prints its answers: a table, one JSON object, or one object a
// query.
//
// Thread safety: one thread.
#ifndef NPK_BINDINGS_CLI_SEARCH_OUTPUT_H_
#define NPK_BINDINGS_CLI_SEARCH_OUTPUT_H_

#include <cstdint>
#include <optional>
#include <string>

#include "bindings/cli/console.h"
#include "bindings/cli/labels.h"
#include "bindings/cli/table.h"

namespace npk::cli {

enum class SearchFormat : uint8_t {
  kTable,
  kJson,      ///< One object for all queries.
  kJsonLines  ///< An object in a line of its own for each query.
};

class SearchOutput {
 public:
  /// `labels` may be null. `of_many`: the answers are numbered by query. Lifetime: of all.
  SearchOutput(Console& console, SearchFormat format, const Labels* labels, bool of_many)
      : console_(console), format_(format), labels_(labels), of_many_(of_many) {}
  /// The answer to the next query.
  void add(const TopK& hits);
  /// Prints what is left: `object` and the answers in it, with `stats` if it is no null.
  void finish(Json object, const Json& stats);

 private:
  [[nodiscard]] Json json_hits(const TopK& hits) const;
  void print_rows(const TopK& hits);
  void open_table(const TopK& hits);

  Console& console_;
  SearchFormat format_;
  const Labels* labels_;
  bool of_many_;
  bool has_descriptions_ = false;
  uint64_t next_query_ = 0;
  Json answers_ = Json::array();
  std::optional<Table> table_;
};

}  // namespace npk::cli

#endif  // NPK_BINDINGS_CLI_SEARCH_OUTPUT_H_
