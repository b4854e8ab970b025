#include "io/sim_node.h"

#include <algorithm>
#include <bit>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "io/file_rules.h"
#include "io/sim_memory.h"
#include "io/sim_random.h"

namespace npk::io {
namespace {

// More than this is not worth zeroing by hand: the kernel drops the range faster.
constexpr size_t kMostPagesToZero = 256;
constexpr uint64_t kMostEmptyPagesToCheck = 4;

/// Which sectors of a torn write arrived: a first part, a last part, or any; never none, never all.
class TornPattern {
 public:
  TornPattern(uint64_t seed, uint64_t sector_count)
      : seed_(seed), shape_(sim_mix(seed) % 3), cut_(1 + sim_mix(seed + 1) % (sector_count - 1)) {}
  [[nodiscard]] bool arrives(uint64_t sector) const {
    if (shape_ == 0) return sector < cut_;
    if (shape_ == 1) return sector >= cut_;
    if (sector == cut_) return true;
    if (sector == cut_ - 1) return false;
    return sim_mix(seed_ + 2 + sector) % 2 == 0;
  }
  /// Whether the size stops at the last sector that arrived, or is that of the whole write.
  [[nodiscard]] bool shortens() const { return sim_mix(seed_ + 3) % 2 == 0; }

 private:
  uint64_t seed_;
  uint64_t shape_;
  uint64_t cut_;
};

void apply_part(SimImage& image, const FileOp& op, uint64_t from, uint64_t to) {
  if (op.bytes == nullptr) {
    image.write_zeros(from, to - from);
  } else {
    image.write(from, {op.bytes.get() + (from - op.offset_bytes), to - from});
  }
}

/// Returns where what arrived ends.
uint64_t apply_torn(SimImage& image, const FileOp& op, uint64_t seed) {
  const uint64_t count = op.sector_count();
  const TornPattern pattern(seed, count);
  uint64_t arrived_end = op.offset_bytes;
  for (uint64_t i = 0; i < count; ++i) {
    if (!pattern.arrives(i)) continue;
    const uint64_t start = (op.first_sector() + i) * kSectorBytes;
    const uint64_t from = std::max(op.offset_bytes, start);
    const uint64_t to = std::min(op.end_bytes(), start + kSectorBytes);
    apply_part(image, op, from, to);
    arrived_end = to;
  }
  return pattern.shortens() ? arrived_end : op.end_bytes();
}

template <typename Visit>
void for_each_page(const FileOp& op, const Visit& visit) {
  if (op.length_bytes == 0) return;
  const uint64_t last = (op.end_bytes() - 1) / kSimPageBytes;
  for (uint64_t page = op.offset_bytes / kSimPageBytes; page <= last; ++page) visit(page);
}

}  // namespace

// ---- changes -----------------------------------------------------------------------------------

void FileOp::apply(SimImage& image, const Fate& fate) const {
  if (kind == Kind::kTruncate) {
    if (fate.part == Fate::Part::kLost) return;
    image.set_size(0);
    image.trim();
    return;
  }
  uint64_t end = end_bytes();
  if (fate.part == Fate::Part::kTorn && is_tearable()) {
    end = apply_torn(image, *this, fate.torn_seed);
  } else if (fate.part == Fate::Part::kKept) {
    apply_part(image, *this, offset_bytes, end);
  }
  if (grows && fate.size) image.set_size(std::max(image.size_bytes(), end));
}

// ---- views -------------------------------------------------------------------------------------

std::shared_ptr<SimView> SimView::make(const std::shared_ptr<SimNode>& node, uint64_t length_bytes,
                                       bool is_private) {
  constexpr uint64_t kAddressSpace = uint64_t{1} << 47;
  if (length_bytes > kAddressSpace) return nullptr;
  if (!is_private) {
    if (auto found = node->content.find_view(length_bytes)) return found;
  }
  const uint64_t capacity = std::bit_ceil(std::max(length_bytes, kSimPageBytes));
  std::byte* const data = acquire_range(capacity);
  if (data == nullptr) return nullptr;
  auto view = std::make_shared<SimView>(node, data, capacity, is_private);
  node->content.add_view(view);
  return view;
}

SimView::SimView(std::shared_ptr<SimNode> node, std::byte* data, uint64_t capacity_bytes,
                 bool is_private)
    : node_(std::move(node)),
      data_(data),
      capacity_bytes_(capacity_bytes),
      is_private_(is_private) {
  for (const SimImage::Slot& slot : node_->content.cached().pages()) {
    const uint64_t offset = slot.number * kSimPageBytes;
    if (offset >= capacity_bytes_) break;
    std::memcpy(data_ + offset, slot.page->bytes.data(), kSimPageBytes);
  }
}

bool SimView::shows_file() const {
  const SimImage& image = node_->content.cached();
  const auto page_at = [&](uint64_t page) {
    return Bytes(data_ + page * kSimPageBytes, kSimPageBytes);
  };
  uint64_t next = 0;
  const uint64_t count = capacity_bytes_ / kSimPageBytes;
  for (const SimImage::Slot& slot : image.pages()) {
    if (slot.number >= count) break;
    if (std::memcmp(page_at(slot.number).data(), slot.page->bytes.data(), kSimPageBytes) != 0) {
      return false;
    }
    // Pages without content are looked at near the start only: ranges may be without end.
    for (; next < std::min(slot.number, kMostEmptyPagesToCheck); ++next) {
      if (!is_all_zero(page_at(next))) return false;
    }
    next = slot.number + 1;
  }
  for (; next < std::min(count, kMostEmptyPagesToCheck); ++next) {
    if (!is_all_zero(page_at(next))) return false;
  }
  return true;
}

SimView::~SimView() {
  if (!is_private_ && !shows_file()) {
    // It would have been lost in every crash, and have tested nothing.
    std::fprintf(stderr, "simulated mapping of %s: changed without Mapping::store\n",
                 node_->label.c_str());
    std::abort();
  }
  const auto pages = node_->content.cached().pages();
  const bool by_hand = pages.size() + own_pages_.size() <= kMostPagesToZero;
  if (by_hand) {
    const auto clear = [&](uint64_t page) {
      const uint64_t offset = page * kSimPageBytes;
      if (offset < capacity_bytes_) std::memset(data_ + offset, 0, kSimPageBytes);
    };
    for (const SimImage::Slot& slot : pages) clear(slot.number);
    for (const uint64_t page : own_pages_) clear(page);
  }
  release_range(data_, capacity_bytes_, by_hand);
}

void SimView::show(uint64_t offset_bytes, Bytes bytes) {
  if (offset_bytes >= capacity_bytes_) return;
  bytes = bytes.first(std::min<uint64_t>(bytes.size(), capacity_bytes_ - offset_bytes));
  if (own_pages_.empty()) {
    store_bytes(data_ + offset_bytes, bytes);
    return;
  }
  while (!bytes.empty()) {
    const uint64_t page = offset_bytes / kSimPageBytes;
    const uint64_t left = kSimPageBytes - offset_bytes % kSimPageBytes;
    const Bytes part = bytes.first(std::min<uint64_t>(bytes.size(), left));
    if (!std::binary_search(own_pages_.begin(), own_pages_.end(), page)) {
      store_bytes(data_ + offset_bytes, part);
    }
    offset_bytes += part.size();
    bytes = bytes.subspan(part.size());
  }
}

void SimView::store_private(uint64_t offset_bytes, Bytes bytes) {
  store_bytes(data_ + offset_bytes, bytes);
  const uint64_t last = (offset_bytes + bytes.size() - 1) / kSimPageBytes;
  for (uint64_t page = offset_bytes / kSimPageBytes; page <= last; ++page) {
    const auto place = std::lower_bound(own_pages_.begin(), own_pages_.end(), page);
    if (place == own_pages_.end() || *place != page) own_pages_.insert(place, page);
  }
}

std::shared_ptr<SimView> SimContent::find_view(uint64_t length_bytes) const {
  for (const auto& candidate : views_) {
    auto view = candidate.lock();
    if (view != nullptr && !view->is_private() && view->capacity_bytes() >= length_bytes) {
      return view;
    }
  }
  return nullptr;
}

void SimContent::show(uint64_t offset_bytes, Bytes bytes) {
  std::erase_if(views_, [](const auto& view) { return view.expired(); });
  for (const auto& view : views_) view.lock()->show(offset_bytes, bytes);
}

void SimContent::show_zeros(uint64_t offset_bytes, uint64_t length_bytes) {
  static constexpr std::array<std::byte, kSimPageBytes> kZeros{};
  const uint64_t end = offset_bytes + length_bytes;
  if (views_.empty()) return;
  // Pages that hold nothing are zero in the views already.
  for (const SimImage::Slot& slot : cached_->pages()) {
    const uint64_t start = slot.number * kSimPageBytes;
    if (start + kSimPageBytes <= offset_bytes) continue;
    if (start >= end) break;
    const uint64_t from = std::max(offset_bytes, start);
    show(from, Bytes(kZeros).first(std::min(end, start + kSimPageBytes) - from));
  }
}

// ---- content -----------------------------------------------------------------------------------

void SimContent::write(uint64_t number, FileOp::Kind kind, uint64_t offset_bytes,
                       std::shared_ptr<const std::byte[]> bytes, uint64_t length_bytes) {
  FileOp op;
  op.number = number;
  op.kind = kind;
  op.offset_bytes = offset_bytes;
  op.length_bytes = length_bytes;
  op.grows = op.end_bytes() > cached_->size_bytes();
  if (bytes != nullptr && !is_all_zero({bytes.get(), length_bytes})) op.bytes = std::move(bytes);
  if (op.bytes == nullptr) {
    show_zeros(offset_bytes, length_bytes);
  } else if (!views_.empty()) {
    show(offset_bytes, {op.bytes.get(), length_bytes});
  }
  op.apply(cached_.own(), Fate{});
  unsynced_.push_back(std::move(op));
}

void SimContent::truncate(uint64_t number) {
  FileOp op;
  op.number = number;
  op.kind = FileOp::Kind::kTruncate;
  show_zeros(0, kMaxFileBytes);
  op.apply(cached_.own(), Fate{});
  unsynced_.push_back(std::move(op));
}

void SimContent::sync() {
  if (lost_pages_.empty()) {
    durable_ = cached_;
    unsynced_.clear();
    return;
  }
  // Pages that an earlier sync lost are clean: they reach the disk only if changed again.
  SimImage& durable = durable_.own();
  for (const FileOp& op : unsynced_) {
    if (op.kind == FileOp::Kind::kTruncate) op.apply(durable, Fate{});
    for_each_page(op, [&](uint64_t page) {
      durable.take_page(page, *cached_);
      std::erase(lost_pages_, page);
    });
  }
  durable.set_size(cached_->size_bytes());
  durable.trim();
  unsynced_.clear();
}

void SimContent::fail_sync(const std::vector<Fate>& fates) {
  SimImage& durable = durable_.own();
  for (size_t i = 0; i < unsynced_.size(); ++i) {
    unsynced_[i].apply(durable, fates[i]);
    for_each_page(unsynced_[i], [&](uint64_t page) { lost_pages_.push_back(page); });
  }
  durable.trim();
  std::sort(lost_pages_.begin(), lost_pages_.end());
  lost_pages_.erase(std::unique(lost_pages_.begin(), lost_pages_.end()), lost_pages_.end());
  unsynced_.clear();
}

bool SimContent::try_lock(uint64_t byte, bool shared, const void* owner) {
  for (const Lock& lock : locks_) {
    if (lock.byte == byte && lock.owner != owner && !(lock.shared && shared)) return false;
  }
  unlock(byte, owner);
  locks_.push_back({byte, shared, owner});
  return true;
}

void SimContent::unlock(uint64_t byte, const void* owner) {
  std::erase_if(locks_, [&](const Lock& lock) { return lock.byte == byte && lock.owner == owner; });
}

void SimContent::unlock_all(const void* owner) {
  std::erase_if(locks_, [&](const Lock& lock) { return lock.owner == owner; });
}

uint64_t SimContent::lock_count(const void* owner) const {
  return static_cast<uint64_t>(std::count_if(
      locks_.begin(), locks_.end(), [&](const Lock& lock) { return lock.owner == owner; }));
}

std::optional<uint64_t> SimContent::find_lock(uint64_t begin, uint64_t end,
                                              const void* owner) const {
  for (const Lock& lock : locks_) {
    if (lock.owner != owner && lock.byte >= begin && lock.byte < end) return lock.byte;
  }
  return std::nullopt;
}

void SimContent::copy_from(const SimContent& other) {
  cached_ = other.cached_;
  durable_ = other.durable_;
  unsynced_ = other.unsynced_;
  lost_pages_ = other.lost_pages_;
}

bool SimContent::take_all(const SimContent& other) {
  if (!other.lost_pages_.empty()) return false;
  cached_ = other.cached_;
  return true;
}

void SimContent::settle() {
  if (!cached_->is_trimmed()) cached_.own().trim();
  durable_ = cached_;
}

// ---- directories -------------------------------------------------------------------------------

std::vector<SimEntry>::const_iterator SimEntries::place_of(std::string_view name) const {
  return std::lower_bound(list_.begin(), list_.end(), name,
                          [](const SimEntry& entry, std::string_view n) { return entry.name < n; });
}

std::shared_ptr<SimNode> SimEntries::find(std::string_view name) const {
  const auto place = place_of(name);
  return place != list_.end() && place->name == name ? place->node : nullptr;
}

void SimEntries::set(std::string_view name, std::shared_ptr<SimNode> node) {
  const auto place = place_of(name);
  if (place != list_.end() && place->name == name) {
    list_[static_cast<size_t>(place - list_.begin())].node = std::move(node);
  } else {
    list_.insert(place, SimEntry{std::string(name), std::move(node)});
  }
}

void SimEntries::take_away(std::string_view name, const SimNode& node) {
  const auto place = place_of(name);
  if (place != list_.end() && place->name == name && place->node.get() == &node) {
    list_.erase(place);
    return;
  }
  std::erase_if(list_, [&](const SimEntry& entry) { return entry.node.get() == &node; });
}

}  // namespace npk::io
