#include "core/search/collect.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/search/nth_smallest.h"
#include "tests/support/support.h"
#include "tests/support/tested_targets.h"

namespace npk::internal {
namespace {

struct Scored {
  std::vector<double> scores;
  std::vector<uint64_t> words;  // Selected rows.
};

Scored random_scores(size_t count, std::mt19937_64& random) {
  Scored set;
  const uint64_t distinct = 1 + random() % 40;
  for (size_t i = 0; i < count; ++i) {
    const double score = static_cast<double>(random() % distinct) - 20;
    const bool is_nan = random() % 16 == 0;
    const double infinity = std::numeric_limits<double>::infinity();
    set.scores.push_back(is_nan               ? std::numeric_limits<double>::quiet_NaN()
                         : random() % 50 == 0 ? -infinity
                         : random() % 50 == 0 ? infinity
                                              : score);
  }
  for (size_t w = 0; w * 64 < count; ++w) {
    set.words.push_back(random() % 3 == 0 ? ~uint64_t{0} : random() | random());
    if (w * 64 + 64 > count) set.words.back() &= ~uint64_t{0} >> (w * 64 + 64 - count);
  }
  return set;
}

std::vector<Hit> sorted_reference(const Scored& set, const Wanted& wanted) {
  std::vector<Hit> hits;
  for (size_t i = 0; i < set.scores.size(); ++i) {
    const double score = set.scores[i];
    const bool reaches = !wanted.threshold || score == *wanted.threshold ||
                         is_better(wanted.direction, score, *wanted.threshold);
    if ((set.words[i / 64] >> (i % 64) & 1) != 0 && reaches) hits.push_back({score, i});
  }
  std::stable_sort(hits.begin(), hits.end(), [&](const Hit& a, const Hit& b) {
    if (std::isnan(a.score) || std::isnan(b.score)) return !std::isnan(a.score);
    return is_better(wanted.direction, a.score, b.score);
  });
  hits.resize(std::min<size_t>(wanted.k, hits.size()));
  return hits;
}

TEST(TopKCollector, KeepsWhatAFullSortKeepsHoweverTheRowsAreShared) {
  std::mt19937_64 random(npk::testing::test_seed());
  for (int repeat = 0; repeat < 300; ++repeat) {
    const size_t count = random() % 3000;
    const Scored set = random_scores(count, random);
    const auto direction = random() % 2 == 0 ? Direction::kLarger : Direction::kSmaller;
    const uint64_t k = random() % 8 == 0   ? UINT64_MAX
                       : random() % 3 == 0 ? random() % 3'500
                                           : random() % 20;
    std::optional<double> threshold;
    const double infinity = std::numeric_limits<double>::infinity();
    if (random() % 2 == 0) {
      const double choices[] = {-infinity, -20, -3.5, 0, 7, infinity};
      threshold = choices[random() % std::size(choices)];
    }
    const auto targets = npk::testing::tested_targets();
    const auto& select = simd::select_kernels(targets[random() % targets.size()]);
    const auto sharers = static_cast<uint32_t>(1 + random() % 4);
    SharedBound bound(direction, sharers);
    std::vector<TopKCollector> collectors;
    for (uint32_t i = 0; i < sharers; ++i) {
      collectors.emplace_back(Wanted{direction, k, threshold}, select, &bound, i);
    }
    for (size_t begin = 0; begin < count; begin += 192) {
      const size_t end = std::min(count, begin + 192);
      collectors[random() % collectors.size()].take(
          {begin, nullptr}, {set.scores.data() + begin, end - begin},
          {set.words.data() + begin / 64, (end - begin + 63) / 64});
    }
    const std::vector<Hit> want = sorted_reference(set, {direction, k, threshold});
    const std::vector<Hit> got = TopKCollector::merge(collectors);
    ASSERT_EQ(got.size(), want.size());
    for (size_t i = 0; i < got.size(); ++i) {
      ASSERT_EQ(got[i].row, want[i].row) << "place " << i << " k " << k;
      ASSERT_EQ(std::isnan(got[i].score), std::isnan(want[i].score));
      if (!std::isnan(want[i].score)) {
        ASSERT_EQ(got[i].score, want[i].score);
      }
    }
  }
}

TEST(SharedBound, IsWhatTheSharesOfAllReachAndNeverMore) {
  SharedBound bound(Direction::kSmaller, 3);
  const double infinity = std::numeric_limits<double>::infinity();
  EXPECT_EQ(bound.share_of(10), 4u);
  bound.offer_share(0, 1);
  bound.offer_share(2, 5);
  EXPECT_EQ(bound.get(), infinity);  // Of the second nothing is known.
  bound.offer_share(1, 3);
  EXPECT_EQ(bound.get(), 5);
  bound.offer_share(2, 2);
  EXPECT_EQ(bound.get(), 3);
  bound.offer(2.5);
  bound.offer(4);
  EXPECT_EQ(bound.get(), 2.5);
}

TEST(NthSmallest, IsThatOfASort) {
  std::mt19937_64 random(npk::testing::test_seed());
  for (int repeat = 0; repeat < 2000; ++repeat) {
    std::vector<double> values(1 + random() % 2000);
    const uint64_t distinct = random() % 3 == 0 ? UINT64_MAX : 1 + random() % 40;
    for (double& value : values) value = static_cast<double>(random() % distinct);
    if (random() % 8 == 0) values.back() = -std::numeric_limits<double>::infinity();
    std::vector<double> sorted = values;
    std::sort(sorted.begin(), sorted.end());
    if (random() % 4 == 0) values = sorted;
    const size_t n = random() % values.size();
    ASSERT_EQ(nth_smallest(values, n), sorted[n]) << n << " of " << values.size();
    std::sort(values.begin(), values.end());
    ASSERT_EQ(values, sorted);
  }
}

}  // namespace
}  // namespace npk::internal
