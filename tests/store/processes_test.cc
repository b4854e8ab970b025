// Two writers and four readers that take snapshots, each a process, one of them killed every now
// and then and started again: no row is torn, none that was acknowledged is lost, no snapshot
// changes, nobody sees an error but Busy, and at the end nothing is left of the snapshots and of
// those who were killed: no file, no lock, no pin, no word of the shared page.
//
// NPK_STRESS_SECONDS sets how long (60), NPK_SEED repeats the plan.
#include <chrono>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <map>
#include <unistd.h>

#include <poll.h>

#include "core/store/shared_page.h"
#include "core/store/snapshot_pins.h"
#include "npk/internal/text.h"
#include "tests/store/stress.h"
#include "tests/support/child_process.h"
#include "tests/support/store_compare.h"
#include "tests/support/support.h"

namespace npk::testing {
namespace {

using internal::concat;
using Clock = std::chrono::steady_clock;

constexpr size_t kWriters = 2;
constexpr size_t kReaders = 4;

class StressRun {
 public:
  explicit StressRun(uint64_t seed) : random_(seed) {}

  void run(uint64_t seconds) {
    make_store();
    for (size_t i = 0; i < kWriters + kReaders; ++i) members_.push_back({start(i), {}});
    const auto end = Clock::now() + std::chrono::seconds(seconds);
    auto next_kill = Clock::now() + std::chrono::milliseconds(300);
    while (Clock::now() < end && problem_.empty()) {
      listen(20);
      if (Clock::now() < next_kill) continue;
      kill_one();
      next_kill = Clock::now() + std::chrono::milliseconds(100 + random_.below(1'400));
    }
    stop();
    ASSERT_EQ(problem_, "");
    check_store();
    std::printf("processes killed: %llu, rows checked by readers: %llu, Busy: %llu\n", kills_,
                checked_, busy_);
    EXPECT_GT(kills_, 0u);
  }

 private:
  struct Member {
    WorkerProcess process;
    std::string unread;
  };

  void make_store() {
    NPK_ASSERT_OK_AND_ASSIGN(ParallelIO store, ParallelIO::open(path()));
    const std::vector<StressRow> none;
    const ArrayView empty = view_of(none);
    NPK_ASSERT_OK(store.save_arrays(
        {{kLogArray, empty}, {kScratchArray, empty}, {kLeftArray, empty}, {kRightArray, empty}}));
    NPK_ASSERT_OK(store.close());
  }

  WorkerProcess start(size_t index) {
    return *WorkerProcess::start({index < kWriters ? "writer" : "reader", path(),
                                  std::to_string(index), std::to_string(random_.next())});
  }

  /// Reads what the processes say, for at most so long.
  void listen(int milliseconds) {
    std::vector<pollfd> fds;
    for (const Member& member : members_) fds.push_back({member.process.output(), POLLIN, 0});
    if (::poll(fds.data(), fds.size(), milliseconds) <= 0) return;
    for (size_t i = 0; i < fds.size(); ++i) {
      if (fds[i].revents == 0) continue;
      char buffer[4'096];
      const ssize_t got = ::read(fds[i].fd, buffer, sizeof(buffer));
      if (got <= 0) {
        hear(i, members_[i].process.receive_all(), true);
        if (problem_.empty()) problem_ = concat("process ", i, " ended by itself");
        return;
      }
      hear(i, std::string_view(buffer, static_cast<size_t>(got)), false);
    }
  }

  void hear(size_t index, std::string_view bytes, bool is_end) {
    std::string& unread = members_[index].unread;
    unread += bytes;
    size_t at = 0;
    for (; at + 9 <= unread.size() && unread[at] != kProblem; at += 9) {
      uint64_t number = 0;
      std::memcpy(&number, &unread[at + 1], sizeof(number));
      if (unread[at] == kAppended) acknowledged_[index] = number;
      if (unread[at] == kWasBusy) busy_ += number;
      if (unread[at] == kChecked) checked_ += number;
    }
    unread.erase(0, at);
    if (!unread.empty() && unread[0] == kProblem) {
      const std::string rest = is_end ? "" : members_[index].process.receive_all();
      problem_ = concat("process ", index, ": ", unread.substr(1), rest);
    }
  }

  void kill_one() {
    const size_t victim = random_.below(members_.size());
    members_[victim].process.kill();
    hear(victim, members_[victim].process.receive_all(), true);
    members_[victim] = {start(victim), {}};
    ++kills_;
  }

  void stop() {
    for (size_t i = 0; i < members_.size(); ++i) {
      members_[i].process.send("q");
      hear(i, members_[i].process.receive_all(), true);
      const int code = members_[i].process.wait();
      if (problem_.empty() && code != 0) problem_ = concat("process ", i, " ended with ", code);
    }
  }

  void check_store() {
    size_t rows_files = 0;
    NPK_ASSERT_OK_AND_ASSIGN(ParallelIO store, ParallelIO::open(path()));
    NPK_ASSERT_OK_AND_ASSIGN(const Array log, store.load_array(kLogArray));
    const auto rows = rows_of(log.data(), log.size_bytes());
    ASSERT_EQ(rows_finding(rows, true), "");
    std::map<uint64_t, uint64_t> first;
    std::map<uint64_t, uint64_t> last;
    for (const StressRow& row : rows) {
      first.try_emplace(row.writer, row.sequence);
      last[row.writer] = row.sequence;
    }
    for (uint64_t writer = 0; writer < kWriters; ++writer) {
      EXPECT_EQ(first[writer], 1u);
      EXPECT_GE(last[writer], acknowledged_[writer]) << "acknowledged rows are lost";
      EXPECT_GT(acknowledged_[writer], 0u);
    }
    NPK_ASSERT_OK_AND_ASSIGN(const Array left, store.load_array(kLeftArray));
    NPK_ASSERT_OK_AND_ASSIGN(const Array right, store.load_array(kRightArray));
    ASSERT_EQ(left.shape(), right.shape()) << "a batch was taken apart";
    EXPECT_EQ(std::memcmp(left.data(), right.data(), left.size_bytes()), 0);
    std::printf("rows at the end: %zu in the log, %llu in each half of the pair\n", rows.size(),
                static_cast<unsigned long long>(left.rows()));
    NPK_ASSERT_OK(store.close());
    EXPECT_EQ(verify_damage(path()), "");
    for (const auto& entry : std::filesystem::directory_iterator(path())) {
      const std::string name = entry.path().filename();
      rows_files += name.ends_with(".rows") ? 1u : 0u;
      EXPECT_EQ(name.find(".before."), std::string::npos) << name;
    }
    EXPECT_EQ(rows_files, 4u) << "files of ended generations are left";
    check_nothing_is_held();
  }

  /// What a process takes while it works, a killed one must not keep: locks, snapshots' pins, and
  /// the words of the shared page that say that something is under way.
  void check_nothing_is_held() {
    using internal::SharedPage;
    NPK_ASSERT_OK_AND_ASSIGN(const auto lock,
                             io::Env::posix().open(path() + "/LOCK", io::OpenMode::kRead));
    NPK_ASSERT_OK_AND_ASSIGN(const auto held, lock->find_lock(0, internal::SnapshotPins::kEndByte));
    EXPECT_FALSE(held.has_value()) << "byte " << held.value_or(0) << " of LOCK is locked";
    NPK_ASSERT_OK_AND_ASSIGN(const auto page, SharedPage::map(*lock, false));
    EXPECT_EQ(page->load(SharedPage::kWriting), 0u);
    EXPECT_EQ(page->load(SharedPage::kApplied), page->load(SharedPage::kNextRecord));
    EXPECT_EQ(page->load(SharedPage::kMayHaveImages), 0u);
    EXPECT_EQ(page->load(SharedPage::kEndedKept), 0u);
    for (uint64_t array = 0; array < SharedPage::kEpochs; ++array) {
      EXPECT_EQ(page->epoch(array) % 2, 0u) << "epoch " << array;
    }
  }

  [[nodiscard]] std::string path() const { return directory_.file("s"); }

  TempDir directory_;
  Random random_;
  std::vector<Member> members_;
  std::map<uint64_t, uint64_t> acknowledged_;
  std::string problem_;
  unsigned long long kills_ = 0;
  unsigned long long checked_ = 0;
  unsigned long long busy_ = 0;
};

TEST(Processes, TwoWritersAndFourReadersLoseAndTearNothingThoughTheyAreKilled) {
  StressRun run(test_seed());
  run.run(env_number("NPK_STRESS_SECONDS", 60));
}

}  // namespace
}  // namespace npk::testing
