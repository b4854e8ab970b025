#include "bindings/cli/torture/worker.h"

#include <csignal>
#include <cstdlib>
#include <sys/prctl.h>
#include <unistd.h>

#include "bindings/cli/torture/ledger.h"
#include "bindings/cli/torture/store_content.h"
#include "npk/internal/text.h"

namespace npk::testing {
namespace {

using internal::concat;

constexpr std::string_view kEveryKind = "every-kind";

void say(char message) { write_all(STDOUT_FILENO, {&message, 1}); }

int report_error(std::string_view what, const Status& status) {
  write_all(STDOUT_FILENO,
            concat(kError, static_cast<char>(status.code()), what, ": ", status.to_string()));
  return 1;
}

[[noreturn]] void wait_for_the_kill() {
  while (true) ::pause();
}

/// Ctrl-C is for the parent, which ends its workers itself; they do not outlive it.
void leave_signals_to_the_parent() {
  std::signal(SIGINT, SIG_IGN);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
}

bool changes(const Operation& operation, const Model& model) {
  Model after = model;
  perform(operation, after);
  return model_hash(after) != model_hash(model);
}

int operate(ParallelIO& store, Model& model, const WorkerSetup& setup) {
  const bool lies = std::getenv("NPK_TORTURE_BREAK") != nullptr;
  OperationGenerator operations = kill_operations(setup.seed, setup.every_kind);
  for (uint64_t i = 0; i < setup.operations; ++i) {
    const Operation operation = operations.next(model);
    if (lies && changes(operation, model)) {
      say(kAcknowledged);
      wait_for_the_kill();
    }
    const Status status = perform(operation, store);
    if (!status.is_ok()) return report_error(to_string(operation), status);
    say(kAcknowledged);
    perform(operation, model);
  }
  const Status status = store.close();
  if (!status.is_ok()) return report_error("close", status);
  say(kClosed);
  return 0;
}

int kill_worker(const WorkerSetup& setup) {
  say(kOpening);
  auto store = ParallelIO::open(setup.path, setup.options);
  if (!store.is_ok()) return report_error("open", store.status());
  auto model = read_model(*store);
  if (!model.is_ok()) return report_error("read", model.status());
  const uint64_t hash = model_hash(*model);
  write_all(STDOUT_FILENO, concat(kOpened, bytes_of(hash)));
  if (hash != setup.expected[0] && hash != setup.expected[1]) wait_for_the_kill();
  return operate(*store, *model, setup);
}

int open_worker(const WorkerSetup& setup) {
  say(kOpening);
  auto store = ParallelIO::open(setup.path, setup.options);
  if (!store.is_ok()) return report_error("open", store.status());
  say(kOpened);
  wait_for_the_kill();
}

int check_worker(const Arguments& arguments) {
  const std::string& path = arguments.at(1);
  const OperationGenerator stream =
      kill_operations(std::stoull(arguments.at(2)), arguments.back() == kEveryKind);
  const uint64_t least = std::stoull(arguments.at(3));
  const uint64_t most = std::stoull(arguments.at(4)) + 1;
  const auto answer = [](const std::string& text, int code) {
    write_all(STDOUT_FILENO, text + "\n");
    return code;
  };
  // Killed before its first operation was done, a worker may have left no store.
  const bool may_be_missing = least == 0;
  if (!may_be_missing) {
    if (const std::string damage = verify_damage(path); !damage.empty()) return answer(damage, 3);
  }
  const auto store = ParallelIO::open(path, {.create_if_missing = may_be_missing});
  if (!store.is_ok()) return answer(store.status().to_string(), 3);
  std::string difference;
  if (const auto found = find_state(*store, {}, stream, least, most, &difference)) {
    return answer(concat("whole, after ", *found, " operations"), 0);
  }
  const auto older = find_state(*store, {}, stream, 0, least);
  if (older) return answer(concat("lost: it is as after ", *older, " of ", least), 3);
  return answer(concat("torn: it was never so; from the state after ", least, ": ", difference), 3);
}

}  // namespace

OperationGenerator kill_operations(uint64_t seed, bool every_kind) {
  OperationLimits limits;
  limits.names = {"a", "b", "c/d", std::string(300, 'n')};
  limits.max_rows = 200;
  limits.max_array_bytes = 256 << 10;
  limits.syncs = 0.01;
  limits.resets = 0.002;
  limits.every_kind = every_kind;
  return {seed, std::move(limits)};
}

Arguments WorkerSetup::to_arguments(const std::string& worker) const {
  Arguments arguments = {worker,
                         path,
                         std::to_string(static_cast<int>(options.durability)),
                         std::to_string(options.log_bytes),
                         std::to_string(static_cast<int>(options.allow_unsafe_filesystem)),
                         std::to_string(seed),
                         std::to_string(operations),
                         std::to_string(expected[0]),
                         std::to_string(expected[1])};
  if (every_kind) arguments.emplace_back(kEveryKind);
  return arguments;
}

WorkerSetup WorkerSetup::from_arguments(const Arguments& arguments) {
  WorkerSetup setup;
  setup.path = arguments.at(0);
  setup.options.durability = static_cast<Durability>(std::stoi(arguments.at(1)));
  setup.options.log_bytes = std::stoull(arguments.at(2));
  setup.options.allow_unsafe_filesystem = arguments.at(3) == "1";
  setup.seed = std::stoull(arguments.at(4));
  setup.operations = std::stoull(arguments.at(5));
  setup.expected = {std::stoull(arguments.at(6)), std::stoull(arguments.at(7))};
  setup.every_kind = arguments.back() == kEveryKind;
  return setup;
}

int run_kill_worker(const Arguments& arguments) {
  if (arguments[0] == "check") return check_worker(arguments);
  leave_signals_to_the_parent();
  const auto setup = WorkerSetup::from_arguments({arguments.begin() + 1, arguments.end()});
  return arguments[0] == "open" ? open_worker(setup) : kill_worker(setup);
}

}  // namespace npk::testing
