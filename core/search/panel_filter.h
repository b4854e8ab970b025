// PanelFilter: which rows of a block may be among the best of which queries, found out in float32.
//
// Only rejects: a row that is rejected for a query is certainly not better than the bound given for
// it. What remains is to be scored canonically.
//
// Thread safety: PanelFilter is immutable; a PanelFilter::State belongs to one thread.
#ifndef NPK_CORE_SEARCH_PANEL_FILTER_H_
#define NPK_CORE_SEARCH_PANEL_FILTER_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "core/search/margin.h"
#include "core/search/plan.h"
#include "core/search/row_source.h"
#include "simd/panel.h"

namespace npk::internal {

class PanelFilter {
 public:
  static constexpr size_t kRows = 64;
  /// Nothing if float32 cannot help: few queries, packed bits, extreme norms or dimensions.
  static std::optional<PanelFilter> create(const RowSource& rows, std::span<const Plan> plans);

  /// Queries [first, first + count), packed as the kernel wants them.
  struct Panel {
    size_t first;
    size_t count;
    size_t vectors;
    std::vector<float> packed;
  };
  [[nodiscard]] std::span<const Panel> panels() const noexcept { return panels_; }

  /// What a thread keeps of the rows it is at and of the bounds it knows.
  class State {
   public:
    explicit State(const PanelFilter& filter);
    /// Moves on to `count` <= kRows rows of the source's row type.
    void set_rows(const std::byte* rows, size_t count);
    /// For query `query` only scores strictly better than `bound` matter.
    void set_bound(size_t query, double bound);
    /// Bit q of passing[r]: row r must be scored for query panel.first + q.
    void run(const Panel& panel, uint64_t* passing) const;

   private:
    const PanelFilter* filter_;
    simd::PanelRows rows_;
    std::vector<float> converted_;
    std::array<float, kRows> lengths_;
    std::array<float, kRows> offsets_;
    std::vector<float> slopes_;  // By panel, kMaxPanelQueries each.
    std::vector<float> bounds_;
  };

 private:
  explicit PanelFilter(const Margin& margin) : margin_(margin) {}
  void pack(std::span<const Plan> plans);

  Margin margin_;
  simd::RowType row_type_ = simd::RowType::kFloat32;
  const simd::PanelKernels* kernels_ = nullptr;
  size_t dims_ = 0;
  std::vector<double> norms_;
  std::vector<Panel> panels_;
};

}  // namespace npk::internal

#endif  // NPK_CORE_SEARCH_PANEL_FILTER_H_
