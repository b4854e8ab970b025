// The fixture of the tests of the simulated file system.
#ifndef NPK_TESTS_IO_SIM_DISK_TEST_BASE_H_
#define NPK_TESTS_IO_SIM_DISK_TEST_BASE_H_

#include <memory>
#include <string>
#include <vector>

#include "io/sim_env.h"
#include "tests/io/env_world.h"

namespace npk::io {

/// The content of a file, or why there is none: "(missing)".
inline std::string content_of(Env& env, const std::string& path) {
  auto file = env.open(path, OpenMode::kRead);
  if (file.status().code() == StatusCode::kNotFound) return "(missing)";
  if (!file.is_ok()) return file.status().to_string();
  return read_text(**file, 0, (*file)->size_bytes().value_or(0));
}

inline std::string content_of(const std::shared_ptr<SimDisk>& disk, const std::string& path) {
  SimEnv env(disk);
  return content_of(env, path);
}

/// A disk with a durable, empty directory /db and a process on it.
class SimDiskTest : public ::testing::Test {
 protected:
  SimDiskTest() {
    NPK_EXPECT_OK(env_.make_directory("/db"));
    disk_->write_back();
  }
  std::unique_ptr<File> make(const std::string& path, std::string_view text) {
    return make_file(env_, path, text);
  }
  std::unique_ptr<File> make_durable(const std::string& path, std::string_view text) {
    auto file = make(path, text);
    disk_->write_back();
    return file;
  }
  std::shared_ptr<Mapping> map_shared(File& file, uint64_t length_bytes) {
    return *file.map(length_bytes, MapMode::kShared);
  }
  [[nodiscard]] std::string after(CrashPolicy policy, const std::string& path,
                                  uint64_t variant = 0) const {
    return content_of(disk_->after_power_cut(PowerCut{policy, variant, 7}), path);
  }
  /// What is left of a file after each variant of a policy.
  [[nodiscard]] std::vector<std::string> after_each(CrashPolicy policy, const std::string& path) {
    std::vector<std::string> contents;
    for (const PowerCut& cut : disk_->power_cuts(1, random_)) {
      if (cut.policy == policy) contents.push_back(content_of(disk_->after_power_cut(cut), path));
    }
    return contents;
  }

  std::shared_ptr<SimDisk> disk_ = SimDisk::make(5);
  SimEnv env_{disk_};
  std::mt19937_64 random_{testing::test_seed()};
};

}  // namespace npk::io

#endif  // NPK_TESTS_IO_SIM_DISK_TEST_BASE_H_
