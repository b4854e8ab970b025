// SnapshotState: all arrays as of one commit, while writers go on.
//
// Appends, deletes, overwrites and drops make new states of an array, so the catalogue as of then
// is nearly all of it. Rows that were replaced in place since are put back from the before-images
// into a private mapping, which other rows of the same page then share no more. Files of ended
// generations are kept by writers while the pin is held.
//
// Thread safety: all methods, from any threads at once.
#ifndef NPK_CORE_STORE_SNAPSHOT_STATE_H_
#define NPK_CORE_STORE_SNAPSHOT_STATE_H_

#include <map>
#include <memory>
#include <shared_mutex>
#include <string>

#include "core/store/array_source.h"
#include "core/store/before_images.h"
#include "core/store/store_core.h"

namespace npk::internal {

class SnapshotState final : public ArraySource {
 public:
  /// `lock_file` holds the pin of `number`; null on media where nobody can write.
  SnapshotState(std::shared_ptr<StoreCore> core, std::unique_ptr<io::File> lock_file,
                Catalog catalog, uint64_t number);
  ~SnapshotState() override;
  SnapshotState(const SnapshotState&) = delete;
  SnapshotState& operator=(const SnapshotState&) = delete;

  [[nodiscard]] uint64_t commit_number() const noexcept { return number_; }
  Result<StatePtr> find(std::string_view name) override;
  Result<Catalog> catalog() override { return catalog_; }
  Status read_state(const ArrayState& state, const Reader& read) override;
  Status read_array(std::string_view name, const ArrayReader& read) override;

 private:
  /// What was put back of one array.
  struct Past {
    struct Images {
      std::unique_ptr<io::File> file;
      BeforeImageReader reader;
    };
    std::shared_mutex mutex;            // Shared: to read `rows`.
    uint64_t seen = UINT64_MAX;         // SharedPage::kImages.
    uint64_t checkpoint = UINT64_MAX;   // When `images` was last looked for.
    std::map<uint64_t, Images> images;  // By the file's N.
    std::shared_ptr<io::Mapping> rows;  // Null: nothing was replaced.
    RowSet known;
  };
  Past& past_of(const ArrayState& state);
  Status put_back(const ArrayState& state, Past& past);
  Result<bool> read_images(const ArrayState& state, Past& past);
  Status find_images(const ArrayState& state, Past& past);

  const std::shared_ptr<StoreCore> core_;
  const std::unique_ptr<io::File> lock_file_;
  const Catalog catalog_;
  const uint64_t number_;
  std::mutex mutex_;                                 // Guards pasts_.
  std::map<uint64_t, std::unique_ptr<Past>> pasts_;  // By array.
};

}  // namespace npk::internal

#endif  // NPK_CORE_STORE_SNAPSHOT_STATE_H_
