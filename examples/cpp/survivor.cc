// A writer to be killed, and the count of what it left: scripts/demo and a test use it.
//
//   survivor write STORE   writes until it is killed; after each commit one line on stdout, the
//                          number of that commit: from then on it is acknowledged
//   survivor check STORE N all commits up to N must be there, and nothing half
//
// Commit number n is one batch over two arrays: kRowsPerCommit rows appended to `events`, each
// value a function of its place, and the one row of `totals` replaced by {n, rows so far}. Whatever
// moment the kill hits, `events` and `totals` must agree.
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <npk/npk.h>

namespace {

constexpr uint64_t kRowsPerCommit = 10;
constexpr uint64_t kColumns = 16;

void or_exit(const npk::Status& status) {
  if (status.is_ok()) return;
  std::fprintf(stderr, "survivor: %s\n", status.to_string().c_str());
  std::exit(1);
}

template <typename T>
T or_exit(npk::Result<T> result) {
  or_exit(result.status());
  return std::move(*result);
}

void require(bool holds, const std::string& what) {
  if (holds) return;
  std::fprintf(stderr, "survivor: %s\n", what.c_str());
  std::exit(1);
}

/// What value column `column` of row `row` of `events` has: no two rows are alike.
uint64_t event_value(uint64_t row, uint64_t column) {
  uint64_t x = (row * kColumns + column + 1) * 0x9E3779B97F4A7C15u;
  x ^= x >> 29;
  x *= 0xBF58476D1CE4E5B9u;
  return x ^ (x >> 32);
}

std::vector<uint64_t> event_rows(uint64_t first, uint64_t count) {
  std::vector<uint64_t> values;
  values.reserve(count * kColumns);
  for (uint64_t row = first; row < first + count; ++row) {
    for (uint64_t column = 0; column < kColumns; ++column) {
      values.push_back(event_value(row, column));
    }
  }
  return values;
}

struct Totals {
  uint64_t commits = 0;
  uint64_t rows = 0;
};

Totals read_totals(const npk::ParallelIO& store) {
  const npk::Array row = or_exit(store.load_array("totals"));
  Totals totals;
  require(row.size_bytes() == sizeof(totals), "`totals` has another size than one row of two");
  std::memcpy(&totals, row.data(), sizeof(totals));
  return totals;
}

void create_if_missing(npk::ParallelIO& store) {
  if (or_exit(store.has_array("totals"))) return;
  const std::vector<uint64_t> none;
  const std::vector<uint64_t> zeros = {0, 0};
  or_exit(store.save_arrays({{"events", npk::ArrayView::of(none, {0, kColumns})},
                             {"totals", npk::ArrayView::of(zeros, {1, 2})}}));
}

int write_until_killed(const std::string& path) {
  npk::ParallelIO store = or_exit(npk::ParallelIO::open(path));
  create_if_missing(store);
  Totals totals = read_totals(store);
  for (;;) {
    const std::vector<uint64_t> rows = event_rows(totals.rows, kRowsPerCommit);
    ++totals.commits;
    totals.rows += kRowsPerCommit;
    const std::vector<uint64_t> row = {totals.commits, totals.rows};
    npk::WriteBatch batch;
    batch.append_rows("events", npk::ArrayView::of(rows, {kRowsPerCommit, kColumns}))
        .replace_rows("totals", npk::ArrayView::of(row, {1, 2}), npk::Rows::list({0}));
    or_exit(store.commit(batch));
    // The acknowledgement: out of this process before the next commit begins.
    std::printf("%llu\n", static_cast<unsigned long long>(totals.commits));
    std::fflush(stdout);
  }
}

int check(const std::string& path, uint64_t acknowledged) {
  npk::StoreOptions options;
  options.create_if_missing = false;
  const npk::ParallelIO store = or_exit(npk::ParallelIO::open(path, options));
  const Totals totals = read_totals(store);
  const npk::Array events = or_exit(store.load_array("events"));
  const uint64_t rows = events.shape()[0];
  require(totals.commits >= acknowledged, "lost: " + std::to_string(acknowledged) +
                                              " commits were acknowledged, " +
                                              std::to_string(totals.commits) + " are there");
  // The one that was under way may be there too; two cannot be.
  require(totals.commits <= acknowledged + 1, "more commits than were ever begun");
  require(rows == totals.rows && rows == totals.commits * kRowsPerCommit,
          "half a commit: `totals` says " + std::to_string(totals.rows) + " rows, `events` has " +
              std::to_string(rows));
  const std::vector<uint64_t> expected = event_rows(0, rows);
  require(events.size_bytes() == expected.size() * sizeof(uint64_t) &&
              (rows == 0 || std::memcmp(events.data(), expected.data(), events.size_bytes()) == 0),
          "a row of `events` has another content than was written");
  std::printf("%llu commits acknowledged, %llu there; %llu rows, each as it was written\n",
              static_cast<unsigned long long>(acknowledged),
              static_cast<unsigned long long>(totals.commits),
              static_cast<unsigned long long>(rows));
  return 0;
}

std::optional<uint64_t> parse_number(std::string_view text) {
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string_view> arguments(argv + 1, argv + argc);
  if (arguments.size() == 2 && arguments[0] == "write") {
    return write_until_killed(std::string(arguments[1]));
  }
  if (arguments.size() == 3 && arguments[0] == "check") {
    if (const auto acknowledged = parse_number(arguments[2])) {
      return check(std::string(arguments[1]), *acknowledged);
    }
  }
  std::fprintf(stderr, "usage: survivor write STORE | survivor check STORE ACKNOWLEDGED\n");
  return 2;
}
