// ls, info.
#include <algorithm>

#include "bindings/cli/table.h"
#include "bindings/cli/verb.h"
#include "npk/internal/text.h"

namespace npk::cli {
namespace {

using internal::concat;

struct Arguments {
  StoreArguments store;
  std::string name;
};

Result<std::vector<ArrayMetadata>> all_metadata(const ParallelIO& store) {
  NPK_ASSIGN_OR_RETURN(const std::vector<std::string> names, store.list_arrays());
  std::vector<ArrayMetadata> arrays;
  for (const std::string& name : names) {
    Result<ArrayMetadata> array = store.get_array_metadata(name);
    // Another process may drop it between the two calls: then it is not listed.
    if (!array && array.status().code() == StatusCode::kNotFound) continue;
    NPK_RETURN_IF_ERROR(array.status());
    arrays.push_back(*std::move(array));
  }
  return arrays;
}

Result<int> run_ls(Console& console, const Arguments& arguments) {
  NPK_ASSIGN_OR_RETURN(const ParallelIO store, open_store(arguments.store, Access::kRead));
  NPK_ASSIGN_OR_RETURN(const auto arrays, all_metadata(store));
  if (console.json) {
    Json object = console.object();
    object["store"] = arguments.store.path;
    Json& list = object["arrays"] = Json::array();
    for (const ArrayMetadata& array : arrays) list.push_back(json_metadata(array));
    console.print(object);
    return kSuccess;
  }
  Table table(console, {{"name"},
                        {"dtype"},
                        {"shape"},
                        {"size", Table::Align::kRight},
                        {"deleted", Table::Align::kRight},
                        {"modified"}});
  for (const ArrayMetadata& array : arrays) {
    table.add({printable(array.name), std::string(dtype_name(array.dtype)),
               shape_to_string(array.shape), human_bytes(array.size_bytes),
               std::to_string(array.deleted_rows), human_time(array.modified_us)});
  }
  return kSuccess;
}

void print_field(Console& console, std::string_view field, std::string_view value) {
  constexpr size_t kFieldWidth = 15;
  std::string padded(field);
  padded.resize(std::max(kFieldWidth, field.size() + 1), ' ');
  console.write(concat(console.styled(padded, Style::kHeading), value, "\n"));
}

Result<int> info_of_store(Console& console, const Arguments& arguments, const ParallelIO& store) {
  NPK_ASSIGN_OR_RETURN(const auto arrays, all_metadata(store));
  uint64_t size_bytes = 0;
  uint64_t reclaimable_bytes = 0;
  for (const ArrayMetadata& array : arrays) {
    size_bytes += array.size_bytes;
    reclaimable_bytes += array.deleted_rows * array.row_bytes;
  }
  if (!console.json) {
    print_field(console, "store", printable(arguments.store.path));
    print_field(console, "arrays", std::to_string(arrays.size()));
    print_field(console, "rows files",
                concat(size_bytes, " bytes (", human_bytes(size_bytes), ")"));
    print_field(console, "deleted rows",
                concat(reclaimable_bytes, " bytes (", human_bytes(reclaimable_bytes),
                       ") that 'npk compact' gives back"));
    return kSuccess;
  }
  Json object = console.object();
  object["store"] = arguments.store.path;
  object["size_bytes"] = size_bytes;
  object["reclaimable_bytes"] = reclaimable_bytes;
  Json& list = object["arrays"] = Json::array();
  for (const ArrayMetadata& array : arrays) list.push_back(json_metadata(array));
  console.print(object);
  return kSuccess;
}

Result<int> info_of_array(Console& console, const Arguments& arguments, const ParallelIO& store) {
  NPK_ASSIGN_OR_RETURN(const ArrayMetadata array, store.get_array_metadata(arguments.name));
  if (console.json) {
    Json object = console.object();
    object["store"] = arguments.store.path;
    object["array"] = json_metadata(array);
    console.print(object);
    return kSuccess;
  }
  print_field(console, "array", printable(array.name));
  print_field(console, "dtype", dtype_name(array.dtype));
  print_field(console, "shape", shape_to_string(array.shape));
  print_field(console, "row bytes", std::to_string(array.row_bytes));
  print_field(console, "physical rows", std::to_string(array.physical_rows));
  print_field(console, "deleted rows", std::to_string(array.deleted_rows));
  print_field(console, "size",
              concat(array.size_bytes, " bytes (", human_bytes(array.size_bytes), ")"));
  print_field(console, "checksums", checksums_name(array.checksums));
  print_field(console, "rows file", printable(array.rows_file));
  print_field(console, "generation", std::to_string(array.generation));
  print_field(console, "created", human_time(array.created_us));
  print_field(console, "modified", human_time(array.modified_us));
  print_field(console, "attributes", printable(array.attributes));
  return kSuccess;
}

Result<int> run_info(Console& console, const Arguments& arguments) {
  NPK_ASSIGN_OR_RETURN(const ParallelIO store, open_store(arguments.store, Access::kRead));
  return arguments.name.empty() ? info_of_store(console, arguments, store)
                                : info_of_array(console, arguments, store);
}

}  // namespace

Run define_ls(Options& options) {
  auto arguments = std::make_shared<Arguments>();
  add_store(options, arguments->store);
  return [arguments](Console& console) { return run_ls(console, *arguments); };
}

Run define_info(Options& options) {
  auto arguments = std::make_shared<Arguments>();
  add_store(options, arguments->store);
  options.add("NAME", arguments->name, "The array; the whole store if not given");
  return [arguments](Console& console) { return run_info(console, *arguments); };
}

}  // namespace npk::cli
