#include "io/sim_file.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>

#include "io/errno_status.h"
#include "io/file_rules.h"
#include "io/sim_random.h"
#include "npk/internal/text.h"

namespace npk::io {
namespace {

using internal::concat;

constexpr uint64_t kCopyBytes = uint64_t{1} << 20;

/// What the real system answers with SIGBUS or SIGSEGV: as loud, and it says why.
[[noreturn]] void end_program(const std::string& path, std::string_view why) {
  std::fprintf(stderr, "simulated mapping of %s: %.*s\n", path.c_str(),
               static_cast<int>(why.size()), why.data());
  std::abort();
}

std::shared_ptr<std::byte[]> join(std::span<const Bytes> pieces, uint64_t length_bytes) {
  auto joined = std::make_shared_for_overwrite<std::byte[]>(length_bytes);
  std::byte* at = joined.get();
  for (const Bytes& piece : pieces) {
    if (!piece.empty()) at = std::copy(piece.begin(), piece.end(), at);
  }
  return joined;
}

/// A process that dies inside memcpy leaves any of the words new, in no order that C++ promises.
void keep_some_words_old(std::byte* fresh, Bytes old, uint64_t offset_bytes, uint64_t seed) {
  SimChance chance(seed);
  uint64_t coins = 0;
  for (size_t i = 0; i < old.size(); ++i) {
    const bool new_word = i == 0 || (offset_bytes + i) % sizeof(uint64_t) == 0;
    if (new_word) coins = chance.draw();
    if (coins % 2 == 0) fresh[i] = old[i];
  }
}

class SimMapping final : public Mapping {
 public:
  SimMapping(std::string path, std::shared_ptr<SimProcess> process, std::shared_ptr<SimNode> node,
             std::shared_ptr<SimView> view, uint64_t size_bytes, MapMode mode)
      : Mapping(view != nullptr ? view->data() : &nothing_, size_bytes, mode != MapMode::kPrivate),
        path_(std::move(path)),
        process_(std::move(process)),
        node_(std::move(node)),
        view_(std::move(view)),
        mode_(mode) {
    ++process_->mapping_count;
  }
  ~SimMapping() override {
    const std::lock_guard lock(process_->mutex());
    --process_->mapping_count;
    view_.reset();
    node_.reset();
  }
  SimMapping(const SimMapping&) = delete;
  SimMapping& operator=(const SimMapping&) = delete;

  void store(uint64_t offset_bytes, Bytes bytes) override {
    if (bytes.empty()) return;
    if (mode_ == MapMode::kRead) end_program(path_, "store into a read-only mapping");
    if (offset_bytes > size_bytes_ || bytes.size() > size_bytes_ - offset_bytes) {
      end_program(path_, "store outside the mapping");
    }
    if (mode_ == MapMode::kPrivate) {
      const std::lock_guard lock(process_->mutex());
      view_->store_private(offset_bytes, bytes);
      return;
    }
    const SimGate gate(*process_, SimCalls::kStore, "store", path_);
    if (gate.is_refused() && !gate.is_partial()) return;
    const SimImage& image = node_->content.cached();
    if (offset_bytes + bytes.size() > image.size_bytes()) {
      end_program(path_, "store past the end of the file");
    }
    const auto fresh = join({&bytes, 1}, bytes.size());
    if (gate.is_partial()) {
      std::vector<std::byte> old(bytes.size());
      image.read(offset_bytes, old);
      keep_some_words_old(fresh.get(), old, offset_bytes, gate.chance());
    }
    node_->content.write(process_->tree().next_number(), FileOp::Kind::kStore, offset_bytes, fresh,
                         bytes.size());
  }

 private:
  static inline std::byte nothing_{};
  std::string path_;
  std::shared_ptr<SimProcess> process_;
  std::shared_ptr<SimNode> node_;
  std::shared_ptr<SimView> view_;
  MapMode mode_;
};

}  // namespace

SimFile::SimFile(std::string path, std::shared_ptr<SimProcess> process,
                 std::shared_ptr<SimNode> node, bool writable)
    : File(std::move(path)),
      process_(std::move(process)),
      node_(std::move(node)),
      writable_(writable) {
  process_->open_files.push_back({this, node_});
}

SimFile::~SimFile() {
  const std::lock_guard lock(process_->mutex());
  node_->content.unlock_all(this);
  std::erase_if(process_->open_files, [this](const auto& open) { return open.file == this; });
  node_.reset();
}

Status SimFile::check_writable(std::string_view action) const {
  return writable_ ? Status::ok() : read_only_status(action, path_);
}

Status SimFile::read_at(uint64_t offset_bytes, std::span<std::byte> out) const {
  NPK_ASSIGN_OR_RETURN(const uint64_t done, read_some_at(offset_bytes, out));
  if (done == out.size()) return Status::ok();
  const std::lock_guard lock(process_->mutex());
  return past_end_status(offset_bytes, out.size(),
                         std::min(node_->content.cached().size_bytes(), offset_bytes + done),
                         path_);
}

Result<uint64_t> SimFile::read_some_at(uint64_t offset_bytes, std::span<std::byte> out) const {
  const SimGate gate(*process_, SimCalls::kRead, "read", path_);
  const SimImage& image = node_->content.cached();
  const uint64_t end = std::max(image.size_bytes(), offset_bytes);
  const auto there = out.first(std::min<uint64_t>(out.size(), end - offset_bytes));
  if (gate.is_partial()) image.read(offset_bytes, there.first(there.size() / 2));
  if (gate.is_refused()) return gate.status().with_offset(offset_bytes);
  image.read(offset_bytes, there);
  NPK_RETURN_IF_ERROR(gate.end().with_offset(offset_bytes));
  return uint64_t{there.size()};
}

Status SimFile::read_quietly(uint64_t offset_bytes, std::span<std::byte> out) const {
  const std::lock_guard lock(process_->mutex());
  const SimImage& image = node_->content.cached();
  if (offset_bytes + out.size() > image.size_bytes()) {
    return past_end_status(offset_bytes, out.size(), image.size_bytes(), path_);
  }
  image.read(offset_bytes, out);
  return Status::ok();
}

void SimFile::write_quietly(uint64_t offset_bytes, Bytes bytes) {
  node_->content.write(process_->tree().next_number(), FileOp::Kind::kWrite, offset_bytes,
                       join({&bytes, 1}, bytes.size()), bytes.size());
}

Status SimFile::write_at(uint64_t offset_bytes, std::span<const Bytes> pieces) {
  NPK_RETURN_IF_ERROR(check_writable("write"));
  uint64_t length = 0;
  for (const Bytes& piece : pieces) length += piece.size();
  if (length == 0) return Status::ok();
  NPK_RETURN_IF_ERROR(check_range(offset_bytes, length, "write that far", path_));
  const SimGate gate(*process_, SimCalls::kWrite, "write", path_);
  if (gate.is_refused() && !gate.is_partial()) return gate.status().with_offset(offset_bytes);
  // A write that is cut short wrote its first bytes.
  const uint64_t written = gate.is_partial() ? gate.chance() % length : length;
  if (written > 0) {
    node_->content.write(process_->tree().next_number(), FileOp::Kind::kWrite, offset_bytes,
                         join(pieces, length), written);
  }
  return gate.end().with_offset(offset_bytes + written);
}

Status SimFile::allocate(uint64_t offset_bytes, uint64_t length_bytes) {
  NPK_RETURN_IF_ERROR(check_writable("reserve space"));
  if (length_bytes == 0) return Status::ok();
  NPK_RETURN_IF_ERROR(check_range(offset_bytes, length_bytes, "reserve space", path_));
  const SimGate gate(*process_, SimCalls::kAllocate, "reserve space", path_);
  return gate.end().with_offset(offset_bytes);
}

Status SimFile::copy_from(const File& source, uint64_t source_offset_bytes, uint64_t offset_bytes,
                          uint64_t length_bytes) {
  NPK_RETURN_IF_ERROR(check_writable("copy"));
  NPK_RETURN_IF_ERROR(check_range(offset_bytes, length_bytes, "copy that far", path_));
  NPK_RETURN_IF_ERROR(
      check_range(source_offset_bytes, length_bytes, "copy from that far", source.path()));
  if (length_bytes == 0) return Status::ok();
  const std::string action = concat("copy from ", source.path());
  Status outcome;
  {
    const SimGate gate(*process_, SimCalls::kCopy, action, path_);
    outcome = gate.status().with_offset(offset_bytes);
    if (gate.is_refused()) length_bytes = gate.is_partial() ? gate.chance() % length_bytes : 0;
  }
  const auto* simulated = dynamic_cast<const SimFile*>(&source);
  std::vector<std::byte> buffer(std::min(length_bytes, kCopyBytes));
  for (uint64_t done = 0; done < length_bytes; done += buffer.size()) {
    buffer.resize(std::min<uint64_t>(buffer.size(), length_bytes - done));
    const uint64_t from = source_offset_bytes + done;
    NPK_RETURN_IF_ERROR(simulated != nullptr ? simulated->read_quietly(from, buffer)
                                             : source.read_at(from, buffer));
    const std::lock_guard lock(process_->mutex());
    write_quietly(offset_bytes + done, buffer);
  }
  return outcome;
}

Status SimFile::sync() {
  const SimGate gate(*process_, SimCalls::kSync, "sync", path_);
  if (!gate.is_refused()) {
    node_->content.sync();
  } else if (gate.is_error()) {
    std::vector<SimChange> changes;
    for (const FileOp& op : node_->content.unsynced()) {
      changes.push_back({op.number, node_.get(), &op, nullptr});
    }
    const auto policy = gate.is_partial() ? CrashPolicy::kRandomSubset : CrashPolicy::kNone;
    node_->content.fail_sync(choose_fates({policy, 0, gate.chance()}, changes));
  }
  return gate.end();
}

Result<uint64_t> SimFile::size_bytes() const {
  const SimGate gate(*process_, SimCalls::kSize, "ask for its size", path_);
  NPK_RETURN_IF_ERROR(gate.end());
  return node_->content.cached().size_bytes();
}

Result<std::shared_ptr<Mapping>> SimFile::map(uint64_t length_bytes, MapMode mode) {
  if (mode == MapMode::kShared) NPK_RETURN_IF_ERROR(check_writable("map for writing"));
  const SimGate gate(*process_, SimCalls::kMap, "map", path_);
  NPK_RETURN_IF_ERROR(gate.end());
  std::shared_ptr<SimView> view;
  if (length_bytes > 0) {
    view = SimView::make(node_, length_bytes, mode == MapMode::kPrivate);
    if (view == nullptr) return gate.end(ENOMEM);
  }
  return std::shared_ptr<Mapping>(
      std::make_shared<SimMapping>(path_, process_, node_, std::move(view), length_bytes, mode));
}

Result<bool> SimFile::try_lock(uint64_t byte, bool shared) {
  if (!shared) NPK_RETURN_IF_ERROR(check_writable("lock for itself"));
  NPK_RETURN_IF_ERROR(check_range(byte, 1, "lock", path_));
  const SimGate gate(*process_, SimCalls::kLock, "lock", path_);
  NPK_RETURN_IF_ERROR(gate.end().with_offset(byte));
  return node_->content.try_lock(byte, shared, this);
}

Status SimFile::unlock(uint64_t byte) {
  const SimGate gate(*process_, SimCalls::kUnlock, "unlock", path_);
  if (gate.is_refused()) return gate.status().with_offset(byte);
  node_->content.unlock(byte, this);
  return gate.end().with_offset(byte);
}

Result<std::optional<uint64_t>> SimFile::find_lock(uint64_t begin, uint64_t end) const {
  NPK_RETURN_IF_ERROR(check_range(begin, end - begin, "look for locks", path_));
  const SimGate gate(*process_, SimCalls::kLock, "look for locks", path_);
  NPK_RETURN_IF_ERROR(gate.end().with_offset(begin));
  return node_->content.find_lock(begin, end, this);
}

}  // namespace npk::io
