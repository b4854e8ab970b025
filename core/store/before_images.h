// Before-images: rows as they were before a replace, kept for the snapshots that were open then.
//
// The file STEM.GENERATION.before.N holds those of the commits of one log, whose first record is N.
// Its records follow each other, each with a checksum that continues the one before it; what is
// behind the last one, zeros or a torn one of a killed writer, is written over by the next. A row
// of a snapshot is its first image of a later commit, or what is in the rows file if there is none.
// The file is volatile: it is of no use without the snapshots, which end with their processes.
//
// Thread safety: none; writers use theirs in the write turn, each snapshot guards its own.
#ifndef NPK_CORE_STORE_BEFORE_IMAGES_H_
#define NPK_CORE_STORE_BEFORE_IMAGES_H_

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/store/transaction.h"
#include "io/env.h"
#include "npk/status.h"

namespace npk::internal {

/// A set of row numbers: one bit for each row of a block of 65,536 that has any.
class RowSet {
 public:
  /// False if it was there.
  bool insert(uint64_t row) {
    uint64_t& word = blocks_[row / kBlockRows][row % kBlockRows / 64];
    const uint64_t bit = uint64_t{1} << (row % 64);
    const bool is_new = (word & bit) == 0;
    if (word == 0 && touched_.size() < kMostTouched) touched_.push_back(&word);
    word |= bit;
    return is_new;
  }
  /// Few rows are taken out one by one: blocks are costly to make.
  void clear() {
    if (touched_.size() == kMostTouched) blocks_.clear();
    for (uint64_t* word : touched_) {
      if (!blocks_.empty()) *word = 0;
    }
    touched_.clear();
  }

 private:
  static constexpr uint64_t kBlockRows = 65'536;
  static constexpr size_t kMostTouched = 4'096;
  std::vector<uint64_t*> touched_;  // Words that have a bit, as long as they are few.
  std::unordered_map<uint64_t, std::array<uint64_t, kBlockRows / 64>> blocks_;
};

/// Reads such a file as it grows.
class BeforeImageReader {
 public:
  struct Image {
    uint64_t number;  ///< Of the commit before which the row was so.
    uint64_t row;     ///< Physical.
    io::Bytes bytes;
  };
  /// Calls `sink` for the images behind those it has read. Returns whether there were any.
  Result<bool> read_on(const io::File& file, const std::function<void(const Image&)>& sink);

 private:
  friend class BeforeImageWriter;
  uint64_t offset_bytes_ = 0;
  uint32_t checksum_ = 0;  // Of the record before.
};

class BeforeImageWriter {
 public:
  struct Commit {
    uint64_t number = 0;            ///< The one that is about to be made.
    uint64_t log_first_record = 0;  ///< N.
    uint64_t newest_pin = 0;        ///< SnapshotPins::highest.
    uint64_t images = 0;  ///< SharedPage::kImages, which grows by 1 behind save(), OK or not.
  };
  /// Saves the rows that the applications will replace, but for those that no snapshot can need
  /// because they were saved since the newest was taken. Errors: as of files; nothing need be
  /// undone then. Requires: applications are prepared.
  Status save(io::Env& env, std::span<const Transaction::Application> applications,
              const Commit& commit);

 private:
  struct Saved {
    std::unique_ptr<io::File> file;
    bool is_read = false;  // Nobody has written behind `end`.
    BeforeImageReader end;
    uint64_t room_bytes = 0;  // The file is at least so long: up to there it is written over.
    RowSet rows;              // Saved by commits after newest_pin_.
  };
  static Status save_one(const Transaction::Application& application, uint64_t number,
                         Saved& saved);
  Status read_on(const Transaction::Application& application, Saved& saved) const;

  uint64_t log_first_record_ = 0;
  uint64_t newest_pin_ = 0;
  uint64_t images_ = UINT64_MAX;        // Commit::images if nobody else saves until then.
  std::map<std::string, Saved> saved_;  // By path.
};

}  // namespace npk::internal

#endif  // NPK_CORE_STORE_BEFORE_IMAGES_H_
