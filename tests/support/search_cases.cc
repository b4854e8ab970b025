#include "tests/support/search_cases.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace npk::testing {

TopK filtered(const TopK& all, const SearchOptions& options, const std::vector<bool>& selected,
              uint64_t k) {
  TopK kept;
  for (size_t i = 0; i < all.rows.size() && kept.rows.size() < k; ++i) {
    const double score = all.scores[i];
    if (!selected.empty() && !selected[all.rows[i]]) continue;
    if (options.min_score && !(score >= *options.min_score)) continue;
    if (options.max_distance && !(score <= *options.max_distance)) continue;
    kept.rows.push_back(all.rows[i]);
    kept.scores.push_back(score);
  }
  return kept;
}

Selection random_selection(uint64_t count, std::mt19937_64& random) {
  const uint64_t shares[] = {0, 1, 10, 50, 99, 100};
  const uint64_t percent = shares[random() % std::size(shares)];
  Selection selection;
  selection.rows.resize(count);
  std::vector<int64_t> list;
  std::vector<uint8_t> mask(count);
  std::vector<uint64_t> words((count + 63) / 64);
  const auto choose = [&](uint64_t row) {
    selection.rows[row] = true;
    mask[row] = static_cast<uint8_t>(1 + random() % 255);
    words[row / 64] |= uint64_t{1} << (row % 64);
    list.push_back(static_cast<int64_t>(row) -
                   (random() % 2 == 0 ? static_cast<int64_t>(count) : 0));
  };
  if (random() % 4 == 0) {
    std::vector<std::pair<uint64_t, uint64_t>> ranges;
    for (uint64_t i = random() % 5; i > 0; --i) {
      const uint64_t begin = random() % (count + 1);
      ranges.emplace_back(begin, begin + random() % (count - begin + 1));
      std::fill(selection.rows.begin() + static_cast<ptrdiff_t>(begin),
                selection.rows.begin() + static_cast<ptrdiff_t>(ranges.back().second), true);
    }
    selection.where = Where::ranges(std::move(ranges));
    return selection;
  }
  for (uint64_t row = 0; row < count; ++row) {
    if (random() % 100 < percent) choose(row);
  }
  std::shuffle(list.begin(), list.end(), random);
  switch (random() % 3) {
    case 0:
      selection.where = Where::rows(std::move(list));
      break;
    case 1:
      selection.where = Where::mask(mask);
      break;
    default:
      selection.where = Where::bitmap(std::move(words), count);
  }
  return selection;
}

SearchOptions random_threshold(const TopK& all, Metric metric, std::mt19937_64& random) {
  SearchOptions options;
  options.metric = metric;
  options.k = random() % 3 == 0 ? 2'000 : 1 + random() % 30;
  options.threads = static_cast<uint32_t>(1 + random() % 3);
  if (random() % 2 == 0 || all.scores.empty()) return options;
  const double score = all.scores[random() % all.scores.size()];
  if (std::isnan(score)) return options;
  (metric_info(metric).larger_is_better ? options.min_score : options.max_distance) = score;
  return options;
}

Array random_queries(DType dtype, uint64_t count, uint64_t dims, Content content,
                     std::mt19937_64& random) {
  Array queries = *Array::uninitialized(dtype, {count, dims});
  for (uint64_t q = 0; q < count; ++q) {
    const Array query = random_query(dtype, dims, content, random);
    std::memcpy(queries.mutable_data() + q * queries.row_bytes(), query.data(), query.size_bytes());
  }
  return queries;
}

}  // namespace npk::testing
