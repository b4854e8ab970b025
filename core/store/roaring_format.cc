#include "core/store/roaring_format.h"

#include <algorithm>
#include <bit>
#include <map>
#include <string_view>

#include <roaring/roaring.h>

#include "core/store/codec.h"
#include "npk/internal/text.h"

namespace npk::internal {
namespace {

constexpr uint32_t kCookieNoRuns = 12'346;
constexpr uint32_t kCookieRuns = 12'347;
constexpr uint64_t kNoOffsetBelow = 4;  // Bitmaps with runs and fewer containers have no offsets.
constexpr uint64_t kArrayLimit = 4'096;

/// A cursor that refuses to pass the end.
class Decoder {
 public:
  Decoder(std::span<const std::byte> bytes, uint64_t row_count,
          const std::function<void(uint64_t, uint64_t, uint64_t)>& sink)
      : bytes_(bytes), row_count_(row_count), sink_(sink) {}

  Status run() {
    NPK_ASSIGN_OR_RETURN(const auto bitmaps, take<uint64_t>());
    int64_t previous = -1;
    for (uint64_t i = 0; i < bitmaps; ++i) {
      NPK_ASSIGN_OR_RETURN(const auto upper, take<uint32_t>());
      if (static_cast<int64_t>(upper) <= previous) return damage("bitmaps are out of order");
      previous = upper;
      NPK_RETURN_IF_ERROR(bitmap(static_cast<uint64_t>(upper) << 32));
    }
    if (at_ != bytes_.size()) return damage("bytes follow the last bitmap");
    return {};
  }

 private:
  Status damage(std::string_view what) const {
    return Status::corruption(concat("roaring bitmap: ", what)).with_offset(at_);
  }

  template <typename T>
  Result<T> take() {
    if (bytes_.size() - at_ < sizeof(T)) return damage("is cut off");
    const T value = get_le<T>(bytes_.data() + at_);
    at_ += sizeof(T);
    return value;
  }

  Result<std::span<const std::byte>> take_bytes(uint64_t count) {
    if (bytes_.size() - at_ < count) return damage("is cut off");
    const auto taken = bytes_.subspan(at_, count);
    at_ += count;
    return taken;
  }

  Status bitmap(uint64_t base) {
    NPK_ASSIGN_OR_RETURN(const auto cookie, take<uint32_t>());
    uint64_t containers = 0;
    std::span<const std::byte> run_flags;
    if ((cookie & 0xffff) == kCookieRuns) {
      containers = (cookie >> 16) + 1;
      NPK_ASSIGN_OR_RETURN(run_flags, take_bytes((containers + 7) / 8));
    } else if (cookie == kCookieNoRuns) {
      NPK_ASSIGN_OR_RETURN(containers, take<uint32_t>());
      if (containers > 65'536) return damage("has more containers than there can be");
    } else {
      return damage("has no known cookie");
    }
    NPK_ASSIGN_OR_RETURN(const auto descriptions, take_bytes(containers * 4));
    if (run_flags.empty() || containers >= kNoOffsetBelow) {
      NPK_RETURN_IF_ERROR(take_bytes(containers * 4).status());
    }
    int64_t previous = -1;
    for (uint64_t i = 0; i < containers; ++i) {
      const auto key = get_le<uint16_t>(descriptions.data() + 4 * i);
      const uint64_t count = uint64_t{get_le<uint16_t>(descriptions.data() + 4 * i + 2)} + 1;
      if (key <= previous) return damage("containers are out of order");
      previous = key;
      const bool is_run =
          !run_flags.empty() && ((std::to_integer<unsigned>(run_flags[i / 8]) >> (i % 8)) & 1) != 0;
      const uint64_t first_row = base + (uint64_t{key} << 16);
      NPK_RETURN_IF_ERROR(check_row(first_row));  // Before the sink makes room for it.
      if (is_run) {
        NPK_RETURN_IF_ERROR(runs(first_row, count));
      } else if (count <= kArrayLimit) {
        NPK_RETURN_IF_ERROR(array(first_row, count));
      } else {
        NPK_RETURN_IF_ERROR(bitset(first_row, count));
      }
    }
    return {};
  }

  Status check_row(uint64_t row) const {
    if (row < row_count_) return {};
    return damage(concat("names row ", row, ", but there are ", row_count_));
  }

  Status array(uint64_t first_row, uint64_t count) {
    NPK_ASSIGN_OR_RETURN(const auto values, take_bytes(count * 2));
    int64_t previous = -1;
    for (uint64_t i = 0; i < count; ++i) {
      const uint64_t value = get_le<uint16_t>(values.data() + 2 * i);
      if (static_cast<int64_t>(value) <= previous) return damage("rows are out of order");
      previous = static_cast<int64_t>(value);
      sink_(first_row, value / 64, uint64_t{1} << (value % 64));
    }
    return check_row(first_row + static_cast<uint64_t>(previous));
  }

  Status bitset(uint64_t first_row, uint64_t count) {
    NPK_ASSIGN_OR_RETURN(const auto values, take_bytes(8'192));
    uint64_t found = 0;
    uint64_t last = 0;
    for (uint64_t word = 0; word < 1'024; ++word) {
      const auto bits = get_le<uint64_t>(values.data() + 8 * word);
      if (bits == 0) continue;
      found += static_cast<uint64_t>(std::popcount(bits));
      last = word * 64 + 63 - static_cast<uint64_t>(std::countl_zero(bits));
      sink_(first_row, word, bits);
    }
    if (found != count) return damage("a container's count is not that of its bits");
    return check_row(first_row + last);
  }

  Status runs(uint64_t first_row, uint64_t count) {
    NPK_ASSIGN_OR_RETURN(const auto run_count, take<uint16_t>());
    NPK_ASSIGN_OR_RETURN(const auto values, take_bytes(uint64_t{run_count} * 4));
    uint64_t found = 0;
    uint64_t next = 0;
    for (uint64_t i = 0; i < run_count; ++i) {
      const uint64_t begin = get_le<uint16_t>(values.data() + 4 * i);
      const uint64_t end = begin + get_le<uint16_t>(values.data() + 4 * i + 2) + 1;
      if (begin < next || end > 65'536) return damage("runs are out of order");
      next = end;
      found += end - begin;
      for (uint64_t word = begin / 64; word * 64 < end; ++word) {
        uint64_t bits = ~uint64_t{0};
        if (word == begin / 64) bits &= ~uint64_t{0} << (begin % 64);
        if (end - word * 64 < 64) bits &= (uint64_t{1} << (end - word * 64)) - 1;
        sink_(first_row, word, bits);
      }
    }
    if (found != count) return damage("a container's count is not that of its runs");
    return check_row(first_row + next - 1);
  }

  std::span<const std::byte> bytes_;
  uint64_t row_count_;
  const std::function<void(uint64_t, uint64_t, uint64_t)>& sink_;
  uint64_t at_ = 0;
};

}  // namespace

RoaringEncoder::~RoaringEncoder() {
  for (auto& [upper, bitmap] : bitmaps_) roaring_bitmap_free(bitmap);
}

roaring_bitmap_s* RoaringEncoder::bitmap_of(uint32_t upper) {
  if (bitmaps_.empty() || bitmaps_.back().first != upper) {
    bitmaps_.emplace_back(upper, roaring_bitmap_create());
  }
  return bitmaps_.back().second;
}

void RoaringEncoder::add_rows(uint32_t upper, std::span<const uint32_t> lower) {
  roaring_bitmap_add_many(bitmap_of(upper), lower.size(), lower.data());
}

void RoaringEncoder::add_range(uint32_t upper, uint64_t begin, uint64_t end) {
  roaring_bitmap_add_range(bitmap_of(upper), begin, end);
}

void RoaringEncoder::add_block(uint64_t first_row, std::span<const uint64_t, 1024> words) {
  const auto upper = static_cast<uint32_t>(first_row >> 32);
  std::vector<uint32_t> rows;
  for (uint64_t word = 0; word < words.size(); ++word) {
    for (uint64_t bits = words[word]; bits != 0; bits &= bits - 1) {
      rows.push_back(static_cast<uint32_t>(first_row + word * 64 +
                                           static_cast<uint64_t>(std::countr_zero(bits))));
    }
  }
  if (rows.size() == 65'536) {  // Kept as one run from the start: deleted ranges may be long.
    add_range(upper, rows.front(), uint64_t{rows.back()} + 1);
  } else {
    add_rows(upper, rows);
  }
}

std::vector<std::byte> encode_roaring(std::span<const uint64_t> rows) {
  std::map<uint32_t, std::vector<uint32_t>> by_upper;
  for (const uint64_t row : rows) {
    by_upper[static_cast<uint32_t>(row >> 32)].push_back(static_cast<uint32_t>(row));
  }
  RoaringEncoder encoder;
  for (const auto& [upper, lower] : by_upper) encoder.add_rows(upper, lower);
  return std::move(encoder).finish();
}

std::vector<std::byte> encode_roaring_range(uint64_t begin, uint64_t end) {
  constexpr uint64_t kSpan = uint64_t{1} << 32;
  RoaringEncoder encoder;
  for (uint64_t first = begin; first < end;) {
    const uint64_t last = std::min(end, (first / kSpan + 1) * kSpan);
    encoder.add_range(static_cast<uint32_t>(first >> 32), first % kSpan, (last - 1) % kSpan + 1);
    first = last;
  }
  return std::move(encoder).finish();
}

std::vector<std::byte> RoaringEncoder::finish() && {
  std::vector<std::byte> out;
  append_le<uint64_t>(out, bitmaps_.size());
  for (const auto& [upper, bitmap] : bitmaps_) {
    roaring_bitmap_run_optimize(bitmap);
    append_le<uint32_t>(out, upper);
    const size_t at = out.size();
    out.resize(at + roaring_bitmap_portable_size_in_bytes(bitmap));
    roaring_bitmap_portable_serialize(bitmap, reinterpret_cast<char*>(out.data() + at));
  }
  return out;
}

Status decode_roaring(std::span<const std::byte> bytes, uint64_t row_count,
                      const std::function<void(uint64_t, uint64_t, uint64_t)>& sink) {
  return Decoder(bytes, row_count, sink).run();
}

}  // namespace npk::internal
