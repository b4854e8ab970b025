// A program outside the tree, built against the installed one: it stores, changes, searches and
// reads back, so that every layer of the library is linked and run.
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include <npk/npk.h>

namespace {

void check(const npk::Status& status, const char* what) {
  if (status.is_ok()) return;
  std::fprintf(stderr, "%s: %s\n", what, status.to_string().c_str());
  std::exit(1);
}

template <typename T>
T take(npk::Result<T> result, const char* what) {
  check(result.status(), what);
  return std::move(*result);
}

void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "does not hold: %s\n", what);
  std::exit(1);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: consumer STORE\n");
    return 2;
  }
  const std::vector<float> rows = {1, 0, 0, 1, 1, 1};
  const std::vector<float> more = {0, -1};
  npk::ParallelIO store = take(npk::ParallelIO::open(argv[1]), "open");
  check(store.save_arrays({{"points", npk::ArrayView::of(rows.data(), {3, 2})}}), "save_arrays");
  check(store.append_rows("points", npk::ArrayView::of(more.data(), {1, 2})), "append_rows");
  check(store.drop_arrays("points", npk::Rows::list({0})), "drop_arrays");
  require(take(store.get_shape("points"), "get_shape") == npk::Shape({3, 2}), "shape is (3, 2)");

  const std::vector<float> query = {0, 1};
  const npk::TopK hits = take(npk::StreamingVectorEngine().top_k(
                                  store, "points", npk::ArrayView::of(query.data(), {2}), {.k = 3}),
                              "top_k");
  require(hits.rows == std::vector<uint64_t>({0, 1, 2}), "nearest rows are 0, 1, 2");
  check(store.close(), "close");
  std::printf("npk %s: consumer ok\n", std::string(npk::kVersion).c_str());
  return 0;
}
