#include "core/store/write_batch.h"

namespace npk {

using Kind = WriteBatch::Operations::Kind;

WriteBatch::WriteBatch() : operations_(std::make_unique<Operations>()) {}
WriteBatch::~WriteBatch() = default;
WriteBatch::WriteBatch(WriteBatch&& other) noexcept = default;
WriteBatch& WriteBatch::operator=(WriteBatch&& other) noexcept = default;

WriteBatch& WriteBatch::save_array(std::string name, ArrayView values, const SaveOptions& options) {
  operations_->list.push_back(
      {Kind::kSave, std::move(name), std::move(values), Rows::all(), {}, options});
  return *this;
}
WriteBatch& WriteBatch::append_rows(std::string name, ArrayView rows) {
  operations_->list.push_back(
      {Kind::kAppend, std::move(name), std::move(rows), Rows::all(), {}, {}});
  return *this;
}
WriteBatch& WriteBatch::replace_rows(std::string name, ArrayView values, Rows rows) {
  operations_->list.push_back(
      {Kind::kReplace, std::move(name), std::move(values), std::move(rows), {}, {}});
  return *this;
}
WriteBatch& WriteBatch::drop_rows(std::string name, Rows rows) {
  operations_->list.push_back({Kind::kDropRows, std::move(name), {}, std::move(rows), {}, {}});
  return *this;
}
WriteBatch& WriteBatch::drop_array(std::string name) {
  operations_->list.push_back({Kind::kDropArray, std::move(name), {}, Rows::all(), {}, {}});
  return *this;
}
WriteBatch& WriteBatch::set_attributes(std::string name, std::string json_object) {
  operations_->list.push_back(
      {Kind::kSetAttributes, std::move(name), {}, Rows::all(), std::move(json_object), {}});
  return *this;
}

bool WriteBatch::empty() const noexcept { return operations_->list.empty(); }
size_t WriteBatch::size() const noexcept { return operations_->list.size(); }
void WriteBatch::clear() { operations_->list.clear(); }

}  // namespace npk
