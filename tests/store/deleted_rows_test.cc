// DeletedRows, and arrays with far more rows than memory has room for: what is not deleted costs
// nothing.
#include "core/store/deleted_rows.h"

#include <algorithm>
#include <numeric>
#include <random>

#include "core/store/roaring_format.h"
#include "tests/support/heap_peak.h"
#include "tests/support/store_fixture.h"

namespace npk::testing {
namespace {

using internal::DeletedRows;
constexpr uint64_t kBlock = internal::kContainerRows;

/// What a set of rows says, asked one row at a time around each of them. `model`: ascending.
void expect_same(const DeletedRows& deleted, const std::vector<uint64_t>& model,
                 uint64_t row_count) {
  ASSERT_EQ(deleted.count(), model.size());
  for (size_t before = 0; before < model.size(); ++before) {
    const uint64_t row = model[before];
    EXPECT_TRUE(deleted.is_deleted(row));
    EXPECT_EQ(deleted.logical(row), row - before) << row;
    if (row > 0 && (before == 0 || model[before - 1] != row - 1)) {
      EXPECT_FALSE(deleted.is_deleted(row - 1));
      EXPECT_EQ(deleted.physical(row - 1 - before), row - 1);
      uint64_t word = 0;
      deleted.deleted_words(row - 1, row + 1, &word);
      EXPECT_EQ(word, 2u) << row;
    }
    const uint64_t next = before + 1 < model.size() ? model[before + 1] : row_count;
    if (next == row + 1) continue;
    EXPECT_EQ(deleted.physical(row - before), row + 1);
    const auto run = deleted.next_live_run(row, row_count);
    EXPECT_EQ(run.begin, row + 1);
    EXPECT_EQ(run.end, next);
  }
}

TEST(DeletedRows, AreTheSameSetHoweverFarApartTheyLie) {
  std::mt19937_64 random(test_seed());
  for (int round = 0; round < 20; ++round) {
    const uint64_t row_count = (uint64_t{1} << (8 + random() % 52)) + random() % 100;
    std::vector<uint64_t> model;
    auto deleted = std::make_shared<const DeletedRows>();
    for (int step = 0; step < 6; ++step) {
      const uint64_t first = random() % row_count;
      std::vector<uint64_t> rows;
      if (random() % 2 == 0) {
        rows.resize(std::min(row_count - first, random() % (3 * kBlock)));
        std::iota(rows.begin(), rows.end(), first);
        deleted = deleted->with_range(first, first + rows.size());
      } else {
        rows = {first, random() % row_count, first};  // One of them twice.
        std::ranges::sort(rows);
        deleted = deleted->with(rows);
      }
      const auto old_end = static_cast<std::ptrdiff_t>(model.size());
      model.insert(model.end(), rows.begin(), rows.end());
      std::inplace_merge(model.begin(), model.begin() + old_end, model.end());
    }
    model.erase(std::unique(model.begin(), model.end()), model.end());
    expect_same(*deleted, model, row_count);
    const auto decoded = DeletedRows::decode(deleted->encode(), row_count);
    NPK_ASSERT_OK(decoded);
    expect_same(**decoded, model, row_count);
    if (HasFatalFailure() || HasNonfatalFailure()) return;
  }
}

TEST(DeletedRows, GiveEveryRowItsPlaceHoweverManyLieAroundIt) {
  std::mt19937_64 random(test_seed());
  for (const uint64_t per_mille : {0u, 1u, 10u, 500u, 990u, 999u, 1'000u}) {
    std::vector<uint64_t> rows = {kBlock - 1, kBlock, 2 * kBlock};
    for (uint64_t row = kBlock / 2; row < 3 * kBlock / 2; ++row) {
      if (random() % 1'000 < per_mille) rows.push_back(row);
    }
    std::ranges::sort(rows);
    const auto deleted = DeletedRows().with(rows);
    std::vector<uint64_t> live;
    for (uint64_t row = 0; row < 3 * kBlock; ++row) {
      ASSERT_EQ(deleted->logical(row), live.size()) << "row " << row << ", " << per_mille;
      if (deleted->is_deleted(row)) continue;
      ASSERT_EQ(deleted->physical(live.size()), row) << per_mille;
      live.push_back(row);
    }
    ASSERT_EQ(live.size(), 3 * kBlock - deleted->count());
    // Many at once, in any order, at any number of them.
    std::vector<uint64_t> asked(1'000 + random() % 16);
    for (uint64_t& row : asked) row = random() % live.size();
    std::vector<uint64_t> places = asked;
    deleted->to_physical(places);
    for (size_t i = 0; i < asked.size(); ++i) ASSERT_EQ(places[i], live[asked[i]]) << per_mille;
  }
}

/// A set and what it must be, one flag for each row.
struct Modelled {
  std::shared_ptr<const DeletedRows> deleted = std::make_shared<const DeletedRows>();
  std::vector<bool> model = std::vector<bool>(5 * kBlock / 2);

  /// Deletes runs of 1 to `longest` rows, about one in each `apart` rows of [begin, end), by one of
  /// the three ways there are.
  void change(std::mt19937_64& random, uint64_t begin, uint64_t end, uint64_t apart,
              uint64_t longest) {
    std::vector<uint64_t> rows;
    for (uint64_t row = begin + random() % apart; row < end; row += 1 + random() % (2 * apart)) {
      const uint64_t last = std::min(end, row + 1 + random() % longest);
      for (; row < last; ++row) rows.push_back(row);
    }
    for (const uint64_t row : rows) model[row] = true;
    if (random() % 2 == 0) {
      deleted = deleted->with(rows);
    } else {
      const auto with = deleted->with_encoded(internal::encode_roaring(rows), model.size());
      NPK_ASSERT_OK(with);
      deleted = *with;
    }
    if (random() % 4 == 0) {
      end = begin + random() % (end - begin);
      deleted = deleted->with_range(begin, end);
      std::fill(model.begin() + static_cast<ptrdiff_t>(begin),
                model.begin() + static_cast<ptrdiff_t>(end), true);
    }
  }

  void expect_same(std::mt19937_64& random) const {
    std::vector<uint64_t> live;
    for (uint64_t row = 0; row < model.size(); ++row) {
      ASSERT_EQ(deleted->logical(row), live.size()) << "row " << row;
      ASSERT_EQ(deleted->is_deleted(row), model[row]) << "row " << row;
      if (!model[row]) live.push_back(row);
    }
    ASSERT_EQ(deleted->count(), model.size() - live.size());
    std::vector<uint64_t> asked(live.size() < 3 ? 0 : 1'000 + random() % 16);
    for (uint64_t& row : asked) row = random() % live.size();
    std::vector<uint64_t> places = asked;
    deleted->to_physical(places);
    for (size_t i = 0; i < asked.size(); ++i) ASSERT_EQ(places[i], live[asked[i]]);
    for (int i = 0; i < 50; ++i) expect_same_words(random() % model.size(), random() % 1'000);
    uint64_t row = 0;
    for (DeletedRows::Run run; row < model.size(); row = run.end) {
      run = deleted->next_live_run(row, model.size());
      for (; row < run.begin; ++row) ASSERT_TRUE(model[row]) << row;
      for (; row < run.end; ++row) ASSERT_FALSE(model[row]) << row;
    }
  }

  void expect_same_words(uint64_t begin, uint64_t rows) const {
    const uint64_t end = std::min<uint64_t>(model.size(), begin + rows);
    std::vector<uint64_t> words((end - begin + 63) / 64, 0x5555);
    deleted->deleted_words(begin, end, words.data());
    for (uint64_t row = begin; row < begin + words.size() * 64; ++row) {
      const bool is_set = (words[(row - begin) / 64] >> ((row - begin) % 64) & 1) != 0;
      ASSERT_EQ(is_set, row < end && model[row]) << row << " of [" << begin << ", " << end << ")";
    }
  }
};

TEST(DeletedRows, AnswerAsOneFlagForEachRowDoesWhetherTheirRunsAreFewOrMany) {
  std::mt19937_64 random(test_seed());
  for (const uint64_t apart : {5u, 50u, 63u, 64u, 65u, 70u, 2'000u, 60'000u}) {
    for (const uint64_t longest : {1u, 3u, 1'000u}) {
      Modelled set;
      for (int step = 0; step < 2; ++step) {
        const DeletedRows before = *set.deleted;
        const uint64_t begin = random() % set.model.size();
        const uint64_t end = begin + 1 + random() % (set.model.size() - begin);
        set.change(random, step == 0 ? 0 : begin, step == 0 ? set.model.size() : end, apart,
                   longest);
        set.expect_same(random);
        const auto again = before.with_encoded(set.deleted->encode_added(before), set.model.size());
        NPK_ASSERT_OK(again);
        EXPECT_EQ((*again)->encode(), set.deleted->encode());
        if (HasFatalFailure()) FAIL() << apart << " apart, at most " << longest << " in a run";
      }
    }
  }
}

TEST(DeletedRows, TakeNoMemoryForRowsThatAreNotDeleted) {
  const uint64_t row = uint64_t{1} << 58;
  const HeapPeak peak;
  const auto deleted = DeletedRows().with(std::vector<uint64_t>{row});
  const auto decoded =
      DeletedRows::decode(internal::encode_roaring(std::vector<uint64_t>{row}), 2 * row);
  NPK_ASSERT_OK(decoded);
  EXPECT_EQ((*decoded)->logical(2 * row - 1), 2 * row - 2);
  EXPECT_EQ(deleted->logical(2 * row - 1), 2 * row - 2);
  EXPECT_LE(peak.bytes(), 100u << 10);
}

TEST(DeletedRows, OfAnArrayWhoseManyRowsHaveNoBytes) {
  const TempDir directory(TempDir::Place::kMemory);
  const uint64_t rows = uint64_t{1} << 55;
  for (int opened = 0; opened < 2; ++opened) {
    NPK_ASSERT_OK_AND_ASSIGN(auto store, ParallelIO::open(directory.file("s.npk")));
    if (opened == 0) {
      NPK_ASSERT_OK(store.save_arrays({{"wide", ArrayView::raw("", DType::kInt8, {rows, 0})}}));
      NPK_ASSERT_OK(store.drop_arrays("wide", Rows::list({0, -1})));
    }
    NPK_ASSERT_OK_AND_ASSIGN(const Shape shape, store.get_shape("wide"));
    EXPECT_EQ(shape, (Shape{rows - 2, 0}));
    NPK_ASSERT_OK(store.load_array("wide"));
    NPK_ASSERT_OK(store.close());
  }
}

}  // namespace
}  // namespace npk::testing
