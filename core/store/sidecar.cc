#include "core/store/sidecar.h"

#include <algorithm>
#include <cstdio>

#include <nlohmann/json.hpp>

#include "core/store/codec.h"
#include "core/store/names.h"
#include "npk/internal/text.h"
#include "npk/version.h"
#include "simd/crc32c.h"

namespace npk::internal {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view kChecksumMember = ",\n  \"crc32c\": \"";
constexpr size_t kTailBytes = kChecksumMember.size() + 8 + 4;  // xxxxxxxx"\n}\n

constexpr std::string_view kBlockChecksums = "block";

/// Deeper JSON is refused: writing it out again is recursive.
constexpr size_t kMaxNesting = 64;

/// The most brackets open at once, outside of strings.
size_t nesting_depth(std::string_view text) {
  size_t depth = 0;
  size_t deepest = 0;
  bool in_string = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') ++i;
      in_string = c != '"';
    } else if (c == '"') {
      in_string = true;
    } else if (c == '{' || c == '[') {
      deepest = std::max(deepest, ++depth);
    } else if ((c == '}' || c == ']') && depth > 0) {
      --depth;
    }
  }
  return deepest;
}

Json describe(const ArrayState& state) {
  Json json;
  json["npk_array"] = kStoreFormatVersion;
  json["name"] = state.name;
  json["stem"] = state.stem;
  json["id"] = state.id;
  json["dtype"] = dtype_name(state.dtype);
  json["shape"] = state.shape_of(state.rows);
  json["generation"] = state.generation;
  json["created_us"] = state.created_us;
  json["modified_us"] = state.modified_us;
  json["last_record"] = state.last_record;
  if (state.sums != nullptr) json["checksums"] = kBlockChecksums;
  json["attributes"] = Json::parse(state.attributes, nullptr, false);
  return json;
}

Status damage(std::string_view member, std::string_view what) {
  return Status::corruption(concat("sidecar: member \"", member, "\" ", what));
}

template <typename T>
Status get(const Json& json, const char* member, T& out) {
  const auto found = json.find(member);
  if (found == json.end()) return damage(member, "is missing");
  if constexpr (std::is_same_v<T, std::string>) {
    if (!found->is_string()) return damage(member, "is no text");
    out = found->template get<std::string>();
  } else if constexpr (std::is_signed_v<T>) {
    if (!found->is_number_integer()) return damage(member, "is no integer");
    out = found->template get<T>();
  } else {
    if (!found->is_number_unsigned()) return damage(member, "is no integer of 0 or more");
    out = found->template get<T>();
  }
  return {};
}

Status get_shape(const Json& json, ArrayState& state) {
  const auto found = json.find("shape");
  if (found == json.end() || !found->is_array()) return damage("shape", "is no list");
  Shape shape;
  for (const Json& extent : *found) {
    if (!extent.is_number_unsigned()) return damage("shape", "holds what is no extent");
    shape.push_back(extent.get<uint64_t>());
  }
  if (!shape_element_count(shape).is_ok()) return damage("shape", "is impossible");
  state.is_scalar = shape.empty();
  state.rows = state.is_scalar ? 1 : shape[0];
  if (!state.is_scalar) state.row_shape.assign(shape.begin() + 1, shape.end());
  return {};
}

Status get_checksums(const Json& json, ArrayState& state) {
  if (!json.contains("checksums")) return {};
  std::string kind;
  NPK_RETURN_IF_ERROR(get(json, "checksums", kind));
  if (kind != kBlockChecksums) {
    return Status::unsupported(
        concat("array with checksums '", kind, "', which this npk does not know: use a newer one"));
  }
  state.sums = std::make_shared<RowSums>();
  return {};
}

/// OK if `name`, a member's value, is the name of a file of this kind.
Status check_side_file(std::string_view member, const std::string& name, FileKind kind) {
  if (file_kind(name) == kind && name.find('/') == std::string::npos) return {};
  return damage(member, "is no name of such a file");
}

Result<Descriptor> decode(const Json& json) {
  if (!json.is_object()) return Status::corruption("sidecar is no JSON object");
  uint64_t format = 0;
  NPK_RETURN_IF_ERROR(get(json, "npk_array", format));
  if (format > kStoreFormatVersion) {
    return Status::unsupported(concat("array of format ", format, "; this npk reads up to ",
                                      kStoreFormatVersion, ": open it with a newer npk"));
  }
  Descriptor descriptor;
  ArrayState& state = descriptor.state;
  std::string dtype;
  NPK_RETURN_IF_ERROR(get(json, "name", state.name));
  NPK_RETURN_IF_ERROR(get(json, "stem", state.stem));
  NPK_RETURN_IF_ERROR(get(json, "id", state.id));
  NPK_RETURN_IF_ERROR(get(json, "dtype", dtype));
  NPK_RETURN_IF_ERROR(get_shape(json, state));
  NPK_RETURN_IF_ERROR(get(json, "generation", state.generation));
  NPK_RETURN_IF_ERROR(get(json, "created_us", state.created_us));
  NPK_RETURN_IF_ERROR(get(json, "modified_us", state.modified_us));
  NPK_RETURN_IF_ERROR(get(json, "last_record", state.last_record));
  NPK_RETURN_IF_ERROR(get_checksums(json, state));
  auto known = dtype_from_name(dtype);
  if (!known.is_ok()) return Status::unsupported(known.status().message());
  state.dtype = *known;
  if (!check_array_name(state.name).is_ok()) return damage("name", "is no array name");
  // The stem becomes part of a path: only what file_stem() makes may.
  if (file_kind(sidecar_file(state.stem)) != FileKind::kSidecar ||
      state.stem.find('/') != std::string::npos) {
    return damage("stem", "is no file stem");
  }
  if (!is_stem_of(state.stem, state.name)) return damage("stem", "is not one of the name");
  const auto attributes = json.find("attributes");
  if (attributes == json.end() || !attributes->is_object()) {
    return damage("attributes", "is no object");
  }
  state.attributes = attributes->dump();
  return descriptor;
}

}  // namespace

std::string encode_descriptor(const ArrayState& state) { return describe(state).dump(); }

Result<Descriptor> decode_descriptor(std::string_view json) {
  if (nesting_depth(json) > kMaxNesting + 1) return Status::corruption("descriptor nests too deep");
  return decode(Json::parse(json, nullptr, false));
}

std::string encode_sidecar(const ArrayState& state, const SideFiles& files) {
  Json json = describe(state);
  json["deleted_rows"] = state.deleted->count();
  json["deleted_file"] = files.deleted;
  if (state.sums != nullptr) json["sums_file"] = files.sums;
  std::string text = json.dump(2);
  text.resize(text.size() - 2);  // "\n}"
  char checksum[9];
  std::snprintf(checksum, sizeof checksum, "%08x", simd::crc32c(as_bytes(text)));
  return concat(text, kChecksumMember, checksum, "\"\n}\n");
}

Result<Descriptor> decode_sidecar(std::string_view text) {
  if (text.size() < kTailBytes || text.substr(text.size() - 4) != "\"\n}\n" ||
      text.substr(text.size() - kTailBytes, kChecksumMember.size()) != kChecksumMember) {
    return Status::corruption(
               concat("sidecar is cut off or has no checksum at its end (", text.size(), " bytes)"))
        .with_offset(text.size());
  }
  const std::string_view body = text.substr(0, text.size() - kTailBytes);
  char checksum[9];
  std::snprintf(checksum, sizeof checksum, "%08x", simd::crc32c(as_bytes(body)));
  if (text.substr(text.size() - 12, 8) != checksum) {
    return Status::corruption("sidecar fails its checksum").with_offset(0);
  }
  if (nesting_depth(text) > kMaxNesting + 1) return Status::corruption("sidecar nests too deep");
  const Json json = Json::parse(text, nullptr, false);
  NPK_ASSIGN_OR_RETURN(Descriptor descriptor, decode(json));
  NPK_RETURN_IF_ERROR(get(json, "deleted_rows", descriptor.deleted_rows));
  NPK_RETURN_IF_ERROR(get(json, "deleted_file", descriptor.files.deleted));
  if (descriptor.deleted_rows > descriptor.state.rows ||
      (descriptor.deleted_rows != 0) == descriptor.files.deleted.empty()) {
    return damage("deleted_rows", "does not go with the shape or the deleted file");
  }
  if (!descriptor.files.deleted.empty()) {
    NPK_RETURN_IF_ERROR(
        check_side_file("deleted_file", descriptor.files.deleted, FileKind::kDeleted));
  }
  if (json.contains("sums_file") != (descriptor.state.sums != nullptr)) {
    return damage("sums_file", "does not go with the checksums");
  }
  if (descriptor.state.sums != nullptr) {
    NPK_RETURN_IF_ERROR(get(json, "sums_file", descriptor.files.sums));
    NPK_RETURN_IF_ERROR(check_side_file("sums_file", descriptor.files.sums, FileKind::kSums));
  }
  return descriptor;
}

Status check_attributes(std::string_view text, std::string* compact) {
  if (nesting_depth(text) > kMaxNesting) {
    return Status::invalid_argument(
        concat("attributes are nested deeper than ", kMaxNesting, " levels; flatten them"));
  }
  const Json json = Json::parse(text, nullptr, false);
  if (!json.is_object()) {
    return Status::invalid_argument(
        concat("attributes must be a JSON object such as {\"unit\": \"m\"}; found ",
               json.is_discarded() ? "what is no JSON" : json.type_name()));
  }
  *compact = json.dump();
  return {};
}

}  // namespace npk::internal
