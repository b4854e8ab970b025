// Rows: selections of rows, resolved as NumPy and Python do.
#include <algorithm>

#include "npk/internal/text.h"
#include "npk/store.h"

namespace npk {
namespace {

struct Slice {
  int64_t start;
  int64_t stop;
  int64_t step;
};

/// Python's slice.indices(row_count).
Slice clamp_slice(std::optional<int64_t> start, std::optional<int64_t> stop, int64_t step,
                  int64_t row_count) {
  const int64_t low = step > 0 ? 0 : -1;
  const int64_t high = step > 0 ? row_count : row_count - 1;
  const auto clamp = [&](int64_t value) {
    if (value < 0) return value < low - row_count ? low : std::max(low, value + row_count);
    return std::min(value, high);
  };
  return {start ? clamp(*start) : (step > 0 ? low : high),
          stop ? clamp(*stop) : (step > 0 ? high : low), step};
}

}  // namespace

Rows Rows::all() { return Rows(All{}); }
Rows Rows::list(std::vector<int64_t> rows) { return Rows(List{std::move(rows)}); }
Rows Rows::range(std::optional<int64_t> start, std::optional<int64_t> stop, int64_t step) {
  return Rows(Range{start, stop, step});
}
Rows Rows::mask(std::vector<uint8_t> mask) { return Rows(Mask{std::move(mask)}); }

Result<std::vector<uint64_t>> Rows::resolve(uint64_t row_count) const {
  std::vector<uint64_t> rows;
  const auto count = static_cast<int64_t>(row_count);
  if (const auto run = contiguous(row_count)) {
    rows.resize(run->second - run->first);
    for (uint64_t i = 0; i < rows.size(); ++i) rows[i] = run->first + i;
  } else if (const auto* list = std::get_if<List>(&selection_)) {
    rows.reserve(list->rows.size());
    for (const int64_t row : list->rows) {
      if (row >= count || row < -count) {
        return Status::out_of_range(
            internal::concat("row ", row, " was asked for, but the array has ", count, " rows"));
      }
      rows.push_back(static_cast<uint64_t>(row < 0 ? row + count : row));
    }
  } else if (const auto* range = std::get_if<Range>(&selection_)) {
    if (range->step == 0) return Status::invalid_argument("a range of rows has step 0");
    const Slice slice = clamp_slice(range->start, range->stop, range->step, count);
    // The distance to the end decides, so that a huge step does not overflow.
    for (int64_t row = slice.start; slice.step > 0 ? row < slice.stop : row > slice.stop;) {
      rows.push_back(static_cast<uint64_t>(row));
      if (slice.step > 0 ? slice.step >= slice.stop - row : slice.step <= slice.stop - row) break;
      row += slice.step;
    }
  } else if (const auto* mask = std::get_if<Mask>(&selection_)) {
    if (mask->bytes.size() != row_count) {
      return Status::invalid_argument(internal::concat(
          "a mask of ", mask->bytes.size(), " rows was given, but the array has ", row_count));
    }
    for (uint64_t i = 0; i < row_count; ++i) {
      if (mask->bytes[i] != 0) rows.push_back(i);
    }
  }
  return rows;
}

std::optional<std::pair<uint64_t, uint64_t>> Rows::contiguous(uint64_t row_count) const {
  if (std::holds_alternative<All>(selection_)) return std::pair<uint64_t, uint64_t>(0, row_count);
  const auto* range = std::get_if<Range>(&selection_);
  if (range == nullptr || range->step != 1) return std::nullopt;
  const Slice slice = clamp_slice(range->start, range->stop, 1, static_cast<int64_t>(row_count));
  const auto begin = static_cast<uint64_t>(slice.start);
  return std::pair<uint64_t, uint64_t>(begin, std::max(begin, static_cast<uint64_t>(slice.stop)));
}

}  // namespace npk
