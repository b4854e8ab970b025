#include "io/sim_tree.h"

#include <algorithm>
#include <cerrno>
#include <functional>

#include "io/sim_random.h"
#include "npk/internal/text.h"

namespace npk::io {
namespace {

using internal::concat;

constexpr size_t kMaxNameBytes = 255;

std::shared_ptr<SimNode> new_node(uint64_t number, bool is_directory, std::string_view label) {
  auto node = std::make_shared<SimNode>(number, is_directory, label);
  if (is_directory) {
    node->entries = Shared(new SimEntries);
    node->durable_entries = node->entries;
  }
  return node;
}

/// Carries a change of names out on one side of the directories concerned, which `entries_of`
/// gives.
template <typename EntriesOf>
void apply_names(const NameOp& op, const std::shared_ptr<SimNode>& node,
                 const EntriesOf& entries_of) {
  if (op.from_directory != nullptr) {
    entries_of(op.from_directory).own().take_away(op.from_name, *node);
  }
  if (op.directory != nullptr) entries_of(op.directory).own().set(op.name, node);
}

/// Nodes met on a walk, each once. Every node remembers its index; that the entry there is this
/// node proves that the memory is of this walk.
class Walk {
 public:
  size_t meet(const SimNode& node) {
    if (node.visit_index >= met_.size() || met_[node.visit_index] != &node) {
      node.visit_index = met_.size();
      met_.push_back(&node);
    }
    return node.visit_index;
  }
  [[nodiscard]] size_t size() const { return met_.size(); }
  [[nodiscard]] const SimNode& operator[](size_t index) const { return *met_[index]; }

 private:
  std::vector<const SimNode*> met_;
};

/// A walk that makes a fresh node for each that it meets.
class Twins {
 public:
  std::shared_ptr<SimNode> of(const std::shared_ptr<SimNode>& node) {
    if (node == nullptr) return nullptr;
    const size_t index = walk_.meet(*node);
    if (index == twins_.size()) {
      twins_.push_back(std::make_shared<SimNode>(node->number, node->is_directory, node->label));
    }
    return twins_[index];
  }
  std::shared_ptr<SimNode> of(const SimNode& met) { return twins_[walk_.meet(met)]; }
  [[nodiscard]] size_t size() const { return twins_.size(); }
  [[nodiscard]] const SimNode& original(size_t index) const { return walk_[index]; }
  [[nodiscard]] SimNode& operator[](size_t index) { return *twins_[index]; }
  Shared<SimEntries> entries(const SimEntries& originals) {
    auto* fresh = new SimEntries;
    Shared<SimEntries> result(fresh);
    fresh->reserve(originals.list().size());
    for (const SimEntry& entry : originals.list()) fresh->append(entry.name, of(entry.node));
    return result;
  }

 private:
  Walk walk_;
  std::vector<std::shared_ptr<SimNode>> twins_;
};

uint64_t hash_text(uint64_t hash, std::string_view text) {
  return sim_mix(hash ^ std::hash<std::string_view>()(text));
}

uint64_t hash_node(uint64_t hash, const SimNode& node) {
  if (!node.is_directory) {
    hash = sim_mix(hash ^ node.content.cached().size_bytes());
    for (const SimImage::Slot& slot : node.content.cached().pages()) {
      const Bytes bytes = slot.page->bytes;
      hash = hash_text(sim_mix(hash ^ slot.number),
                       {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
    }
    return hash;
  }
  for (const SimEntry& entry : node.entries->list()) {
    hash = hash_text(hash, entry.name);
    hash = hash_node(hash, *entry.node);
  }
  return sim_mix(hash ^ node.entries->list().size());
}

bool contains(const SimNode& directory, const SimNode& node) {
  if (&directory == &node) return true;
  if (!directory.is_directory) return false;
  for (const SimEntry& entry : directory.entries->list()) {
    if (contains(*entry.node, node)) return true;
  }
  return false;
}

}  // namespace

std::string SimChange::describe() const {
  if (name_op != nullptr) {
    switch (name_op->kind) {
      case NameOp::Kind::kCreate:
        return concat("create ", name_op->name);
      case NameOp::Kind::kRename:
        return concat("rename ", name_op->from_name, " to ", name_op->name);
      case NameOp::Kind::kRemove:
        return concat("remove ", name_op->from_name);
    }
  }
  if (file_op->kind == FileOp::Kind::kTruncate) return concat("truncate ", node->label);
  return concat(file_op->kind == FileOp::Kind::kStore ? "store " : "write ", node->label, " [",
                file_op->offset_bytes, ", ", file_op->end_bytes(), ")",
                file_op->grows ? " growing" : "", file_op->bytes == nullptr ? " zeros" : "");
}

// ---- names -------------------------------------------------------------------------------------

SimTree::SimTree() : root_(new_node(1, true, "/")) {}

SimPlace SimTree::find(std::string_view path) const {
  SimPlace place;
  if (path.empty()) place.error = ENOENT;
  place.node = root_;
  std::vector<std::shared_ptr<SimNode>> above;
  while (place.error == 0 && !path.empty()) {
    const size_t length = std::min(path.find('/'), path.size());
    const std::string_view name = path.substr(0, length);
    path.remove_prefix(std::min(length + 1, path.size()));
    if (name.empty() || name == ".") continue;
    if (place.node == nullptr) {
      place.error = ENOENT;
    } else if (!place.node->is_directory) {
      place.error = ENOTDIR;
    } else if (name.size() > kMaxNameBytes) {
      place.error = ENAMETOOLONG;
    } else if (name == "..") {
      place = {0, nullptr, "", above.empty() ? root_ : above.back()};
      if (!above.empty()) above.pop_back();
    } else {
      above.push_back(place.node);
      auto node = place.node->entries->find(name);
      place = {0, std::move(place.node), std::string(name), std::move(node)};
    }
  }
  return place.error == 0 ? place : SimPlace{place.error, nullptr, "", nullptr};
}

std::shared_ptr<SimNode> SimTree::create(const SimPlace& place, bool is_directory) {
  NameOp op;
  op.number = next_number();
  op.kind = NameOp::Kind::kCreate;
  op.node = new_node(++last_node_number_, is_directory, place.name);
  op.directory = place.directory;
  op.name = place.name;
  place.directory->entries.own().set(place.name, op.node);
  name_ops_.push_back(op);
  return op.node;
}

int SimTree::make_directory(const SimPlace& place) {
  if (place.error != 0) return place.error;
  if (place.node != nullptr) return EEXIST;
  create(place, true);
  return 0;
}

int SimTree::rename(const SimPlace& from, const SimPlace& to) {
  if (from.error != 0) return from.error;
  if (to.error != 0) return to.error;
  if (from.node == nullptr) return ENOENT;
  if (from.directory == nullptr || to.directory == nullptr) return EBUSY;
  if (from.node == to.node) return 0;
  if (from.node->is_directory && contains(*from.node, *to.directory)) return EINVAL;
  if (to.node != nullptr) {
    if (to.node->is_directory && !from.node->is_directory) return EISDIR;
    if (!to.node->is_directory && from.node->is_directory) return ENOTDIR;
    if (to.node->is_directory && !to.node->entries->list().empty()) return ENOTEMPTY;
  }
  from.node->label = to.name;
  NameOp op{next_number(), NameOp::Kind::kRename, from.node, from.directory,
            from.name,     to.directory,          to.name};
  apply_names(
      op, op.node, [](const auto& directory) -> auto& { return directory->entries; });
  name_ops_.push_back(std::move(op));
  return 0;
}

int SimTree::remove(const SimPlace& place) {
  if (place.error != 0) return place.error;
  if (place.node == nullptr) return ENOENT;
  if (place.directory == nullptr) return EBUSY;
  if (place.node->is_directory && !place.node->entries->list().empty()) return ENOTEMPTY;
  NameOp op{
      next_number(), NameOp::Kind::kRemove, place.node, place.directory, place.name, nullptr, ""};
  apply_names(
      op, op.node, [](const auto& directory) -> auto& { return directory->entries; });
  name_ops_.push_back(std::move(op));
  return 0;
}

// ---- syncs -------------------------------------------------------------------------------------

void SimTree::sync_directory(const SimNode& directory) {
  // Backwards, so that what led to a rename between two directories goes with it.
  std::vector<const SimNode*> concerned{&directory};
  const auto concerns = [&](const std::shared_ptr<SimNode>& node) {
    return node != nullptr &&
           std::find(concerned.begin(), concerned.end(), node.get()) != concerned.end();
  };
  std::vector<bool> synced(name_ops_.size(), false);
  for (size_t i = name_ops_.size(); i-- > 0;) {
    const NameOp& op = name_ops_[i];
    synced[i] = concerns(op.directory) || concerns(op.from_directory);
    if (!synced[i]) continue;
    if (op.directory != nullptr) concerned.push_back(op.directory.get());
    if (op.from_directory != nullptr) concerned.push_back(op.from_directory.get());
  }
  std::vector<NameOp> left;
  for (size_t i = 0; i < name_ops_.size(); ++i) {
    NameOp& op = name_ops_[i];
    if (synced[i]) {
      apply_names(
          op, op.node, [](const auto& at) -> auto& { return at->durable_entries; });
    } else {
      left.push_back(std::move(op));
    }
  }
  name_ops_ = std::move(left);
}

void SimTree::sync_all() {
  for (const NameOp& op : name_ops_) {
    apply_names(
        op, op.node, [](const auto& at) -> auto& { return at->durable_entries; });
  }
  name_ops_.clear();
  for (SimNode* file : durable_files()) file->content.sync();
}

std::vector<SimNode*> SimTree::durable_files() const {
  Walk walk;
  walk.meet(*root_);
  for (const NameOp& op : name_ops_) walk.meet(*op.node);
  std::vector<SimNode*> files;
  for (size_t i = 0; i < walk.size(); ++i) {
    const SimNode& node = walk[i];
    if (!node.is_directory) {
      // The walk promises not to change nodes; its caller may.
      files.push_back(const_cast<SimNode*>(&node));
    } else {
      for (const SimEntry& entry : node.durable_entries->list()) walk.meet(*entry.node);
    }
  }
  return files;
}

// ---- copies and power cuts ---------------------------------------------------------------------

std::vector<SimChange> SimTree::changes() const {
  std::vector<SimChange> changes;
  for (const NameOp& op : name_ops_) changes.push_back({op.number, op.node.get(), nullptr, &op});
  for (const SimNode* file : durable_files()) {
    for (const FileOp& op : file->content.unsynced()) {
      changes.push_back({op.number, file, &op, nullptr});
    }
  }
  std::sort(changes.begin(), changes.end(),
            [](const SimChange& a, const SimChange& b) { return a.number < b.number; });
  return changes;
}

SimTree SimTree::after_power_cut(std::span<const SimChange> changes,
                                 std::span<const Fate> fates) const {
  Twins twins;
  SimTree cut(twins.of(root_));
  cut.last_number_ = last_number_;
  cut.last_node_number_ = last_node_number_;
  for (const NameOp& op : name_ops_) {
    twins.of(op.node);
    twins.of(op.directory);
    twins.of(op.from_directory);
  }
  // Grows while it runs: each directory brings what it names.
  for (size_t i = 0; i < twins.size(); ++i) {
    const SimNode& original = twins.original(i);
    if (original.is_directory) {
      auto entries = twins.entries(*original.durable_entries);
      twins[i].entries = std::move(entries);
    } else {
      twins[i].content.start_from_durable(original.content);
    }
  }
  std::vector<size_t> kept_whole(twins.size(), 0);
  for (size_t i = 0; i < changes.size(); ++i) {
    if (!changes[i].is_name() && fates[i].part == Fate::Part::kKept && fates[i].size) {
      ++kept_whole[changes[i].node->visit_index];
    }
  }
  for (size_t i = 0; i < twins.size(); ++i) {
    // The usual case by far: nothing to apply one by one.
    const SimContent& content = twins.original(i).content;
    const bool all = kept_whole[i] == content.unsynced().size();
    if (!all || !twins[i].content.take_all(content)) kept_whole[i] = SIZE_MAX;
  }
  for (size_t i = 0; i < changes.size(); ++i) {
    const auto twin = twins.of(*changes[i].node);
    if (!changes[i].is_name()) {
      const bool done = kept_whole[changes[i].node->visit_index] != SIZE_MAX;
      if (!done) twin->content.apply(*changes[i].file_op, fates[i]);
    } else if (fates[i].part == Fate::Part::kKept) {
      apply_names(
          *changes[i].name_op,
          twin, [&](const auto& directory) -> auto& { return twins.of(directory)->entries; });
    }
  }
  for (size_t i = 0; i < twins.size(); ++i) {
    twins[i].durable_entries = twins[i].entries;
    if (!twins[i].is_directory) twins[i].content.settle();
  }
  return cut;
}

uint64_t SimTree::content_hash() const { return hash_node(0, *root_); }

SimTree SimTree::copy() const {
  Twins twins;
  SimTree copied(twins.of(root_));
  copied.last_number_ = last_number_;
  copied.last_node_number_ = last_node_number_;
  for (const NameOp& op : name_ops_) {
    copied.name_ops_.push_back({op.number, op.kind, twins.of(op.node), twins.of(op.from_directory),
                                op.from_name, twins.of(op.directory), op.name});
  }
  for (size_t i = 0; i < twins.size(); ++i) {
    const SimNode& original = twins.original(i);
    if (original.is_directory) {
      auto entries = twins.entries(*original.entries);
      auto durable = twins.entries(*original.durable_entries);
      twins[i].entries = std::move(entries);
      twins[i].durable_entries = std::move(durable);
    } else {
      twins[i].content.copy_from(original.content);
    }
  }
  return copied;
}

}  // namespace npk::io
