#include "core/search/sampled_rows.h"

#include <algorithm>

namespace npk::internal {
namespace {

/// The finalizer of SplitMix64: every bit of the result depends on every bit of the number.
uint64_t mixed(uint64_t number) noexcept {
  number = (number + 1) * 0x9e3779b97f4a7c15;
  number = (number ^ (number >> 30)) * 0xbf58476d1ce4e5b9;
  number = (number ^ (number >> 27)) * 0x94d049bb133111eb;
  return number ^ (number >> 31);
}

}  // namespace

uint64_t SampledRows::drawn(uint64_t stretch) const noexcept {
  return stretch * stretch_rows_ + mixed(stretch) % stretch_rows_;
}

void SampledRows::selected_words(uint64_t begin, uint64_t end, uint64_t* words) const {
  if (selection_ != nullptr) {
    selection_->selected_words(begin, end, words);
  } else {
    std::fill_n(words, (end - begin + 63) / 64, ~uint64_t{0});
  }
  uint64_t stretch = begin / stretch_rows_;
  for (uint64_t first = begin; first < end; first += 64) {
    const uint64_t behind = std::min(first + 64, end);
    uint64_t bits = 0;
    for (; drawn(stretch) < behind; ++stretch) {
      if (drawn(stretch) >= first) bits |= uint64_t{1} << (drawn(stretch) - first);
    }
    *words++ &= bits;
  }
}

}  // namespace npk::internal
