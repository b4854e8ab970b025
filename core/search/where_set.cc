#include "core/search/where_set.h"

#include <algorithm>
#include <array>
#include <bit>

#include "npk/internal/text.h"

namespace npk {
namespace {

/// The lowest n bits, n from 0 to 64.
constexpr uint64_t low_bits(uint64_t n) { return n >= 64 ? ~uint64_t{0} : (uint64_t{1} << n) - 1; }

void set_range(uint64_t begin, uint64_t end, uint64_t* words) {
  while (begin < end) {
    const uint64_t count = std::min(end - begin, 64 - begin % 64);
    words[begin / 64] |= low_bits(count) << (begin % 64);
    begin += count;
  }
}

/// The lowest bits of `from`, one after the other, at the places of the set bits of `mask`.
uint64_t deposit(uint64_t from, uint64_t mask) {
  if (mask == ~uint64_t{0}) return from;
  uint64_t out = 0;
  for (; mask != 0 && from != 0; mask &= mask - 1, from >>= 1) {
    if ((from & 1) != 0) out |= mask & (~mask + 1);
  }
  return out;
}

}  // namespace

Where Where::bitmap(std::vector<uint64_t> words, uint64_t row_count) {
  return Where(std::make_shared<const Set>(Set{Set::Bitmap{std::move(words), row_count}}));
}

Where Where::mask(std::span<const uint8_t> mask) {
  std::vector<uint64_t> words((mask.size() + 63) / 64, 0);
  for (size_t i = 0; i < mask.size(); ++i) words[i / 64] |= uint64_t{mask[i] != 0} << (i % 64);
  return bitmap(std::move(words), mask.size());
}

Where Where::rows(std::vector<int64_t> rows) {
  return Where(std::make_shared<const Set>(Set{Set::List{std::move(rows)}}));
}

Where Where::ranges(std::vector<std::pair<uint64_t, uint64_t>> ranges) {
  return Where(std::make_shared<const Set>(Set{Set::Ranges{std::move(ranges)}}));
}

namespace internal {
namespace {

using Range = std::pair<uint64_t, uint64_t>;

Status check_bitmap(const Where::Set::Bitmap& bitmap, uint64_t row_count) {
  if (bitmap.row_count == row_count && bitmap.words.size() >= (row_count + 63) / 64) return {};
  return Status::invalid_argument(
      concat("where is a mask of ", std::min<uint64_t>(bitmap.row_count, bitmap.words.size() * 64),
             " rows, the array has ", row_count));
}

Result<std::vector<Range>> ranges_of_list(const std::vector<int64_t>& rows, uint64_t row_count) {
  std::vector<Range> ranges;
  ranges.reserve(rows.size());
  for (const int64_t row : rows) {
    const auto from_end = row_count - (uint64_t{0} - static_cast<uint64_t>(row));
    const uint64_t place = row < 0 ? from_end : static_cast<uint64_t>(row);
    const bool is_inside =
        row < 0 ? uint64_t{0} - static_cast<uint64_t>(row) <= row_count : place < row_count;
    if (!is_inside) {
      return Status::out_of_range(
          concat("where names row ", row, ", the array has ", row_count, " rows"));
    }
    ranges.emplace_back(place, place + 1);
  }
  return ranges;
}

Status check_ranges(const std::vector<Range>& ranges, uint64_t row_count) {
  for (const auto& [begin, end] : ranges) {
    if (begin > end) {
      return Status::invalid_argument(
          concat("where has the range [", begin, ", ", end, "), which ends before it begins"));
    }
    if (end > row_count) {
      return Status::out_of_range(concat("where has the range [", begin, ", ", end,
                                         "), the array has ", row_count, " rows"));
    }
  }
  return {};
}

/// Sorted, joined where they touch, without empty ones.
std::vector<Range> normalised(std::vector<Range> ranges) {
  std::sort(ranges.begin(), ranges.end());
  std::vector<Range> joined;
  for (const Range& range : ranges) {
    if (range.first == range.second) continue;
    if (!joined.empty() && range.first <= joined.back().second) {
      joined.back().second = std::max(joined.back().second, range.second);
    } else {
      joined.push_back(range);
    }
  }
  return joined;
}

}  // namespace

Result<WhereRows> WhereRows::create(const Where& where, uint64_t row_count) {
  WhereRows rows;
  if (where.is_everything()) {
    if (row_count > 0) rows.ranges_.emplace_back(0, row_count);
    return rows;
  }
  const auto& given = where.set()->rows;
  if (const auto* bitmap = std::get_if<Where::Set::Bitmap>(&given)) {
    NPK_RETURN_IF_ERROR(check_bitmap(*bitmap, row_count));
    rows.bitmap_ = bitmap;
  } else if (const auto* list = std::get_if<Where::Set::List>(&given)) {
    NPK_ASSIGN_OR_RETURN(auto ranges, ranges_of_list(list->rows, row_count));
    rows.ranges_ = normalised(std::move(ranges));
  } else {
    const auto& ranges = std::get<Where::Set::Ranges>(given).ranges;
    NPK_RETURN_IF_ERROR(check_ranges(ranges, row_count));
    rows.ranges_ = normalised(ranges);
  }
  return rows;
}

void WhereRows::words(uint64_t begin, uint64_t end, uint64_t* out) const {
  const uint64_t count = (end - begin + 63) / 64;
  if (bitmap_ == nullptr) {
    std::fill_n(out, count, uint64_t{0});
    auto range = std::upper_bound(ranges_.begin(), ranges_.end(), begin,
                                  [](uint64_t row, const Range& r) { return row < r.second; });
    for (; range != ranges_.end() && range->first < end; ++range) {
      set_range(std::max(range->first, begin) - begin, std::min(range->second, end) - begin, out);
    }
    return;
  }
  const std::vector<uint64_t>& words = bitmap_->words;
  for (uint64_t w = 0; w < count; ++w) {
    const uint64_t at = begin + w * 64;
    const uint64_t shift = at % 64;
    out[w] = words[at / 64] >> shift;
    if (shift != 0 && at / 64 + 1 < words.size()) out[w] |= words[at / 64 + 1] << (64 - shift);
    out[w] &= low_bits(end - at);
  }
}

void SelectedRows::selected_words(uint64_t begin, uint64_t end, uint64_t* words) const {
  if (deleted_ == nullptr) return where_->words(begin, end, words);
  deleted_->deleted_words(begin, end, words);
  const uint64_t count = (end - begin + 63) / 64;
  for (uint64_t w = 0; w < count; ++w) words[w] = ~words[w] & low_bits(end - begin - w * 64);
  if (where_ == nullptr) return;
  // The live rows of each word are consecutive logical rows.
  uint64_t logical = deleted_->logical(begin);
  for (uint64_t w = 0; w < count; ++w) {
    const auto live = static_cast<uint64_t>(std::popcount(words[w]));
    if (live == 0) continue;
    uint64_t chosen = 0;
    where_->words(logical, logical + live, &chosen);
    words[w] = deposit(chosen, words[w]);
    logical += live;
  }
}

}  // namespace internal
}  // namespace npk
