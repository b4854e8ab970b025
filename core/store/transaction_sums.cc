// The part of a transaction that keeps the sums of arrays with checksums true.
//
// 1. add_sums(), at the end of the plan: for each array whose rows the commit writes, a SUMS record
//    with room for the blocks that it touches. The record is the array's last, so that whoever
//    folds the commit has the rows that the sums are of.
// 2. seal_sums(), in prepare(), when the appended rows are in the file and the replaced ones are
//    not yet: the new sums follow from the old ones, the checksums of what was appended, and old
//    and new bytes of what will be replaced.
#include "core/store/codec.h"
#include "core/store/transaction.h"

namespace npk::internal {
namespace {

bool appends_rows(const Record& record) {
  return record.type == RecordType::kAppend || record.type == RecordType::kAppendRef;
}

}  // namespace

Transaction::PendingSums* Transaction::find_sums(const Record& record) {
  const auto found = pending_sums_.find(record.array);
  if (found == pending_sums_.end() || !appends_rows(record)) return nullptr;
  return found->second.state->generation == record.generation ? &found->second : nullptr;
}

Transaction::PendingSums* Transaction::find_sums(const Application& application) {
  const auto found = pending_sums_.find(application.array);
  if (found == pending_sums_.end()) return nullptr;
  return found->second.state->file == application.file ? &found->second : nullptr;
}

void Transaction::add_sums() {
  for (const auto& [name, staged] : staged_) {
    if (staged.is_dropped || staged.state->sums == nullptr) continue;
    ArrayState& state = *staged.state;
    pending_sums_.emplace(state.id, PendingSums{0, &state, SumsUpdate(state.sums)});
  }
  if (pending_sums_.empty()) return;
  for (const Record& record : builder_.records()) {
    PendingSums* sums = find_sums(record);
    if (sums == nullptr) continue;
    const uint64_t row_bytes = sums->state->row_bytes();
    sums->update.touch(record.arg0 * row_bytes, record.arg1 * row_bytes);
  }
  for (const Application& application : applications_) {
    PendingSums* sums = find_sums(application);
    if (sums == nullptr) continue;
    for (const uint64_t row : application.rows) {
      sums->update.touch(row * application.row_bytes + application.first_byte,
                         application.piece_bytes);
    }
  }
  std::erase_if(pending_sums_, [](const auto& entry) { return entry.second.update.empty(); });
  for (auto& [id, pending] : pending_sums_) {
    Record sums = record(RecordType::kSums, *pending.state);
    sums.payload.resize(pending.update.encoded_bytes());
    pending.record = builder_.size();
    add_record(std::move(sums), *pending.state);
  }
}

void Transaction::seal_sums() {
  if (pending_sums_.empty()) return;
  auto& records = builder_.records();
  auto rows = pending_rows_.begin();
  for (size_t i = 0; i < records.size(); ++i) {
    const bool is_pending = rows != pending_rows_.end() && rows->record == i;
    const io::Bytes checksums = is_pending ? rows->checksums : records[i].payload;
    if (is_pending) ++rows;
    PendingSums* sums = find_sums(records[i]);
    if (sums == nullptr) continue;
    const uint64_t row_bytes = sums->state->row_bytes();
    sums->update.append(records[i].arg0 * row_bytes, records[i].arg1 * row_bytes, checksums);
  }
  for (const Application& application : applications_) {
    PendingSums* sums = find_sums(application);
    if (sums == nullptr || application.bytes.empty()) continue;
    const uint64_t piece_bytes = application.piece_bytes;
    for (size_t i = 0; i < application.rows.size(); ++i) {
      const uint64_t offset_bytes =
          application.rows[i] * application.row_bytes + application.first_byte;
      sums->update.replace(offset_bytes, application.mapping->data() + offset_bytes,
                           application.bytes.subspan(i * piece_bytes, piece_bytes));
    }
  }
  for (auto& [id, pending] : pending_sums_) {
    pending.state->sums = pending.update.finish(pending.state->size_bytes());
    records[pending.record].payload = pending.update.encode();
  }
}

}  // namespace npk::internal
