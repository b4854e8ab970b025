// ParallelIO: the public face of the store. Each method is a plan for StoreCore or a read of it.
#include <algorithm>

#include "core/store/row_copy.h"
#include "core/store/store_handle.h"
#include "npk/internal/text.h"
#include "npk/store.h"

namespace npk {

using internal::ArrayState;
using internal::Catalog;
using internal::StatePtr;
using internal::StoreCore;
using internal::StoreHandle;
using internal::Transaction;

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

Status apply_batch(StoreCore& core, Durability durability, const WriteBatch& batch) {
  return core.commit(durability, [&](Transaction& transaction) -> Status {
    const auto& operations = batch.operations().list;
    for (size_t i = 0; i < operations.size(); ++i) {
      Status status = transaction.add(operations[i]);
      if (status.is_ok()) continue;
      if (operations.size() == 1) return status;
      return std::move(status).with_context(
          internal::concat("operation ", i + 1, " of ", operations.size()));
    }
    return {};
  });
}

}  // namespace

Status validate(const StoreOptions& options) {
  constexpr uint64_t kLeast = 64u << 10;
  constexpr uint64_t kMost = 1u << 30;
  if (options.log_bytes < kLeast || options.log_bytes > kMost) {
    return Status::invalid_argument(internal::concat(
        "log_bytes is ", options.log_bytes, "; it must lie between ", kLeast, " and ", kMost));
  }
  if (static_cast<int>(options.durability) > static_cast<int>(Durability::kPower)) {
    return Status::invalid_argument("durability is none of none, process and power");
  }
  return {};
}

std::string_view checksums_name(Checksums checksums) {
  return checksums == Checksums::kBlock ? "block" : "none";
}

Result<Checksums> checksums_from_name(std::string_view name) {
  for (const Checksums checksums : {Checksums::kNone, Checksums::kBlock}) {
    if (name == checksums_name(checksums)) return checksums;
  }
  return Status::invalid_argument(internal::concat("'", name, "' is none of none and block"));
}

// ---- The handle. ----

Result<ParallelIO> ParallelIO::open(const std::string& path, const StoreOptions& options) {
  return open_store(io::Env::posix(), path, options);
}

Result<ParallelIO> open_store(io::Env& env, const std::string& path, const StoreOptions& options) {
  NPK_ASSIGN_OR_RETURN(auto handle, StoreHandle::open(env, path, options));
  return ParallelIO(std::move(handle));
}

ParallelIO::ParallelIO(std::unique_ptr<StoreHandle> handle) : handle_(std::move(handle)) {}
ParallelIO::ParallelIO(ParallelIO&&) noexcept = default;
ParallelIO& ParallelIO::operator=(ParallelIO&&) noexcept = default;
ParallelIO::~ParallelIO() = default;

Status ParallelIO::close() { return handle_->close(); }
const std::string& ParallelIO::path() const noexcept { return handle_->path(); }
const StoreOptions& ParallelIO::options() const noexcept { return handle_->options(); }

// ---- Writing. ----

Status ParallelIO::commit(const WriteBatch& batch) {
  NPK_ASSIGN_OR_RETURN(StoreCore * core, handle_->core());
  return apply_batch(*core, options().durability, batch);
}

Status ParallelIO::save_arrays(const std::vector<std::pair<std::string, ArrayView>>& arrays,
                               const SaveOptions& options) {
  WriteBatch batch;
  for (const auto& [name, values] : arrays) batch.save_array(name, values, options);
  return commit(batch);
}

Status ParallelIO::append_rows(std::string_view name, const ArrayView& rows) {
  WriteBatch batch;
  batch.append_rows(std::string(name), rows);
  return commit(batch);
}

Status ParallelIO::replace_rows(std::string_view name, const ArrayView& values, const Rows& rows) {
  WriteBatch batch;
  batch.replace_rows(std::string(name), values, rows);
  return commit(batch);
}

Status ParallelIO::drop_arrays(std::string_view name, const Rows& rows) {
  WriteBatch batch;
  batch.drop_rows(std::string(name), rows);
  return commit(batch);
}

Status ParallelIO::drop_arrays(const std::vector<std::string>& names) {
  WriteBatch batch;
  for (const std::string& name : names) batch.drop_array(name);
  return commit(batch);
}

Status ParallelIO::set_attributes(std::string_view name, std::string_view json_object) {
  WriteBatch batch;
  batch.set_attributes(std::string(name), std::string(json_object));
  return commit(batch);
}

Status ParallelIO::compact_array(std::string_view name,
                                 const std::function<bool(uint64_t, uint64_t)>& progress) {
  NPK_ASSIGN_OR_RETURN(StoreCore * core, handle_->core());
  return core->commit_and_checkpoint(options().durability, [&](Transaction& transaction) {
    return transaction.add_compaction(name, progress);
  });
}

Status ParallelIO::clone_array(std::string_view source, std::string_view target) {
  NPK_ASSIGN_OR_RETURN(StoreCore * core, handle_->core());
  return core->commit(options().durability, [&](Transaction& transaction) {
    return transaction.add_clone(source, target);
  });
}

Status internal::save_rows(const ParallelIO& store, const std::string& name,
                           const RowSource& source, const SaveRowsOptions& options) {
  NPK_ASSIGN_OR_RETURN(StoreCore * core, store.handle().core());
  return core->commit(store.options().durability, [&](Transaction& transaction) {
    return transaction.add_source(name, source, options);
  });
}

Status ParallelIO::sync_metadata() {
  NPK_ASSIGN_OR_RETURN(StoreCore * core, handle_->core());
  return core->checkpoint();
}

Status ParallelIO::reset() {
  NPK_ASSIGN_OR_RETURN(StoreCore * core, handle_->core());
  return core->commit_and_checkpoint(
      options().durability, [&](Transaction& transaction) { return transaction.drop_all(); });
}

// ---- Reading. ----

Result<Array> ParallelIO::load_array(std::string_view name) const {
  NPK_ASSIGN_OR_RETURN(StoreCore * core, handle_->core());
  Result<Array> loaded = Status::internal("nothing was read");
  NPK_RETURN_IF_ERROR(core->read_array(name, [&](const StatePtr& state, const Mapped& rows) {
    loaded = Array::uninitialized(state->dtype, state->shape_of(state->live_rows()));
    if (!loaded.is_ok()) return loaded.status();
    copy_row_range(*state, rows->data(), 0, state->live_rows(), loaded->mutable_data());
    return Status();
  }));
  return loaded;
}

Result<ArrayView> ParallelIO::get_array_view(std::string_view name) const {
  NPK_ASSIGN_OR_RETURN(StoreCore * core, handle_->core());
  ArrayView view;
  NPK_RETURN_IF_ERROR(
      core->read_array(name, [&](const StatePtr& state, const Mapped& rows) -> Status {
        uint64_t first = 0;
        if (!state->deleted->empty()) {
          const auto run = state->deleted->next_live_run(0, state->rows);
          if (run.end - run.begin != state->live_rows()) {
            return Status::failed_precondition(internal::concat(
                "array '", name, "' has ", state->deleted->count(),
                " deleted rows between live ones, so it cannot be viewed in one piece: call "
                "compact_array first, or load_array, read_rows or stream_load"));
          }
          first = run.begin;
        }
        view = ArrayView::raw(rows->data() + first * state->row_bytes(), state->dtype,
                              state->shape_of(state->live_rows()), rows);
        return {};
      }));
  return view;
}

Result<Array> ParallelIO::read_rows(std::string_view name, const Rows& selection) const {
  NPK_ASSIGN_OR_RETURN(StoreCore * core, handle_->core());
  Result<Array> read = Status::internal("nothing was read");
  NPK_RETURN_IF_ERROR(
      core->read_array(name, [&](const StatePtr& state, const Mapped& rows) -> Status {
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

Status ParallelIO::read_rows_into(std::string_view name, std::span<const int64_t> rows,
                                  std::span<std::byte> out) const {
  NPK_ASSIGN_OR_RETURN(StoreCore * core, handle_->core());
  const Rows selection = Rows::list({rows.begin(), rows.end()});
  return core->read_array(name, [&](const StatePtr& state, const Mapped& mapping) -> Status {
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

Result<bool> ParallelIO::has_array(std::string_view name) const {
  NPK_ASSIGN_OR_RETURN(StoreCore * core, handle_->core());
  const auto state = core->find(name);
  if (state.is_ok()) return true;
  if (state.status().code() == StatusCode::kNotFound) return false;
  return state.status();
}

Result<std::vector<std::string>> ParallelIO::list_arrays() const {
  NPK_ASSIGN_OR_RETURN(StoreCore * core, handle_->core());
  NPK_ASSIGN_OR_RETURN(const Catalog catalog, core->catalog());
  std::vector<std::string> names;
  names.reserve(catalog.size());
  for (const auto& [name, state] : catalog) names.push_back(name);
  return names;
}

Result<ArrayMetadata> ParallelIO::get_array_metadata(std::string_view name) const {
  NPK_ASSIGN_OR_RETURN(StoreCore * core, handle_->core());
  NPK_ASSIGN_OR_RETURN(const StatePtr state, core->find(name));
  return describe(*state);
}

Result<Shape> ParallelIO::get_shape(std::string_view name) const {
  NPK_ASSIGN_OR_RETURN(StoreCore * core, handle_->core());
  NPK_ASSIGN_OR_RETURN(const StatePtr state, core->find(name));
  return state->shape_of(state->live_rows());
}

Result<int64_t> ParallelIO::get_modify_time(std::string_view name) const {
  NPK_ASSIGN_OR_RETURN(StoreCore * core, handle_->core());
  NPK_ASSIGN_OR_RETURN(const StatePtr state, core->find(name));
  return state->modified_us;
}

Result<std::string> ParallelIO::get_attributes(std::string_view name) const {
  NPK_ASSIGN_OR_RETURN(StoreCore * core, handle_->core());
  NPK_ASSIGN_OR_RETURN(const StatePtr state, core->find(name));
  return state->attributes;
}

}  // namespace npk
