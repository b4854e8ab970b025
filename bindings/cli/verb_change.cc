// append, replace, delete.
#include "bindings/cli/progress.h"
#include "bindings/cli/verb.h"
#include "npk/internal/text.h"

namespace npk::cli {
namespace {

using internal::concat;

struct Arguments {
  StoreArguments store;
  std::string name;
  std::string file;
  RowSelection rows;
};

/// The rows of a file, text of the width of the array's rows.
Result<ArrayView> open_rows(const Arguments& arguments, const ArrayMetadata& array) {
  return open_file(arguments.file, {.text_width_bytes = array.row_bytes});
}

Json describe_change(const Console& console, const Arguments& arguments,
                     const ArrayMetadata& array) {
  Json object = console.object();
  object["store"] = arguments.store.path;
  object["array"] = array.name;
  object["shape"] = json_shape(array.shape);
  return object;
}

Result<int> run_append(Console& console, const Arguments& arguments) {
  NPK_ASSIGN_OR_RETURN(ParallelIO store, open_store(arguments.store, Access::kWrite));
  NPK_ASSIGN_OR_RETURN(const ArrayMetadata before, store.get_array_metadata(arguments.name));
  NPK_ASSIGN_OR_RETURN(const ArrayView rows, open_rows(arguments, before));
  {
    const ProgressBar bar(console, concat("appending to ", arguments.name));
    NPK_RETURN_IF_ERROR(store.append_rows(arguments.name, rows));
  }
  NPK_ASSIGN_OR_RETURN(const ArrayMetadata array, store.get_array_metadata(arguments.name));
  NPK_RETURN_IF_ERROR(store.close());
  console.note(
      concat("appended ", counted(rows.rows(), "row"), " to ", array.name, ": ", describe(array)));
  Json object = describe_change(console, arguments, array);
  object["appended_rows"] = rows.rows();
  console.print(object);
  return kSuccess;
}

Result<int> run_replace(Console& console, const Arguments& arguments) {
  NPK_ASSIGN_OR_RETURN(ParallelIO store, open_store(arguments.store, Access::kWrite));
  NPK_ASSIGN_OR_RETURN(const ArrayMetadata array, store.get_array_metadata(arguments.name));
  NPK_ASSIGN_OR_RETURN(const ArrayView values, open_rows(arguments, array));
  NPK_ASSIGN_OR_RETURN(const Rows rows, arguments.rows.rows(row_count(array)));
  {
    const ProgressBar bar(console, concat("replacing rows of ", arguments.name));
    NPK_RETURN_IF_ERROR(store.replace_rows(arguments.name, values, rows));
  }
  NPK_RETURN_IF_ERROR(store.close());
  console.note(concat("replaced ", counted(values.rows(), "row"), " of ", array.name));
  Json object = describe_change(console, arguments, array);
  object["replaced_rows"] = values.rows();
  console.print(object);
  return kSuccess;
}

Result<int> run_delete(Console& console, const Arguments& arguments) {
  NPK_ASSIGN_OR_RETURN(ParallelIO store, open_store(arguments.store, Access::kWrite));
  NPK_ASSIGN_OR_RETURN(const auto names, split_names(store, {arguments.name}));
  WriteBatch batch;
  std::vector<ArrayMetadata> before;
  for (const std::string& name : names) {
    NPK_ASSIGN_OR_RETURN(ArrayMetadata array, store.get_array_metadata(name));
    NPK_ASSIGN_OR_RETURN(Rows rows, arguments.rows.rows(row_count(array)));
    batch.drop_rows(name, std::move(rows));
    before.push_back(std::move(array));
  }
  NPK_RETURN_IF_ERROR(store.commit(batch));
  Json list = Json::array();
  for (const ArrayMetadata& old : before) {
    NPK_ASSIGN_OR_RETURN(const ArrayMetadata array, store.get_array_metadata(old.name));
    const uint64_t deleted = array.deleted_rows - old.deleted_rows;
    console.note(
        concat("deleted ", counted(deleted, "row"), " of ", array.name, ": ", describe(array)));
    list.push_back(
        {{"array", array.name}, {"shape", json_shape(array.shape)}, {"deleted_rows", deleted}});
  }
  NPK_RETURN_IF_ERROR(store.close());
  Json object = console.object();
  object["store"] = arguments.store.path;
  object["arrays"] = std::move(list);
  console.print(object);
  return kSuccess;
}

std::shared_ptr<Arguments> add_array_and_file(Options& options) {
  auto arguments = std::make_shared<Arguments>();
  add_store(options, arguments->store);
  options.add("NAME", arguments->name, "The array").required();
  options
      .add("FILE", arguments->file,
           "Rows of its type and shape: .npy, or .txt lines for uint8 text")
      .required();
  return arguments;
}

}  // namespace

Run define_append(Options& options) {
  auto arguments = add_array_and_file(options);
  add_writing(options, arguments->store);
  return [arguments](Console& console) { return run_append(console, *arguments); };
}

Run define_replace(Options& options) {
  auto arguments = add_array_and_file(options);
  add_rows(options, "--rows", arguments->rows,
           "Which rows, one for each row of the file: 0,5,-1 or 10:20")
      .required();
  add_writing(options, arguments->store);
  return [arguments](Console& console) { return run_replace(console, *arguments); };
}

Run define_delete(Options& options) {
  auto arguments = std::make_shared<Arguments>();
  add_store(options, arguments->store);
  options.add("NAMES", arguments->name, "The array, or several: NAME,NAME").required();
  add_rows(options, "--rows", arguments->rows, "Which rows: 0,5,-1 or 10:20").required();
  add_writing(options, arguments->store);
  return [arguments](Console& console) { return run_delete(console, *arguments); };
}

}  // namespace npk::cli
