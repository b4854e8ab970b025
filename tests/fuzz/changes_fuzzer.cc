// CHANGES: a history that is taken encodes to the same again, forgets its end when the log is read
// again, and tells of rows that the array has.
#include <algorithm>

#include "core/store/change_history.h"
#include "core/store/deleted_rows.h"
#include "npk/internal/text.h"
#include "tests/fuzz/fuzzers.h"
#include "tests/fuzz/sample_store.h"

namespace npk::testing {
namespace {

using internal::ChangeHistory;
using internal::concat;

constexpr uint64_t kRows = 40;

/// Whether runs are ascending, apart, not empty, and end by `rows`.
bool are_runs_of(const std::vector<RowRun>& runs, uint64_t rows) {
  uint64_t end = 0;
  for (const RowRun& run : runs) {
    if (run.begin >= run.end || run.begin < end || run.end > rows) return false;
    end = run.end;
  }
  return true;
}

std::string check_told(const ChangeHistory& history) {
  internal::ArrayState state;
  state.rows = kRows;
  state.deleted = internal::DeletedRows().with(std::vector<uint64_t>{3, 4, 17, 39});
  for (state.id = 0; state.id < 4; ++state.id) {
    for (const uint64_t since : {uint64_t{0}, state.id, history.end() / 2, history.end()}) {
      const RowChanges told = history.changes_since(state, since);
      if (told.rows != state.live_rows() || told.commit_number != history.end() ||
          !are_runs_of(told.changed, told.rows) || !are_runs_of(told.deleted, 2 * kRows)) {
        return concat("it tells of rows of array ", state.id, " since ", since, " that cannot be");
      }
    }
  }
  return {};
}

}  // namespace

std::string run_changes(io::Bytes input) {
  auto history = ChangeHistory::decode(input);
  if (!history.is_ok()) return {};
  if (!std::ranges::equal(history->encode(), input)) return "a history changes when it is encoded";
  std::string wrong = check_told(*history);
  history->rewind(history->end() / 2 + 1);
  const auto rewound = ChangeHistory::decode(history->encode());
  if (wrong.empty() && !rewound.is_ok()) wrong = "rewound: " + rewound.status().to_string();
  return wrong.empty() ? check_told(*history) : wrong;
}

std::vector<Input> changes_seeds() {
  std::vector<Input> seeds;
  for (size_t kind = 0; kind < kSampleStores; ++kind) {
    for (Input& file : sample_store(kind).files_with("CHANGES")) seeds.push_back(std::move(file));
  }
  return seeds;
}

}  // namespace npk::testing
