// What a power cut may leave of a simulated disk, and what it must.
#include <algorithm>
#include <map>
#include <set>

#include "tests/io/sim_disk_test_base.h"

namespace npk::io {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class PowerCuts : public SimDiskTest {};

// ---- what is durable ---------------------------------------------------------------------------

TEST_F(PowerCuts, LoseWhatWasNotSynced) {
  auto file = make_durable("/db/file", "old");
  NPK_ASSERT_OK(file->write_at(0, bytes_of("newer")));
  EXPECT_EQ(content_of(env_, "/db/file"), "newer");
  EXPECT_EQ(after(CrashPolicy::kNone, "/db/file"), "old");
  EXPECT_EQ(after(CrashPolicy::kAll, "/db/file"), "newer");
  NPK_ASSERT_OK(file->sync());
  EXPECT_EQ(after(CrashPolicy::kNone, "/db/file"), "newer");
  EXPECT_THAT(disk_->describe_unsynced(), IsEmpty());
}

TEST_F(PowerCuts, LoseTheNameOfANewFileEvenIfTheFileWasSynced) {
  auto file = make("/db/file", "text");
  NPK_ASSERT_OK(file->sync());
  EXPECT_EQ(after(CrashPolicy::kNone, "/db/file"), "(missing)");
  NPK_ASSERT_OK(env_.sync_directory("/db"));
  EXPECT_EQ(after(CrashPolicy::kNone, "/db/file"), "text");
}

TEST_F(PowerCuts, KeepANameWithoutItsContent) {
  make("/db/file", "text");
  NPK_ASSERT_OK(env_.sync_directory("/db"));
  EXPECT_EQ(after(CrashPolicy::kNone, "/db/file"), "");
}

TEST_F(PowerCuts, KeepNothingOfADirectoryWhoseParentWasNotSynced) {
  NPK_ASSERT_OK(env_.make_directory("/db/inner"));
  NPK_ASSERT_OK(make("/db/inner/file", "text")->sync());
  NPK_ASSERT_OK(env_.sync_directory("/db/inner"));
  EXPECT_EQ(after(CrashPolicy::kNone, "/db/inner/file"), "(missing)");
  NPK_ASSERT_OK(env_.sync_directory("/db"));
  EXPECT_EQ(after(CrashPolicy::kNone, "/db/inner/file"), "text");
}

TEST_F(PowerCuts, KeepEverythingOnceTheFileSystemWasSynced) {
  NPK_ASSERT_OK(env_.make_directory("/db/inner"));
  auto file = make("/db/inner/file", "0123456789");
  map_shared(*file, 10)->store(2, bytes_of("XY"));
  NPK_ASSERT_OK(env_.rename("/db/inner/file", "/db/moved"));
  NPK_ASSERT_OK(env_.sync_filesystem("/db"));
  EXPECT_EQ(after(CrashPolicy::kNone, "/db/moved"), "01XY456789");
  EXPECT_EQ(after(CrashPolicy::kNone, "/db/inner/file"), "(missing)");
}

TEST_F(PowerCuts, LoseStoresIntoMappingsUntilTheFileIsSynced) {
  auto file = make_durable("/db/file", "0123456789");
  const auto mapping = map_shared(*file, 10);
  mapping->store(3, bytes_of("XYZ"));
  EXPECT_EQ(after(CrashPolicy::kNone, "/db/file"), "0123456789");
  NPK_ASSERT_OK(file->sync());
  EXPECT_EQ(after(CrashPolicy::kNone, "/db/file"), "012XYZ6789");
}

TEST_F(PowerCuts, UndoTheEmptyingOfAFile) {
  make_durable("/db/file", "old content");
  make("/db/file", "new");
  EXPECT_EQ(after(CrashPolicy::kNone, "/db/file"), "old content");
  EXPECT_EQ(after(CrashPolicy::kAll, "/db/file"), "new");
  EXPECT_THAT(after_each(CrashPolicy::kKeepOne, "/db/file"), ElementsAre("", "new content"));
}

TEST_F(PowerCuts, BringBackRemovedAndReplacedFiles) {
  make_durable("/db/a", "a");
  make_durable("/db/b", "b");
  make_durable("/db/c", "c");
  NPK_ASSERT_OK(env_.remove("/db/c"));
  NPK_ASSERT_OK(env_.rename("/db/a", "/db/b"));
  const auto none = disk_->after_power_cut(PowerCut{CrashPolicy::kNone});
  EXPECT_EQ(content_of(none, "/db/a") + content_of(none, "/db/b") + content_of(none, "/db/c"),
            "abc");
  NPK_ASSERT_OK(env_.sync_directory("/db"));
  const auto synced = disk_->after_power_cut(PowerCut{CrashPolicy::kNone});
  EXPECT_EQ(content_of(synced, "/db/a"), "(missing)");
  EXPECT_EQ(content_of(synced, "/db/b"), "a");
  EXPECT_EQ(content_of(synced, "/db/c"), "(missing)");
}

TEST_F(PowerCuts, KeepARenameBetweenDirectoriesWholeWithEitherSync) {
  for (const char* synced : {"/db/from", "/db/to"}) {
    SimEnv env(SimDisk::make(1));
    for (const char* directory : {"/db", "/db/from", "/db/to"}) {
      NPK_ASSERT_OK(env.make_directory(directory));
    }
    env.disk()->write_back();
    NPK_ASSERT_OK(make_file(env, "/db/from/file", "text")->sync());
    NPK_ASSERT_OK(env.rename("/db/from/file", "/db/to/file"));
    NPK_ASSERT_OK(env.sync_directory(synced));
    EXPECT_THAT(env.disk()->describe_unsynced(), IsEmpty());
    SimEnv next(env.disk()->after_power_cut(PowerCut{CrashPolicy::kNone}));
    EXPECT_EQ(content_of(next, "/db/from/file"), "(missing)");
    EXPECT_EQ(content_of(next, "/db/to/file"), "text");
  }
}

TEST_F(PowerCuts, KeepWhatLedToARenameBetweenDirectories) {
  NPK_ASSERT_OK(env_.make_directory("/other"));
  disk_->write_back();
  NPK_ASSERT_OK(make("/other/file", "replaced")->sync());
  NPK_ASSERT_OK(make("/db/file", "new")->sync());
  NPK_ASSERT_OK(env_.rename("/db/file", "/other/file"));
  NPK_ASSERT_OK(env_.sync_directory("/db"));
  // Left behind, the creation of what was replaced could undo the rename.
  EXPECT_THAT(disk_->describe_unsynced(), IsEmpty());
  EXPECT_EQ(after(CrashPolicy::kAll, "/other/file"), "new");
}

TEST_F(PowerCuts, SyncsOfOneDirectoryLeaveOthersUnsynced) {
  NPK_ASSERT_OK(env_.make_directory("/other"));
  disk_->write_back();
  NPK_ASSERT_OK(make("/db/file", "")->sync());
  NPK_ASSERT_OK(make("/other/file", "")->sync());
  NPK_ASSERT_OK(env_.sync_directory("/other"));
  EXPECT_EQ(after(CrashPolicy::kNone, "/db/file"), "(missing)");
  EXPECT_EQ(after(CrashPolicy::kNone, "/other/file"), "");
}

// ---- policies ----------------------------------------------------------------------------------

TEST_F(PowerCuts, DropOrKeepEachChangeInTurn) {
  auto file = make_durable("/db/file", "......");
  const auto mapping = map_shared(*file, 6);
  NPK_ASSERT_OK(file->write_at(0, bytes_of("aa")));
  mapping->store(2, bytes_of("bb"));
  NPK_ASSERT_OK(file->write_at(4, bytes_of("cc")));
  EXPECT_THAT(after_each(CrashPolicy::kDropOne, "/db/file"),
              ElementsAre("..bbcc", "aa..cc", "aabb.."));
  EXPECT_THAT(after_each(CrashPolicy::kKeepOne, "/db/file"),
              ElementsAre("aa....", "..bb..", "....cc"));
}

TEST_F(PowerCuts, ShowZerosWhereTheSizeCameBeforeTheData) {
  auto file = make_durable("/db/file", "ab");
  NPK_ASSERT_OK(file->write_at(2, bytes_of("cd")));
  NPK_ASSERT_OK(file->write_at(0, bytes_of("AB")));
  NPK_ASSERT_OK(file->write_at(4, bytes_of("ef")));
  using std::string_literals::operator""s;
  EXPECT_THAT(after_each(CrashPolicy::kSizeBeforeData, "/db/file"),
              ElementsAre("AB\0\0\0\0"s, "AB\0\0ef"s, "ABcd\0\0"s));
}

TEST_F(PowerCuts, SeparateNamesFromContent) {
  make_durable("/db/STORE", "old");
  make("/db/temporary", "new");
  NPK_ASSERT_OK(env_.rename("/db/temporary", "/db/STORE"));
  EXPECT_EQ(after(CrashPolicy::kNamesBeforeData, "/db/STORE"), "");
  EXPECT_EQ(after(CrashPolicy::kNamesBeforeData, "/db/temporary"), "(missing)");
  EXPECT_EQ(after(CrashPolicy::kDataBeforeNames, "/db/STORE"), "old");
  // The creation lost, the rename kept: the file is there, under its last name.
  EXPECT_THAT(after_each(CrashPolicy::kDropOne, "/db/STORE"), ElementsAre("new", "", "old"));
  EXPECT_THAT(after_each(CrashPolicy::kDropOne, "/db/temporary"),
              ElementsAre("(missing)", "(missing)", "new"));
}

TEST_F(PowerCuts, TearWritesAtSectorsOnly) {
  const std::string old(4'096, 'o');
  auto file = make_durable("/db/file", old);
  NPK_ASSERT_OK(file->write_at(300, bytes_of(std::string(3'000, 'n'))));
  std::set<std::string> seen;
  for (uint64_t seed = 0; seed < 200; ++seed) {
    const auto torn = disk_->after_power_cut(PowerCut{CrashPolicy::kTorn, 0, seed});
    const std::string content = content_of(torn, "/db/file");
    ASSERT_EQ(content.size(), 4'096U);
    size_t new_sectors = 0;
    for (size_t sector = 0; sector < 8; ++sector) {
      const std::string part = content.substr(sector * 512, 512);
      const size_t from = sector == 0 ? 300U : 0U;
      const size_t to = sector == 6 ? size_t{3'300} - 6 * 512 : sector == 7 ? 0 : 512;
      std::string arrived(512, 'o');
      if (from < to) arrived.replace(from, to - from, to - from, 'n');
      ASSERT_TRUE(part == arrived || part == std::string(512, 'o')) << "sector " << sector;
      if (part != std::string(512, 'o')) ++new_sectors;
    }
    ASSERT_GT(new_sectors, 0U);
    ASSERT_LT(new_sectors, 7U);
    seen.insert(content);
  }
  EXPECT_GT(seen.size(), 20U) << "first parts, last parts and mixtures";
}

TEST_F(PowerCuts, TearGrowingWritesWithAnySizeOfTheirSectors) {
  auto file = make_durable("/db/file", "");
  NPK_ASSERT_OK(file->write_at(0, bytes_of(std::string(2'000, 'n'))));
  std::set<size_t> sizes;
  for (uint64_t seed = 0; seed < 200; ++seed) {
    const auto torn = disk_->after_power_cut(PowerCut{CrashPolicy::kTorn, 0, seed});
    sizes.insert(content_of(torn, "/db/file").size());
  }
  EXPECT_EQ(sizes, (std::set<size_t>{0, 512, 1'024, 1'536, 2'000}));
}

TEST_F(PowerCuts, OfferEachPolicyOnlyWhereItSaysSomethingNew) {
  const auto count = [&] { return disk_->power_cuts(3, random_).size(); };
  EXPECT_EQ(count(), 1U) << "nothing to lose: one state";
  auto file = make_durable("/db/file", "12345");
  NPK_ASSERT_OK(file->write_at(0, bytes_of("x")));
  EXPECT_EQ(count(), 2U + 3U) << "none, all, and random ones";
  NPK_ASSERT_OK(file->write_at(5, bytes_of(std::string(600, 'y'))));
  EXPECT_EQ(count(), 2U + 2 + 2 + 1 + 1 + 3) << "drop, keep, torn, size before data";
  NPK_ASSERT_OK(env_.rename("/db/file", "/db/other"));
  EXPECT_EQ(count(), 2U + 3 + 3 + 1 + 1 + 1 + 1 + 3) << "and names before data, and after";
}

TEST_F(PowerCuts, AreRepeatedByTheirNumbers) {
  auto file = make_durable("/db/file", std::string(5'000, '.'));
  for (uint64_t i = 0; i < 10; ++i) {
    NPK_ASSERT_OK(file->write_at(i * 450, bytes_of(std::string(900, static_cast<char>('a' + i)))));
  }
  std::set<std::string> seen;
  for (const PowerCut& cut : disk_->power_cuts(100, random_)) {
    const std::string content = content_of(disk_->after_power_cut(cut), "/db/file");
    ASSERT_EQ(content_of(disk_->after_power_cut(cut), "/db/file"), content) << cut.describe();
    ASSERT_EQ(content_of(disk_->after_kill()->after_power_cut(cut), "/db/file"), content);
    seen.insert(content);
  }
  EXPECT_GT(seen.size(), 80U);
}

TEST_F(PowerCuts, SayInWordsWhatTheyDo) {
  auto file = make_durable("/db/file", "12345");
  NPK_ASSERT_OK(file->write_at(4, bytes_of("xyz")));
  map_shared(*file, 7)->store(0, bytes_of("abc"));
  NPK_ASSERT_OK(env_.rename("/db/file", "/db/other"));
  NPK_ASSERT_OK(env_.remove("/db/other"));
  EXPECT_THAT(disk_->describe_unsynced(),
              ElementsAre("write other [4, 7) growing", "store other [0, 3)",
                          "rename file to other", "remove other"));
  EXPECT_THAT(
      disk_->describe(PowerCut{CrashPolicy::kKeepOne, 0, 0}),
      ElementsAre("kept with its size: write other [4, 7) growing", "lost: store other [0, 3)",
                  "lost: rename file to other", "lost: remove other"));
  EXPECT_EQ((PowerCut{CrashPolicy::kDropOne, 3, 17}.describe()), "drop one, variant 3, seed 17");
}

TEST_F(PowerCuts, TakeAPolicyAndAGenerator) {
  auto file = make_durable("/db/file", "..");
  NPK_ASSERT_OK(file->write_at(0, bytes_of("a")));
  NPK_ASSERT_OK(file->write_at(1, bytes_of("b")));
  std::set<std::string> seen;
  for (int i = 0; i < 100; ++i) {
    seen.insert(content_of(disk_->after_power_cut(CrashPolicy::kDropOne, random_), "/db/file"));
  }
  EXPECT_EQ(seen, (std::set<std::string>{"a.", ".b"}));
}

// ---- against a model ---------------------------------------------------------------------------

/// What a sector may hold after a power cut: every version since the last sync. Versions are whole
/// sectors, so the test writes aligned or inside one sector.
TEST_F(PowerCuts, LeaveEverySectorInAVersionItHadSinceTheLastSync) {
  constexpr uint64_t kSectors = 24;
  for (int round = 0; round < 60; ++round) {
    const std::string path = "/db/file" + std::to_string(round);
    auto file = make_durable(path, "");
    const auto mapping = map_shared(*file, kSectors * kSectorBytes);
    std::vector<std::set<std::string>> allowed(kSectors, {std::string(kSectorBytes, '\0')});
    std::set<size_t> sizes{0};
    std::string now;
    for (int step = 0; step < 25; ++step) {
      const uint64_t first = random_() % kSectors;
      const uint64_t count = 1 + random_() % std::min<uint64_t>(6, kSectors - first);
      const std::string text(count * kSectorBytes, static_cast<char>('A' + step));
      const uint64_t at = first * kSectorBytes;
      if (random_() % 8 == 0) {
        NPK_ASSERT_OK(file->sync());
        for (uint64_t s = 0; s < kSectors; ++s) {
          std::string sector = s * kSectorBytes < now.size()
                                   ? now.substr(s * kSectorBytes, kSectorBytes)
                                   : std::string();
          sector.resize(kSectorBytes);
          allowed[s] = {sector};
        }
        sizes = {now.size()};
        continue;
      }
      if (at + text.size() <= now.size() && random_() % 2 == 0) {
        mapping->store(at, bytes_of(text));
      } else {
        NPK_ASSERT_OK(file->write_at(at, bytes_of(text)));
      }
      now.resize(std::max(now.size(), at + text.size()));
      now.replace(at, text.size(), text);
      for (uint64_t s = first; s < first + count; ++s) {
        allowed[s].insert(std::string(kSectorBytes, static_cast<char>('A' + step)));
        sizes.insert((s + 1) * kSectorBytes);
      }
    }
    ASSERT_EQ(content_of(env_, path), now);
    for (const PowerCut& cut : disk_->power_cuts(40, random_)) {
      const std::string left = content_of(disk_->after_power_cut(cut), path);
      ASSERT_TRUE(sizes.contains(left.size())) << left.size() << " after " << cut.describe();
      for (uint64_t s = 0; s * kSectorBytes < left.size(); ++s) {
        const std::string sector = left.substr(s * kSectorBytes, kSectorBytes);
        // Growth that came without its bytes shows zeros.
        ASSERT_TRUE(allowed[s].contains(sector) || sector == std::string(kSectorBytes, '\0'))
            << "sector " << s << " after " << cut.describe();
      }
    }
    disk_->write_back();
  }
}

TEST_F(PowerCuts, LeaveEveryNameWithAFileItHadSinceTheLastSync) {
  const std::vector<std::string> names{"/db/a", "/db/b", "/db/c", "/db/d"};
  std::map<std::string, std::set<std::string>> allowed;
  const auto forget = [&] {
    for (const std::string& name : names) allowed[name] = {content_of(env_, name)};
  };
  forget();
  for (int step = 0; step < 1'500; ++step) {
    const std::string& name = names[random_() % names.size()];
    const std::string& other = names[random_() % names.size()];
    switch (random_() % 8) {
      case 0:
        NPK_ASSERT_OK(env_.sync_directory("/db"));
        forget();
        break;
      case 1:
      case 2:
        env_.remove(name).ignore();
        break;
      case 3:
      case 4:
        env_.rename(name, other).ignore();
        break;
      default:
        if (auto file = env_.open(name, OpenMode::kCreateNew)) {
          // Each file says which one it is, and is durable but for its name.
          NPK_ASSERT_OK((*file)->write_at(0, bytes_of(std::to_string(step))));
          NPK_ASSERT_OK((*file)->sync());
        }
    }
    for (const std::string& each : names) allowed[each].insert(content_of(env_, each));
    if (step % 10 != 0) continue;
    for (const PowerCut& cut : disk_->power_cuts(10, random_)) {
      SimEnv next(disk_->after_power_cut(cut));
      std::set<std::string> files;
      for (const std::string& each : names) {
        const std::string content = content_of(next, each);
        ASSERT_TRUE(allowed[each].contains(content)) << each << " is " << content;
        if (content != "(missing)") {
          ASSERT_TRUE(files.insert(content).second) << content << " has two names";
        }
      }
    }
  }
}

// ---- independence ------------------------------------------------------------------------------

TEST_F(PowerCuts, LeaveDisksThatShareNothing) {
  auto file = make_durable("/db/file", "original");
  NPK_ASSERT_OK(file->write_at(0, bytes_of("ORIG")));
  const auto a = disk_->after_power_cut(PowerCut{CrashPolicy::kAll});
  const auto b = disk_->after_power_cut(PowerCut{CrashPolicy::kAll});
  SimEnv on_a(a);
  NPK_ASSERT_OK((*on_a.open("/db/file", OpenMode::kReadWrite))->write_at(0, bytes_of("aaaa")));
  NPK_ASSERT_OK(on_a.rename("/db/file", "/db/renamed"));
  EXPECT_EQ(content_of(a, "/db/renamed"), "aaaainal");
  EXPECT_EQ(content_of(b, "/db/file"), "ORIGinal");
  EXPECT_EQ(content_of(env_, "/db/file"), "ORIGinal");
  NPK_ASSERT_OK(file->write_at(4, bytes_of("----")));
  EXPECT_EQ(content_of(b, "/db/file"), "ORIGinal");
  EXPECT_EQ(content_of(b, "/db/renamed"), "(missing)");
}

TEST_F(PowerCuts, LeaveNothingThatASecondOneCouldTake) {
  auto file = make("/db/file", std::string(5'000, 'x'));
  NPK_ASSERT_OK(env_.rename("/db/file", "/db/other"));
  for (const PowerCut& cut : disk_->power_cuts(20, random_)) {
    const auto once = disk_->after_power_cut(cut);
    EXPECT_THAT(once->describe_unsynced(), IsEmpty());
    const auto twice = once->after_power_cut(PowerCut{CrashPolicy::kNone});
    ASSERT_EQ(content_of(twice, "/db/other"), content_of(once, "/db/other"));
  }
}

TEST_F(PowerCuts, HideBytesThatArrivedBeyondTheSizeForGood) {
  auto file = make_durable("/db/file", "");
  NPK_ASSERT_OK(file->write_at(0, bytes_of(std::string(3'000, 'x'))));
  for (const PowerCut& cut : disk_->power_cuts(100, random_)) {
    SimEnv next(disk_->after_power_cut(cut));
    const auto grown = *next.open("/db/file", OpenMode::kReadWrite);
    const uint64_t size = *grown->size_bytes();
    NPK_ASSERT_OK(grown->write_at(5'000, bytes_of("end")));
    ASSERT_EQ(read_text(*grown, size, 5'000 - size), std::string(5'000 - size, '\0'));
  }
}

TEST_F(PowerCuts, AreAnotherBootOfTheSameClock) {
  const auto cut = disk_->after_power_cut(PowerCut{CrashPolicy::kAll});
  SimEnv next(cut);
  SimEnv other(cut);
  EXPECT_NE(next.boot_id(), env_.boot_id());
  EXPECT_EQ(next.boot_id(), other.boot_id());
  EXPECT_NE(SimEnv(cut->after_power_cut(PowerCut{})).boot_id(), next.boot_id());
  EXPECT_GE(next.now_us(), env_.now_us());
}

}  // namespace
}  // namespace npk::io
