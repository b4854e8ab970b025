// What the fuzzers begin with, what they found, and some changes of it: every target takes all of
// it, in bounded memory.
#include <algorithm>
#include <filesystem>
#include <random>

#include "npk/convert.h"
#include "tests/fuzz/fuzz_target.h"
#include "tests/support/support.h"

namespace npk::testing {
namespace {

constexpr size_t kChangesOfEach = 300;
constexpr size_t kMaxInputBytes = 64u << 10;

/// A few bytes written over, put in or taken out.
class SimpleMutator final : public ByteMutator {
 public:
  explicit SimpleMutator(uint64_t seed) : random_(seed) {}
  void change(Input& bytes, size_t max_bytes) override {
    for (uint64_t left = 1 + below(4); left > 0; --left) {
      const auto at = bytes.begin() + static_cast<ptrdiff_t>(below(bytes.size() + 1));
      const auto value = static_cast<std::byte>(below(256));
      if (below(3) == 0 && bytes.size() < max_bytes) {
        bytes.insert(at, 1 + below(8), value);
      } else if (at != bytes.end() && below(3) == 0) {
        bytes.erase(at);
      } else if (at != bytes.end()) {
        *at = value;
      }
    }
  }
  uint64_t below(uint64_t bound) override { return random_() % bound; }

 private:
  std::mt19937_64 random_;
};

class Corpus : public ::testing::TestWithParam<FuzzTarget> {
 protected:
  static io::Bytes bytes_of(const std::string& text) { return std::as_bytes(std::span(text)); }
};

TEST_P(Corpus, IsTaken) {
  const FuzzTarget& target = GetParam();
  const std::string folder =
      std::string(NPK_SOURCE_DIR) + "/tests/fuzz/corpus/" + std::string(target.name);
  size_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    SCOPED_TRACE(entry.path().filename().string());
    const std::string text = read_file(entry.path().string());
    EXPECT_EQ(run_in_bounds(target, bytes_of(text)), "");
    ++files;
  }
  EXPECT_GT(files, 0u) << folder;
}

TEST_P(Corpus, SeedsAndChangesOfThemAreTaken) {
  const FuzzTarget& target = GetParam();
  SimpleMutator mutator(test_seed());
  const std::vector<Input> seeds = target.seeds();
  ASSERT_FALSE(seeds.empty());
  for (size_t i = 0; i < seeds.size(); ++i) {
    EXPECT_EQ(run_in_bounds(target, seeds[i]), "") << "seed " << i;
    Input input = seeds[i];
    for (size_t step = 0; step < kChangesOfEach / seeds.size() + 1; ++step) {
      if (target.mutate != nullptr && mutator.below(8) != 0) {
        target.mutate(input, kMaxInputBytes, mutator);
      } else {
        mutator.change(input, kMaxInputBytes);
      }
      ASSERT_EQ(run_in_bounds(target, input), "") << "seed " << i << ", change " << step;
      if (mutator.below(8) == 0) input = seeds[i];
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Targets, Corpus,
                         ::testing::ValuesIn(fuzz_targets().begin(), fuzz_targets().end()),
                         [](const auto& target) { return std::string(target.param.name); });

TEST(FuzzTargets, ThereIsOneForEachFileFormat) {
  for (const std::string_view extension : file_extensions()) {
    EXPECT_TRUE(std::ranges::any_of(fuzz_targets(), [&](const FuzzTarget& target) {
      return target.name == extension.substr(1);
    })) << extension;
  }
}

}  // namespace
}  // namespace npk::testing
