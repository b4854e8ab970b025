// head, rows.
#include <algorithm>
#include <numeric>

#include "bindings/cli/values.h"
#include "bindings/cli/verb.h"
#include "npk/internal/text.h"

namespace npk::cli {
namespace {

using internal::concat;

struct Arguments {
  StoreArguments store;
  std::string name;
  RowSelection rows;
  uint64_t count = 10;
  PrintOptions print;
};

/// Prints rows `numbers` of an array that is not 0-d.
Result<int> print_selected(Console& console, const Arguments& arguments, const ParallelIO& store,
                           const Rows& rows, const std::vector<uint64_t>& numbers) {
  NPK_ASSIGN_OR_RETURN(const Array values, store.read_rows(arguments.name, rows));
  // Rows may have been deleted between the count and the reading.
  if (values.rows() != numbers.size()) {
    return Status::out_of_range(
        concat("array '", arguments.name, "' was changed while its rows were read; try again"));
  }
  Json object = console.object();
  object["store"] = arguments.store.path;
  object["array"] = arguments.name;
  NPK_RETURN_IF_ERROR(print_rows(console, std::move(object), values, numbers, arguments.print));
  return kSuccess;
}

Result<int> run_head(Console& console, const Arguments& arguments) {
  NPK_ASSIGN_OR_RETURN(const ParallelIO store, open_store(arguments.store, Access::kRead));
  NPK_ASSIGN_OR_RETURN(const Shape shape, store.get_shape(arguments.name));
  if (!shape.empty()) {
    const uint64_t count = std::min(arguments.count, shape[0]);
    std::vector<uint64_t> numbers(count);
    std::iota(numbers.begin(), numbers.end(), uint64_t{0});
    return print_selected(console, arguments, store, Rows::range(0, static_cast<int64_t>(count)),
                          numbers);
  }
  NPK_ASSIGN_OR_RETURN(const Array value, store.load_array(arguments.name));
  Json object = console.object();
  object["store"] = arguments.store.path;
  object["array"] = arguments.name;
  NPK_RETURN_IF_ERROR(print_rows(console, std::move(object), value, {}, arguments.print));
  return kSuccess;
}

Result<int> run_rows(Console& console, const Arguments& arguments) {
  NPK_ASSIGN_OR_RETURN(const ParallelIO store, open_store(arguments.store, Access::kRead));
  NPK_ASSIGN_OR_RETURN(const Shape shape, store.get_shape(arguments.name));
  if (shape.empty()) {
    return Status::invalid_argument(concat("array '", arguments.name,
                                           "' is one value without rows (0-d); 'npk head' "
                                           "prints it"));
  }
  NPK_ASSIGN_OR_RETURN(const auto numbers, arguments.rows.numbers(shape[0]));
  NPK_ASSIGN_OR_RETURN(const Rows rows, arguments.rows.rows(shape[0]));
  return print_selected(console, arguments, store, rows, numbers);
}

void add_array(Options& options, Arguments& arguments) {
  add_store(options, arguments.store);
  options.add("NAME", arguments.name, "The array").required();
}

void add_printing(Options& options, Arguments& arguments) {
  add_count(options, "--columns", arguments.print.columns,
            "Values shown of a row in a table, 0 for all; --json always prints all");
  options.add_flag("--text", arguments.print.as_text, "Print uint8 rows as the text they hold");
}

}  // namespace

Run define_head(Options& options) {
  auto arguments = std::make_shared<Arguments>();
  add_array(options, *arguments);
  add_count(options, "-n,--count", arguments->count, "How many rows");
  add_printing(options, *arguments);
  return [arguments](Console& console) { return run_head(console, *arguments); };
}

Run define_rows(Options& options) {
  auto arguments = std::make_shared<Arguments>();
  add_array(options, *arguments);
  add_rows(options, "ROWS", arguments->rows,
           "Which rows, as in Python: 0,5,-1 or 10:20 or ::2, also mixed")
      .required();
  add_printing(options, *arguments);
  return [arguments](Console& console) { return run_rows(console, *arguments); };
}

}  // namespace npk::cli
