// Text: one line a row, as uint8 of the width of the longest line, filled up with zeros.
//
// A line ends with "\n" or "\r\n"; the last one may do without. Lines with a zero byte are refused,
// because the zeros at the end of a row are no part of its line. Bytes are taken as they are, UTF-8
// or not. Written lines end with "\n".
#include <algorithm>
#include <cstring>
#include <functional>
#include <string>

#include "formats/format.h"
#include "npk/internal/text.h"

namespace npk::formats {
namespace {

using internal::concat;

constexpr uint64_t kMaxLineBytes = 65'536;
constexpr uint64_t kScanBytes = 1u << 20;
// Every so many lines their place is kept, so that reading can begin near any row.
constexpr uint64_t kIndexLines = 1'024;
// One long line makes every row as wide: files that would grow beyond this are a mistake.
constexpr uint64_t kHarmlessBytes = 64u << 20;
constexpr uint64_t kMaxGrowth = 64;

struct Line {
  std::string_view text;  // Without its end.
  uint64_t number = 0;    // From 0.
  uint64_t offset_bytes = 0;
};
/// Returns false to stop.
using LineCallback = std::function<Result<bool>(const Line&)>;

Status line_error(const io::File& file, const Line& line, std::string_view what) {
  return Status::invalid_argument(concat("line ", line.number + 1, " ", what))
      .with_path(file.path())
      .with_offset(line.offset_bytes);
}

/// Calls `callback` for each line from `offset_bytes` on, where line `number` begins.
Status scan_lines(const io::File& file, uint64_t offset_bytes, uint64_t number,
                  const LineCallback& callback) {
  NPK_ASSIGN_OR_RETURN(const uint64_t file_bytes, file.size_bytes());
  const uint64_t left_bytes = file_bytes - std::min(file_bytes, offset_bytes);
  std::vector<char> buffer(std::clamp(left_bytes + 1, kMaxLineBytes + 2, kScanBytes));
  Line line{{}, number, offset_bytes};
  uint64_t held = 0;  // Bytes of the buffer that are not yet part of a line handed out.
  for (bool at_end = false; !at_end || held > 0;) {
    const auto free = std::as_writable_bytes(std::span(buffer)).subspan(held);
    NPK_ASSIGN_OR_RETURN(const uint64_t got, file.read_some_at(line.offset_bytes + held, free));
    at_end = got < free.size();
    held += got;
    uint64_t used = 0;
    while (used < held) {
      const void* newline = std::memchr(buffer.data() + used, '\n', held - used);
      if (newline == nullptr && !at_end) break;
      const uint64_t stop =
          newline == nullptr
              ? held
              : static_cast<uint64_t>(static_cast<const char*>(newline) - buffer.data());
      line.text = std::string_view(buffer.data() + used, stop - used);
      if (newline != nullptr && line.text.ends_with('\r')) line.text.remove_suffix(1);
      NPK_ASSIGN_OR_RETURN(const bool go_on, callback(line));
      if (!go_on) return Status::ok();
      const uint64_t next = std::min(held, stop + 1);
      line.offset_bytes += next - used;
      ++line.number;
      used = next;
    }
    if (used == 0 && held == buffer.size()) {
      return line_error(file, line, concat("is longer than ", kMaxLineBytes, " bytes"));
    }
    std::memmove(buffer.data(), buffer.data() + used, held - used);
    held -= used;
  }
  return Status::ok();
}

class TxtReader final : public RowReader {
 public:
  explicit TxtReader(std::unique_ptr<io::File> file) : file_(std::move(file)) {
    dtype_ = DType::kUint8;
  }

  /// Counts and measures the lines.
  Status measure(const ReadOptions& options) {
    Line longest;
    uint64_t longest_bytes = 0;
    uint64_t lines = 0;
    const LineCallback measure_line = [&](const Line& line) -> Result<bool> {
      NPK_RETURN_IF_ERROR(check_line(line, options.text_width_bytes));
      if (line.text.size() > longest_bytes || lines == 0) {
        longest_bytes = line.text.size();
        longest = Line{{}, line.number, line.offset_bytes};
      }
      if (line.number % kIndexLines == 0) index_.push_back(line.offset_bytes);
      lines = line.number + 1;
      return true;
    };
    NPK_RETURN_IF_ERROR(scan_lines(*file_, 0, 0, measure_line));
    const uint64_t width = options.text_width_bytes != 0 ? options.text_width_bytes : longest_bytes;
    shape_ = {lines, width};
    NPK_ASSIGN_OR_RETURN(const uint64_t file_bytes, file_->size_bytes());
    if (lines * width > kHarmlessBytes && lines * width / kMaxGrowth > file_bytes) {
      return line_error(
          *file_, longest,
          concat("has ", width, " bytes, and as each of the ", lines,
                 " rows is as wide as the longest, the ", file_bytes,
                 " bytes of text would become ", lines * width, ": shorten the longest lines"));
    }
    return Status::ok();
  }

  Status read(uint64_t begin, uint64_t end, std::span<std::byte> out) override {
    if (begin >= end || out.empty()) return Status::ok();
    std::fill(out.begin(), out.end(), std::byte{0});
    uint64_t offset_bytes = index_[begin / kIndexLines];
    uint64_t number = begin - begin % kIndexLines;
    if (begin >= next_.number && next_.number > number) {
      offset_bytes = next_.offset_bytes;
      number = next_.number;
    }
    const uint64_t width = shape_[1];
    uint64_t filled = begin;
    const LineCallback copy_line = [&](const Line& line) -> Result<bool> {
      next_ = Line{{}, line.number, line.offset_bytes};
      if (line.number < begin) return true;
      if (line.number >= end) return false;
      if (line.text.size() > width) return changed(line.offset_bytes);
      std::memcpy(out.data() + (line.number - begin) * width, line.text.data(), line.text.size());
      ++filled;
      return true;
    };
    NPK_RETURN_IF_ERROR(scan_lines(*file_, offset_bytes, number, copy_line));
    if (filled < end) return changed(next_.offset_bytes);
    return Status::ok();
  }

 private:
  Status check_line(const Line& line, uint64_t width_bytes) const {
    const uint64_t most = width_bytes != 0 ? width_bytes : kMaxLineBytes;
    if (line.text.size() > most) {
      const std::string_view why = width_bytes != 0 ? ", the width of the array's rows" : "";
      return line_error(*file_, line,
                        concat("has ", line.text.size(), " bytes, at most ", most, why,
                               ", are possible; shorten it or make a new array"));
    }
    const size_t zero = line.text.find('\0');
    if (zero == std::string_view::npos) return Status::ok();
    Line at = line;
    at.offset_bytes += zero;
    return line_error(*file_, at, "holds a zero byte: this is not text");
  }
  Status changed(uint64_t offset_bytes) const {
    return Status::corruption("the file changed while it was read")
        .with_path(file_->path())
        .with_offset(offset_bytes);
  }

  std::unique_ptr<io::File> file_;
  std::vector<uint64_t> index_;  // Where line i * kIndexLines begins.
  Line next_;                    // Where the last read ended.
};

class TxtWriter final : public RowWriter {
 public:
  explicit TxtWriter(io::File& file) : file_(file) {}

  Status add(const ArrayView& rows) override {
    NPK_ASSIGN_OR_RETURN(const Array block, Array::copy_of(rows));
    const uint64_t width = block.row_bytes();
    std::string text;
    for (uint64_t row = 0; row < block.rows(); ++row, ++row_) {
      std::string_view line(reinterpret_cast<const char*>(block.data()) + row * width, width);
      line = line.substr(0, line.find_last_not_of('\0') + 1);
      const size_t bad = line.find_first_of(std::string_view("\n\0", 2));
      if (bad != std::string_view::npos || line.ends_with('\r')) {
        return Status::invalid_argument(concat("row ", row_, " is no line of text: it has a ",
                                               bad == std::string_view::npos
                                                   ? "carriage return at its end"
                                               : line[bad] == '\n' ? "line end inside"
                                                                   : "zero byte inside",
                                               "; export the array to an .npy file instead"));
      }
      text += line;
      text += '\n';
    }
    NPK_RETURN_IF_ERROR(file_.write_at(end_bytes_, std::as_bytes(std::span(text))));
    end_bytes_ += text.size();
    return Status::ok();
  }
  Status finish() override { return Status::ok(); }

 private:
  io::File& file_;
  uint64_t end_bytes_ = 0;
  uint64_t row_ = 0;
};

}  // namespace

Result<std::unique_ptr<RowReader>> open_txt(std::unique_ptr<io::File> file,
                                            const ReadOptions& options) {
  auto reader = std::make_unique<TxtReader>(std::move(file));
  NPK_RETURN_IF_ERROR(reader->measure(options));
  return std::unique_ptr<RowReader>(std::move(reader));
}

Result<std::unique_ptr<RowWriter>> create_txt(io::File& file, DType dtype, const Shape& shape) {
  if (dtype != DType::kUint8 || shape.size() != 2) {
    return Status::invalid_argument(concat(
        "only uint8 arrays of 2 dimensions can be written as lines of text, this one is ",
        dtype_name(dtype), " of shape ", shape_to_string(shape), "; export it to an .npy file"));
  }
  return std::unique_ptr<RowWriter>(std::make_unique<TxtWriter>(file));
}

}  // namespace npk::formats
