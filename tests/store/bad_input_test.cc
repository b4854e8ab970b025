// Paths that are no store, cannot be written, or are in somebody else's hands.
#include <chrono>
#include <csignal>
#include <fcntl.h>
#include <filesystem>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/store/store_handle.h"
#include "io/sim_env.h"
#include "simd/crc32c.h"
#include "tests/support/child_process.h"
#include "tests/support/directory_snapshot.h"
#include "tests/support/store_fixture.h"

namespace npk::testing {
namespace {

class BadPath : public StoreTest {};

TEST_F(BadPath, ThatIsAFileIsRefusedAndStays) {
  write_file(path(), "I am a file");
  NPK_EXPECT_ERROR(ParallelIO::open(path()), kFailedPrecondition, path());
  NPK_EXPECT_ERROR(verify_store(path()), kFailedPrecondition, path());
  EXPECT_EQ(read_file(path()), "I am a file");
  NPK_EXPECT_ERROR(ParallelIO::open(path() + "/inside"), kIoError, path());
}

TEST_F(BadPath, ThatIsAPipeOrDangles) {
  ASSERT_EQ(::mkfifo(path().c_str(), 0600), 0);
  NPK_EXPECT_ERROR(ParallelIO::open(path()), kFailedPrecondition, path());
  const std::string link = directory_.file("link");
  std::filesystem::create_symlink(directory_.file("nowhere/at/all"), link);
  EXPECT_FALSE(ParallelIO::open(link).is_ok());
  NPK_EXPECT_ERROR(ParallelIO::open(directory_.file("no/parent")), kNotFound, "no/parent");
  EXPECT_FALSE(ParallelIO::open("").is_ok());
  EXPECT_FALSE(ParallelIO::open(std::string("/tmp/a\0b", 8)).is_ok());
}

TEST(UnsafeFilesystem, IsRefusedBeforeAnythingIsMadeUnlessAllowed) {
  for (const char* name : {"nfs", "smb2", "9p"}) {
    io::SimEnv env{io::SimDisk::make(test_seed())};
    NPK_ASSERT_OK(env.make_directory("/mnt"));
    NPK_ASSERT_OK(env.make_directory("/mnt/empty"));
    env.disk()->set_filesystem_name(name);
    const auto before = env.disk()->content_hash();
    for (const bool read_only : {false, true}) {
      StoreOptions options;
      options.read_only = read_only;
      NPK_EXPECT_ERROR(open_store(env, "/mnt/empty", options), kFailedPrecondition, name);
    }
    NPK_EXPECT_ERROR(open_store(env, "/mnt/s.npk", {}), kFailedPrecondition,
                     "allow_unsafe_filesystem");
    EXPECT_EQ(env.disk()->content_hash(), before);
    StoreOptions options;
    options.allow_unsafe_filesystem = true;
    {
      NPK_ASSERT_OK_AND_ASSIGN(ParallelIO store, open_store(env, "/mnt/s.npk", options));
      NPK_ASSERT_OK(store.save_arrays({{"a", ints(iota(3), {3})}}));
    }
    NPK_EXPECT_ERROR(open_store(env, "/mnt/s.npk", {}), kFailedPrecondition, name);
    NPK_ASSERT_OK_AND_ASSIGN(const ParallelIO store, open_store(env, "/mnt/s.npk", options));
    NPK_ASSERT_OK_AND_ASSIGN(const Array array, store.load_array("a"));
    EXPECT_EQ(elements(array), iota(3));
  }
}

TEST_F(BadPath, ThatIsAnotherProgramsDirectoryIsLeftAlone) {
  std::filesystem::create_directory(path());
  write_file(path() + "/metadata.npkm", "a NumPack store");
  write_file(path() + "/data_a.npkd", "rows");
  const auto before = snapshot(path());
  NPK_EXPECT_ERROR(ParallelIO::open(path()), kFailedPrecondition, path());
  NPK_EXPECT_ERROR(verify_store(path()), kFailedPrecondition, path());
  EXPECT_EQ(snapshot_difference(before, snapshot(path())), "");
}

TEST_F(BadPath, WhereOnlySTOREIsMissingIsNotStartedAfresh) {
  NPK_ASSERT_OK(open().save_arrays({{"a", ints(iota(3), {3})}}));
  std::filesystem::remove(path() + "/STORE");
  const auto before = snapshot(path());
  NPK_EXPECT_ERROR(ParallelIO::open(path()), kCorruption, "STORE");
  EXPECT_EQ(snapshot_difference(before, snapshot(path()), "LOCK"), "");
}

TEST_F(BadPath, WithForeignFilesInsideAStoreLeavesThemAlone) {
  NPK_ASSERT_OK(open().save_arrays({{"a", ints(iota(3), {3})}}));
  write_file(path() + "/README.txt", "mine");
  write_file(path() + "/a.rows.bak", "mine too");
  std::filesystem::create_directory(path() + "/sub");
  ParallelIO store = open();
  NPK_ASSERT_OK(store.compact_array("a"));
  NPK_ASSERT_OK(store.reset());
  NPK_ASSERT_OK(store.close());
  EXPECT_EQ(read_file(path() + "/README.txt"), "mine");
  EXPECT_EQ(read_file(path() + "/a.rows.bak"), "mine too");
  EXPECT_TRUE(std::filesystem::is_directory(path() + "/sub"));
}

/// Gives both slots of a STORE file another field and the right checksum.
std::string with_field(std::string store, size_t offset, uint32_t value) {
  for (const size_t slot : {size_t{0}, size_t{4'096}}) {
    if (store[slot] != 'N') continue;  // A slot that was never written.
    store.replace(slot + offset, 4, std::string(bytes_of(value)));
    const uint32_t checksum = simd::crc32c(std::as_bytes(std::span(store).subspan(slot, 4'092)));
    store.replace(slot + 4'092, 4, std::string(bytes_of(checksum)));
  }
  return store;
}

class NewerVersion : public StoreTest {
 protected:
  static constexpr size_t kFormat = 8;
  static constexpr size_t kIncompatible = 12;
  static constexpr size_t kCompatible = 16;
};

TEST_F(NewerVersion, IsRefusedWithTheVersionThatIsNeeded) {
  NPK_ASSERT_OK(open().save_arrays({{"a", ints(iota(3), {3})}}));
  const std::string store = read_file(path() + "/STORE");
  for (const auto& [offset, value] :
       {std::pair{kFormat, 2u}, std::pair{kFormat, 0xffff'ffffu}, std::pair{kIncompatible, 2u}}) {
    write_file(path() + "/STORE", with_field(store, offset, value));
    const auto before = snapshot(path());
    const Status status = ParallelIO::open(path()).status();
    EXPECT_EQ(status.code(), StatusCode::kUnsupported) << status.to_string();
    EXPECT_THAT(status.to_string(), ::testing::HasSubstr(std::to_string(value)));
    EXPECT_THAT(status.path(), ::testing::HasSubstr("STORE"));
    EXPECT_EQ(snapshot_difference(before, snapshot(path()), "LOCK"), "");
  }
  write_file(path() + "/STORE", store);
  EXPECT_EQ(load(open(), "a"), iota(3));
}

TEST_F(NewerVersion, KeepsCompatibleFeaturesItDoesNotKnow) {
  NPK_ASSERT_OK(open().save_arrays({{"a", ints(iota(3), {3})}}));
  const std::string file = path() + "/STORE";
  write_file(file, with_field(read_file(file), kCompatible, 0x40));
  for (int i = 0; i < 3; ++i) {  // Both slots are written anew.
    ParallelIO store = open();
    NPK_ASSERT_OK(store.append_rows("a", ints(iota(1), {1})));
    NPK_ASSERT_OK(store.sync_metadata());
  }
  const std::string after = read_file(file);
  EXPECT_EQ(after[kCompatible], 0x40);
  EXPECT_EQ(after[4'096 + kCompatible], 0x40);
}

class ReadOnlyDirectory : public StoreTest {
 protected:
  /// Runs `body` as a user who may read everything here and write nothing.
  int run_without_rights(const std::function<int()>& body) {
    namespace fs = std::filesystem;
    fs::permissions(directory_.path(), fs::perms(0755));
    for (const auto& entry : fs::directory_iterator(path())) {
      fs::permissions(entry.path(), fs::perms(0444));
    }
    fs::permissions(path(), fs::perms(0555));
    const int code = run_forked([&] {
      if (::geteuid() == 0 && (::setegid(65'534) != 0 || ::seteuid(65'534) != 0)) return 99;
      return body();
    });
    fs::permissions(path(), fs::perms(0755));
    return code;
  }
};

TEST_F(ReadOnlyDirectory, OpensReadOnlyAndRefusesToOpenForWriting) {
  {
    ParallelIO store = open();
    NPK_ASSERT_OK(store.save_arrays({{"a", ints(iota(1'000), {1'000})}}));
    NPK_ASSERT_OK(store.drop_arrays("a", Rows::list({0})));
  }
  const auto before = snapshot(path());
  const int code = run_without_rights([&] {
    const Status refused = ParallelIO::open(path()).status();
    if (refused.is_ok()) return 1;
    if (refused.code() != StatusCode::kIoError &&
        refused.code() != StatusCode::kFailedPrecondition) {
      return 2;
    }
    if (refused.path().find(path()) == std::string::npos) return 3;
    StoreOptions options;
    options.read_only = true;
    auto store = ParallelIO::open(path(), options);
    if (!store.is_ok()) return 4;
    auto rows = store->load_array("a");
    if (!rows.is_ok() || rows->rows() != 999 || rows->as<int32_t>()[0] != 1) return 5;
    return 0;
  });
  EXPECT_EQ(code, 0);
  EXPECT_EQ(snapshot_difference(before, snapshot(path())), "");
}

TEST_F(ReadOnlyDirectory, OfAKilledWriterShowsWhatItHadCommitted) {
  const int killed = run_forked([&] {
    auto store = ParallelIO::open(path());
    if (!store.is_ok()) return 1;
    store->save_arrays({{"a", ints(iota(1'000), {1'000})}}).ignore();
    store->sync_metadata().ignore();
    store->replace_rows("a", ints(Ints{-5}, {1}), Rows::list({5})).ignore();
    store->append_rows("a", ints(Ints{1'000}, {1})).ignore();
    store->drop_arrays("a", Rows::list({0})).ignore();
    return ::kill(::getpid(), SIGKILL);
  });
  ASSERT_EQ(killed, 128 + SIGKILL);
  std::filesystem::remove(path() + "/LOCK");  // As on a copy of the files.
  const auto before = snapshot(path());
  const int code = run_without_rights([&] {
    StoreOptions options;
    options.read_only = true;
    auto store = ParallelIO::open(path(), options);
    if (!store.is_ok()) return 4;
    auto rows = store->load_array("a");
    if (!rows.is_ok() || rows->rows() != 1'000) return 5;
    const auto values = rows->as<int32_t>();
    return values[0] == 1 && values[4] == -5 && values[999] == 1'000 ? 0 : 6;
  });
  EXPECT_EQ(code, 0);
  EXPECT_EQ(snapshot_difference(before, snapshot(path())), "");
}

/// Another process that holds the writer lock until it goes out of scope.
class LockHolder {
 public:
  explicit LockHolder(const std::string& store) {
    int ready[2];
    if (::pipe(ready) != 0) std::abort();
    pid_ = ::fork();
    if (pid_ == 0) {
      const int fd = ::open((store + "/LOCK").c_str(), O_RDWR | O_CLOEXEC);
      struct flock lock = {};
      lock.l_type = F_WRLCK;
      lock.l_whence = SEEK_SET;
      lock.l_len = 1;
      const char state = ::fcntl(fd, F_OFD_SETLK, &lock) == 0 ? 'y' : 'n';
      if (::write(ready[1], &state, 1) != 1) std::_Exit(1);
      while (true) ::pause();
    }
    char state = 0;
    EXPECT_EQ(::read(ready[0], &state, 1), 1);
    EXPECT_EQ(state, 'y') << "the lock could not be taken";
    ::close(ready[0]);
    ::close(ready[1]);
  }
  ~LockHolder() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  LockHolder(const LockHolder&) = delete;
  LockHolder& operator=(const LockHolder&) = delete;

 private:
  pid_t pid_ = -1;
};

class LockedByAnotherProcess : public StoreTest {
 protected:
  static StoreOptions impatient() {
    StoreOptions options;
    options.lock_timeout_ms = 50;
    return options;
  }
};

TEST_F(LockedByAnotherProcess, WritesAnswerBusyInTimeAndReadsGoOn) {
  ParallelIO store = open(impatient());
  NPK_ASSERT_OK(store.save_arrays({{"a", ints(iota(3), {3})}}));
  {
    const LockHolder holder(path());
    const auto view = ints(Ints{3}, {1});
    WriteBatch batch;
    batch.append_rows("a", view);
    const auto begin = std::chrono::steady_clock::now();
    for (const Status& status :
         {store.append_rows("a", view), store.replace_rows("a", view, Rows::list({0})),
          store.drop_arrays("a", Rows::list({0})), store.save_arrays({{"b", view}}),
          store.compact_array("a"), store.clone_array("a", "c"), store.set_attributes("a", "{}"),
          store.commit(batch), store.reset(), store.sync_metadata(),
          store.drop_arrays(std::vector<std::string>{"a"})}) {
      EXPECT_EQ(status.code(), StatusCode::kBusy) << status.to_string();
      EXPECT_THAT(status.to_string(), ::testing::HasSubstr(path()));
    }
    const auto waited = std::chrono::steady_clock::now() - begin;
    EXPECT_GE(waited, std::chrono::milliseconds(11 * 50));
    EXPECT_LT(waited, std::chrono::milliseconds(11 * 2'000));
    EXPECT_EQ(load(store, "a"), iota(3));
    NPK_EXPECT_OK(store.get_array_view("a"));
  }
  NPK_ASSERT_OK(store.append_rows("a", ints(Ints{3}, {1})));  // The lock died with its holder.
  EXPECT_EQ(load(store, "a"), iota(4));
}

TEST_F(LockedByAnotherProcess, OpenGivesTheContentOrBusyAndChangesNothing) {
  NPK_ASSERT_OK(open().save_arrays({{"a", ints(iota(3), {3})}}));
  const auto before = snapshot(path());
  {
    const LockHolder holder(path());
    auto store = ParallelIO::open(path(), impatient());
    if (store.is_ok()) {
      EXPECT_EQ(load(*store, "a"), iota(3));
      NPK_EXPECT_OK(store->close());  // Nothing to fold: no lock is needed.
    } else {
      EXPECT_EQ(store.status().code(), StatusCode::kBusy) << store.status().to_string();
    }
    StoreOptions options = impatient();
    options.read_only = true;
    NPK_ASSERT_OK_AND_ASSIGN(ParallelIO reader, ParallelIO::open(path(), options));
    EXPECT_EQ(load(reader, "a"), iota(3));
  }
  EXPECT_EQ(snapshot_difference(before, snapshot(path()), "LOCK"), "");
}

TEST_F(LockedByAnotherProcess, NoTimeoutMeansNoWait) {
  StoreOptions options;
  options.lock_timeout_ms = 0;
  ParallelIO store = open(options);
  NPK_ASSERT_OK(store.save_arrays({{"a", ints(iota(3), {3})}}));
  const LockHolder holder(path());
  NPK_EXPECT_ERROR(store.append_rows("a", ints(Ints{3}, {1})), kBusy, "lock");
}

}  // namespace
}  // namespace npk::testing
