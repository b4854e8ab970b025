// A small store with everything that a store's files can hold, made on a simulated disk: what the
// fuzzers begin with. The same in every run.
#ifndef NPK_TESTS_FUZZ_SAMPLE_STORE_H_
#define NPK_TESTS_FUZZ_SAMPLE_STORE_H_

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "io/sim_env.h"
#include "npk/store.h"
#include "tests/fuzz/fuzz_target.h"

namespace npk::testing {

struct SampleFile {
  std::string name;
  Input bytes;
};

struct SampleStore {
  std::shared_ptr<io::SimDisk> disk;
  std::vector<SampleFile> files;  ///< By name; logs without the zeros at their end.

  /// Those whose name contains `part`.
  [[nodiscard]] std::vector<Input> files_with(std::string_view part) const;
};

inline constexpr std::string_view kSamplePath = "s.npk";

/// 0: closed in good order; 1: its writer was killed; 2: the same, and the machine restarted; 3: as
/// 1, with checksums of rows, and before-images for a snapshot that was open.
const SampleStore& sample_store(size_t kind);
inline constexpr size_t kSampleStores = 4;

/// How the samples are opened: a small log, no waiting.
StoreOptions sample_options(bool read_only);

}  // namespace npk::testing

#endif  // NPK_TESTS_FUZZ_SAMPLE_STORE_H_
