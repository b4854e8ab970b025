// Bitmaps of deleted rows: 8 bytes say how many rows there are, the rest is the bitmap. Logical and
// physical numbers of what is taken belong together, and what is written out is the same again.
#include <algorithm>

#include "core/store/codec.h"
#include "core/store/deleted_rows.h"
#include "core/store/roaring_format.h"
#include "npk/internal/text.h"
#include "tests/fuzz/fuzzers.h"
#include "tests/fuzz/sample_store.h"

namespace npk::testing {
namespace {

using internal::DeletedRows;

// More rows no array can have.
constexpr uint64_t kMaxRows = uint64_t{1} << 60;
// The most rows that are looked at one run after the other.
constexpr uint64_t kWalkedRows = 1u << 22;

std::string check_rows(const DeletedRows& deleted, uint64_t rows) {
  uint64_t live = 0;
  for (uint64_t row = 0; row < rows;) {
    const auto run = deleted.next_live_run(row, rows);
    if (run.begin < rows) {
      for (const uint64_t place : {run.begin, run.end - 1}) {
        const uint64_t logical = live + place - run.begin;
        if (deleted.is_deleted(place) || deleted.logical(place) != logical ||
            deleted.physical(logical) != place) {
          return internal::concat("row ", place, " is not logical row ", logical);
        }
      }
    }
    live += run.end - run.begin;
    row = run.end;
  }
  if (live + deleted.count() == rows) return {};
  return internal::concat("of ", rows, " rows ", live, " are live and ", deleted.count(),
                          " deleted");
}

Input input_of(uint64_t rows, io::Bytes bitmap) {
  Input input(8 + bitmap.size());
  internal::put_le(input.data(), rows);
  std::copy(bitmap.begin(), bitmap.end(), input.begin() + 8);
  return input;
}

}  // namespace

std::string run_bitmap(io::Bytes input) {
  if (input.size() < 8) return {};
  const uint64_t rows = internal::get_le<uint64_t>(input.data()) % kMaxRows;
  auto deleted = DeletedRows::decode(input.subspan(8), rows);
  if (!deleted.is_ok()) return {};
  if ((*deleted)->count() > rows) return "more rows are deleted than there are";
  std::string wrong = rows <= kWalkedRows ? check_rows(**deleted, rows) : "";
  const Input once = (*deleted)->encode();
  deleted->reset();  // One of them at a time: a block takes 9 KB.
  deleted = DeletedRows::decode(once, rows);
  if (wrong.empty() && !deleted.is_ok()) wrong = deleted.status().to_string();
  if (wrong.empty() && (*deleted)->encode() != once) wrong = "a bitmap changes when it is encoded";
  return wrong;
}

std::vector<Input> bitmap_seeds() {
  std::vector<Input> seeds;
  for (const Input& file : sample_store(0).files_with(".deleted.")) {
    seeds.push_back(input_of(40, io::Bytes(file).first(file.size() - 4)));
  }
  seeds.push_back(input_of(1'000, internal::encode_roaring_range(10, 900)));
  seeds.push_back(input_of(300'000, internal::encode_roaring_range(60'000, 270'000)));
  std::vector<uint64_t> many;
  for (uint64_t row = 0; row < 20'000; row += 2) many.push_back(row);
  for (uint64_t row = 70'000; row < 200'000; row += 997) many.push_back(row);
  seeds.push_back(input_of(200'000, internal::encode_roaring(many)));
  return seeds;
}

}  // namespace npk::testing
