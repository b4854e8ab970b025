// What every Env does, whether its files are real or simulated: the same tests run on each.
#include <algorithm>
#include <cerrno>
#include <functional>

#include "tests/io/every_env.h"

namespace npk::io {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

// ---- open --------------------------------------------------------------------------------------

TEST_P(EveryEnv, OpensOnlyWhatExistsUnlessToldToCreate) {
  for (const OpenMode mode : {OpenMode::kRead, OpenMode::kReadWrite}) {
    NPK_EXPECT_ERROR(env().open(path("missing"), mode), kNotFound, "missing");
  }
  EXPECT_EQ(open("made", OpenMode::kCreateOrOpen)->size_bytes().value_or(99), 0U);
  EXPECT_EQ(open("new", OpenMode::kCreateNew)->size_bytes().value_or(99), 0U);
}

TEST_P(EveryEnv, KeepsOrEmptiesWhatIsThereAsTheModeSays) {
  make("file", "content");
  EXPECT_EQ(read_text(*open("file", OpenMode::kRead), 0, 7), "content");
  EXPECT_EQ(read_text(*open("file", OpenMode::kReadWrite), 0, 7), "content");
  EXPECT_EQ(read_text(*open("file", OpenMode::kCreateOrOpen), 0, 7), "content");
  NPK_EXPECT_ERROR(env().open(path("file"), OpenMode::kCreateNew), kAlreadyExists, "file");
  EXPECT_EQ(open("file", OpenMode::kTruncate)->size_bytes().value_or(99), 0U);
}

TEST_P(EveryEnv, RefusesToOpenADirectoryAsAFile) {
  NPK_ASSERT_OK(env().make_directory(path("directory")));
  for (const OpenMode mode :
       {OpenMode::kRead, OpenMode::kReadWrite, OpenMode::kCreateOrOpen, OpenMode::kTruncate}) {
    const Status status = env().open(path("directory"), mode).status();
    NPK_EXPECT_ERROR(status, kIoError, "it is a directory");
    EXPECT_EQ(status.error_number(), EISDIR);
    EXPECT_EQ(status.path(), path("directory"));
  }
  NPK_EXPECT_ERROR(env().open(path("directory"), OpenMode::kCreateNew), kAlreadyExists, "create");
}

TEST_P(EveryEnv, NamesWhatIsWrongWithAPath) {
  make("file", "");
  NPK_EXPECT_ERROR(env().open(path("nowhere/file"), OpenMode::kCreateNew), kNotFound, "nowhere");
  const Status below_file = env().open(path("file/x"), OpenMode::kCreateOrOpen).status();
  NPK_EXPECT_ERROR(below_file, kIoError, "not a directory");
  EXPECT_EQ(below_file.error_number(), ENOTDIR);
  const Status too_long = env().open(path(std::string(256, 'n')), OpenMode::kCreateNew).status();
  NPK_EXPECT_ERROR(too_long, kIoError, "too long");
  EXPECT_EQ(too_long.error_number(), ENAMETOOLONG);
  NPK_EXPECT_OK(env().open(path(std::string(255, 'n')), OpenMode::kCreateNew));
}

TEST_P(EveryEnv, RefusesANulInAnyPath) {
  const std::string bad = path(std::string_view("a\0b", 3));
  const std::string good = path("good");
  make("good", "");
  const std::string part = "NUL";
  NPK_EXPECT_ERROR(env().open(bad, OpenMode::kCreateOrOpen), kInvalidArgument, part);
  NPK_EXPECT_ERROR(env().info(bad), kInvalidArgument, part);
  NPK_EXPECT_ERROR(env().list(bad), kInvalidArgument, part);
  NPK_EXPECT_ERROR(env().make_directory(bad), kInvalidArgument, part);
  NPK_EXPECT_ERROR(env().rename(bad, good), kInvalidArgument, part);
  NPK_EXPECT_ERROR(env().rename(good, bad), kInvalidArgument, part);
  NPK_EXPECT_ERROR(env().remove(bad), kInvalidArgument, part);
  NPK_EXPECT_ERROR(env().sync_directory(bad), kInvalidArgument, part);
  NPK_EXPECT_ERROR(env().sync_filesystem(bad), kInvalidArgument, part);
  NPK_EXPECT_ERROR(env().unsafe_filesystem(bad), kInvalidArgument, part);
  EXPECT_EQ(env().info(path("a"))->kind, PathKind::kMissing);
}

// ---- read --------------------------------------------------------------------------------------

TEST_P(EveryEnv, ReadsAnyPartOfAFile) {
  const auto file = make("file", "0123456789");
  EXPECT_EQ(read_text(*file, 0, 10), "0123456789");
  EXPECT_EQ(read_text(*file, 3, 4), "3456");
  EXPECT_EQ(read_text(*file, 10, 0), "");
  EXPECT_EQ(file->path(), path("file"));
}

TEST_P(EveryEnv, SaysWhereAFileEndsThatShouldBeLonger) {
  const auto file = make("file", "0123456789");
  std::vector<std::byte> buffer(8);
  const Status across = file->read_at(6, buffer);
  NPK_EXPECT_ERROR(across, kCorruption, "ends after 10 bytes, 4 more were expected");
  EXPECT_EQ(across.path(), path("file"));
  EXPECT_EQ(across.offset_bytes(), 10U);
  const Status beyond = file->read_at(1'000, buffer);
  NPK_EXPECT_ERROR(beyond, kCorruption, "ends after 10 bytes, 998 more were expected");
  EXPECT_EQ(beyond.offset_bytes(), 10U);
  NPK_EXPECT_ERROR(file->read_at(UINT64_MAX - 2, buffer), kCorruption, "ends after 10 bytes");
}

TEST_P(EveryEnv, ReadsWhatThereIsWhenAskedForSome) {
  const auto file = make("file", "0123456789");
  std::vector<std::byte> buffer(8);
  EXPECT_EQ(file->read_some_at(0, buffer).value_or(99), 8U);
  EXPECT_EQ(file->read_some_at(6, buffer).value_or(99), 4U);
  EXPECT_EQ(io::text_of(Bytes(buffer).first(4)), "6789");
  EXPECT_EQ(file->read_some_at(10, buffer).value_or(99), 0U);
  EXPECT_EQ(file->read_some_at(UINT64_MAX, buffer).value_or(99), 0U);
  EXPECT_EQ(file->read_some_at(0, {}).value_or(99), 0U);
}

// ---- write -------------------------------------------------------------------------------------

TEST_P(EveryEnv, WritesManyPiecesOneAfterTheOther) {
  const auto file = make("file", "");
  std::string expected;
  std::vector<std::string> texts;
  for (size_t i = 0; i < 3'000; ++i)
    texts.push_back(std::string(i % 5, static_cast<char>('a' + i % 26)));
  std::vector<Bytes> pieces;
  for (const std::string& text : texts) {
    pieces.push_back(bytes_of(text));
    expected += text;
  }
  NPK_ASSERT_OK(file->write_at(7, pieces));
  EXPECT_EQ(file->size_bytes().value_or(0), 7 + expected.size());
  EXPECT_EQ(read_text(*file, 7, expected.size()), expected);
  EXPECT_EQ(read_text(*file, 0, 7), std::string(7, '\0'));
}

TEST_P(EveryEnv, WritesOfNothingChangeNothing) {
  const auto file = make("file", "abc");
  NPK_EXPECT_OK(file->write_at(100, std::span<const Bytes>()));
  NPK_EXPECT_OK(file->write_at(100, Bytes()));
  EXPECT_EQ(file->size_bytes().value_or(99), 3U);
}

TEST_P(EveryEnv, OverwritesInPlace) {
  const auto file = make("file", "0123456789");
  NPK_ASSERT_OK(file->write_at(4, bytes_of("XY")));
  EXPECT_EQ(read_text(*file, 0, 10), "0123XY6789");
  NPK_ASSERT_OK(file->write_at(8, bytes_of("ABCD")));
  EXPECT_EQ(read_text(*file, 0, 12), "0123XY67ABCD");
}

TEST_P(EveryEnv, HoldsSparseFilesBeyondFourGibibytes) {
  const auto file = make("file", "start");
  constexpr uint64_t kFar = (uint64_t{5} << 30) + 123;
  NPK_ASSERT_OK(file->write_at(kFar, bytes_of("far")));
  EXPECT_EQ(file->size_bytes().value_or(0), kFar + 3);
  EXPECT_EQ(read_text(*file, kFar - 2, 5), std::string("\0\0far", 5));
  EXPECT_EQ(read_text(*file, 0, 6), std::string("start\0", 6));
}

TEST_P(EveryEnv, RefusesOffsetsThatNoFileCanHave) {
  const auto file = make("file", "abc");
  for (const uint64_t offset : {UINT64_MAX, uint64_t{INT64_MAX} - 1, uint64_t{1} << 63}) {
    const Status status = file->write_at(offset, bytes_of("abc"));
    NPK_EXPECT_ERROR(status, kResourceExhausted, "larger than");
    EXPECT_EQ(status.offset_bytes(), offset);
    NPK_EXPECT_ERROR(file->allocate(offset, 3), kResourceExhausted, "larger than");
    NPK_EXPECT_ERROR(file->copy_from(*file, 0, offset, 3), kResourceExhausted, "larger than");
  }
  EXPECT_EQ(file->size_bytes().value_or(99), 3U);
}

TEST_P(EveryEnv, ChangesNothingThroughAFileOpenForReading) {
  make("file", "content");
  const auto file = open("file", OpenMode::kRead);
  const auto source = make("source", "SOURCE");
  for (const Status& status :
       {file->write_at(0, bytes_of("x")), file->allocate(0, 100), file->copy_from(*source, 0, 0, 6),
        file->map(7, MapMode::kShared).status(), file->try_lock(0, false).status()}) {
    NPK_EXPECT_ERROR(status, kFailedPrecondition, "read-only");
    EXPECT_EQ(status.path(), path("file"));
  }
  EXPECT_EQ(read_text(*file, 0, 7), "content");
}

TEST_P(EveryEnv, ReservesSpaceWithoutGrowing) {
  const auto file = make("file", "abc");
  NPK_EXPECT_OK(file->allocate(0, 100'000));
  NPK_EXPECT_OK(file->allocate(1'000'000, 1));
  NPK_EXPECT_OK(file->allocate(0, 0));
  EXPECT_EQ(file->size_bytes().value_or(99), 3U);
  EXPECT_EQ(read_text(*file, 0, 3), "abc");
}

// ---- copy --------------------------------------------------------------------------------------

TEST_P(EveryEnv, CopiesPartsOfOneFileIntoAnother) {
  const auto source = make("source", "0123456789");
  const auto target = make("target", "abcdef");
  NPK_ASSERT_OK(target->copy_from(*source, 2, 4, 5));
  EXPECT_EQ(read_text(*target, 0, 9), "abcd23456");
  NPK_ASSERT_OK(target->copy_from(*source, 0, 0, 0));
  NPK_ASSERT_OK(target->copy_from(*target, 0, 20, 9));
  EXPECT_EQ(read_text(*target, 20, 9), "abcd23456");
  EXPECT_EQ(target->size_bytes().value_or(0), 29U);
}

TEST_P(EveryEnv, CopiesMoreThanItsBufferHolds) {
  std::string text(9'000'001, 'x');
  for (size_t i = 0; i < text.size(); i += 997) text[i] = static_cast<char>('a' + i % 26);
  const auto source = make("source", text);
  const auto target = make("target", "");
  NPK_ASSERT_OK(target->copy_from(*source, 0, 3, text.size()));
  EXPECT_TRUE(read_text(*target, 3, text.size()) == text);
}

TEST_P(EveryEnv, SaysWhenTheSourceOfACopyIsTooShort) {
  const auto source = make("source", "0123456789");
  const auto target = make("target", "");
  const Status status = target->copy_from(*source, 4, 0, 10);
  NPK_EXPECT_ERROR(status, kCorruption, "ends after 10 bytes, 4 more were expected");
  EXPECT_EQ(status.path(), path("source"));
  NPK_EXPECT_ERROR(target->copy_from(*source, UINT64_MAX - 1, 0, 5), kResourceExhausted, "source");
}

/// A file that is of no Env: what a copy must do without the kernel's help.
class TextFile final : public File {
 public:
  explicit TextFile(std::string text) : File("text"), text_(std::move(text)) {}
  Status read_at(uint64_t offset_bytes, std::span<std::byte> out) const override {
    if (offset_bytes > text_.size() || out.size() > text_.size() - offset_bytes) {
      return Status::corruption("the text ends").with_path(path());
    }
    std::copy_n(bytes_of(text_).begin() + static_cast<ptrdiff_t>(offset_bytes), out.size(),
                out.begin());
    return Status::ok();
  }
  Result<uint64_t> read_some_at(uint64_t, std::span<std::byte>) const override { return refuse(); }
  Status write_at(uint64_t, std::span<const Bytes>) override { return refuse(); }
  Status allocate(uint64_t, uint64_t) override { return refuse(); }
  Status copy_from(const File&, uint64_t, uint64_t, uint64_t) override { return refuse(); }
  Status sync() override { return refuse(); }
  Result<uint64_t> size_bytes() const override { return refuse(); }
  Result<std::shared_ptr<Mapping>> map(uint64_t, MapMode) override { return refuse(); }
  Result<bool> try_lock(uint64_t, bool) override { return refuse(); }
  Status unlock(uint64_t) override { return refuse(); }
  Result<std::optional<uint64_t>> find_lock(uint64_t, uint64_t) const override { return refuse(); }

 private:
  static Status refuse() { return Status::unsupported("only reads"); }
  std::string text_;
};

TEST_P(EveryEnv, CopiesFromAFileOfAnotherKind) {
  const TextFile source(std::string(5'000'000, 's') + "end");
  const auto target = make("target", "");
  NPK_ASSERT_OK(target->copy_from(source, 4'999'999, 1, 4));
  EXPECT_EQ(read_text(*target, 0, 5), std::string("\0send", 5));
  NPK_ASSERT_OK(target->copy_from(source, 0, 0, 5'000'003));
  EXPECT_EQ(read_text(*target, 4'999'999, 4), "send");
  NPK_EXPECT_ERROR(target->copy_from(source, 0, 0, 5'000'004), kCorruption, "text");
}

// ---- names -------------------------------------------------------------------------------------

TEST_P(EveryEnv, TellsWhatAPathIs) {
  make("file", "12345");
  NPK_ASSERT_OK(env().make_directory(path("directory")));
  EXPECT_EQ(env().info(path("missing"))->kind, PathKind::kMissing);
  EXPECT_EQ(env().info(path("missing/below"))->kind, PathKind::kMissing);
  EXPECT_EQ(env().info(path("file/below"))->kind, PathKind::kMissing);
  EXPECT_EQ(env().info(path("file"))->kind, PathKind::kFile);
  EXPECT_EQ(env().info(path("file"))->size_bytes, 5U);
  EXPECT_EQ(env().info(path("directory"))->kind, PathKind::kDirectory);
}

TEST_P(EveryEnv, GivesOneIdToADirectoryWhateverPathLeadsThere) {
  NPK_ASSERT_OK(env().make_directory(path("a")));
  NPK_ASSERT_OK(env().make_directory(path("b")));
  const FileId id = env().info(path("a"))->id;
  EXPECT_EQ(env().info(path("b/../a"))->id, id);
  EXPECT_EQ(env().info(path("./a/"))->id, id);
  EXPECT_NE(env().info(path("b"))->id, id);
  NPK_ASSERT_OK(env().rename(path("a"), path("c")));
  EXPECT_EQ(env().info(path("c"))->id, id);
}

TEST_P(EveryEnv, ListsNamesOfADirectory) {
  EXPECT_THAT(*env().list(path("")), IsEmpty());
  make("file", "");
  NPK_ASSERT_OK(env().make_directory(path("directory")));
  make("directory/inner", "");
  make(".hidden", "");
  EXPECT_THAT(*env().list(path("")), UnorderedElementsAre("file", "directory", ".hidden"));
  EXPECT_THAT(*env().list(path("directory")), UnorderedElementsAre("inner"));
  NPK_EXPECT_ERROR(env().list(path("missing")), kNotFound, "missing");
  NPK_EXPECT_ERROR(env().list(path("file")), kIoError, "not a directory");
}

TEST_P(EveryEnv, MakesDirectoriesOneLevelAtATime) {
  NPK_EXPECT_ERROR(env().make_directory(path("a/b")), kNotFound, "a/b");
  NPK_EXPECT_OK(env().make_directory(path("a")));
  NPK_EXPECT_OK(env().make_directory(path("a/b")));
  NPK_EXPECT_ERROR(env().make_directory(path("a")), kAlreadyExists, "make the directory");
  make("file", "");
  NPK_EXPECT_ERROR(env().make_directory(path("file")), kAlreadyExists, "file");
}

TEST_P(EveryEnv, RenamesReplaceTheTarget) {
  make("from", "new content");
  make("to", "old");
  const auto old = open("to", OpenMode::kRead);
  NPK_ASSERT_OK(env().rename(path("from"), path("to")));
  EXPECT_EQ(read_text(*open("to", OpenMode::kRead), 0, 11), "new content");
  EXPECT_EQ(read_text(*old, 0, 3), "old");
  EXPECT_EQ(env().info(path("from"))->kind, PathKind::kMissing);
  NPK_ASSERT_OK(env().rename(path("to"), path("to")));
  EXPECT_EQ(env().info(path("to"))->size_bytes, 11U);
}

TEST_P(EveryEnv, RenamesAcrossAndOfDirectories) {
  NPK_ASSERT_OK(env().make_directory(path("a")));
  NPK_ASSERT_OK(env().make_directory(path("b")));
  make("a/file", "text");
  NPK_ASSERT_OK(env().rename(path("a/file"), path("b/moved")));
  EXPECT_THAT(*env().list(path("a")), IsEmpty());
  NPK_ASSERT_OK(env().rename(path("b"), path("a")));
  EXPECT_EQ(env().info(path("b"))->kind, PathKind::kMissing);
  EXPECT_EQ(read_text(*open("a/moved", OpenMode::kRead), 0, 4), "text");
}

TEST_P(EveryEnv, RefusesRenamesThatCannotBe) {
  make("file", "");
  NPK_ASSERT_OK(env().make_directory(path("full")));
  make("full/inner", "");
  NPK_ASSERT_OK(env().make_directory(path("empty")));
  const auto error_of = [&](std::string_view from, std::string_view to) {
    return env().rename(path(from), path(to)).error_number();
  };
  NPK_EXPECT_ERROR(env().rename(path("missing"), path("x")), kNotFound, "missing");
  EXPECT_EQ(error_of("missing", "file"), ENOENT);
  EXPECT_EQ(error_of("file", "nowhere/file"), ENOENT);
  EXPECT_EQ(error_of("file", "empty"), EISDIR);
  EXPECT_EQ(error_of("empty", "file"), ENOTDIR);
  EXPECT_EQ(error_of("empty", "full"), ENOTEMPTY);
  EXPECT_EQ(error_of("full", "full/inside"), EINVAL);
  EXPECT_THAT(*env().list(path("")), UnorderedElementsAre("file", "full", "empty"));
}

TEST_P(EveryEnv, RemovesFilesAndEmptyDirectories) {
  make("file", "");
  NPK_ASSERT_OK(env().make_directory(path("directory")));
  make("directory/inner", "");
  const Status full = env().remove(path("directory"));
  NPK_EXPECT_ERROR(full, kIoError, "not empty");
  EXPECT_EQ(full.error_number(), ENOTEMPTY);
  NPK_EXPECT_OK(env().remove(path("directory/inner")));
  NPK_EXPECT_OK(env().remove(path("directory")));
  NPK_EXPECT_OK(env().remove(path("file")));
  NPK_EXPECT_ERROR(env().remove(path("file")), kNotFound, "file");
  EXPECT_THAT(*env().list(path("")), IsEmpty());
}

TEST_P(EveryEnv, ARemovedFileLivesWhileItIsOpen) {
  const auto file = make("file", "content");
  NPK_ASSERT_OK(env().remove(path("file")));
  EXPECT_EQ(read_text(*file, 0, 7), "content");
  NPK_EXPECT_OK(file->write_at(7, bytes_of(" and more")));
  NPK_EXPECT_OK(file->sync());
  EXPECT_EQ(file->size_bytes().value_or(0), 16U);
  make("file", "another");
  EXPECT_EQ(read_text(*file, 0, 7), "content");
}

// ---- sync and the rest -------------------------------------------------------------------------

TEST_P(EveryEnv, SyncsFilesDirectoriesAndTheFileSystem) {
  const auto file = make("file", "content");
  NPK_EXPECT_OK(file->sync());
  NPK_EXPECT_OK(open("file", OpenMode::kRead)->sync());
  NPK_EXPECT_OK(env().sync_directory(path("")));
  NPK_EXPECT_OK(env().sync_filesystem(path("")));
  NPK_EXPECT_ERROR(env().sync_directory(path("missing")), kNotFound, "missing");
  NPK_EXPECT_ERROR(env().sync_filesystem(path("missing")), kNotFound, "missing");
  NPK_EXPECT_ERROR(env().sync_directory(path("file")), kIoError, "not a directory");
  NPK_EXPECT_ERROR(env().sync_filesystem(path("file")), kIoError, "not a directory");
}

TEST_P(EveryEnv, CallsALocalFileSystemSafe) {
  EXPECT_EQ(env().unsafe_filesystem(path("")).value_or("?"), "");
  NPK_EXPECT_ERROR(env().unsafe_filesystem(path("missing")), kNotFound, "missing");
}

TEST_P(EveryEnv, KeepsOneBootIdAndAClockThatMovesOn) {
  EXPECT_EQ(env().boot_id(), env().boot_id());
  EXPECT_NE(env().boot_id(), 0U);
  const int64_t before = env().now_us();
  EXPECT_GT(before, int64_t{1'000'000'000} * 1'000'000);
  env().sleep_us(2'000);
  EXPECT_GE(env().now_us(), before + 2'000);
}

TEST_P(EveryEnv, FillsAnyBufferWithRandomBytes) {
  env().random_bytes({});
  std::vector<std::byte> a(1'000);
  std::vector<std::byte> b(1'000);
  env().random_bytes(a);
  env().random_bytes(b);
  EXPECT_NE(a, b);
  EXPECT_LT(std::count(a.begin(), a.end(), std::byte{0}), 50);
}

INSTANTIATE_TEST_SUITE_P(Worlds, EveryEnv, ::testing::ValuesIn(kWorlds),
                         [](const auto& world) { return std::string(world.param.name); });

}  // namespace
}  // namespace npk::io
