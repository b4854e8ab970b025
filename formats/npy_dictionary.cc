// The parser of an npy header's Python dictionary. It knows the literals that NumPy writes: quoted
// keys, one string, True and False, and a tuple of non-negative integers. Nothing is evaluated.
#include <array>
#include <string>

#include "formats/npy.h"
#include "formats/npy_types.h"
#include "npk/internal/text.h"

namespace npk::formats {
namespace {

using internal::concat;

enum Key : size_t { kDescr, kFortranOrder, kShape, kKeyCount };
constexpr std::array<std::string_view, kKeyCount> kKeys = {"descr", "fortran_order", "shape"};

bool is_space(char c) { return c == ' ' || c == '\n' || c == '\t' || c == '\r'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

/// A character of an error message: as it is, or its number.
std::string shown(char c) {
  if (c >= ' ' && c <= '~') return concat("'", c, "'");
  return concat("byte ", static_cast<int>(static_cast<unsigned char>(c)));
}

class DictionaryParser {
 public:
  DictionaryParser(std::string_view text, uint64_t offset_bytes, bool python2)
      : text_(text), offset_bytes_(offset_bytes), python2_(python2) {}

  Result<NpyHeader> parse() {
    NPK_RETURN_IF_ERROR(expect('{', "the dictionary"));
    while (!accept('}')) {
      NPK_RETURN_IF_ERROR(parse_entry());
      if (accept(',')) continue;
      NPK_RETURN_IF_ERROR(expect('}', "',' or the end of the dictionary"));
      break;
    }
    skip_space();
    if (position_ != text_.size()) {
      return error(concat(shown(text_[position_]), " follows the dictionary"));
    }
    for (size_t key = 0; key < kKeyCount; ++key) {
      if (!seen_[key]) return error_at(0, concat("the key '", kKeys[key], "' is missing"));
    }
    return header_;
  }

 private:
  Status error_at(size_t position, std::string_view what) const {
    return Status::corruption(concat("npy header: ", what)).with_offset(offset_bytes_ + position);
  }
  Status error(std::string_view what) const { return error_at(position_, what); }
  /// What stands at the current position, for "… was expected, not …".
  std::string found() const {
    return position_ < text_.size() ? shown(text_[position_]) : "the end of the header";
  }

  void skip_space() {
    while (position_ < text_.size() && is_space(text_[position_])) ++position_;
  }
  bool accept(char wanted) {
    skip_space();
    if (position_ >= text_.size() || text_[position_] != wanted) return false;
    ++position_;
    return true;
  }
  Status expect(char wanted, std::string_view meaning) {
    if (accept(wanted)) return Status::ok();
    return error(concat("'", wanted, "' (", meaning, ") was expected, not ", found()));
  }

  /// A quoted string without escapes.
  Result<std::string_view> parse_string(std::string_view meaning) {
    skip_space();
    const char quote = position_ < text_.size() ? text_[position_] : ' ';
    if (quote != '\'' && quote != '"') {
      return error(concat(meaning, ", a quoted string, was expected, not ", found()));
    }
    const size_t begin = ++position_;
    while (position_ < text_.size() && text_[position_] != quote) {
      const char c = text_[position_];
      if (c < ' ' || c > '~' || c == '\\') {
        return error(concat(shown(c), " cannot stand in a string"));
      }
      ++position_;
    }
    if (position_ == text_.size()) return error_at(begin - 1, "a string has no end");
    return text_.substr(begin, position_++ - begin);
  }

  Status parse_entry() {
    skip_space();
    const size_t begin = position_;
    NPK_ASSIGN_OR_RETURN(const std::string_view name, parse_string("a key"));
    size_t key = 0;
    while (key < kKeyCount && kKeys[key] != name) ++key;
    if (key == kKeyCount) {
      return error_at(
          begin, concat("unknown key '", name, "'; there must be descr, fortran_order and shape"));
    }
    if (seen_[key]) return error_at(begin, concat("the key '", name, "' is there twice"));
    seen_[key] = true;
    NPK_RETURN_IF_ERROR(expect(':', "the value"));
    skip_space();
    if (key == kDescr) return parse_descr();
    if (key == kFortranOrder) return parse_fortran_order();
    return parse_shape();
  }

  Status parse_descr() {
    const size_t begin = position_;
    if (begin < text_.size() && (text_[begin] == '[' || text_[begin] == '(')) {
      return npy_structured_type_error().with_offset(offset_bytes_ + begin);
    }
    NPK_ASSIGN_OR_RETURN(const std::string_view descr, parse_string("the element type"));
    Result<NpyType> type = npy_type_from_descr(descr);
    if (!type) return std::move(type).status().with_offset(offset_bytes_ + begin);
    header_.dtype = type->dtype;
    header_.is_big_endian = type->is_big_endian;
    return Status::ok();
  }

  Status parse_fortran_order() {
    for (const bool value : {true, false}) {
      const std::string_view word = value ? "True" : "False";
      if (text_.substr(position_, word.size()) != word) continue;
      position_ += word.size();
      header_.is_fortran_order = value;
      return Status::ok();
    }
    return error(concat("fortran_order must be True or False, found ", found()));
  }

  Status parse_shape() {
    const size_t begin = position_;
    NPK_RETURN_IF_ERROR(expect('(', "the shape, a tuple"));
    bool has_comma = false;
    while (!accept(')')) {
      if (!header_.shape.empty() && !has_comma) {
        return error(concat("',' or ')' was expected in the shape, not ", found()));
      }
      NPK_RETURN_IF_ERROR(parse_extent());
      has_comma = accept(',');
    }
    if (header_.shape.size() == 1 && !has_comma) {
      return error_at(begin, "the shape is a number in brackets, not a tuple: a ',' is missing");
    }
    if (header_.shape.size() > kMaxDimensions) {
      return Status::unsupported(concat("the array has ", header_.shape.size(),
                                        " dimensions, at most ", kMaxDimensions, " are possible"))
          .with_offset(offset_bytes_ + begin);
    }
    const Result<uint64_t> count = shape_element_count(header_.shape);
    if (!count) return error_at(begin, count.status().message());
    return Status::ok();
  }

  Status parse_extent() {
    skip_space();
    const size_t begin = position_;
    if (begin < text_.size() && text_[begin] == '-') {
      return error("the shape has a negative extent");
    }
    uint64_t value = 0;
    while (position_ < text_.size() && is_digit(text_[position_])) {
      const auto digit = static_cast<uint64_t>(text_[position_] - '0');
      if (__builtin_mul_overflow(value, uint64_t{10}, &value) ||
          __builtin_add_overflow(value, digit, &value)) {
        return error_at(begin, "an extent of the shape is beyond 2^64");
      }
      ++position_;
    }
    if (position_ == begin) return error(concat("an integer was expected, not ", found()));
    if (text_[begin] == '0' && position_ - begin > 1) {
      return error_at(begin, "an integer begins with 0");
    }
    if (python2_ && position_ < text_.size() && text_[position_] == 'L') ++position_;
    header_.shape.push_back(value);
    return Status::ok();
  }

  std::string_view text_;
  uint64_t offset_bytes_;
  bool python2_;
  size_t position_ = 0;
  std::array<bool, kKeyCount> seen_{};
  NpyHeader header_;
};

}  // namespace

Result<NpyHeader> parse_npy_dictionary(std::string_view text, uint64_t offset_bytes, bool python2) {
  return DictionaryParser(text, offset_bytes, python2).parse();
}

}  // namespace npk::formats
