// kill -9 of a writer, again and again on one store: whatever was acknowledged is there, and the
// operation that was under way is there whole or not at all.
//
// NPK_SEED repeats the operations (not the instants of the kills), NPK_KILLS sets their number.
#include "bindings/cli/torture/kill_loop.h"
#include "tests/support/child_process.h"
#include "tests/support/store_compare.h"
#include "tests/support/support.h"

namespace npk::testing {
namespace {

void kill_again_and_again(TempDir::Place place) {
  const TempDir directory(place);
  Random random(test_seed());
  KillOptions options;
  options.path = directory.file("s");
  options.seed = random.next();
  options.durabilities = {Durability::kProcess, Durability::kPower};
  options.inspect = [&random](ParallelIO& store, const Model& model) {
    return full_difference(store, model, random);
  };
  KillLoop loop(std::move(options));
  const uint64_t kills = env_number("NPK_KILLS", 500);
  for (uint64_t i = 0; i < kills; ++i) {
    NPK_ASSERT_OK_AND_ASSIGN(const Finding finding, loop.round());
    ASSERT_EQ(finding.text, "") << "kill " << i;
  }
  NPK_ASSERT_OK_AND_ASSIGN(const Finding finding, loop.finish());
  ASSERT_EQ(finding.text, "");
  const Ledger& ledger = loop.ledger();
  print_count("kills", loop.kills_while_writing() + loop.kills_while_opening());
  print_count("operations acknowledged before kills", ledger.acknowledged());
  print_count("operations under way at kills, kept", ledger.kept());
  print_count("operations under way at kills, dropped", ledger.dropped());
  EXPECT_EQ(loop.kills_while_writing(), kills);
  EXPECT_GT(ledger.acknowledged(), kills) << "the kills came too early to show anything";
}

TEST(Kill9, EveryAcknowledgedOperationIsThereAndTheOneUnderWayIsWholeOrNot) {
  kill_again_and_again(TempDir::Place::kDisk);
}

// Where a sync costs nothing, far more operations fit before each kill, and more kills hit the
// store's own steps rather than the disk's.
TEST(Kill9, TheSameInMemoryWithManyMoreOperationsBetweenTheKills) {
  kill_again_and_again(TempDir::Place::kMemory);
}

TEST(KillWorker, MakesTheSameOperationsFromTheSameSeed) {
  OperationGenerator first = kill_operations(7);
  OperationGenerator second = kill_operations(7);
  Model model;
  for (int i = 0; i < 500; ++i) {
    const Operation operation = first.next(model);
    ASSERT_EQ(to_string(operation), to_string(second.next(model)));
    perform(operation, model);
  }
  EXPECT_FALSE(model.empty());
}

TEST(KillWorker, PassesItsSetupOnTheCommandLine) {
  WorkerSetup setup;
  setup.path = "/some/where";
  setup.options.durability = Durability::kPower;
  setup.options.log_bytes = 1 << 20;
  setup.options.allow_unsafe_filesystem = true;
  setup.seed = 12;
  setup.operations = 34;
  setup.expected = {56, UINT64_MAX};
  Arguments arguments = setup.to_arguments("kill");
  EXPECT_EQ(arguments[0], "kill");
  arguments.erase(arguments.begin());
  const WorkerSetup copy = WorkerSetup::from_arguments(arguments);
  EXPECT_EQ(copy.path, setup.path);
  EXPECT_EQ(copy.options.durability, Durability::kPower);
  EXPECT_EQ(copy.options.log_bytes, 1u << 20);
  EXPECT_TRUE(copy.options.allow_unsafe_filesystem);
  EXPECT_EQ(copy.seed, 12u);
  EXPECT_EQ(copy.operations, 34u);
  EXPECT_EQ(copy.expected, setup.expected);
}

}  // namespace
}  // namespace npk::testing
