#include "tests/support/directory_snapshot.h"

#include <filesystem>

#include "npk/internal/text.h"
#include "tests/support/support.h"

namespace npk::testing {

using internal::concat;
namespace fs = std::filesystem;

DirectorySnapshot snapshot(const std::string& directory) {
  DirectorySnapshot files;
  for (const auto& entry : fs::directory_iterator(directory)) {
    const std::string name = entry.path().filename().string();
    files[name] = entry.is_directory() ? "<directory>" : read_file(entry.path().string());
  }
  return files;
}

void restore(const DirectorySnapshot& files, const std::string& directory) {
  fs::remove_all(directory);
  fs::create_directory(directory);
  for (const auto& [name, content] : files) write_file(concat(directory, "/", name), content);
}

std::string snapshot_difference(const DirectorySnapshot& before, const DirectorySnapshot& after,
                                std::string_view ignored) {
  std::string text;
  for (const auto& [name, content] : before) {
    if (name == ignored) continue;
    const auto now = after.find(name);
    if (now == after.end()) {
      text += concat(name, " has gone\n");
    } else if (now->second != content) {
      text += concat(name, " has changed\n");
    }
  }
  for (const auto& entry : after) {
    if (entry.first != ignored && !before.contains(entry.first)) {
      text += concat(entry.first, " is new\n");
    }
  }
  return text;
}

std::vector<std::string> files_ending_in(const DirectorySnapshot& files, std::string_view end) {
  std::vector<std::string> names;
  for (const auto& entry : files) {
    if (entry.first.ends_with(end)) names.push_back(entry.first);
  }
  return names;
}

std::vector<std::string> files_containing(const DirectorySnapshot& files, std::string_view part) {
  std::vector<std::string> names;
  for (const auto& entry : files) {
    if (entry.first.find(part) != std::string::npos) names.push_back(entry.first);
  }
  return names;
}

}  // namespace npk::testing
