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
// The same of an unpacked panel, for each query (measured: 11 queries of 128 dimensions take as
// long packed).
constexpr size_t kUnpackedEnd = 48;
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

/// Parts [begin, end) of `parts`.
simd::Upcoming part_of(const simd::Upcoming& all, size_t begin, size_t end, size_t parts) noexcept {
  const size_t part = all.bytes / parts;
  return {static_cast<const std::byte*>(all.at) + begin * part, (end - begin) * part};
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
  std::vector<std::byte> words;  // step_bytes() of each, zeros behind it.
  std::vector<float> units;      // What each is a multiple of.
  double error = 0;  // How far they lie from the queries, relative to those: the furthest.
};

PanelFilter::RoundedQueries PanelFilter::round(std::span<const Plan> plans) const {
  RoundedQueries rounded;
  rounded.words.resize(plans.size() * step_bytes());
  rounded.units.resize(plans.size());
  std::vector<float> floats(dims_);
  for (size_t q = 0; q < plans.size(); ++q) {
    const PreparedQuery& query = plans[q].query();
    for (size_t j = 0; j < dims_; ++j) floats[j] = static_cast<float>(query.wide[j]);
    std::byte* words = rounded.words.data() + q * step_bytes();
    float square = 0;
    narrow_kernels_->prepare_rounded(reinterpret_cast<const std::byte*>(floats.data()), 1, dims_,
                                     words, step_bytes(), {}, &rounded.units[q], &square);
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
  if (items_ != Items::kRounded || narrow_kernels_->unpacked != nullptr) return 0;
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

size_t PanelFilter::step_bytes() const noexcept {
  constexpr size_t kLine = sizeof(simd::NarrowLine);
  return (dims_ * item_bytes() + kLine - 1) / kLine * kLine;
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
  const bool is_unpacked =
      narrow_kernels_->unpacked != nullptr && left * (dims_ + kUnpackedEnd) < kLanes * dims_;
  const size_t vectors =
      vectors_of_next((left + kLanes - left_to_quad() - 1) / kLanes, narrow_kernels_->most_vectors);
  const size_t width = vectors * kLanes;
  const bool is_signed = plans.front().query().integers.is_signed;
  const simd::NarrowPanelFns& kernels = !is_bytes   ? narrow_kernels_->of_rounded
                                        : is_signed ? narrow_kernels_->of_int8
                                                    : narrow_kernels_->of_uint8;
  Panel panel = {first, std::min(left, width), width, narrow_margin_};
  panel.narrow_kernel = is_unpacked ? narrow_kernels_->unpacked : kernels[vectors - 1];
  const size_t packed_bytes =
      is_unpacked ? (panel.count + 1) * step_bytes() : words() * kWord * width;
  panel.packed_words.resize(packed_bytes / sizeof(simd::NarrowLine));
  panel.units.resize(width);
  if (is_bytes) panel.starts.resize(width);
  const size_t query_bytes = dims_ * item_bytes();
  for (size_t q = 0; q < panel.count; ++q) {
    const simd::IntegerQuery& integers = plans[first + q].query().integers;
    const std::byte* query = !is_bytes ? rounded.words.data() + (first + q) * step_bytes()
                             : item_bytes() == 1
                                 ? integers.bytes
                                 : reinterpret_cast<const std::byte*>(integers.values);
    std::byte* packed = bytes_of(panel.packed_words);
    if (is_unpacked) {
      std::memcpy(packed + q * step_bytes(), query, query_bytes);
    } else {
      for (size_t at = 0; at < query_bytes; at += kWord) {
        std::memcpy(packed + at * width + q * kWord, query + at, std::min(kWord, query_bytes - at));
      }
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
      dots_(kMostRows * simd::kMaxPanelQueries) {
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

void PanelFilter::State::prepare_narrow(const std::byte* rows, size_t count, size_t panels) {
  const size_t dims = filter_->dims_;
  const size_t step_bytes = filter_->step_bytes();
  const size_t lines = count * step_bytes / sizeof(simd::NarrowLine);
  if (narrow_.size() < lines) narrow_.resize(lines);
  std::byte* narrow = bytes_of(narrow_);
  const simd::NarrowPanelKernels& kernels = *filter_->narrow_kernels_;
  if (filter_->items_ == Items::kBytes) {
    kernels.prepare_bytes(rows, count, dims, filter_->row_type_ == simd::RowType::kInt8,
                          filter_->flip_, narrow, step_bytes, squares_.data());
  } else {
    const size_t first = kernels.prepare_parts;
    const size_t parts = first + panels * simd::kPanelParts;
    const simd::Upcoming asked_now = part_of(upcoming_, 0, first, parts);
    upcoming_ = part_of(upcoming_, first, parts, parts);
    kernels.prepare_rounded(rows, count, dims, narrow, step_bytes, asked_now, units_.data(),
                            squares_.data());
  }
  narrow_rows_ = {narrow,          count,           step_bytes,    filter_->words(),
                  lengths_.data(), offsets_.data(), units_.data(), {}};
}

void PanelFilter::State::set_rows(const std::byte* rows, size_t count, const std::byte* next,
                                  size_t panels, bool is_exact) {
  const simd::FlushSubnormals flush;
  count_ = count;
  upcoming_ = {next, next == nullptr ? 0 : count * filter_->row_bytes_};
  if (filter_->items_ == Items::kBytes) {
    prepare_narrow(rows, count, panels);
  } else {
    const float* floats = as_floats(rows, count);
    rows_ = {floats, count, filter_->dims_, lengths_.data(), offsets_.data(), {}};
    if (filter_->items_ == Items::kRounded && !is_exact) {
      prepare_narrow(reinterpret_cast<const std::byte*>(floats), count, panels);
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
  const simd::Upcoming upcoming = part_of(upcoming_, part, part + 1, parts);
  if (panel.narrow_kernel != nullptr) {
    narrow_rows_.upcoming = upcoming;
    panel.narrow_kernel(narrow_rows_,
                        {bytes_of(panel.packed_words), panel.count, panel.starts.data(),
                         panel.units.data(), slopes, bounds},
                        dots_.data(), passing);
  } else {
    rows_.upcoming = upcoming;
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
