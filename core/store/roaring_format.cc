#include "core/store/roaring_format.h"

#include <algorithm>
#include <bit>
#include <string_view>

#include "core/store/codec.h"
#include "npk/internal/text.h"

namespace npk::internal {
namespace {

constexpr uint32_t kCookieNoRuns = 12'346;
constexpr uint32_t kCookieRuns = 12'347;
constexpr uint64_t kNoOffsetBelow = 4;  // Bitmaps with runs and fewer containers have no offsets.
constexpr uint64_t kArrayLimit = 4'096;
constexpr uint64_t kBitsetBytes = sizeof(RowBits);

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
    NPK_ASSIGN_OR_RETURN(const auto values, take_bytes(kBitsetBytes));
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
      if (begin < next || end > kContainerRows) return damage("runs are out of order");
      next = end;
      found += end - begin;
      for (uint64_t word = begin / 64; word * 64 < end; ++word) {
        uint64_t bits = mask_below(end - word * 64);
        if (word == begin / 64) bits &= ~mask_below(begin % 64);
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

void RoaringEncoder::add_container(uint64_t first_row, std::span<const BitRun> runs) {
  if (runs.empty()) return;
  uint64_t count = 0;
  for (const BitRun& run : runs) count += run.end - run.begin;
  const auto upper = static_cast<uint32_t>(first_row >> 32);
  if (bitmaps_.empty() || bitmaps_.back().upper != upper) bitmaps_.emplace_back().upper = upper;
  Bitmap& bitmap = bitmaps_.back();
  const size_t at = bitmap.begins.size();
  bitmap.begins.push_back(static_cast<uint32_t>(bitmap.containers.size()));
  append_le(bitmap.descriptions, static_cast<uint16_t>(first_row >> 16));
  append_le(bitmap.descriptions, static_cast<uint16_t>(count - 1));
  if (at % 8 == 0) bitmap.run_flags.push_back(std::byte{0});
  std::vector<std::byte>& out = bitmap.containers;
  const uint64_t run_bytes = 2 + 4 * runs.size();
  // The choice is CRoaring's, so that both write the same bytes.
  if (count <= kArrayLimit ? run_bytes <= count * 2 : run_bytes < kBitsetBytes) {
    bitmap.has_runs = true;
    bitmap.run_flags.back() |= std::byte{1} << (at % 8);
    append_le(out, static_cast<uint16_t>(runs.size()));
    for (const BitRun& run : runs) {
      append_le(out, static_cast<uint16_t>(run.begin));
      append_le(out, static_cast<uint16_t>(run.end - run.begin - 1));
    }
  } else if (count <= kArrayLimit) {
    for (const BitRun& run : runs) {
      for (uint32_t row = run.begin; row < run.end; ++row) {
        append_le(out, static_cast<uint16_t>(row));
      }
    }
  } else {
    RowBits bits{};
    for (const BitRun& run : runs) set_bits(bits.data(), run.begin, run.end);
    for (const uint64_t word : bits) append_le(out, word);
  }
}

void RoaringEncoder::encode(const Bitmap& bitmap, std::vector<std::byte>& out) {
  const size_t begin = out.size();
  const auto count = static_cast<uint32_t>(bitmap.begins.size());
  const auto add = [&](const std::vector<std::byte>& bytes) {
    out.insert(out.end(), bytes.begin(), bytes.end());
  };
  if (bitmap.has_runs) {
    append_le(out, kCookieRuns | (count - 1) << 16);
    add(bitmap.run_flags);
  } else {
    append_le(out, kCookieNoRuns);
    append_le(out, count);
  }
  add(bitmap.descriptions);
  if (!bitmap.has_runs || count >= kNoOffsetBelow) {
    const auto header_bytes = static_cast<uint32_t>(out.size() - begin + 4 * count);
    for (const uint32_t offset : bitmap.begins) append_le(out, header_bytes + offset);
  }
  add(bitmap.containers);
}

std::vector<std::byte> RoaringEncoder::finish() && {
  std::vector<std::byte> out;
  append_le<uint64_t>(out, bitmaps_.size());
  for (const Bitmap& bitmap : bitmaps_) {
    append_le(out, bitmap.upper);
    encode(bitmap, out);
  }
  return out;
}

std::vector<std::byte> encode_roaring(std::span<const uint64_t> rows) {
  RoaringEncoder encoder;
  std::vector<BitRun> runs;
  for (size_t i = 0; i < rows.size();) {
    const uint64_t container = rows[i] / kContainerRows;
    runs.clear();
    for (; i < rows.size() && rows[i] / kContainerRows == container; ++i) {
      const auto row = static_cast<uint32_t>(rows[i] % kContainerRows);
      if (runs.empty() || row > runs.back().end) runs.push_back({row, row});
      runs.back().end = row + 1;
    }
    encoder.add_container(container * kContainerRows, runs);
  }
  return std::move(encoder).finish();
}

std::vector<std::byte> encode_roaring_range(uint64_t begin, uint64_t end) {
  RoaringEncoder encoder;
  for (uint64_t next = 0; begin < end; begin = next) {
    const uint64_t first_row = begin / kContainerRows * kContainerRows;
    next = std::min(end, first_row + kContainerRows);
    const BitRun run = {static_cast<uint32_t>(begin - first_row),
                        static_cast<uint32_t>(next - first_row)};
    encoder.add_container(first_row, {&run, 1});
  }
  return std::move(encoder).finish();
}

Status decode_roaring(std::span<const std::byte> bytes, uint64_t row_count,
                      const std::function<void(uint64_t, uint64_t, uint64_t)>& sink) {
  return Decoder(bytes, row_count, sink).run();
}

}  // namespace npk::internal
