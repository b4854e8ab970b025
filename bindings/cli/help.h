// Help: how --help lays out the command's arguments.
#ifndef NPK_BINDINGS_CLI_HELP_H_
#define NPK_BINDINGS_CLI_HELP_H_

#include <string>

#include <CLI/CLI.hpp>

namespace npk::cli {

/// Names and what they take on the left, descriptions with their defaults wrapped on the right.
class HelpFormatter : public CLI::Formatter {
 public:
  HelpFormatter();
  std::string make_option_opts(const CLI::Option* option) const override;
  std::string make_option_desc(const CLI::Option* option) const override;
};

}  // namespace npk::cli

#endif  // NPK_BINDINGS_CLI_HELP_H_
