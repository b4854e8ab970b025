#include <nlohmann/json.hpp>

#include "tests/support/store_fixture.h"

namespace npk::testing {
namespace {

class Attributes : public StoreTest {
 protected:
  ParallelIO with_array() {
    ParallelIO store = open();
    NPK_EXPECT_OK(store.save_arrays({{"a", ints(iota(3), {3})}}));
    return store;
  }
  static nlohmann::json attributes(const ParallelIO& store) {
    auto text = store.get_attributes("a");
    EXPECT_TRUE(text.is_ok()) << text.status().to_string();
    return nlohmann::json::parse(*text);
  }
};

TEST_F(Attributes, AreAnEmptyObjectAtFirst) {
  ParallelIO store = with_array();
  NPK_ASSERT_OK_AND_ASSIGN(const std::string text, store.get_attributes("a"));
  EXPECT_EQ(text, "{}");
}

TEST_F(Attributes, AreReplacedWholeAndSurviveAReopen) {
  ParallelIO store = with_array();
  NPK_ASSERT_OK(store.set_attributes("a", R"({"model":"minilm","dims":384})"));
  NPK_ASSERT_OK(store.set_attributes("a", R"({ "unit" : "cosine" })"));
  EXPECT_EQ(attributes(store), nlohmann::json({{"unit", "cosine"}}));
  NPK_ASSERT_OK(store.close());
  EXPECT_EQ(attributes(open()), nlohmann::json({{"unit", "cosine"}}));
}

TEST_F(Attributes, KeepNumbersTextAndNestingExactly) {
  ParallelIO store = with_array();
  const std::string text =
      R"({"big":18446744073709551615,"small":-9223372036854775808,"real":0.1,"e":1e300,)"
      R"("text":"\u0000\u001f\" \\ \/ \ud83d\ude00 ü","list":[null,true,false,[],{}]})";
  NPK_ASSERT_OK(store.set_attributes("a", text));
  NPK_ASSERT_OK(store.close());
  ParallelIO again = open();
  EXPECT_EQ(attributes(again), nlohmann::json::parse(text));
}

TEST_F(Attributes, MayBeLarge) {
  ParallelIO store = with_array();
  const std::string text = R"({"t":")" + std::string(3 << 20, 'x') + R"("})";
  NPK_ASSERT_OK(store.set_attributes("a", text));
  NPK_ASSERT_OK(store.close());
  EXPECT_EQ(attributes(open()).at("t").get<std::string>().size(), size_t{3} << 20);
}

TEST_F(Attributes, DoNotTouchTheRowsButTheModifyTime) {
  ParallelIO store = with_array();
  const ArrayMetadata before = metadata(store, "a");
  NPK_ASSERT_OK(store.set_attributes("a", R"({"x":1})"));
  const ArrayMetadata after = metadata(store, "a");
  EXPECT_EQ(after.generation, before.generation);
  EXPECT_EQ(after.rows_file, before.rows_file);
  EXPECT_GE(after.modified_us, before.modified_us);
  EXPECT_EQ(load(store, "a"), iota(3));
}

TEST_F(Attributes, StayThroughAppendReplaceDeleteCompactAndOverwrite) {
  ParallelIO store = with_array();
  NPK_ASSERT_OK(store.set_attributes("a", R"({"x":1})"));
  NPK_ASSERT_OK(store.append_rows("a", ints(Ints{3}, {1})));
  NPK_ASSERT_OK(store.replace_rows("a", ints(Ints{9}, {1}), Rows::list({0})));
  NPK_ASSERT_OK(store.drop_arrays("a", Rows::list({1})));
  NPK_ASSERT_OK(store.compact_array("a"));
  EXPECT_EQ(attributes(store), nlohmann::json({{"x", 1}}));
  NPK_ASSERT_OK(store.save_arrays({{"a", ints(iota(2), {2})}}));
  EXPECT_EQ(attributes(store), nlohmann::json({{"x", 1}}));
}

TEST_F(Attributes, RefuseWhatIsNoJsonObject) {
  ParallelIO store = with_array();
  NPK_ASSERT_OK(store.set_attributes("a", R"({"x":1})"));
  for (const char* text : {"", " ", "3", "null", "[1]", "\"s\"", "{", "{\"a\":}", "{}x", "{} {}",
                           "{\"a\":1,}", "{'a':1}", "{\"a\":NaN}", "{\"a\":\"\xff\"}"}) {
    NPK_EXPECT_ERROR(store.set_attributes("a", text), kInvalidArgument, "JSON");
  }
  const std::string deep = R"({"a":)" + std::string(200'000, '[') + std::string(200'000, ']') + "}";
  EXPECT_EQ(store.set_attributes("a", deep).code(), StatusCode::kInvalidArgument);
  NPK_EXPECT_ERROR(store.set_attributes("nope", "{}"), kNotFound, "nope");
  NPK_EXPECT_ERROR(store.get_attributes("nope"), kNotFound, "nope");
  EXPECT_EQ(attributes(store), nlohmann::json({{"x", 1}}));
}

}  // namespace
}  // namespace npk::testing
