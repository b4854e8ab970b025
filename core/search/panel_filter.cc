#include "core/search/panel_filter.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include "simd/flush_subnormals.h"

namespace npk::internal {
namespace {

// Below this many queries the canonical scan, which is bound by memory, is as quick.
constexpr size_t kFewestQueries = 4;
// A quad adds up its vectors at the end, which takes as long as so many multiply-adds for each row.
constexpr size_t kQuadEnd = 24;
// Leaves half of a second-level cache of 1 MiB to the rows.
constexpr size_t kCachedBytes = 640u << 10;
// For more than so many of the best, what rounding to bfloat16 leaves unclear costs more than its
// quicker products save.
constexpr uint64_t kMostOfBFloat16 = 256;
constexpr float kInfinity = std::numeric_limits<float>::infinity();

/// Of the next panel, of at most `most`, if there are so many vectors of queries left: two panels
/// of two are quicker than one of three and one of one.
size_t vectors_of_next(size_t left, size_t most) noexcept {
  return left == most + 1 ? left / 2 : std::min(left, most);
}

std::byte* bytes_of(std::vector<simd::NarrowLine>& lines) noexcept {
  return reinterpret_cast<std::byte*>(lines.data());
}
const std::byte* bytes_of(const std::vector<simd::NarrowLine>& lines) noexcept {
  return reinterpret_cast<const std::byte*>(lines.data());
}

/// What an element of 16 bits is.
double rounded_element(simd::Rounding rounding, const std::byte* from) noexcept {
  int16_t bits;
  std::memcpy(&bits, from, sizeof(bits));
  if (rounding == simd::Rounding::kInt16) return bits;
  return static_cast<double>(std::bit_cast<float>(uint32_t{static_cast<uint16_t>(bits)} << 16));
}

/// How far rounding may move a row, relative to its length.
double most_row_error(simd::Rounding rounding, size_t dims) noexcept {
  // Half a unit of each element, and some roundings of float32; half of the last of eight bits.
  return rounding == simd::Rounding::kInt16
             ? 0.51 * std::sqrt(dims) / static_cast<double>(simd::kInt16Length)
             : 0x1p-8;
}

}  // namespace

/// Queries rounded to 16 bits.
struct PanelFilter::RoundedQueries {
  size_t step_bytes = 0;         // From query to query.
  std::vector<std::byte> words;  // Zeros behind each.
  std::vector<float> units;      // What each is a multiple of.
  double error = 0;  // How far they lie from the queries, relative to those: the furthest.

  [[nodiscard]] const std::byte* of(size_t query) const {
    return words.data() + query * step_bytes;
  }
};

PanelFilter::RoundedQueries PanelFilter::round(std::span<const Plan> plans) const {
  RoundedQueries rounded;
  rounded.step_bytes = (dims_ * 2 + 63) / 64 * 64;
  rounded.words.resize(plans.size() * rounded.step_bytes);
  rounded.units.resize(plans.size());
  std::vector<float> floats(dims_);
  for (size_t q = 0; q < plans.size(); ++q) {
    const PreparedQuery& query = plans[q].query();
    for (size_t j = 0; j < dims_; ++j) floats[j] = static_cast<float>(query.wide[j]);
    std::byte* words = rounded.words.data() + q * rounded.step_bytes;
    float square = 0;
    narrow_kernels_->prepare_rounded(reinterpret_cast<const std::byte*>(floats.data()), 1, dims_,
                                     words, rounded.step_bytes, &rounded.units[q], &square);
    double sum = 0;
    for (size_t j = 0; j < dims_; ++j) {
      const double element = rounded_element(narrow_kernels_->rounding, words + j * 2);
      const double error = query.wide[j] - element * static_cast<double>(rounded.units[q]);
      sum += error * error;
    }
    rounded.error = std::max(rounded.error, std::sqrt(sum) / query.norm * (1 + 1e-9));
  }
  return rounded;
}

std::optional<PanelFilter> PanelFilter::create(const RowSource& rows, std::span<const Plan> plans,
                                               uint64_t k) {
  if (plans.size() < kFewestQueries) return {};
  const std::optional<Margin> margin = Margin::create(rows.dims(), plans);
  if (!margin) return {};
  PanelFilter filter(*margin);
  filter.row_type_ = rows.row_type();
  filter.kernels_ = &simd::panel_kernels(simd::target());
  filter.dims_ = rows.dims();
  filter.row_bytes_ = rows.block_row_bytes();
  for (const Plan& plan : plans) filter.norms_.push_back(plan.query().norm);
  RoundedQueries rounded;
  filter.choose_items(plans, k, rounded);
  const bool is_rounded = filter.items_ == Items::kRounded;
  for (size_t q = 0; q < plans.size(); q += filter.panels_.back().count) {
    const bool is_float =
        filter.items_ == Items::kFloat32 || plans.size() - q <= filter.left_to_quad();
    filter.panels_.push_back(is_float ? filter.pack_floats(plans, q)
                                      : filter.pack_words(plans, rounded, q));
  }
  for (size_t q = 0; is_rounded && q < plans.size(); q += filter.exact_panels_.back().count) {
    filter.exact_panels_.push_back(filter.pack_floats(plans, q));
  }
  return filter;
}

void PanelFilter::choose_items(std::span<const Plan> plans, uint64_t k, RoundedQueries& rounded) {
  narrow_kernels_ = simd::narrow_panel_kernels(simd::target());
  if (narrow_kernels_ == nullptr) return;
  const PreparedQuery& query = plans.front().query();
  if (!query.narrow.empty()) {
    if (dims_ > simd::kMostInt32Dims) return;
    items_ = Items::kBytes;
    const bool is_signed_row = row_type_ == simd::RowType::kInt8;
    const bool is_widened = narrow_kernels_->byte_bytes != 1;
    flip_ = !is_widened && is_signed_row == query.integers.is_signed ? 0x80 : 0;
    return;
  }
  if (narrow_kernels_->rounding == simd::Rounding::kBFloat16 && k > kMostOfBFloat16) {
    narrow_kernels_ = simd::narrow_panel_kernels(simd::Target::kAvx3Dl);
  }
  if (plans.size() >= narrow_kernels_->fewest_queries &&
      dims_ >= narrow_kernels_->fewest_rounded_dims && dims_ <= simd::kMostRoundedDims) {
    items_ = Items::kRounded;
    rounded = round(plans);
    const double rows = most_row_error(narrow_kernels_->rounding, dims_);
    narrow_margin_ = *Margin::create(dims_, plans, rows + (1 + rows) * rounded.error);
  }
}

size_t PanelFilter::left_to_quad() const noexcept {
  if (items_ != Items::kRounded) return 0;
  return std::min(simd::kQuadQueries, narrow_kernels_->fewest_queries - 1);
}

size_t PanelFilter::item_bytes() const noexcept {
  return items_ == Items::kBytes     ? narrow_kernels_->byte_bytes
         : items_ == Items::kRounded ? 2
                                     : sizeof(float);
}

size_t PanelFilter::words() const noexcept {
  const size_t step_bytes = narrow_kernels_->step_words * simd::kNarrowWordBytes;
  return (dims_ * item_bytes() + step_bytes - 1) / step_bytes * narrow_kernels_->step_words;
}

PanelFilter::Panel PanelFilter::pack_floats(std::span<const Plan> plans, size_t first) const {
  const size_t lanes = kernels_->vector_queries;
  const size_t left = plans.size() - first;
  // The last few cost less as quads than as one vector most of which is empty.
  const size_t in_quads = (left % lanes + simd::kQuadQueries - 1) / simd::kQuadQueries;
  const bool ends_in_quads =
      in_quads * (dims_ / lanes * simd::kQuadQueries + kQuadEnd + dims_ % lanes) < dims_;
  const size_t vectors = left / lanes + (left % lanes != 0 && !ends_in_quads ? 1 : 0);
  const bool is_quad = vectors == 0;
  const size_t taken = vectors_of_next(vectors, simd::kMaxPanelVectors);
  const size_t width = is_quad ? simd::kQuadQueries : taken * lanes;
  Panel panel = {first, std::min(left, width), width, margin_};
  panel.kernel = is_quad ? kernels_->quad : kernels_->panel[taken - 1];
  panel.packed.resize(dims_ * width);
  const size_t query_step = is_quad ? dims_ : 1;
  const size_t element_step = is_quad ? 1 : width;
  for (size_t q = 0; q < panel.count; ++q) {
    const std::vector<double>& query = plans[first + q].query().wide;
    float* to = panel.packed.data() + q * query_step;
    for (size_t j = 0; j < dims_; ++j) to[j * element_step] = static_cast<float>(query[j]);
  }
  return panel;
}

PanelFilter::Panel PanelFilter::pack_words(std::span<const Plan> plans,
                                           const RoundedQueries& rounded, size_t first) const {
  constexpr size_t kLanes = simd::kNarrowPanelLanes;
  constexpr size_t kWord = simd::kNarrowWordBytes;
  const size_t left = plans.size() - first;
  const bool is_bytes = items_ == Items::kBytes;
  const size_t vectors =
      vectors_of_next((left + kLanes - left_to_quad() - 1) / kLanes, narrow_kernels_->most_vectors);
  const size_t width = vectors * kLanes;
  const bool is_signed = plans.front().query().integers.is_signed;
  const simd::NarrowPanelFns& kernels = !is_bytes   ? narrow_kernels_->of_rounded
                                        : is_signed ? narrow_kernels_->of_int8
                                                    : narrow_kernels_->of_uint8;
  Panel panel = {first, std::min(left, width), width, narrow_margin_};
  panel.narrow_kernel = kernels[vectors - 1];
  panel.packed_words.resize(words() * kWord * width / sizeof(simd::NarrowLine));
  panel.units.resize(width);
  if (is_bytes) panel.starts.resize(width);
  const size_t query_bytes = dims_ * item_bytes();
  for (size_t q = 0; q < panel.count; ++q) {
    const simd::IntegerQuery& integers = plans[first + q].query().integers;
    const std::byte* query = !is_bytes ? rounded.of(first + q)
                             : item_bytes() == 1
                                 ? integers.bytes
                                 : reinterpret_cast<const std::byte*>(integers.values);
    for (size_t at = 0; at < query_bytes; at += kWord) {
      std::memcpy(bytes_of(panel.packed_words) + at * width + q * kWord, query + at,
                  std::min(kWord, query_bytes - at));
    }
    panel.units[q] = is_bytes ? 1.0f : rounded.units[first + q];
    // What flipped rows have more, or less: 128 in each element.
    if (flip_ != 0) {
      panel.starts[q] = static_cast<int32_t>((is_signed ? -128 : 128) * integers.sum);
    }
  }
  return panel;
}

size_t PanelFilter::cached_panels(std::span<const Panel> panels) noexcept {
  const Panel& first = panels.front();
  const size_t bytes =
      first.packed.size() * sizeof(float) + first.packed_words.size() * sizeof(simd::NarrowLine);
  return std::max<size_t>(1, kCachedBytes / std::max<size_t>(1, bytes));
}

PanelFilter::State::State(const PanelFilter& filter)
    : filter_(&filter),
      slopes_(filter.norms_.size() + simd::kMaxPanelQueries, 0.0f),
      bounds_(filter.norms_.size() + simd::kMaxPanelQueries, kInfinity),
      dots_(kRows * simd::kMaxPanelQueries) {
  units_.fill(1.0f);
}

const float* PanelFilter::State::as_floats(const std::byte* rows, size_t count) {
  const size_t dims = filter_->dims_;
  const bool is_aligned = reinterpret_cast<uintptr_t>(rows) % alignof(float) == 0;
  if (filter_->row_type_ == simd::RowType::kFloat32 && is_aligned) {
    return reinterpret_cast<const float*>(rows);
  }
  if (converted_.size() < count * dims) converted_.resize(count * dims);
  const auto convert = filter_->kernels_->to_float32[static_cast<size_t>(filter_->row_type_)];
  convert(rows, count * dims, converted_.data());
  return converted_.data();
}

void PanelFilter::State::prepare_narrow(const std::byte* rows, size_t count) {
  const size_t dims = filter_->dims_;
  constexpr size_t kLine = sizeof(simd::NarrowLine);
  const size_t lines = (dims * filter_->item_bytes() + kLine - 1) / kLine;
  const size_t step_bytes = lines * kLine;
  if (narrow_.size() < count * lines) narrow_.resize(count * lines);
  std::byte* narrow = bytes_of(narrow_);
  const simd::NarrowPanelKernels& kernels = *filter_->narrow_kernels_;
  if (filter_->items_ == Items::kBytes) {
    kernels.prepare_bytes(rows, count, dims, filter_->row_type_ == simd::RowType::kInt8,
                          filter_->flip_, narrow, step_bytes, squares_.data());
  } else {
    kernels.prepare_rounded(rows, count, dims, narrow, step_bytes, units_.data(), squares_.data());
  }
  narrow_rows_ = {narrow,           count,           step_bytes,
                  filter_->words(), lengths_.data(), offsets_.data(),
                  units_.data(),    nullptr,         0};
}

void PanelFilter::State::set_rows(const std::byte* rows, size_t count, const std::byte* next,
                                  bool is_exact) {
  const simd::FlushSubnormals flush;
  count_ = count;
  next_ = next;
  if (filter_->items_ == Items::kBytes) {
    prepare_narrow(rows, count);
  } else {
    const float* floats = as_floats(rows, count);
    rows_ = {floats, count, filter_->dims_, lengths_.data(), offsets_.data(), nullptr, 0};
    if (filter_->items_ == Items::kRounded && !is_exact) {
      prepare_narrow(reinterpret_cast<const std::byte*>(floats), count);
    } else {
      filter_->kernels_->square_norms(floats, count, filter_->dims_, squares_.data());
    }
  }
  for (size_t r = 0; r < count; ++r) {
    const float length = std::sqrt(squares_[r]);
    if (Margin::is_in_range(static_cast<double>(length))) {
      lengths_[r] = length;
      offsets_[r] = squares_[r] * filter_->margin_.half();
    } else {
      // Also for NaN: everything passes.
      lengths_[r] = 0.0f;
      offsets_[r] = -kInfinity;
    }
  }
}

void PanelFilter::State::set_bound(const Panel& panel, size_t q, double bound) {
  const size_t query = panel.first + q;
  const Margin::Line line = panel.margin.line(filter_->norms_[query], bound);
  slopes_[query] = line.slope;
  bounds_[query] = line.bound;
}

void PanelFilter::State::run(const Panel& panel, size_t part, size_t parts, uint64_t* passing) {
  const float* slopes = slopes_.data() + panel.first;
  const float* bounds = bounds_.data() + panel.first;
  const size_t share = count_ * filter_->row_bytes_ / parts;
  const std::byte* next = next_ == nullptr ? nullptr : next_ + part * share;
  if (panel.narrow_kernel != nullptr) {
    narrow_rows_.next = next;
    narrow_rows_.next_bytes = share;
    panel.narrow_kernel(
        narrow_rows_,
        {bytes_of(panel.packed_words), panel.starts.data(), panel.units.data(), slopes, bounds},
        dots_.data(), passing);
  } else {
    rows_.next = next;
    rows_.next_bytes = share;
    const simd::FlushSubnormals flush;
    panel.kernel(rows_, {panel.packed.data(), slopes, bounds}, dots_.data(), passing);
  }
  const uint64_t used = (uint64_t{1} << panel.count) - 1;
  for (size_t r = 0; r < count_; ++r) passing[r] &= used;
}

std::optional<ScoreRange> PanelFilter::State::score_range(const Panel& panel, size_t r,
                                                          size_t q) const {
  if (std::isinf(offsets_[r])) return {};
  return panel.margin.score_range(
      filter_->norms_[panel.first + q], static_cast<double>(dots_[r * panel.width + q]),
      static_cast<double>(squares_[r]), static_cast<double>(lengths_[r]));
}

}  // namespace npk::internal
