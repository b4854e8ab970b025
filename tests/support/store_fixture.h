// StoreTest: a store in a directory of its own, and short ways to look into it.
#ifndef NPK_TESTS_SUPPORT_STORE_FIXTURE_H_
#define NPK_TESTS_SUPPORT_STORE_FIXTURE_H_

#include <cstdint>
#include <memory>
#include <numeric>
#include <optional>
#include <string>
#include <vector>

#include "npk/store.h"
#include "tests/support/support.h"

namespace npk::testing {

using Ints = std::vector<int32_t>;

/// first, first + 1, …
inline Ints iota(size_t count, int32_t first = 0) {
  Ints values(count);
  std::iota(values.begin(), values.end(), first);
  return values;
}

/// A view that owns its elements. Requires: as many as the shape says.
inline ArrayView ints(Ints values, Shape shape) {
  const auto owner = std::make_shared<const Ints>(std::move(values));
  return ArrayView::raw(owner->data(), DType::kInt32, std::move(shape), owner);
}

/// The elements of an array or a view, copied.
template <typename T = int32_t, typename ArrayOrView>
std::vector<T> elements(const ArrayOrView& array) {
  const auto span = array.template as<T>();
  EXPECT_EQ(array.dtype(), dtype_of<T>());
  return {span.begin(), span.end()};
}

class StoreTest : public ::testing::Test {
 protected:
  explicit StoreTest(TempDir::Place place = TempDir::Place::kDisk) : directory_(place) {}

  [[nodiscard]] std::string path() const { return directory_.file("s.npk"); }

  [[nodiscard]] ParallelIO open(const StoreOptions& options = {}) const {
    auto store = ParallelIO::open(path(), options);
    EXPECT_TRUE(store.is_ok()) << store.status().to_string();
    return *std::move(store);
  }

  /// What load_array gives, int32 unless told; fails the test on an error.
  template <typename T = int32_t>
  static std::vector<T> load(const ParallelIO& store, const std::string& name) {
    auto array = store.load_array(name);
    EXPECT_TRUE(array.is_ok()) << array.status().to_string();
    return array.is_ok() ? elements<T>(*array) : std::vector<T>();
  }

  static Shape shape(const ParallelIO& store, const std::string& name) {
    auto shape = store.get_shape(name);
    EXPECT_TRUE(shape.is_ok()) << shape.status().to_string();
    return shape.is_ok() ? *shape : Shape{};
  }

  static ArrayMetadata metadata(const ParallelIO& store, const std::string& name) {
    auto metadata = store.get_array_metadata(name);
    EXPECT_TRUE(metadata.is_ok()) << metadata.status().to_string();
    return metadata.is_ok() ? *metadata : ArrayMetadata{};
  }

  /// The bytes of the array's rows file.
  [[nodiscard]] std::string raw_file(const ParallelIO& store, const std::string& name) const {
    return read_file(path() + "/" + metadata(store, name).rows_file);
  }

  static std::vector<std::string> names(const ParallelIO& store) {
    auto names = store.list_arrays();
    EXPECT_TRUE(names.is_ok()) << names.status().to_string();
    return names.is_ok() ? *names : std::vector<std::string>();
  }

  TempDir directory_;
};

/// The bytes that a vector's elements have in memory.
template <typename T>
std::string raw_bytes(const std::vector<T>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)};
}

}  // namespace npk::testing

#endif  // NPK_TESTS_SUPPORT_STORE_FIXTURE_H_
