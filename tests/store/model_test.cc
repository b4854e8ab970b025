// Random operations on a store and on a plain model of it; every difference is a failure.
//
// NPK_SEED repeats a run, NPK_MODEL_OPS sets the number of operations of all these tests together.
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <optional>

#include "bindings/cli/torture/random_operations.h"
#include "npk/internal/text.h"
#include "npk/store.h"
#include "tests/support/bad_operations.h"
#include "tests/support/child_process.h"
#include "tests/support/store_compare.h"
#include "tests/support/support.h"

namespace npk {
namespace {

using testing::Model;
using testing::Operation;
using testing::Random;
using Kind = Operation::Kind;

/// A zero-copy view, and what it must go on showing.
struct HeldView {
  std::string name;
  ArrayView view;
  std::vector<std::byte> bytes;
};

class ModelRun {
 public:
  ModelRun(uint64_t seed, std::optional<Durability> durability, testing::OperationLimits limits)
      : random_(seed ^ 0x5eed), generator_(seed, std::move(limits)), durability_(durability) {}

  void run(uint64_t operations) {
    reopen();
    for (uint64_t i = 0; i < operations && !::testing::Test::HasFatalFailure(); ++i) {
      step(i);
      if (i % 200 == 199 || i + 1 == operations) check_all(i);
    }
  }

 private:
  void step(uint64_t i) {
    if (random_.chance(0.002)) reopen();
    if (random_.chance(0.01)) add_or_drop_handle();
    if (random_.chance(0.03)) {
      const std::string text = testing::bad_operation_finding(random_, handle(), model_);
      ASSERT_EQ(text, "") << "before operation " << i;
    }
    const Operation operation = generator_.next(model_);
    const Status status = testing::perform(operation, handle());
    ASSERT_TRUE(status.is_ok()) << "operation " << i << ": " << to_string(operation) << "\n"
                                << status.to_string();
    perform(operation, model_);
    note_for_views(operation);
    const std::string text = difference_after(operation);
    ASSERT_EQ(text, "") << "after operation " << i << ": " << to_string(operation);
    if (random_.chance(0.02)) hold_view();
  }

  /// Looks at what was touched, and now and then at something else.
  std::string difference_after(const Operation& operation) {
    if (operation.names.empty() || random_.chance(0.05)) {
      return testing::quick_difference(handle(), model_);
    }
    const auto array = model_.find(operation.names.back());
    if (array == model_.end()) {
      const auto has = handle().has_array(operation.names.back());
      return has.is_ok() && !*has ? "" : "the array is still there";
    }
    if (array->second.bytes.size() > 4'096 && !random_.chance(0.05)) return {};
    return testing::array_difference(handle(), array->first, array->second, random_);
  }

  void check_all(uint64_t i) {
    for (ParallelIO& store : handles_) {
      const std::string text = testing::full_difference(store, model_, random_);
      ASSERT_EQ(text, "") << "after operation " << i;
    }
    for (const HeldView& held : views_) {
      ASSERT_EQ(held.view.size_bytes(), held.bytes.size());
      ASSERT_TRUE(held.bytes.empty() ||
                  std::memcmp(held.view.data(), held.bytes.data(), held.bytes.size()) == 0)
          << "a view of '" << held.name << "' changed by operation " << i;
    }
    if (i % 2'000 == 1'999) {
      ASSERT_EQ(testing::verify_damage(directory_.file("s")), "");
    }
    if (i % 1'000 == 799) check_twin(i);
  }

  void hold_view() {
    if (model_.empty()) return;
    auto array = model_.begin();
    std::advance(array, static_cast<std::ptrdiff_t>(random_.below(model_.size())));
    auto view = handle().get_array_view(array->first);
    if (!view.is_ok()) return;  // array_difference() checks when it may be refused.
    if (views_.size() > 6) views_.erase(views_.begin());
    views_.push_back({array->first, *std::move(view), array->second.bytes});
  }

  /// A replace may show through a view of the same generation: such views are given up.
  void note_for_views(const Operation& operation) {
    for (const Operation& part : operation.parts) note_for_views(part);
    if (operation.kind != Kind::kReplace) return;
    std::erase_if(views_, [&](const HeldView& held) { return held.name == operation.names[0]; });
  }

  void reopen() {
    handles_.clear();
    options_.durability = durability_ ? *durability_ : static_cast<Durability>(random_.below(3));
    options_.log_bytes = uint64_t{64 << 10} << (2 * random_.below(4));
    add_handle();
  }

  void add_or_drop_handle() {
    if (handles_.size() > 2) {
      handles_.erase(handles_.begin() + static_cast<std::ptrdiff_t>(random_.below(3)));
    } else {
      add_handle();
    }
  }

  void add_handle() {
    auto store = ParallelIO::open(directory_.file("s"), options_);
    ASSERT_TRUE(store.is_ok()) << store.status().to_string();
    handles_.push_back(*std::move(store));
  }

  ParallelIO& handle() { return handles_[random_.below(handles_.size())]; }

  /// A copy of the files as they are now is a store whose writer was killed: it recovers to the
  /// same content, whether it knows of the writer's page in LOCK or not.
  void check_twin(uint64_t i) {
    const std::string twin = directory_.file("twin");
    std::filesystem::copy(directory_.file("s"), twin);
    if (random_.chance(0.7)) std::filesystem::remove(twin + "/LOCK");
    StoreOptions options;
    options.read_only = true;
    for (const bool read_only : {true, false}) {
      options.read_only = read_only;
      NPK_ASSERT_OK_AND_ASSIGN(const ParallelIO store, ParallelIO::open(twin, options));
      ASSERT_EQ(testing::content_difference(store, model_), "")
          << "in a copy of the store after operation " << i << ", read_only " << read_only;
    }
    ASSERT_EQ(testing::verify_damage(twin), "");
    std::filesystem::remove_all(twin);
  }

  testing::TempDir directory_{testing::TempDir::Place::kMemory};
  Random random_;
  testing::OperationGenerator generator_;
  std::optional<Durability> durability_;
  StoreOptions options_;
  Model model_;
  std::vector<ParallelIO> handles_;
  std::vector<HeldView> views_;
};

void run_model(std::optional<Durability> durability, uint64_t percent) {
  const uint64_t operations = testing::env_number("NPK_MODEL_OPS", 100'000) * percent / 100;
  testing::OperationLimits limits;
  limits.names = testing::awkward_names();
  ModelRun run(testing::test_seed(), durability, std::move(limits));
  run.run(operations);
  std::printf("operations compared with the model: %llu\n",
              static_cast<unsigned long long>(operations));
}

TEST(StoreModel, AgreesWithAPlainModelInModeProcess) { run_model(Durability::kProcess, 50); }

TEST(StoreModel, AgreesWithAPlainModelInModeNone) { run_model(Durability::kNone, 20); }

TEST(StoreModel, AgreesWithAPlainModelInModePower) { run_model(Durability::kPower, 3); }

TEST(StoreModel, AgreesWithAPlainModelWhenTheModeChangesAtEachOpen) { run_model({}, 22); }

TEST(StoreModel, AgreesWithAPlainModelWhenArraysHaveManyRows) {
  testing::OperationLimits limits;
  limits.names = {"a", "b", "c"};
  limits.max_rows = 30'000;  // Deletions cross the blocks of 65,536 rows.
  limits.max_array_bytes = 4 << 20;
  ModelRun run(testing::test_seed(), Durability::kProcess, std::move(limits));
  run.run(testing::env_number("NPK_MODEL_OPS", 100'000) / 50);
}

}  // namespace
}  // namespace npk
