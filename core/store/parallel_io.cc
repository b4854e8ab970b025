// ParallelIO: the public face of the store. Each method is a plan for StoreCore or a read of it.
#include <algorithm>

#include "core/store/snapshot_state.h"
#include "core/store/store_handle.h"
#include "npk/internal/text.h"
#include "npk/store.h"

namespace npk {

using internal::StatePtr;
using internal::StoreCore;
using internal::StoreHandle;
using internal::Transaction;

namespace {

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

Result<std::shared_ptr<internal::ArraySource>> ParallelIO::source() const {
  NPK_ASSIGN_OR_RETURN(auto core, handle_->shared_core());
  return std::shared_ptr<internal::ArraySource>(std::move(core));
}

Result<Snapshot> ParallelIO::snapshot() const {
  NPK_ASSIGN_OR_RETURN(const auto core, handle_->shared_core());
  NPK_ASSIGN_OR_RETURN(auto state, StoreCore::take_snapshot(core));
  return Snapshot(std::move(state));
}

Result<ArrayView> ParallelIO::get_array_view(std::string_view name) const {
  NPK_ASSIGN_OR_RETURN(StoreCore * core, handle_->core());
  ArrayView view;
  NPK_RETURN_IF_ERROR(core->read_array(
      name, [&](const StatePtr& state, const std::shared_ptr<io::Mapping>& rows) -> Status {
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

Result<uint64_t> ParallelIO::commit_number() const {
  NPK_ASSIGN_OR_RETURN(StoreCore * core, handle_->core());
  return core->commit_number();
}

Result<RowChanges> ParallelIO::rows_changed_since(std::string_view name,
                                                  uint64_t commit_number) const {
  NPK_ASSIGN_OR_RETURN(StoreCore * core, handle_->core());
  return core->rows_changed_since(name, commit_number);
}

}  // namespace npk
