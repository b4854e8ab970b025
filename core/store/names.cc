#include "core/store/names.h"

#include <algorithm>
#include <charconv>

#include "npk/internal/text.h"

namespace npk::internal {
namespace {

bool is_plain(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '-';
}

std::string hex(uint64_t value, int digits) {
  std::string text(static_cast<size_t>(digits), '0');
  for (auto at = text.rbegin(); at != text.rend(); ++at, value >>= 4) {
    *at = "0123456789abcdef"[value & 15];
  }
  return text;
}

/// FNV-1a, 64 bits (Fowler, Noll, Vo).
uint64_t hash(std::string_view text, uint32_t salt) {
  uint64_t value = 0xcbf29ce484222325u ^ salt;
  for (const char c : text) value = (value ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  return value;
}

bool is_number(std::string_view text) {
  return !text.empty() && text.size() <= 20 &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

/// Splits "a.b.c" into "a.b" and "c".
std::pair<std::string_view, std::string_view> split_last(std::string_view text) {
  const size_t dot = text.rfind('.');
  if (dot == std::string_view::npos) return {text, {}};
  return {text.substr(0, dot), text.substr(dot + 1)};
}

}  // namespace

bool is_valid_utf8(std::string_view text) {
  for (size_t i = 0; i < text.size();) {
    const auto byte = [&](size_t at) {
      return at < text.size() ? static_cast<unsigned char>(text[at]) : 0u;
    };
    const unsigned lead = byte(i);
    const size_t length = lead < 0x80   ? 1
                          : lead < 0xc2 ? 0
                          : lead < 0xe0 ? 2
                          : lead < 0xf0 ? 3
                          : lead < 0xf5 ? 4
                                        : 0;
    if (length == 0) return false;
    for (size_t k = 1; k < length; ++k) {
      if ((byte(i + k) & 0xc0) != 0x80) return false;
    }
    const unsigned second = byte(i + 1);  // Overlong forms, surrogates, beyond U+10FFFF.
    if ((lead == 0xe0 && second < 0xa0) || (lead == 0xed && second > 0x9f) ||
        (lead == 0xf0 && second < 0x90) || (lead == 0xf4 && second > 0x8f)) {
      return false;
    }
    i += length;
  }
  return true;
}

Status check_array_name(std::string_view name) {
  if (name.empty()) return Status::invalid_argument("an array's name must not be empty");
  if (name.size() > kMaxNameBytes) {
    return Status::invalid_argument(concat("an array's name has ", name.size(), " bytes; at most ",
                                           kMaxNameBytes, " are possible"));
  }
  if (const size_t at = name.find('\0'); at != std::string_view::npos) {
    return Status::invalid_argument(
        concat("an array's name has a NUL character at byte ", at, "; leave it out"));
  }
  if (!is_valid_utf8(name)) {
    return Status::invalid_argument("an array's name is not valid UTF-8; encode it as UTF-8");
  }
  return {};
}

std::string file_stem(std::string_view name, uint32_t attempt) {
  std::string stem;
  for (size_t i = 0; i < name.size(); ++i) {
    const bool is_inner_dot = name[i] == '.' && i != 0 && i + 1 != name.size();
    if (is_plain(name[i]) || is_inner_dot) {
      stem += name[i];
    } else {
      stem += '%' + hex(static_cast<unsigned char>(name[i]), 2);
    }
  }
  if (stem.size() > kMaxStemBytes || attempt > 0) {
    stem.resize(std::min<size_t>(stem.size(), kMaxStemBytes - 17));
    stem += '~' + hex(hash(name, attempt), 16);
  }
  return stem;
}

bool is_stem_of(std::string_view stem, std::string_view name) {
  for (uint32_t attempt = 0; attempt < kStemAttempts; ++attempt) {
    if (file_stem(name, attempt) == stem) return true;
    if (stem.find('~') == std::string_view::npos) return false;  // Only hashed stems have others.
  }
  return false;
}

std::string log_file(uint32_t index) { return concat("log.", index); }
std::string sidecar_file(std::string_view stem) { return concat(stem, kSidecarSuffix); }
std::string rows_file(std::string_view stem, uint64_t generation) {
  return concat(stem, ".", generation, ".rows");
}
std::string deleted_file(std::string_view stem, uint64_t generation, uint64_t record) {
  return concat(stem, ".", generation, ".deleted.", record);
}
std::string sums_file(std::string_view stem, uint64_t generation, uint64_t record) {
  return concat(stem, ".", generation, ".sums.", record);
}

std::vector<std::string> SideFiles::names() const {
  std::vector<std::string> names;
  for (const std::string& name : {deleted, sums}) {
    if (!name.empty()) names.push_back(name);
  }
  return names;
}

std::string before_images_path(std::string_view rows_path, uint64_t log_first_record) {
  return concat(split_last(rows_path).first, ".before.", log_first_record);
}

std::optional<BeforeImagesFile> parse_before_images_file(std::string_view file_name) {
  if (file_kind(file_name) != FileKind::kBeforeImages) return std::nullopt;
  const auto [head, number] = split_last(file_name);
  BeforeImagesFile file{concat(split_last(head).first, ".rows"), 0};
  std::from_chars(number.data(), number.data() + number.size(), file.log_first_record);
  return file;
}

FileKind file_kind(std::string_view file_name) {
  if (file_name == kStoreFile) return FileKind::kStore;
  if (file_name == kLockFile) return FileKind::kLock;
  if (file_name == kChangesFile) return FileKind::kChanges;
  if (file_name == "log.0" || file_name == "log.1") return FileKind::kLog;
  const auto [head, last] = split_last(file_name);
  if (last.empty() || head.empty()) return FileKind::kForeign;
  if (last == "tmp") {
    return file_kind(head) == FileKind::kForeign ? FileKind::kForeign : FileKind::kTemporary;
  }
  if (last == "meta") return FileKind::kSidecar;
  if (last == "rows" && is_number(split_last(head).second)) return FileKind::kRows;
  if (is_number(last)) {
    const auto [stem, word] = split_last(head);
    if (is_number(split_last(stem).second)) {
      if (word == "deleted") return FileKind::kDeleted;
      if (word == "before") return FileKind::kBeforeImages;
      if (word == "sums") return FileKind::kSums;
    }
  }
  return FileKind::kForeign;
}

}  // namespace npk::internal
