// PanelFilter: which rows of a block may be among the best of which queries, found out in float32,
// or, of bytes with bytes and where the processor can, in integers.
//
// Only rejects: a row that is rejected for a query is certainly not better than the bound given for
// it. Of what remains it tells between which scores the canonical one lies.
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

#include "core/search/collect.h"
#include "core/search/margin.h"
#include "core/search/plan.h"
#include "core/search/row_source.h"
#include "simd/byte_panel.h"
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
    size_t width;  // Of the kernel, at least count.
    simd::PanelFn kernel = nullptr;
    std::vector<float> packed = {};
    // Instead, of bytes:
    simd::BytePanelFn byte_kernel = nullptr;
    std::vector<std::byte> packed_bytes = {};
    std::vector<int32_t> starts = {};
  };
  [[nodiscard]] std::span<const Panel> panels() const noexcept { return panels_; }
  /// How many panels stay in the second-level cache together with the rows they meet.
  [[nodiscard]] size_t cached_panels() const noexcept;

  /// What a thread keeps of the rows it is at and of the bounds it knows.
  class State {
   public:
    explicit State(const PanelFilter& filter);
    /// Moves on to `count` <= kRows rows of the source's row type. Memory: count * dims floats if
    /// they are of another type. `next` is where the rows after them lie; never dereferenced.
    void set_rows(const std::byte* rows, size_t count, const std::byte* next);
    /// For query `query` only scores strictly better than `bound` matter.
    void set_bound(size_t query, double bound);
    /// Bit q of passing[r]: row r may be among the best for query panel.first + q. Asks the memory
    /// for part `part` of `parts` of the next rows, as many as these.
    void run(const Panel& panel, size_t part, size_t parts, uint64_t* passing);
    /// Between which scores the canonical one lies for row r and query panel.first + q of the last
    /// run(panel). Nothing if float32 cannot tell.
    [[nodiscard]] std::optional<ScoreRange> score_range(const Panel& panel, size_t r,
                                                        size_t q) const;

   private:
    /// squares_ and what the kernels read.
    void prepare_floats(const std::byte* rows, size_t count);
    void prepare_bytes(const std::byte* rows, size_t count);

    const PanelFilter* filter_;
    simd::PanelRows rows_;
    simd::BytePanelRows byte_rows_;
    std::vector<float> converted_;
    std::vector<std::byte> converted_bytes_;
    size_t count_ = 0;
    const std::byte* next_ = nullptr;
    std::array<float, kRows> squares_;
    std::array<float, kRows> lengths_;
    std::array<float, kRows> offsets_;
    std::vector<float> slopes_;  // By query; kernels read up to a panel's width.
    std::vector<float> bounds_;
    std::vector<float> dots_;  // Of the last run: rows times the panel's width.
  };

 private:
  explicit PanelFilter(const Margin& margin) : margin_(margin) {}
  void pack(std::span<const Plan> plans);
  [[nodiscard]] Panel pack_next(std::span<const Plan> plans, size_t first) const;
  [[nodiscard]] Panel pack_next_bytes(std::span<const Plan> plans, size_t first) const;

  Margin margin_;
  simd::RowType row_type_ = simd::RowType::kFloat32;
  const simd::PanelKernels* kernels_ = nullptr;
  const simd::BytePanelKernels* byte_kernels_ = nullptr;  // Null: not of bytes.
  uint8_t flip_ = 0;                                      // Of bytes of rows.
  size_t dims_ = 0;
  uint64_t row_bytes_ = 0;
  std::vector<double> norms_;
  std::vector<Panel> panels_;
};

}  // namespace npk::internal

#endif  // NPK_CORE_SEARCH_PANEL_FILTER_H_
