// The life of a snapshot.
//
// 1. The pending pin: from here on every commit that begins keeps before-images.
// 2. A commit that had begun before is waited for; if its writer was killed it is recovered.
// 3. The newest commit is read, its catalogue taken, and its number pinned instead.
// 4. A read of rows goes as any other (read.cc); in it, before-images that came since are put back
//    first. A replace that comes after that shows in the epoch, and the read begins anew.
// 5. Closed, or killed: the pin is gone. The next checkpoint removes what was kept for it.
#include "core/store/snapshot_state.h"

#include <algorithm>

#include "core/store/names.h"
#include "core/store/snapshot_pins.h"
#include "npk/internal/text.h"

namespace npk::internal {

Result<std::shared_ptr<SnapshotState>> StoreCore::take_snapshot(
    const std::shared_ptr<StoreCore>& core) {
  std::unique_ptr<io::File> lock_file;
  auto opened = core->directory_.env->open(core->directory_.file(kLockFile), io::OpenMode::kRead);
  if (opened.is_ok()) {
    lock_file = *std::move(opened);
    NPK_RETURN_IF_ERROR(lock_file->try_lock(SnapshotPins::kPendingByte, true).status());  // 1
  } else if (opened.status().code() != StatusCode::kNotFound) {
    return std::move(opened).status();
  }
  NPK_RETURN_IF_ERROR(core->wait_for_commit());  // 2
  NPK_RETURN_IF_ERROR(core->refresh());          // 3
  const std::lock_guard position(core->position_mutex_);
  const uint64_t number = core->committed_.position.next_record - 1;
  if (lock_file != nullptr) {
    NPK_RETURN_IF_ERROR(lock_file->try_lock(SnapshotPins::kFirstByte + number, true).status());
    NPK_RETURN_IF_ERROR(lock_file->unlock(SnapshotPins::kPendingByte));
  }
  return std::make_shared<SnapshotState>(core, std::move(lock_file), core->committed_.catalog,
                                         number);
}

SnapshotState::SnapshotState(std::shared_ptr<StoreCore> core, std::unique_ptr<io::File> lock_file,
                             Catalog catalog, uint64_t number)
    : core_(std::move(core)),
      lock_file_(std::move(lock_file)),
      catalog_(std::move(catalog)),
      number_(number) {}

SnapshotState::~SnapshotState() {
  // A forked child shares the lock with its parent: closing its descriptor does not let go of it.
  if (lock_file_ == nullptr || core_->is_forked()) return;
  lock_file_->unlock(SnapshotPins::kFirstByte + number_).ignore();
}

Result<StatePtr> SnapshotState::find(std::string_view name) {
  const auto found = catalog_.find(name);
  if (found == catalog_.end()) return array_not_found(name, catalog_);
  return found->second;
}

Status SnapshotState::read_array(std::string_view name, const ArrayReader& read) {
  NPK_ASSIGN_OR_RETURN(const StatePtr state, find(name));
  return read_state(*state, [&](const auto& rows) { return read(state, rows); });
}

Status SnapshotState::read_state(const ArrayState& state, const Reader& read) {
  Past& past = past_of(state);
  const auto read_past = [&](const std::shared_ptr<io::Mapping>& rows) -> Status {
    NPK_RETURN_IF_ERROR(put_back(state, past));
    const std::shared_lock lock(past.mutex);
    return read(past.rows != nullptr ? past.rows : rows);
  };
  return core_->read_steady(state, read_past, true);
}

SnapshotState::Past& SnapshotState::past_of(const ArrayState& state) {
  const std::lock_guard lock(mutex_);
  std::unique_ptr<Past>& past = pasts_[state.id];
  if (past == nullptr) past = std::make_unique<Past>();
  return *past;
}

Status SnapshotState::put_back(const ArrayState& state, Past& past) {
  const uint64_t now = core_->image_count();
  {
    const std::shared_lock lock(past.mutex);
    if (past.seen == now) return {};
  }
  const std::lock_guard lock(past.mutex);
  if (past.seen == now) return {};
  const uint64_t checkpoint = core_->page_checkpoint();
  NPK_ASSIGN_OR_RETURN(const bool was_any, read_images(state, past));
  if (!was_any ||
      checkpoint != past.checkpoint) {  // There may be a file that was not there before.
    NPK_RETURN_IF_ERROR(find_images(state, past));
    NPK_RETURN_IF_ERROR(read_images(state, past).status());
  }
  past.checkpoint = checkpoint;
  past.seen = now;
  return {};
}

Result<bool> SnapshotState::read_images(const ArrayState& state, Past& past) {
  const uint64_t row_bytes = state.row_bytes();
  bool was_any = false;
  Status mapped;
  for (auto& [log, images] : past.images) {  // The oldest first: the first image of a row counts.
    NPK_ASSIGN_OR_RETURN(
        const bool was_read,
        images.reader.read_on(*images.file, [&](const BeforeImageReader::Image& image) {
          if (image.number <= number_ || image.row >= state.rows) return;
          if (image.bytes.size() != row_bytes || !past.known.insert(image.row)) return;
          if (past.rows == nullptr && mapped.is_ok()) {
            auto rows = state.file->map_private(state.size_bytes());
            if (rows.is_ok()) past.rows = *std::move(rows);
            mapped = std::move(rows).status();
          }
          if (past.rows != nullptr) past.rows->store(image.row * row_bytes, image.bytes);
        }));
    was_any |= was_read;
  }
  if (!mapped.is_ok()) {  // From the beginning, next time.
    past.images.clear();
    past.known.clear();
    return mapped;
  }
  return was_any;
}

Status SnapshotState::find_images(const ArrayState& state, Past& past) {
  const Directory& directory = core_->directory();
  NPK_ASSIGN_OR_RETURN(const auto names, directory.env->list(directory.path));
  for (const std::string& name : names) {
    const auto file = parse_before_images_file(name);
    if (!file || file->rows_file != rows_file(state.stem, state.generation) ||
        past.images.contains(file->log_first_record)) {
      continue;
    }
    auto opened = directory.env->open(directory.file(name), io::OpenMode::kRead);
    if (opened.status().code() == StatusCode::kNotFound) continue;  // Of commits before this one.
    if (!opened.is_ok()) return std::move(opened).status();
    past.images[file->log_first_record].file = *std::move(opened);
  }
  return {};
}

}  // namespace npk::internal
