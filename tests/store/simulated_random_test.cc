// The store on a simulated disk: killed, cut off from power, or failing at every single call of a
// short workload, and again in the recovery that follows.
//
// What must come out: durability power, and process after a kill: all that was acknowledged, and
// the operation under way whole or not at all. Process after a power cut: a store that opens and
// whose arrays can be read. NPK_SEED repeats a run; NPK_SIM_PERCENT runs a part of them.
#include <algorithm>
#include <cerrno>
#include <functional>

#include "bindings/cli/torture/random_operations.h"
#include "core/store/names.h"
#include "npk/internal/text.h"
#include "tests/support/child_process.h"
#include "tests/support/simulated_store.h"
#include "tests/support/store_compare.h"
#include "tests/support/support.h"

namespace npk::testing {
namespace {

using internal::concat;
using io::SimDisk;
using io::SimEnv;

/// Calls that can fail on a real machine: all but stores into mappings.
constexpr io::SimCalls kFallibleCalls =
    io::SimCalls::kOpen | io::SimCalls::kCreate | io::SimCalls::kInfo | io::SimCalls::kList |
    io::SimCalls::kMakeDirectory | io::SimCalls::kRename | io::SimCalls::kRemove |
    io::SimCalls::kRead | io::SimCalls::kWrite | io::SimCalls::kAllocate | io::SimCalls::kCopy |
    io::SimCalls::kSize | io::SimCalls::kMap | io::kSyncCalls;

struct Workload {
  Durability durability;
  std::vector<Operation> operations;
  std::vector<Model> states;      ///< Before the first operation, after it, …
  std::shared_ptr<SimDisk> disk;  ///< Before the first operation; the store is closed.
};

/// How far a run came.
struct Progress {
  size_t acknowledged = 0;
  Status status;
};

const std::vector<int> kErrors = {EIO, ENOSPC, EDQUOT, EINTR};

/// Temporary files in the store's directory.
std::string temporary_files(SimEnv& env) {
  std::string text;
  const auto names = env.list(kSimulatedStore);
  if (!names.is_ok()) return names.status().to_string();
  for (const std::string& name : *names) {
    if (name.ends_with(internal::kTemporarySuffix)) text += concat(' ', name);
  }
  return text;
}

class Simulated : public ::testing::Test {
 protected:
  /// A store with some arrays, and up to three more operations to come.
  Workload make_workload(Durability durability) {
    Workload work;
    work.durability = durability;
    OperationLimits limits;
    limits.names = {"a", "b", "c/d"};
    limits.max_rows = 12;
    limits.syncs = 0.05;
    limits.resets = 0.02;
    OperationGenerator operations(random_.next(), std::move(limits));
    auto disk = SimDisk::make(random_.next());
    Model model;
    {
      SimEnv env(disk);
      auto store = open_store(env, kSimulatedStore, simulated_options(durability));
      EXPECT_TRUE(store.is_ok()) << store.status().to_string();
      for (uint64_t i = 2 + random_.below(5); i > 0; --i) {
        const Operation operation = operations.next(model);
        NPK_EXPECT_OK(perform(operation, *store));
        perform(operation, model);
      }
      if (random_.chance(0.5)) NPK_EXPECT_OK(store->sync_metadata());
      if (random_.chance(0.5)) NPK_EXPECT_OK(store->close());
      env.kill();
    }
    disk->write_back();
    work.disk = disk->after_kill();
    work.states.push_back(model);
    for (uint64_t i = 1 + random_.below(3); i > 0; --i) {
      work.operations.push_back(operations.next(model));
      perform(work.operations.back(), model);
      work.states.push_back(model);
    }
    return work;
  }

  static Progress run(SimEnv& env, const Workload& work) {
    Progress progress;
    auto store = open_store(env, kSimulatedStore, simulated_options(work.durability));
    if (!store.is_ok()) return {0, store.status()};
    for (const Operation& operation : work.operations) {
      progress.status = perform(operation, *store);
      // A store into a mapping cannot fail: what ends well in a dead process was not acknowledged.
      if (!progress.status.is_ok() || env.is_dead()) return progress;
      ++progress.acknowledged;
    }
    progress.status = store->close();
    return progress;
  }

  /// Opens what is on the disk and compares it with what it may be. Then goes on working with it.
  std::string finding(const std::shared_ptr<SimDisk>& disk, const Workload& work,
                      const Progress& progress) {
    SimEnv env(disk);
    auto store = open_store(env, kSimulatedStore, simulated_options(work.durability));
    if (!store.is_ok()) return concat("open: ", store.status().to_string());
    const Model* found = &work.states[progress.acknowledged];
    std::string text = content_difference(*store, *found);
    if (!text.empty() && progress.acknowledged < work.operations.size()) {
      found = &work.states[progress.acknowledged + 1];
      const std::string other = content_difference(*store, *found);
      text = other.empty() ? "" : concat("neither before (", text, ") nor after (", other, ")");
    }
    if (text.empty()) text = rows_damage(env, kSimulatedStore);
    return text.empty() ? go_on(env, *store, *found) : text;
  }

  /// One more operation, and a look at it after another open.
  std::string go_on(SimEnv& env, ParallelIO& store, Model model) {
    OperationLimits limits;
    limits.names = {"a", "b", "c/d", "e"};
    limits.max_rows = 12;
    OperationGenerator operations(random_.next(), std::move(limits));
    const StoreOptions options = store.options();
    const Operation operation = operations.next(model);
    Status status = perform(operation, store);
    if (!status.is_ok()) return concat("then ", to_string(operation), ": ", status.to_string());
    perform(operation, model);
    status = store.close();
    if (!status.is_ok()) return concat("then close: ", status.to_string());
    auto again = open_store(env, kSimulatedStore, options);
    if (!again.is_ok()) return concat("then open: ", again.status().to_string());
    const std::string text = content_difference(*again, model);
    if (!text.empty()) return concat("then, after ", to_string(operation), ": ", text);
    const std::string left = temporary_files(env);
    return left.empty() ? left : concat("then temporary files are left:", left);
  }

  static std::string describe(const Workload& work) {
    std::string text = concat("durability ", static_cast<int>(work.durability), ":");
    for (const Operation& operation : work.operations) text += "\n  " + to_string(operation);
    return text;
  }

  /// Calls of this kind in a run without faults.
  static uint64_t count_calls(const Workload& work, io::SimCalls kind = io::kChangingCalls) {
    SimEnv env(work.disk->after_kill());
    const Progress progress = run(env, work);
    EXPECT_TRUE(progress.status.is_ok()) << progress.status.to_string() << describe(work);
    return env.call_count(kind);
  }

  io::SimFault::Effect random_effect() {
    return static_cast<io::SimFault::Effect>(random_.below(3));
  }

  /// Runs the workload until the process dies at this call. The disk as it then is.
  std::shared_ptr<SimDisk> run_until(const Workload& work, uint64_t call, Progress& progress) {
    SimEnv env(work.disk->after_kill());
    io::SimFault fault;
    fault.at_call = call;
    fault.calls = io::kChangingCalls;
    fault.effect = random_effect();
    fault.seed = random_.next();
    env.arm(fault);
    progress = run(env, work);
    env.kill();
    return env.disk();
  }

  /// Lets the recovery die as well, at a random call, with or without a power cut after it.
  std::shared_ptr<SimDisk> die_in_recovery(std::shared_ptr<SimDisk> disk, const Workload& work,
                                           bool cuts) {
    SimEnv env(disk->after_kill());
    io::SimFault fault;
    fault.at_call = random_.below(12);
    fault.calls = io::kChangingCalls;
    fault.effect = random_effect();
    fault.seed = random_.next();
    env.arm(fault);
    open_store(env, kSimulatedStore, simulated_options(work.durability)).status().ignore();
    env.kill();
    if (!cuts) return env.disk()->after_kill();
    std::mt19937_64 chance(random_.next());
    return env.disk()->after_power_cut(io::CrashPolicy::kRandomSubset, chance);
  }

  /// What a look at the disk after a power cut finds wrong with it.
  using Look = std::function<std::string(std::shared_ptr<SimDisk>, const Progress&)>;

  /// Cuts the power off in many ways at every call of the workload.
  void cut_power_at_every_call(const Workload& work, const Look& look) {
    const uint64_t calls = count_calls(work);
    for (uint64_t call = 0; call <= calls; ++call) {
      Progress progress;
      const std::shared_ptr<SimDisk> dead = run_until(work, call, progress);
      std::mt19937_64 chance(random_.next());
      for (const io::PowerCut& cut : dead->power_cuts(8, chance)) {
        const std::string text = look(dead->after_power_cut(cut), progress);
        if (text.empty()) {
          ++states_;
          continue;
        }
        std::string lines;
        for (const std::string& line : dead->describe(cut)) lines += "\n  " + line;
        FAIL() << text << "\npower cut at call " << call << " of " << calls << ": "
               << cut.describe() << lines << "\n"
               << progress.acknowledged << " acknowledged, " << describe(work);
      }
    }
  }

  static uint64_t workloads(uint64_t all) {
    return (all * env_number("NPK_SIM_PERCENT", 100) + 99) / 100;
  }

  Random random_{test_seed()};
  uint64_t states_ = 0;
};

TEST_F(Simulated, KilledAtEveryCallItIsOldOrNewAndLosesNothing) {
  for (uint64_t i = workloads(150); i > 0; --i) {
    const Workload work = make_workload(i % 2 == 0 ? Durability::kProcess : Durability::kPower);
    const uint64_t calls = count_calls(work);
    for (uint64_t call = 0; call < calls; ++call) {
      Progress progress;
      std::shared_ptr<SimDisk> disk = run_until(work, call, progress)->after_kill();
      if (random_.chance(0.3)) disk = die_in_recovery(disk, work, false);
      ASSERT_EQ(finding(disk, work, progress), "")
          << "killed at call " << call << " of " << calls << ", " << progress.acknowledged
          << " acknowledged, " << describe(work);
      ++states_;
    }
  }
  print_count("simulated crash states checked", states_);
}

TEST_F(Simulated, CutOffFromPowerAtEveryCallInModePowerItIsOldOrNewAndLosesNothing) {
  for (uint64_t i = workloads(25); i > 0 && !HasFatalFailure(); --i) {
    const Workload work = make_workload(Durability::kPower);
    cut_power_at_every_call(work, [&](std::shared_ptr<SimDisk> disk, const Progress& progress) {
      if (random_.chance(0.2)) disk = die_in_recovery(disk, work, true);
      return finding(disk, work, progress);
    });
  }
  print_count("simulated crash states checked", states_);
}

TEST_F(Simulated, CutOffFromPowerInModeProcessItOpensAndEveryArrayCanBeRead) {
  for (uint64_t i = workloads(20); i > 0 && !HasFatalFailure(); --i) {
    const Workload work = make_workload(Durability::kProcess);
    cut_power_at_every_call(work, [&](const std::shared_ptr<SimDisk>& disk, const Progress&) {
      SimEnv env(disk);
      auto store = open_store(env, kSimulatedStore, simulated_options(work.durability));
      if (!store.is_ok()) return store.status().to_string();
      const auto model = read_model(*store);
      std::string text = model.is_ok() ? go_on(env, *store, *model) : model.status().to_string();
      // Rows may be torn; those with checksums are not copied as if they were not.
      if (text.find("fail their checksum") != std::string::npos) text.clear();
      return text;
    });
  }
  print_count("simulated crash states checked", states_);
}

/// What went wrong with the handle that got an error: once the fault is over it shows the state
/// before the operation and takes the next one, or it says that it takes no more.
std::string handle_finding(ParallelIO& store, const Workload& work, size_t acknowledged) {
  const std::string before = content_difference(store, work.states[acknowledged]);
  const Status status = perform(work.operations[acknowledged], store);
  if (status.is_ok()) {
    if (!before.empty()) return concat("after the error: ", before);
    return content_difference(store, work.states[acknowledged + 1]);
  }
  if (status.code() != StatusCode::kFailedPrecondition) {
    return concat("the handle then answers ", status.to_string());
  }
  // It cannot know whether the operation will be there after the next open.
  return before.empty() ? before : content_difference(store, work.states[acknowledged + 1]);
}

/// What a process still holds that has closed all its stores.
std::string leak(const SimEnv& env) {
  if (env.open_file_count() + env.mapping_count() + env.held_lock_count() == 0) return {};
  return concat(env.open_file_count(), " files, ", env.mapping_count(), " mappings and ",
                env.held_lock_count(), " locks are left");
}

TEST_F(Simulated, WhateverCallFailsItSaysSoAndTheStoreIsAsBeforeOrAsAfter) {
  uint64_t refused = 0;
  for (uint64_t i = workloads(150); i > 0; --i) {
    const Workload work = make_workload(i % 2 == 0 ? Durability::kProcess : Durability::kPower);
    const uint64_t calls = count_calls(work, kFallibleCalls);
    for (uint64_t call = 0; call < calls; ++call) {
      SimEnv env(work.disk->after_kill());
      io::SimFault fault;
      fault.at_call = call;
      fault.calls = kFallibleCalls;
      fault.error_number = random_.pick(kErrors);
      fault.effect = random_effect();
      fault.repeat = random_.chance(0.5) ? 1 : io::SimFault::kForEver;
      fault.seed = random_.next();
      env.arm(fault);
      const std::string where =
          concat("call ", call, " of ", calls, " failed with errno ", fault.error_number,
                 fault.repeat == 1 ? "" : ", and all after it", ", ", describe(work));
      Progress progress;
      auto store = open_store(env, kSimulatedStore, simulated_options(work.durability));
      progress.status = store.is_ok() ? Status() : store.status();
      while (progress.status.is_ok() && progress.acknowledged < work.operations.size()) {
        progress.status = perform(work.operations[progress.acknowledged], *store);
        if (progress.status.is_ok()) ++progress.acknowledged;
      }
      env.disarm();
      if (store.is_ok() && !progress.status.is_ok()) {
        ASSERT_EQ(handle_finding(*store, work, progress.acknowledged), "")
            << where << "\n"
            << progress.status.to_string();
        ++refused;
      }
      store = Status::failed_precondition("closed");
      ASSERT_EQ(leak(env), "") << where;
      env.kill();
      ASSERT_EQ(finding(env.disk()->after_kill(), work, progress), "")
          << where << "\n"
          << progress.status.to_string() << ", " << progress.acknowledged << " acknowledged";
      ++states_;
    }
  }
  EXPECT_GT(refused, 0u);
  print_count("failed calls", states_);
  print_count("operations that a failed call made fail", refused);
}

}  // namespace
}  // namespace npk::testing
