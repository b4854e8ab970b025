// The library in one page: save, change in place, search, compact. Run it as
//   build/release/bin/quickstart STORE
// Every call returns a Status or a Result; `or_exit` below is all the error handling an example
// needs, because their messages say what was asked, what was found and what to do.
#include <cstdio>
#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include <npk/npk.h>

namespace {

void or_exit(const npk::Status& status) {
  if (status.is_ok()) return;
  std::fprintf(stderr, "quickstart: %s\n", status.to_string().c_str());
  std::exit(1);
}

template <typename T>
T or_exit(npk::Result<T> result) {
  or_exit(result.status());
  return std::move(*result);
}

constexpr uint64_t kRows = 1000;
constexpr uint64_t kDims = 16;

/// Row i, filled with numbers that depend on i and look like noise.
std::vector<float> example_row(uint64_t i) {
  std::vector<float> row(kDims);
  uint64_t state = (i + 1) * 0x9E3779B97F4A7C15u;
  for (float& value : row) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    value = static_cast<float>(state >> 40) / static_cast<float>(1u << 24) - 0.5f;
  }
  return row;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: quickstart STORE\n");
    return 2;
  }
  npk::ParallelIO store = or_exit(npk::ParallelIO::open(argv[1]));  // made if it is missing

  std::vector<float> rows;
  for (uint64_t i = 0; i < kRows; ++i) {
    const std::vector<float> row = example_row(i);
    rows.insert(rows.end(), row.begin(), row.end());
  }
  or_exit(store.save_arrays({{"points", npk::ArrayView::of(rows, {kRows, kDims})}}));

  // In place: row 3 becomes almost row 7, and a row even a little further from it is appended.
  std::vector<float> near = example_row(7);
  near[0] += 0.01f;
  or_exit(store.replace_rows("points", npk::ArrayView::of(near, {1, kDims}), npk::Rows::list({3})));
  near[0] += 0.01f;
  or_exit(store.append_rows("points", npk::ArrayView::of(near, {1, kDims})));

  // Straight from the file, and it sees both.
  const std::vector<float> query = example_row(7);
  const npk::TopK hits = or_exit(npk::StreamingVectorEngine().top_k(
      store, "points", npk::ArrayView::of(query, {kDims}), {.metric = npk::Metric::kL2, .k = 3}));
  std::printf("nearest to row 7:");
  for (const uint64_t row : hits.rows) std::printf(" %llu", static_cast<unsigned long long>(row));
  std::printf("\n");

  // Deleted rows vanish at once; compaction gives their bytes back.
  or_exit(store.drop_arrays("points", npk::Rows::range(0, 500)));
  or_exit(store.compact_array("points"));
  const npk::ArrayMetadata after = or_exit(store.get_array_metadata("points"));
  std::printf("after delete and compact: %llu rows, %llu bytes\n",
              static_cast<unsigned long long>(after.shape[0]),
              static_cast<unsigned long long>(after.size_bytes));
  or_exit(store.close());
  return 0;
}
