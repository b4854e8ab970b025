// Options: what a verb takes on the command line. All that verbs need of CLI11, a header that takes
// longer to compile than most verbs, is behind this door.
#ifndef NPK_BINDINGS_CLI_OPTIONS_H_
#define NPK_BINDINGS_CLI_OPTIONS_H_

#include <functional>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "npk/status.h"

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace npk::cli {

/// What is wrong with the arguments. The command answers it with how to get help.
class UsageError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
  /// `name`: of the option or argument.
  UsageError(const std::string& name, const std::string& message)
      : std::runtime_error(name + ": " + message) {}
};

/// One option or argument of a verb. A copy is the same one. Lifetime: of the command's grammar.
class Option {
 public:
  Option() = default;
  explicit Option(CLI::Option* option) : option_(option) {}

  Option required() const;
  /// What --help calls its value.
  Option of_type(const std::string& name) const;
  /// What --help calls its default.
  Option with_default(const std::string& text) const;
  /// Whether it was on the command line, once that has been parsed.
  [[nodiscard]] bool is_given() const;

 private:
  CLI::Option* option_ = nullptr;
};

/// The options and arguments of a verb; names that begin with '-' are options. Values and what they
/// are taken by outlive the command's grammar: verbs keep them in a shared_ptr that Run holds.
class Options {
 public:
  explicit Options(CLI::App& app) : app_(app) {}

  Option add(const std::string& name, std::string& value, const std::string& description);
  Option add(const std::string& name, std::optional<std::string>& value,
             const std::string& description);
  /// As many as there are.
  Option add(const std::string& name, std::vector<std::string>& values,
             const std::string& description);
  /// What `take` makes of the text; an error of it is one of usage.
  Option add(const std::string& name, std::function<Status(const std::string& text)> take,
             const std::string& description);
  Option add_flag(const std::string& name, bool& value, const std::string& description);

 private:
  CLI::App& app_;
};

}  // namespace npk::cli

#endif  // NPK_BINDINGS_CLI_OPTIONS_H_
