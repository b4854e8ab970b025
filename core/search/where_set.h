// Where::Set: the rows a search may return, as the caller gave them, and WhereRows: the same, made
// good for one array, as words of bits.
//
// Thread safety: immutable once made.
#ifndef NPK_CORE_SEARCH_WHERE_SET_H_
#define NPK_CORE_SEARCH_WHERE_SET_H_

#include <cstdint>
#include <utility>
#include <variant>
#include <vector>

#include "core/search/row_source.h"
#include "core/store/deleted_rows.h"
#include "npk/search.h"
#include "npk/status.h"

namespace npk {

struct Where::Set {
  struct Bitmap {
    std::vector<uint64_t> words;
    uint64_t row_count;
  };
  struct List {
    std::vector<int64_t> rows;
  };
  struct Ranges {
    std::vector<std::pair<uint64_t, uint64_t>> ranges;
  };
  std::variant<Bitmap, List, Ranges> rows;
};

namespace internal {

class WhereRows {
 public:
  /// Errors: InvalidArgument (bitmap or mask of another length), OutOfRange.
  /// Lifetime: of `where`.
  static Result<WhereRows> create(const Where& where, uint64_t row_count);
  /// Bit i of word w: row begin + 64 w + i may be returned. Bits at and after `end` are 0.
  void words(uint64_t begin, uint64_t end, uint64_t* out) const;

 private:
  using Range = std::pair<uint64_t, uint64_t>;
  const Where::Set::Bitmap* bitmap_ = nullptr;  // Else:
  std::vector<Range> ranges_;                   // Sorted, disjoint, none empty.
};

/// Live rows of an array (`deleted` may be null) that `where` (may be null) lets through.
class SelectedRows final : public RowSelection {
 public:
  SelectedRows(const DeletedRows* deleted, const WhereRows* where)
      : deleted_(deleted), where_(where) {}
  void selected_words(uint64_t begin, uint64_t end, uint64_t* words) const override;
  [[nodiscard]] uint64_t logical(uint64_t physical) const override {
    return deleted_ == nullptr ? physical : deleted_->logical(physical);
  }

 private:
  const DeletedRows* deleted_;
  const WhereRows* where_;
};

}  // namespace internal
}  // namespace npk

#endif  // NPK_CORE_SEARCH_WHERE_SET_H_
