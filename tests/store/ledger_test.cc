// The checker of the kill tests and of `npk torture` must be able to say no: forged logs, tampered
// stores, and a worker that lies.
#include "bindings/cli/torture/ledger.h"

#include <cstdlib>
#include <filesystem>
#include <optional>

#include "bindings/cli/torture/kill_loop.h"
#include "tests/support/store_compare.h"
#include "tests/support/support.h"

namespace npk::testing {
namespace {

constexpr uint64_t kSeed = 4;

class LedgerOfAStore : public ::testing::Test {
 protected:
  void SetUp() override {
    auto store = ParallelIO::open(directory_.file("s"));
    NPK_ASSERT_OK(store);
    store_.emplace(*std::move(store));
  }

  /// Carries out so many operations of the stream on the store.
  void perform_on_store(uint64_t count) {
    OperationGenerator operations = kill_operations(kSeed);
    Model model;
    for (uint64_t i = 0; i < count; ++i) {
      const Operation operation = operations.next(model);
      NPK_ASSERT_OK(perform(operation, *store_));
      perform(operation, model);
    }
  }

  TempDir directory_{TempDir::Place::kMemory};
  std::optional<ParallelIO> store_;
  Ledger ledger_;
};

TEST_F(LedgerOfAStore, AcceptsTheStateBeforeAndTheStateAfterTheOperationUnderWay) {
  perform_on_store(20);
  ledger_.record(kill_operations(kSeed), 20);
  EXPECT_EQ(ledger_.check(*store_).text, "");
  EXPECT_EQ(ledger_.dropped(), 1u);

  Ledger other;
  other.record(kill_operations(kSeed), 19);
  EXPECT_EQ(other.check(*store_).text, "");
  EXPECT_EQ(other.kept(), 1u);
  EXPECT_EQ(other.check(*store_).text, "") << "settled, it accepts the same again";
  EXPECT_EQ(other.acknowledged(), 19u);
}

TEST_F(LedgerOfAStore, CountsAcknowledgedOperationsThatAreMissing) {
  perform_on_store(20);
  ledger_.record(kill_operations(kSeed), 23);
  const Finding finding = ledger_.check(*store_);
  EXPECT_GE(finding.lost, 1u);  // Fewer than three if the last ones changed nothing.
  EXPECT_LE(finding.lost, 3u);
  EXPECT_EQ(finding.torn, 0u);
  EXPECT_THAT(finding.text, ::testing::HasSubstr("acknowledged operations are lost"));
}

TEST_F(LedgerOfAStore, CallsAStateTornThatTheStoreWasNeverIn) {
  perform_on_store(20);
  NPK_ASSERT_OK_AND_ASSIGN(const auto names, store_->list_arrays());
  NPK_ASSERT_OK(store_->set_attributes(names.at(0), R"({"never":"acknowledged"})"));
  ledger_.record(kill_operations(kSeed), 20);
  const Finding finding = ledger_.check(*store_);
  EXPECT_EQ(finding.lost, 0u);
  EXPECT_EQ(finding.torn, 1u);
  EXPECT_THAT(finding.text, ::testing::HasSubstr("no state that it ever was in"));
}

TEST_F(LedgerOfAStore, FindsOneChangedByteOfARow) {
  perform_on_store(20);
  Model model = *read_model(*store_);
  ledger_.record(kill_operations(kSeed), 20);
  ASSERT_EQ(ledger_.check(*store_).text, "");
  for (const auto& [name, array] : model) {
    if (array.bytes.empty() || array.shape.empty() || array.row_bytes() == 0) continue;
    std::vector<std::byte> row = array.gather({0});
    row[0] ^= std::byte{1};
    Shape shape = array.shape;
    shape[0] = 1;
    NPK_ASSERT_OK(store_->replace_rows(name, contiguous_values(array.dtype, shape, row).view(),
                                       Rows::list({0})));
    EXPECT_EQ(ledger_.check(*store_).torn, 1u) << name;
    return;
  }
  FAIL() << "the stream made no array with rows; take another seed";
}

// ---- The loop around it. ----

class KillLoopOnAStore : public ::testing::Test {
 protected:
  KillLoopOnAStore() {
    options_.path = directory_.file("s");
    options_.seed = 5;
    options_.durabilities = {Durability::kProcess};
  }
  /// The first finding of up to `rounds` rounds.
  Finding first_finding(KillLoop& loop, int rounds) {
    for (int i = 0; i < rounds; ++i) {
      auto finding = loop.round();
      EXPECT_TRUE(finding.is_ok()) << finding.status().to_string();
      if (!finding.is_ok()) return {};
      if (!finding->text.empty()) return *finding;
    }
    return {};
  }
  TempDir directory_{TempDir::Place::kMemory};
  KillOptions options_;
};

TEST_F(KillLoopOnAStore, FindsTheLossWhenAWorkerAcknowledgesWhatItLeftOut) {
  ASSERT_EQ(::setenv("NPK_TORTURE_BREAK", "1", 1), 0);
  KillLoop loop(options_);
  const Finding finding = first_finding(loop, 20);
  ASSERT_EQ(::unsetenv("NPK_TORTURE_BREAK"), 0);
  EXPECT_EQ(finding.lost, 1u) << finding.text;
}

TEST_F(KillLoopOnAStore, FindsADamagedFile) {
  KillLoop loop(options_);
  ASSERT_EQ(first_finding(loop, 6).text, "");
  write_file(options_.path + "/STORE", std::string(8'192, 'x'));
  const Finding finding = first_finding(loop, 6);
  EXPECT_EQ(finding.torn, 1u);
  EXPECT_THAT(finding.text, ::testing::HasSubstr("STORE"));
}

TEST_F(KillLoopOnAStore, TakesWhatWorkersLeaveThatWereKilledBeforeTheStoreWasMade) {
  std::filesystem::create_directory(options_.path);
  for (const char* name : {"/LOCK", "/log.0", "/STORE.tmp"}) write_file(options_.path + name, "");
  KillLoop loop(options_);
  EXPECT_EQ(first_finding(loop, 6).text, "");
  NPK_ASSERT_OK_AND_ASSIGN(const Finding finding, loop.finish());
  EXPECT_EQ(finding.text, "");
}

TEST_F(KillLoopOnAStore, FindsThatAStoreIsGoneThoughItHasNoArrays) {
  KillLoop loop(options_);
  NPK_ASSERT_OK_AND_ASSIGN(const Finding made, loop.finish());
  ASSERT_EQ(made.text, "");
  std::filesystem::remove(options_.path + "/STORE");
  std::filesystem::remove(options_.path + "/CHANGES");
  NPK_ASSERT_OK_AND_ASSIGN(const Finding finding, loop.finish());
  EXPECT_EQ(finding.torn, 1u);
  EXPECT_THAT(finding.text, ::testing::HasSubstr("STORE"));
}

TEST_F(KillLoopOnAStore, CallsAMissingDirectoryAnError) {
  options_.path = directory_.file("not/there");
  KillLoop loop(options_);
  for (int i = 0; i < 20; ++i) {  // An early kill may come before the error.
    auto finding = loop.round();
    if (!finding.is_ok()) return;
    ASSERT_EQ(finding->text, "");
  }
  FAIL() << "no error";
}

}  // namespace
}  // namespace npk::testing
