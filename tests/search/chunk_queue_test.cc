// A scan's rows in memory are handed out once each, in chunks that are large while there is much
// left for every thread and small towards the end, so that none waits long for the others.
#include "core/search/chunk_queue.h"

#include <algorithm>
#include <thread>
#include <vector>

#include "simd/scan.h"
#include "tests/support/support.h"

namespace npk::testing {
namespace {

using internal::Chunk;
using internal::ChunkQueue;
using internal::RowSource;

constexpr uint64_t kDims = 64;
constexpr uint64_t kRows = 125'000;  // Of 256 bytes: 32 MB.
constexpr uint64_t kLargeBlockRows = 8'192;

class ChunkQueueTest : public ::testing::Test {
 protected:
  /// The first `count` rows.
  [[nodiscard]] RowSource source(uint64_t count) const {
    return *RowSource::create(ArrayView::of(elements_, {kRows, kDims}).slice_rows(0, count),
                              nullptr);
  }

  const std::vector<float> elements_ = std::vector<float>(kRows * kDims);
};

/// All that one thread gets.
std::vector<Chunk> taken_from(ChunkQueue& queue) {
  std::vector<Chunk> chunks;
  for (Chunk chunk; queue.next(chunk);) chunks.push_back(chunk);
  return chunks;
}

TEST_F(ChunkQueueTest, GivesEveryRowToOneThread) {
  for (const uint32_t threads : {1u, 2u, 7u}) {
    for (const uint64_t rows : {uint64_t{0}, uint64_t{1}, uint64_t{255}, uint64_t{5'000}, kRows}) {
      const RowSource of = source(rows);
      ChunkQueue queue(of, io::ReadMode::kAuto, threads, kLargeBlockRows);
      std::vector<std::vector<Chunk>> taken(threads);
      {
        std::vector<std::jthread> running;
        for (auto& chunks : taken) running.emplace_back([&] { chunks = taken_from(queue); });
      }
      NPK_EXPECT_OK(queue.status());
      std::vector<Chunk> all;
      for (const auto& chunks : taken) {
        EXPECT_TRUE(std::ranges::is_sorted(chunks, {}, &Chunk::begin));
        all.insert(all.end(), chunks.begin(), chunks.end());
      }
      std::ranges::sort(all, {}, &Chunk::begin);
      uint64_t next = 0;
      for (const Chunk& chunk : all) {
        ASSERT_EQ(chunk.begin, next) << rows << " rows, " << threads << " threads";
        ASSERT_LT(chunk.begin, chunk.end);
        EXPECT_EQ(chunk.copy, nullptr);
        next = chunk.end;
      }
      EXPECT_EQ(next, rows) << threads << " threads";
    }
  }
}

TEST_F(ChunkQueueTest, GivesOneThreadWholeBlocks) {
  const RowSource of = source(kRows);
  ChunkQueue queue(of, io::ReadMode::kAuto, 1, kLargeBlockRows);
  uint64_t whole = 0;
  for (const Chunk& chunk : taken_from(queue)) whole += chunk.end - chunk.begin == kLargeBlockRows;
  EXPECT_EQ(whole, kRows / kLargeBlockRows);
}

TEST_F(ChunkQueueTest, GivesSmallerChunksTheLessIsLeft) {
  constexpr uint32_t kThreads = 2;
  const RowSource of = source(kRows);
  const uint64_t least = internal::rows_per_chunk(of, kThreads);
  ASSERT_LT(least, kLargeBlockRows);
  ChunkQueue queue(of, io::ReadMode::kAuto, kThreads, kLargeBlockRows);
  const std::vector<Chunk> chunks = taken_from(queue);
  EXPECT_EQ(chunks.front().end, kLargeBlockRows);
  EXPECT_LE(chunks.back().end - chunks.back().begin, least);
  uint64_t before = kLargeBlockRows;
  bool is_between = false;
  for (const Chunk& chunk : chunks) {
    const uint64_t count = chunk.end - chunk.begin;
    EXPECT_LE(count, before) << "from row " << chunk.begin;
    // Never so much of what is left that another thread would wait for it.
    EXPECT_LE(count, std::max(least, (kRows - chunk.begin) / (2 * kThreads)));
    is_between |= count > least && count < kLargeBlockRows;
    before = count;
  }
  EXPECT_TRUE(is_between);
}

}  // namespace
}  // namespace npk::testing
