#include "core/store/rows_writer.h"

#include <algorithm>

#include "core/store/block_checksums.h"
#include "core/store/row_check.h"

namespace npk::internal {
namespace {

// Strided rows are put in order in a buffer of this size; contiguous ones are written in pieces of
// it, so that each piece is still in the cache when its checksum is taken.
constexpr uint64_t kBufferBytes = 1u << 20;
// Runs of live rows from this size on are copied inside the kernel (on XFS and btrfs: shared).
constexpr uint64_t kKernelCopyBytes = 1u << 20;
// Smaller runs are gathered to this much before they are written.
constexpr uint64_t kGatherBytes = 4u << 20;

Status cancelled() { return Status::failed_precondition("cancelled; nothing has changed"); }

}  // namespace

Result<std::vector<std::byte>> write_filled_rows(io::File& file, uint64_t offset_bytes,
                                                 const RowSpan& rows, const FillRows& fill,
                                                 const WriteProgress& progress) {
  BlockChecksums checksums(offset_bytes);
  const uint64_t total_bytes = rows.row_count * rows.row_bytes;
  const uint64_t piece_rows =
      std::max<uint64_t>(1, kBufferBytes / std::max<uint64_t>(1, rows.row_bytes));
  std::vector<std::byte> buffer(std::min(piece_rows, rows.row_count) * rows.row_bytes);
  for (uint64_t row = 0; row < rows.row_count && rows.row_bytes > 0;) {
    const uint64_t last = std::min(rows.row_count, row + piece_rows);
    const auto piece = std::span(buffer).first((last - row) * rows.row_bytes);
    NPK_RETURN_IF_ERROR(fill(row, last, piece));
    checksums.add(piece);
    NPK_RETURN_IF_ERROR(file.write_at(offset_bytes + row * rows.row_bytes, piece));
    row = last;
    if (progress && !progress(row * rows.row_bytes, total_bytes)) return cancelled();
  }
  return std::move(checksums).finish();
}

Result<std::vector<std::byte>> write_rows(io::File& file, uint64_t offset_bytes,
                                          const ArrayView& values, uint64_t begin, uint64_t end) {
  BlockChecksums checksums(offset_bytes);
  const uint64_t row_bytes = values.row_bytes();
  if (values.is_contiguous()) {
    const io::Bytes all(values.data() + begin * row_bytes, (end - begin) * row_bytes);
    for (uint64_t done = 0; done < all.size();) {
      const auto piece = all.subspan(done, std::min<uint64_t>(kBufferBytes, all.size() - done));
      checksums.add(piece);
      NPK_RETURN_IF_ERROR(file.write_at(offset_bytes + done, piece));
      done += piece.size();
    }
    return std::move(checksums).finish();
  }
  return write_filled_rows(file, offset_bytes, {end - begin, row_bytes},
                           [&](uint64_t first, uint64_t last, std::span<std::byte> out) {
                             values.copy_rows(begin + first, begin + last, out.data());
                             return Status();
                           },
                           {});
}

Result<std::vector<std::byte>> copy_live_rows(const ArrayState& source, io::File& target,
                                              const WriteProgress& progress) {
  NPK_RETURN_IF_ERROR(check_rows(source));  // New checksums must not be those of damage.
  NPK_ASSIGN_OR_RETURN(const auto mapping, source.file->map(source.size_bytes()));
  NPK_ASSIGN_OR_RETURN(io::File * source_file, source.file->file());
  const uint64_t row_bytes = source.row_bytes();
  const uint64_t total_bytes = source.live_rows() * row_bytes;
  BlockChecksums checksums(0);
  std::vector<std::byte> gathered;
  uint64_t written_bytes = 0;
  const auto flush = [&]() -> Status {
    NPK_RETURN_IF_ERROR(target.write_at(written_bytes, gathered));
    written_bytes += gathered.size();
    gathered.clear();
    if (progress && !progress(written_bytes, total_bytes)) {
      return cancelled();
    }
    return {};
  };
  for (uint64_t row = 0; row < source.rows && row_bytes > 0;) {
    const auto run = source.deleted->next_live_run(row, source.rows);
    row = run.end;
    const io::Bytes bytes(mapping->data() + run.begin * row_bytes,
                          (run.end - run.begin) * row_bytes);
    for (uint64_t done = 0; done < bytes.size();) {
      const auto piece = bytes.subspan(done, std::min<uint64_t>(kGatherBytes, bytes.size() - done));
      checksums.add(piece);
      if (piece.size() >= kKernelCopyBytes) {
        NPK_RETURN_IF_ERROR(flush());
        NPK_RETURN_IF_ERROR(target.copy_from(*source_file, run.begin * row_bytes + done,
                                             written_bytes, piece.size()));
        written_bytes += piece.size();
      } else {
        gathered.insert(gathered.end(), piece.begin(), piece.end());
        if (gathered.size() >= kGatherBytes) NPK_RETURN_IF_ERROR(flush());
      }
      done += piece.size();
    }
  }
  NPK_RETURN_IF_ERROR(flush());
  return std::move(checksums).finish();
}

}  // namespace npk::internal
