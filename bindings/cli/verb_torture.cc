// torture: kills writers on the user's own machine and file system, and tells what was left.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <random>
#include <set>
#include <thread>

#include "bindings/cli/progress.h"
#include "bindings/cli/torture/kill_loop.h"
#include "bindings/cli/values.h"
#include "bindings/cli/verb.h"
#include "io/env.h"
#include "npk/internal/text.h"

namespace npk::cli {
namespace {

using internal::concat;
using testing::Finding;
using testing::KillLoop;
using testing::KillOptions;
using Clock = std::chrono::steady_clock;

constexpr auto kTick = std::chrono::milliseconds(100);
constexpr unsigned kMostLoops = 8;  // More would torture the processors rather than the store.

struct TortureArguments {
  std::string directory;
  uint64_t seconds = 60;
  uint64_t seed = std::random_device{}();
  bool power = false;
  bool allow_unsafe_filesystem = false;
};

/// How long a sync of 4 KiB takes beside the kills: what a commit of durability power waits for.
class SyncProbe {
 public:
  static Result<SyncProbe> open(const std::string& path) {
    NPK_ASSIGN_OR_RETURN(auto file, io::Env::posix().open(path, io::OpenMode::kCreateNew));
    return SyncProbe(std::move(file));
  }
  Status sample() {
    const std::vector<std::byte> block(4'096, static_cast<std::byte>(times_us_.size()));
    NPK_RETURN_IF_ERROR(file_->write_at(0, block));
    const auto begin = Clock::now();
    NPK_RETURN_IF_ERROR(file_->sync());
    times_us_.push_back(std::chrono::duration<double, std::micro>(Clock::now() - begin).count());
    return {};
  }
  /// Requires: a sample.
  [[nodiscard]] double percentile(double percent) const {
    std::vector<double> sorted = times_us_;
    std::sort(sorted.begin(), sorted.end());
    return sorted[static_cast<size_t>(percent / 100 * static_cast<double>(sorted.size() - 1))];
  }
  [[nodiscard]] uint64_t count() const { return times_us_.size(); }

 private:
  explicit SyncProbe(std::unique_ptr<io::File> file) : file_(std::move(file)) {}
  std::unique_ptr<io::File> file_;
  std::vector<double> times_us_;
};

/// A directory of our own inside the user's, removed but for what is kept.
class Workplace {
 public:
  static Result<Workplace> make(const std::string& directory) {
    io::Env& env = io::Env::posix();
    NPK_ASSIGN_OR_RETURN(const io::PathInfo info, env.info(directory));
    if (info.kind != io::PathKind::kDirectory) {
      return Status::not_found("there is no such directory; make it first").with_path(directory);
    }
    NPK_ASSIGN_OR_RETURN(const io::PathInfo store, env.info(concat(directory, "/STORE")));
    if (store.kind != io::PathKind::kMissing) {
      return Status::failed_precondition(
                 "this is a store; give the directory around it, where others are made for the "
                 "torture and removed again")
          .with_path(directory);
    }
    Workplace workplace;
    workplace.path_ = concat(directory, "/npk-torture-", std::random_device{}());
    NPK_RETURN_IF_ERROR(env.make_directory(workplace.path_));
    workplace.is_ours_ = true;
    return workplace;
  }
  Workplace(Workplace&& other) noexcept
      : path_(std::move(other.path_)), is_ours_(std::exchange(other.is_ours_, false)) {}
  Workplace& operator=(Workplace&&) = delete;
  ~Workplace() {
    std::error_code ignored;
    if (is_ours_ && kept_.empty()) std::filesystem::remove_all(path_, ignored);
    if (kept_.empty()) return;
    for (const auto& entry : std::filesystem::directory_iterator(path_, ignored)) {
      if (!kept_.contains(entry.path())) std::filesystem::remove_all(entry.path(), ignored);
    }
  }
  [[nodiscard]] std::string file(std::string_view name) const { return concat(path_, '/', name); }
  void keep(const std::string& path) { kept_.insert(path); }

 private:
  Workplace() = default;
  std::string path_;
  std::set<std::string> kept_;
  bool is_ours_ = false;
};

/// A loop of kills in a thread of its own, on a store of its own.
struct Driver {
  explicit Driver(KillOptions options) : path(options.path), loop(std::move(options)) {}
  std::string path;
  KillLoop loop;
  Result<Finding> finding{Finding()};
};

void drive(Driver& driver, std::atomic<bool>& stop, std::atomic<uint64_t>& kills) {
  const auto is_good = [&] { return driver.finding.is_ok() && driver.finding->text.empty(); };
  uint64_t counted_kills = 0;
  while (!stop && is_good()) {
    driver.finding = driver.loop.round();
    const uint64_t all = driver.loop.kills_while_writing() + driver.loop.kills_while_opening();
    kills += all - counted_kills;
    counted_kills = all;
  }
  if (is_good()) driver.finding = driver.loop.finish();
  if (!is_good()) stop = true;
}

/// Lets the drivers work until the time is over, one of them has found something, or a signal came.
/// Returns the seconds that it took.
Result<double> run_drivers(Console& console, std::vector<Driver>& drivers, uint64_t seconds,
                           SyncProbe& probe) {
  ProgressBar bar(console, "torturing", ProgressBar::Unit::kSeconds);
  const auto goes_on = bar.callback();
  std::atomic<bool> stop{false};
  std::atomic<uint64_t> kills{0};
  const auto begin = Clock::now();
  const auto elapsed = [&] { return std::chrono::duration<double>(Clock::now() - begin).count(); };
  Status probed;
  {
    std::vector<std::jthread> threads;
    for (Driver& driver : drivers) {
      threads.emplace_back([&driver, &stop, &kills] { drive(driver, stop, kills); });
    }
    while (!stop && probed.is_ok() && elapsed() < static_cast<double>(seconds)) {
      probed = probe.sample();
      bar.relabel(concat("torturing, ", counted(kills, "kill")));
      if (!goes_on(static_cast<uint64_t>(elapsed()), seconds)) break;
      std::this_thread::sleep_for(kTick);
    }
    stop = true;
  }
  NPK_RETURN_IF_ERROR(probed);
  return elapsed();
}

Json json_report(const Console& console, const TortureArguments& arguments,
                 const std::vector<Driver>& drivers, double seconds, const SyncProbe& probe) {
  uint64_t writing = 0, opening = 0, acknowledged = 0, kept = 0, dropped = 0;
  Finding all;
  std::string kept_path;
  for (const Driver& driver : drivers) {
    writing += driver.loop.kills_while_writing();
    opening += driver.loop.kills_while_opening();
    acknowledged += driver.loop.ledger().acknowledged();
    kept += driver.loop.ledger().kept();
    dropped += driver.loop.ledger().dropped();
    all.lost += driver.finding->lost;
    all.torn += driver.finding->torn;
    if (!driver.finding->text.empty() && kept_path.empty()) {
      all.text = driver.finding->text;
      kept_path = driver.path;
    }
  }
  Json object = console.object();
  object["directory"] = arguments.directory;
  object["durability"] = arguments.power ? "power" : "process";
  object["seed"] = arguments.seed;
  object["seconds"] = seconds;
  object["kills"] = writing + opening;
  object["kills_while_opening"] = opening;
  object["operations"] = acknowledged + kept + dropped;
  object["acknowledged"] = acknowledged;
  object["under_way_kept"] = kept;
  object["under_way_dropped"] = dropped;
  object["lost"] = all.lost;
  object["torn"] = all.torn;
  object["sync_us"] = Json{{"count", probe.count()},
                           {"median", probe.percentile(50)},
                           {"p99", probe.percentile(99)},
                           {"max", probe.percentile(100)}};
  object["interrupted"] = ProgressBar::interrupted_by() != 0;
  object["verdict"] = all.text.empty() ? "passed" : "failed";
  object["finding"] = all.text.empty() ? Json(nullptr) : Json(all.text);
  object["kept_store"] = kept_path.empty() ? Json(nullptr) : Json(kept_path);
  return object;
}

void print_report(Console& console, const Json& report) {
  const auto number = [&](const char* name) { return report[name].get<uint64_t>(); };
  const auto ms = [&](const char* name) {
    return number_text(std::round(report["sync_us"][name].get<double>() / 10) / 100);
  };
  const bool passed = report["verdict"] == "passed";
  console.write(concat(
      console.styled(passed ? "passed" : "FAILED", passed ? Style::kHeading : Style::kError), ": ",
      counted(number("kills"), "kill"), " in ", std::lround(report["seconds"].get<double>()), " s",
      report["interrupted"].get<bool>() ? " (interrupted)" : "", ", ",
      counted(number("acknowledged"), "operation"), " acknowledged, ", number("lost"), " lost, ",
      number("torn"), " torn\nof the operations under way at a kill ", number("under_way_kept"),
      " were there afterwards, ", number("under_way_dropped"), " were not\n",
      counted(number("kills_while_opening"), "kill"), " came during recovery\ndurability ",
      report["durability"].get<std::string>(), "; a sync of 4 KiB took ", ms("median"),
      " ms (median), ", ms("p99"), " ms (99 of 100), ", ms("max"), " ms (longest)\n"));
  if (passed) return;
  console.write(concat(printable(report["finding"].get<std::string>()),
                       "\nthe store is kept: ", printable(report["kept_store"].get<std::string>()),
                       "\nthe operations were ", "those of --seed ", number("seed"), "\n"));
}

Result<int> run_torture(Console& console, const TortureArguments& arguments) {
  NPK_ASSIGN_OR_RETURN(Workplace workplace, Workplace::make(arguments.directory));
  NPK_ASSIGN_OR_RETURN(SyncProbe probe, SyncProbe::open(workplace.file("probe")));
  NPK_RETURN_IF_ERROR(probe.sample());
  std::vector<Driver> drivers;
  // A loop waits for the disk about half of its time.
  const unsigned loops = std::clamp(2 * std::thread::hardware_concurrency(), 2u, kMostLoops);
  for (unsigned i = 0; i < loops; ++i) {
    KillOptions options;
    options.path = workplace.file(concat("store-", i, ".npk"));
    options.seed = arguments.seed + i;
    options.durabilities = {arguments.power ? Durability::kPower : Durability::kProcess};
    options.allow_unsafe_filesystem = arguments.allow_unsafe_filesystem;
    drivers.emplace_back(std::move(options));
  }
  NPK_ASSIGN_OR_RETURN(const double seconds,
                       run_drivers(console, drivers, arguments.seconds, probe));
  for (const Driver& driver : drivers) {
    if (!driver.finding.is_ok()) return driver.finding.status();
  }
  const Json report = json_report(console, arguments, drivers, seconds, probe);
  if (!console.json) print_report(console, report);
  console.print(report);
  if (report["verdict"] == "passed") {
    return ProgressBar::interrupted_by() == 0 ? kSuccess : kFailure;
  }
  for (const Driver& driver : drivers) {
    if (!driver.finding->text.empty()) workplace.keep(driver.path);
  }
  return kIntegrity;
}

}  // namespace

Run define_torture(Options& options) {
  auto arguments = std::make_shared<TortureArguments>();
  options
      .add("DIR", arguments->directory,
           "Directory on the file system to be tried; stores are made in it and removed "
           "again, unless they were found wrong")
      .required();
  add_count(options, "--seconds", arguments->seconds, "How long to go on").of_type("N");
  options.add_flag("--power", arguments->power,
                   "Commit with durability power: each operation waits for the disk");
  add_count(options, "--seed", arguments->seed,
            "Of the operations, not of the instants of the kills")
      .with_default("random");
  options.add_flag("--allow-unsafe-filesystem", arguments->allow_unsafe_filesystem,
                   "Accept NFS, SMB and 9p");
  return [arguments](Console& console) { return run_torture(console, *arguments); };
}

}  // namespace npk::cli
