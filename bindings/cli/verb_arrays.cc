// drop, clone, compact, attrs.
#include "bindings/cli/progress.h"
#include "bindings/cli/table.h"
#include "bindings/cli/verb.h"
#include "npk/internal/text.h"

namespace npk::cli {
namespace {

using internal::concat;

struct Arguments {
  StoreArguments store;
  std::vector<std::string> names;
  std::string name;
  std::string target;
  std::optional<std::string> attributes;
};

Result<int> run_drop(Console& console, const Arguments& arguments) {
  NPK_ASSIGN_OR_RETURN(ParallelIO store, open_store(arguments.store, Access::kWrite));
  NPK_ASSIGN_OR_RETURN(const auto names, split_names(store, arguments.names));
  NPK_RETURN_IF_ERROR(store.drop_arrays(names));
  NPK_RETURN_IF_ERROR(store.close());
  console.note(concat("dropped ", counted(names.size(), "array")));
  Json object = console.object();
  object["store"] = arguments.store.path;
  object["dropped"] = names;
  console.print(object);
  return kSuccess;
}

Result<int> run_clone(Console& console, const Arguments& arguments) {
  NPK_ASSIGN_OR_RETURN(ParallelIO store, open_store(arguments.store, Access::kWrite));
  {
    const ProgressBar bar(console, concat("cloning ", arguments.name));
    NPK_RETURN_IF_ERROR(store.clone_array(arguments.name, arguments.target));
  }
  NPK_ASSIGN_OR_RETURN(const ArrayMetadata array, store.get_array_metadata(arguments.target));
  NPK_RETURN_IF_ERROR(store.close());
  console.note(concat("cloned ", arguments.name, " to ", array.name, ": ", describe(array)));
  Json object = console.object();
  object["store"] = arguments.store.path;
  object["source"] = arguments.name;
  object["array"] = array.name;
  object["dtype"] = dtype_name(array.dtype);
  object["shape"] = json_shape(array.shape);
  console.print(object);
  return kSuccess;
}

Result<int> run_compact(Console& console, const Arguments& arguments) {
  NPK_ASSIGN_OR_RETURN(ParallelIO store, open_store(arguments.store, Access::kWrite));
  NPK_ASSIGN_OR_RETURN(auto names, split_names(store, arguments.names));
  if (names.empty()) {
    NPK_ASSIGN_OR_RETURN(names, store.list_arrays());
  }
  Json list = Json::array();
  for (const std::string& name : names) {
    NPK_ASSIGN_OR_RETURN(const ArrayMetadata before, store.get_array_metadata(name));
    {
      ProgressBar bar(console, concat("compacting ", name));
      NPK_RETURN_IF_ERROR(store.compact_array(name, bar.callback()));
    }
    NPK_ASSIGN_OR_RETURN(const ArrayMetadata after, store.get_array_metadata(name));
    console.note(before.deleted_rows == 0
                     ? concat(name, " has no deleted rows: nothing to give back")
                     : concat("compacted ", name, ": ", human_bytes(before.size_bytes), " to ",
                              human_bytes(after.size_bytes)));
    list.push_back({{"array", name},
                    {"size_bytes_before", before.size_bytes},
                    {"size_bytes_after", after.size_bytes}});
  }
  NPK_RETURN_IF_ERROR(store.close());
  Json object = console.object();
  object["store"] = arguments.store.path;
  object["arrays"] = std::move(list);
  console.print(object);
  return kSuccess;
}

Result<int> run_attrs(Console& console, const Arguments& arguments) {
  const Access access = arguments.attributes ? Access::kWrite : Access::kRead;
  NPK_ASSIGN_OR_RETURN(ParallelIO store, open_store(arguments.store, access));
  if (arguments.attributes) {
    NPK_RETURN_IF_ERROR(store.set_attributes(arguments.name, *arguments.attributes));
  }
  NPK_ASSIGN_OR_RETURN(const std::string text, store.get_attributes(arguments.name));
  NPK_RETURN_IF_ERROR(store.close());
  Json attributes = Json::parse(text, nullptr, false);
  if (attributes.is_discarded()) attributes = text;
  Json object = console.object();
  object["store"] = arguments.store.path;
  object["array"] = arguments.name;
  object["attributes"] = attributes;
  if (!console.json && !arguments.attributes) {
    console.write(attributes.dump(2, ' ', true, Json::error_handler_t::replace) + "\n");
  }
  console.print(object);
  return kSuccess;
}

}  // namespace

Run define_drop(Options& options) {
  auto arguments = std::make_shared<Arguments>();
  add_store(options, arguments->store);
  options.add("NAMES", arguments->names, "The arrays, all or none: NAME NAME or NAME,NAME")
      .required();
  add_writing(options, arguments->store);
  return [arguments](Console& console) { return run_drop(console, *arguments); };
}

Run define_clone(Options& options) {
  auto arguments = std::make_shared<Arguments>();
  add_store(options, arguments->store);
  options.add("SOURCE", arguments->name, "The array to copy").required();
  options.add("TARGET", arguments->target, "Name of the copy").required();
  add_writing(options, arguments->store);
  return [arguments](Console& console) { return run_clone(console, *arguments); };
}

Run define_compact(Options& options) {
  auto arguments = std::make_shared<Arguments>();
  add_store(options, arguments->store);
  options.add("NAMES", arguments->names, "The arrays; all of the store if none is given");
  add_writing(options, arguments->store);
  return [arguments](Console& console) { return run_compact(console, *arguments); };
}

Run define_attrs(Options& options) {
  auto arguments = std::make_shared<Arguments>();
  add_store(options, arguments->store);
  options.add("NAME", arguments->name, "The array").required();
  options.add("--set", arguments->attributes, "Replace the attributes by this JSON object")
      .of_type("JSON");
  add_writing(options, arguments->store);
  return [arguments](Console& console) { return run_attrs(console, *arguments); };
}

}  // namespace npk::cli
