// Files and directories of the simulated file system: what they are now, what of it is durable, and
// the changes in between, in order.
//
// A file is `cached` (what every process sees) and `durable` (what a power cut leaves at least).
// Each write, store and truncation since the last sync is one FileOp. A directory has the same two
// sides; its changes are NameOps, kept by SimTree because a rename concerns two directories.
//
// Thread safety: none; the disk's lock guards all of it.
#ifndef NPK_IO_SIM_NODE_H_
#define NPK_IO_SIM_NODE_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "io/env.h"
#include "io/sim_image.h"

namespace npk::io {

inline constexpr uint64_t kSectorBytes = 512;

/// What a power cut does to one change.
struct Fate {
  enum class Part : uint8_t { kLost, kKept, kTorn };
  /// Torn: some sectors of a write arrived; a change of names is never torn.
  Part part = Part::kKept;
  /// Whether the growth of the file arrived, with or without the bytes.
  bool size = true;
  /// Which sectors of a torn write arrived.
  uint64_t torn_seed = 0;
};

struct FileOp {
  enum class Kind : uint8_t { kWrite, kStore, kTruncate };
  uint64_t number = 0;  ///< Order among all changes of the disk.
  Kind kind = Kind::kWrite;
  bool grows = false;
  uint64_t offset_bytes = 0;
  uint64_t length_bytes = 0;
  std::shared_ptr<const std::byte[]> bytes;  ///< Null if all are zero.

  [[nodiscard]] uint64_t end_bytes() const { return offset_bytes + length_bytes; }
  [[nodiscard]] uint64_t first_sector() const { return offset_bytes / kSectorBytes; }
  [[nodiscard]] uint64_t sector_count() const {
    return length_bytes == 0 ? 0 : (end_bytes() - 1) / kSectorBytes - first_sector() + 1;
  }
  [[nodiscard]] bool is_tearable() const { return sector_count() > 1; }
  /// Carries it out on an image, as far as its fate lets it. Bytes may end up beyond the size,
  /// where nobody sees them unless a later change makes the file longer.
  void apply(SimImage& image, const Fate& fate) const;
};

struct SimNode;

/// Memory that shows a file: of one private mapping, or of all others that fit. Every change of the
/// file is copied into it.
class SimView {
 public:
  /// Null if there is no address space for it.
  static std::shared_ptr<SimView> make(const std::shared_ptr<SimNode>& node, uint64_t length_bytes,
                                       bool is_private);
  SimView(std::shared_ptr<SimNode> node, std::byte* data, uint64_t capacity_bytes, bool is_private);
  ~SimView();
  SimView(const SimView&) = delete;
  SimView& operator=(const SimView&) = delete;

  [[nodiscard]] std::byte* data() const { return data_; }
  [[nodiscard]] uint64_t capacity_bytes() const { return capacity_bytes_; }
  [[nodiscard]] bool is_private() const { return is_private_; }
  /// A change of the file. A private view keeps the pages that were stored into.
  void show(uint64_t offset_bytes, Bytes bytes);
  /// A store into this view alone.
  void store_private(uint64_t offset_bytes, Bytes bytes);

 private:
  /// Nobody wrote into it but through Mapping::store.
  [[nodiscard]] bool shows_file() const;

  std::shared_ptr<SimNode> node_;
  std::byte* data_;
  uint64_t capacity_bytes_;
  bool is_private_;
  std::vector<uint64_t> own_pages_;  // sorted; only of a private view
};

class SimContent {
 public:
  [[nodiscard]] const SimImage& cached() const { return *cached_; }
  [[nodiscard]] const SimImage& durable() const { return *durable_; }
  [[nodiscard]] const std::vector<FileOp>& unsynced() const { return unsynced_; }

  void write(uint64_t number, FileOp::Kind kind, uint64_t offset_bytes,
             std::shared_ptr<const std::byte[]> bytes, uint64_t length_bytes);
  void truncate(uint64_t number);
  /// Everything so far is durable.
  void sync();
  /// A sync that failed, as Linux leaves it: the changes with a fate of kKept reached the disk, the
  /// others stay visible, count as clean, and reach it only if their page is changed again.
  void fail_sync(const std::vector<Fate>& fates);

  /// A view that others use too and that is long enough, or null.
  [[nodiscard]] std::shared_ptr<SimView> find_view(uint64_t length_bytes) const;
  void add_view(const std::shared_ptr<SimView>& view) { views_.push_back(view); }

  /// False if another owner stands in the way.
  bool try_lock(uint64_t byte, bool shared, const void* owner);
  void unlock(uint64_t byte, const void* owner);
  void unlock_all(const void* owner);
  [[nodiscard]] uint64_t lock_count(const void* owner) const;
  /// A byte of [begin, end) that another owner has locked.
  [[nodiscard]] std::optional<uint64_t> find_lock(uint64_t begin, uint64_t end,
                                                  const void* owner) const;

  // For copies of the whole disk: a fresh content becomes ...
  /// ... the same with its unsynced changes, without views and locks;
  void copy_from(const SimContent& other);
  /// ... what is durable of the other, so that some of its changes can be applied to it;
  void start_from_durable(const SimContent& other) { cached_ = other.durable_; }
  void apply(const FileOp& op, const Fate& fate) { op.apply(cached_.own(), fate); }
  /// ... what the other is now, if that is what all its changes applied would make;
  bool take_all(const SimContent& other);
  /// ... durable as it is.
  void settle();

 private:
  struct Lock {
    uint64_t byte;
    bool shared;
    const void* owner;
  };
  void show(uint64_t offset_bytes, Bytes bytes);
  void show_zeros(uint64_t offset_bytes, uint64_t length_bytes);

  Shared<SimImage> cached_{new SimImage};
  Shared<SimImage> durable_{cached_};
  std::vector<FileOp> unsynced_;
  std::vector<uint64_t> lost_pages_;  // clean in the cache, but not durable: a sync failed
  std::vector<std::weak_ptr<SimView>> views_;
  std::vector<Lock> locks_;
};

struct SimEntry {
  std::string name;
  std::shared_ptr<SimNode> node;
};

/// Names of a directory, sorted.
class SimEntries {
 public:
  SimEntries() = default;
  SimEntries(const SimEntries& other) : list_(other.list_) {}
  SimEntries& operator=(const SimEntries&) = delete;

  [[nodiscard]] const std::vector<SimEntry>& list() const { return list_; }
  /// Null if there is none of that name.
  [[nodiscard]] std::shared_ptr<SimNode> find(std::string_view name) const;
  void set(std::string_view name, std::shared_ptr<SimNode> node);
  /// Takes away a node, at that name if it is there, else wherever it is.
  void take_away(std::string_view name, const SimNode& node);
  /// Appends; requires: names come in order.
  void append(std::string name, std::shared_ptr<SimNode> node) {
    list_.push_back({std::move(name), std::move(node)});
  }
  void reserve(size_t count) { list_.reserve(count); }

  std::atomic<uint32_t> owners{0};

 private:
  [[nodiscard]] std::vector<SimEntry>::const_iterator place_of(std::string_view name) const;
  std::vector<SimEntry> list_;
};

struct SimNode {
  SimNode(uint64_t node_number, bool is_a_directory, std::string_view node_label)
      : number(node_number), is_directory(is_a_directory), label(node_label) {}

  uint64_t number;
  bool is_directory;
  std::string label;           ///< A name that it had, for messages.
  SimContent content;          ///< Of a file.
  Shared<SimEntries> entries;  ///< Of a directory; null in a file.
  Shared<SimEntries> durable_entries;
  mutable size_t visit_index = 0;  ///< Scratch of a walk over the tree.
};

/// A change of names. It is about a node, not about what its name stood for before: applied after
/// any subset of the changes before it, a node has at most one name in a directory.
struct NameOp {
  enum class Kind : uint8_t { kCreate, kRename, kRemove };
  uint64_t number = 0;
  Kind kind = Kind::kCreate;
  std::shared_ptr<SimNode> node;
  std::shared_ptr<SimNode> from_directory;  ///< Of a rename or remove.
  std::string from_name;
  std::shared_ptr<SimNode> directory;  ///< Of a create or rename.
  std::string name;
};

}  // namespace npk::io

#endif  // NPK_IO_SIM_NODE_H_
