#include "core/store/shared_page.h"

#include <span>

namespace npk::internal {

Result<std::unique_ptr<SharedPage>> SharedPage::map(io::File& lock, bool writable) {
  NPK_ASSIGN_OR_RETURN(const uint64_t size, lock.size_bytes());
  if (size < kBytes) {
    if (!writable) return detached();  // Nobody has written to the store since LOCK was made.
    // Growing keeps what another opener may have written meanwhile.
    const std::array<std::byte, 1> last{};
    NPK_RETURN_IF_ERROR(lock.allocate(0, kBytes));
    NPK_RETURN_IF_ERROR(lock.write_at(kBytes - 1, last));
  }
  auto page = std::unique_ptr<SharedPage>(new SharedPage());
  NPK_ASSIGN_OR_RETURN(page->mapping_,
                       lock.map(kBytes, writable ? io::MapMode::kShared : io::MapMode::kRead));
  // Read-only mappings are only ever loaded from.
  page->words_ = reinterpret_cast<uint64_t*>(const_cast<std::byte*>(page->mapping_->data()));
  return page;
}

std::unique_ptr<SharedPage> SharedPage::detached() {
  auto page = std::unique_ptr<SharedPage>(new SharedPage());
  page->own_ = std::make_unique<std::array<uint64_t, kBytes / 8>>();
  page->words_ = page->own_->data();
  return page;
}

void SharedPage::store_word(size_t word, uint64_t value) {
  if (mapping_ == nullptr) {
    ref(word).store(value, std::memory_order_release);
    return;
  }
  mapping_->store(word * sizeof(uint64_t), std::as_bytes(std::span(&value, 1)));
}

void SharedPage::begin_epoch(uint64_t array) {
  store_word(kFirstEpoch + array % kEpochs, epoch(array) | 1);
  std::atomic_thread_fence(std::memory_order_seq_cst);  // The rows change only after this is seen.
}

void SharedPage::end_epoch(uint64_t array) {
  const uint64_t value = epoch(array);
  if ((value & 1) != 0) store_word(kFirstEpoch + array % kEpochs, value + 1);
}

void SharedPage::end_all_epochs() {
  for (uint64_t i = 0; i < kEpochs; ++i) end_epoch(i);
}

bool SharedPage::is_valid(uint64_t boot, uint64_t store_hash) const noexcept {
  return load(kMagicWord) == kMagic && load(kBoot) == boot && load(kStore) == store_hash;
}

}  // namespace npk::internal
