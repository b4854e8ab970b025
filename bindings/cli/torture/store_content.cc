#include "bindings/cli/torture/store_content.h"

#include <algorithm>
#include <cstring>

#include <nlohmann/json.hpp>

#include "npk/internal/text.h"

namespace npk::testing {

using internal::concat;

#define NPK_DIFFERENCE_IF_ERROR(result) \
  if (!(result).is_ok()) return concat(#result ": ", (result).status().to_string())

std::string bytes_difference(std::string_view what, const std::byte* got, uint64_t got_bytes,
                             const std::vector<std::byte>& wanted, uint64_t row_bytes) {
  if (got_bytes != wanted.size()) {
    return concat(what, " has ", got_bytes, " bytes instead of ", wanted.size());
  }
  if (wanted.empty() || std::memcmp(got, wanted.data(), wanted.size()) == 0) return {};
  const auto at = std::mismatch(wanted.begin(), wanted.end(), got).first - wanted.begin();
  return concat(what, " differs from byte ", at, " on (row ",
                static_cast<uint64_t>(at) / std::max<uint64_t>(row_bytes, 1), ")");
}

std::string load_difference(const StoreReader& store, const std::string& name,
                            const ModelArray& array) {
  auto loaded = store.load_array(name);
  NPK_DIFFERENCE_IF_ERROR(loaded);
  if (loaded->dtype() != array.dtype) {
    return concat("type is ", dtype_name(loaded->dtype()), " instead of ", dtype_name(array.dtype));
  }
  if (loaded->shape() != array.shape) {
    return concat("shape is ", shape_to_string(loaded->shape()), " instead of ",
                  shape_to_string(array.shape));
  }
  return bytes_difference("load_array", loaded->data(), loaded->size_bytes(), array.bytes,
                          array.row_bytes());
}

std::string metadata_difference(const StoreReader& store, const std::string& name,
                                const ModelArray& array, ArrayMetadata& metadata) {
  auto found = store.get_array_metadata(name);
  NPK_DIFFERENCE_IF_ERROR(found);
  metadata = *found;
  if (metadata.name != name) return "metadata has another name";
  if (metadata.dtype != array.dtype || metadata.shape != array.shape) {
    return concat("metadata says ", dtype_name(metadata.dtype), shape_to_string(metadata.shape));
  }
  if (metadata.row_bytes != array.row_bytes() ||
      metadata.size_bytes != metadata.row_bytes * metadata.physical_rows ||
      metadata.physical_rows - metadata.deleted_rows != array.rows()) {
    return concat("metadata: row_bytes ", metadata.row_bytes, ", size_bytes ", metadata.size_bytes,
                  ", physical_rows ", metadata.physical_rows, ", deleted_rows ",
                  metadata.deleted_rows);
  }
  if (metadata.created_us <= 0 || metadata.created_us > metadata.modified_us) {
    return concat("created at ", metadata.created_us, ", modified at ", metadata.modified_us);
  }
  auto modified_us = store.get_modify_time(name);
  NPK_DIFFERENCE_IF_ERROR(modified_us);
  if (*modified_us != metadata.modified_us) return "two modify times";
  auto attributes = store.get_attributes(name);
  NPK_DIFFERENCE_IF_ERROR(attributes);
  if (*attributes != metadata.attributes) return "metadata has other attributes";
  if (nlohmann::json::parse(*attributes, nullptr, false) !=
      nlohmann::json::parse(array.attributes)) {
    return concat("attributes are ", *attributes, " instead of ", array.attributes);
  }
  return {};
}

std::string names_difference(const StoreReader& store, const Model& model) {
  auto names = store.list_arrays();
  NPK_DIFFERENCE_IF_ERROR(names);
  std::vector<std::string> wanted;
  for (const auto& entry : model) wanted.push_back(entry.first);
  if (*names == wanted) return {};
  std::string text = "arrays are";
  for (const std::string& name : *names) text += concat(" '", name.substr(0, 30), "'");
  text += " instead of";
  for (const std::string& name : wanted) text += concat(" '", name.substr(0, 30), "'");
  return text;
}

std::string content_difference(const StoreReader& store, const Model& model) {
  std::string text = names_difference(store, model);
  for (auto array = model.begin(); text.empty() && array != model.end(); ++array) {
    ArrayMetadata metadata;
    text = load_difference(store, array->first, array->second);
    if (text.empty()) text = metadata_difference(store, array->first, array->second, metadata);
    if (!text.empty()) text = concat("'", array->first.substr(0, 40), "': ", text);
  }
  return text;
}

Result<Model> read_model(const StoreReader& store) {
  Model model;
  NPK_ASSIGN_OR_RETURN(const auto names, store.list_arrays());
  for (const std::string& name : names) {
    NPK_ASSIGN_OR_RETURN(const Array loaded, store.load_array(name));
    NPK_ASSIGN_OR_RETURN(std::string attributes, store.get_attributes(name));
    ModelArray& array = model[name];
    array.dtype = loaded.dtype();
    array.shape = loaded.shape();
    array.bytes.assign(loaded.data(), loaded.data() + loaded.size_bytes());
    array.attributes = std::move(attributes);
  }
  return model;
}

std::string verify_damage(const std::string& path) {
  const auto report = verify_store(path);
  if (!report.is_ok()) return report.status().to_string();
  std::string text;
  for (const VerifyFinding& finding : report->findings) {
    if (finding.severity != VerifyFinding::Severity::kDamage) continue;
    text += concat(finding.path, ": ", finding.message, "\n");
  }
  return text;
}

}  // namespace npk::testing
