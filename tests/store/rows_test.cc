#include "bindings/cli/torture/store_model.h"
#include "tests/support/store_fixture.h"

namespace npk::testing {
namespace {

std::vector<uint64_t> resolved(const Rows& rows, uint64_t count) {
  auto result = rows.resolve(count);
  EXPECT_TRUE(result.is_ok()) << result.status().to_string();
  return result.is_ok() ? *result : std::vector<uint64_t>{UINT64_MAX};
}

using Numbers = std::vector<uint64_t>;

TEST(Rows, RangesAreThoseOfPython) {
  const auto range = [](std::optional<int64_t> start, std::optional<int64_t> stop, int64_t step) {
    return resolved(Rows::range(start, stop, step), 10);
  };
  EXPECT_EQ(range({}, {}, 3), (Numbers{0, 3, 6, 9}));
  EXPECT_EQ(range(-3, {}, 1), (Numbers{7, 8, 9}));
  EXPECT_EQ(range({}, -7, 1), (Numbers{0, 1, 2}));
  EXPECT_EQ(range(8, 100, 1), (Numbers{8, 9}));
  EXPECT_EQ(range(-100, 2, 1), (Numbers{0, 1}));
  EXPECT_EQ(range({}, {}, -4), (Numbers{9, 5, 1}));
  EXPECT_EQ(range(100, 7, -1), (Numbers{9, 8}));
  EXPECT_EQ(range(2, -100, -1), (Numbers{2, 1, 0}));
  EXPECT_EQ(range(2, {}, -1), (Numbers{2, 1, 0}));
  EXPECT_EQ(range(5, 5, 1), Numbers{});
  EXPECT_EQ(range(7, 3, 1), Numbers{});
  EXPECT_EQ(range(INT64_MIN, INT64_MAX, INT64_MAX), (Numbers{0}));
  EXPECT_EQ(range(INT64_MAX, INT64_MIN, INT64_MIN), (Numbers{9}));
  EXPECT_EQ(range(INT64_MAX, INT64_MIN, INT64_MIN + 1), (Numbers{9}));
}

TEST(Rows, OfEveryKindInAnEmptyArray) {
  EXPECT_EQ(resolved(Rows::all(), 0), Numbers{});
  EXPECT_EQ(resolved(Rows::list({}), 0), Numbers{});
  EXPECT_EQ(resolved(Rows::mask({}), 0), Numbers{});
  EXPECT_EQ(resolved(Rows::range(-5, 5), 0), Numbers{});
  EXPECT_EQ(resolved(Rows::range({}, {}, -1), 0), Numbers{});
  NPK_EXPECT_ERROR(Rows::list({0}).resolve(0), kOutOfRange, "0");
  NPK_EXPECT_ERROR(Rows::list({-1}).resolve(0), kOutOfRange, "-1");
}

TEST(Rows, AgreeWithAnotherWritingOfTheSameRules) {
  Random random(test_seed());
  for (int i = 0; i < 20'000; ++i) {
    const uint64_t count = random.below(30);
    const RowChoice choice = random_rows(random, count);
    ASSERT_EQ(resolved(choice.rows, count), choice.resolved)
        << choice.text << " of " << count << " rows";
    const auto run = choice.rows.contiguous(count);
    if (!run) continue;
    ASSERT_EQ(run->second - run->first, choice.resolved.size()) << choice.text;
    for (size_t k = 0; k < choice.resolved.size(); ++k) {
      ASSERT_EQ(choice.resolved[k], run->first + k) << choice.text;
    }
  }
}

TEST(Rows, OneAscendingRunIsKnownWithoutListingIt) {
  const auto whole = Rows::all().contiguous(uint64_t{1} << 60);
  ASSERT_TRUE(whole.has_value());
  EXPECT_EQ(whole->second, uint64_t{1} << 60);
  const auto part = Rows::range(-10, std::nullopt).contiguous(uint64_t{1} << 60);
  ASSERT_TRUE(part.has_value());
  EXPECT_EQ(part->first, (uint64_t{1} << 60) - 10);
  EXPECT_FALSE(Rows::range(0, 10, 2).contiguous(10).has_value());
  EXPECT_FALSE(Rows::range({}, {}, -1).contiguous(10).has_value());
}

TEST(Rows, RefuseZeroStepsAndMasksOfAnotherLength) {
  NPK_EXPECT_ERROR(Rows::range(0, 1, 0).resolve(5), kInvalidArgument, "step");
  NPK_EXPECT_ERROR(Rows::mask({1, 0}).resolve(3), kInvalidArgument, "mask");
  NPK_EXPECT_ERROR(Rows::list({5}).resolve(5), kOutOfRange, "5");
  NPK_EXPECT_ERROR(Rows::list({-6}).resolve(5), kOutOfRange, "-6");
}

}  // namespace
}  // namespace npk::testing
