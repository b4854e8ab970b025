// The fixture of the tests that run on every Env.
#ifndef NPK_TESTS_IO_EVERY_ENV_H_
#define NPK_TESTS_IO_EVERY_ENV_H_

#include <memory>
#include <ostream>
#include <string>

#include "tests/io/env_world.h"

namespace npk::io {

struct WorldKind {
  const char* name;
  std::unique_ptr<EnvWorld> (*make)();
  friend void PrintTo(const WorldKind& kind, std::ostream* out) { *out << kind.name; }
};

inline constexpr WorldKind kWorlds[] = {
    {"Posix", []() -> std::unique_ptr<EnvWorld> { return std::make_unique<PosixWorld>(); }},
    {"Simulated", []() -> std::unique_ptr<EnvWorld> { return std::make_unique<SimWorld>(); }},
};

class EveryEnv : public ::testing::TestWithParam<WorldKind> {
 protected:
  Env& env() { return world_->env(); }
  [[nodiscard]] std::string path(std::string_view name) const { return world_->path(name); }
  std::unique_ptr<File> make(std::string_view name, std::string_view text) {
    return make_file(env(), path(name), text);
  }
  std::unique_ptr<File> open(std::string_view name, OpenMode mode) {
    Result<std::unique_ptr<File>> file = env().open(path(name), mode);
    EXPECT_TRUE(file.is_ok()) << file.status().to_string();
    return file.is_ok() ? *std::move(file) : nullptr;
  }
  std::shared_ptr<Mapping> map(File& file, uint64_t length_bytes, MapMode mode) {
    Result<std::shared_ptr<Mapping>> mapping = file.map(length_bytes, mode);
    EXPECT_TRUE(mapping.is_ok()) << mapping.status().to_string();
    return mapping.is_ok() ? *mapping : nullptr;
  }

 private:
  std::unique_ptr<EnvWorld> world_ = GetParam().make();
};

}  // namespace npk::io

#endif  // NPK_TESTS_IO_EVERY_ENV_H_
