// What only the real file system does: permissions, limits, other processes, odd kinds of files.
// What every Env does is in env_conformance_test.cc.
#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <filesystem>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>

#include <sched.h>

#include "io/errno_status.h"
#include "io/filesystem_kind.h"
#include "tests/io/child_process.h"
#include "tests/io/env_world.h"

namespace npk::io {
namespace {

using ::testing::HasSubstr;
using testing::TempDir;

/// "" if the status has this code and its text this part; else the status.
std::string expect_error(const Status& status, StatusCode code, std::string_view part) {
  const std::string text = status.to_string();
  const bool as_expected = status.code() == code && text.find(part) != std::string::npos;
  return as_expected ? "" : "unexpected status: " + text;
}

/// Numbers of this process's open descriptors that lead to `path`.
std::vector<int> descriptors_of(const std::string& path) {
  std::vector<int> found;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    std::error_code gone;
    if (std::filesystem::read_symlink(entry.path(), gone) == path) {
      found.push_back(std::stoi(entry.path().filename()));
    }
  }
  return found;
}

void limit(__rlimit_resource resource, rlim_t value) {
  const rlimit limits{value, value};
  if (::setrlimit(resource, &limits) != 0) std::abort();
}

// ---- errno -------------------------------------------------------------------------------------

TEST(ErrnoStatus, GivesEachErrnoItsCode) {
  const std::pair<int, StatusCode> kCodes[] = {
      {ENOENT, StatusCode::kNotFound},
      {EEXIST, StatusCode::kAlreadyExists},
      {ENOSPC, StatusCode::kResourceExhausted},
      {EDQUOT, StatusCode::kResourceExhausted},
      {ENOMEM, StatusCode::kResourceExhausted},
      {EMFILE, StatusCode::kResourceExhausted},
      {ENFILE, StatusCode::kResourceExhausted},
      {EFBIG, StatusCode::kResourceExhausted},
      {EIO, StatusCode::kIoError},
      {EACCES, StatusCode::kIoError},
      {EROFS, StatusCode::kIoError},
      {EBADF, StatusCode::kIoError},
      {ESTALE, StatusCode::kIoError},
  };
  for (const auto& [error_number, code] : kCodes) {
    const Status status = errno_status(error_number, "do it", "/some/path");
    EXPECT_EQ(status.code(), code) << status.to_string();
    EXPECT_EQ(status.error_number(), error_number);
    EXPECT_EQ(status.path(), "/some/path");
    EXPECT_THAT(status.message(), HasSubstr("cannot do it"));
  }
}

TEST(ErrnoStatus, SaysWhatHelps) {
  EXPECT_THAT(errno_status(ENOSPC, "write", "x").message(), HasSubstr("free space"));
  EXPECT_THAT(errno_status(EACCES, "write", "x").message(), HasSubstr("permission"));
  EXPECT_THAT(errno_status(EROFS, "write", "x").message(), HasSubstr("read-only"));
  EXPECT_THAT(errno_status(EMFILE, "open", "x").message(), HasSubstr("ulimit -n"));
}

TEST(UnsafeFilesystem, KnowsThoseThatKeepNothingCoherent) {
  EXPECT_EQ(unsafe_filesystem_name(0x6969), "nfs");
  EXPECT_EQ(unsafe_filesystem_name(0x517B), "smb");
  EXPECT_EQ(unsafe_filesystem_name(0xFF534D42), "cifs");
  EXPECT_EQ(unsafe_filesystem_name(0xFFFFFFFFFE534D42), "smb2");
  EXPECT_EQ(unsafe_filesystem_name(0x01021997), "9p");
  for (const uint64_t safe :
       {0xEF53U /* ext4 */, 0x58465342U /* xfs */, 0x9123683EU /* btrfs */, 0x01021994U /* tmpfs */,
        0x794C7630U /* overlay */, 0x65735546U /* fuse */, 0x00C36400U /* ceph */}) {
    EXPECT_EQ(unsafe_filesystem_name(safe), "") << safe;
  }
}

// ---- descriptors -------------------------------------------------------------------------------

TEST(PosixEnv, ClosesFilesAndKeepsThemFromOtherPrograms) {
  const TempDir directory;
  const std::string path = directory.file("file");
  auto file = make_file(Env::posix(), path, "content");
  const std::vector<int> descriptors = descriptors_of(path);
  ASSERT_EQ(descriptors.size(), 1U);
  EXPECT_NE(::fcntl(descriptors[0], F_GETFD) & FD_CLOEXEC, 0);
  NPK_ASSERT_OK_AND_ASSIGN(const auto mapping, file->map(7, MapMode::kRead));
  file.reset();
  EXPECT_TRUE(descriptors_of(path).empty()) << "a mapping needs no descriptor";
  NPK_EXPECT_OK(Env::posix().sync_directory(directory.path()));
  NPK_EXPECT_OK(Env::posix().sync_filesystem(directory.path()));
  NPK_EXPECT_OK(Env::posix().list(directory.path()));
  EXPECT_FALSE(Env::posix().open(directory.path(), OpenMode::kRead).is_ok());
  EXPECT_TRUE(descriptors_of(directory.path()).empty());
}

TEST(PosixEnv, SaysWhenThereAreTooManyOpenFiles) {
  const TempDir directory;
  EXPECT_EQ(in_child([&] {
              limit(RLIMIT_NOFILE, 16);
              std::vector<std::unique_ptr<File>> files;
              for (int i = 0; i < 20; ++i) {
                auto file =
                    Env::posix().open(directory.file(std::to_string(i)), OpenMode::kCreateNew);
                if (!file.is_ok()) {
                  return expect_error(file.status(), StatusCode::kResourceExhausted, "ulimit -n");
                }
                files.push_back(*std::move(file));
              }
              return std::string("20 files in 16 descriptors");
            }),
            "");
}

TEST(PosixEnv, DoesNotWaitForAPipeInThePlaceOfAFile) {
  const TempDir directory;
  ASSERT_EQ(::mkfifo(directory.file("pipe").c_str(), 0600), 0);
  for (const OpenMode mode : {OpenMode::kRead, OpenMode::kReadWrite, OpenMode::kCreateOrOpen}) {
    NPK_EXPECT_ERROR(Env::posix().open(directory.file("pipe"), mode), kFailedPrecondition,
                     "it is a pipe");
  }
  EXPECT_EQ(Env::posix().info(directory.file("pipe"))->kind, PathKind::kOther);
  NPK_EXPECT_ERROR(Env::posix().open("/dev/null", OpenMode::kReadWrite), kFailedPrecondition,
                   "device");
}

TEST(PosixEnv, FollowsSymbolicLinks) {
  const TempDir directory;
  make_file(Env::posix(), directory.file("file"), "content");
  std::filesystem::create_symlink("file", directory.file("link"));
  std::filesystem::create_symlink("missing", directory.file("dangling"));
  std::filesystem::create_symlink("loop", directory.file("loop"));
  NPK_ASSERT_OK_AND_ASSIGN(const auto file,
                           Env::posix().open(directory.file("link"), OpenMode::kRead));
  EXPECT_EQ(read_text(*file, 0, 7), "content");
  EXPECT_EQ(Env::posix().info(directory.file("link"))->id,
            Env::posix().info(directory.file("file"))->id);
  EXPECT_EQ(Env::posix().info(directory.file("dangling"))->kind, PathKind::kMissing);
  NPK_EXPECT_ERROR(Env::posix().info(directory.file("loop")), kIoError, "symbolic links");
}

// ---- permissions -------------------------------------------------------------------------------

/// Permissions do not hold for root: the tests become somebody else first.
void become_nobody() {
  constexpr uid_t kNobody = 65534;
  if (::geteuid() == 0 && (::setegid(kNobody) != 0 || ::seteuid(kNobody) != 0)) std::abort();
}

TEST(PosixEnv, SaysWhoMayNotTouchAFile) {
  const TempDir directory;
  make_file(Env::posix(), directory.file("secret"), "content");
  make_file(Env::posix(), directory.file("public"), "content");
  ASSERT_EQ(::chmod(directory.file("secret").c_str(), 0), 0);
  ASSERT_EQ(::chmod(directory.file("public").c_str(), 0444), 0);
  ASSERT_EQ(::chmod(directory.path().c_str(), 0555), 0);
  const auto open = [&](std::string_view name, OpenMode mode) {
    return Env::posix().open(directory.file(name), mode).status();
  };
  const auto denied = [](const Status& status) {
    return expect_error(status, StatusCode::kIoError, "check owner and mode");
  };
  EXPECT_EQ(in_child([&] {
              become_nobody();
              return denied(open("secret", OpenMode::kRead)) +
                     denied(open("public", OpenMode::kReadWrite)) +
                     denied(open("new", OpenMode::kCreateNew)) +
                     denied(Env::posix().make_directory(directory.file("new"))) +
                     denied(Env::posix().remove(directory.file("public"))) +
                     denied(Env::posix().rename(directory.file("public"), directory.file("x"))) +
                     open("public", OpenMode::kRead).message();
            }),
            "");
  ASSERT_EQ(::chmod(directory.path().c_str(), 0000), 0);
  EXPECT_EQ(in_child([&] {
              become_nobody();
              return denied(Env::posix().info(directory.file("public")).status()) +
                     denied(Env::posix().list(directory.path()).status()) +
                     denied(Env::posix().sync_directory(directory.path())) +
                     denied(Env::posix().sync_filesystem(directory.path()));
            }),
            "");
  ASSERT_EQ(::chmod(directory.path().c_str(), 0700), 0);
}

// ---- limits ------------------------------------------------------------------------------------

TEST(PosixEnv, ReportsAFileThatMayNotGrow) {
  const TempDir directory;
  EXPECT_EQ(in_child([&]() -> std::string {
              std::signal(SIGXFSZ, SIG_IGN);
              limit(RLIMIT_FSIZE, 10'000);
              const auto file = make_file(Env::posix(), directory.file("file"), "start");
              const std::string text(20'000, 'x');
              // The kernel takes what fits; the rest of the loop gets the error.
              const Status status = file->write_at(5'000, bytes_of(text));
              if (status.offset_bytes() != 10'000)
                return "stopped elsewhere: " + status.to_string();
              if (file->size_bytes().value_or(0) != 10'000) return "size is wrong";
              if (read_text(*file, 9'999, 1) != "x") return "what fitted is not there";
              return expect_error(status, StatusCode::kResourceExhausted, "ulimit -f") +
                     expect_error(file->copy_from(*file, 0, 20'000, 10),
                                  StatusCode::kResourceExhausted, "ulimit -f");
            }),
            "");
}

TEST(PosixEnv, ReportsAFullDisk) {
  const TempDir directory;
  const std::string mounted = directory.file("small");
  NPK_ASSERT_OK(Env::posix().make_directory(mounted));
  constexpr std::string_view kNoMount = "cannot mount here";
  const std::string outcome = in_child([&]() -> std::string {
    // A mount of its own namespace: gone with the child.
    if (::unshare(CLONE_NEWNS) != 0 ||
        ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        ::mount("tmpfs", mounted.c_str(), "tmpfs", 0, "size=1m") != 0) {
      return std::string(kNoMount);
    }
    const auto file = make_file(Env::posix(), mounted + "/file", "start");
    const std::string text(3 << 20, 'x');
    std::string wrong =
        expect_error(file->allocate(0, 2 << 20), StatusCode::kResourceExhausted, "free space");
    if (file->size_bytes().value_or(0) != 5) wrong += "a failed reservation grew the file";
    const Status status = file->write_at(5, bytes_of(text));
    wrong += expect_error(status, StatusCode::kResourceExhausted, "free space");
    if (status.offset_bytes() != 1 << 20) wrong += "at another place: " + status.to_string();
    return wrong;
  });
  // Without the right to mount there is no small disk; EFBIG above takes the same way.
  EXPECT_THAT(outcome, ::testing::AnyOf("", kNoMount));
}

TEST(PosixEnv, ReportsWhatTheSystemRefuses) {
  // Nothing is mapped at address 0, and memory has no disk to be synced to.
  NPK_ASSERT_OK_AND_ASSIGN(const auto memory, Env::posix().open("/proc/self/mem", OpenMode::kRead));
  std::vector<std::byte> buffer(8);
  const Status read = memory->read_at(0, buffer);
  NPK_EXPECT_ERROR(read, kIoError, "cannot read 8 bytes (pread); the device reported an error");
  EXPECT_EQ(read.error_number(), EIO);
  EXPECT_EQ(read.offset_bytes(), 0U);
  NPK_EXPECT_ERROR(memory->sync(), kIoError, "cannot sync");
}

// ---- copies ------------------------------------------------------------------------------------

TEST(PosixEnv, CopiesBetweenFileSystems) {
  const TempDir directory;
  const auto target = make_file(Env::posix(), directory.file("target"), "");
  // Files of /proc have no size that the kernel's copy could go by: the buffer takes over.
  NPK_ASSERT_OK_AND_ASSIGN(const auto source,
                           Env::posix().open("/proc/sys/kernel/random/boot_id", OpenMode::kRead));
  NPK_ASSERT_OK(target->copy_from(*source, 0, 2, 36));
  EXPECT_EQ(read_text(*target, 2, 36), read_text(*source, 0, 36));
  EXPECT_EQ(read_text(*target, 10, 1), "-");
  if (std::filesystem::is_directory("/dev/shm")) {
    const std::string path = "/dev/shm/npk-test-" + std::to_string(::getpid());
    const auto elsewhere = make_file(Env::posix(), path, std::string(5'000'000, 'e') + "end");
    NPK_ASSERT_OK(target->copy_from(*elsewhere, 1, 0, 5'000'002));
    EXPECT_EQ(read_text(*target, 4'999'998, 4), "eend");
    NPK_ASSERT_OK(Env::posix().remove(path));
  }
}

// ---- mappings ----------------------------------------------------------------------------------

/// Comes back with success if the byte is there.
[[noreturn]] void touch(const std::byte* byte) {
  static_cast<void>(*static_cast<const volatile std::byte*>(byte));
  ::_exit(0);
}

TEST(PosixEnv, TouchingAMappingPastTheEndOfItsFileEndsTheProcess) {
  const TempDir directory;
  const auto file = make_file(Env::posix(), directory.file("file"), "content");
  NPK_ASSERT_OK_AND_ASSIGN(const auto mapping, file->map(1 << 20, MapMode::kRead));
  EXPECT_DEATH(touch(mapping->data() + (1 << 19)), "");
}

TEST(PosixEnv, ReservesLongRangesWithoutMemory) {
  const TempDir directory;
  const auto file = make_file(Env::posix(), directory.file("file"), "content");
  // Far beyond memory and swap, for each kind; fifteen at once.
  std::vector<std::shared_ptr<Mapping>> mappings;
  for (int i = 0; i < 5; ++i) {
    for (const MapMode mode : {MapMode::kRead, MapMode::kShared, MapMode::kPrivate}) {
      NPK_ASSERT_OK_AND_ASSIGN(auto mapping, file->map(uint64_t{1} << 36, mode));
      EXPECT_EQ(mapping->data()[6], std::byte{'t'});
      mappings.push_back(std::move(mapping));
    }
  }
}

TEST(PosixEnv, MappingsAreGoneWhenTheLastOwnerIs) {
  const TempDir directory;
  const auto file = make_file(Env::posix(), directory.file("file"), "content");
  NPK_ASSERT_OK_AND_ASSIGN(auto mapping, file->map(7, MapMode::kRead));
  const std::byte* const data = mapping->data();
  std::shared_ptr<Mapping> second = mapping;
  mapping.reset();
  EXPECT_EQ(data[0], std::byte{'c'});
  second.reset();
  EXPECT_DEATH(touch(data), "");
}

// ---- processes ---------------------------------------------------------------------------------

TEST(PosixEnv, LocksKeepOtherProcessesOutUntilTheirHolderDies) {
  const TempDir directory;
  const std::string path = directory.file("file");
  const auto file = make_file(Env::posix(), path, "");
  WaitingChild child([&]() -> std::string {
    // Holds on to it until the process is gone.
    static std::unique_ptr<File> own = *Env::posix().open(path, OpenMode::kReadWrite);
    const bool exclusive = own->try_lock(0, false).value_or(false);
    const bool shared = own->try_lock(1, true).value_or(false);
    return exclusive && shared ? "" : "the child got no lock";
  });
  ASSERT_EQ(child.message(), "");
  EXPECT_FALSE(file->try_lock(0, false).value_or(true));
  EXPECT_FALSE(file->try_lock(0, true).value_or(true));
  EXPECT_TRUE(file->try_lock(1, true).value_or(false));
  EXPECT_FALSE(file->try_lock(1, false).value_or(true));
  child.kill();
  EXPECT_TRUE(file->try_lock(0, false).value_or(false));
  EXPECT_TRUE(file->try_lock(1, false).value_or(false));
  EXPECT_EQ(in_child([&]() -> std::string {
              const auto other = *Env::posix().open(path, OpenMode::kReadWrite);
              return other->try_lock(0, false).value_or(true) ? "locked twice" : "";
            }),
            "");
}

TEST(PosixEnv, SharedMappingsReachOtherProcesses) {
  const TempDir directory;
  const std::string path = directory.file("file");
  const auto file = make_file(Env::posix(), path, "0123456789");
  NPK_ASSERT_OK_AND_ASSIGN(const auto mapping, file->map(10, MapMode::kRead));
  EXPECT_EQ(in_child([&]() -> std::string {
              const auto own = *Env::posix().open(path, OpenMode::kReadWrite);
              (*own->map(10, MapMode::kShared))->store(3, bytes_of("CHILD"));
              return "";
            }),
            "");
  EXPECT_EQ(text_of({mapping->data(), 10}), "012CHILD89");
}

TEST(PosixEnv, AllProcessesSeeOneBootId) {
  const uint64_t here = Env::posix().boot_id();
  EXPECT_EQ(in_child([&] { return here == Env::posix().boot_id() ? "" : "another boot id"; }), "");
}

TEST(PosixEnv, ManyThreadsUseOneFile) {
  const TempDir directory;
  const auto file = make_file(Env::posix(), directory.file("file"), "");
  constexpr uint64_t kPart = 5'000;
  std::vector<std::thread> threads;
  for (uint64_t i = 0; i < 4; ++i) {
    threads.emplace_back([&, i] {
      const std::string text(kPart, static_cast<char>('a' + i));
      for (int round = 0; round < 50; ++round) {
        NPK_EXPECT_OK(file->write_at(i * kPart, bytes_of(text)));
        EXPECT_EQ(read_text(*file, i * kPart, kPart), text);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(file->size_bytes().value_or(0), 4 * kPart);
}

}  // namespace
}  // namespace npk::io
