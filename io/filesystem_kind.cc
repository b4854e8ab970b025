#include "io/filesystem_kind.h"

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <sys/vfs.h>

#include "io/errno_status.h"

namespace npk::io {
namespace {

struct FilesystemRow {
  uint32_t magic;
  std::string_view name;
};

// Numbers from statfs(2). Ceph, GFS2 and OCFS2 keep locks and mappings coherent and are not here.
constexpr FilesystemRow kUnsafe[] = {
    {0x00006969, "nfs"}, {0x0000517B, "smb"}, {0xFF534D42, "cifs"}, {0xFE534D42, "smb2"},
    {0x01021997, "9p"},  {0x5346414F, "afs"}, {0x73757245, "coda"}, {0x786F4256, "vboxsf"},
};

// Local file systems on which a direct read first brings dirty pages of the range to the disk,
// those dirtied through shared mappings too, and which have no second copy of a file (as overlayfs
// does).
constexpr uint32_t kDirectReadsSeeMappings[] = {
    0x0000EF53,  // ext2, ext3, ext4
    0x58465342,  // xfs
    0x9123683E,  // btrfs
    0xF2F52010,  // f2fs
};

}  // namespace

std::string_view unsafe_filesystem_name(uint64_t magic) noexcept {
  // f_type is a signed long: numbers above 2^31 may arrive sign-extended.
  const auto low = static_cast<uint32_t>(magic);
  for (const FilesystemRow& row : kUnsafe) {
    if (row.magic == low) return row.name;
  }
  return {};
}

Result<std::string> unsafe_filesystem_of(const std::string& path) {
  struct statfs facts {};
  int result = 0;
  do {
    result = ::statfs(path.c_str(), &facts);
  } while (result != 0 && errno == EINTR);
  if (result != 0) return errno_status(errno, "ask which file system it is on", path);
  return std::string(unsafe_filesystem_name(static_cast<uint64_t>(facts.f_type)));
}

Result<bool> direct_reads_see_mappings(int descriptor, const std::string& path) {
  struct statfs facts {};
  int result = 0;
  do {
    result = ::fstatfs(descriptor, &facts);
  } while (result != 0 && errno == EINTR);
  if (result != 0) return errno_status(errno, "ask which file system it is on", path);
  return std::ranges::find(kDirectReadsSeeMappings, static_cast<uint32_t>(facts.f_type)) !=
         std::end(kDirectReadsSeeMappings);
}

}  // namespace npk::io
