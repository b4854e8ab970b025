// Random options of a search, and what they leave of a full answer.
#ifndef NPK_TESTS_SUPPORT_SEARCH_CASES_H_
#define NPK_TESTS_SUPPORT_SEARCH_CASES_H_

#include <cstdint>
#include <random>
#include <vector>

#include "npk/array.h"
#include "npk/search.h"
#include "tests/support/search_reference.h"

namespace npk::testing {

/// What the options let through of a full, ordered answer.
TopK filtered(const TopK& all, const SearchOptions& options, const std::vector<bool>& selected,
              uint64_t k);

struct Selection {
  Where where;
  std::vector<bool> rows;
};

/// A where of any form and selectivity, and what it means.
Selection random_selection(uint64_t count, std::mt19937_64& random);

/// Options with any k, and a threshold that is one of the scores of the full answer, or none.
SearchOptions random_threshold(const TopK& all, Metric metric, std::mt19937_64& random);

/// `count` of random_query, of shape (count, dims).
Array random_queries(DType dtype, uint64_t count, uint64_t dims, Content content,
                     std::mt19937_64& random);

}  // namespace npk::testing

#endif  // NPK_TESTS_SUPPORT_SEARCH_CASES_H_
