#include "bindings/cli/torture/store_model.h"

#include <algorithm>
#include <cstring>

#include <nlohmann/json.hpp>

#include "npk/internal/text.h"

namespace npk::testing {
namespace {

using internal::concat;
using Kind = Operation::Kind;

constexpr std::string_view kKindNames[] = {"save",  "append",  "replace", "delete_rows",
                                           "drop",  "compact", "clone",   "attributes",
                                           "batch", "sync",    "reset"};

void hash_bytes(uint64_t& hash, const void* data, size_t size) {
  const auto* bytes = static_cast<const unsigned char*>(data);
  for (size_t i = 0; i < size; ++i) hash = (hash ^ bytes[i]) * 0x100000001b3;
  hash = (hash ^ size) * 0x100000001b3;
}

RowChoice random_list(Random& random, uint64_t row_count) {
  RowChoice choice;
  std::vector<int64_t> rows;
  const uint64_t count = row_count == 0 ? 0 : random.below(std::min<uint64_t>(row_count, 20) + 1);
  for (uint64_t i = 0; i < count; ++i) {
    const uint64_t row = random.below(row_count);
    choice.resolved.push_back(row);
    rows.push_back(static_cast<int64_t>(row) -
                   (random.chance(0.3) ? static_cast<int64_t>(row_count) : 0));
  }
  choice.text = "list[";
  for (const int64_t row : rows) choice.text += concat(row, " ");
  choice.text += "]";
  choice.rows = Rows::list(std::move(rows));
  return choice;
}

/// Python's slice.indices(), written for this test.
std::vector<uint64_t> slice_rows(std::optional<int64_t> start, std::optional<int64_t> stop,
                                 int64_t step, uint64_t row_count) {
  const auto count = static_cast<int64_t>(row_count);
  const int64_t low = step > 0 ? 0 : -1;
  const int64_t high = step > 0 ? count : count - 1;
  const auto bound = [&](std::optional<int64_t> given, int64_t otherwise) {
    if (!given) return otherwise;
    return std::clamp(*given < 0 ? *given + count : *given, low, high);
  };
  const int64_t first = bound(start, step > 0 ? low : high);
  const int64_t last = bound(stop, step > 0 ? high : low);
  std::vector<uint64_t> rows;
  for (int64_t row = first; step > 0 ? row < last : row > last; row += step) {
    rows.push_back(static_cast<uint64_t>(row));
  }
  return rows;
}

RowChoice random_range(Random& random, uint64_t row_count) {
  const auto count = static_cast<int64_t>(row_count);
  const auto bound = [&]() -> std::optional<int64_t> {
    if (random.chance(0.25)) return std::nullopt;
    return random.between(-count - 2, count + 2);
  };
  RowChoice choice;
  const auto start = bound();
  const auto stop = bound();
  int64_t step = random.chance(0.5) ? 1 : random.between(-3, 4);
  if (step == 0) step = 1'000'000;
  choice.resolved = slice_rows(start, stop, step, row_count);
  choice.rows = Rows::range(start, stop, step);
  choice.text = concat("range(", start ? std::to_string(*start) : "", ":",
                       stop ? std::to_string(*stop) : "", ":", step, ")");
  return choice;
}

RowChoice random_mask(Random& random, uint64_t row_count) {
  RowChoice choice;
  std::vector<uint8_t> mask(row_count);
  const double density = random.chance(0.2) ? 1.0 : 0.1;
  for (uint64_t row = 0; row < row_count; ++row) {
    if (!random.chance(density)) continue;
    mask[row] = static_cast<uint8_t>(1 + random.below(255));
    choice.resolved.push_back(row);
  }
  choice.rows = Rows::mask(std::move(mask));
  choice.text = concat("mask of ", choice.resolved.size());
  return choice;
}

std::vector<std::pair<std::string, ArrayView>> views_of(const Operation& operation) {
  std::vector<std::pair<std::string, ArrayView>> arrays;
  for (size_t i = 0; i < operation.names.size(); ++i) {
    arrays.emplace_back(operation.names[i], operation.values[i].view());
  }
  return arrays;
}

}  // namespace

uint64_t ModelArray::row_bytes() const {
  uint64_t width = dtype_item_bytes(dtype);
  for (size_t axis = 1; axis < shape.size(); ++axis) width *= shape[axis];
  return width;
}

void ModelArray::append(const Values& values) {
  bytes.insert(bytes.end(), values.bytes.begin(), values.bytes.end());
  shape[0] += values.shape[0];
}

void ModelArray::replace(const Values& values, const std::vector<uint64_t>& rows) {
  const uint64_t width = row_bytes();
  for (size_t i = 0; width > 0 && i < rows.size(); ++i) {
    std::memcpy(&bytes[rows[i] * width], &values.bytes[i * width], width);
  }
}

void ModelArray::delete_rows(const std::vector<uint64_t>& rows) {
  std::vector<bool> is_gone(shape[0]);
  for (const uint64_t row : rows) is_gone[row] = true;
  std::vector<uint64_t> kept;
  for (uint64_t row = 0; row < shape[0]; ++row) {
    if (!is_gone[row]) kept.push_back(row);
  }
  bytes = gather(kept);
  shape[0] = kept.size();
}

std::vector<std::byte> ModelArray::gather(const std::vector<uint64_t>& rows) const {
  const uint64_t width = row_bytes();
  std::vector<std::byte> out(rows.size() * width);
  for (size_t i = 0; width > 0 && i < rows.size(); ++i) {
    std::memcpy(&out[i * width], &bytes[rows[i] * width], width);
  }
  return out;
}

uint64_t model_hash(const Model& model) {
  uint64_t hash = 0xcbf29ce484222325;
  for (const auto& [name, array] : model) {
    hash_bytes(hash, name.data(), name.size());
    hash_bytes(hash, &array.dtype, 1);
    hash_bytes(hash, array.shape.data(), array.shape.size() * sizeof(uint64_t));
    hash_bytes(hash, array.bytes.data(), array.bytes.size());
    const std::string attributes = nlohmann::json::parse(array.attributes).dump();
    hash_bytes(hash, attributes.data(), attributes.size());
  }
  return hash;
}

RowChoice random_rows(Random& random, uint64_t row_count) {
  switch (random.below(8)) {
    case 0:
    case 1:
      return random_range(random, row_count);
    case 2:
      return random_mask(random, row_count);
    case 3:
      if (random.chance(0.3)) {
        RowChoice choice;
        choice.resolved = slice_rows({}, {}, 1, row_count);
        return choice;
      }
      [[fallthrough]];
    default:
      return random_list(random, row_count);
  }
}

std::string to_string(const Operation& operation) {
  std::string text(kKindNames[static_cast<size_t>(operation.kind)]);
  for (const std::string& name : operation.names) {
    text +=
        concat(" '", name.size() > 40 ? concat(name.substr(0, 40), "…", name.size()) : name, "'");
  }
  if (operation.save_options.checksums) {
    text += concat(" checksums ", checksums_name(*operation.save_options.checksums));
  }
  for (const Values& values : operation.values) {
    text += concat(" ", dtype_name(values.dtype), shape_to_string(values.shape),
                   values.strides.empty() ? "" : " strided");
  }
  if (operation.kind == Kind::kReplace || operation.kind == Kind::kDeleteRows) {
    text += concat(" ", operation.rows.text);
  }
  if (operation.kind == Kind::kAttributes) text += concat(" ", operation.attributes);
  for (const Operation& part : operation.parts) text += concat("\n    ", to_string(part));
  return text;
}

void perform(const Operation& operation, Model& model) {
  switch (operation.kind) {
    case Kind::kSave:
      for (size_t i = 0; i < operation.names.size(); ++i) {
        const Values& values = operation.values[i];
        ModelArray& array = model[operation.names[i]];
        array.dtype = values.dtype;  // An overwrite keeps the attributes.
        array.shape = values.shape;
        array.bytes = values.bytes;
      }
      break;
    case Kind::kAppend:
      model.at(operation.names[0]).append(operation.values[0]);
      break;
    case Kind::kReplace:
      model.at(operation.names[0]).replace(operation.values[0], operation.rows.resolved);
      break;
    case Kind::kDeleteRows:
      model.at(operation.names[0]).delete_rows(operation.rows.resolved);
      break;
    case Kind::kDropArrays:
      for (const std::string& name : operation.names) model.erase(name);
      break;
    case Kind::kClone:
      model[operation.names[1]] = model.at(operation.names[0]);
      break;
    case Kind::kAttributes:
      model.at(operation.names[0]).attributes = operation.attributes;
      break;
    case Kind::kBatch:
      for (const Operation& part : operation.parts) perform(part, model);
      break;
    case Kind::kReset:
      model.clear();
      break;
    case Kind::kCompact:
    case Kind::kSync:
      break;
  }
}

Status perform(const Operation& operation, ParallelIO& store) {
  const auto name = [&]() -> const std::string& { return operation.names[0]; };
  switch (operation.kind) {
    case Kind::kSave:
      return store.save_arrays(views_of(operation), operation.save_options);
    case Kind::kAppend:
      return store.append_rows(name(), operation.values[0].view());
    case Kind::kReplace:
      return store.replace_rows(name(), operation.values[0].view(), operation.rows.rows);
    case Kind::kDeleteRows:
      return store.drop_arrays(name(), operation.rows.rows);
    case Kind::kDropArrays:
      return store.drop_arrays(operation.names);
    case Kind::kCompact:
      return store.compact_array(name());
    case Kind::kClone:
      return store.clone_array(name(), operation.names[1]);
    case Kind::kAttributes:
      return store.set_attributes(name(), operation.attributes);
    case Kind::kSync:
      return store.sync_metadata();
    case Kind::kReset:
      return store.reset();
    case Kind::kBatch:
      break;
  }
  WriteBatch batch;
  for (const Operation& part : operation.parts) add_to(part, batch);
  return store.commit(batch);
}

void add_to(const Operation& operation, WriteBatch& batch) {
  const std::string& name = operation.names[0];
  switch (operation.kind) {
    case Kind::kSave:
      batch.save_array(name, operation.values[0].view(), operation.save_options);
      break;
    case Kind::kAppend:
      batch.append_rows(name, operation.values[0].view());
      break;
    case Kind::kReplace:
      batch.replace_rows(name, operation.values[0].view(), operation.rows.rows);
      break;
    case Kind::kDeleteRows:
      batch.drop_rows(name, operation.rows.rows);
      break;
    case Kind::kDropArrays:
      batch.drop_array(name);
      break;
    case Kind::kAttributes:
      batch.set_attributes(name, operation.attributes);
      break;
    default:
      std::abort();
  }
}

}  // namespace npk::testing
