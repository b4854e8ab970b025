#include "bindings/cli/torture/kill_loop.h"

#include <chrono>
#include <cstring>
#include <thread>

#include "bindings/cli/torture/store_content.h"
#include "npk/internal/text.h"

namespace npk::testing {
namespace {

using internal::concat;

constexpr int kKilled = 128 + 9;
/// Bytes of the messages of a worker that has opened the store and found something.
constexpr size_t kOpenedBytes = 2 + sizeof(uint64_t);

void sleep_us(uint64_t microseconds) {
  std::this_thread::sleep_for(std::chrono::microseconds(microseconds));
}

Finding torn(std::string text) { return {0, 1, std::move(text)}; }

/// A store that is damaged is a finding, any other error is one.
Result<Finding> finding_or_error(const Status& status, const std::string& text) {
  if (status.code() == StatusCode::kCorruption || status.code() == StatusCode::kInternal) {
    return torn(text);
  }
  return Status(status);
}

/// What a worker says went wrong, from its message on.
Result<Finding> worker_error(const std::string& messages, size_t begin) {
  const auto code = static_cast<StatusCode>(messages.size() > begin + 1 ? messages[begin + 1] : 0);
  const std::string text =
      concat("a worker met an error: ", messages.substr(std::min(begin + 2, messages.size())));
  return finding_or_error(Status(code == StatusCode::kOk ? StatusCode::kInternal : code, text),
                          text);
}

}  // namespace

KillLoop::KillLoop(KillOptions options) : options_(std::move(options)), random_(options_.seed) {}

Result<Finding> KillLoop::round() {
  const WorkerSetup setup = next_setup();
  NPK_ASSIGN_OR_RETURN(Finding finding, kill_while_writing(setup));
  for (uint64_t opens = random_.below(3); opens > 0 && finding.text.empty(); --opens) {
    NPK_ASSIGN_OR_RETURN(finding, kill_while_opening(setup));
  }
  const uint64_t number = rounds_++;
  StoreOptions options = setup.options;
  if (number % 3 == 0 && finding.text.empty()) {
    options.read_only = true;
    NPK_ASSIGN_OR_RETURN(finding, look(options));
  }
  if (number % 3 != 1 && finding.text.empty()) {
    options.read_only = false;
    NPK_ASSIGN_OR_RETURN(finding, look(options));
  }
  return finding;
}

Result<Finding> KillLoop::finish() { return look(next_setup().options); }

WorkerSetup KillLoop::next_setup() {
  WorkerSetup setup;
  setup.path = options_.path;
  setup.options.durability = options_.durabilities[rounds_ % options_.durabilities.size()];
  setup.options.log_bytes = uint64_t{64 << 10} << (3 * random_.below(3));
  setup.options.allow_unsafe_filesystem = options_.allow_unsafe_filesystem;
  setup.seed = random_.next();
  setup.expected = ledger_.expected();
  return setup;
}

Result<Finding> KillLoop::kill_while_writing(const WorkerSetup& setup) {
  NPK_ASSIGN_OR_RETURN(WorkerProcess worker, WorkerProcess::start(setup.to_arguments("kill")));
  const bool early = random_.chance(0.1);  // Somewhere in open() rather than after it.
  std::string messages = worker.receive(early ? 1 : 2);
  sleep_us(random_.below(early ? 3'000 : options_.longest_run_us));
  worker.kill();
  messages += worker.receive_all();
  const int code = worker.wait();
  ++kills_while_writing_;
  const bool has_opened = messages.size() >= kOpenedBytes && messages[1] == kOpened;
  const size_t error = messages.find(kError, has_opened ? kOpenedBytes : 0);
  if (error != std::string::npos) return worker_error(messages, error);
  if (code != kKilled) return torn(concat("a worker ended by itself, with code ", code));
  if (!has_opened) return Finding();  // Killed before it had read the store: nothing was under way.
  is_made_ = true;
  uint64_t hash = 0;
  std::memcpy(&hash, &messages[2], sizeof(hash));
  if (hash != setup.expected[0] && hash != setup.expected[1]) {
    NPK_ASSIGN_OR_RETURN(Finding finding, look(setup.options));
    if (finding.text.empty()) return torn("a worker read other rows than a look after it");
    return finding;
  }
  ledger_.settle(hash);
  ledger_.record(kill_operations(setup.seed), messages.size() - kOpenedBytes);
  return Finding();
}

Result<Finding> KillLoop::kill_while_opening(const WorkerSetup& setup) {
  NPK_ASSIGN_OR_RETURN(WorkerProcess worker, WorkerProcess::start(setup.to_arguments("open")));
  std::string messages = worker.receive(1);
  sleep_us(random_.below(3'000));
  worker.kill();
  messages += worker.receive_all();
  ++kills_while_opening_;
  is_made_ |= messages.size() > 1 && messages[1] == kOpened;
  const size_t error = messages.find(kError);
  if (error != std::string::npos) return worker_error(messages, error);
  return Finding();
}

/// Opens the store and compares everything. A read-only handle looks before any recovery.
Result<Finding> KillLoop::look(const StoreOptions& options) {
  // Until somebody has opened it, workers may have been killed while they made it. From then on it
  // must be there, with or without arrays: one without STORE is lost.
  if (options.read_only && !is_made_) return Finding();
  if (is_made_) {
    if (std::string damage = verify_damage(options_.path); !damage.empty()) return torn(damage);
  }
  auto store = ParallelIO::open(options_.path, options);
  if (!store.is_ok()) {
    return finding_or_error(store.status(), concat("open: ", store.status().to_string()));
  }
  is_made_ = true;
  Finding finding = ledger_.check(*store);
  if (options.read_only || !finding.text.empty()) return finding;
  if (options_.inspect) {
    if (std::string text = options_.inspect(*store, ledger_.state()); !text.empty()) {
      return torn(std::move(text));
    }
  }
  NPK_RETURN_IF_ERROR(store->close());
  std::string damage = verify_damage(options_.path);
  return damage.empty() ? Finding() : torn(concat("after close: ", damage));
}

}  // namespace npk::testing
