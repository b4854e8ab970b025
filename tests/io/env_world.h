// An Env with a directory to work in, for tests that run on the real file system and on the
// simulated one alike.
#ifndef NPK_TESTS_IO_ENV_WORLD_H_
#define NPK_TESTS_IO_ENV_WORLD_H_

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "io/env.h"
#include "io/sim_env.h"
#include "tests/support/support.h"

namespace npk::io {

class EnvWorld {
 public:
  virtual ~EnvWorld() = default;
  virtual Env& env() = 0;
  /// An empty directory.
  [[nodiscard]] virtual std::string root() const = 0;
  [[nodiscard]] std::string path(std::string_view name) const {
    return root() + "/" + std::string(name);
  }
};

class PosixWorld final : public EnvWorld {
 public:
  Env& env() override { return Env::posix(); }
  [[nodiscard]] std::string root() const override { return directory_.path(); }

 private:
  testing::TempDir directory_;
};

class SimWorld final : public EnvWorld {
 public:
  SimWorld() { NPK_EXPECT_OK(env_.make_directory(root())); }
  Env& env() override { return env_; }
  [[nodiscard]] std::string root() const override { return "/root"; }

 private:
  SimEnv env_;
};

inline Bytes bytes_of(std::string_view text) { return std::as_bytes(std::span(text)); }

inline std::string text_of(Bytes bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// The text at an offset; the status as text if it cannot be read.
inline std::string read_text(const File& file, uint64_t offset_bytes, uint64_t length_bytes) {
  std::vector<std::byte> buffer(length_bytes);
  const Status status = file.read_at(offset_bytes, buffer);
  return status.is_ok() ? text_of(buffer) : status.to_string();
}

/// A new or emptied file with this content.
inline std::unique_ptr<File> make_file(Env& env, const std::string& path, std::string_view text) {
  Result<std::unique_ptr<File>> file = env.open(path, OpenMode::kTruncate);
  EXPECT_TRUE(file.is_ok()) << file.status().to_string();
  if (!file.is_ok()) return nullptr;
  NPK_EXPECT_OK((*file)->write_at(0, bytes_of(text)));
  return *std::move(file);
}

}  // namespace npk::io

#endif  // NPK_TESTS_IO_ENV_WORLD_H_
