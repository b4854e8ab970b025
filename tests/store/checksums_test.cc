// Arrays that keep checksums of their rows: true of every commit, and what is damaged is named.
#include <algorithm>
#include <atomic>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <thread>
#include <unistd.h>

#include "bindings/cli/torture/random_values.h"
#include "npk/internal/text.h"
#include "tests/support/child_process.h"
#include "tests/support/directory_snapshot.h"
#include "tests/support/store_compare.h"
#include "tests/support/store_fixture.h"

namespace npk::testing {
namespace {

using internal::concat;

constexpr SaveOptions kWithChecksums{Checksums::kBlock};
constexpr uint64_t kBlockBytes = 64 << 10;

class ChecksumsOfRows : public StoreTest {
 protected:
  ChecksumsOfRows() : StoreTest(TempDir::Place::kMemory) {}

  void flip_bit(const std::string& file, uint64_t byte) const {
    std::fstream stream(path() + "/" + file, std::ios::in | std::ios::out | std::ios::binary);
    stream.seekg(static_cast<std::streamoff>(byte));
    const auto value = static_cast<char>(stream.get() ^ 4);
    stream.seekp(static_cast<std::streamoff>(byte));
    stream.put(value);
  }

  [[nodiscard]] VerifyReport verify(const VerifyOptions& options = {}) const {
    auto report = verify_store(path(), options);
    EXPECT_TRUE(report.is_ok()) << report.status().to_string();
    return report.is_ok() ? *std::move(report) : VerifyReport();
  }

  /// 100,000 rows of 12 bytes: 18.3 blocks.
  static constexpr uint64_t kRows = 100'000;
  ParallelIO make() {
    ParallelIO store = open();
    NPK_EXPECT_OK(store.save_arrays({{"a", ints(iota(kRows * 3), {kRows, 3})}}, kWithChecksums));
    return store;
  }
};

TEST_F(ChecksumsOfRows, AreAChoiceThatOverwritesKeepAndClonesTake) {
  ParallelIO store = make();
  NPK_ASSERT_OK(store.save_arrays({{"plain", ints(iota(3), {3})}}));
  EXPECT_EQ(metadata(store, "plain").checksums, Checksums::kNone);
  EXPECT_EQ(metadata(store, "a").checksums, Checksums::kBlock);
  NPK_ASSERT_OK(store.save_arrays({{"a", ints(iota(4), {4})}}));
  EXPECT_EQ(metadata(store, "a").checksums, Checksums::kBlock);
  NPK_ASSERT_OK(store.clone_array("a", "copy"));
  EXPECT_EQ(metadata(store, "copy").checksums, Checksums::kBlock);
  NPK_ASSERT_OK(store.save_arrays({{"a", ints(iota(4), {4})}}, {Checksums::kNone}));
  EXPECT_EQ(metadata(store, "a").checksums, Checksums::kNone);
  NPK_ASSERT_OK(store.close());
  const ParallelIO again = open();
  EXPECT_EQ(metadata(again, "a").checksums, Checksums::kNone);
  EXPECT_EQ(metadata(again, "copy").checksums, Checksums::kBlock);
}

TEST_F(ChecksumsOfRows, HaveNamesThatAreReadBack) {
  for (const Checksums checksums : {Checksums::kNone, Checksums::kBlock}) {
    NPK_ASSERT_OK_AND_ASSIGN(const Checksums back, checksums_from_name(checksums_name(checksums)));
    EXPECT_EQ(back, checksums);
  }
  NPK_EXPECT_ERROR(checksums_from_name("rows"), kInvalidArgument, "none and block");
}

TEST_F(ChecksumsOfRows, AFlippedBitIsNamedByArrayRowsAndOffset) {
  ParallelIO store = make();
  NPK_ASSERT_OK(store.drop_arrays("a", Rows::range(0, 1'000)));
  for (const bool is_folded : {false, true}) {
    SCOPED_TRACE(is_folded);
    if (is_folded) NPK_ASSERT_OK(store.sync_metadata());
    EXPECT_TRUE(verify().is_clean());
    flip_bit("a.0.rows", 5 * kBlockBytes + 77);
    const VerifyReport report = verify();
    ASSERT_EQ(report.findings.size(), 1u);
    const VerifyFinding& finding = report.findings[0];
    EXPECT_EQ(finding.array, "a");
    EXPECT_EQ(finding.path, "a.0.rows");
    EXPECT_EQ(finding.offset_bytes, 5 * kBlockBytes);
    ASSERT_TRUE(finding.rows);
    EXPECT_EQ(finding.rows->first, 5 * kBlockBytes / 12 - 1'000);
    EXPECT_EQ(finding.rows->second, (6 * kBlockBytes + 11) / 12 - 1'000);
    EXPECT_THAT(finding.message, ::testing::HasSubstr(std::to_string(finding.rows->first)));
    EXPECT_TRUE(verify({.quick = true, .progress = {}}).is_clean()) << "quick reads no rows";
    flip_bit("a.0.rows", 5 * kBlockBytes + 77);
  }
}

TEST_F(ChecksumsOfRows, DamagedBlocksSideBySideAreOneFinding) {
  ParallelIO store = make();
  for (const uint64_t block : {2u, 3u, 4u, 9u}) flip_bit("a.0.rows", block * kBlockBytes + 3);
  flip_bit("a.0.rows", kRows * 12 - 1);
  const VerifyReport report = verify();
  ASSERT_EQ(report.findings.size(), 3u);
  EXPECT_EQ(report.findings[0].offset_bytes, 2 * kBlockBytes);
  EXPECT_EQ(report.findings[0].rows->second, (5 * kBlockBytes + 11) / 12);
  EXPECT_EQ(report.findings[2].rows->second, kRows);
}

TEST_F(ChecksumsOfRows, DamageIsNeverTakenForContent) {
  ParallelIO store = make();
  const std::string rows = "a.0.rows";
  flip_bit(rows, 18 * kBlockBytes + 5);  // In the last block, which is not full.
  flip_bit(rows, 4 * kBlockBytes + 5);
  const auto damage = [&] {
    std::vector<uint64_t> offsets;
    for (const auto& finding : verify().findings) offsets.push_back(*finding.offset_bytes);
    return offsets;
  };
  const std::vector<uint64_t> both{4 * kBlockBytes, 18 * kBlockBytes};
  EXPECT_EQ(damage(), both);
  const auto neighbour = static_cast<int64_t>(4 * kBlockBytes / 12 + 100);
  NPK_ASSERT_OK(store.replace_rows("a", ints(iota(3), {1, 3}), Rows::list({neighbour})));
  NPK_ASSERT_OK(store.append_rows("a", ints(iota(30'000), {10'000, 3})));
  EXPECT_EQ(damage(), both) << "a replace and an append beside it";
  NPK_ASSERT_OK(store.sync_metadata());
  NPK_ASSERT_OK(store.close());
  EXPECT_EQ(damage(), both) << "a checkpoint";
  store = open();
  NPK_EXPECT_ERROR(store.clone_array("a", "copy"), kCorruption, "fail their checksum");
  NPK_ASSERT_OK(store.drop_arrays("a", Rows::list({0})));
  NPK_EXPECT_ERROR(store.compact_array("a"), kCorruption, "fail their checksum");
  EXPECT_EQ(damage(), both) << "a compaction that was refused";
}

TEST_F(ChecksumsOfRows, DamageIsMendedByReplacingTheRowsThatAreNamed) {
  ParallelIO store = make();
  flip_bit("a.0.rows", 4 * kBlockBytes + 5);
  NPK_ASSERT_OK(store.sync_metadata());
  const VerifyReport report = verify();
  ASSERT_EQ(report.findings.size(), 1u);
  const auto [begin, end] = *report.findings[0].rows;
  const auto count = static_cast<size_t>(end - begin);
  NPK_ASSERT_OK(
      store.replace_rows("a", ints(iota(count * 3, static_cast<int32_t>(begin * 3)), {count, 3}),
                         Rows::range(static_cast<int64_t>(begin), static_cast<int64_t>(end))));
  EXPECT_EQ(load(store, "a"), iota(kRows * 3));
  EXPECT_TRUE(verify().is_clean());
}

TEST_F(ChecksumsOfRows, OnDiskThatAreDamagedAreAnErrorThatNamesTheFile) {
  NPK_ASSERT_OK(make().close());
  const auto files = files_containing(snapshot(path()), ".sums.");
  ASSERT_EQ(files.size(), 1u);
  flip_bit(files[0], 9);
  NPK_EXPECT_ERROR(ParallelIO::open(path()), kCorruption, files[0]);
  EXPECT_THAT(verify_damage(path()), ::testing::HasSubstr(files[0]));
  std::filesystem::remove(path() + "/" + files[0]);
  NPK_EXPECT_ERROR(ParallelIO::open(path()), kCorruption, files[0]);
}

TEST_F(ChecksumsOfRows, LeaveNoFilesBehind) {
  ParallelIO store = make();
  for (int i = 0; i < 3; ++i) {
    NPK_ASSERT_OK(store.append_rows("a", ints(iota(3), {1, 3})));
    NPK_ASSERT_OK(store.drop_arrays("a", Rows::list({i})));
    NPK_ASSERT_OK(store.sync_metadata());
    EXPECT_EQ(files_containing(snapshot(path()), ".sums.").size(), 1u);
  }
  NPK_ASSERT_OK(store.compact_array("a"));
  EXPECT_EQ(files_containing(snapshot(path()), ".sums.").size(), 1u);
  NPK_ASSERT_OK(store.save_arrays({{"a", ints(iota(3), {3})}}, {Checksums::kNone}));
  NPK_ASSERT_OK(store.sync_metadata());
  EXPECT_TRUE(files_containing(snapshot(path()), ".sums.").empty());
}

TEST_F(ChecksumsOfRows, VerifyTellsItsProgressAndCanBeCancelled) {
  NPK_ASSERT_OK(make().close());
  uint64_t last = 0;
  VerifyOptions options;
  options.progress = [&](uint64_t done, uint64_t total) {
    EXPECT_EQ(total, kRows * 12);
    EXPECT_GT(done, last);
    last = done;
    return true;
  };
  EXPECT_TRUE(verify(options).is_clean());
  EXPECT_EQ(last, kRows * 12);
  options.progress = [](uint64_t, uint64_t) { return false; };
  NPK_EXPECT_ERROR(verify_store(path(), options), kFailedPrecondition, "cancelled");
}

TEST_F(ChecksumsOfRows, OfACommitThatAKilledWriterHadNotAppliedAreThoseOfTheRowsToCome) {
  NPK_ASSERT_OK(make().close());
  const std::string before = read_file(path() + "/a.0.rows");
  const int code = run_forked([&] {
    auto store = ParallelIO::open(path());
    if (!store.is_ok()) return 1;
    const Status status = store->replace_rows("a", ints(iota(6, -9), {2, 3}), Rows::list({7, -1}));
    return status.is_ok() ? ::kill(::getpid(), SIGKILL) : 2;
  });
  ASSERT_EQ(code, 128 + SIGKILL);
  // The rows as they were before the commit was applied, and no page that says otherwise.
  write_file(path() + "/a.0.rows", before);
  std::filesystem::remove(path() + "/LOCK");
  EXPECT_TRUE(verify().is_clean());
  const ParallelIO store = open();
  EXPECT_EQ(load(store, "a").back(), -4);
  EXPECT_TRUE(verify().is_clean());
}

TEST_F(ChecksumsOfRows, AreNotTakenForDamageWhileSomebodyWrites) {
  ParallelIO store = make();
  std::atomic<bool> stop = false;
  Status written;
  std::thread writer([&] {
    Random random(test_seed());
    for (uint64_t i = 0; written.is_ok() && !stop; ++i) {
      std::vector<int64_t> rows(50);
      for (int64_t& row : rows) row = static_cast<int64_t>(random.below(kRows - 100));
      written = store.replace_rows("a", ints(iota(150, static_cast<int32_t>(i)), {50, 3}),
                                   Rows::list(rows));
      if (written.is_ok() && i % 50 == 3) written = store.append_rows("a", ints(iota(3), {1, 3}));
      if (written.is_ok() && i % 50 == 5) written = store.drop_arrays("a", Rows::list({-1}));
      if (written.is_ok() && i % 200 == 7) written = store.sync_metadata();
      if (written.is_ok() && i % 500 == 9) written = store.compact_array("a");
    }
  });
  for (int i = 0; i < 30; ++i) EXPECT_EQ(verify_damage(path()), "");
  stop = true;
  writer.join();
  NPK_EXPECT_OK(written);
  EXPECT_EQ(verify_damage(path()), "");
}

/// Operations on arrays of a few blocks, of all row sizes: within a block, over its borders, over
/// many.
class ChangingRows : public ChecksumsOfRows {
 protected:
  static constexpr uint64_t kSizeBytes = 300'000;

  Values rows_of(uint64_t row_bytes, uint64_t count) {
    return random_values(random_, DType::kUint8, {count, row_bytes});
  }

  Rows some_rows(uint64_t rows, uint64_t* count) {
    if (random_.chance(0.3)) {
      const auto begin = static_cast<int64_t>(random_.below(rows));
      const auto end = begin + 1 + static_cast<int64_t>(random_.below(rows));
      *count = std::min<uint64_t>(rows, static_cast<uint64_t>(end)) - static_cast<uint64_t>(begin);
      return Rows::range(begin, end);
    }
    std::vector<int64_t> list(1 + random_.below(std::min<uint64_t>(rows, 50)));
    for (int64_t& row : list) row = static_cast<int64_t>(random_.below(rows));
    *count = list.size();
    return Rows::list(list);  // With duplicates now and then.
  }

  /// One operation, or several in a batch.
  Status change(ParallelIO& store, uint64_t row_bytes) {
    NPK_ASSIGN_OR_RETURN(const Shape shape, store.get_shape("a"));
    uint64_t rows = shape[0];
    WriteBatch batch;
    std::vector<Values> values;
    values.reserve(8);
    for (uint64_t i = 1 + random_.below(4); i > 0; --i) {
      const uint64_t dice = random_.below(10);
      if (rows == 0 || dice < 4) {
        const uint64_t most = random_.chance(0.2) ? 100'000 / row_bytes : 10;
        const uint64_t count = 1 + random_.below(most + 1);
        batch.append_rows("a", values.emplace_back(rows_of(row_bytes, count)).view());
        rows += count;
      } else if (dice < 9) {
        uint64_t count = 0;
        const Rows choice = some_rows(rows, &count);
        batch.replace_rows("a", values.emplace_back(rows_of(row_bytes, count)).view(), choice);
      } else if (dice < 10) {
        batch.drop_rows("a", Rows::list({static_cast<int64_t>(random_.below(rows))}));
        --rows;
      }
    }
    return store.commit(batch);
  }

  Random random_{test_seed()};
};

TEST_F(ChangingRows, KeepsTheSumsTrueOfEveryCommit) {
  for (const uint64_t row_bytes : {1u, 12u, 4'096u, 10'007u, 65'536u, 200'001u}) {
    for (const Durability durability :
         {Durability::kNone, Durability::kProcess, Durability::kPower}) {
      SCOPED_TRACE(concat(row_bytes, " bytes a row, durability ", static_cast<int>(durability)));
      std::filesystem::remove_all(path());
      StoreOptions options;
      options.durability = durability;
      ParallelIO store = open(options);
      NPK_ASSERT_OK(store.save_arrays(
          {{"a", rows_of(row_bytes, random_.below(kSizeBytes / row_bytes)).view()}},
          kWithChecksums));
      for (int round = 0; round < 12; ++round) {
        NPK_ASSERT_OK(change(store, row_bytes));
        if (random_.chance(0.1)) NPK_ASSERT_OK(store.sync_metadata());
        if (random_.chance(0.05)) NPK_ASSERT_OK(store.compact_array("a"));
        if (random_.chance(0.1)) {
          NPK_ASSERT_OK(store.close());
          store = open(options);
        }
        ASSERT_EQ(verify_damage(path()), "") << "round " << round;
      }
      NPK_ASSERT_OK(store.close());
      EXPECT_EQ(verify_damage(path()), "");
    }
  }
}

TEST_F(ChangingRows, OfEveryElementTypeAndShapeIsClean) {
  ParallelIO store = open();
  std::vector<std::pair<std::string, ArrayView>> arrays;
  std::vector<Values> values;
  values.reserve(200);
  for (const DTypeInfo& info : dtype_table()) {
    for (const Shape& shape :
         {Shape{}, Shape{0}, Shape{0, 3}, Shape{5, 0}, Shape{1}, Shape{7, 2, 3}, Shape{40'000}}) {
      values.push_back(random_values(random_, info.dtype, shape));
      arrays.emplace_back(concat(info.name, shape_to_string(shape)), values.back().view());
    }
  }
  NPK_ASSERT_OK(store.save_arrays(arrays, kWithChecksums));
  EXPECT_EQ(verify_damage(path()), "");
  NPK_ASSERT_OK(store.close());
  EXPECT_EQ(verify_damage(path()), "");
  const ParallelIO again = open();
  for (const auto& [name, view] : arrays) {
    EXPECT_EQ(metadata(again, name).checksums, Checksums::kBlock) << name;
  }
}

}  // namespace
}  // namespace npk::testing
