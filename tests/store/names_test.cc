#include <algorithm>

#include "bindings/cli/torture/random_operations.h"
#include "tests/support/directory_snapshot.h"
#include "tests/support/store_fixture.h"

namespace npk::testing {
namespace {

class Names : public StoreTest {};

TEST_F(Names, AreAnyUtf8AndSurviveAReopen) {
  const std::vector<std::string> wanted = [] {
    std::vector<std::string> all = awkward_names();
    for (const char* more : {"/",
                             "//",
                             "../../etc/passwd",
                             "a b",
                             " ",
                             "\t",
                             "\n",
                             "\\",
                             "\"",
                             "'",
                             "%",
                             "%00",
                             "%2F",
                             "~",
                             "-",
                             "_",
                             "CON",
                             "a.meta.tmp",
                             "a.0.deleted.7",
                             "log.1",
                             "\xc3\xa9",
                             "e\xcc\x81",
                             "\xf4\x8f\xbf\xbf",
                             "\xef\xbb\xbf",
                             "\xe2\x80\xae",
                             "a",
                             "A%",
                             "%61"}) {
      all.emplace_back(more);
    }
    std::sort(all.begin(), all.end());
    return all;
  }();
  {
    ParallelIO store = open();
    int32_t number = 0;
    for (const std::string& name : wanted) {
      NPK_ASSERT_OK(store.save_arrays({{name, ints(iota(3, number), {3})}}));
      number += 10;
    }
  }
  ParallelIO store = open();
  EXPECT_EQ(names(store), wanted);
  int32_t number = 0;
  for (const std::string& name : wanted) {
    EXPECT_EQ(load(store, name), iota(3, number)) << name;
    EXPECT_EQ(metadata(store, name).name, name);
    number += 10;
  }
}

TEST_F(Names, NeverLeadOutOfTheStoreOrToItsOwnFiles) {
  ParallelIO store = open();
  for (const std::string& name : awkward_names()) {
    NPK_ASSERT_OK(store.save_arrays({{name, ints(iota(3), {3})}}));
    const std::string file = metadata(store, name).rows_file;
    EXPECT_EQ(file.find('/'), std::string::npos) << file;
    EXPECT_TRUE(file.ends_with(".rows")) << file;
    EXPECT_FALSE(file.starts_with('.')) << file;
    EXPECT_LE(file.size(), 255u);
  }
  NPK_ASSERT_OK(store.close());
  EXPECT_EQ(snapshot(directory_.path()).size(), 1u) << "a file beside the store";
}

TEST_F(Names, OfReadableCharactersGiveReadableFiles) {
  ParallelIO store = open();
  NPK_ASSERT_OK(store.save_arrays({{"layer-1.weight_b", ints(iota(3), {3})}}));
  EXPECT_TRUE(metadata(store, "layer-1.weight_b").rows_file.starts_with("layer-1.weight_b."));
}

TEST_F(Names, ThatAreLongAndBeginAlikeAreDifferentArrays) {
  ParallelIO store = open();
  const std::string stem(1'023, 'x');
  NPK_ASSERT_OK(store.save_arrays({{stem + "y", ints(Ints{1}, {1})},
                                   {stem + "z", ints(Ints{2}, {1})},
                                   {stem, ints(Ints{3}, {1})}}));
  NPK_ASSERT_OK(store.append_rows(stem + "y", ints(Ints{11}, {1})));
  EXPECT_EQ(load(store, stem + "y"), (Ints{1, 11}));
  EXPECT_EQ(load(store, stem + "z"), Ints{2});
  NPK_ASSERT_OK(store.drop_arrays(std::vector<std::string>{stem + "y"}));
  EXPECT_EQ(load(store, stem + "z"), Ints{2});
  EXPECT_EQ(load(store, stem), Ints{3});
}

TEST_F(Names, ThatAreBadAreRefusedEverywhereAndLeaveNothing) {
  ParallelIO store = open();
  NPK_ASSERT_OK(store.save_arrays({{"good", ints(iota(3), {3})}}));
  const std::vector<std::pair<std::string, std::string>> bad = {
      {"", "empty"},
      {std::string("a\0b", 3), "NUL"},
      {std::string(1, '\0'), "NUL"},
      {std::string(1'025, 'x'), "1024"},
      {"\xff", "UTF-8"},
      {"a\xc3", "UTF-8"},              // Cut off.
      {"\xc0\xaf", "UTF-8"},           // Overlong slash.
      {"\xed\xa0\x80", "UTF-8"},       // Surrogate.
      {"\xf4\x90\x80\x80", "UTF-8"}};  // Beyond U+10FFFF.
  const auto view = ints(iota(3), {3});
  for (const auto& [name, part] : bad) {
    NPK_EXPECT_ERROR(store.save_arrays({{"new", view}, {name, view}}), kInvalidArgument, part);
    NPK_EXPECT_ERROR(store.clone_array("good", name), kInvalidArgument, part);
    WriteBatch batch;
    batch.save_array("new", view).save_array(name, view);
    NPK_EXPECT_ERROR(store.commit(batch), kInvalidArgument, part);
    const StatusCode code = store.load_array(name).status().code();
    EXPECT_TRUE(code == StatusCode::kNotFound || code == StatusCode::kInvalidArgument);
    const StatusCode append = store.append_rows(name, view).code();
    EXPECT_TRUE(append == StatusCode::kNotFound || append == StatusCode::kInvalidArgument);
  }
  EXPECT_EQ(names(store), std::vector<std::string>{"good"});
}

TEST_F(Names, AreListedInByteOrder) {
  ParallelIO store = open();
  for (const char* name : {"b", "a", "\xc3\xa9", "B", "a1", "a/"}) {
    NPK_ASSERT_OK(store.save_arrays({{name, ints(iota(1), {1})}}));
  }
  EXPECT_EQ(names(store), (std::vector<std::string>{"B", "a", "a/", "a1", "b", "\xc3\xa9"}));
}

}  // namespace
}  // namespace npk::testing
