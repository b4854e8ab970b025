// The shared page: how the processes that have a store open see each other's commits.
//
// It lies at the start of the LOCK file and is mapped by each of them. It is volatile: whatever it
// says is believed only if it was written since the machine booted, for this store; else the log is
// read and applied again. All fields are 64-bit words, read and written as atomics.
#ifndef NPK_CORE_STORE_SHARED_PAGE_H_
#define NPK_CORE_STORE_SHARED_PAGE_H_

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>

#include "io/env.h"
#include "npk/status.h"

namespace npk::internal {

class SharedPage {
 public:
  static constexpr uint64_t kBytes = 4'096;
  static constexpr uint64_t kMagic = 0x314b434f4c4b504e;  // "NPKLOCK1"
  static constexpr uint64_t kEpochs = 256;
  static constexpr uint64_t kBusy = UINT64_MAX;  // One flipped bit does not make it 0.

  // Word numbers. docs/format.md has the same table.
  enum Word : size_t {
    kMagicWord = 0,
    kBoot = 1,        ///< Which boot of the machine.
    kStore = 2,       ///< Hash of the store's uuid.
    kCheckpoint = 3,  ///< The checkpoint whose log the next words speak of.
    kLogEnd = 4,      ///< Bytes of that log that are committed.
    kNextRecord = 5,
    kApplied = 6,  ///< Records below this number are applied to the rows.
    kWriting = 7,  ///< kBusy from before a commit's first byte in the log until it is published.
    kChange = 8,   ///< Grows with every commit and checkpoint.
    kImages = 9,   ///< Grows when before-images of rows were, or may have been, saved.
    kMayHaveImages = 10,  ///< 1: there may be files of before-images.
    kEndedKept = 11,    ///< Files of ended generations may be left that snapshots of commits below
                        ///< this number need; 0: none.
    kFirstEpoch = 256,  ///< kEpochs words: odd while rows of an array (id % kEpochs) are replaced.
  };

  /// Maps the page of the LOCK file, making room for it; read-only if `writable` is false.
  static Result<std::unique_ptr<SharedPage>> map(io::File& lock, bool writable);
  /// A page of one's own, for stores on read-only media.
  static std::unique_ptr<SharedPage> detached();
  [[nodiscard]] bool is_detached() const noexcept { return mapping_ == nullptr; }

  [[nodiscard]] uint64_t load(Word word) const noexcept {
    return ref(word).load(std::memory_order_acquire);
  }
  void store(Word word, uint64_t value) { store_word(word, value); }
  [[nodiscard]] uint64_t epoch(uint64_t array) const noexcept {
    return ref(kFirstEpoch + array % kEpochs).load(std::memory_order_acquire);
  }
  /// Makes an even epoch odd. One that a killed writer left odd stays odd.
  void begin_epoch(uint64_t array);
  /// Moves an odd epoch on to the next even number.
  void end_epoch(uint64_t array);
  /// Moves all odd epochs on: after recovery has applied everything.
  void end_all_epochs();
  /// Whether the words were written in this boot for this store.
  [[nodiscard]] bool is_valid(uint64_t boot, uint64_t store) const noexcept;

 private:
  /// A release store, through the mapping, so that the simulated file system sees it.
  void store_word(size_t word, uint64_t value);
  [[nodiscard]] std::atomic_ref<uint64_t> ref(size_t word) const noexcept {
    return std::atomic_ref<uint64_t>(words_[word]);
  }
  static_assert(std::atomic_ref<uint64_t>::is_always_lock_free, "words are shared by processes");

  std::shared_ptr<io::Mapping> mapping_;
  std::unique_ptr<std::array<uint64_t, kBytes / 8>> own_;
  uint64_t* words_ = nullptr;
};

}  // namespace npk::internal

#endif  // NPK_CORE_STORE_SHARED_PAGE_H_
