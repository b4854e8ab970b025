// Workers of processes_test.cc, and a test that their checks find what they should.
#include <chrono>
#include <cstring>
#include <map>
#include <optional>
#include <thread>
#include <unistd.h>

#include <poll.h>

#include "npk/internal/text.h"
#include "tests/store/stress.h"
#include "tests/store/workers.h"
#include "tests/support/child_process.h"
#include "tests/support/support.h"

namespace npk::testing {
namespace {

using internal::concat;

bool told_to_stop() {
  pollfd input = {STDIN_FILENO, POLLIN, 0};
  return ::poll(&input, 1, 0) != 0;
}

void tell(char what, uint64_t number) {
  write_all(STDOUT_FILENO, what + std::string(bytes_of(number)));
}

int problem(const std::string& text) {
  write_all(STDOUT_FILENO, kProblem + text);
  return 1;
}

/// The writer: each step is one operation; an error but Busy ends it.
class Writer {
 public:
  Writer(ParallelIO store, uint64_t number, uint64_t seed)
      : store_(std::move(store)), number_(number), random_(seed) {}

  /// Continues where this writer's earlier life ended.
  Status find_sequence() {
    NPK_ASSIGN_OR_RETURN(const Array all, store_.load_array(kLogArray));
    for (const StressRow& row : rows_of(all.data(), all.size_bytes())) {
      if (row.writer == number_) sequence_ = std::max(sequence_, row.sequence);
    }
    return {};
  }

  Status step() {
    switch (random_.below(10)) {
      case 0:
      case 1:
      case 2:
      case 3:
        return append();
      case 4:
      case 5:
        return replace();
      case 6:
        return append_pair();
      case 7:
        return grow_scratch();
      case 8:
        return shrink_scratch();
      default:
        return random_.chance(0.02) ? renew_scratch() : shrink_scratch();
    }
  }

 private:
  std::vector<StressRow> some_rows(uint64_t first_sequence) {
    std::vector<StressRow> rows;
    for (uint64_t i = 1 + random_.below(8); i > 0; --i) {
      rows.push_back(StressRow::make(number_, first_sequence++, 0));
    }
    return rows;
  }

  Status append() {
    const auto rows = some_rows(sequence_ + 1);
    NPK_RETURN_IF_ERROR(store_.append_rows(kLogArray, view_of(rows)));
    sequence_ += rows.size();
    tell(kAppended, sequence_);
    return {};
  }

  /// Gives up to 20 rows another version; whose they are stays.
  Status replace() {
    NPK_ASSIGN_OR_RETURN(const Shape shape, store_.get_shape(kLogArray));
    if (shape[0] == 0) return {};
    std::vector<int64_t> numbers;
    for (uint64_t i = 1 + random_.below(20); i > 0; --i) {
      numbers.push_back(static_cast<int64_t>(random_.below(shape[0])));
    }
    NPK_ASSIGN_OR_RETURN(const Array old, store_.read_rows(kLogArray, Rows::list(numbers)));
    auto rows = rows_of(old.data(), old.size_bytes());
    if (const std::string text = rows_finding(rows, false); !text.empty()) {
      return Status::internal(concat("writer read: ", text));
    }
    for (StressRow& row : rows) {
      row = StressRow::make(row.writer, row.sequence, row.version + 1);
    }
    return store_.replace_rows(kLogArray, view_of(rows), Rows::list(numbers));
  }

  Status append_pair() {
    const auto rows = some_rows(1);
    WriteBatch batch;
    batch.append_rows(kLeftArray, view_of(rows)).append_rows(kRightArray, view_of(rows));
    return store_.commit(batch);
  }

  Status grow_scratch() {
    const auto rows = some_rows(1);
    return store_.append_rows(kScratchArray, view_of(rows));
  }

  /// Row numbers move while others delete, so OutOfRange is no surprise here: ask for few.
  Status shrink_scratch() {
    if (random_.chance(0.05)) return store_.compact_array(kScratchArray);
    return store_.drop_arrays(kScratchArray, Rows::range(0, random_.between(0, 6)));
  }

  Status renew_scratch() {
    const auto rows = some_rows(1);
    return store_.save_arrays({{kScratchArray, view_of(rows)}});
  }

  ParallelIO store_;
  uint64_t number_;
  Random random_;
  uint64_t sequence_ = 0;
};

class Reader {
 public:
  Reader(ParallelIO store, uint64_t seed) : store_(std::move(store)), random_(seed) {}

  Status step() {
    if (held_ ? random_.chance(0.05) : random_.chance(0.02)) NPK_RETURN_IF_ERROR(hold_or_drop());
    switch (random_.below(6)) {
      case 0:
        return read_tail();
      case 4:
        return held_ ? look_at_held() : read_some();
      case 1:
        return read_some();
      case 2:
        return view_left();
      case 3:
        return load_scratch();
      default:
        return random_.chance(0.02) ? stream_log() : read_some();
    }
  }
  [[nodiscard]] uint64_t checked() const { return checked_; }

 private:
  Status check(std::span<const StressRow> rows, bool is_in_sequence, const char* what) {
    checked_ += rows.size();
    const std::string text = rows_finding(rows, is_in_sequence);
    return text.empty() ? Status() : Status::internal(concat(what, ": ", text));
  }

  /// Takes a snapshot, and drops it later.
  Status hold_or_drop() {
    if (held_) {
      NPK_RETURN_IF_ERROR(look_at_held());
      held_.reset();
      return {};
    }
    NPK_ASSIGN_OR_RETURN(Snapshot taken, store_.snapshot());
    held_.emplace(std::move(taken));
    NPK_ASSIGN_OR_RETURN(held_content_, content_of(*held_));
    NPK_ASSIGN_OR_RETURN(const Array left, held_->load_array(kLeftArray));
    NPK_ASSIGN_OR_RETURN(const Array right, held_->load_array(kRightArray));
    if (left.size_bytes() != right.size_bytes() ||
        std::memcmp(left.data(), right.data(), left.size_bytes()) != 0) {
      return Status::internal("a snapshot shows half of a batch");
    }
    return {};
  }

  Status look_at_held() {
    NPK_ASSIGN_OR_RETURN(const std::string content, content_of(*held_));
    if (content == held_content_) return {};
    return Status::internal(
        concat("the snapshot of commit ", held_->commit_number(), " is another after a while"));
  }

  /// What of the store can be held and compared at little cost.
  Result<std::string> content_of(const Snapshot& snapshot) {
    std::string content;
    for (const char* name : {kLogArray, kScratchArray, kRightArray}) {
      NPK_ASSIGN_OR_RETURN(const Shape shape, snapshot.get_shape(name));
      NPK_ASSIGN_OR_RETURN(const Array tail,
                           snapshot.read_rows(name, Rows::range(-2'000, std::nullopt)));
      NPK_RETURN_IF_ERROR(check(rows_of(tail.data(), tail.size_bytes()), false, "snapshot"));
      content += concat(name, ' ', shape_to_string(shape), '\n');
      content.append(reinterpret_cast<const char*>(tail.data()), tail.size_bytes());
    }
    return content;
  }

  Status read_tail() {
    NPK_ASSIGN_OR_RETURN(const Shape shape, store_.get_shape(kLogArray));
    if (shape[0] < seen_rows_) {
      return Status::internal(concat("the log had ", seen_rows_, " rows, now ", shape[0]));
    }
    seen_rows_ = shape[0];
    NPK_ASSIGN_OR_RETURN(const Array tail,
                         store_.read_rows(kLogArray, Rows::range(-2'000, std::nullopt)));
    return check(rows_of(tail.data(), tail.size_bytes()), true, "tail");
  }

  Status read_some() {
    NPK_ASSIGN_OR_RETURN(const Shape shape, store_.get_shape(kLogArray));
    if (shape[0] == 0) return {};
    std::vector<int64_t> numbers;
    for (int i = 0; i < 100; ++i) {
      numbers.push_back(static_cast<int64_t>(random_.below(shape[0])));
    }
    NPK_ASSIGN_OR_RETURN(const Array rows, store_.read_rows(kLogArray, Rows::list(numbers)));
    return check(rows_of(rows.data(), rows.size_bytes()), false, "rows by list");
  }

  Status view_left() {
    NPK_ASSIGN_OR_RETURN(const ArrayView view, store_.get_array_view(kLeftArray));
    const uint64_t begin = view.rows() - std::min<uint64_t>(view.rows(), 1'000);
    const ArrayView tail = view.slice_rows(begin, view.rows());
    return check(rows_of(tail.data(), tail.size_bytes()), false, "view");
  }

  Status load_scratch() {
    NPK_ASSIGN_OR_RETURN(const Array rows, store_.load_array(kScratchArray));
    return check(rows_of(rows.data(), rows.size_bytes()), false, "load");
  }

  Status stream_log() {
    NPK_ASSIGN_OR_RETURN(RowStream stream, store_.stream_load(kLogArray, 1'000));
    for (const Array& block : stream) {
      NPK_RETURN_IF_ERROR(check(rows_of(block.data(), block.size_bytes()), true, "stream"));
    }
    return stream.status();
  }

  ParallelIO store_;
  std::optional<Snapshot> held_;
  std::string held_content_;
  Random random_;
  uint64_t seen_rows_ = 0;
  uint64_t checked_ = 0;
};

/// Steps until it is told to stop; Busy is the only error that is taken.
template <typename Worker>
int work(Worker& worker) {
  while (!told_to_stop()) {
    const Status status = worker.step();
    if (status.code() == StatusCode::kBusy) {
      tell(kWasBusy, 1);
    } else if (!status.is_ok()) {
      return problem(status.to_string());
    }
    std::this_thread::sleep_for(std::chrono::microseconds(100));
  }
  return 0;
}

TEST(StressRow, KnowsWhetherItIsWhole) {
  const StressRow row = StressRow::make(1, 2, 3);
  EXPECT_TRUE(row.is_whole());
  const StressRow newer = StressRow::make(1, 2, 4);
  for (size_t word = 0; word < kRowWords; ++word) {
    StressRow torn = row;
    std::memcpy(reinterpret_cast<char*>(&torn) + word * 8,
                reinterpret_cast<const char*>(&newer) + word * 8, 8);
    EXPECT_EQ(torn.is_whole(), word < 2) << word;
  }
  EXPECT_FALSE(StressRow().is_whole());
}

TEST(StressRow, FindingsNameTornAndMissingRows) {
  std::vector<StressRow> rows = {StressRow::make(1, 5, 0), StressRow::make(2, 9, 0),
                                 StressRow::make(1, 6, 0), StressRow::make(2, 10, 1)};
  EXPECT_EQ(rows_finding(rows, true), "");
  rows[2] = StressRow::make(1, 7, 0);
  EXPECT_THAT(rows_finding(rows, true), ::testing::HasSubstr("row 2"));
  EXPECT_EQ(rows_finding(rows, false), "");
  rows[3].filling[4] ^= 1;
  EXPECT_THAT(rows_finding(rows, false), ::testing::HasSubstr("row 3 is torn"));
}

}  // namespace

StressRow StressRow::make(uint64_t writer, uint64_t sequence, uint64_t version) {
  StressRow row;
  row.writer = writer;
  row.sequence = sequence;
  row.version = version;
  uint64_t hash = writer * 0x9e3779b97f4a7c15 + sequence * 0xbf58476d1ce4e5b9 + version + 1;
  for (uint64_t& word : row.filling) {
    hash = (hash ^ (hash >> 29)) * 0x94d049bb133111eb;
    word = hash;
  }
  row.checksum = ~hash;
  return row;
}

bool StressRow::is_whole() const {
  const StressRow wanted = make(writer, sequence, version);
  return filling == wanted.filling && checksum == wanted.checksum;
}

std::vector<StressRow> rows_of(const std::byte* data, uint64_t size_bytes) {
  std::vector<StressRow> rows(size_bytes / sizeof(StressRow));
  if (!rows.empty()) std::memcpy(rows.data(), data, rows.size() * sizeof(StressRow));
  return rows;
}

std::string rows_finding(std::span<const StressRow> rows, bool is_in_sequence) {
  std::map<uint64_t, uint64_t> last;
  for (size_t i = 0; i < rows.size(); ++i) {
    const StressRow& row = rows[i];
    const std::string place = concat("row ", i, " of ", rows.size());
    if (!row.is_whole()) {
      return concat("row ", i, " is torn (writer ", row.writer, ", sequence ", row.sequence,
                    ", version ", row.version, ", of ", rows.size(), " rows)");
    }
    if (!is_in_sequence) continue;
    const auto before = last.find(row.writer);
    if (before != last.end() && row.sequence != before->second + 1) {
      return concat(place, ": writer ", row.writer, " goes from ", before->second, " to ",
                    row.sequence);
    }
    last[row.writer] = row.sequence;
  }
  return {};
}

int stress_writer(const Arguments& arguments) {
  auto store = ParallelIO::open(arguments.at(0));
  if (!store.is_ok()) return problem("writer opens: " + store.status().to_string());
  Writer writer(*std::move(store), std::stoull(arguments.at(1)), std::stoull(arguments.at(2)));
  const Status status = writer.find_sequence();
  if (!status.is_ok()) return problem("writer begins: " + status.to_string());
  return work(writer);
}

int stress_reader(const Arguments& arguments) {
  StoreOptions options;
  options.read_only = std::stoull(arguments.at(1)) % 2 == 0;
  auto store = ParallelIO::open(arguments.at(0), options);
  if (!store.is_ok()) return problem("reader opens: " + store.status().to_string());
  Reader reader(*std::move(store), std::stoull(arguments.at(2)));
  const int code = work(reader);
  if (code == 0) tell(kChecked, reader.checked());
  return code;
}

}  // namespace npk::testing
