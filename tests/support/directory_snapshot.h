// Every byte of a directory, to show that nothing has changed, and to put it back.
#ifndef NPK_TESTS_SUPPORT_DIRECTORY_SNAPSHOT_H_
#define NPK_TESTS_SUPPORT_DIRECTORY_SNAPSHOT_H_

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace npk::testing {

/// File name → content. Directories below are not looked into; they count as "<directory>".
using DirectorySnapshot = std::map<std::string, std::string>;

DirectorySnapshot snapshot(const std::string& directory);
/// Makes the directory hold exactly this.
void restore(const DirectorySnapshot& files, const std::string& directory);
/// Which files differ, are new or are missing; empty if none. `ignored` names files to leave out.
std::string snapshot_difference(const DirectorySnapshot& before, const DirectorySnapshot& after,
                                std::string_view ignored = {});
/// Names in a snapshot that end like this.
std::vector<std::string> files_ending_in(const DirectorySnapshot& files, std::string_view end);
/// Names in a snapshot that contain this.
std::vector<std::string> files_containing(const DirectorySnapshot& files, std::string_view part);

}  // namespace npk::testing

#endif  // NPK_TESTS_SUPPORT_DIRECTORY_SNAPSHOT_H_
