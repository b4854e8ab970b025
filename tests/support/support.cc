#include "tests/support/support.h"

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <utility>

namespace npk::testing {

namespace {

std::filesystem::path parent_directory(TempDir::Place place) {
  constexpr uint64_t kRoomBytes = 512u << 20;
  if (place == TempDir::Place::kMemory) {
    std::error_code missing;
    const auto space = std::filesystem::space("/dev/shm", missing);
    if (!missing && space.available >= kRoomBytes) return "/dev/shm";
  }
  return std::filesystem::temp_directory_path();
}

}  // namespace

TempDir::TempDir(Place place) {
  std::string pattern = (parent_directory(place) / "npk-test-XXXXXX").string();
  if (::mkdtemp(pattern.data()) == nullptr) std::abort();
  path_ = pattern;
}

TempDir::~TempDir() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

uint64_t test_seed() {
  const char* given = std::getenv("NPK_SEED");
  const uint64_t seed =
      given != nullptr ? std::strtoull(given, nullptr, 10) : std::random_device{}();
  std::printf("NPK_SEED=%llu\n", static_cast<unsigned long long>(seed));
  return seed;
}

void print_count(std::string_view what, uint64_t number) {
  std::printf("NPK_COUNT %.*s %llu\n", static_cast<int>(what.size()), what.data(),
              static_cast<unsigned long long>(number));
}

std::string read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  EXPECT_TRUE(in.good()) << "cannot read " << path;
  std::ostringstream content;  // By blocks: tests of damage read every file many thousand times.
  content << in.rdbuf();
  return std::move(content).str();
}

void write_file(const std::string& path, std::string_view bytes) {
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  EXPECT_TRUE(out.good()) << "cannot write " << path;
}

}  // namespace npk::testing
