// SampledRows: of each stretch of rows one, at a place that depends on the stretch's number only.
//
// Whatever the rows are, and in whatever order, each is drawn with the same probability and nearly
// independently of all others: rows that are alike may lie together, or at a regular distance.
//
// Thread safety: immutable.
#ifndef NPK_CORE_SEARCH_SAMPLED_ROWS_H_
#define NPK_CORE_SEARCH_SAMPLED_ROWS_H_

#include <cstdint>

#include "core/search/row_source.h"

namespace npk::internal {

class SampledRows final : public RowSelection {
 public:
  /// Of the rows that `selection` (null: every row) selects. Requires: stretch_rows > 0.
  /// Lifetime: of the selection.
  SampledRows(const RowSelection* selection, uint64_t stretch_rows)
      : selection_(selection), stretch_rows_(stretch_rows) {}
  void selected_words(uint64_t begin, uint64_t end, uint64_t* words) const override;
  [[nodiscard]] uint64_t logical(uint64_t physical) const override {
    return selection_ == nullptr ? physical : selection_->logical(physical);
  }

 private:
  /// The row that is drawn of a stretch.
  [[nodiscard]] uint64_t drawn(uint64_t stretch) const noexcept;

  const RowSelection* selection_;
  uint64_t stretch_rows_;
};

}  // namespace npk::internal

#endif  // NPK_CORE_SEARCH_SAMPLED_ROWS_H_
