#include "bindings/cli/console.h"

#include <array>
#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <unistd.h>

#include "npk/internal/text.h"

namespace npk::cli {
namespace {

using internal::concat;

constexpr std::string_view kEscapes[] = {"\x1b[1m", "\x1b[2m", "\x1b[1;31m"};
constexpr std::string_view kReset = "\x1b[0m";

bool may_colour(int descriptor) {
  const char* no_colour = std::getenv("NO_COLOR");
  const char* terminal = std::getenv("TERM");
  return ::isatty(descriptor) == 1 && (no_colour == nullptr || *no_colour == '\0') &&
         (terminal == nullptr || std::string_view(terminal) != "dumb");
}

std::string with_escapes(std::string_view text, Style style) {
  return concat(kEscapes[static_cast<size_t>(style)], text, kReset);
}

void write_stderr(std::string_view text) { std::fwrite(text.data(), 1, text.size(), stderr); }

}  // namespace

ExitCode exit_code(StatusCode code) noexcept {
  switch (code) {
    case StatusCode::kOk:
      return kSuccess;
    case StatusCode::kCorruption:
      return kIntegrity;
    case StatusCode::kBusy:
      return kBusy;
    default:
      return kFailure;
  }
}

Console::Console()
    : is_stderr_terminal_(::isatty(STDERR_FILENO) == 1),
      stdout_colour_(may_colour(STDOUT_FILENO)),
      stderr_colour_(may_colour(STDERR_FILENO)) {}

void Console::write(std::string_view text) { std::fwrite(text.data(), 1, text.size(), stdout); }

Json Console::object() const {
  Json object;
  object["schema_version"] = kSchemaVersion;
  object["command"] = command;
  return object;
}

void Console::print(const Json& object) {
  if (json) write(object.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n");
}

void Console::note(std::string_view message) {
  if (!json) write_stderr(concat(message, "\n"));
}

void Console::error(const Status& status, std::string_view code_name) {
  std::fflush(stdout);
  write_stderr(concat(stderr_colour_ ? with_escapes("npk:", Style::kError) : "npk:", " ",
                      printable(status.to_string()), "\n"));
  if (!json) return;
  Json object = this->object();
  Json& error = object["error"];
  error["code"] = code_name;
  error["message"] = status.message();
  error["path"] = status.path().empty() ? Json(nullptr) : Json(status.path());
  error["offset_bytes"] = status.offset_bytes() ? Json(*status.offset_bytes()) : Json(nullptr);
  print(object);
}

Status Console::flush() {
  const bool had_error = std::ferror(stdout) != 0;
  if (std::fflush(stdout) == 0 && !had_error) return Status::ok();
  return Status::io_error("cannot write to standard output").with_errno(errno);
}

std::string Console::styled(std::string_view text, Style style) const {
  return stdout_colour_ ? with_escapes(text, style) : std::string(text);
}

Json json_number(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "Infinity" : "-Infinity";
  return value;
}

Json json_shape(const Shape& shape) {
  Json extents = Json::array();
  for (const uint64_t extent : shape) extents.push_back(extent);
  return extents;
}

std::string printable(std::string_view text) {
  constexpr std::string_view kHex = "0123456789abcdef";
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    // U+0080 to U+009F are control characters too: 0xc2 and their number.
    const bool is_c1 = byte == 0xc2 && i + 1 < text.size() &&
                       static_cast<unsigned char>(text[i + 1]) >= 0x80 &&
                       static_cast<unsigned char>(text[i + 1]) < 0xa0;
    if (byte >= 0x20 && byte != 0x7f && !is_c1) {
      out += text[i];
      continue;
    }
    const auto shown = is_c1 ? static_cast<unsigned char>(text[++i]) : byte;
    out += concat("\\x", kHex[shown >> 4], kHex[shown & 15]);
  }
  return out;
}

std::string human_bytes(uint64_t bytes) {
  constexpr std::string_view kUnits[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  auto value = static_cast<double>(bytes);
  size_t unit = 0;
  for (; value >= 1'023.95 && unit + 1 < std::size(kUnits); ++unit) value /= 1'024;
  std::array<char, 32> text;
  std::snprintf(text.data(), text.size(), unit == 0 ? "%.0f" : "%.1f", value);
  return concat(text.data(), " ", kUnits[unit]);
}

std::string human_time(int64_t microseconds) {
  const auto seconds = static_cast<std::time_t>(microseconds / 1'000'000);
  std::tm fields{};
  ::localtime_r(&seconds, &fields);
  std::array<char, 32> text;
  const size_t length = std::strftime(text.data(), text.size(), "%Y-%m-%d %H:%M:%S", &fields);
  return {text.data(), length};
}

std::string counted(uint64_t count, std::string_view noun) {
  return concat(count, " ", noun, count == 1 ? "" : "s");
}

}  // namespace npk::cli
