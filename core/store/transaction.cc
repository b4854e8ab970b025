#include "core/store/transaction.h"

#include <algorithm>
#include <cstring>

#include "core/store/block_checksums.h"
#include "core/store/codec.h"
#include "core/store/names.h"
#include "core/store/roaring_format.h"
#include "core/store/sidecar.h"
#include "npk/internal/text.h"

namespace npk::internal {
namespace {

// In durability power, appends up to this size travel in the log: one device sync instead of two.
constexpr uint64_t kInlineAppendBytes = 1u << 20;
// Replaced rows up to this size are copied, so that they can be stored after the commit whatever
// became of the caller's memory by then; more of them are read back from the log.
constexpr uint64_t kCopiedReplaceBytes = 64u << 10;
// Rows that one APPEND_REF speaks of: its checksums then fit a record of 4 MiB.
constexpr uint64_t kAppendRefBytes = uint64_t{64} << 30;

std::string describe_row(DType dtype, std::span<const uint64_t> row_shape) {
  return concat(dtype_name(dtype), " rows of shape ", shape_to_string(row_shape));
}

/// OK if `values` are rows for the array.
Status check_rows_fit(const ArrayState& state, const ArrayView& values) {
  NPK_RETURN_IF_ERROR(values.check());
  const Shape& shape = values.shape();
  if (values.dtype() == state.dtype && !shape.empty() &&
      std::ranges::equal(std::span(shape).subspan(1), state.row_shape)) {
    return {};
  }
  return Status::invalid_argument(
      concat("array '", state.name, "' holds ", describe_row(state.dtype, state.row_shape),
             "; the values given are ", dtype_name(values.dtype()), " of shape ",
             shape_to_string(shape), ". Convert or reshape them to (n, …) of the array's rows"));
}

Result<std::vector<uint64_t>> resolve(const ArrayState& state, const Rows& rows) {
  auto places = rows.resolve(state.live_rows());
  if (places.is_ok()) return places;
  return std::move(places).status().with_context(concat("array '", state.name, "'"));
}

}  // namespace

Transaction::Transaction(const Directory& directory, const Committed& committed,
                         const Options& options)
    : directory_(directory),
      committed_(committed),
      options_(options),
      generation_floor_(committed.generation_floor) {}

Transaction::~Transaction() {
  // Nothing refers to these: what cannot be removed now, recovery removes.
  for (const std::string& path : made_) directory_.env->remove(path).ignore();
}

Status Transaction::add(const WriteBatch::Operations::Operation& operation) {
  using Kind = WriteBatch::Operations::Kind;
  switch (operation.kind) {
    case Kind::kSave:
      return save(operation.name, operation.values, operation.save_options);
    case Kind::kAppend:
      return append(operation.name, operation.values);
    case Kind::kReplace:
      return replace(operation.name, operation.values, operation.rows);
    case Kind::kDropRows:
      return drop_rows(operation.name, operation.rows);
    case Kind::kDropArray:
      return drop_array(operation.name);
    case Kind::kSetAttributes:
      return set_attributes(operation.name, operation.attributes);
  }
  return Status::internal("unknown kind of operation");
}

ArrayState* Transaction::find_staged(std::string_view name) {
  const auto staged = staged_.find(name);
  if (staged != staged_.end()) {
    return staged->second.is_dropped ? nullptr : staged->second.state.get();
  }
  const auto found = committed_.catalog.find(name);
  if (found == committed_.catalog.end()) return nullptr;
  auto state = std::make_shared<ArrayState>(*found->second);
  return staged_.emplace(name, Staged{std::move(state), false}).first->second.state.get();
}

Result<ArrayState*> Transaction::stage(std::string_view name) {
  if (ArrayState* state = find_staged(name)) return state;
  return array_not_found(name, committed_.catalog);
}

Result<ArrayState*> Transaction::stage_with_rows(std::string_view name, std::string_view verb) {
  NPK_ASSIGN_OR_RETURN(ArrayState * state, stage(name));
  if (!state->is_scalar) return state;
  return Status::invalid_argument(concat("cannot ", verb, " array '", name,
                                         "': it is 0-d and has no rows; save_arrays replaces it"));
}

uint64_t Transaction::next_record() const {
  return committed_.position.next_record + builder_.size();
}

Record Transaction::record(RecordType type, const ArrayState& state) const {
  Record record;
  record.type = type;
  record.array = state.id;
  record.generation = state.generation;
  record.time_us = options_.now_us;
  return record;
}

void Transaction::add_record(Record record, ArrayState& state, io::Bytes bulk) {
  state.last_record = next_record();
  state.modified_us = options_.now_us;
  builder_.add(std::move(record), bulk);
}

Result<std::string> Transaction::free_stem(const std::string& name) const {
  const auto is_taken = [&](const std::string& stem) {
    const auto same = [&](const auto& entry) {
      return entry.second->stem == stem && entry.first != name;
    };
    if (std::ranges::any_of(committed_.catalog, same)) return true;
    return std::ranges::any_of(staged_, [&](const auto& entry) {
      return entry.second.state != nullptr && entry.second.state->stem == stem &&
             entry.first != name;
    });
  };
  for (uint32_t attempt = 0; attempt < kStemAttempts; ++attempt) {
    std::string stem = file_stem(name, attempt);
    if (!is_taken(stem)) return stem;
  }
  return Status::internal(concat("no file name is free for array '", name, "'"));
}

Result<io::File*> Transaction::begin_generation(ArrayState& state, bool is_new) {
  state.generation = is_new ? generation_floor_ : state.generation + 1;
  state.deleted = std::make_shared<DeletedRows>();
  state.rows = state.is_scalar ? 1 : 0;
  if (state.sums != nullptr) state.sums = std::make_shared<RowSums>();
  state.file = std::make_shared<RowsFile>(
      *directory_.env, directory_.file(rows_file(state.stem, state.generation)), false);
  NPK_RETURN_IF_ERROR(state.file->create());
  made_.push_back(state.file->path());
  files_to_sync_.insert(state.file);
  if (is_new) state.id = next_record();
  Record begin = record(is_new ? RecordType::kCreate : RecordType::kSwapGeneration, state);
  state.last_record = next_record();
  state.modified_us = options_.now_us;
  const std::string descriptor = encode_descriptor(state);
  begin.payload.assign(as_bytes(descriptor).begin(), as_bytes(descriptor).end());
  add_record(std::move(begin), state);
  return state.file->file();
}

void Transaction::end_generation(const ArrayState& state) {
  garbage_.push_back(rows_file(state.stem, state.generation));
  garbage_bytes_ += state.size_bytes();
}

Result<ArrayState*> Transaction::begin_array(const std::string& name, DType dtype,
                                             const Shape& shape, const SaveOptions& options) {
  NPK_RETURN_IF_ERROR(check_array_name(name));
  ArrayState* state = find_staged(name);
  const bool is_new = state == nullptr;
  if (is_new) {
    auto fresh = std::make_shared<ArrayState>();
    fresh->name = name;
    NPK_ASSIGN_OR_RETURN(fresh->stem, free_stem(name));
    fresh->created_us = options_.now_us;
    state = fresh.get();
    staged_[name] = Staged{std::move(fresh), false};
  } else {
    end_generation(*state);
  }
  state->dtype = dtype;
  state->is_scalar = shape.empty();
  state->row_shape.clear();
  if (!state->is_scalar) state->row_shape.assign(shape.begin() + 1, shape.end());
  if (options.checksums) {
    const bool has_sums = *options.checksums == Checksums::kBlock;
    state->sums = has_sums ? std::make_shared<RowSums>() : nullptr;
  }
  NPK_RETURN_IF_ERROR(begin_generation(*state, is_new).status());
  return state;
}

Status Transaction::save(const std::string& name, const ArrayView& values,
                         const SaveOptions& options) {
  NPK_RETURN_IF_ERROR(values.check());
  NPK_ASSIGN_OR_RETURN(ArrayState * state,
                       begin_array(name, values.dtype(), values.shape(), options));
  return values.rows() == 0 ? Status() : append_written(*state, values);
}

Status Transaction::add_source(const std::string& name, const RowSource& source,
                               const SaveRowsOptions& options) {
  NPK_RETURN_IF_ERROR(shape_element_count(source.shape).status());
  if (!options.overwrite && find_staged(name) != nullptr) {
    return Status::already_exists(concat("there is an array '", name,
                                         "' already; choose another name or ask to overwrite it"));
  }
  NPK_ASSIGN_OR_RETURN(ArrayState * state,
                       begin_array(name, source.dtype, source.shape, options.save));
  const uint64_t row_count = source.shape.empty() ? 1 : source.shape[0];
  if (row_count == 0) return {};
  NPK_ASSIGN_OR_RETURN(io::File * file, state->file->file());
  Record append = record(RecordType::kAppendRef, *state);
  append.arg1 = row_count;
  NPK_ASSIGN_OR_RETURN(append.payload, write_filled_rows(*file, 0, {row_count, state->row_bytes()},
                                                         source.read, options.progress));
  state->rows = row_count;
  add_record(std::move(append), *state);
  return {};
}

Status Transaction::append(const std::string& name, const ArrayView& rows) {
  NPK_ASSIGN_OR_RETURN(ArrayState * state, stage_with_rows(name, "append to"));
  NPK_RETURN_IF_ERROR(check_rows_fit(*state, rows));
  Shape shape = state->row_shape;
  shape.insert(shape.begin(), state->rows + rows.rows());
  NPK_RETURN_IF_ERROR(shape_element_count(shape).status());
  if (rows.rows() == 0) return {};
  const bool is_small = rows.size_bytes() <= kInlineAppendBytes;
  // Rows of a generation that this transaction began are written like its first ones.
  if (options_.durability == Durability::kPower && is_small &&
      !files_to_sync_.contains(state->file)) {
    return append_inline(*state, rows);
  }
  return append_written(*state, rows);
}

Status Transaction::check_file_whole(ArrayState& state) {
  // Rows must not be put behind a gap. Those that this commit appended before reach the file later.
  if (state.last_record >= committed_.position.next_record) return {};
  return state.file->map(state.is_scalar ? 0 : state.size_bytes()).status();
}

Status Transaction::append_written(ArrayState& state, const ArrayView& rows) {
  const uint64_t row_bytes = state.row_bytes();
  const uint64_t piece_rows =
      row_bytes == 0 ? rows.rows() : std::max<uint64_t>(1, kAppendRefBytes / row_bytes);
  const uint64_t first = state.is_scalar ? 0 : state.rows;
  NPK_RETURN_IF_ERROR(check_file_whole(state));
  files_to_sync_.insert(state.file);
  for (uint64_t begin = 0; begin < rows.rows(); begin += piece_rows) {
    const uint64_t end = std::min(rows.rows(), begin + piece_rows);
    Record append = record(RecordType::kAppendRef, state);
    append.arg0 = first + begin;
    append.arg1 = end - begin;
    const uint64_t offset_bytes = append.arg0 * row_bytes;
    append.payload.resize(checksum_bytes(offset_bytes, (end - begin) * row_bytes));
    pending_rows_.push_back(
        {builder_.size(), false, state.file, offset_bytes, rows, begin, end, {}});
    state.rows = first + end;
    add_record(std::move(append), state);
  }
  return {};
}

Status Transaction::prepare() {
  for (PendingRows& rows : pending_rows_) {
    NPK_ASSIGN_OR_RETURN(io::File * file, rows.file->file());
    NPK_ASSIGN_OR_RETURN(rows.checksums,
                         write_rows(*file, rows.offset_bytes, rows.values, rows.begin, rows.end));
    if (!rows.is_inline) builder_.records()[rows.record].payload = rows.checksums;
  }
  for (Application& application : applications_) {
    if (application.bytes.empty()) continue;
    const uint64_t last = *std::ranges::max_element(application.rows);
    NPK_ASSIGN_OR_RETURN(application.mapping,
                         application.file->map_writable((last + 1) * application.row_bytes));
  }
  seal_sums();
  return {};
}

Status Transaction::append_inline(ArrayState& state, const ArrayView& rows) {
  NPK_RETURN_IF_ERROR(check_file_whole(state));
  io::Bytes bytes(rows.data(), rows.size_bytes());
  if (!rows.is_contiguous()) {
    std::vector<std::byte>& owned = inline_rows_.emplace_back(rows.size_bytes());
    rows.copy_rows(0, rows.rows(), owned.data());
    bytes = owned;
  }
  Record append = record(RecordType::kAppend, state);
  append.arg0 = state.rows;
  append.arg1 = rows.rows();
  pending_rows_.push_back({builder_.size(),
                           true,
                           state.file,
                           state.rows * state.row_bytes(),
                           rows,
                           0,
                           rows.rows(),
                           {}});
  state.rows += rows.rows();
  add_record(std::move(append), state, bytes);
  return {};
}

Status Transaction::replace(const std::string& name, const ArrayView& values, const Rows& rows) {
  NPK_ASSIGN_OR_RETURN(ArrayState * state, stage_with_rows(name, "replace rows of"));
  NPK_RETURN_IF_ERROR(check_rows_fit(*state, values));
  NPK_ASSIGN_OR_RETURN(auto places, resolve(*state, rows));
  if (places.size() != values.rows()) {
    return Status::invalid_argument(concat("array '", name, "': rows selected: ", places.size(),
                                           ", rows given: ", values.rows(), "; give one for each"));
  }
  if (places.empty()) return {};
  state->deleted->to_physical(places);
  return replace_pieces(*state, values, places);
}

Status Transaction::replace_pieces(ArrayState& state, const ArrayView& values,
                                   std::span<const uint64_t> physical) {
  const uint64_t row_bytes = state.row_bytes();
  const uint64_t piece_rows =
      std::clamp<uint64_t>(kMaxPayloadBytes / (row_bytes + 8), 1, physical.size());
  for (uint64_t begin = 0; begin < physical.size(); begin += piece_rows) {
    const uint64_t end = std::min<uint64_t>(physical.size(), begin + piece_rows);
    Application piece;
    piece.rows.assign(physical.begin() + static_cast<ptrdiff_t>(begin),
                      physical.begin() + static_cast<ptrdiff_t>(end));
    piece.is_in_log =
        values.is_contiguous() && is_logged() && (end - begin) * row_bytes > kCopiedReplaceBytes;
    if (piece.is_in_log) {
      piece.bytes = {values.data() + begin * row_bytes, (end - begin) * row_bytes};
    } else {
      piece.owned.resize((end - begin) * row_bytes);
      values.copy_rows(begin, end, piece.owned.data());
      piece.bytes = piece.owned;
    }
    piece.file = state.file;
    piece.array = state.id;
    piece.row_bytes = row_bytes;
    piece.piece_bytes = row_bytes;
    if (row_bytes <= kMaxPayloadBytes) {
      replace_piece(state, std::move(piece));
      continue;
    }
    // One row longer than a record may be: in parts.
    for (uint64_t byte = 0; byte < row_bytes; byte += kMaxPayloadBytes) {
      Application part = piece;
      part.first_byte = byte;
      part.piece_bytes = std::min(kMaxPayloadBytes, row_bytes - byte);
      part.bytes = piece.bytes.subspan(byte, part.piece_bytes);
      if (!part.is_in_log) {
        part.owned.assign(part.bytes.begin(), part.bytes.end());
        part.bytes = part.owned;
      }
      replace_piece(state, std::move(part));
    }
  }
  return {};
}

void Transaction::replace_piece(ArrayState& state, Application piece) {
  Record replace = record(is_logged() ? RecordType::kReplace : RecordType::kTouch, state);
  replace.arg0 = piece.rows.size();
  if (is_logged()) {
    replace.arg1 = piece.first_byte;
    replace.payload.resize(piece.rows.size() * 8);
    for (size_t i = 0; i < piece.rows.size(); ++i) {
      put_le(replace.payload.data() + 8 * i, piece.rows[i]);
    }
  }
  piece.record = builder_.size();
  add_record(std::move(replace), state, is_logged() ? piece.bytes : io::Bytes());
  applications_.push_back(std::move(piece));
}

Status Transaction::drop_rows(const std::string& name, const Rows& rows) {
  NPK_ASSIGN_OR_RETURN(ArrayState * state, stage_with_rows(name, "delete rows of"));
  Record remove = record(RecordType::kDelete, *state);
  if (const auto run = rows.contiguous(state->live_rows())) {
    if (run->first == run->second) return {};
    const uint64_t begin = state->deleted->physical(run->first);
    const uint64_t end = state->deleted->physical(run->second - 1) + 1;
    auto deleted = state->deleted->with_range(begin, end);
    // What lies between in the file and is deleted already is not deleted by this record.
    remove.payload = end - begin == run->second - run->first
                         ? encode_roaring_range(begin, end)
                         : deleted->encode_added(*state->deleted);
    state->deleted = std::move(deleted);
  } else {
    NPK_ASSIGN_OR_RETURN(auto places, resolve(*state, rows));
    if (places.empty()) return {};
    state->deleted->to_physical(places);
    std::ranges::sort(places);
    remove.payload = encode_roaring(places);
    state->deleted = state->deleted->with(places);
  }
  remove.arg0 = state->deleted->count();
  add_record(std::move(remove), *state);
  return {};
}

Status Transaction::drop_array(const std::string& name) {
  NPK_ASSIGN_OR_RETURN(ArrayState * state, stage(name));
  add_record(record(RecordType::kDrop, *state), *state);
  end_generation(*state);
  generation_floor_ = std::max(generation_floor_, state->generation + 1);
  staged_[name] = Staged{nullptr, true};
  return {};
}

Status Transaction::drop_all() {
  for (const auto& [name, state] : committed_.catalog) NPK_RETURN_IF_ERROR(drop_array(name));
  return {};
}

Status Transaction::set_attributes(const std::string& name, const std::string& json) {
  NPK_ASSIGN_OR_RETURN(ArrayState * state, stage(name));
  NPK_RETURN_IF_ERROR(check_attributes(json, &state->attributes));
  Record set = record(RecordType::kAttributes, *state);
  set.payload.assign(as_bytes(state->attributes).begin(), as_bytes(state->attributes).end());
  add_record(std::move(set), *state);
  return {};
}

Status Transaction::add_compaction(std::string_view name, const WriteProgress& progress) {
  NPK_ASSIGN_OR_RETURN(ArrayState * state, stage(name));
  if (state->deleted->empty()) return {};
  const ArrayState old = *state;
  end_generation(old);
  NPK_ASSIGN_OR_RETURN(io::File * file, begin_generation(*state, false));
  if (old.live_rows() == 0) return {};
  Record append = record(RecordType::kAppendRef, *state);
  append.arg1 = old.live_rows();
  NPK_ASSIGN_OR_RETURN(append.payload, copy_live_rows(old, *file, progress));
  state->rows = old.live_rows();
  add_record(std::move(append), *state);
  return {};
}

Status Transaction::add_clone(std::string_view source, std::string_view target) {
  NPK_RETURN_IF_ERROR(check_array_name(target));
  NPK_ASSIGN_OR_RETURN(const ArrayState* from, stage(source));
  const std::string name(target);
  if (find_staged(name) != nullptr) {
    return Status::already_exists(
        concat("there is an array '", name, "' already; drop it first or choose another name"));
  }
  auto state = std::make_shared<ArrayState>(*from);
  state->name = name;
  NPK_ASSIGN_OR_RETURN(state->stem, free_stem(name));
  state->created_us = options_.now_us;
  ArrayState& to = *state;
  staged_[name] = Staged{std::move(state), false};
  NPK_ASSIGN_OR_RETURN(io::File * file, begin_generation(to, true));
  if (from->live_rows() == 0) return {};
  Record append = record(RecordType::kAppendRef, to);
  append.arg1 = from->live_rows();
  NPK_ASSIGN_OR_RETURN(append.payload, copy_live_rows(*from, *file, {}));
  to.rows = from->live_rows();
  add_record(std::move(append), to);
  return {};
}

}  // namespace npk::internal
