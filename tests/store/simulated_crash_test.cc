// Kills and power cuts at every call of short workloads, on a simulated file system.
//
// For each workload of up to three operations, each durability and each call that changes the disk:
// the process dies there. Then the store is opened as the next process finds it after a kill, and
// after every power cut that the file system's rules allow, and must hold the state after the
// operations that were acknowledged, or that with the one under way as well. From some of these
// states recovery itself dies at each of its calls, and is repeated. At last the store must go on.
#include <algorithm>
#include <array>
#include <cstdlib>
#include <functional>
#include <string>
#include <vector>

#include "core/store/store_handle.h"
#include "io/sim_env.h"
#include "npk/internal/text.h"
#include "npk/store.h"
#include "tests/support/child_process.h"
#include "tests/support/support.h"

namespace npk {
namespace {

using io::SimDisk;
using io::SimEnv;

constexpr const char* kPath = "/s.npk";

struct Operation {
  const char* name;
  std::function<Status(ParallelIO&)> run;
};

std::vector<float> floats(size_t count, float first) {
  std::vector<float> values(count);
  for (size_t i = 0; i < count; ++i) values[i] = first + static_cast<float>(i);
  return values;
}

const std::vector<Operation>& operations() {
  static const std::vector<float> kRows = floats(12, 100);
  static const std::vector<float> kMany = floats(3 * 6'000, 0.5f);
  static const std::vector<uint8_t> kBytes{9, 8, 7, 6};
  const auto rows = [](uint64_t n) { return ArrayView::of(kRows.data(), {n, 3}); };
  static const std::vector<Operation> all{
      {"save",
       [=](ParallelIO& s) {
         return s.save_arrays({{"new", rows(4)}});
       }},
      {"overwrite",
       [](ParallelIO& s) {
         return s.save_arrays({{"a", ArrayView::of(kBytes, {4})}});
       }},
      {"append", [=](ParallelIO& s) { return s.append_rows("b", rows(2)); }},
      {"append many",
       [](ParallelIO& s) {
         return s.append_rows("b", ArrayView::of(kMany, {6'000, 3}));
       }},
      {"replace",
       [=](ParallelIO& s) {
         return s.replace_rows("b", rows(3), Rows::list({0, -1, 2}));
       }},
      {"delete",
       [](ParallelIO& s) {
         return s.drop_arrays("b", Rows::list({1, 3}));
       }},
      {"compact", [](ParallelIO& s) { return s.compact_array("b"); }},
      {"clone",
       [](ParallelIO& s) {
         const Status status = s.clone_array("b", "copy");
         return status.code() == StatusCode::kAlreadyExists ? Status() : status;
       }},
      {"drop",
       [](ParallelIO& s) {
         const Status status = s.drop_arrays(std::vector<std::string>{"a"});
         return status.code() == StatusCode::kNotFound ? Status() : status;
       }},
      {"attributes", [](ParallelIO& s) { return s.set_attributes("b", R"({"unit":"m"})"); }},
      {"batch",
       [=](ParallelIO& s) {
         WriteBatch batch;
         batch.append_rows("b", rows(1)).append_rows("c", ArrayView::of(kBytes, {2, 2}));
         batch.drop_rows("c", Rows::list({0})).replace_rows("b", rows(1), Rows::list({1}));
         return s.commit(batch);
       }},
      {"checkpoint", [](ParallelIO& s) { return s.sync_metadata(); }},
  };
  return all;
}

StoreOptions options_of(Durability durability) {
  StoreOptions options;
  options.durability = durability;
  options.lock_timeout_ms = 20;
  options.log_bytes = 64u << 10;
  return options;
}

/// All that a user can see of the store, as one text; or the error.
Result<std::string> content_of(const ParallelIO& store) {
  std::string text;
  NPK_ASSIGN_OR_RETURN(const auto names, store.list_arrays());
  for (const std::string& name : names) {
    NPK_ASSIGN_OR_RETURN(const Array array, store.load_array(name));
    NPK_ASSIGN_OR_RETURN(const std::string attributes, store.get_attributes(name));
    text += internal::concat(name, ' ', dtype_name(array.dtype()), shape_to_string(array.shape()),
                             attributes, '\n');
    text.append(reinterpret_cast<const char*>(array.data()), array.size_bytes());
  }
  return text;
}

struct Tally {
  uint64_t workloads = 0;
  uint64_t stops = 0;
  uint64_t states = 0;
};

class Workload {
 public:
  Workload(std::vector<size_t> steps, Durability durability, std::mt19937_64& random, Tally& tally)
      : steps_(std::move(steps)), durability_(durability), random_(random), tally_(tally) {}

  void run() {
    prepare();
    if (::testing::Test::HasFatalFailure()) return;
    tally_.workloads++;
    for (uint64_t call = 0; call < changes_; ++call) {
      SimEnv env(base_->after_kill());
      env.arm({.at_call = call, .calls = io::kChangingCalls});
      const size_t acknowledged = run_steps(env);
      env.kill();
      tally_.stops++;
      trace_ = internal::concat(to_string(), ", stopped at change ", call, " after ", acknowledged,
                                " acknowledged");
      check(env.disk()->after_kill(), acknowledged, durability_ != Durability::kNone, "kill", call);
      if (::testing::Test::HasFailure()) return;
      const auto cuts = env.disk()->power_cuts(2, random_);
      for (const io::PowerCut& cut : cuts) {
        check(env.disk()->after_power_cut(cut), acknowledged, durability_ == Durability::kPower,
              "power cut", UINT64_MAX);
        if (::testing::Test::HasFailure()) {
          for (const std::string& line : env.disk()->describe(cut)) ADD_FAILURE() << line;
          return;
        }
      }
    }
  }

 private:
  [[nodiscard]] std::string to_string() const {
    std::string text = internal::concat("durability ", static_cast<int>(durability_), ":");
    for (const size_t step : steps_) text += internal::concat(' ', operations()[step].name, ';');
    return text;
  }

  /// The states before and after each step, from a run that nothing disturbs.
  void prepare() {
    SimEnv env(SimDisk::make(random_()));
    {
      NPK_ASSERT_OK_AND_ASSIGN(auto store, open_store(env, kPath, options_of(durability_)));
      const std::vector<float> b = floats(36, 1);
      const std::vector<uint8_t> c{1, 2, 3, 4, 5, 6};
      NPK_ASSERT_OK(store.save_arrays({{"a", ArrayView::of(b, {18})},
                                       {"b", ArrayView::of(b, {12, 3})},
                                       {"c", ArrayView::of(c, {3, 2})}}));
      NPK_ASSERT_OK(store.drop_arrays("b", Rows::list({2})));
      NPK_ASSERT_OK(store.close());
    }
    env.disk()->write_back();
    base_ = env.disk()->after_kill();
    SimEnv whole(base_->after_kill());
    const uint64_t before = whole.call_count(io::kChangingCalls);
    NPK_ASSERT_OK_AND_ASSIGN(auto store, open_store(whole, kPath, options_of(durability_)));
    for (size_t i = 0; i <= steps_.size(); ++i) {
      NPK_ASSERT_OK_AND_ASSIGN(const std::string content, content_of(store));
      states_.push_back(content);
      if (i < steps_.size()) NPK_ASSERT_OK(operations()[steps_[i]].run(store));
    }
    NPK_ASSERT_OK(store.close());
    changes_ = whole.call_count(io::kChangingCalls) - before;
  }

  /// How many steps were acknowledged before the process died.
  size_t run_steps(SimEnv& env) {
    auto store = open_store(env, kPath, options_of(durability_));
    if (!store.is_ok()) return 0;
    size_t acknowledged = 0;
    for (const size_t step : steps_) {
      // A store into a mapping cannot fail: what ends well in a dead process was not acknowledged.
      if (!operations()[step].run(*store).is_ok() || env.is_dead()) break;
      acknowledged++;
    }
    return acknowledged;
  }

  void check(const std::shared_ptr<SimDisk>& disk, size_t acknowledged, bool is_exact,
             const char* how, uint64_t call) {
    SCOPED_TRACE(internal::concat(trace_, ", ", how));
    tally_.states++;
    // Now and then recovery dies too, at each of its calls, and what it leaves is opened again.
    if (call != UINT64_MAX ? call % 7 == 0 : tally_.states % 61 == 0) {
      for (uint64_t stop = 0; stop < 200; ++stop) {
        SimEnv recovering(disk->after_kill());
        recovering.arm({.at_call = stop, .calls = io::kChangingCalls});
        auto opened = open_store(recovering, kPath, options_of(durability_));
        const bool is_over = !recovering.is_dead();
        recovering.kill();
        if (is_over) break;
        tally_.states++;
        expect_state(recovering.disk()->after_kill(), acknowledged, is_exact);
        if (::testing::Test::HasFailure()) return;
        if (durability_ != Durability::kPower) continue;
        expect_state(recovering.disk()->after_power_cut(io::CrashPolicy::kRandomSubset, random_),
                     acknowledged, is_exact);
        tally_.states++;
        if (::testing::Test::HasFailure()) return;
      }
    }
    expect_state(disk, acknowledged, is_exact);
  }

  void expect_state(const std::shared_ptr<SimDisk>& disk, size_t acknowledged, bool is_exact) {
    SimEnv env(disk->after_kill());
    {
      StoreOptions read_only = options_of(durability_);
      read_only.read_only = true;
      expect_content(env, read_only, acknowledged, is_exact);
    }
    expect_content(env, options_of(durability_), acknowledged, is_exact);
    if (::testing::Test::HasFailure()) return;
    // The store must go on: an operation, and a look at it from another process.
    std::string after;
    {
      auto store = open_store(env, kPath, options_of(durability_));
      NPK_ASSERT_OK(store);
      NPK_ASSERT_OK(operations()[0].run(*store));
      NPK_ASSERT_OK(operations()[9].run(*store));
      NPK_ASSERT_OK_AND_ASSIGN(after, content_of(*store));
    }
    NPK_ASSERT_OK_AND_ASSIGN(auto again, open_store(env, kPath, options_of(durability_)));
    NPK_ASSERT_OK_AND_ASSIGN(const std::string content, content_of(again));
    EXPECT_EQ(content, after);
  }

  void expect_content(SimEnv& env, const StoreOptions& options, size_t acknowledged,
                      bool is_exact) {
    auto store = open_store(env, kPath, options);
    NPK_ASSERT_OK(store);
    auto content = content_of(*store);
    if (!is_exact) {
      // Rows may be old or new, but there is a store, and it says which arrays it has.
      NPK_ASSERT_OK(store->list_arrays());
      return;
    }
    NPK_ASSERT_OK(content);
    const bool is_old = *content == states_[acknowledged];
    const bool is_new = acknowledged < steps_.size() && *content == states_[acknowledged + 1];
    EXPECT_TRUE(is_old || is_new) << (options.read_only ? "read-only: " : "")
                                  << "neither the state before nor after the operation under way";
  }

  const std::vector<size_t> steps_;
  const Durability durability_;
  std::mt19937_64& random_;
  Tally& tally_;
  std::shared_ptr<SimDisk> base_;
  uint64_t changes_ = 0;
  std::vector<std::string> states_;
  std::string trace_;
};

void run_all(Durability durability, size_t longest, uint64_t one_in) {
  std::mt19937_64 random(testing::test_seed());
  one_in = one_in * 100 / std::max<uint64_t>(1, testing::env_number("NPK_SIM_PERCENT", 100));
  Tally tally;
  std::vector<std::vector<size_t>> level{{}};
  for (size_t length = 1; length <= longest; ++length) {
    std::vector<std::vector<size_t>> next;
    for (const auto& steps : level) {
      for (size_t step = 0; step < operations().size(); ++step) {
        next.push_back(steps);
        next.back().push_back(step);
      }
    }
    level = std::move(next);
    for (const auto& steps : level) {
      if (length == longest && random() % one_in != 0) continue;
      Workload(steps, durability, random, tally).run();
      if (::testing::Test::HasFailure()) return;
    }
  }
  std::printf("%llu workloads, stopped at %llu calls; %llu crash states checked\n",
              static_cast<unsigned long long>(tally.workloads),
              static_cast<unsigned long long>(tally.stops),
              static_cast<unsigned long long>(tally.states));
}

TEST(SimulatedCrash, InModePowerNothingAcknowledgedIsLostAndNothingIsTorn) {
  run_all(Durability::kPower, 2, 24);
}

TEST(SimulatedCrash, InModeProcessAKillLosesNothingAndAPowerCutLeavesAStore) {
  run_all(Durability::kProcess, 2, 12);
}

TEST(SimulatedCrash, InModeNoneThereIsAlwaysAStore) { run_all(Durability::kNone, 2, 24); }

}  // namespace
}  // namespace npk
