// import, export.
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
  bool overwrite = false;
  SaveOptions save;
};

Json describe_transfer(const Console& console, const Arguments& arguments,
                       const ArrayMetadata& array) {
  Json object = console.object();
  object["store"] = arguments.store.path;
  object["array"] = array.name;
  object["file"] = arguments.file;
  object["dtype"] = dtype_name(array.dtype);
  object["shape"] = json_shape(array.shape);
  return object;
}

/// "vectors" of "data/vectors.npy".
std::string stem_of(const std::string& file) {
  const std::string name = file.substr(file.rfind('/') + 1);
  return name.substr(0, name.rfind('.'));
}

Result<ParallelIO> import_with_bar(Console& console, const Arguments& arguments,
                                   const std::string& name) {
  ProgressBar bar(console, concat("importing ", name));
  return import_file(arguments.file, {arguments.store.path, arguments.store.options}, name,
                     {arguments.overwrite, bar.callback(), arguments.save});
}

Result<int> run_import(Console& console, const Arguments& arguments) {
  const std::string name = arguments.name.empty() ? stem_of(arguments.file) : arguments.name;
  NPK_ASSIGN_OR_RETURN(ParallelIO store, import_with_bar(console, arguments, name));
  NPK_ASSIGN_OR_RETURN(const ArrayMetadata array, store.get_array_metadata(name));
  NPK_RETURN_IF_ERROR(store.close());
  console.note(
      concat("imported ", name, ": ", describe(array), ", ", human_bytes(array.size_bytes)));
  console.print(describe_transfer(console, arguments, array));
  return kSuccess;
}

Result<int> run_export(Console& console, const Arguments& arguments) {
  NPK_ASSIGN_OR_RETURN(ParallelIO store, open_store(arguments.store, Access::kRead));
  {
    ProgressBar bar(console, concat("exporting ", arguments.name));
    NPK_RETURN_IF_ERROR(
        export_file(store, arguments.name, arguments.file, {arguments.overwrite, bar.callback()}));
  }
  NPK_ASSIGN_OR_RETURN(const ArrayMetadata array, store.get_array_metadata(arguments.name));
  console.note(concat("exported ", array.name, " to ", arguments.file, ": ", describe(array)));
  console.print(describe_transfer(console, arguments, array));
  return kSuccess;
}

}  // namespace

Run define_import(Options& options) {
  auto arguments = std::make_shared<Arguments>();
  options.add("FILE", arguments->file, "The file, .npy or .txt (one line a row)").required();
  add_store(options, arguments->store);
  options.add("--name", arguments->name, "Name of the array; the file's if not given");
  options.add_flag("--overwrite", arguments->overwrite, "Replace an array of that name");
  options
      .add(
          "--checksums",
          [arguments](const std::string& text) -> Status {
            NPK_ASSIGN_OR_RETURN(arguments->save.checksums, checksums_from_name(text));
            return {};
          },
          "Keep a checksum for each 64 KiB of the rows, for verify; an overwritten array keeps its "
          "own choice")
      .of_type("none|block");
  add_writing(options, arguments->store);
  return [arguments](Console& console) { return run_import(console, *arguments); };
}

Run define_export(Options& options) {
  auto arguments = std::make_shared<Arguments>();
  add_store(options, arguments->store);
  options.add("NAME", arguments->name, "The array").required();
  options.add("FILE", arguments->file, "The file, .npy or .txt (uint8 rows as lines)").required();
  options.add_flag("--overwrite", arguments->overwrite, "Replace a file of that name");
  return [arguments](Console& console) { return run_export(console, *arguments); };
}

}  // namespace npk::cli
