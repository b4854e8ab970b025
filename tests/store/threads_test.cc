// Threads that share handles on one store: no row is torn, none is lost. Run under the thread
// sanitizer too.
#include <atomic>
#include <chrono>
#include <set>
#include <thread>

#include "tests/store/stress.h"
#include "tests/support/child_process.h"
#include "tests/support/store_compare.h"
#include "tests/support/store_fixture.h"

namespace npk::testing {
namespace {

class Threads : public StoreTest {
 protected:
  /// Runs the bodies side by side until the time is over; each returns what went wrong.
  static void run(const std::vector<std::function<std::string()>>& steps) {
    const uint64_t milliseconds = env_number("NPK_THREADS_MS", 1'500);
    std::atomic<bool> stop = false;
    std::vector<std::string> findings(steps.size());
    std::vector<std::thread> threads;
    for (size_t i = 0; i < steps.size(); ++i) {
      threads.emplace_back([&, i] {
        while (!stop && findings[i].empty()) findings[i] = steps[i]();
        if (!findings[i].empty()) stop = true;
      });
    }
    const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(milliseconds);
    while (!stop && std::chrono::steady_clock::now() < end) {
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    stop = true;
    for (std::thread& thread : threads) thread.join();
    for (size_t i = 0; i < findings.size(); ++i) EXPECT_EQ(findings[i], "") << "thread " << i;
  }

  static std::string text(const Status& status) {
    return status.is_ok() ? std::string() : status.to_string();
  }

  /// Rows 0 … count-1 of writer 0.
  static std::vector<StressRow> rows(uint64_t count) {
    std::vector<StressRow> made;
    for (uint64_t i = 0; i < count; ++i) made.push_back(StressRow::make(0, i + 1, 0));
    return made;
  }
};

TEST_F(Threads, ReadersNeverSeeHalfARowWhileItIsReplaced) {
  ParallelIO store = open();
  constexpr uint64_t kCount = 500;
  NPK_ASSERT_OK(store.save_arrays({{"a", view_of(rows(kCount))}}));
  std::atomic<uint64_t> version = 0;
  const auto replace = [&]() -> std::string {
    std::vector<StressRow> news;
    std::vector<int64_t> numbers;
    const uint64_t now = ++version;
    for (uint64_t i = now % 7; i < kCount; i += 7) {
      news.push_back(StressRow::make(0, i + 1, now));
      numbers.push_back(static_cast<int64_t>(i));
    }
    return text(store.replace_rows("a", view_of(news), Rows::list(numbers)));
  };
  const auto load_all = [&]() -> std::string {
    auto loaded = store.load_array("a");
    if (!loaded.is_ok()) return loaded.status().to_string();
    return rows_finding(rows_of(loaded->data(), loaded->size_bytes()), true);
  };
  const auto read_some = [&]() -> std::string {
    auto read = store.read_rows("a", Rows::range(3, std::nullopt, 11));
    if (!read.is_ok()) return read.status().to_string();
    return rows_finding(rows_of(read->data(), read->size_bytes()), false);
  };
  const auto stream = [&]() -> std::string {
    auto blocks = store.stream_load("a", 64);
    if (!blocks.is_ok()) return blocks.status().to_string();
    for (const Array& block : *blocks) {
      std::string finding = rows_finding(rows_of(block.data(), block.size_bytes()), true);
      if (!finding.empty()) return finding;
    }
    return text(blocks->status());
  };
  run({replace, replace, load_all, read_some, stream});
}

TEST_F(Threads, AppendsOfSeveralThreadsAreAllThere) {
  ParallelIO first = open();
  ParallelIO second = open();
  NPK_ASSERT_OK(first.save_arrays({{"a", view_of({})}}));
  std::array<std::atomic<uint64_t>, 3> counts{};
  const auto append = [&](ParallelIO& store, size_t writer) {
    return [&store, &counts, writer]() -> std::string {
      const std::vector<StressRow> row = {StressRow::make(writer, counts[writer] + 1, 0)};
      const Status status = store.append_rows("a", view_of(row));
      if (status.is_ok()) ++counts[writer];
      return text(status);
    };
  };
  const auto sync = [&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    return text(first.sync_metadata());
  };
  run({append(first, 0), append(second, 1), append(second, 2), sync});
  NPK_ASSERT_OK_AND_ASSIGN(const Array loaded, second.load_array("a"));
  const auto all = rows_of(loaded.data(), loaded.size_bytes());
  EXPECT_EQ(rows_finding(all, true), "");
  EXPECT_EQ(all.size(), counts[0] + counts[1] + counts[2]);
}

TEST_F(Threads, ReadersLiveThroughCompactOverwriteDropAndCreate) {
  ParallelIO store = open();
  NPK_ASSERT_OK(store.save_arrays({{"a", view_of(rows(2'000))}}));
  std::atomic<uint64_t> round = 0;
  const std::vector<StressRow> some = rows(500);  // A batch reads its views at the commit.
  const auto change = [&]() -> std::string {
    switch (++round % 5) {
      case 0:
        return text(store.save_arrays({{"a", view_of(rows(1'000 + round % 1'000))}}));
      case 1:
        return text(store.drop_arrays("a", Rows::range(5, std::nullopt, 10)));
      case 2:
        return text(store.compact_array("a"));
      case 3: {
        WriteBatch batch;
        batch.drop_array("a").save_array("a", view_of(some));
        return text(store.commit(batch));
      }
      default:
        return text(store.append_rows("a", view_of(rows(100))));
    }
  };
  const auto load_all = [&]() -> std::string {
    auto loaded = store.load_array("a");
    if (!loaded.is_ok()) return loaded.status().to_string();
    return rows_finding(rows_of(loaded->data(), loaded->size_bytes()), false);
  };
  const auto view = [&]() -> std::string {
    auto seen = store.get_array_view("a");
    if (seen.status().code() == StatusCode::kFailedPrecondition) return {};  // Holes between.
    if (!seen.is_ok()) return seen.status().to_string();
    std::this_thread::yield();
    return rows_finding(rows_of(seen->data(), seen->size_bytes()), false);
  };
  const auto stream = [&]() -> std::string {
    auto blocks = store.stream_load("a", 100);
    if (!blocks.is_ok()) return blocks.status().to_string();
    for (const Array& block : *blocks) {
      std::string finding = rows_finding(rows_of(block.data(), block.size_bytes()), false);
      if (!finding.empty()) return finding;
    }
    return text(blocks->status());
  };
  const auto open_and_close = [&]() -> std::string {
    auto own = ParallelIO::open(path());
    if (!own.is_ok()) return own.status().to_string();
    auto names = own->list_arrays();
    if (!names.is_ok() || names->size() != 1) return "the array has gone";
    return text(own->close());
  };
  run({change, load_all, view, stream, open_and_close});
  NPK_ASSERT_OK(store.close());
  EXPECT_EQ(verify_damage(path()), "");
}

TEST_F(Threads, BatchesOverTwoArraysAreNeverSeenHalfByListings) {
  ParallelIO store = open();
  const std::vector<StressRow> three = rows(3);
  const auto both = [&]() -> std::string {
    WriteBatch batch;
    batch.save_array("x", view_of(three)).save_array("y", view_of(three));
    Status status = store.commit(batch);
    if (!status.is_ok()) return status.to_string();
    return text(store.drop_arrays(std::vector<std::string>{"x", "y"}));
  };
  const auto list = [&]() -> std::string {
    auto names = store.list_arrays();
    if (!names.is_ok()) return names.status().to_string();
    return names->size() == 1 ? "only " + names->front() + " is there" : "";
  };
  run({both, list, list});
}

TEST_F(Threads, SnapshotsShowOneCommitAndFollowersHearOfEach) {
  ParallelIO store = open();
  constexpr uint64_t kCount = 200;
  NPK_ASSERT_OK(store.save_arrays({{"a", view_of(rows(kCount))}}));
  std::atomic<uint64_t> version = 0;
  const auto replace_all = [&]() -> std::string {
    std::vector<StressRow> news;
    const uint64_t now = ++version;
    for (uint64_t i = 0; i < kCount; ++i) news.push_back(StressRow::make(0, i + 1, now));
    return text(store.replace_rows("a", view_of(news), Rows::range(0, kCount)));
  };
  const auto checkpoint = [&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
    return text(store.sync_metadata());
  };
  const auto look_twice = [&]() -> std::string {
    const auto snapshot = store.snapshot();
    if (!snapshot.is_ok()) return snapshot.status().to_string();
    std::set<uint64_t> versions;
    for (int look = 0; look < 2; ++look) {
      const auto loaded = snapshot->load_array("a");
      if (!loaded.is_ok()) return loaded.status().to_string();
      const auto seen = rows_of(loaded->data(), loaded->size_bytes());
      if (std::string finding = rows_finding(seen, true); !finding.empty()) return finding;
      for (const StressRow& row : seen) versions.insert(row.version);
    }
    return versions.size() == 1 ? "" : "a snapshot shows rows of several commits";
  };
  const auto follow = [&, heard = uint64_t{0}]() mutable -> std::string {
    const auto told = store.rows_changed_since("a", heard);
    if (!told.is_ok()) return told.status().to_string();
    const bool is_newer = told->commit_number > heard;
    if (told->commit_number < heard || told->rows != kCount) return "what is told goes back";
    if (is_newer != (told->changed == std::vector<RowRun>{{0, kCount}}))
      return "a commit is missed";
    heard = told->commit_number;
    return "";
  };
  run({replace_all, replace_all, checkpoint, look_twice, look_twice, follow});
  NPK_ASSERT_OK(store.close());
  EXPECT_EQ(verify_damage(path()), "");
}

}  // namespace
}  // namespace npk::testing
