// What every test needs: a directory of its own, seeded randomness, status assertions.
#ifndef NPK_TESTS_SUPPORT_SUPPORT_H_
#define NPK_TESTS_SUPPORT_SUPPORT_H_

#include <cstdint>
#include <random>
#include <string>
#include <string_view>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "npk/status.h"

namespace npk::testing {

/// A directory that is removed with its content at the end of its scope.
class TempDir {
 public:
  /// kMemory: on /dev/shm if there is room, for tests of what does not depend on the disk.
  enum class Place { kDisk, kMemory };
  explicit TempDir(Place place = Place::kDisk);
  ~TempDir();
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] std::string file(std::string_view name) const {
    return path_ + "/" + std::string(name);
  }

 private:
  std::string path_;
};

/// From -8 to 8: sums of products of few of them are exact in float32, in whatever order.
inline float small_integer(std::mt19937_64& random) {
  return static_cast<float>(random() % 17) - 8;
}

/// The seed of a randomised test: NPK_SEED, or a fresh one. Printed, so that a failure repeats.
uint64_t test_seed();

/// Prints a number of cases that were tried: scripts/test adds them up over all tests, by name.
void print_count(std::string_view what, uint64_t number);

/// The whole file. Fails the test if it cannot be read.
std::string read_file(const std::string& path);
void write_file(const std::string& path, std::string_view bytes);

inline const Status& status_of(const Status& status) { return status; }
template <typename T>
const Status& status_of(const Result<T>& result) {
  return result.status();
}

}  // namespace npk::testing

#define NPK_ASSERT_OK(expression)                                        \
  do {                                                                   \
    const auto& npk_r = (expression);                                    \
    const ::npk::Status npk_s = ::npk::testing::status_of(npk_r);        \
    ASSERT_TRUE(npk_s.is_ok()) << #expression ": " << npk_s.to_string(); \
  } while (false)
#define NPK_EXPECT_OK(expression)                                        \
  do {                                                                   \
    const auto& npk_r = (expression);                                    \
    const ::npk::Status npk_s = ::npk::testing::status_of(npk_r);        \
    EXPECT_TRUE(npk_s.is_ok()) << #expression ": " << npk_s.to_string(); \
  } while (false)
/// The error's code, and a part of its whole text (message, path, offset).
#define NPK_EXPECT_ERROR(expression, error_code, part)                           \
  do {                                                                           \
    const auto& npk_r = (expression);                                            \
    const ::npk::Status npk_s = ::npk::testing::status_of(npk_r);                \
    EXPECT_EQ(npk_s.code(), ::npk::StatusCode::error_code) << npk_s.to_string(); \
    EXPECT_THAT(npk_s.to_string(), ::testing::HasSubstr(part));                  \
  } while (false)
/// NPK_ASSERT_OK_AND_ASSIGN(auto store, ParallelIO::open(path));
#define NPK_ASSERT_OK_AND_ASSIGN(declaration, expression) \
  NPK_ASSERT_OK_AND_ASSIGN_(NPK_CONCAT_(npk_t_, __LINE__), declaration, expression)
#define NPK_ASSERT_OK_AND_ASSIGN_(result, declaration, expression)                \
  auto result = (expression);                                                     \
  ASSERT_TRUE(result.is_ok()) << #expression ": " << result.status().to_string(); \
  declaration = *std::move(result)

#endif  // NPK_TESTS_SUPPORT_SUPPORT_H_
