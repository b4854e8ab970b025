#include "io/sim_image.h"

#include <algorithm>
#include <cstring>

namespace npk::io {

bool is_all_zero(Bytes bytes) {
  if (bytes.empty()) return true;
  // Each byte equals the next and the first is zero.
  return bytes[0] == std::byte{0} &&
         std::memcmp(bytes.data(), bytes.data() + 1, bytes.size() - 1) == 0;
}

size_t SimImage::slot_at(uint64_t number) const {
  // Most files are written from start to end: then the slot is where its number says.
  if (holds(number, number)) return number;
  const auto at = std::lower_bound(slots_.begin(), slots_.end(), number,
                                   [](const Slot& slot, uint64_t n) { return slot.number < n; });
  return static_cast<size_t>(at - slots_.begin());
}

void SimImage::read(uint64_t offset_bytes, std::span<std::byte> out) const {
  uint64_t number = offset_bytes / kSimPageBytes;
  uint64_t from = offset_bytes % kSimPageBytes;
  for (size_t slot = slot_at(number); !out.empty(); ++number, from = 0) {
    const size_t count = std::min<uint64_t>(out.size(), kSimPageBytes - from);
    if (holds(slot, number)) {
      std::memcpy(out.data(), slots_[slot].page->bytes.data() + from, count);
      ++slot;
    } else {
      std::memset(out.data(), 0, count);
    }
    out = out.subspan(count);
  }
}

void SimImage::write_page(uint64_t number, uint64_t from, Bytes bytes) {
  const size_t slot = slot_at(number);
  if (!holds(slot, number)) {
    if (is_all_zero(bytes)) return;
    Shared<SimPage> page(new SimPage);
    if (bytes.size() < kSimPageBytes) page.own().bytes.fill(std::byte{0});
    slots_.insert(slots_.begin() + static_cast<ptrdiff_t>(slot), Slot{number, std::move(page)});
  }
  std::memcpy(slots_[slot].page.own().bytes.data() + from, bytes.data(), bytes.size());
}

void SimImage::write(uint64_t offset_bytes, Bytes bytes) {
  uint64_t number = offset_bytes / kSimPageBytes;
  uint64_t from = offset_bytes % kSimPageBytes;
  for (; !bytes.empty(); ++number, from = 0) {
    const Bytes part = bytes.first(std::min<uint64_t>(bytes.size(), kSimPageBytes - from));
    write_page(number, from, part);
    bytes = bytes.subspan(part.size());
  }
}

void SimImage::write_zeros(uint64_t offset_bytes, uint64_t length_bytes) {
  const uint64_t end = offset_bytes + length_bytes;
  for (size_t slot = slot_at(offset_bytes / kSimPageBytes); slot < slots_.size(); ++slot) {
    const uint64_t page_start = slots_[slot].number * kSimPageBytes;
    if (page_start >= end) break;
    const uint64_t from = std::max(offset_bytes, page_start);
    const uint64_t to = std::min(end, page_start + kSimPageBytes);
    std::memset(slots_[slot].page.own().bytes.data() + (from - page_start), 0, to - from);
  }
}

bool SimImage::is_trimmed() const {
  if (slots_.empty()) return true;
  const uint64_t start = slots_.back().number * kSimPageBytes;
  if (start + kSimPageBytes <= size_bytes_) return true;
  return start < size_bytes_ &&
         is_all_zero(Bytes(slots_.back().page->bytes).subspan(size_bytes_ - start));
}

void SimImage::trim() {
  const uint64_t last = size_bytes_ / kSimPageBytes;
  const uint64_t kept_of_last = size_bytes_ % kSimPageBytes;
  size_t slot = slot_at(last);
  if (holds(slot, last) && kept_of_last > 0) {
    const Bytes tail = Bytes(slots_[slot].page->bytes).subspan(kept_of_last);
    if (!is_all_zero(tail)) write_zeros(size_bytes_, tail.size());
    ++slot;
  }
  slots_.erase(slots_.begin() + static_cast<ptrdiff_t>(slot), slots_.end());
}

void SimImage::take_page(uint64_t number, const SimImage& other) {
  const size_t theirs = other.slot_at(number);
  const size_t slot = slot_at(number);
  const auto place = slots_.begin() + static_cast<ptrdiff_t>(slot);
  if (!other.holds(theirs, number)) {
    if (holds(slot, number)) slots_.erase(place);
  } else if (holds(slot, number)) {
    slots_[slot].page = other.slots_[theirs].page;
  } else {
    slots_.insert(place, other.slots_[theirs]);
  }
}

}  // namespace npk::io
