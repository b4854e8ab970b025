// What the processes of processes_test.cc agree on: arrays, rows that carry their own checksum,
// messages.
#ifndef NPK_TESTS_STORE_STRESS_H_
#define NPK_TESTS_STORE_STRESS_H_

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "bindings/cli/torture/random_values.h"
#include "npk/store.h"

namespace npk::testing {

/// Appended to and replaced in; no row is ever deleted.
inline constexpr const char* kLogArray = "log";
/// Appended to, deleted from, compacted, overwritten.
inline constexpr const char* kScratchArray = "scratch";
/// Only ever appended to, both in one batch and with the same rows.
inline constexpr const char* kLeftArray = "left";
inline constexpr const char* kRightArray = "right";

/// Who wrote it, the how-manieth of that writer it is (from 1 on), how often it was replaced,
/// filling that follows from these, checksum.
struct StressRow {
  uint64_t writer = 0;
  uint64_t sequence = 0;
  uint64_t version = 0;
  std::array<uint64_t, 12> filling{};
  uint64_t checksum = 0;

  static StressRow make(uint64_t writer, uint64_t sequence, uint64_t version);
  [[nodiscard]] bool is_whole() const;
};
inline constexpr uint64_t kRowWords = sizeof(StressRow) / sizeof(uint64_t);

inline ArrayView view_of(const std::vector<StressRow>& rows) {
  return ArrayView::raw(rows.data(), DType::kUint64, {rows.size(), kRowWords});
}
/// The rows of an array or view, copied.
std::vector<StressRow> rows_of(const std::byte* data, uint64_t size_bytes);
/// The first row that is torn, or where one writer's rows are not numbered one after the other;
/// empty if there is none.
std::string rows_finding(std::span<const StressRow> rows, bool is_in_sequence);

/// Messages to the parent: this byte and a number; after kProblem text to the end.
inline constexpr char kAppended = 'A';  ///< Rows up to this sequence number are in kLogArray.
inline constexpr char kWasBusy = 'B';
inline constexpr char kChecked = 'C';  ///< So many rows were checked.
inline constexpr char kProblem = 'E';

}  // namespace npk::testing

#endif  // NPK_TESTS_STORE_STRESS_H_
