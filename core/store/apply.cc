#include "core/store/apply.h"

#include <functional>

#include "core/store/codec.h"
#include "npk/internal/text.h"

namespace npk::internal {
namespace {

using Put = std::function<Status(RowsFile& file, uint64_t offset_bytes, io::Bytes bytes)>;

Status put_records(const Committed& committed, std::span<const Record> records,
                   uint64_t from_record, const Put& put_bytes) {
  for (const Record& record : records) {
    const auto name = committed.names.find(record.array);
    if (record.number < from_record || name == committed.names.end()) continue;
    const ArrayState& state = *committed.catalog.find(name->second)->second;
    if (state.generation != record.generation) continue;
    const uint64_t row_bytes = state.row_bytes();
    NPK_ASSIGN_OR_RETURN(std::vector<std::byte> payload, read_payload(*committed.log, record));
    const auto put = [&](uint64_t row, uint64_t first_byte, io::Bytes bytes) -> Status {
      const uint64_t room_bytes = row < state.rows ? (state.rows - row) * row_bytes : 0;
      if (first_byte > room_bytes || bytes.size() > room_bytes - first_byte) {
        return Status::corruption(concat("log record ", record.number,
                                         " replaces rows that array '", state.name,
                                         "' does not have"))
            .with_path(committed.log->path())
            .with_offset(record.offset_bytes);
      }
      return put_bytes(*state.file, row * row_bytes + first_byte, bytes);
    };
    const io::Bytes bytes(payload);
    if (record.type == RecordType::kAppend) {
      NPK_RETURN_IF_ERROR(put(record.arg0, 0, bytes));
      continue;
    }
    const uint64_t rows = record.arg0;
    if (rows == 0 || bytes.size() / 8 < rows) continue;  // Rows of no bytes.
    const uint64_t piece_bytes = (bytes.size() - rows * 8) / rows;
    for (uint64_t i = 0; i < rows; ++i) {
      const auto row = get_le<uint64_t>(bytes.data() + 8 * i);
      NPK_RETURN_IF_ERROR(
          put(row, record.arg1, bytes.subspan(rows * 8 + i * piece_bytes, piece_bytes)));
    }
  }
  return {};
}

}  // namespace

Status apply_records(const Committed& committed, std::span<const Record> records,
                     uint64_t from_record) {
  return put_records(committed, records, from_record,
                     [](RowsFile& rows, uint64_t offset_bytes, io::Bytes bytes) -> Status {
                       NPK_ASSIGN_OR_RETURN(io::File * file, rows.file());
                       return file->write_at(offset_bytes, bytes);
                     });
}

Status overlay_records(const Committed& committed, std::span<const Record> records,
                       uint64_t from_record) {
  return put_records(committed, records, from_record,
                     [](RowsFile& rows, uint64_t offset_bytes, io::Bytes bytes) {
                       rows.overlay({offset_bytes, {bytes.begin(), bytes.end()}});
                       return Status();
                     });
}

}  // namespace npk::internal
