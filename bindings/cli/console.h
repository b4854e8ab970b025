// Console: data go to stdout, everything else to stderr.
//
// With --json, stdout carries exactly one JSON object, whatever happens; numbers that JSON has no
// form for are the strings "NaN", "Infinity" and "-Infinity". Colour only on a terminal, and not if
// NO_COLOR is set. Thread safety: one thread.
#ifndef NPK_BINDINGS_CLI_CONSOLE_H_
#define NPK_BINDINGS_CLI_CONSOLE_H_

#include <cstdint>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include "npk/npk.h"

namespace npk::cli {

/// Keeps the order in which members are set.
using Json = nlohmann::ordered_json;

/// Of the objects that --json prints; raised when a member changes its meaning or goes.
inline constexpr int kSchemaVersion = 1;

enum ExitCode : int { kSuccess = 0, kFailure = 1, kUsage = 2, kIntegrity = 3, kBusy = 4 };
ExitCode exit_code(StatusCode code) noexcept;

enum class Style : uint8_t { kHeading, kFaint, kError };

class Console {
 public:
  Console();

  bool json = false;
  bool progress = true;
  std::string command;  ///< The verb.

  /// Data.
  void write(std::string_view text);
  /// An object with schema_version and command, for the verb to fill in.
  [[nodiscard]] Json object() const;
  /// Prints the object, if --json was given. Invalid UTF-8 becomes U+FFFD.
  void print(const Json& object);
  /// A message for a person; nothing with --json.
  void note(std::string_view message);
  /// The error as text, and with --json as an object. `code_name` stands for the code in it.
  void error(const Status& status, std::string_view code_name);
  /// Whether all data arrived.
  Status flush();

  /// The text as it is to be seen on stdout.
  [[nodiscard]] std::string styled(std::string_view text, Style style) const;
  [[nodiscard]] bool is_stderr_terminal() const noexcept { return is_stderr_terminal_; }

 private:
  bool is_stderr_terminal_;
  bool stdout_colour_;
  bool stderr_colour_;
};

/// A double as JSON, also where it is not finite.
Json json_number(double value);
Json json_shape(const Shape& shape);
/// Text that cannot change the state of a terminal: control characters as \xNN.
std::string printable(std::string_view text);
/// "1.5 MiB".
std::string human_bytes(uint64_t bytes);
/// "2026-01-31 12:00:00", local time.
std::string human_time(int64_t microseconds);
/// "1 row", "2 rows".
std::string counted(uint64_t count, std::string_view noun);

}  // namespace npk::cli

#endif  // NPK_BINDINGS_CLI_CONSOLE_H_
