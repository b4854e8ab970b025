#include "core/store/rows_file.h"

#include <algorithm>
#include <cstring>

#include "npk/internal/text.h"

namespace npk::internal {
namespace {

/// Address space reserved beyond the end of a file for rows to come; costs no memory.
constexpr uint64_t kGrowthBytes = 64u << 20;

/// Rows in memory behind the interface of a mapping.
class MemoryMapping final : public io::Mapping {
 public:
  explicit MemoryMapping(std::vector<std::byte> bytes)
      : Mapping(nullptr, bytes.size(), false), bytes_(std::move(bytes)) {
    data_ = bytes_.data();
  }
  void store(uint64_t offset_bytes, io::Bytes bytes) override {
    std::memcpy(bytes_.data() + offset_bytes, bytes.data(), bytes.size());
  }

 private:
  std::vector<std::byte> bytes_;
};

Status cut_off(uint64_t found_bytes, uint64_t size_bytes) {
  return Status::corruption(concat("the rows file is cut off: it has ", found_bytes, " bytes, ",
                                   size_bytes, " belong to the array; restore it from a backup"))
      .with_offset(found_bytes);
}

}  // namespace

Status RowsFile::create() {
  const std::lock_guard lock(mutex_);
  auto file = env_.open(path_, io::OpenMode::kCreateNew);
  if (!file.is_ok() && file.status().code() == StatusCode::kAlreadyExists) {
    // Generations are never used twice, so this is what a killed writer left before its commit.
    NPK_RETURN_IF_ERROR(env_.remove(path_));
    file = env_.open(path_, io::OpenMode::kCreateNew);
  }
  if (!file.is_ok()) return std::move(file).status();
  file_ = *std::move(file);
  return {};
}

Status RowsFile::open_locked() {
  if (file_ != nullptr) return {};
  NPK_ASSIGN_OR_RETURN(
      file_, env_.open(path_, read_only_ ? io::OpenMode::kRead : io::OpenMode::kReadWrite));
  return {};
}

Result<io::File*> RowsFile::file() {
  const std::lock_guard lock(mutex_);
  NPK_RETURN_IF_ERROR(open_locked());
  return file_.get();
}

Result<std::shared_ptr<io::Mapping>> RowsFile::map(uint64_t size_bytes) {
  {
    const std::shared_lock lock(mutex_);
    if (mapping_ != nullptr && size_bytes <= mapping_->size_bytes() &&
        size_bytes <= known_size_bytes_) {
      return mapping_;
    }
  }
  const std::lock_guard lock(mutex_);
  NPK_RETURN_IF_ERROR(open_locked());
  if (!patches_.empty()) return map_overlaid(size_bytes);
  return map_locked(mapping_, size_bytes, io::MapMode::kRead);
}

Result<std::shared_ptr<io::Mapping>> RowsFile::map_writable(uint64_t size_bytes) {
  {
    const std::shared_lock lock(mutex_);
    if (writable_ != nullptr && size_bytes <= writable_->size_bytes() &&
        size_bytes <= known_size_bytes_) {
      return writable_;
    }
  }
  const std::lock_guard lock(mutex_);
  NPK_RETURN_IF_ERROR(open_locked());
  return map_locked(writable_, size_bytes, io::MapMode::kShared);
}

Result<std::shared_ptr<io::Mapping>> RowsFile::map_private(uint64_t size_bytes) {
  const std::lock_guard lock(mutex_);
  NPK_RETURN_IF_ERROR(open_locked());
  return file_->map(size_bytes, io::MapMode::kPrivate);
}

Result<std::shared_ptr<io::Mapping>> RowsFile::map_locked(std::shared_ptr<io::Mapping>& slot,
                                                          uint64_t size_bytes, io::MapMode mode) {
  if (size_bytes > known_size_bytes_) {
    NPK_ASSIGN_OR_RETURN(const uint64_t found, file_->size_bytes());
    if (found < size_bytes) return cut_off(found, size_bytes).with_path(path_);
    known_size_bytes_ = found;
  }
  if (slot == nullptr || slot->size_bytes() < size_bytes) {
    const uint64_t reserve = std::max(kGrowthBytes, known_size_bytes_);
    NPK_ASSIGN_OR_RETURN(slot, file_->map(known_size_bytes_ + reserve, mode));
  }
  return slot;
}

Result<std::shared_ptr<io::Mapping>> RowsFile::map_overlaid(uint64_t size_bytes) {
  if (mapping_ != nullptr && mapping_->size_bytes() >= size_bytes) return mapping_;
  NPK_ASSIGN_OR_RETURN(const uint64_t found, file_->size_bytes());
  std::shared_ptr<io::Mapping> image;
  if (found >= size_bytes) {
    NPK_ASSIGN_OR_RETURN(image, file_->map(size_bytes, io::MapMode::kPrivate));
  } else {  // Rows that only the log holds yet.
    uint64_t held_bytes = found;
    for (const Patch& patch : patches_) held_bytes += patch.bytes.size();
    if (held_bytes < size_bytes) return cut_off(found, size_bytes).with_path(path_);
    std::vector<std::byte> bytes(size_bytes);
    NPK_RETURN_IF_ERROR(file_->read_at(0, std::span(bytes).first(found)));
    image = std::make_shared<MemoryMapping>(std::move(bytes));
  }
  for (const Patch& patch : patches_) {
    const uint64_t end = std::min<uint64_t>(size_bytes, patch.offset_bytes + patch.bytes.size());
    if (patch.offset_bytes >= end) continue;
    image->store(patch.offset_bytes, io::Bytes(patch.bytes).first(end - patch.offset_bytes));
  }
  mapping_ = image;
  known_size_bytes_ = size_bytes;
  return image;
}

void RowsFile::overlay(Patch patch) {
  const std::lock_guard lock(mutex_);
  mapping_ = nullptr;
  known_size_bytes_ = 0;
  patches_.push_back(std::move(patch));
}

bool RowsFile::has_overlay() {
  const std::shared_lock lock(mutex_);
  return !patches_.empty();
}

}  // namespace npk::internal
