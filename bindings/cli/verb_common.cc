// What many verbs have in common: their store, their rows, how they describe an array.
#include <algorithm>
#include <charconv>
#include <limits>
#include <utility>

#include "bindings/cli/verb.h"
#include "npk/internal/text.h"

namespace npk::cli {
namespace {

using internal::concat;

constexpr std::pair<const char*, Durability> kDurabilities[] = {
    {"none", Durability::kNone}, {"process", Durability::kProcess}, {"power", Durability::kPower}};

template <typename Count>
Option add_count_option(Options& options, const std::string& name, Count& value,
                        const std::string& description) {
  return options
      .add(
          name,
          [&value](const std::string& text) -> Status {
            const char* const end = text.data() + text.size();
            const auto result = std::from_chars(text.data(), end, value);
            if (result.ec == std::errc() && result.ptr == end) return {};
            return Status::invalid_argument(
                concat("'", text, "' is no integer of 0 to ", std::numeric_limits<Count>::max()));
          },
          description)
      .with_default(std::to_string(value))
      .of_type("N");
}

}  // namespace

void add_store(Options& options, StoreArguments& store) {
  options.add("STORE", store.path, "Directory of the store").required();
  options.add_flag("--allow-unsafe-filesystem", store.options.allow_unsafe_filesystem,
                   "Accept NFS, SMB and 9p: use the store from one machine only");
}

void add_writing(Options& options, StoreArguments& store) {
  options
      .add(
          "--durability",
          [&store](const std::string& text) -> Status {
            for (const auto& [name, durability] : kDurabilities) {
              if (text != name) continue;
              store.options.durability = durability;
              return {};
            }
            return Status::invalid_argument(
                concat("'", text, "' is none of none, process and power"));
          },
          "What the change survives once the command returns: process is kill -9, power also power "
          "cuts")
      .with_default("process")
      .of_type("none|process|power");
  add_count(options, "--lock-timeout-ms", store.options.lock_timeout_ms,
            "Longest wait for another writer; then exit code 4")
      .of_type("MS");
}

Option add_count(Options& options, const std::string& name, uint64_t& value,
                 const std::string& description) {
  return add_count_option(options, name, value, description);
}
Option add_count(Options& options, const std::string& name, uint32_t& value,
                 const std::string& description) {
  return add_count_option(options, name, value, description);
}

Option add_rows(Options& options, const std::string& name, RowSelection& rows,
                const std::string& description) {
  return options
      .add(
          name,
          [&rows](const std::string& text) -> Status {
            NPK_ASSIGN_OR_RETURN(rows, RowSelection::parse(text));
            return {};
          },
          description)
      .of_type("ROWS");
}

Result<ParallelIO> open_store(const StoreArguments& store, Access access) {
  StoreOptions options = store.options;
  options.create_if_missing = false;
  options.read_only = access == Access::kRead;
  Result<ParallelIO> opened = ParallelIO::open(store.path, options);
  if (opened.status().code() != StatusCode::kNotFound) return opened;
  return Status::not_found(
             "there is no store here; check the path, or make one with 'npk import "
             "FILE STORE'")
      .with_path(opened.status().path().empty() ? store.path : opened.status().path());
}

Result<std::vector<std::string>> split_names(const ParallelIO& store,
                                             const std::vector<std::string>& texts) {
  std::vector<std::string> names;
  for (const std::string& text : texts) {
    NPK_ASSIGN_OR_RETURN(const bool is_one, store.has_array(text));
    for (size_t begin = 0; begin <= text.size();) {
      const size_t end = is_one ? text.size() : std::min(text.find(',', begin), text.size());
      if (end == begin) {
        throw UsageError("NAMES", concat("'", text, "' has an empty name"));
      }
      names.push_back(text.substr(begin, end - begin));
      begin = end + 1;
    }
  }
  return names;
}

std::string describe(const ArrayMetadata& array) {
  return concat(dtype_name(array.dtype), " ", shape_to_string(array.shape));
}

Json json_metadata(const ArrayMetadata& array) {
  Json object;
  object["name"] = array.name;
  object["dtype"] = dtype_name(array.dtype);
  object["shape"] = json_shape(array.shape);
  object["row_bytes"] = array.row_bytes;
  object["physical_rows"] = array.physical_rows;
  object["deleted_rows"] = array.deleted_rows;
  object["generation"] = array.generation;
  object["size_bytes"] = array.size_bytes;
  object["checksums"] = checksums_name(array.checksums);
  object["rows_file"] = array.rows_file;
  object["created_us"] = array.created_us;
  object["modified_us"] = array.modified_us;
  // The store has checked that this is an object; only its parser may know larger numbers.
  Json attributes = Json::parse(array.attributes, nullptr, false);
  object["attributes"] = attributes.is_discarded() ? Json(array.attributes) : attributes;
  return object;
}

}  // namespace npk::cli
