#include "core/store/before_images.h"

#include <algorithm>
#include <array>

#include "core/store/codec.h"
#include "core/store/log.h"
#include "core/store/names.h"
#include "simd/crc32c.h"

namespace npk::internal {
namespace {

constexpr uint32_t kMagic = 0x424b504e;  // "NPKB"
// Magic and checksum (4 bytes each), commit number, rows, bytes of a row.
constexpr uint64_t kHeaderBytes = 32;
constexpr uint64_t kCheckedFrom = 8;
constexpr uint64_t kRoomBytes = 64u << 10;

}  // namespace

Result<bool> BeforeImageReader::read_on(const io::File& file,
                                        const std::function<void(const Image&)>& sink) {
  NPK_ASSIGN_OR_RETURN(const uint64_t size, file.size_bytes());
  bool was_any = false;
  std::vector<std::byte> record(kHeaderBytes);
  while (offset_bytes_ + kHeaderBytes <= size) {
    record.resize(kHeaderBytes);
    NPK_RETURN_IF_ERROR(file.read_at(offset_bytes_, record));
    const auto number = get_le<uint64_t>(record.data() + 8);
    const auto rows = get_le<uint64_t>(record.data() + 16);
    const auto row_bytes = get_le<uint64_t>(record.data() + 24);
    const uint64_t most = size - offset_bytes_ - kHeaderBytes;
    if (get_le<uint32_t>(record.data()) != kMagic || rows == 0 || rows > most / 8 ||
        row_bytes > (most - rows * 8) / rows) {
      break;
    }
    const uint64_t length = kHeaderBytes + rows * (8 + row_bytes);
    record.resize(length);
    NPK_RETURN_IF_ERROR(
        file.read_at(offset_bytes_ + kHeaderBytes, std::span(record).subspan(kHeaderBytes)));
    const uint32_t checksum = simd::crc32c(io::Bytes(record).subspan(kCheckedFrom), checksum_);
    if (checksum != get_le<uint32_t>(record.data() + 4)) break;
    const std::byte* const numbers = record.data() + kHeaderBytes;
    for (uint64_t i = 0; i < rows; ++i) {
      sink({number, get_le<uint64_t>(numbers + 8 * i),
            io::Bytes(numbers + 8 * rows + i * row_bytes, row_bytes)});
    }
    offset_bytes_ += length;
    checksum_ = checksum;
    was_any = true;
  }
  return was_any;
}

Status BeforeImageWriter::save(io::Env& env, std::span<const Transaction::Application> applications,
                               const Commit& commit) {
  if (log_first_record_ != commit.log_first_record) saved_.clear();
  log_first_record_ = commit.log_first_record;
  if (commit.newest_pin > newest_pin_ || commit.newest_pin == UINT64_MAX) {
    for (auto& [path, saved] : saved_) saved.rows.clear();
    // One that is being taken is of no later commit than the last.
    newest_pin_ = std::min(commit.newest_pin, commit.number - 1);
  }
  if (images_ != commit.images) {
    for (auto& [path, saved] : saved_) saved.is_read = false;
  }
  images_ = commit.images + 1;
  for (const auto& application : applications) {
    if (application.row_bytes == 0) continue;
    const std::string path = before_images_path(application.file->path(), log_first_record_);
    Saved& saved = saved_[path];
    const auto save = [&]() -> Status {
      if (saved.file == nullptr) {
        NPK_ASSIGN_OR_RETURN(saved.file, env.open(path, io::OpenMode::kCreateOrOpen));
      }
      if (!saved.is_read) NPK_RETURN_IF_ERROR(read_on(application, saved));
      return save_one(application, commit.number, saved);
    };
    Status status = save();
    if (!status.is_ok()) {
      saved_.erase(path);  // What it has is no longer what is in the file.
      return status;
    }
  }
  return {};
}

// What other processes have saved. Only if there may be something: a file that was asked for its
// size takes a fine time stamp when it is next written, which takes a fifth of that write longer.
Status BeforeImageWriter::read_on(const Transaction::Application& application, Saved& saved) const {
  // Rows that there cannot be would only take memory.
  NPK_ASSIGN_OR_RETURN(io::File * rows_file, application.file->file());
  NPK_ASSIGN_OR_RETURN(const uint64_t file_bytes, rows_file->size_bytes());
  const uint64_t row_count = file_bytes / application.row_bytes;
  const auto note = [&](const BeforeImageReader::Image& image) {
    if (image.number > newest_pin_ && image.row < row_count) saved.rows.insert(image.row);
  };
  NPK_RETURN_IF_ERROR(saved.end.read_on(*saved.file, note).status());
  saved.is_read = true;
  return {};
}

Status BeforeImageWriter::save_one(const Transaction::Application& application, uint64_t number,
                                   Saved& saved) {
  std::vector<uint64_t> rows;
  rows.reserve(application.rows.size());
  for (const uint64_t row : application.rows) {
    if (saved.rows.insert(row)) rows.push_back(row);
  }
  if (rows.empty()) return {};
  const uint64_t row_bytes = application.row_bytes;
  std::vector<std::byte> record(kHeaderBytes + rows.size() * (8 + row_bytes));
  std::byte* out = record.data();
  put_le(out, kMagic);
  put_le(out + 8, number);
  put_le(out + 16, uint64_t{rows.size()});
  put_le(out + 24, row_bytes);
  out += kHeaderBytes;
  for (const uint64_t row : rows) {
    put_le(out, row);
    out += 8;
  }
  for (const uint64_t row : rows) {
    std::memcpy(out, application.mapping->data() + row * row_bytes, row_bytes);
    out += row_bytes;
  }
  const uint32_t checksum =
      simd::crc32c(io::Bytes(record).subspan(kCheckedFrom), saved.end.checksum_);
  put_le(record.data() + 4, checksum);
  const uint64_t end_bytes = saved.end.offset_bytes_ + record.size();
  // To write over what is in memory takes half as long as to make a file longer.
  static constexpr std::array<std::byte, kRoomBytes> kZeros{};
  const uint64_t room_bytes =
      end_bytes > saved.room_bytes ? align_up(end_bytes, kRoomBytes) : end_bytes;
  const std::array<io::Bytes, 2> pieces = {record, io::Bytes(kZeros).first(room_bytes - end_bytes)};
  NPK_RETURN_IF_ERROR(saved.file->write_at(saved.end.offset_bytes_, pieces));
  saved.room_bytes = std::max(saved.room_bytes, room_bytes);
  saved.end.offset_bytes_ = end_bytes;
  saved.end.checksum_ = checksum;
  return {};
}

}  // namespace npk::internal
