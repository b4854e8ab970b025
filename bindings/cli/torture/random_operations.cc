#include "bindings/cli/torture/random_operations.h"

#include <algorithm>

#include "npk/internal/text.h"

namespace npk::testing {

using internal::concat;
using Kind = Operation::Kind;

std::vector<std::string> awkward_names() {
  const std::string long_stem(1'023, 'x');
  return {"plain",
          "with space",
          "a/b/../c",
          ".",
          "..",
          ".hidden",
          "trailing.",
          "100%",
          "%41",
          "A",
          "STORE",
          "LOCK",
          "log.0",
          "plain.meta",
          "plain.0.rows",
          "Gr\xc3\xb6\xc3\x9f"
          "e \xe6\x95\xb0\xe7\xb5\x84 \xf0\x9f\x98\x80",
          "new\nline\ttab\x01",
          long_stem + "y",
          long_stem + "z",
          std::string(201, 'k')};
}

const std::string& OperationGenerator::any_array(const Model& model) {
  auto array = model.begin();
  std::advance(array, static_cast<std::ptrdiff_t>(random_.below(model.size())));
  return array->first;
}

Operation OperationGenerator::next(const Model& model) {
  if (model.empty()) return save(1 + random_.below(3));
  if (limits_.every_kind) return next_kind(model);
  if (random_.chance(limits_.syncs)) return {};
  Operation operation;
  if (random_.chance(limits_.resets)) {
    operation.kind = Kind::kReset;
    return operation;
  }
  const uint64_t dice = random_.below(100);
  if (dice < 78) return on_one_array(model);
  if (dice < 81) return save(1 + random_.below(3));
  if (dice < 84) return drop(model);
  if (dice < 87) return clone(model);
  if (dice < 90) {
    operation.kind = Kind::kCompact;
    operation.names = {any_array(model)};
    return operation;
  }
  return batch(model);
}

Operation OperationGenerator::next_kind(const Model& model) {
  const auto rows = std::find_if(model.begin(), model.end(),
                                 [](const auto& entry) { return entry.second.rows() > 1; });
  const std::string& name = rows == model.end() ? model.begin()->first : rows->first;
  Operation operation;
  operation.names = {name};
  constexpr uint64_t kKinds = 11;
  switch (rows == model.end() ? kKinds : turn_++ % kKinds) {
    case 0:
      return append(model, name);
    case 1:
      return replace(model, name);
    case 2:
      return delete_rows(model, name);
    case 3:
      return attributes(name);
    case 4:
      return clone(model);
    case 5:
      return batch(model);
    case 6:
      operation.kind = Kind::kCompact;
      return operation;
    case 7:
      return {};  // A checkpoint.
    case 8:
      return drop(model);
    case 9:
      operation.kind = Kind::kReset;
      return operation;
    default:
      return save(2);  // Also of arrays that are there.
  }
}

Operation OperationGenerator::on_one_array(const Model& model) {
  if (model.empty() || random_.chance(0.05)) return save(1);
  const std::string name = any_array(model);
  const ModelArray& array = model.at(name);
  if (random_.chance(0.05)) return attributes(name);
  if (array.shape.empty()) return random_.chance(0.2) ? save(1) : attributes(name);
  if (array.bytes.size() > limits_.max_array_bytes) {
    return random_.chance(0.7) ? delete_rows(model, name) : replace(model, name);
  }
  const uint64_t dice = random_.below(100);
  if (dice < 45) return append(model, name);
  if (dice < 80) return replace(model, name);
  return delete_rows(model, name);
}

Operation OperationGenerator::save(size_t count) {
  Operation operation;
  operation.kind = Kind::kSave;
  if (random_.chance(0.6)) {
    operation.save_options.checksums = random_.chance(0.8) ? Checksums::kBlock : Checksums::kNone;
  }
  for (size_t i = 0; i < count; ++i) {
    const std::string& name = random_.pick(limits_.names);
    if (std::find(operation.names.begin(), operation.names.end(), name) != operation.names.end()) {
      continue;
    }
    operation.names.push_back(name);
    // One draw after the other, here and below: compilers differ in the order of arguments.
    Shape shape = random_shape(random_, limits_.max_rows);
    const DType dtype = random_dtype(random_);
    operation.values.push_back(random_values(random_, dtype, std::move(shape)));
  }
  return operation;
}

Operation OperationGenerator::append(const Model& model, const std::string& name) {
  const ModelArray& array = model.at(name);
  Operation operation;
  operation.kind = Kind::kAppend;
  operation.names = {name};
  Shape shape = array.shape;
  shape[0] = random_.chance(0.03) ? 0 : 1 + random_.below(limits_.max_rows);
  if (random_.chance(limits_.long_appends)) {
    shape[0] = 1 + random_.below(80'000 / (array.row_bytes() + 1) + 1);
  }
  operation.values.push_back(random_values(random_, array.dtype, std::move(shape)));
  return operation;
}

Operation OperationGenerator::replace(const Model& model, const std::string& name) {
  const ModelArray& array = model.at(name);
  Operation operation;
  operation.kind = Kind::kReplace;
  operation.names = {name};
  operation.rows = random_rows(random_, array.shape[0]);
  Shape shape = array.shape;
  shape[0] = operation.rows.resolved.size();
  operation.values.push_back(random_values(random_, array.dtype, std::move(shape)));
  return operation;
}

Operation OperationGenerator::delete_rows(const Model& model, const std::string& name) {
  Operation operation;
  operation.kind = Kind::kDeleteRows;
  operation.names = {name};
  operation.rows = random_rows(random_, model.at(name).shape[0]);
  return operation;
}

Operation OperationGenerator::drop(const Model& model) {
  Operation operation;
  operation.kind = Kind::kDropArrays;
  operation.names = {any_array(model)};
  if (const std::string& other = any_array(model); other != operation.names[0]) {
    operation.names.push_back(other);
  }
  return operation;
}

Operation OperationGenerator::clone(const Model& model) {
  const std::string& target = random_.pick(limits_.names);
  if (model.contains(target)) return save(1);
  Operation operation;
  operation.kind = Kind::kClone;
  operation.names = {any_array(model), target};
  return operation;
}

Operation OperationGenerator::attributes(const std::string& name) {
  Operation operation;
  operation.kind = Kind::kAttributes;
  operation.names = {name};
  operation.attributes = "{}";
  if (!random_.chance(0.1)) {
    const std::string text(random_.below(50), 'q');
    const uint64_t number = random_.below(1'000'000);
    operation.attributes = concat(R"({"number":)", number, R"(,"text":"\u00fc \" \\ / )", text,
                                  R"(","list":[1,2.5,null,true,{"deep":[]}]})");
  }
  return operation;
}

Operation OperationGenerator::batch(const Model& model) {
  Operation operation;
  operation.kind = Kind::kBatch;
  Model scratch = model;
  for (uint64_t i = random_.below(6) + 1; i > 0; --i) {
    Operation part;
    if (!scratch.empty() && random_.chance(0.08)) {
      part.kind = Kind::kDropArrays;
      part.names = {any_array(scratch)};
    } else {
      part = on_one_array(scratch);
    }
    perform(part, scratch);
    operation.parts.push_back(std::move(part));
  }
  return operation;
}

}  // namespace npk::testing
