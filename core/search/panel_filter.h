// PanelFilter: which rows of a block may be among the best of which queries, found out in float32
// or, where the processor can, in narrower elements: bytes with bytes, and others rounded to 16
// bits.
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
#include "simd/narrow_panel.h"
#include "simd/panel.h"

namespace npk::internal {

class PanelFilter {
 public:
  static constexpr size_t kMostRows = 64;
  /// For the k best of each plan. Nothing if float32 cannot help: few queries, packed bits, extreme
  /// norms or dimensions.
  static std::optional<PanelFilter> create(const RowSource& rows, std::span<const Plan> plans,
                                           uint64_t k);

  /// Queries [first, first + count), packed as the kernel wants them.
  struct Panel {
    size_t first;
    size_t count;
    size_t width;  // Of the kernel, at least count.
    Margin margin;
    simd::PanelFn kernel = nullptr;
    std::vector<float> packed = {};
    // Instead, of bytes or rounded elements:
    simd::NarrowPanelFn narrow_kernel = nullptr;
    std::vector<simd::NarrowLine> packed_words = {};
    std::vector<int32_t> starts = {};  // Of bytes.
    std::vector<float> units = {};     // 1 of bytes.
  };
  [[nodiscard]] std::span<const Panel> panels() const noexcept { return panels_; }
  /// The same queries, none of them rounded to 16 bits, which rejects more.
  [[nodiscard]] std::span<const Panel> exact_panels() const noexcept {
    return items_ == Items::kRounded ? exact_panels_ : panels_;
  }
  /// How many rows meet the panels at once: a divisor of kMostRows.
  [[nodiscard]] size_t part_rows() const noexcept { return kernels_->part_rows; }
  /// How many panels stay in the second-level cache together with the rows they meet.
  [[nodiscard]] static size_t cached_panels(std::span<const Panel> panels) noexcept;

  /// What a thread keeps of the rows it is at and of the bounds it knows.
  class State {
   public:
    explicit State(const PanelFilter& filter);
    /// Moves on to `count` <= part_rows() rows of the source's row type. Memory: count * dims
    /// floats if they are of another type. `next` is where the rows after them lie; never
    /// dereferenced. They meet `panels` of either only panels() or, if `is_exact`, only
    /// exact_panels().
    void set_rows(const std::byte* rows, size_t count, const std::byte* next, size_t panels,
                  bool is_exact);
    /// For query panel.first + q only scores strictly better than `bound` matter.
    void set_bound(const Panel& panel, size_t q, double bound);
    /// Bit q of passing[r]: row r may be among the best for query panel.first + q. The panel is
    /// number `part` of the `parts` that the rows meet.
    void run(const Panel& panel, size_t part, size_t parts, uint64_t* passing);
    /// Between which scores the canonical one lies for row r and query panel.first + q of the last
    /// run(panel). Nothing if float32 cannot tell.
    [[nodiscard]] std::optional<ScoreRange> score_range(const Panel& panel, size_t r,
                                                        size_t q) const;

   private:
    /// The rows as float32, aligned.
    const float* as_floats(const std::byte* rows, size_t count);
    /// squares_ and what the narrow kernels read.
    void prepare_narrow(const std::byte* rows, size_t count, size_t panels);

    const PanelFilter* filter_;
    simd::PanelRows rows_;
    simd::NarrowPanelRows narrow_rows_;
    std::vector<float> converted_;
    std::vector<simd::NarrowLine> narrow_;
    size_t count_ = 0;
    simd::Upcoming upcoming_;  // What panels ask for.
    std::array<float, kMostRows> squares_;
    std::array<float, kMostRows> lengths_;
    std::array<float, kMostRows> offsets_;
    std::array<float, kMostRows> units_;  // 1 of bytes.
    std::vector<float> slopes_;           // By query; kernels read up to a panel's width.
    std::vector<float> bounds_;
    std::vector<float> dots_;  // Of the last run: rows times the panel's width.
  };

 private:
  /// What most queries are multiplied as.
  enum class Items : uint8_t { kFloat32, kBytes, kRounded };

  explicit PanelFilter(const Margin& margin) : margin_(margin), narrow_margin_(margin) {}
  struct RoundedQueries;
  [[nodiscard]] RoundedQueries round(std::span<const Plan> plans) const;
  void choose_items(std::span<const Plan> plans, uint64_t k, RoundedQueries& rounded);
  /// Of the next `left` queries, those in float32 that cost least in all.
  [[nodiscard]] Panel pack_floats(std::span<const Plan> plans, size_t first) const;
  [[nodiscard]] Panel pack_words(std::span<const Plan> plans, const RoundedQueries& rounded,
                                 size_t first) const;
  /// How many queries at the end are left to a quad.
  [[nodiscard]] size_t left_to_quad() const noexcept;
  [[nodiscard]] size_t item_bytes() const noexcept;
  [[nodiscard]] size_t words() const noexcept;       // Of a narrow row.
  [[nodiscard]] size_t step_bytes() const noexcept;  // From one narrow row to the next.

  Margin margin_;
  Margin narrow_margin_;
  Items items_ = Items::kFloat32;
  simd::RowType row_type_ = simd::RowType::kFloat32;
  const simd::PanelKernels* kernels_ = nullptr;
  const simd::NarrowPanelKernels* narrow_kernels_ = nullptr;
  uint8_t flip_ = 0;  // Of bytes of rows.
  size_t dims_ = 0;
  uint64_t row_bytes_ = 0;
  std::vector<double> norms_;
  std::vector<Panel> panels_;
  std::vector<Panel> exact_panels_;  // Only with rounded elements.
};

}  // namespace npk::internal

#endif  // NPK_CORE_SEARCH_PANEL_FILTER_H_
