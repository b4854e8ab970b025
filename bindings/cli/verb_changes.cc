// changes.
#include "bindings/cli/verb.h"
#include "npk/internal/text.h"

namespace npk::cli {
namespace {

using internal::concat;

struct Arguments {
  StoreArguments store;
  std::string name;
  uint64_t since = 0;
};

Json json_runs(const std::vector<RowRun>& runs) {
  Json list = Json::array();
  for (const RowRun& run : runs) list.push_back(Json::array({run.begin, run.end}));
  return list;
}

/// "3, 10:20": as `npk rows` takes them.
std::string text_of(const std::vector<RowRun>& runs) {
  std::string text;
  for (const RowRun& run : runs) {
    if (!text.empty()) text += ", ";
    text += run.end == run.begin + 1 ? std::to_string(run.begin) : concat(run.begin, ":", run.end);
  }
  return text.empty() ? "none" : text;
}

Result<int> run_changes(Console& console, const Arguments& arguments) {
  NPK_ASSIGN_OR_RETURN(const ParallelIO store, open_store(arguments.store, Access::kRead));
  NPK_ASSIGN_OR_RETURN(const RowChanges changes,
                       store.rows_changed_since(arguments.name, arguments.since));
  if (console.json) {
    Json object = console.object();
    object["store"] = arguments.store.path;
    object["name"] = arguments.name;
    object["since"] = arguments.since;
    object["commit_number"] = changes.commit_number;
    object["rows"] = changes.rows;
    object["everything"] = changes.everything;
    object["changed"] = json_runs(changes.changed);
    object["deleted"] = json_runs(changes.deleted);
    console.print(object);
    return kSuccess;
  }
  console.write(concat("commit number: ", changes.commit_number, "\n"));
  console.write(concat("changed rows:  ",
                       changes.everything ? "any of them may be another" : text_of(changes.changed),
                       "\n"));
  if (!changes.everything) {
    console.write(concat("deleted rows:  ", text_of(changes.deleted), "\n"));
  }
  return kSuccess;
}

}  // namespace

Run define_changes(Options& options) {
  auto arguments = std::make_shared<Arguments>();
  add_store(options, arguments->store);
  options.add("NAME", arguments->name, "The array").required();
  add_count(options, "--since", arguments->since,
            "A commit number that an earlier call has printed; 0 is the beginning");
  return [arguments](Console& console) { return run_changes(console, *arguments); };
}

}  // namespace npk::cli
