#include "core/store/row_copy.h"

#include <algorithm>
#include <cstring>

namespace npk::internal {
namespace {

// How many rows ahead a gather prefetches; 8 hides a cache miss behind the copies before it.
constexpr size_t kPrefetchRows = 8;

/// A gather of rows of `kBytes` bytes (0: of any size), `physical` giving the place of the i-th.
template <size_t kBytes, typename Physical>
void gather(const std::byte* rows, uint64_t row_bytes, size_t count, const Physical& physical,
            std::byte* out) {
  const uint64_t bytes = kBytes == 0 ? row_bytes : kBytes;
  for (size_t i = 0; i < count; ++i) {
    if (i + kPrefetchRows < count) {
      const std::byte* ahead = rows + physical(i + kPrefetchRows) * bytes;
      __builtin_prefetch(ahead);
      __builtin_prefetch(ahead + bytes - 1);
    }
    std::memcpy(out + i * bytes, rows + physical(i) * bytes, bytes);
  }
}

template <typename Physical>
void gather_any(const std::byte* rows, uint64_t row_bytes, size_t count, const Physical& physical,
                std::byte* out) {
  switch (row_bytes) {  // Copies of a known small size need no call.
    case 0:
      return;
    case 4:
      return gather<4>(rows, row_bytes, count, physical, out);
    case 8:
      return gather<8>(rows, row_bytes, count, physical, out);
    case 16:
      return gather<16>(rows, row_bytes, count, physical, out);
    case 32:
      return gather<32>(rows, row_bytes, count, physical, out);
    case 40:
      return gather<40>(rows, row_bytes, count, physical, out);
    case 64:
      return gather<64>(rows, row_bytes, count, physical, out);
    default:
      return gather<0>(rows, row_bytes, count, physical, out);
  }
}

}  // namespace

void copy_row_range(const ArrayState& state, const std::byte* rows, uint64_t begin, uint64_t end,
                    std::byte* out) {
  const uint64_t row_bytes = state.row_bytes();
  if (begin >= end || row_bytes == 0) return;
  if (state.deleted->empty()) {
    std::memcpy(out, rows + begin * row_bytes, (end - begin) * row_bytes);
    return;
  }
  uint64_t left = end - begin;
  for (uint64_t place = state.deleted->physical(begin); left > 0;) {
    const auto run = state.deleted->next_live_run(place, state.rows);
    const uint64_t count = std::min(left, run.end - run.begin);
    std::memcpy(out, rows + run.begin * row_bytes, count * row_bytes);
    out += count * row_bytes;
    left -= count;
    place = run.end;
  }
}

void copy_row_list(const ArrayState& state, const std::byte* rows, std::span<const uint64_t> list,
                   std::byte* out) {
  const uint64_t row_bytes = state.row_bytes();
  const DeletedRows& deleted = *state.deleted;
  if (deleted.empty()) {
    gather_any(
        rows, row_bytes, list.size(), [&](size_t i) { return list[i]; }, out);
    return;
  }
  // Places first, in portions that stay in the cache: finding one twice costs more than a copy.
  uint64_t places[256];
  while (!list.empty()) {
    const size_t count = std::min(list.size(), std::size(places));
    std::copy_n(list.begin(), count, places);
    deleted.to_physical({places, count});
    gather_any(
        rows, row_bytes, count, [&](size_t i) { return places[i]; }, out);
    out += count * row_bytes;
    list = list.subspan(count);
  }
}

}  // namespace npk::internal
