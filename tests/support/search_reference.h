// The reference of the search tests: what docs/simd.md says a score is, in plain float64, and a
// full sort. Shares no code with the library.
#ifndef NPK_TESTS_SUPPORT_SEARCH_REFERENCE_H_
#define NPK_TESTS_SUPPORT_SEARCH_REFERENCE_H_

#include <cstddef>
#include <cstdint>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "npk/array.h"
#include "npk/search.h"

namespace npk::testing {

/// All elements as float64, in C order.
std::vector<double> as_float64(const ArrayView& view);

/// The canonical score of two vectors (for hamming and jaccard: of bytes).
double reference_score(Metric metric, std::span<const double> row, std::span<const double> query);

/// The first k of all rows for which `is_selected` is empty or true, by (score, row), NaN last.
/// Row numbers count selected rows only.
TopK reference_top_k(const ArrayView& base, const ArrayView& query, Metric metric, uint64_t k,
                     const std::vector<bool>& is_selected = {});

/// "" if both have the same rows, order and score bits (all NaNs being one), else what differs.
std::string difference(const TopK& got, const TopK& want);

/// What kind of numbers a random array holds.
enum class Content : uint8_t {
  kNormal,        // Gaussian.
  kDuplicates,    // Few distinct rows: ties everywhere.
  kNearTies,      // Rows that differ in one last bit.
  kExtreme,       // Norms from subnormal to the largest of the type.
  kDistribution,  // Not negative, for kl and js.
  kSpecial,       // NaN, infinities, zeros of both signs, subnormals.
};
inline constexpr Content kAllContents[] = {Content::kNormal,       Content::kDuplicates,
                                           Content::kNearTies,     Content::kExtreme,
                                           Content::kDistribution, Content::kSpecial};

/// `all`, or the part of it that NPK_SEARCH_PERCENT asks for: an emulated processor needs a hundred
/// times the time.
uint64_t part_of(uint64_t all);

/// A random array of any real element type (integers use all their values but for kDuplicates).
Array random_rows(DType dtype, uint64_t rows, uint64_t dims, Content content,
                  std::mt19937_64& random);
/// As random_rows, finite.
Array random_query(DType dtype, uint64_t dims, Content content, std::mt19937_64& random);

}  // namespace npk::testing

#endif  // NPK_TESTS_SUPPORT_SEARCH_REFERENCE_H_
