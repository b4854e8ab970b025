#include "core/store/change_history.h"

#include <algorithm>
#include <bit>
#include <map>

#include "core/store/codec.h"
#include "core/store/roaring_format.h"
#include "npk/internal/text.h"
#include "simd/crc32c.h"

namespace npk::internal {
namespace {

constexpr uint32_t kMagic = 0x434b504e;  // "NPKC"
constexpr uint64_t kHeaderWords = 4;
constexpr uint64_t kChangeWords = 5;  // Of a change without its places.
constexpr uint64_t kMaxWords = 128u << 10;
constexpr uint64_t kMaxPlaces = 8u << 10;  // Of one change.

uint64_t words_of(const ChangeHistory::Change& change) {
  return kChangeWords + 2 * change.places.size();
}

/// Sorts the runs and joins those that touch.
void tidy(std::vector<RowRun>& runs) {
  std::ranges::sort(runs, {}, &RowRun::begin);
  size_t kept = 0;
  for (const RowRun& run : runs) {
    if (run.begin == run.end) continue;
    if (kept > 0 && run.begin <= runs[kept - 1].end) {
      runs[kept - 1].end = std::max(runs[kept - 1].end, run.end);
    } else {
      runs[kept++] = run;
    }
  }
  runs.resize(kept);
}

/// Widens the runs to larger and larger pieces of the array until they are few.
void coarsen(std::vector<RowRun>& runs) {
  for (uint64_t piece = 2; runs.size() > kMaxPlaces; piece *= 2) {
    for (RowRun& run : runs) {
      run.begin = run.begin / piece * piece;
      run.end = (run.end + piece - 1) / piece * piece;
    }
    tidy(runs);
  }
}

/// The rows that a Replace record names, read from the log: their bytes are left where they are.
Result<std::vector<RowRun>> replaced_places(const io::File& log, const Record& record) {
  if ((record.length_bytes - RecordLayout::kHeaderBytes) / 8 < record.arg0) {
    return Status::corruption(concat("log record ", record.number, " is too short for its rows"))
        .with_path(log.path())
        .with_offset(record.offset_bytes);
  }
  std::vector<std::byte> numbers(record.arg0 * 8);
  NPK_RETURN_IF_ERROR(log.read_at(record.offset_bytes + RecordLayout::kHeaderBytes, numbers));
  std::vector<RowRun> places(record.arg0);
  for (size_t i = 0; i < places.size(); ++i) {
    const auto row = get_le<uint64_t>(numbers.data() + 8 * i);
    places[i] = {row, row + 1};
  }
  tidy(places);
  coarsen(places);
  return places;
}

Result<std::vector<RowRun>> deleted_places(const Record& record) {
  std::vector<RowRun> places;
  NPK_RETURN_IF_ERROR(decode_roaring(
      record.payload, UINT64_MAX, [&](uint64_t first_row, uint64_t word, uint64_t bits) {
        while (bits != 0 && places.size() <= kMaxPlaces) {
          const auto skip = static_cast<uint64_t>(std::countr_zero(bits));
          const auto count = static_cast<uint64_t>(std::countr_one(bits >> skip));
          const uint64_t begin = first_row + word * 64 + skip;
          if (!places.empty() && places.back().end == begin) {
            places.back().end += count;
          } else {
            places.push_back({begin, begin + count});
          }
          if (skip + count == 64) break;
          bits &= ~uint64_t{0} << (skip + count);
        }
      }));
  return places;
}

}  // namespace

Status ChangeHistory::add(const io::File& log, const Record& record) {
  end_ = std::max(end_, record.number);
  Change change{Kind::kWhole, record.array, record.number, record.number, {}};
  switch (record.type) {
    case RecordType::kAppend:
    case RecordType::kAppendRef:
      change.kind = Kind::kAppended;
      change.places.push_back({record.arg0, record.arg0 + record.arg1});
      break;
    case RecordType::kReplace: {
      change.kind = Kind::kReplaced;
      NPK_ASSIGN_OR_RETURN(change.places, replaced_places(log, record));
      break;
    }
    case RecordType::kDelete: {
      change.kind = Kind::kDeleted;
      NPK_ASSIGN_OR_RETURN(change.places, deleted_places(record));
      // Deleted rows must be told exactly or not at all.
      if (change.places.size() > kMaxPlaces)
        change = {Kind::kWhole, record.array, record.number, record.number, {}};
      break;
    }
    case RecordType::kSwapGeneration:
    case RecordType::kTouch:
      break;
    case RecordType::kDrop:
      forget(record.array);
      return {};
    case RecordType::kCreate:  // Whoever asks for a time before it is told by the array's id.
    case RecordType::kAttributes:
    case RecordType::kSums:
      return {};
  }
  put(std::move(change));
  return {};
}

void ChangeHistory::put(Change change) {
  std::erase_if(change.places, [](const RowRun& run) { return run.begin == run.end; });
  if (change.kind != Kind::kWhole && change.places.empty()) return;
  // A log that is wrong may name rows that there cannot be.
  if (std::ranges::any_of(change.places, [](const RowRun& run) { return run.begin > run.end; })) {
    change.kind = Kind::kWhole;
    change.places.clear();
  }
  if (change.kind == Kind::kWhole) forget(change.array);
  words_ += words_of(change);
  changes_.push_back(std::move(change));
  if (words_ > kMaxWords) shorten();
}

void ChangeHistory::forget(uint64_t array) {
  std::erase_if(changes_, [&](const Change& change) { return change.array == array; });
  words_ = 0;
  for (const Change& change : changes_) words_ += words_of(change);
}

void ChangeHistory::rewind(uint64_t number) {
  std::erase_if(changes_, [&](const Change& change) { return change.first >= number; });
  words_ = 0;
  for (Change& change : changes_) {
    change.last = std::min(change.last, number - 1);
    words_ += words_of(change);
  }
  end_ = std::min(end_, number - 1);
  floor_ = std::min(floor_, end_);
}

void ChangeHistory::shorten() {
  // The older half, by what it takes, as one change of each kind for each array, but for deletes.
  auto middle = changes_.begin();
  for (uint64_t words = 0; words < words_ / 2; ++middle) words += words_of(*middle);
  std::map<std::pair<uint64_t, Kind>, Change> joined;
  std::vector<Change> kept;
  for (auto change = changes_.begin(); change != middle; ++change) {
    if (change->kind == Kind::kDeleted || change->kind == Kind::kWhole) {
      kept.push_back(std::move(*change));
      continue;
    }
    Change& whole = joined.try_emplace({change->array, change->kind}, *change).first->second;
    whole.last = change->last;
    whole.places.insert(whole.places.end(), change->places.begin(), change->places.end());
  }
  for (auto& [key, change] : joined) {
    tidy(change.places);
    coarsen(change.places);
    kept.push_back(std::move(change));
  }
  uint64_t words = 0;
  for (const Change& change : kept) words += words_of(change);
  if (words > kMaxWords / 4) {  // Too much even so.
    for (const Change& change : kept) floor_ = std::max(floor_, change.last);
    kept.clear();
  }
  kept.insert(kept.end(), std::make_move_iterator(middle), std::make_move_iterator(changes_.end()));
  changes_ = std::move(kept);
  words_ = 0;
  for (const Change& change : changes_) words_ += words_of(change);
}

RowChanges ChangeHistory::changes_since(const ArrayState& state, uint64_t since) const {
  RowChanges answer;
  answer.commit_number = end_;
  answer.rows = state.live_rows();
  answer.everything = since < floor_ || since > end_ || since < state.id;
  uint64_t rows_then = state.rows;  // Physical rows as of `since`, at least and ...
  uint64_t most_rows_then = state.rows;
  std::vector<RowRun> deleted;
  for (const Change& change : changes_) {
    if (change.array != state.id || change.last <= since) continue;
    std::vector<RowRun>& places = change.kind == Kind::kDeleted ? deleted : answer.changed;
    places.insert(places.end(), change.places.begin(), change.places.end());
    if (change.kind == Kind::kWhole) answer.everything = true;
    if (change.kind != Kind::kAppended || change.places.empty()) continue;
    rows_then = std::min(rows_then, change.places.front().begin);
    if (change.first > since) {
      most_rows_then = std::min(most_rows_then, change.places.front().begin);
    }
  }
  tidy(deleted);
  for (const RowRun& run : deleted) {
    // Whether rows were there as of `since` is not known if they came in several commits told as
    // one.
    answer.everything |=
        run.end > rows_then && run.begin < most_rows_then && rows_then < most_rows_then;
  }
  if (answer.everything) {
    answer.changed = {{0, answer.rows}};
    return answer;
  }
  uint64_t deleted_before = 0;
  for (const RowRun& run : deleted) {
    if (run.begin >= rows_then) break;
    const uint64_t begin = state.deleted->logical(run.begin) + deleted_before;
    const uint64_t count = std::min(run.end, rows_then) - run.begin;
    answer.deleted.push_back({begin, begin + count});
    deleted_before += count;
  }
  tidy(answer.deleted);
  for (RowRun& run : answer.changed) {
    run.begin = state.deleted->logical(std::min(run.begin, state.rows));
    run.end = state.deleted->logical(std::min(run.end, state.rows));
  }
  tidy(answer.changed);
  return answer;
}

std::vector<std::byte> ChangeHistory::encode() const {
  std::vector<std::byte> out;
  out.reserve(8 + 8 * (kHeaderWords + words_));
  append_le(out, kMagic);
  append_le(out, uint32_t{0});
  append_le(out, uint64_t{1});  // Format.
  append_le(out, floor_);
  append_le(out, end_);
  append_le(out, uint64_t{changes_.size()});
  for (const Change& change : changes_) {
    append_le(out, static_cast<uint64_t>(change.kind));
    append_le(out, change.array);
    append_le(out, change.first);
    append_le(out, change.last);
    append_le(out, uint64_t{change.places.size()});
    for (const RowRun& run : change.places) {
      append_le(out, run.begin);
      append_le(out, run.end);
    }
  }
  put_le(out.data() + 4, simd::crc32c(io::Bytes(out).subspan(8)));
  return out;
}

Result<ChangeHistory> ChangeHistory::decode(std::span<const std::byte> bytes) {
  const auto damage = [](uint64_t offset, std::string_view what) {
    return Status::corruption(concat("the history of changes ", what)).with_offset(offset);
  };
  if (bytes.size() < 8 + 8 * kHeaderWords || bytes.size() % 8 != 0 ||
      get_le<uint32_t>(bytes.data()) != kMagic ||
      get_le<uint32_t>(bytes.data() + 4) != simd::crc32c(bytes.subspan(8))) {
    return damage(0, "is cut off or fails its checksum");
  }
  size_t at = 8;
  const auto left = [&] { return (bytes.size() - at) / 8; };
  const auto next = [&] { return get_le<uint64_t>(bytes.data() + std::exchange(at, at + 8)); };
  if (next() != 1) return damage(8, "is of a newer format");
  ChangeHistory history(next());
  history.end_ = next();
  if (history.floor_ > history.end_) return damage(16, "ends before it begins");
  const uint64_t count = next();
  if (left() > kMaxWords) return damage(at, "is longer than it can be");
  if (count > left() / kChangeWords) return damage(at, "has fewer changes than it says");
  history.changes_.reserve(count);
  for (uint64_t i = 0; i < count; ++i) {
    if (left() < kChangeWords) return damage(at, "has fewer changes than it says");
    const uint64_t kind = next();
    Change change{static_cast<Kind>(kind), next(), next(), next(), {}};
    if (kind < 1 || kind > static_cast<uint64_t>(Kind::kWhole) || change.first > change.last ||
        change.last > history.end_) {
      return damage(at, "has a change that cannot be");
    }
    const uint64_t places = next();
    if (places > left() / 2) return damage(at, "has fewer rows than it says");
    if ((places == 0) != (change.kind == Kind::kWhole))
      return damage(at, "has a change of no rows");
    change.places.reserve(places);
    uint64_t end = 0;
    for (uint64_t k = 0; k < places; ++k) {
      const uint64_t begin = next();
      if (begin < end) return damage(at, "has rows out of order");
      end = next();
      if (end <= begin) return damage(at, "has rows out of order");
      change.places.push_back({begin, end});
    }
    history.words_ += words_of(change);
    history.changes_.push_back(std::move(change));
  }
  if (left() != 0) return damage(at, "goes on behind its end");
  return history;
}

}  // namespace npk::internal
