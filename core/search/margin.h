// Margin: when a float32 dot product is proof enough that a row cannot be among the best, and
// between which scores the canonical one lies.
//
// The one place of the error analysis of docs/simd.md, for the panels of many queries as for the
// filter of one.
//
// Thread safety: immutable.
#ifndef NPK_CORE_SEARCH_MARGIN_H_
#define NPK_CORE_SEARCH_MARGIN_H_

#include <cstddef>
#include <optional>
#include <span>

#include "core/search/collect.h"
#include "core/search/plan.h"

namespace npk::internal {

class Margin {
 public:
  /// Of the plans of one search. Nothing if float32 cannot help: packed bits, divergences, extreme
  /// norms or dimensions.
  /// `element_error`: what rounding elements to fewer bits than float32 has may do to a dot
  /// product, relative to the product of the norms.
  static std::optional<Margin> create(size_t dims, std::span<const Plan> plans,
                                      double element_error = 0);
  /// As create(), of dot products and squared lengths that are exact integers, rounded to float32
  /// once, but for -128 (simd::IntegerFilterKernels). The lines of `dot` need no length: slope 0.
  static std::optional<Margin> of_integers(size_t dims, std::span<const Plan> plans);
  /// Of plans for l2 or l2sq, for 0 less the squared distance instead of a dot product: exact
  /// integers, rounded to float32 once, without a length.
  static Margin of_distances(std::span<const Plan> plans);
  /// Of plans for hamming or jaccard, whose dot products and squared lengths are counts of bits,
  /// rounded to float32 once; for hamming without a length. Nothing if a query has no bits.
  static std::optional<Margin> of_bits(std::span<const Plan> plans);

  /// A row of length X may be rejected if the float32 dot product is below
  /// slope * X + (bound + half * X^2), computed in float32.
  struct Line {
    float slope;
    float bound;
    float half;
  };
  /// For a query of this norm of which only scores strictly better than `bound` matter.
  [[nodiscard]] Line line(double query_norm, double bound) const;
  /// Between which scores the canonical one of a row lies. `dot`, `square` (of the row's length)
  /// and `length`: as computed in float32, the length in range.
  [[nodiscard]] ScoreRange score_range(double query_norm, double dot, double square,
                                       double length) const;
  /// That of every line, not of bits: 0 but for l2 and l2sq.
  [[nodiscard]] float half() const noexcept { return half_; }

  /// Lengths in between neither overflow float32 in any product or sum, nor vanish. A row whose
  /// length is another, or is NaN, must not be rejected.
  static constexpr double kLeastLength = 1e-12;
  static constexpr double kMostLength = 1e18;
  [[nodiscard]] static bool is_in_range(double length) noexcept {
    return length >= kLeastLength && length <= kMostLength;
  }

 private:
  Margin() = default;

  KernelFamily family_ = KernelFamily::kDot;
  double rounding_ = 0;  // Of a float32 dot product, relative to the product of the norms.
  double elements_ = 0;  // Beside it: element_error.
  double tiny_ = 0;      // What underflow may add to it.
  double longest_ = 1;   // A row is at most so many times as long as is said, and no shorter.
  float half_ = 0;
  bool is_of_distances_ = false;  // Not of dot products.
};

}  // namespace npk::internal

#endif  // NPK_CORE_SEARCH_MARGIN_H_
