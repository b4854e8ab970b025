// A snapshot, while the writers beside it die at every call, on a simulated file system.
//
// One process holds a snapshot. A writer goes through a workload and dies instead of its n-th call
// that changes the disk, for every n; another one recovers the store and goes on. The snapshot must
// show what it did, the store what was acknowledged, and when the snapshot is closed nothing may be
// left of it. The same with errors in place of deaths.
#include <algorithm>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "npk/internal/text.h"
#include "tests/support/simulated_store.h"
#include "tests/support/store_compare.h"
#include "tests/support/support.h"

namespace npk {
namespace {

using io::SimDisk;
using io::SimEnv;
using testing::Model;

// A row is a page, so that no row is kept as it was because another one of its page was put back.
constexpr uint64_t kWidth = 1'024;

ArrayView floats(uint64_t rows, float first) {
  auto values = std::make_shared<std::vector<float>>();
  for (uint64_t i = 0; i < rows * kWidth; ++i) values->push_back(first + static_cast<float>(i));
  return ArrayView::raw(values->data(), DType::kFloat32, {rows, kWidth}, values);
}

/// With room in the log for all steps between two checkpoints.
StoreOptions options_of(Durability durability) {
  StoreOptions options = testing::simulated_options(durability);
  options.log_bytes = 1u << 20;
  return options;
}

const std::vector<std::function<Status(ParallelIO&)>>& steps() {
  static const std::vector<std::function<Status(ParallelIO&)>> all = {
      [](ParallelIO& s) {
        WriteBatch batch;
        batch.replace_rows("a", floats(1, 150), Rows::list({8}));
        batch.replace_rows("b", floats(1, 160), Rows::list({1}));
        return s.commit(batch);
      },
      [](ParallelIO& s) {
        return s.replace_rows("a", floats(3, 100), Rows::list({0, 5, -1}));
      },
      [](ParallelIO& s) { return s.append_rows("a", floats(2, 200)); },
      [](ParallelIO& s) {
        return s.replace_rows("a", floats(2, 300), Rows::list({5, 7}));
      },
      [](ParallelIO& s) {
        return s.drop_arrays("a", Rows::list({1, 2}));
      },
      [](ParallelIO& s) { return s.sync_metadata(); },
      [](ParallelIO& s) { return s.replace_rows("a", floats(4, 400), Rows::range(2, 6)); },
      [](ParallelIO& s) { return s.compact_array("a"); },
      [](ParallelIO& s) {
        WriteBatch batch;
        batch.replace_rows("a", floats(1, 500), Rows::list({3}));
        batch.replace_rows("b", floats(2, 600), Rows::list({0, 3}));
        return s.commit(batch);
      }};
  return all;
}

class SimulatedSnapshot : public ::testing::TestWithParam<Durability> {
 protected:
  /// A store, the models of it after each step, and the snapshot's model, which is the first.
  void SetUp() override {
    SimEnv env(SimDisk::make(testing::test_seed()));
    {
      NPK_ASSERT_OK_AND_ASSIGN(auto store,
                               open_store(env, testing::kSimulatedStore, options_of(GetParam())));
      NPK_ASSERT_OK(store.save_arrays({{"a", floats(12, 1)}, {"b", floats(4, 50)}}));
    }
    base_ = env.disk()->after_kill();
    SimEnv whole(base_->after_kill());
    NPK_ASSERT_OK_AND_ASSIGN(auto store,
                             open_store(whole, testing::kSimulatedStore, options_of(GetParam())));
    for (size_t i = 0;; ++i) {
      NPK_ASSERT_OK_AND_ASSIGN(models_.emplace_back(), testing::read_model(store));
      if (i == steps().size()) break;
      NPK_ASSERT_OK(steps()[i](store));
    }
  }

  /// One run; `fault` strikes the first writer. The one that goes on behind it may have the store
  /// open since before, and have saved rows for the snapshot. Returns whether the fault struck.
  bool run(const io::SimFault& fault, bool is_reader_writable, bool is_next_open) {
    SimEnv reading(base_->after_kill());
    StoreOptions options = options_of(GetParam());
    options.read_only = !is_reader_writable;
    auto reader = open_store(reading, testing::kSimulatedStore, options);
    EXPECT_TRUE(reader.is_ok()) << reader.status().to_string();
    auto snapshot = reader->snapshot();
    EXPECT_TRUE(snapshot.is_ok()) << snapshot.status().to_string();
    if (!snapshot.is_ok()) return false;

    SimEnv next(reading.disk());
    const auto open_next = [&] {
      return open_store(next, testing::kSimulatedStore, options_of(GetParam()));
    };
    std::optional<Result<ParallelIO>> store;
    if (is_next_open) {
      store.emplace(open_next());
      EXPECT_TRUE(store->is_ok()) << store->status().to_string();
      NPK_EXPECT_OK((*store)->replace_rows("a", floats(2, 1), Rows::list({0, 1})));  // As they are.
    }
    SimEnv writing(reading.disk());
    writing.arm(fault);
    auto first = open_store(writing, testing::kSimulatedStore, options_of(GetParam()));
    size_t acknowledged = 0;
    for (; first.is_ok() && acknowledged < steps().size(); ++acknowledged) {
      if (!steps()[acknowledged](*first).is_ok() || writing.is_dead()) break;
    }
    const bool has_struck = writing.call_count(fault.calls) > fault.at_call;
    if (fault.error_number == 0) writing.kill();
    expect_snapshot(*snapshot, "after the fault");
    if (!is_next_open) {
      store.emplace(open_next());
      EXPECT_TRUE(store->is_ok()) << store->status().to_string();
      if (!store->is_ok()) return has_struck;
      expect_acknowledged(**store, acknowledged);
      expect_snapshot(*snapshot, "after recovery");
    }
    NPK_EXPECT_OK((*store)->replace_rows("a", floats(5, 700), Rows::range(0, 5)));
    NPK_EXPECT_OK((*store)->append_rows("b", floats(1, 800)));
    expect_snapshot(*snapshot, "after another replace");
    snapshot->close();
    NPK_EXPECT_OK((*store)->append_rows("b", floats(1, 900)));
    NPK_EXPECT_OK((*store)->sync_metadata());
    expect_nothing_left(next, **store);
    return has_struck;
  }

  void expect_acknowledged(const ParallelIO& store, size_t acknowledged) {
    if (GetParam() == Durability::kNone) return;
    const std::string old = testing::content_difference(store, models_[acknowledged]);
    const size_t after = std::min(acknowledged + 1, steps().size());
    EXPECT_TRUE(old.empty() || testing::content_difference(store, models_[after]).empty()) << old;
  }

  void expect_snapshot(const Snapshot& snapshot, const char* when) {
    EXPECT_EQ(testing::content_difference(snapshot, models_[0]), "") << when;
  }

  static void expect_nothing_left(SimEnv& env, const ParallelIO& store) {
    NPK_ASSERT_OK_AND_ASSIGN(const auto names, env.list(testing::kSimulatedStore));
    NPK_ASSERT_OK_AND_ASSIGN(const auto arrays, store.list_arrays());
    size_t rows = 0;
    for (const std::string& name : names) {
      EXPECT_EQ(name.find(".before."), std::string::npos) << name;
      rows += name.ends_with(".rows") ? 1u : 0u;
    }
    EXPECT_EQ(rows, arrays.size());
  }

  std::shared_ptr<SimDisk> base_;
  std::vector<Model> models_;
};

TEST_P(SimulatedSnapshot, StaysAsItWasWhenAWriterDiesAtAnyCall) {
  uint64_t stops = 0;
  for (const auto& [is_reader_writable, is_next_open] :
       {std::pair(false, false), std::pair(true, false), std::pair(false, true)}) {
    for (uint64_t call = 0;; ++call, ++stops) {
      SCOPED_TRACE(internal::concat("stopped at change ", call));
      const io::SimFault fault{.at_call = call, .calls = io::kChangingCalls};
      if (!run(fault, is_reader_writable, is_next_open)) break;
      if (HasFailure()) return;
    }
  }
  std::printf("stopped at %llu calls\n", static_cast<unsigned long long>(stops));
  EXPECT_GT(stops, 50u);
}

TEST_P(SimulatedSnapshot, StaysAsItWasWhenTheDiskIsFullAtAnyCall) {
  uint64_t stops = 0;
  for (const bool is_next_open : {false, true}) {
    for (uint64_t call = 0;; ++call, ++stops) {
      SCOPED_TRACE(internal::concat("full at call ", call));
      io::SimFault fault{.at_call = call, .calls = io::SimCalls::kWrite | io::SimCalls::kAllocate};
      fault.error_number = ENOSPC;
      if (!run(fault, false, is_next_open)) break;
      if (HasFailure()) return;
    }
  }
  EXPECT_GT(stops, 20u);
}

INSTANTIATE_TEST_SUITE_P(AllModes, SimulatedSnapshot,
                         ::testing::Values(Durability::kProcess, Durability::kNone,
                                           Durability::kPower));

}  // namespace
}  // namespace npk
