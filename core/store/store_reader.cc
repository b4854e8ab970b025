// StoreReader: what is the same for a store as it is and as it was. Each method reads one committed
// state. Snapshot, which has no more than that.
#include <algorithm>

#include "core/store/row_copy.h"
#include "core/store/snapshot_state.h"
#include "npk/internal/text.h"
#include "npk/store.h"

namespace npk {

using internal::ArrayState;
using internal::Catalog;
using internal::StatePtr;

namespace {

using Mapped = std::shared_ptr<io::Mapping>;

Status scalar_has_no_rows(std::string_view name) {
  return Status::invalid_argument(
      internal::concat("array '", name, "' is 0-d and has no rows; load_array reads it"));
}

Result<std::vector<uint64_t>> resolve(const ArrayState& state, const Rows& rows) {
  auto list = rows.resolve(state.live_rows());
  if (list.is_ok()) return list;
  return std::move(list).status().with_context(internal::concat("array '", state.name, "'"));
}

ArrayMetadata describe(const ArrayState& state) {
  ArrayMetadata metadata;
  metadata.name = state.name;
  metadata.dtype = state.dtype;
  metadata.shape = state.shape_of(state.live_rows());
  metadata.row_bytes = state.row_bytes();
  metadata.physical_rows = state.rows;
  metadata.deleted_rows = state.deleted->count();
  metadata.generation = state.generation;
  metadata.size_bytes = state.size_bytes();
  metadata.rows_file = state.file->path().substr(state.file->path().rfind('/') + 1);
  metadata.created_us = state.created_us;
  metadata.modified_us = state.modified_us;
  metadata.checksums = state.sums != nullptr ? Checksums::kBlock : Checksums::kNone;
  metadata.attributes = state.attributes;
  return metadata;
}

}  // namespace

Result<Array> StoreReader::load_array(std::string_view name) const {
  NPK_ASSIGN_OR_RETURN(const auto arrays, source());
  Result<Array> loaded = Status::internal("nothing was read");
  NPK_RETURN_IF_ERROR(arrays->read_array(name, [&](const StatePtr& state, const Mapped& rows) {
    loaded = Array::uninitialized(state->dtype, state->shape_of(state->live_rows()));
    if (!loaded.is_ok()) return loaded.status();
    copy_row_range(*state, rows->data(), 0, state->live_rows(), loaded->mutable_data());
    return Status();
  }));
  return loaded;
}

Result<Array> StoreReader::read_rows(std::string_view name, const Rows& selection) const {
  NPK_ASSIGN_OR_RETURN(const auto arrays, source());
  Result<Array> read = Status::internal("nothing was read");
  NPK_RETURN_IF_ERROR(
      arrays->read_array(name, [&](const StatePtr& state, const Mapped& rows) -> Status {
        if (state->is_scalar) return scalar_has_no_rows(name);
        if (const auto run = selection.contiguous(state->live_rows())) {
          read = Array::uninitialized(state->dtype, state->shape_of(run->second - run->first));
          if (!read.is_ok()) return read.status();
          copy_row_range(*state, rows->data(), run->first, run->second, read->mutable_data());
          return {};
        }
        NPK_ASSIGN_OR_RETURN(const auto list, resolve(*state, selection));
        read = Array::uninitialized(state->dtype, state->shape_of(list.size()));
        if (!read.is_ok()) return read.status();
        copy_row_list(*state, rows->data(), list, read->mutable_data());
        return {};
      }));
  return read;
}

Status StoreReader::read_rows_into(std::string_view name, std::span<const int64_t> rows,
                                   std::span<std::byte> out) const {
  NPK_ASSIGN_OR_RETURN(const auto arrays, source());
  const Rows selection = Rows::list({rows.begin(), rows.end()});
  return arrays->read_array(name, [&](const StatePtr& state, const Mapped& mapping) -> Status {
    if (state->is_scalar) return scalar_has_no_rows(name);
    NPK_ASSIGN_OR_RETURN(const auto list, resolve(*state, selection));
    if (out.size() != list.size() * state->row_bytes()) {
      return Status::invalid_argument(internal::concat(list.size(), " rows of array '", name,
                                                       "' need ", list.size() * state->row_bytes(),
                                                       " bytes, but the output has ", out.size()));
    }
    copy_row_list(*state, mapping->data(), list, out.data());
    return {};
  });
}

Result<bool> StoreReader::has_array(std::string_view name) const {
  NPK_ASSIGN_OR_RETURN(const auto arrays, source());
  const auto state = arrays->find(name);
  if (state.is_ok()) return true;
  if (state.status().code() == StatusCode::kNotFound) return false;
  return state.status();
}

Result<std::vector<std::string>> StoreReader::list_arrays() const {
  NPK_ASSIGN_OR_RETURN(const auto arrays, source());
  NPK_ASSIGN_OR_RETURN(const Catalog catalog, arrays->catalog());
  std::vector<std::string> names;
  names.reserve(catalog.size());
  for (const auto& [name, state] : catalog) names.push_back(name);
  return names;
}

Result<ArrayMetadata> StoreReader::get_array_metadata(std::string_view name) const {
  NPK_ASSIGN_OR_RETURN(const auto arrays, source());
  NPK_ASSIGN_OR_RETURN(const StatePtr state, arrays->find(name));
  return describe(*state);
}

Result<Shape> StoreReader::get_shape(std::string_view name) const {
  NPK_ASSIGN_OR_RETURN(const auto arrays, source());
  NPK_ASSIGN_OR_RETURN(const StatePtr state, arrays->find(name));
  return state->shape_of(state->live_rows());
}

Result<int64_t> StoreReader::get_modify_time(std::string_view name) const {
  NPK_ASSIGN_OR_RETURN(const auto arrays, source());
  NPK_ASSIGN_OR_RETURN(const StatePtr state, arrays->find(name));
  return state->modified_us;
}

Result<std::string> StoreReader::get_attributes(std::string_view name) const {
  NPK_ASSIGN_OR_RETURN(const auto arrays, source());
  NPK_ASSIGN_OR_RETURN(const StatePtr state, arrays->find(name));
  return state->attributes;
}

// ---- Snapshot. ----

Snapshot::Snapshot(std::shared_ptr<internal::SnapshotState> state) : state_(std::move(state)) {}
Snapshot::Snapshot(Snapshot&&) noexcept = default;
Snapshot& Snapshot::operator=(Snapshot&&) noexcept = default;
Snapshot::~Snapshot() = default;

void Snapshot::close() { state_ = nullptr; }

uint64_t Snapshot::commit_number() const noexcept {
  return state_ == nullptr ? 0 : state_->commit_number();
}

Result<std::shared_ptr<internal::ArraySource>> Snapshot::source() const {
  if (state_ != nullptr) return std::shared_ptr<internal::ArraySource>(state_);
  return Status::failed_precondition("the snapshot is closed; take another one");
}

}  // namespace npk
