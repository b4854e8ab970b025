// A libFuzzer program for all targets: NPK_FUZZ_TARGET names the one to run. scripts/fuzz runs it.
//   npk_fuzz --list              the targets' names
//   npk_fuzz --seeds DIRECTORY   writes the target's seeds there
#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <random>

#include "npk/internal/text.h"
#include "tests/fuzz/fuzz_target.h"

extern "C" size_t LLVMFuzzerMutate(uint8_t* data, size_t size, size_t max_size);
extern "C" int LLVMFuzzerInitialize(int* argc, char*** argv);
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);
extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t max_size,
                                          unsigned int seed);

namespace npk::testing {
namespace {

const FuzzTarget* target = nullptr;

class LibFuzzerMutator final : public ByteMutator {
 public:
  explicit LibFuzzerMutator(unsigned int seed) : random_(seed) {}
  void change(Input& bytes, size_t max_bytes) override {
    const size_t size = bytes.size();
    max_bytes = std::max<size_t>({1, size, max_bytes});
    bytes.resize(max_bytes);
    bytes.resize(LLVMFuzzerMutate(reinterpret_cast<uint8_t*>(bytes.data()), size, max_bytes));
  }
  uint64_t below(uint64_t bound) override { return random_() % bound; }

 private:
  std::minstd_rand random_;
};

int list() {
  for (const FuzzTarget& one : fuzz_targets()) std::cout << one.name << '\n';
  return EXIT_SUCCESS;
}

int write_seeds(const std::string& directory) {
  size_t number = 0;
  for (const Input& seed : target->seeds()) {
    std::ofstream file(internal::concat(directory, "/seed-", number++), std::ios::binary);
    file.write(reinterpret_cast<const char*>(seed.data()),
               static_cast<std::streamsize>(seed.size()));
    if (!file.flush()) return EXIT_FAILURE;
  }
  return EXIT_SUCCESS;
}

/// One in eight changes is libFuzzer's alone, so that checksums too are tested.
constexpr uint64_t kPlainChanges = 8;

}  // namespace
}  // namespace npk::testing

using npk::testing::target;

int LLVMFuzzerInitialize(int* argc, char*** argv) {
  const std::string_view verb = *argc > 1 ? (*argv)[1] : "";
  if (verb == "--list") std::exit(npk::testing::list());
  const char* name = std::getenv("NPK_FUZZ_TARGET");
  for (const npk::testing::FuzzTarget& one : npk::testing::fuzz_targets()) {
    if (name != nullptr && one.name == name) target = &one;
  }
  if (target == nullptr) {
    std::cerr << "NPK_FUZZ_TARGET must be one of:\n";
    npk::testing::list();
    std::exit(EXIT_FAILURE);
  }
  if (verb == "--seeds" && *argc > 2) std::exit(npk::testing::write_seeds((*argv)[2]));
  std::atexit([] {
    std::cerr << "peak memory beyond 2 x input: " << npk::testing::peak_memory_bytes()
              << " bytes\n";
  });
  return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string wrong =
      npk::testing::run_in_bounds(*target, std::as_bytes(std::span(data, size)));
  if (wrong.empty()) return 0;
  std::cerr << "WRONG: " << wrong << std::endl;
  std::abort();
}

size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t max_size, unsigned int seed) {
  npk::testing::LibFuzzerMutator mutator(seed);
  if (target->mutate == nullptr || mutator.below(npk::testing::kPlainChanges) == 0) {
    return LLVMFuzzerMutate(data, size, max_size);
  }
  const auto bytes = std::as_bytes(std::span(data, size));
  npk::testing::Input input(bytes.begin(), bytes.end());
  target->mutate(input, max_size, mutator);
  size = std::min(input.size(), max_size);
  std::transform(input.begin(), input.begin() + static_cast<ptrdiff_t>(size), data,
                 [](std::byte b) { return std::to_integer<uint8_t>(b); });
  return size;
}
