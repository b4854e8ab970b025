// Verb: one row of the command's table. A verb is its options and one function that makes the calls
// of the public API; adding one is a define_ function and a row in verbs.cc.
#ifndef NPK_BINDINGS_CLI_VERB_H_
#define NPK_BINDINGS_CLI_VERB_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>

#include "bindings/cli/console.h"
#include "bindings/cli/options.h"
#include "bindings/cli/row_selection.h"

namespace npk::cli {

/// Carries a verb out; returns the exit code. Throws UsageError for what is wrong with the
/// arguments and could not be seen while they were parsed.
using Run = std::function<Result<int>(Console&)>;

struct Verb {
  const char* name;
  const char* group;
  const char* summary;
  const char* example;
  Run (*define)(Options& options);
};

std::span<const Verb> verbs() noexcept;

// verb_files.cc
Run define_import(Options& options);
Run define_export(Options& options);
// verb_look.cc
Run define_ls(Options& options);
Run define_info(Options& options);
// verb_rows.cc
Run define_head(Options& options);
Run define_rows(Options& options);
// verb_changes.cc
Run define_changes(Options& options);
// verb_change.cc
Run define_append(Options& options);
Run define_replace(Options& options);
Run define_delete(Options& options);
// verb_arrays.cc
Run define_drop(Options& options);
Run define_clone(Options& options);
Run define_compact(Options& options);
Run define_attrs(Options& options);
// verb_search.cc
Run define_search(Options& options);
// verb_check.cc
Run define_verify(Options& options);
Run define_show_config(Options& options);
// verb_torture.cc
Run define_torture(Options& options);

/// The store of a verb, and how to open it.
struct StoreArguments {
  std::string path;
  StoreOptions options;
};
/// STORE.
void add_store(Options& options, StoreArguments& store);
/// --durability and --lock-timeout-ms, for verbs that write.
void add_writing(Options& options, StoreArguments& store);
/// An option whose text is rows.
Option add_rows(Options& options, const std::string& name, RowSelection& rows,
                const std::string& description);

/// The arrays that `texts` name: "a,b" is two, unless there is one of that very name.
/// Throws UsageError for an empty name.
Result<std::vector<std::string>> split_names(const ParallelIO& store,
                                             const std::vector<std::string>& texts);

/// An option whose text is an integer of 0 to the largest that `value` can hold; its value now is
/// the default.
Option add_count(Options& options, const std::string& name, uint64_t& value,
                 const std::string& description);
Option add_count(Options& options, const std::string& name, uint32_t& value,
                 const std::string& description);

enum class Access : uint8_t { kRead, kWrite };
/// A store that is there; import_file makes those that are not.
Result<ParallelIO> open_store(const StoreArguments& store, Access access);

/// Rows of axis 0; 1 for a 0-d array.
inline uint64_t row_count(const ArrayMetadata& array) {
  return array.shape.empty() ? 1 : array.shape[0];
}
/// "float32 (1000, 384)".
std::string describe(const ArrayMetadata& array);
/// All that is known of an array.
Json json_metadata(const ArrayMetadata& array);

}  // namespace npk::cli

#endif  // NPK_BINDINGS_CLI_VERB_H_
