// The tree of a simulated file system with its unsynced changes, and the trees that a power cut can
// leave of it.
//
// Rules, stricter than any one real file system, so that what holds here holds on all of them:
//   - sync of a file makes its bytes and size durable, but not its name, not even if it is new;
//   - sync of a directory makes the changes of its names durable, in order; a rename between two
//     directories, and what led to it, with either of them;
//   - until then any subset of the changes may survive: writes in part (whole sectors of 512
//   bytes),
//     the size without the bytes, names without what they name.
//
// Thread safety: none; the disk's lock guards it.
#ifndef NPK_IO_SIM_TREE_H_
#define NPK_IO_SIM_TREE_H_

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "io/sim_node.h"

namespace npk::io {

/// Where a path leads.
struct SimPlace {
  int error = 0;  ///< errno if the way there is no way; the rest is empty then.
  std::shared_ptr<SimNode> directory;  ///< Null for the root and for paths that end in "..".
  std::string name;
  std::shared_ptr<SimNode> node;  ///< Null if there is nothing of that name.
};

/// A change that a power cut may lose: of names or of a file.
struct SimChange {
  uint64_t number = 0;
  const SimNode* node = nullptr;
  const FileOp* file_op = nullptr;  ///< One of these two.
  const NameOp* name_op = nullptr;

  [[nodiscard]] bool is_name() const { return name_op != nullptr; }
  [[nodiscard]] bool grows() const { return file_op != nullptr && file_op->grows; }
  [[nodiscard]] bool is_tearable() const { return file_op != nullptr && file_op->is_tearable(); }
  /// "write log.0 [512, 1024)", "rename tmp to STORE".
  [[nodiscard]] std::string describe() const;
};

class SimTree {
 public:
  SimTree();
  SimTree(SimTree&&) = default;
  SimTree& operator=(SimTree&&) = default;

  [[nodiscard]] SimPlace find(std::string_view path) const;
  /// Requires: the place has a directory and no node.
  std::shared_ptr<SimNode> create(const SimPlace& place, bool is_directory);
  /// These return an errno, 0 for success.
  int make_directory(const SimPlace& place);
  int rename(const SimPlace& from, const SimPlace& to);
  int remove(const SimPlace& place);

  /// Number of the next change of a file.
  uint64_t next_number() { return ++last_number_; }
  void sync_directory(const SimNode& directory);
  void sync_all();
  /// All files whose content can be told after a power cut.
  [[nodiscard]] std::vector<SimNode*> durable_files() const;

  /// What a power cut may lose, in the order in which it was done.
  [[nodiscard]] std::vector<SimChange> changes() const;
  /// What it leaves, given the fate of each of changes().
  [[nodiscard]] SimTree after_power_cut(std::span<const SimChange> changes,
                                        std::span<const Fate> fates) const;
  /// The same tree with the same unsynced changes: what the death of all processes leaves.
  [[nodiscard]] SimTree copy() const;
  /// Of all names and bytes as processes see them; node numbers and unsynced changes do not matter.
  [[nodiscard]] uint64_t content_hash() const;

 private:
  explicit SimTree(std::shared_ptr<SimNode> root) : root_(std::move(root)) {}

  std::shared_ptr<SimNode> root_;
  std::vector<NameOp> name_ops_;  // unsynced, in order
  uint64_t last_number_ = 0;
  uint64_t last_node_number_ = 1;
};

}  // namespace npk::io

#endif  // NPK_IO_SIM_TREE_H_
