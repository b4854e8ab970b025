// Rows that are not in memory: by io_uring around the page cache, by pread, through the mapping,
// the answer is the same, and it is that of one committed state.
#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <sys/syscall.h>
#include <thread>
#include <unistd.h>

#include "io/direct_reader.h"
#include "npk/search.h"
#include "npk/store.h"
#include "tests/support/forbid_system_call.h"
#include "tests/support/search_reference.h"
#include "tests/support/support.h"

namespace npk {
namespace {

using npk::testing::Content;
using npk::testing::difference;
using npk::testing::forbid_system_call;
using npk::testing::random_query;
using npk::testing::random_rows;
using npk::testing::reference_top_k;
using npk::testing::TempDir;

constexpr const char* kModes[] = {"auto", "mmap", "uring", "pread"};

/// NPK_IO within a scope.
class ForcedMode {
 public:
  explicit ForcedMode(const char* mode) { ::setenv("NPK_IO", mode, 1); }
  ~ForcedMode() { ::unsetenv("NPK_IO"); }
  ForcedMode(const ForcedMode&) = delete;
  ForcedMode& operator=(const ForcedMode&) = delete;
};

/// Whether the file system of tests can be read directly in this process.
bool has_direct_reads(const TempDir& directory) {
  const int fd = ::open(directory.path().c_str(), O_TMPFILE | O_RDWR | O_DIRECT, 0600);
  if (fd >= 0) ::close(fd);
  return fd >= 0 && io::uring_status().is_ok();
}

class ColdRows : public ::testing::Test {
 protected:
  void save(const Array& rows) {
    Result<ParallelIO> store = ParallelIO::open(path());
    NPK_ASSERT_OK(store);
    NPK_ASSERT_OK(store->save_arrays({{"v", rows}}));
    NPK_ASSERT_OK(store->close());
  }

  /// Puts the pages of the rows file out of memory. Requires: nobody has it mapped.
  void make_cold() {
    std::string file;
    {
      Result<ParallelIO> store = ParallelIO::open(path(), {.read_only = true});
      NPK_ASSERT_OK(store);
      NPK_ASSERT_OK_AND_ASSIGN(const ArrayMetadata array, store->get_array_metadata("v"));
      file = path() + "/" + array.rows_file;
    }
    const int fd = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
    ASSERT_EQ(::fsync(fd), 0);
    ASSERT_EQ(::posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED), 0);
    ::close(fd);
  }

  /// A store opened anew must answer as the reference over `rows`, however cold.
  void expect_reference(const Array& rows, const Array& query, SearchOptions options,
                        const TopK& want) {
    for (const char* mode : kModes) {
      const ForcedMode forced(mode);
      for (const uint32_t threads : {1u, 2u, 5u}) {
        options.threads = threads;
        make_cold();
        Result<ParallelIO> store = ParallelIO::open(path());
        NPK_ASSERT_OK(store);
        NPK_ASSERT_OK_AND_ASSIGN(const TopK got,
                                 StreamingVectorEngine().top_k(*store, "v", query, options));
        ASSERT_EQ(difference(got, want), "")
            << mode << " " << threads << " threads, rows of " << rows.row_bytes() << " bytes";
      }
    }
  }

  [[nodiscard]] std::string path() const { return dir_.file("s.npk"); }
  TempDir dir_;
};

TEST_F(ColdRows, AnswerTheSameWhateverWayTheyAreRead) {
  std::mt19937_64 random(npk::testing::test_seed());
  // Rows that end on pages and rows that do not, of one page and of many; odd ends of the file.
  for (const auto& [rows, dims] : {std::pair<uint64_t, uint64_t>{9'001, 128},
                                   {40'003, 33},
                                   {2'100'000, 1},
                                   {37, 50'001},
                                   {3, 500'000},
                                   {1, 7}}) {
    const Array base = random_rows(DType::kFloat32, rows, dims, Content::kNormal, random);
    const Array query = random_query(DType::kFloat32, dims, Content::kNormal, random);
    save(base);
    expect_reference(base, query, {.metric = Metric::kL2Sq, .k = 20},
                     reference_top_k(base, query, Metric::kL2Sq, 20));
  }
}

TEST_F(ColdRows, OfEveryElementTypeAreConvertedAsThoseInMemory) {
  std::mt19937_64 random(npk::testing::test_seed());
  for (const DType dtype : metric_info(Metric::kDot).dtypes) {
    const Array base = random_rows(dtype, 30'011, 37, Content::kNormal, random);
    const Array query = random_query(dtype, 37, Content::kNormal, random);
    save(base);
    expect_reference(base, query, {.metric = Metric::kDot, .k = 9},
                     reference_top_k(base, query, Metric::kDot, 9));
  }
}

TEST_F(ColdRows, ThatAreDeletedOrNotSelectedAreNotReturned) {
  std::mt19937_64 random(npk::testing::test_seed());
  const Array base = random_rows(DType::kFloat32, 60'000, 64, Content::kDuplicates, random);
  const Array query = random_query(DType::kFloat32, 64, Content::kDuplicates, random);
  for (const uint64_t share : {2u, 3u, 50u, 5'000u}) {
    save(base);
    std::vector<int64_t> deleted;
    std::vector<int64_t> where;
    for (int64_t row = 0; row < 60'000; ++row) {
      if (random() % 4 == 0 || (row > 20'000 && row < 32'000)) deleted.push_back(row);
    }
    NPK_ASSERT_OK_AND_ASSIGN(ParallelIO store, ParallelIO::open(path()));
    NPK_ASSERT_OK(store.drop_arrays("v", Rows::list(deleted)));
    NPK_ASSERT_OK_AND_ASSIGN(const Array live, store.load_array("v"));
    for (uint64_t row = 0; row < live.rows(); ++row) {
      if (random() % share == 0) where.push_back(static_cast<int64_t>(row));
    }
    NPK_ASSERT_OK(store.close());
    TopK want;
    const TopK all = reference_top_k(live, query, Metric::kCosine, UINT64_MAX);
    for (size_t i = 0; i < all.rows.size() && want.rows.size() < 30; ++i) {
      if (!std::binary_search(where.begin(), where.end(), static_cast<int64_t>(all.rows[i]))) {
        continue;
      }
      want.rows.push_back(all.rows[i]);
      want.scores.push_back(all.scores[i]);
    }
    expect_reference(live, query, {.k = 30, .where = Where::rows(where)}, want);
  }
}

TEST_F(ColdRows, AnswerManyQueriesAndGiveEveryScore) {
  std::mt19937_64 random(npk::testing::test_seed());
  const Array base = random_rows(DType::kFloat32, 20'011, 96, Content::kNormal, random);
  const Array queries = random_rows(DType::kFloat32, 7, 96, Content::kNormal, random);
  save(base);
  NPK_ASSERT_OK_AND_ASSIGN(const auto want, VectorEngine().multi_query_top_k(base, queries));
  NPK_ASSERT_OK_AND_ASSIGN(const Array scores, VectorEngine().batch_compute(base, queries));
  for (const char* mode : kModes) {
    const ForcedMode forced(mode);
    make_cold();
    NPK_ASSERT_OK_AND_ASSIGN(ParallelIO store, ParallelIO::open(path()));
    const StreamingVectorEngine engine;
    NPK_ASSERT_OK_AND_ASSIGN(const auto got,
                             engine.streaming_multi_query_top_k(store, "v", queries));
    for (size_t q = 0; q < want.size(); ++q) EXPECT_EQ(difference(got[q], want[q]), "") << mode;
    NPK_ASSERT_OK_AND_ASSIGN(const Array all, engine.streaming_batch_compute(store, "v", queries));
    EXPECT_TRUE(
        std::equal(all.as<double>().begin(), all.as<double>().end(), scores.as<double>().begin()));
  }
}

TEST_F(ColdRows, AreReadAroundThePageCacheAndHotOnesAreNot) {
  std::mt19937_64 random(npk::testing::test_seed());
  if (!has_direct_reads(dir_)) GTEST_SKIP() << "no direct reads here";
  const Array base = random_rows(DType::kFloat32, 50'000, 128, Content::kNormal, random);
  save(base);
  SearchStats stats;
  const auto search = [&] {
    Result<ParallelIO> store = ParallelIO::open(path());
    NPK_ASSERT_OK(store);
    NPK_ASSERT_OK(StreamingVectorEngine().top_k(*store, "v", base.view().slice_rows(0, 1),
                                                {.stats = &stats}));
    EXPECT_EQ(stats.scored_rows, 50'000u);
    EXPECT_EQ(stats.read_bytes, base.size_bytes());
  };
  search();
  EXPECT_EQ(stats.direct_bytes + stats.copied_bytes, 0u) << "just written: in memory";
  make_cold();
  search();
  EXPECT_EQ(stats.direct_bytes, base.size_bytes());
  EXPECT_EQ(stats.copied_bytes, 0u);
}

TEST_F(ColdRows, AreNotSampledAndHotOnesAre) {
  std::mt19937_64 random(npk::testing::test_seed());
  if (!has_direct_reads(dir_)) GTEST_SKIP() << "no direct reads here";
  const Array base = random_rows(DType::kFloat32, 50'000, 128, Content::kNormal, random);
  const Array queries = random_rows(DType::kFloat32, 16, 128, Content::kNormal, random);
  save(base);
  SearchStats stats;
  const auto search = [&] {
    Result<ParallelIO> store = ParallelIO::open(path());
    NPK_ASSERT_OK(store);
    NPK_ASSERT_OK(StreamingVectorEngine().streaming_multi_query_top_k(
        *store, "v", queries, {.k = 1'000, .stats = &stats}));
    EXPECT_EQ(stats.scored_rows, 50'000u);
  };
  search();
  EXPECT_GT(stats.read_bytes, base.size_bytes());
  make_cold();
  search();
  EXPECT_EQ(stats.read_bytes, base.size_bytes());
  EXPECT_EQ(stats.direct_bytes, base.size_bytes());
}

TEST_F(ColdRows, OfWhichNoneIsSelectedAreNotRead) {
  std::mt19937_64 random(npk::testing::test_seed());
  const Array base = random_rows(DType::kFloat32, 50'000, 128, Content::kNormal, random);
  save(base);
  const ForcedMode forced("pread");
  NPK_ASSERT_OK_AND_ASSIGN(ParallelIO store, ParallelIO::open(path()));
  SearchStats stats;
  const SearchOptions options = {.where = Where::ranges({{100, 110}}), .stats = &stats};
  NPK_ASSERT_OK(StreamingVectorEngine().top_k(store, "v", base.view().slice_rows(0, 1), options));
  EXPECT_EQ(stats.scored_rows, 10u);
  EXPECT_LE(stats.copied_bytes, 1u << 20);
}

TEST_F(ColdRows, ThatWereJustReplacedAreReadAsTheyAreNow) {
  std::mt19937_64 random(npk::testing::test_seed());
  // Dirty pages of the mapping beside pages that are not in memory.
  Array base = random_rows(DType::kFloat32, 50'000, 128, Content::kNormal, random);
  save(base);
  for (const char* mode : kModes) {
    const ForcedMode forced(mode);
    make_cold();
    NPK_ASSERT_OK_AND_ASSIGN(ParallelIO store, ParallelIO::open(path()));
    for (int round = 0; round < 20; ++round) {
      const uint64_t row = random() % 50'000;
      const Array next = random_rows(DType::kFloat32, 1, 128, Content::kNormal, random);
      std::memcpy(base.mutable_data() + row * base.row_bytes(), next.data(), next.size_bytes());
      NPK_ASSERT_OK(store.replace_rows("v", next, Rows::list({static_cast<int64_t>(row)})));
      NPK_ASSERT_OK_AND_ASSIGN(
          const TopK got,
          StreamingVectorEngine().top_k(store, "v", next, {.metric = Metric::kL2Sq, .k = 1}));
      EXPECT_EQ(got.rows, std::vector<uint64_t>{row}) << mode;
      EXPECT_EQ(got.scores, std::vector<double>{0.0}) << mode;
    }
  }
}

TEST_F(ColdRows, ShowOneCommittedStateWhileAWriterReplacesThem) {
  // Each state holds one number only, so a mixture of two states shows.
  constexpr uint64_t kRows = 40'000;
  const auto filled = [&](float value) { return std::vector<float>(kRows * 16, value); };
  Array first = *Array::uninitialized(DType::kFloat32, {kRows, 16});
  std::ranges::fill(first.mutable_as<float>(), 1.0f);
  save(first);
  for (const char* mode : {"uring", "pread"}) {
    const ForcedMode forced(mode);
    NPK_ASSERT_OK_AND_ASSIGN(ParallelIO store, ParallelIO::open(path()));
    std::atomic<bool> stop{false};
    std::thread writer([&] {
      for (int round = 2; !stop; ++round) {
        const std::vector<float> next = filled(static_cast<float>(round));
        NPK_EXPECT_OK(store.replace_rows("v", ArrayView::of(next, {kRows, 16}), Rows::all()));
      }
    });
    const std::vector<float> query(16, 1.0f);
    for (int i = 0; i < 30; ++i) {
      Result<TopK> found = StreamingVectorEngine().top_k(store, "v", ArrayView::of(query, {16}),
                                                         {.metric = Metric::kDot, .k = kRows});
      NPK_EXPECT_OK(found);
      if (!found.is_ok()) break;
      EXPECT_EQ(found->rows.size(), kRows);
      EXPECT_EQ(found->scores.front(), found->scores.back()) << mode;
    }
    stop = true;
    writer.join();
  }
}

TEST_F(ColdRows, AreNoLongerReadOnceTheSearchIsCancelled) {
  std::mt19937_64 random(npk::testing::test_seed());
  const Array base = random_rows(DType::kFloat32, 60'000, 128, Content::kNormal, random);
  save(base);
  for (const char* mode : kModes) {
    const ForcedMode forced(mode);
    NPK_ASSERT_OK_AND_ASSIGN(ParallelIO store, ParallelIO::open(path()));
    for (const uint32_t threads : {1u, 2u}) {
      SearchOptions options = {.threads = threads};
      options.progress = [](uint64_t done, uint64_t total) { return done < total / 2; };
      NPK_EXPECT_ERROR(
          StreamingVectorEngine().top_k(store, "v", base.view().slice_rows(0, 1), options),
          kFailedPrecondition, "the search was cancelled");
    }
  }
}

TEST_F(ColdRows, OfAFileThatWasCutOffAreAnErrorNotASignal) {
  std::mt19937_64 random(npk::testing::test_seed());
  const Array base = random_rows(DType::kFloat32, 50'000, 128, Content::kNormal, random);
  save(base);
  for (const char* mode : {"uring", "pread"}) {
    const ForcedMode forced(mode);
    NPK_ASSERT_OK_AND_ASSIGN(ParallelIO store, ParallelIO::open(path()));
    const auto query = base.view().slice_rows(0, 1);
    NPK_ASSERT_OK(StreamingVectorEngine().top_k(store, "v", query));
    NPK_ASSERT_OK_AND_ASSIGN(const ArrayMetadata array, store.get_array_metadata("v"));
    const std::string file = path() + "/" + array.rows_file;
    ASSERT_EQ(::truncate(file.c_str(), 10'000'001), 0);
    NPK_EXPECT_ERROR(StreamingVectorEngine().top_k(store, "v", query), kCorruption,
                     "ends after 10000001 bytes");
    ASSERT_EQ(::truncate(file.c_str(), static_cast<off_t>(base.size_bytes())), 0);
  }
}

TEST_F(ColdRows, AreReadByPreadWhereIoUringIsForbidden) {
  ::testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_EXIT(
      {
        std::mt19937_64 random(1);
        const Array base = random_rows(DType::kFloat32, 50'000, 128, Content::kNormal, random);
        save(base);
        make_cold();
        forbid_system_call(__NR_io_uring_setup);  // As most containers do.
        const ForcedMode forced("uring");
        Result<ParallelIO> store = ParallelIO::open(path());
        SearchStats stats;
        const auto query = base.view().slice_rows(7, 8);
        const auto got = StreamingVectorEngine().top_k(*store, "v", query, {.stats = &stats});
        const auto want = VectorEngine().top_k(base, query);
        const bool is_forbidden = io::uring_status().code() == StatusCode::kUnsupported;
        const bool is_same = got.is_ok() && difference(*got, *want).empty();
        const bool was_pread = stats.copied_bytes == base.size_bytes() && stats.direct_bytes == 0;
        std::_Exit((is_forbidden ? 0 : 1) + (is_same ? 0 : 2) + (was_pread ? 0 : 4));
      },
      ::testing::ExitedWithCode(0), "");
}

TEST_F(ColdRows, OnAFileSystemWithoutDirectReadsAreReadByPread) {
  const TempDir memory(TempDir::Place::kMemory);
  std::mt19937_64 random(npk::testing::test_seed());
  const Array base = random_rows(DType::kFloat32, 50'000, 128, Content::kNormal, random);
  const auto query = base.view().slice_rows(7, 8);
  NPK_ASSERT_OK_AND_ASSIGN(const TopK want, VectorEngine().top_k(base, query));
  NPK_ASSERT_OK_AND_ASSIGN(ParallelIO store, ParallelIO::open(memory.file("s.npk")));
  NPK_ASSERT_OK(store.save_arrays({{"v", base}}));
  for (const char* mode : kModes) {
    const ForcedMode forced(mode);
    SearchStats stats;
    NPK_ASSERT_OK_AND_ASSIGN(const TopK got,
                             StreamingVectorEngine().top_k(store, "v", query, {.stats = &stats}));
    EXPECT_EQ(difference(got, want), "") << mode;
    if (memory.path().starts_with("/dev/shm")) {
      EXPECT_EQ(stats.direct_bytes, 0u) << mode;
    }
  }
}

TEST_F(ColdRows, AreReadInAWayThatIsKnown) {
  const std::vector<float> one = {1};
  NPK_ASSERT_OK_AND_ASSIGN(ParallelIO store, ParallelIO::open(path()));
  NPK_ASSERT_OK(store.save_arrays({{"v", ArrayView::of(one, {1, 1})}}));
  const ForcedMode forced("floppy");
  NPK_EXPECT_ERROR(StreamingVectorEngine().top_k(store, "v", ArrayView::of(one, {1})),
                   kInvalidArgument, "NPK_IO is 'floppy'; it may be auto, mmap, uring or pread");
}

}  // namespace
}  // namespace npk
