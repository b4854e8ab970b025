#include "core/store/row_bits.h"

#include <algorithm>
#include <bit>

namespace npk::internal {

void set_bits(uint64_t* words, uint64_t begin, uint64_t end) {
  for (uint64_t next = 0; begin < end; begin = next) {
    next = std::min(end, (begin / 64 + 1) * 64);
    words[begin / 64] |= mask_below(next - begin) << (begin % 64);
  }
}

uint64_t next_row(const RowBits& bits, uint64_t row, bool is_set) {
  if (row == kContainerRows) return row;
  const uint64_t flipped = is_set ? 0 : ~uint64_t{0};
  const uint64_t rest = (bits[row / 64] ^ flipped) >> (row % 64);
  if (rest != 0) return row + static_cast<uint64_t>(std::countr_zero(rest));
  for (size_t i = row / 64 + 1; i < bits.size(); ++i) {
    if (bits[i] != flipped) {
      return i * 64 + static_cast<uint64_t>(std::countr_zero(bits[i] ^ flipped));
    }
  }
  return kContainerRows;
}

std::vector<BitRun> runs_of(const RowBits& bits) {
  std::vector<BitRun> runs;
  for (uint64_t row = next_row(bits, 0, true); row < kContainerRows;) {
    const uint64_t end = next_row(bits, row, false);
    runs.push_back({static_cast<uint32_t>(row), static_cast<uint32_t>(end)});
    row = next_row(bits, end, true);
  }
  return runs;
}

uint64_t count_runs(const RowBits& bits, uint64_t most) {
  uint64_t runs = 0;
  uint64_t row_before = 0;
  for (size_t i = 0; i < bits.size() && runs <= most; ++i) {
    const uint64_t begins = bits[i] & ~(bits[i] << 1 | row_before);
    if (begins != 0) runs += count_bits(begins);
    row_before = bits[i] >> 63;
  }
  return runs;
}

}  // namespace npk::internal
