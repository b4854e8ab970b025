// Arrays beyond 4 GiB and 2^32 rows, cheaply: their rows files are almost all holes, made from
// outside while the store is closed.
#include <filesystem>

#include "tests/support/directory_snapshot.h"
#include "tests/support/sidecar_editor.h"
#include "tests/support/store_fixture.h"

namespace npk::testing {
namespace {

using Bytes = std::vector<uint8_t>;

class BeyondFourGiB : public StoreTest {
 protected:
  static constexpr uint64_t kRows = (uint64_t{5} << 30) + 77;
  static constexpr int64_t kFar = int64_t{1} << 32;
  static constexpr int64_t kLast = static_cast<int64_t>(kRows) - 1;

  /// A closed store with an array "big" of kRows rows of one zero byte.
  void SetUp() override { make_store(); }

  void make_store() {
    std::filesystem::remove_all(path());
    const Bytes one = {0};
    ParallelIO store = open();
    NPK_ASSERT_OK(store.save_arrays({{"big", ArrayView::of(one, {1})}}));
    const std::string rows_file = path() + "/" + metadata(store, "big").rows_file;
    NPK_ASSERT_OK(store.close());
    const std::string sidecar = path() + "/big.meta";
    Json members = Json::parse(read_file(sidecar));
    members["shape"][0] = kRows;
    write_file(sidecar, seal_sidecar(members));
    std::filesystem::resize_file(rows_file, kRows);
  }

  static ArrayView view_of(const Bytes& values) { return ArrayView::of(values, {values.size()}); }

  static Bytes read(const ParallelIO& store, const Rows& rows) {
    auto array = store.read_rows("big", rows);
    EXPECT_TRUE(array.is_ok()) << array.status().to_string();
    return array.is_ok() ? elements<uint8_t>(*array) : Bytes();
  }
};

TEST_F(BeyondFourGiB, ReplaceAppendDeleteAndReadReachTheFarEnd) {
  const Bytes some = {11, 22, 33};
  for (const Durability durability :
       {Durability::kNone, Durability::kProcess, Durability::kPower}) {
    make_store();
    StoreOptions options;
    options.durability = durability;
    ParallelIO store = open(options);
    ASSERT_EQ(shape(store, "big"), Shape{kRows});
    NPK_ASSERT_OK(store.replace_rows("big", view_of(some), Rows::list({0, kFar, kLast})));
    NPK_ASSERT_OK(store.append_rows("big", view_of(some)));
    EXPECT_EQ(read(store, Rows::list({0, kFar - 1, kFar, kLast, -3, -1})),
              (Bytes{11, 0, 22, 33, 11, 33}));
    NPK_ASSERT_OK_AND_ASSIGN(const ArrayView view, store.get_array_view("big"));
    EXPECT_EQ(view.rows(), kRows + 3);
    EXPECT_EQ(view.as<uint8_t>()[static_cast<size_t>(kFar)], 22);
    NPK_ASSERT_OK(store.drop_arrays("big", Rows::list({1, kFar + 1, kLast})));
    EXPECT_EQ(shape(store, "big"), Shape{kRows});
    EXPECT_EQ(read(store, Rows::list({kFar - 1, -3, -1})), (Bytes{22, 11, 33}));
    NPK_ASSERT_OK(store.close());
    ParallelIO again = open();
    EXPECT_EQ(shape(again, "big"), Shape{kRows});
    EXPECT_EQ(read(again, Rows::list({0, kFar - 1, -3, -1})), (Bytes{11, 22, 11, 33}));
    EXPECT_EQ(read(again, Rows::range(-3, std::nullopt)), some);
  }
}

TEST_F(BeyondFourGiB, DeletingHugeRangesCostsLittleAndCompactionKeepsTheRest) {
  ParallelIO store = open();
  const Bytes some = {11, 22, 33};
  NPK_ASSERT_OK(store.replace_rows("big", view_of(some), Rows::list({0, kFar, kLast})));
  NPK_ASSERT_OK(store.drop_arrays("big", Rows::range(1, kFar)));
  NPK_ASSERT_OK(store.drop_arrays("big", Rows::range(3, -1)));
  EXPECT_EQ(shape(store, "big"), Shape{4});
  EXPECT_EQ(read(store, Rows::all()), (Bytes{11, 22, 0, 33}));
  NPK_ASSERT_OK(store.close());
  ParallelIO again = open();
  EXPECT_EQ(load<uint8_t>(again, "big"), (Bytes{11, 22, 0, 33}));
  NPK_ASSERT_OK(again.compact_array("big"));
  EXPECT_EQ(raw_file(again, "big"), std::string("\x0b\x16\x00\x21", 4));
  EXPECT_EQ(metadata(again, "big").size_bytes, 4u);
}

TEST_F(BeyondFourGiB, ViewsAndStreamsOfTheFarEndShowWhatIsThere) {
  ParallelIO store = open();
  const Bytes some = {11, 22, 33};
  NPK_ASSERT_OK(store.replace_rows("big", view_of(some), Rows::range(-3, std::nullopt)));
  NPK_ASSERT_OK(store.drop_arrays("big", Rows::range(0, kFar)));
  NPK_ASSERT_OK_AND_ASSIGN(const ArrayView view, store.get_array_view("big"));
  ASSERT_EQ(view.rows(), kRows - static_cast<uint64_t>(kFar));
  EXPECT_EQ(view.as<uint8_t>().back(), 33);
  NPK_ASSERT_OK(store.drop_arrays("big", Rows::range(10, -5)));
  NPK_ASSERT_OK_AND_ASSIGN(RowStream stream, store.stream_load("big", 4));
  Bytes streamed;
  for (const Array& block : stream) {
    for (const uint8_t value : elements<uint8_t>(block)) streamed.push_back(value);
  }
  NPK_EXPECT_OK(stream.status());
  EXPECT_EQ(streamed, (Bytes{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 11, 22, 33}));
}

}  // namespace
}  // namespace npk::testing
