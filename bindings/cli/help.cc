#include "bindings/cli/help.h"

#include <sstream>

namespace npk::cli {
namespace {

constexpr size_t kLeftColumns = 28;
constexpr size_t kRightColumns = 68;

std::string wrapped(const std::string& text) {
  std::istringstream words(text);
  std::string out;
  size_t width = 0;
  for (std::string word; words >> word;) {
    if (width > 0 && width + 1 + word.size() > kRightColumns) {
      out += '\n';
      width = 0;
    } else if (width > 0) {
      out += ' ';
      ++width;
    }
    out += word;
    width += word.size();
  }
  return out;
}

}  // namespace

HelpFormatter::HelpFormatter() {
  column_width(kLeftColumns);
  label("SUBCOMMAND", "VERB …");
  label("Positionals", "Arguments");
}

std::string HelpFormatter::make_option_opts(const CLI::Option* option) const {
  const bool takes_value = option->get_type_size() != 0 && !option->get_positional();
  return takes_value ? " " + option->get_type_name() : "";
}

std::string HelpFormatter::make_option_desc(const CLI::Option* option) const {
  const std::string& standard = option->get_default_str();
  return wrapped(option->get_description() +
                 (standard.empty() ? "" : " (default " + standard + ")"));
}

}  // namespace npk::cli
