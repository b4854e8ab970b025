#include "core/search/search_rows.h"
#include "core/store/row_access.h"
#include "npk/internal/text.h"
#include "npk/search.h"

namespace npk {
namespace {

using internal::Extent;
using internal::SearchedRows;

/// Runs `search` on one committed state of the array.
template <typename T, typename Search>
Result<T> on_pinned_rows(const StoreReader& store, std::string_view name, Search&& search) {
  std::optional<T> answer;
  NPK_RETURN_IF_ERROR(
      internal::with_rows(store, name, [&](const internal::PinnedRows& pinned) -> Status {
        Shape shape = pinned.shape;
        if (!shape.empty()) shape[0] = pinned.physical_rows;
        const SearchedRows rows = {
            ArrayView::raw(pinned.rows, pinned.dtype, std::move(shape), pinned.pin),
            pinned.deleted.get(),
            {pinned.file, pinned.pin.get()}};
        Result<T> result = search(rows);
        if (!result.is_ok()) {
          return std::move(result).status().with_context(
              internal::concat("search of array '", name, "'"));
        }
        answer = *std::move(result);
        return {};
      }));
  return *std::move(answer);
}

}  // namespace

Result<TopK> StreamingVectorEngine::top_k(const StoreReader& store, std::string_view name,
                                          const ArrayView& query,
                                          const SearchOptions& options) const {
  return on_pinned_rows<TopK>(store, name, [&](const SearchedRows& rows) {
    return internal::search_rows_once(rows, query, options, Extent::kTopK);
  });
}

Result<TopK> StreamingVectorEngine::range_search(const StoreReader& store, std::string_view name,
                                                 const ArrayView& query,
                                                 const SearchOptions& options) const {
  return on_pinned_rows<TopK>(store, name, [&](const SearchedRows& rows) {
    return internal::search_rows_once(rows, query, options, Extent::kRange);
  });
}

Result<Array> StreamingVectorEngine::streaming_batch_compute(const StoreReader& store,
                                                             std::string_view name,
                                                             const ArrayView& queries,
                                                             const SearchOptions& options) const {
  return on_pinned_rows<Array>(store, name, [&](const SearchedRows& rows) {
    return internal::score_rows(rows, queries, options);
  });
}

Result<std::vector<TopK>> StreamingVectorEngine::streaming_multi_query_top_k(
    const StoreReader& store, std::string_view name, const ArrayView& queries,
    const SearchOptions& options) const {
  return on_pinned_rows<std::vector<TopK>>(store, name, [&](const SearchedRows& rows) {
    return internal::search_rows(rows, queries, options, Extent::kTopK);
  });
}

}  // namespace npk
