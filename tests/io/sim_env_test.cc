// Kills, faults and processes of the simulated file system. Power cuts are in
// sim_power_cut_test.cc; that it is a file system like any other, in env_conformance_test.cc.
#include <cerrno>
#include <functional>
#include <set>
#include <thread>

#include "tests/io/sim_disk_test_base.h"

namespace npk::io {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class Kills : public SimDiskTest {};
class Faults : public SimDiskTest {};
class Processes : public SimDiskTest {};

// ---- kills -------------------------------------------------------------------------------------

TEST_F(Kills, KeepThePageCacheAndTheBoot) {
  auto file = make("/db/file", "text");
  map_shared(*file, 4)->store(0, bytes_of("TE"));
  const auto after_kill = disk_->after_kill();
  EXPECT_EQ(content_of(after_kill, "/db/file"), "TExt");
  EXPECT_EQ(SimEnv(after_kill).boot_id(), env_.boot_id());
  EXPECT_EQ(after_kill->describe_unsynced(), disk_->describe_unsynced());
  // And the power may still go.
  EXPECT_EQ(content_of(after_kill->after_power_cut(PowerCut{CrashPolicy::kNone}), "/db/file"),
            "(missing)");
}

TEST_F(Kills, LeaveDisksThatShareNothing) {
  auto file = make_durable("/db/file", "text");
  NPK_ASSERT_OK(file->write_at(0, bytes_of("T")));
  const auto copy = disk_->after_kill();
  NPK_ASSERT_OK(file->write_at(1, bytes_of("E")));
  NPK_ASSERT_OK(file->sync());
  NPK_ASSERT_OK(env_.remove("/db/file"));
  EXPECT_EQ(content_of(copy, "/db/file"), "Text");
  EXPECT_EQ(content_of(copy->after_power_cut(PowerCut{CrashPolicy::kNone}), "/db/file"), "text");
  NPK_ASSERT_OK(SimEnv(copy).sync_filesystem("/db"));
  EXPECT_EQ(content_of(copy->after_power_cut(PowerCut{CrashPolicy::kNone}), "/db/file"), "Text");
}

TEST_F(Kills, StopEveryCallOfTheProcess) {
  auto file = make("/db/file", "text");
  const auto mapping = map_shared(*file, 4);
  env_.kill();
  EXPECT_TRUE(env_.is_dead());
  std::vector<std::byte> buffer(4);
  const std::vector<Status> statuses{
      file->read_at(0, buffer),
      file->read_some_at(0, buffer).status(),
      file->write_at(0, bytes_of("x")),
      file->allocate(0, 10),
      file->copy_from(*file, 0, 4, 4),
      file->sync(),
      file->size_bytes().status(),
      file->map(4, MapMode::kRead).status(),
      file->try_lock(0, false).status(),
      file->unlock(0),
      env_.open("/db/file", OpenMode::kRead).status(),
      env_.open("/db/new", OpenMode::kCreateNew).status(),
      env_.info("/db").status(),
      env_.list("/db").status(),
      env_.make_directory("/db/d"),
      env_.rename("/db/file", "/db/x"),
      env_.remove("/db/file"),
      env_.sync_directory("/db"),
      env_.sync_filesystem("/db"),
      env_.unsafe_filesystem("/db").status(),
  };
  for (const Status& status : statuses) {
    EXPECT_EQ(status.code(), StatusCode::kIoError);
    EXPECT_TRUE(is_simulated_stop(status)) << status.to_string();
  }
  mapping->store(0, bytes_of("dead"));
  EXPECT_EQ(text_of({mapping->data(), 4}), "text") << "mappings stay readable for the unwinding";
  SimEnv next(disk_);
  EXPECT_EQ(content_of(next, "/db/file"), "text");
  EXPECT_THAT(*next.list("/db"), ElementsAre("file"));
  EXPECT_FALSE(is_simulated_stop(Status::io_error("another")));
}

TEST_F(Kills, ReleaseTheLocksOfTheProcessAtOnce) {
  const auto file = make("/db/file", "");
  EXPECT_TRUE(file->try_lock(0, false).value_or(false));
  EXPECT_TRUE(file->try_lock(1, true).value_or(false));
  EXPECT_EQ(env_.held_lock_count(), 2U);
  SimEnv other(disk_);
  const auto theirs = *other.open("/db/file", OpenMode::kReadWrite);
  EXPECT_FALSE(theirs->try_lock(0, false).value_or(true));
  env_.kill();
  EXPECT_TRUE(theirs->try_lock(0, false).value_or(false));
  EXPECT_TRUE(theirs->try_lock(1, false).value_or(false));
  EXPECT_EQ(env_.held_lock_count(), 0U);
}

// ---- faults ------------------------------------------------------------------------------------

/// Ten calls that change the disk; ends at the first error.
Status workload(Env& env) {
  NPK_ASSIGN_OR_RETURN(const auto file, env.open("/db/temporary", OpenMode::kCreateNew));
  NPK_RETURN_IF_ERROR(file->allocate(0, 100));
  NPK_RETURN_IF_ERROR(file->write_at(0, bytes_of("0123456789")));
  NPK_ASSIGN_OR_RETURN(const auto mapping, file->map(10, MapMode::kShared));
  mapping->store(0, bytes_of("A"));
  mapping->store(1, bytes_of("B"));
  NPK_RETURN_IF_ERROR(file->sync());
  NPK_RETURN_IF_ERROR(env.rename("/db/temporary", "/db/file"));
  NPK_RETURN_IF_ERROR(env.sync_directory("/db"));
  NPK_RETURN_IF_ERROR(file->copy_from(*file, 0, 10, 10));
  return env.remove("/db/file");
}

TEST_F(Faults, StopAWorkloadAtEachOfItsChanges) {
  const auto state_of = [](Env& env) {
    return content_of(env, "/db/temporary") + " " + content_of(env, "/db/file");
  };
  const std::vector<std::string> expected{"(missing) (missing)",  " (missing)",
                                          " (missing)",           "0123456789 (missing)",
                                          "A123456789 (missing)", "AB23456789 (missing)",
                                          "AB23456789 (missing)", "(missing) AB23456789",
                                          "(missing) AB23456789", "(missing) AB23456789AB23456789"};
  for (uint64_t n = 0; n < expected.size(); ++n) {
    const auto disk = disk_->after_kill();
    SimEnv process(disk);
    process.arm({.at_call = n, .calls = kChangingCalls});
    const Status status = workload(process);
    EXPECT_TRUE(is_simulated_stop(status)) << n << ": " << status.to_string();
    EXPECT_TRUE(process.is_dead());
    SimEnv next(disk);
    EXPECT_EQ(state_of(next), expected[n]) << "stopped at call " << n;
  }
  NPK_EXPECT_OK(workload(env_));
  EXPECT_EQ(env_.call_count(kChangingCalls), expected.size() + 1) << "and the making of /db";
}

TEST_F(Faults, StopAfterTheCallWhenToldThatItIsDone) {
  env_.arm({.at_call = 0, .calls = SimCalls::kWrite, .effect = SimFault::Effect::kWhole});
  const auto file = *env_.open("/db/file", OpenMode::kCreateNew);
  EXPECT_TRUE(is_simulated_stop(file->write_at(0, bytes_of("done"))));
  EXPECT_TRUE(is_simulated_stop(file->write_at(4, bytes_of("not done"))));
  EXPECT_EQ(content_of(disk_, "/db/file"), "done");
}

TEST_F(Faults, CutAWriteShort) {
  std::set<size_t> sizes;
  for (uint64_t seed = 0; seed < 40; ++seed) {
    SimEnv process(SimDisk::make());
    process.arm({.calls = SimCalls::kWrite,
                 .error_number = ENOSPC,
                 .effect = SimFault::Effect::kPart,
                 .seed = seed});
    const auto file = *process.open("/file", OpenMode::kCreateNew);
    const std::array<Bytes, 2> pieces{bytes_of("01234"), bytes_of("56789")};
    const Status status = file->write_at(0, pieces);
    NPK_EXPECT_ERROR(status, kResourceExhausted, "free space");
    const std::string content = content_of(process, "/file");
    EXPECT_EQ(content, std::string("0123456789").substr(0, content.size()));
    EXPECT_EQ(status.offset_bytes(), content.size());
    sizes.insert(content.size());
  }
  EXPECT_EQ(sizes.size(), 10U) << "every length but the whole";
}

TEST_F(Faults, TearAStoreBetweenWords) {
  std::set<std::string> seen;
  for (uint64_t seed = 0; seed < 64; ++seed) {
    const auto disk = SimDisk::make();
    SimEnv process(disk);
    const auto file = make_file(process, "/file", std::string(30, '.'));
    const auto mapping = *file->map(30, MapMode::kShared);
    process.arm({.calls = SimCalls::kStore, .effect = SimFault::Effect::kPart, .seed = seed});
    mapping->store(4, bytes_of(std::string(24, 'x')));
    EXPECT_TRUE(process.is_dead());
    const std::string content = content_of(disk, "/file");
    for (const auto& [from, to] : {std::pair<size_t, size_t>{4, 8}, {8, 16}, {16, 24}, {24, 28}}) {
      const std::string word = content.substr(from, to - from);
      ASSERT_TRUE(word == std::string(to - from, '.') || word == std::string(to - from, 'x'));
    }
    ASSERT_EQ(content.substr(0, 4) + content.substr(28), "......");
    seen.insert(content);
  }
  EXPECT_EQ(seen.size(), 16U) << "any subset of the four words";
}

TEST_F(Faults, InjectErrorsIntoNamedCallsOnly) {
  const auto file = make("/db/file", "text");
  env_.arm({.at_call = 1, .calls = SimCalls::kRead, .error_number = EIO});
  EXPECT_EQ(read_text(*file, 0, 4), "text");
  NPK_EXPECT_OK(file->write_at(0, bytes_of("T")));
  std::vector<std::byte> buffer(4);
  const Status status = file->read_at(0, buffer);
  NPK_EXPECT_ERROR(status, kIoError, "cannot read");
  EXPECT_EQ(status.error_number(), EIO);
  EXPECT_EQ(status.path(), "/db/file");
  EXPECT_EQ(read_text(*file, 0, 4), "Text") << "one call, then all is well again";
  EXPECT_FALSE(env_.is_dead());
}

TEST_F(Faults, RepeatUntilDisarmed) {
  const auto file = make("/db/file", "");
  env_.arm({.at_call = 2,
            .calls = SimCalls::kWrite | SimCalls::kAllocate,
            .error_number = EDQUOT,
            .repeat = SimFault::kForEver});
  NPK_EXPECT_OK(file->write_at(0, bytes_of("a")));
  NPK_EXPECT_OK(file->allocate(0, 10));
  for (int i = 0; i < 5; ++i) {
    NPK_EXPECT_ERROR(file->write_at(0, bytes_of("b")), kResourceExhausted, "quota");
    NPK_EXPECT_ERROR(file->allocate(0, 10), kResourceExhausted, "quota");
  }
  NPK_EXPECT_OK(file->sync());
  env_.disarm();
  NPK_EXPECT_OK(file->write_at(1, bytes_of("c")));
  EXPECT_EQ(content_of(env_, "/db/file"), "ac");
}

TEST_F(Faults, StrikeEveryKindOfCall) {
  struct Row {
    SimCalls calls;
    std::function<Status(Env&, File&)> call;
  };
  std::vector<std::byte> buffer(4);
  const std::vector<Row> rows{
      {SimCalls::kOpen, [](Env& e, File&) { return e.open("/db/f", OpenMode::kRead).status(); }},
      {SimCalls::kCreate,
       [](Env& e, File&) { return e.open("/db/new", OpenMode::kCreateNew).status(); }},
      {SimCalls::kInfo, [](Env& e, File&) { return e.info("/db").status(); }},
      {SimCalls::kList, [](Env& e, File&) { return e.list("/db").status(); }},
      {SimCalls::kMakeDirectory, [](Env& e, File&) { return e.make_directory("/db/d"); }},
      {SimCalls::kRename, [](Env& e, File&) { return e.rename("/db/f", "/db/g"); }},
      {SimCalls::kRemove, [](Env& e, File&) { return e.remove("/db/f"); }},
      {SimCalls::kSyncDirectory, [](Env& e, File&) { return e.sync_directory("/db"); }},
      {SimCalls::kSyncFilesystem, [](Env& e, File&) { return e.sync_filesystem("/db"); }},
      {SimCalls::kRead, [&](Env&, File& f) { return f.read_at(0, buffer); }},
      {SimCalls::kWrite, [](Env&, File& f) { return f.write_at(0, bytes_of("X")); }},
      {SimCalls::kAllocate, [](Env&, File& f) { return f.allocate(0, 9); }},
      {SimCalls::kCopy, [](Env&, File& f) { return f.copy_from(f, 0, 4, 4); }},
      {SimCalls::kSync, [](Env&, File& f) { return f.sync(); }},
      {SimCalls::kSize, [](Env&, File& f) { return f.size_bytes().status(); }},
      {SimCalls::kMap, [](Env&, File& f) { return f.map(4, MapMode::kRead).status(); }},
      {SimCalls::kLock, [](Env&, File& f) { return f.try_lock(0, false).status(); }},
      {SimCalls::kUnlock, [](Env&, File& f) { return f.unlock(0); }},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(sim_call_name(row.calls));
    for (const int error_number : {EIO, ENOSPC}) {
      const auto file = make("/db/f", "text");
      const uint64_t before = env_.call_count(row.calls);
      env_.arm({.calls = row.calls, .error_number = error_number});
      const Status status = row.call(env_, *file);
      EXPECT_EQ(status.error_number(), error_number) << status.to_string();
      EXPECT_EQ(env_.call_count(row.calls), before + 1);
      EXPECT_THAT(*env_.list("/db"), ElementsAre("f")) << "a failed call changes nothing";
      EXPECT_EQ(content_of(env_, "/db/f"), "text");
      env_.disarm();
    }
  }
}

TEST_F(Faults, AFailedSyncLosesTheDataAsOnLinux) {
  auto file = make_durable("/db/file", std::string(3 * 4'096, 'o'));
  NPK_ASSERT_OK(file->write_at(0, bytes_of("AAAA")));
  NPK_ASSERT_OK(file->write_at(4'096, bytes_of("BBBB")));
  env_.arm({.calls = SimCalls::kSync, .error_number = EIO});
  NPK_EXPECT_ERROR(file->sync(), kIoError, "cannot sync");
  EXPECT_EQ(read_text(*file, 0, 4), "AAAA") << "it is still to be seen";
  NPK_EXPECT_OK(file->sync());
  const auto at = [&](uint64_t offset) {
    return after(CrashPolicy::kAll, "/db/file").substr(offset, 4);
  };
  EXPECT_EQ(at(0), "oooo") << "the second sync had nothing to do";
  // What is changed again is written again, by whole pages.
  NPK_ASSERT_OK(file->write_at(100, bytes_of("CCCC")));
  NPK_EXPECT_OK(file->sync());
  EXPECT_EQ(at(0) + at(100) + at(4'096), "AAAACCCCoooo");
}

TEST_F(Faults, AFailedSyncMayHaveSavedAPart) {
  std::set<std::string> seen;
  for (uint64_t seed = 0; seed < 50; ++seed) {
    SimEnv process(disk_->after_kill());
    const auto file = make_file(process, "/db/file", "....");
    process.disk()->write_back();
    NPK_ASSERT_OK(file->write_at(0, bytes_of("AA")));
    NPK_ASSERT_OK(file->write_at(2, bytes_of("BB")));
    process.arm({.calls = SimCalls::kSync,
                 .error_number = EIO,
                 .effect = SimFault::Effect::kPart,
                 .seed = seed});
    NPK_EXPECT_ERROR(file->sync(), kIoError, "cannot sync");
    EXPECT_EQ(read_text(*file, 0, 4), "AABB");
    EXPECT_THAT(process.disk()->describe_unsynced(), IsEmpty());
    seen.insert(
        content_of(process.disk()->after_power_cut(PowerCut{CrashPolicy::kNone}), "/db/file"));
  }
  EXPECT_EQ(seen, (std::set<std::string>{"....", "AA..", "..BB", "AABB"}));
}

TEST_F(Faults, AFailedSyncOfTheFileSystemLosesTheDataOfAllFiles) {
  auto a = make_durable("/db/a", "a");
  auto b = make_durable("/db/b", "b");
  NPK_ASSERT_OK(a->write_at(0, bytes_of("A")));
  NPK_ASSERT_OK(b->write_at(0, bytes_of("B")));
  env_.arm({.calls = SimCalls::kSyncFilesystem, .error_number = EIO});
  NPK_EXPECT_ERROR(env_.sync_filesystem("/db"), kIoError, "cannot sync");
  NPK_EXPECT_OK(env_.sync_filesystem("/db"));
  EXPECT_EQ(after(CrashPolicy::kAll, "/db/a") + after(CrashPolicy::kAll, "/db/b"), "ab");
  EXPECT_EQ(content_of(env_, "/db/a") + content_of(env_, "/db/b"), "AB");
}

TEST_F(Faults, AnErrorMayHideACallThatWasDone) {
  make("/db/from", "text");
  env_.arm({.calls = SimCalls::kRename, .error_number = EIO, .effect = SimFault::Effect::kWhole});
  NPK_EXPECT_ERROR(env_.rename("/db/from", "/db/to"), kIoError, "rename");
  EXPECT_THAT(*env_.list("/db"), ElementsAre("to"));
}

// ---- processes ---------------------------------------------------------------------------------

TEST_F(Processes, ShareFilesMappingsAndLocks) {
  const auto file = make("/db/file", "0123456789");
  const auto mapping = map_shared(*file, 10);
  SimEnv other(disk_);
  const auto theirs = *other.open("/db/file", OpenMode::kReadWrite);
  const auto their_mapping = *theirs->map(10, MapMode::kRead);
  mapping->store(0, bytes_of("ab"));
  NPK_ASSERT_OK(theirs->write_at(2, bytes_of("cd")));
  EXPECT_EQ(text_of({their_mapping->data(), 10}), "abcd456789");
  EXPECT_EQ(text_of({mapping->data(), 10}), "abcd456789");
  EXPECT_TRUE(file->try_lock(0, false).value_or(false));
  EXPECT_FALSE(theirs->try_lock(0, true).value_or(true));
  other.kill();
  mapping->store(4, bytes_of("ef"));
  EXPECT_EQ(content_of(env_, "/db/file"), "abcdef6789") << "one may die, the other lives on";
}

TEST_F(Processes, CanBeInterleavedAtEveryCall) {
  make("/db/shared", "");
  SimEnv other(disk_);
  std::vector<std::string> seen;
  env_.set_hook([&](SimCalls call, const std::string& path) {
    seen.push_back(std::string(sim_call_name(call)) + " " + path);
    if (call == SimCalls::kRename) NPK_EXPECT_OK(other.remove("/db/shared"));
  });
  NPK_EXPECT_ERROR(env_.rename("/db/shared", "/db/mine"), kNotFound, "rename");
  NPK_EXPECT_OK(env_.list("/db"));
  env_.set_hook(nullptr);
  NPK_EXPECT_OK(env_.list("/db"));
  EXPECT_THAT(seen, ElementsAre("rename /db/shared", "list /db"));
}

TEST_F(Processes, CountWhatTheyHoldOpen) {
  auto file = make("/db/file", "text");
  auto second = *env_.open("/db/file", OpenMode::kRead);
  auto mapping = *file->map(4, MapMode::kRead);
  auto empty = *file->map(0, MapMode::kRead);
  EXPECT_EQ(env_.open_file_count(), 2U);
  EXPECT_EQ(env_.mapping_count(), 2U);
  file.reset();
  empty.reset();
  EXPECT_EQ(env_.open_file_count(), 1U);
  EXPECT_EQ(env_.mapping_count(), 1U);
  second.reset();
  mapping.reset();
  EXPECT_EQ(env_.open_file_count(), 0U);
  EXPECT_EQ(env_.mapping_count(), 0U);
  EXPECT_EQ(SimEnv(disk_).open_file_count(), 0U);
}

TEST_F(Processes, FilesAndMappingsOutliveEnvAndDisk) {
  auto env = std::make_unique<SimEnv>(SimDisk::make());
  auto file = make_file(*env, "/file", "text");
  const auto mapping = *file->map(4, MapMode::kShared);
  env.reset();
  EXPECT_EQ(read_text(*file, 0, 4), "text");
  file.reset();
  mapping->store(0, bytes_of("T"));
  EXPECT_EQ(text_of({mapping->data(), 4}), "Text");
}

TEST_F(Processes, ReuseTheMemoryOfMappingsWithoutTraces) {
  const auto file = make("/db/file", "");
  for (const size_t length : {1'000U, 3U << 20}) {
    NPK_ASSERT_OK(file->write_at(0, bytes_of(std::string(length, 'x'))));
    NPK_ASSERT_OK(file->write_at(2 * length + 8'999, bytes_of(std::string_view("\0", 1))));
    for (int round = 0; round < 10; ++round) {
      const auto own = *file->map(length, MapMode::kPrivate);
      own->store(length / 2, bytes_of("own"));
      // Where the file holds nothing.
      (*file->map(2 * length + 9'000, MapMode::kPrivate))
          ->store(2 * length + 8'000, bytes_of("own"));
      const auto shown = *file->map(2 * length + 9'000, MapMode::kRead);
      ASSERT_TRUE(text_of({shown->data(), length}) == std::string(length, 'x'));
      ASSERT_TRUE(is_all_zero({shown->data() + length, length + 9'000}));
    }
    make("/db/file", "");
    const auto emptied = *file->map(length, MapMode::kRead);
    ASSERT_TRUE(is_all_zero({emptied->data(), length}));
  }
}

TEST_F(Processes, NeverTakeTheDirectoriesOfTwoDisksForOne) {
  SimEnv copy(disk_->after_kill());
  EXPECT_NE(copy.info("/db")->id, env_.info("/db")->id);
  EXPECT_EQ(SimEnv(disk_).info("/db")->id, env_.info("/db")->id);
}

TEST_F(Processes, AreToldWhatFileSystemTheyAreOn) {
  disk_->set_filesystem_name("nfs");
  EXPECT_EQ(env_.unsafe_filesystem("/db").value_or(""), "nfs");
  EXPECT_EQ(SimEnv(disk_->after_kill()).unsafe_filesystem("/db").value_or(""), "nfs");
}

TEST_F(Processes, AreDeterministic) {
  const auto run = [] {
    SimEnv env(SimDisk::make(99));
    std::vector<std::byte> bytes(20);
    env.random_bytes(bytes);
    env.sleep_us(5);
    return text_of(bytes) + std::to_string(env.now_us()) + std::to_string(env.boot_id());
  };
  EXPECT_EQ(run(), run());
}

TEST_F(Processes, EndLoudlyWhereTheRealSystemSendsASignal) {
  const auto file = make("/db/file", "text");
  const auto writable = map_shared(*file, 10'000);
  const auto readable = *file->map(4, MapMode::kRead);
  EXPECT_DEATH(writable->store(2, bytes_of("past")), "past the end of the file");
  EXPECT_DEATH(writable->store(9'998, bytes_of("abc")), "outside the mapping");
  EXPECT_DEATH(writable->store(UINT64_MAX, bytes_of("abc")), "outside the mapping");
  EXPECT_DEATH(readable->store(0, bytes_of("a")), "read-only mapping");
}

TEST_F(Processes, MustChangeMappingsThroughStoreOnly) {
  const auto file = make("/db/file", std::string(100, '.'));
  const auto poke = [&](uint64_t length_bytes, uint64_t at) {
    auto mapping = map_shared(*file, length_bytes);
    const_cast<std::byte*>(mapping->data())[at] = std::byte{1};
    mapping.reset();
  };
  EXPECT_DEATH(poke(100, 50), "changed without Mapping::store");
  EXPECT_DEATH(poke(10'000, 9'000), "changed without Mapping::store");
}

TEST_F(Processes, RunInManyThreadsWhileThePowerGoes) {
  const auto file = make_durable("/db/file", std::string(8'192, '.'));
  const auto mapping = map_shared(*file, 8'192);
  std::vector<std::thread> threads;
  for (uint64_t i = 0; i < 3; ++i) {
    threads.emplace_back([&, i] {
      for (uint64_t round = 0; round < 300; ++round) {
        mapping->store(i * 1'000 + round, bytes_of("s"));
        NPK_EXPECT_OK(file->write_at(4'096 + i * 1'000, bytes_of("write")));
        if (round % 50 == 0) NPK_EXPECT_OK(file->sync());
        const auto own = env_.open("/db/own" + std::to_string(i), OpenMode::kCreateOrOpen);
        EXPECT_TRUE(own.is_ok());
      }
    });
  }
  threads.emplace_back([&] {
    for (uint64_t seed = 0; seed < 100; ++seed) {
      SimEnv next(disk_->after_power_cut(PowerCut{CrashPolicy::kRandomSubset, 0, seed}));
      const auto again = *next.open("/db/file", OpenMode::kReadWrite);
      NPK_EXPECT_OK(again->write_at(0, bytes_of("again")));
      EXPECT_EQ(again->size_bytes().value_or(0), 8'192U);
    }
  });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(content_of(env_, "/db/file").substr(0, 300), std::string(300, 's'));
}

}  // namespace
}  // namespace npk::io
