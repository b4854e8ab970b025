// Kills and power cuts at every call of short workloads, on a simulated file system.
//
// For each workload of up to three operations, each durability and each call that changes the disk:
// the process dies there. Then the store is opened as the next process finds it after a kill, and
// after every power cut that the file system's rules allow, and must hold the state after the
// operations that were acknowledged, or that with the one under way as well. From some of these
// states recovery itself dies at each of its calls, and is repeated. At last the store must go on.
//
// Runs are deterministic: to stop a workload in its first or second operation is to stop the
// shorter workload that ends there. So each is stopped in its last operation and in the close after
// it only. A disk that is bit for bit one that was checked before, for the same answer, is counted
// and not opened again. NPK_SIM_FULL=1 takes all workloads of three operations and more random
// power cuts; without it a part of them is drawn, all shorter ones are taken. NPK_SIM_PERCENT takes
// a part of all.
#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <functional>
#include <string>
#include <unordered_set>
#include <vector>

#include "npk/internal/text.h"
#include "npk/store.h"
#include "tests/support/child_process.h"
#include "tests/support/simulated_store.h"
#include "tests/support/store_compare.h"
#include "tests/support/support.h"

namespace npk {
namespace {

using io::SimDisk;
using io::SimEnv;

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

/// How much of everything is tried.
struct Extent {
  bool is_full = testing::env_number("NPK_SIM_FULL", 0) != 0;
  uint64_t percent = testing::env_number("NPK_SIM_PERCENT", 100);
  uint64_t random_cuts = is_full ? 8 : 2;
  uint64_t one_of_longest = is_full ? 1 : 128;     ///< Workloads of three operations.
  uint64_t one_of_recoveries = is_full ? 12 : 24;  ///< States from which recovery dies too.
  uint64_t one_goes_on = 4;                        ///< States from which the store must go on.
};

constexpr size_t kLongest = 3;

/// All workloads of one durability that begin with one operation.
class Crashes {
 public:
  explicit Crashes(Durability durability)
      : durability_(durability), random_(testing::test_seed()) {}

  void run(size_t first_operation) {
    make_base();
    visit({first_operation});
    testing::print_count("workloads", workloads_);
    testing::print_count("calls at which a workload was stopped", stops_);
    testing::print_count("simulated crash states checked", states_);
    testing::print_count("simulated crash states, distinct", seen_.size());
  }

 private:
  /// One workload, undisturbed.
  struct Course {
    std::vector<size_t> steps;
    std::vector<std::string> states;  ///< Before the first step, after it, …
    std::vector<uint64_t> calls;      ///< Changing calls before each step, and at the end.
  };

  void visit(const std::vector<size_t>& steps) {
    if (::testing::Test::HasFailure()) return;
    const uint64_t one_of = steps.size() == kLongest ? extent_.one_of_longest : 1;
    if (random_() % (100 * one_of) < extent_.percent) stop_everywhere(steps);
    if (steps.size() == kLongest) return;
    for (size_t next = 0; next < operations().size(); ++next) {
      std::vector<size_t> longer = steps;
      longer.push_back(next);
      visit(longer);
    }
  }

  void make_base() {
    SimEnv env(SimDisk::make(random_()));
    {
      NPK_ASSERT_OK_AND_ASSIGN(auto store, open_store(env, testing::kSimulatedStore,
                                                      testing::simulated_options(durability_)));
      const std::vector<float> b = floats(36, 1);
      const std::vector<uint8_t> c{1, 2, 3, 4, 5, 6};
      NPK_ASSERT_OK(store.save_arrays(
          {{"a", ArrayView::of(b, {18})}, {"b", ArrayView::of(b, {12, 3})}}, {Checksums::kBlock}));
      NPK_ASSERT_OK(store.save_arrays({{"c", ArrayView::of(c, {3, 2})}}));
      NPK_ASSERT_OK(store.drop_arrays("b", Rows::list({2})));
      NPK_ASSERT_OK(store.close());
    }
    env.disk()->write_back();
    base_ = env.disk()->after_kill();
  }

  void stop_everywhere(const std::vector<size_t>& steps) {
    Course course{steps, {}, {}};
    ASSERT_NO_FATAL_FAILURE(follow(course));
    ++workloads_;
    const uint64_t first = steps.size() == 1 ? 0 : course.calls[steps.size() - 1];
    for (uint64_t call = first; call < course.calls.back(); ++call) {
      SimEnv env(base_->after_kill());
      env.arm({.at_call = call, .calls = io::kChangingCalls});
      const size_t acknowledged = run_steps(env, steps);
      env.kill();
      ++stops_;
      trace_ = internal::concat(to_string(steps), ", stopped at change ", call, " after ",
                                acknowledged, " acknowledged");
      expect(course, acknowledged);
      check(env.disk()->after_kill(), durability_ != Durability::kNone, "kill");
      for (const io::PowerCut& cut : env.disk()->power_cuts(extent_.random_cuts, random_)) {
        if (::testing::Test::HasFailure()) return;
        check(env.disk()->after_power_cut(cut), durability_ == Durability::kPower, "power cut");
        if (!::testing::Test::HasFailure()) continue;
        for (const std::string& line : env.disk()->describe(cut)) ADD_FAILURE() << line;
      }
    }
  }

  [[nodiscard]] std::string to_string(const std::vector<size_t>& steps) const {
    std::string text = internal::concat("durability ", static_cast<int>(durability_), ":");
    for (const size_t step : steps) text += internal::concat(' ', operations()[step].name, ';');
    return text;
  }

  void follow(Course& course) const {
    SimEnv env(base_->after_kill());
    NPK_ASSERT_OK_AND_ASSIGN(auto store, open_store(env, testing::kSimulatedStore,
                                                    testing::simulated_options(durability_)));
    for (size_t i = 0; i <= course.steps.size(); ++i) {
      NPK_ASSERT_OK_AND_ASSIGN(const std::string content, content_of(store));
      course.states.push_back(content);
      course.calls.push_back(env.call_count(io::kChangingCalls));
      if (i < course.steps.size()) NPK_ASSERT_OK(operations()[course.steps[i]].run(store));
    }
    NPK_ASSERT_OK(store.close());
    course.calls.back() = env.call_count(io::kChangingCalls);
  }

  /// How many steps were acknowledged before the process died.
  [[nodiscard]] size_t run_steps(SimEnv& env, const std::vector<size_t>& steps) const {
    auto store = open_store(env, testing::kSimulatedStore, testing::simulated_options(durability_));
    if (!store.is_ok()) return 0;
    size_t acknowledged = 0;
    for (const size_t step : steps) {
      // A store into a mapping cannot fail: what ends well in a dead process was not acknowledged.
      if (!operations()[step].run(*store).is_ok() || env.is_dead()) break;
      acknowledged++;
    }
    return acknowledged;
  }

  /// What the store may hold from now on.
  void expect(const Course& course, size_t acknowledged) {
    old_ = course.states[acknowledged];
    new_ = acknowledged < course.steps.size() ? course.states[acknowledged + 1] : old_;
    expected_hash_ = std::hash<std::string>()(old_) * 31 + std::hash<std::string>()(new_);
  }

  /// False for a disk that was checked before, for the same answer.
  bool is_new(const SimDisk& disk, bool is_exact) {
    ++states_;
    const uint64_t hash = disk.content_hash();
    return seen_.insert(is_exact ? hash ^ expected_hash_ : hash + 1).second;
  }

  void check(const std::shared_ptr<SimDisk>& disk, bool is_exact, const char* how) {
    if (!is_new(*disk, is_exact)) return;
    SCOPED_TRACE(internal::concat(trace_, ", ", how));
    if (random_() % extent_.one_of_recoveries == 0) die_in_recovery(disk, is_exact);
    if (!::testing::Test::HasFailure()) expect_state(disk, is_exact);
  }

  /// At each of its calls; then what that leaves is opened.
  void die_in_recovery(const std::shared_ptr<SimDisk>& disk, bool is_exact) {
    for (uint64_t stop = 0; !::testing::Test::HasFailure(); ++stop) {
      SimEnv recovering(disk->after_kill());
      recovering.arm({.at_call = stop, .calls = io::kChangingCalls});
      open_store(recovering, testing::kSimulatedStore, testing::simulated_options(durability_))
          .status()
          .ignore();
      const bool is_over = !recovering.is_dead();
      recovering.kill();
      if (is_over) return;
      SCOPED_TRACE(internal::concat("recovery stopped at change ", stop));
      const auto killed = recovering.disk()->after_kill();
      if (is_new(*killed, is_exact)) expect_state(killed, is_exact);
      const auto cut = recovering.disk()->after_power_cut(io::CrashPolicy::kRandomSubset, random_);
      const bool cut_is_exact = is_exact && durability_ == Durability::kPower;
      if (is_new(*cut, cut_is_exact)) expect_state(cut, cut_is_exact);
    }
  }

  void expect_state(const std::shared_ptr<SimDisk>& disk, bool is_exact) {
    SimEnv env(disk->after_kill());
    {
      StoreOptions options = testing::simulated_options(durability_);
      options.read_only = true;
      NPK_ASSERT_OK_AND_ASSIGN(const auto store,
                               open_store(env, testing::kSimulatedStore, options));
      expect_content(store, is_exact);
    }
    NPK_ASSERT_OK_AND_ASSIGN(auto store, open_store(env, testing::kSimulatedStore,
                                                    testing::simulated_options(durability_)));
    expect_content(store, is_exact);
    if (random_() % extent_.one_goes_on != 0 || ::testing::Test::HasFailure()) return;
    if (is_exact) {
      EXPECT_EQ(testing::rows_damage(env, testing::kSimulatedStore), "");
    }
    // The store must go on: three operations, and a look at it from another process.
    for (const size_t step : {size_t{0}, size_t{9}, size_t{11}})
      NPK_ASSERT_OK(operations()[step].run(store));
    NPK_ASSERT_OK_AND_ASSIGN(const std::string after, content_of(store));
    NPK_ASSERT_OK(store.close());
    NPK_ASSERT_OK_AND_ASSIGN(const auto again, open_store(env, testing::kSimulatedStore,
                                                          testing::simulated_options(durability_)));
    NPK_ASSERT_OK_AND_ASSIGN(const std::string content, content_of(again));
    EXPECT_EQ(content, after);
  }

  void expect_content(const ParallelIO& store, bool is_exact) const {
    if (!is_exact) {
      // Rows may be old or new, but there is a store, and it says which arrays it has.
      NPK_ASSERT_OK(store.list_arrays());
      return;
    }
    NPK_ASSERT_OK_AND_ASSIGN(const std::string content, content_of(store));
    EXPECT_TRUE(content == old_ || content == new_)
        << (store.options().read_only ? "read-only: " : "")
        << "neither the state before nor after the operation under way";
  }

  const Extent extent_;
  const Durability durability_;
  std::mt19937_64 random_;
  std::shared_ptr<SimDisk> base_;
  std::string trace_;
  std::string old_;
  std::string new_;
  uint64_t expected_hash_ = 0;
  std::unordered_set<uint64_t> seen_;
  uint64_t workloads_ = 0;
  uint64_t stops_ = 0;
  uint64_t states_ = 0;
};

/// Each durability with each first operation is a test of its own, so that ctest spreads them over
/// the processors.
class SimulatedCrash : public ::testing::TestWithParam<std::tuple<Durability, size_t>> {};

/// In mode power nothing acknowledged is lost and nothing torn. In mode process a kill loses
/// nothing and a power cut leaves a store. In mode none there is always a store.
TEST_P(SimulatedCrash, LeavesWhatTheDurabilityPromises) {
  Crashes(std::get<0>(GetParam())).run(std::get<1>(GetParam()));
}

constexpr const char* kDurabilityNames[] = {"None", "Process", "Power"};

INSTANTIATE_TEST_SUITE_P(EveryWorkload, SimulatedCrash,
                         ::testing::Combine(::testing::Values(Durability::kPower,
                                                              Durability::kProcess,
                                                              Durability::kNone),
                                            ::testing::Range(size_t{0}, operations().size())),
                         [](const auto& test) {
                           std::string name = operations()[std::get<1>(test.param)].name;
                           std::replace(name.begin(), name.end(), ' ', '_');
                           return internal::concat(
                               kDurabilityNames[static_cast<size_t>(std::get<0>(test.param))],
                               "_beginning_with_", name);
                         });

/// A disk that is full at a sync, once: what a failed sync should have saved may be gone, so that
/// trying again, and going on as if nothing had been, would lose it.
TEST(SimulatedFullDisk, NoOperationIsAcknowledgedOfWhichASyncFailed) {
  const uint64_t seed = testing::test_seed();
  uint64_t struck_operations = 0;
  bool is_struck = true;
  for (uint64_t sync = 0; is_struck; ++sync) {
    is_struck = false;
    SimEnv env(SimDisk::make(seed));
    env.arm({.at_call = sync, .calls = io::kSyncCalls, .error_number = ENOSPC});
    auto store =
        open_store(env, testing::kSimulatedStore, testing::simulated_options(Durability::kPower));
    is_struck = !store.is_ok();
    const std::vector<float> b = floats(36, 1);
    const std::vector<uint8_t> c{1, 2, 3, 4, 5, 6};
    std::vector<Operation> all = operations();
    all.insert(all.begin(), {"make", [&](ParallelIO& s) {
                               return s.save_arrays({{"a", ArrayView::of(b, {36})},
                                                     {"b", ArrayView::of(b, {12, 3})},
                                                     {"c", ArrayView::of(c, {3, 2})}});
                             }});
    for (size_t i = 0; store.is_ok() && !is_struck && i < all.size(); ++i) {
      const Status status = all[i].run(*store);
      is_struck = env.call_count(io::kSyncCalls) > sync;
      ASSERT_EQ(status.is_ok(), !is_struck)
          << all[i].name << ", sync " << sync << ": " << status.to_string();
      if (!is_struck) continue;
      ++struck_operations;
      EXPECT_EQ(all[i].run(*store).code(), StatusCode::kFailedPrecondition) << all[i].name;
    }
  }
  EXPECT_GT(struck_operations, operations().size());
}

}  // namespace
}  // namespace npk
