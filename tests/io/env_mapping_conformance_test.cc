// Mappings and locks of every Env, real or simulated. Instantiated in env_conformance_test.cc.
#include <algorithm>
#include <cerrno>

#include "tests/io/every_env.h"

namespace npk::io {
namespace {

std::string text_of(const Mapping& mapping, uint64_t offset_bytes, uint64_t length_bytes) {
  return io::text_of({mapping.data() + offset_bytes, length_bytes});
}

// ---- map ---------------------------------------------------------------------------------------

TEST_P(EveryEnv, MapsShowWhatIsWrittenLater) {
  const auto file = make("file", "0123456789");
  const auto mapping = map(*file, 10, MapMode::kRead);
  EXPECT_EQ(mapping->size_bytes(), 10U);
  EXPECT_EQ(text_of(*mapping, 0, 10), "0123456789");
  NPK_ASSERT_OK(file->write_at(3, bytes_of("XYZ")));
  EXPECT_EQ(text_of(*mapping, 0, 10), "012XYZ6789");
  NPK_ASSERT_OK(open("file", OpenMode::kReadWrite)->write_at(0, bytes_of("other")));
  EXPECT_EQ(text_of(*mapping, 0, 10), "otherZ6789");
}

TEST_P(EveryEnv, MapsReachPastTheEndAndGrowWithTheFile) {
  const auto file = make("file", "0123456789");
  const auto mapping = map(*file, uint64_t{1} << 32, MapMode::kRead);
  ASSERT_NE(mapping, nullptr);
  const std::string more(100'000, 'm');
  NPK_ASSERT_OK(file->write_at(10, bytes_of(more)));
  EXPECT_TRUE(text_of(*mapping, 0, 100'010) == "0123456789" + more);
  NPK_ASSERT_OK(file->write_at(5'000'000, bytes_of("far")));
  EXPECT_EQ(text_of(*mapping, 4'999'999, 4), std::string("\0far", 4));
}

TEST_P(EveryEnv, MapsShowZerosWhereAnEmptiedFileGrewAgain) {
  const auto file = make("file", "0123456789");
  const auto mapping = map(*file, 6'000, MapMode::kRead);
  EXPECT_EQ(text_of(*mapping, 0, 10), "0123456789");
  NPK_ASSERT_OK(open("file", OpenMode::kTruncate)->write_at(4, bytes_of("new")));
  EXPECT_EQ(text_of(*mapping, 0, 10), std::string("\0\0\0\0new\0\0\0", 10));
}

TEST_P(EveryEnv, MapsOutliveTheFileObjectAndTheName) {
  auto file = make("file", "0123456789");
  const auto mapping = map(*file, 10, MapMode::kRead);
  make("other", "another one");
  NPK_ASSERT_OK(env().rename(path("file"), path("renamed")));
  NPK_ASSERT_OK(env().rename(path("other"), path("renamed")));
  EXPECT_EQ(text_of(*mapping, 0, 10), "0123456789");
  NPK_ASSERT_OK(file->write_at(0, bytes_of("still")));
  file.reset();
  NPK_ASSERT_OK(env().remove(path("renamed")));
  EXPECT_EQ(text_of(*mapping, 0, 10), "still56789");
}

TEST_P(EveryEnv, StoresIntoASharedMappingReachFileAndOtherMappings) {
  const auto file = make("file", std::string(10'000, '.'));
  const auto writer = map(*file, 10'000, MapMode::kShared);
  const auto reader = map(*open("file", OpenMode::kRead), 9'000, MapMode::kRead);
  const auto longer = map(*file, 1 << 20, MapMode::kShared);
  writer->store(4'090, bytes_of("across pages"));
  EXPECT_EQ(read_text(*file, 4'088, 16), "..across pages..");
  EXPECT_EQ(text_of(*writer, 4'088, 16), "..across pages..");
  EXPECT_EQ(text_of(*reader, 4'088, 16), "..across pages..");
  longer->store(4'090, bytes_of("ACROSS"));
  EXPECT_EQ(text_of(*reader, 4'088, 16), "..ACROSS pages..");
  writer->store(9'999, bytes_of("!"));
  writer->store(0, Bytes());
  EXPECT_EQ(read_text(*file, 9'998, 2), ".!");
}

TEST_P(EveryEnv, StoresOfEveryLengthAndAlignmentArrive) {
  const auto file = make("file", std::string(64, '.'));
  const auto mapping = map(*file, 64, MapMode::kShared);
  std::string expected(64, '.');
  for (uint64_t length = 1; length <= 17; ++length) {
    for (uint64_t at = 0; at <= 20; ++at) {
      const std::string text(length, static_cast<char>('a' + (at + length) % 26));
      mapping->store(at, bytes_of(text));
      expected.replace(at, length, text);
      ASSERT_EQ(text_of(*mapping, 0, 64), expected);
      ASSERT_EQ(read_text(*file, 0, 64), expected);
    }
  }
}

TEST_P(EveryEnv, StoresIntoAPrivateMappingStayThere) {
  make("file", "0123456789");
  const auto file = open("file", OpenMode::kRead);
  const auto own = map(*file, 10, MapMode::kPrivate);
  const auto other = map(*file, 10, MapMode::kPrivate);
  own->store(2, bytes_of("own"));
  EXPECT_EQ(text_of(*own, 0, 10), "01own56789");
  EXPECT_EQ(text_of(*other, 0, 10), "0123456789");
  EXPECT_EQ(read_text(*file, 0, 10), "0123456789");
  EXPECT_EQ(text_of(*map(*file, 10, MapMode::kRead), 0, 10), "0123456789");
}

// Linux shows later writes in those pages of a private mapping that were not stored into.
TEST_P(EveryEnv, PrivateMappingsKeepThePagesThatWereStoredInto) {
  const auto file = make("file", std::string(3 * 4'096, '.'));
  const auto mapping = map(*file, 3 * 4'096, MapMode::kPrivate);
  mapping->store(4'100, bytes_of("own"));
  NPK_ASSERT_OK(file->write_at(0, bytes_of(std::string(3 * 4'096, 'w'))));
  EXPECT_EQ(text_of(*mapping, 4'095, 3), "w..");
  EXPECT_EQ(text_of(*mapping, 4'098, 6), "..own.");
  EXPECT_EQ(text_of(*mapping, 8'191, 2), ".w");
}

TEST_P(EveryEnv, EmptyMappingsAreValid) {
  const auto file = make("file", "");
  for (const MapMode mode : {MapMode::kRead, MapMode::kShared, MapMode::kPrivate}) {
    const auto mapping = map(*file, 0, mode);
    ASSERT_NE(mapping, nullptr);
    EXPECT_EQ(mapping->size_bytes(), 0U);
    EXPECT_NE(mapping->data(), nullptr);
    mapping->advise(Mapping::Advice::kWillNeed);
  }
}

TEST_P(EveryEnv, AdviceChangesNothing) {
  const auto file = make("file", "0123456789");
  const auto mapping = map(*file, 10, MapMode::kRead);
  for (const auto advice : {Mapping::Advice::kNormal, Mapping::Advice::kRandom,
                            Mapping::Advice::kSequential, Mapping::Advice::kWillNeed}) {
    mapping->advise(advice);
    EXPECT_EQ(text_of(*mapping, 0, 10), "0123456789");
  }
}

TEST_P(EveryEnv, RefusesAMappingThatNoAddressSpaceHolds) {
  const auto file = make("file", "0123456789");
  const Status status = file->map(uint64_t{1} << 60, MapMode::kRead).status();
  NPK_EXPECT_ERROR(status, kResourceExhausted, "map");
  EXPECT_EQ(status.error_number(), ENOMEM);
}

// ---- locks -------------------------------------------------------------------------------------

TEST_P(EveryEnv, OneOpenFileHoldsAnExclusiveLock) {
  const auto a = make("file", "");
  const auto b = open("file", OpenMode::kReadWrite);
  EXPECT_TRUE(a->try_lock(5, false).value_or(false));
  EXPECT_FALSE(b->try_lock(5, false).value_or(true));
  EXPECT_FALSE(b->try_lock(5, true).value_or(true));
  EXPECT_TRUE(b->try_lock(4, false).value_or(false));
  EXPECT_TRUE(b->try_lock(6, true).value_or(false));
  EXPECT_TRUE(a->try_lock(5, false).value_or(false));
  NPK_ASSERT_OK(a->unlock(5));
  EXPECT_TRUE(b->try_lock(5, false).value_or(false));
}

TEST_P(EveryEnv, ManyOpenFilesShareALockEvenWhenTheyOnlyRead) {
  const auto writer = make("file", "");
  const auto a = open("file", OpenMode::kRead);
  const auto b = open("file", OpenMode::kRead);
  EXPECT_TRUE(a->try_lock(0, true).value_or(false));
  EXPECT_TRUE(b->try_lock(0, true).value_or(false));
  EXPECT_FALSE(writer->try_lock(0, false).value_or(true));
  NPK_ASSERT_OK(a->unlock(0));
  EXPECT_FALSE(writer->try_lock(0, false).value_or(true));
  NPK_ASSERT_OK(b->unlock(0));
  EXPECT_TRUE(writer->try_lock(0, false).value_or(false));
}

TEST_P(EveryEnv, ALockChangesBetweenSharedAndExclusive) {
  const auto a = make("file", "");
  const auto b = open("file", OpenMode::kReadWrite);
  EXPECT_TRUE(a->try_lock(0, false).value_or(false));
  EXPECT_TRUE(a->try_lock(0, true).value_or(false));
  EXPECT_TRUE(b->try_lock(0, true).value_or(false));
  EXPECT_FALSE(a->try_lock(0, false).value_or(true));
  NPK_ASSERT_OK(b->unlock(0));
  EXPECT_TRUE(a->try_lock(0, false).value_or(false));
}

TEST_P(EveryEnv, LocksEndWithTheOpenFileAndOnlyThen) {
  auto a = make("file", "");
  const auto b = open("file", OpenMode::kReadWrite);
  EXPECT_TRUE(a->try_lock(9, false).value_or(false));
  // Closing another handle of the same file releases nothing, unlike with classic POSIX locks.
  open("file", OpenMode::kReadWrite).reset();
  EXPECT_FALSE(b->try_lock(9, false).value_or(true));
  a.reset();
  EXPECT_TRUE(b->try_lock(9, false).value_or(false));
}

TEST_P(EveryEnv, LocksReachAnyByteThatAFileCanHave) {
  const auto a = make("file", "");
  EXPECT_TRUE(a->try_lock(uint64_t{1} << 40, false).value_or(false));
  NPK_EXPECT_ERROR(a->try_lock(UINT64_MAX, false), kResourceExhausted, "lock");
  NPK_EXPECT_OK(a->unlock(77));
}

TEST_P(EveryEnv, FindsTheLocksOfOtherOpenFiles) {
  const auto a = make("file", "");
  const auto b = open("file", OpenMode::kRead);
  const auto find = [&](uint64_t begin, uint64_t end) {
    const auto found = a->find_lock(begin, end);
    EXPECT_TRUE(found.is_ok()) << found.status().to_string();
    return found.is_ok() ? *found : std::nullopt;
  };
  EXPECT_EQ(find(0, uint64_t{1} << 62), std::nullopt);
  EXPECT_TRUE(a->try_lock(3, false).value_or(false));
  EXPECT_EQ(find(0, uint64_t{1} << 62), std::nullopt) << "its own is no other's";
  const uint64_t far = uint64_t{1} << 60;
  EXPECT_TRUE(b->try_lock(far, true).value_or(false));
  EXPECT_TRUE(b->try_lock(9, true).value_or(false));
  EXPECT_EQ(find(0, 10), 9u);
  EXPECT_EQ(find(9, 10), 9u);
  EXPECT_EQ(find(4, 9), std::nullopt);
  EXPECT_EQ(find(10, uint64_t{1} << 62), far);
  NPK_ASSERT_OK(b->unlock(9));
  EXPECT_EQ(find(0, far), std::nullopt);
  NPK_EXPECT_ERROR(a->find_lock(1, UINT64_MAX), kResourceExhausted, "locks");
}

TEST_P(EveryEnv, SharedMappingsShowTheFileAndPrivateOnesACopy) {
  const auto file = make("file", "bytes");
  EXPECT_TRUE(map(*file, 5, MapMode::kRead)->shows_file());
  EXPECT_TRUE(map(*file, 5, MapMode::kShared)->shows_file());
  EXPECT_FALSE(map(*file, 5, MapMode::kPrivate)->shows_file());
}

TEST_P(EveryEnv, AgreesWithAVectorThroughRandomWritesAndStores) {
  std::mt19937_64 random(testing::test_seed());
  constexpr uint64_t kMost = 50'000;
  const auto file = make("file", "");
  const auto mapping = map(*file, kMost, MapMode::kShared);
  const auto reader = map(*file, kMost, MapMode::kRead);
  std::string model;
  for (int round = 0; round < 3'000; ++round) {
    const uint64_t length = 1 + random() % (round % 10 == 0 ? 9'000 : 100);
    const uint64_t at = random() % (kMost - length);
    const std::string text(length, random() % 4 == 0 ? '\0' : static_cast<char>('a' + round % 26));
    if (random() % 2 == 0 && at + length <= model.size()) {
      mapping->store(at, bytes_of(text));
    } else {
      NPK_ASSERT_OK(file->write_at(at, bytes_of(text)));
      model.resize(std::max<size_t>(model.size(), at + length));
    }
    model.replace(at, length, text);
    const uint64_t from = random() % model.size();
    const uint64_t count = random() % (model.size() - from + 1);
    ASSERT_TRUE(read_text(*file, from, count) == model.substr(from, count)) << "round " << round;
    ASSERT_TRUE(text_of(*reader, from, count) == model.substr(from, count)) << "round " << round;
  }
  EXPECT_EQ(file->size_bytes().value_or(0), model.size());
}

}  // namespace
}  // namespace npk::io
