// Pieces read around the page cache are those of the file, wherever they begin and end and whatever
// was just stored into a mapping of it.
#include "io/direct_reader.h"

#include <cstdlib>
#include <fcntl.h>
#include <random>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/io/env_world.h"
#include "tests/support/forbid_system_call.h"
#include "tests/support/support.h"

namespace npk::io {
namespace {

class DirectReads : public ::testing::Test {
 protected:
  static constexpr uint64_t kFileBytes = 3'000'001;

  void SetUp() override {
    std::mt19937_64 random(npk::testing::test_seed());
    for (char& byte : content_) byte = static_cast<char>(random());
    file_ = make_file(Env::posix(), dir_.file("f"), content_);
    auto reader = file_->direct_reader({3, 100'000});
    if (reader.is_ok()) {
      reader_ = *std::move(reader);
    } else {
      EXPECT_EQ(reader.status().code(), StatusCode::kUnsupported);
    }
  }

  std::string piece(uint32_t slot, uint64_t length_bytes) {
    const Result<const std::byte*> bytes = reader_->finish(slot);
    EXPECT_TRUE(bytes.is_ok()) << bytes.status().to_string();
    if (!bytes.is_ok()) return {};
    return {reinterpret_cast<const char*>(*bytes), length_bytes};
  }

  npk::testing::TempDir dir_;
  std::string content_ = std::string(kFileBytes, 'x');
  std::unique_ptr<File> file_;
  std::unique_ptr<DirectReader> reader_;
};

TEST_F(DirectReads, GiveThePiecesThatWereAskedFor) {
  if (reader_ == nullptr) GTEST_SKIP() << "no direct reads here";
  std::mt19937_64 random(npk::testing::test_seed());
  for (int round = 0; round < 100; ++round) {
    uint64_t begins[3];
    uint64_t lengths[3];
    for (uint32_t slot = 0; slot < 3; ++slot) {
      lengths[slot] = 1 + random() % 100'000;
      begins[slot] = round == 0 ? kFileBytes - lengths[slot]  // The end, which is not aligned.
                                : random() % (kFileBytes - lengths[slot]);
      reader_->start(slot, begins[slot], lengths[slot]);
    }
    for (const uint32_t slot : {1u, 0u, 2u}) {
      ASSERT_EQ(piece(slot, lengths[slot]), content_.substr(begins[slot], lengths[slot]));
    }
  }
}

TEST_F(DirectReads, SeeWhatWasStoredIntoAMapping) {
  if (reader_ == nullptr) GTEST_SKIP() << "no direct reads here";
  NPK_ASSERT_OK_AND_ASSIGN(const auto mapping, file_->map(kFileBytes, MapMode::kShared));
  for (uint64_t at = 7; at + 5 < kFileBytes; at += 299'993) {
    mapping->store(at, std::as_bytes(std::span("hello", 5)));
    reader_->start(0, at, 5);
    ASSERT_EQ(piece(0, 5), "hello");
  }
}

TEST_F(DirectReads, BeyondTheEndAreAnError) {
  if (reader_ == nullptr) GTEST_SKIP() << "no direct reads here";
  reader_->start(0, kFileBytes - 10, 11);
  NPK_EXPECT_ERROR(reader_->finish(0), kCorruption, "ends after 3000001 bytes");
  reader_->start(0, kFileBytes + 1'000'000, 5);
  NPK_EXPECT_ERROR(reader_->finish(0), kCorruption, "ends after");
}

TEST_F(DirectReads, ThatTheKernelRefusesInTheMiddleAreReadThroughThePageCache) {
  if (reader_ == nullptr) GTEST_SKIP() << "no direct reads here";
  ::testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_EXIT(
      {
        reader_->start(0, 1000, 5000);
        bool is_same = piece(0, 5000) == content_.substr(1000, 5000);
        npk::testing::forbid_system_call(__NR_io_uring_enter);
        for (const uint32_t slot : {0u, 1u, 2u}) reader_->start(slot, 7 + slot, 90'000);
        for (const uint32_t slot : {2u, 0u, 1u}) {
          is_same = is_same && piece(slot, 90'000) == content_.substr(7 + slot, 90'000);
        }
        reader_ = nullptr;
        std::_Exit(is_same ? 0 : 1);
      },
      ::testing::ExitedWithCode(0), "");
}

TEST_F(DirectReads, UnderWayDoNotOutliveTheirReader) {
  if (reader_ == nullptr) GTEST_SKIP() << "no direct reads here";
  for (uint32_t slot = 0; slot < 3; ++slot) reader_->start(slot, slot, 90'000);
  reader_ = nullptr;
}

TEST_F(DirectReads, AreNotForSimulatedFiles) {
  SimWorld world;
  const auto file = make_file(world.env(), world.path("f"), "some bytes");
  NPK_EXPECT_ERROR(file->direct_reader({}), kUnsupported, "around the page cache");
  NPK_ASSERT_OK_AND_ASSIGN(const auto mapping, file->map(10, MapMode::kRead));
  EXPECT_TRUE(file->is_resident(*mapping, 0, 10));
}

TEST_F(DirectReads, AreForPagesThatAreNotResident) {
  NPK_ASSERT_OK_AND_ASSIGN(auto mapping, file_->map(kFileBytes, MapMode::kRead));
  EXPECT_TRUE(file_->is_resident(*mapping, 0, kFileBytes)) << "just written";
  EXPECT_TRUE(file_->is_resident(*mapping, kFileBytes, 0));
  mapping = nullptr;
  const int fd = ::open(file_->path().c_str(), O_RDONLY | O_CLOEXEC);
  ASSERT_EQ(::fsync(fd), 0);
  ASSERT_EQ(::posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED), 0);
  ::close(fd);
  NPK_ASSERT_OK_AND_ASSIGN(mapping, file_->map(kFileBytes, MapMode::kRead));
  if (reader_ == nullptr) GTEST_SKIP() << "a file system in memory, perhaps";
  EXPECT_FALSE(file_->is_resident(*mapping, 1'000'001, 1'000'000));
  EXPECT_FALSE(file_->is_resident(*mapping, kFileBytes - 1, 1));
}

TEST(ReadMode, IsWhatTheEnvironmentSays) {
  EXPECT_EQ(*read_mode(), ReadMode::kAuto);
  ::setenv("NPK_IO", "uring", 1);
  EXPECT_EQ(*read_mode(), ReadMode::kUring);
  ::setenv("NPK_IO", "", 1);
  NPK_EXPECT_ERROR(read_mode(), kInvalidArgument, "NPK_IO is ''");
  ::unsetenv("NPK_IO");
}

}  // namespace
}  // namespace npk::io
