// npk: the command. Parses the arguments, runs one verb, turns its outcome into an exit code.
#include <algorithm>
#include <csignal>
#include <cstdio>
#include <exception>
#include <map>
#include <new>

#include <CLI/CLI.hpp>

#include "bindings/cli/help.h"
#include "bindings/cli/progress.h"
#include "bindings/cli/torture/worker.h"
#include "bindings/cli/verb.h"
#include "npk/internal/text.h"

namespace npk::cli {
namespace {

using internal::concat;

constexpr const char* kAbout =
    "Arrays on disk that are changed in place and searched where they lie.";
constexpr const char* kFooter =
    "'npk VERB --help' has the options of a verb and an example.\n"
    "Data go to stdout, everything else to stderr; --json gives one JSON object.\n"
    "Exit codes: 0 ok, 1 failure, 2 usage, 3 damaged data, 4 another writer is busy.";

/// Letters to change, add or leave out to make one word of the other.
size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j < row.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t changed = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, changed});
    }
  }
  return row.back();
}

/// Throws if the first argument is neither an option nor a verb.
void check_verb(int count, char** arguments) {
  if (count < 2) throw UsageError("a verb is missing");
  const std::string_view given = arguments[1];
  if (given.starts_with('-')) return;
  const Verb* nearest = nullptr;
  size_t nearest_distance = 3;  // Further away is another word.
  for (const Verb& verb : verbs()) {
    const size_t distance = edit_distance(given, verb.name);
    if (distance == 0) return;
    if (distance >= nearest_distance) continue;
    nearest_distance = distance;
    nearest = &verb;
  }
  const std::string hint =
      nearest == nullptr ? "" : concat("; did you mean '", nearest->name, "'?");
  throw UsageError(concat("there is no verb '", given, "'", hint));
}

/// The command's grammar. `runs` receives what each verb does.
void define(CLI::App& app, Console& console, std::map<std::string, Run>& runs) {
  app.require_subcommand(1);
  app.set_version_flag("--version", concat("npk ", kVersion), "Print the version and exit");
  app.set_help_flag("-h,--help", "Print this help and exit");
  app.formatter(std::make_shared<HelpFormatter>());
  app.footer(kFooter);
  for (const Verb& verb : verbs()) {
    CLI::App* sub = app.add_subcommand(verb.name, verb.summary)->group(verb.group);
    Options options(*sub);
    runs[verb.name] = verb.define(options);
    sub->add_flag("--json", console.json, "Print one JSON object");
    sub->add_flag_callback(
        "--no-progress", [&console] { console.progress = false; }, "Draw no progress bar");
    sub->footer(concat("Example:\n  ", verb.example));
  }
}

int fail(Console& console, const Status& status) {
  console.error(status, status_code_name(status.code()));
  return exit_code(status.code());
}

int fail_usage(Console& console, const std::string& message) {
  // CLI11 puts the name of the app that failed first.
  console.error(Status::invalid_argument(message), "Usage");
  const std::string help = concat("npk", console.command.empty() ? "" : " ", console.command);
  std::fprintf(stderr, "Try '%s --help'.\n", help.c_str());
  return kUsage;
}

int run_verb(Console& console, const Run& run) {
  try {
    const Result<int> code = run(console);
    if (!code) return fail(console, code.status());
    const Status written = console.flush();
    return written.is_ok() ? *code : fail(console, written);
  } catch (const std::bad_alloc&) {
    return fail(console, Status::resource_exhausted("not enough memory"));
  } catch (const UsageError&) {
    throw;  // A verb that found its arguments wrong.
  } catch (const std::exception& error) {
    return fail(console, Status::internal(concat("unexpected: ", error.what())));
  }
}

int run_command(int count, char** arguments) {
  Console console;
  CLI::App app(kAbout, "npk");
  std::map<std::string, Run> runs;
  define(app, console, runs);
  const auto fail_arguments = [&](const std::exception& error) {
    // The parse may have ended before it came to --json or knew the verb.
    console.json = std::any_of(arguments, arguments + count, [](std::string_view text) {
      return text == "--json" || text == "--jsonl";
    });
    if (count > 1 && runs.contains(arguments[1])) console.command = arguments[1];
    return fail_usage(console, error.what());
  };
  try {
    check_verb(count, arguments);
    app.parse(count, arguments);
    console.command = app.get_subcommands().front()->get_name();
    return run_verb(console, runs[console.command]);
  } catch (const CLI::Success& request) {  // --help, --version.
    app.exit(request);
    const Status written = console.flush();
    return written.is_ok() ? kSuccess : fail(console, written);
  } catch (const CLI::ParseError& error) {
    return fail_arguments(error);
  } catch (const UsageError& error) {
    return fail_arguments(error);
  }
}

}  // namespace
}  // namespace npk::cli

int main(int count, char** arguments) {
  if (count > 2 && arguments[1] == npk::testing::kWorkerFlag) {  // `npk torture` started us.
    return npk::testing::run_kill_worker({arguments + 2, arguments + count});
  }
  // A reader that has seen enough ends the command quietly, also if the parent ignores the signal.
  std::signal(SIGPIPE, SIG_DFL);
  const int code = npk::cli::run_command(count, arguments);
  const int signal = npk::cli::ProgressBar::interrupted_by();
  if (signal != 0 && code != npk::cli::kSuccess) {
    std::fflush(nullptr);
    std::raise(signal);  // Its default action: who waits for us learns that we were interrupted.
  }
  return code;
}
