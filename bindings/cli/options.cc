#include "bindings/cli/options.h"

#include <utility>

#include <CLI/CLI.hpp>

namespace npk::cli {

Option Option::required() const {
  option_->required();
  return *this;
}

Option Option::of_type(const std::string& name) const {
  option_->type_name(name);
  return *this;
}

Option Option::with_default(const std::string& text) const {
  option_->default_str(text);
  return *this;
}

bool Option::is_given() const { return option_->count() > 0; }

Option Options::add(const std::string& name, std::string& value, const std::string& description) {
  return Option(app_.add_option(name, value, description));
}

Option Options::add(const std::string& name, std::optional<std::string>& value,
                    const std::string& description) {
  return Option(app_.add_option(name, value, description));
}

Option Options::add(const std::string& name, std::vector<std::string>& values,
                    const std::string& description) {
  return Option(app_.add_option(name, values, description));
}

Option Options::add(const std::string& name, std::function<Status(const std::string& text)> take,
                    const std::string& description) {
  return Option(app_.add_option_function<std::string>(
      name,
      [name, take = std::move(take)](const std::string& text) {
        const Status taken = take(text);
        if (!taken.is_ok()) throw UsageError(name, taken.message());
      },
      description));
}

Option Options::add_flag(const std::string& name, bool& value, const std::string& description) {
  return Option(app_.add_flag(name, value, description));
}

}  // namespace npk::cli
