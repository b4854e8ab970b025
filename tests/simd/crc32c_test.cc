#include "simd/crc32c.h"

#include <array>
#include <fstream>
#include <iterator>
#include <memory>
#include <numeric>
#include <vector>

#include "tests/support/support.h"

#if defined(__aarch64__)
#include <sys/auxv.h>

#include <asm/hwcap.h>
#endif

namespace npk::simd {
namespace {

using ByteVector = std::vector<std::byte>;
using Checksum = uint32_t (*)(std::span<const std::byte>, uint32_t) noexcept;

struct Kernel {
  const char* name;
  Checksum checksum;
};
constexpr Kernel kKernels[] = {{"crc32c", crc32c}, {"crc32c_scalar", crc32c_scalar}};

ByteVector bytes_of(std::string_view text) {
  const auto bytes = std::as_bytes(std::span(text));
  return {bytes.begin(), bytes.end()};
}

/// Bit by bit from the definition: shares nothing with the code under test.
uint32_t definition(std::span<const std::byte> bytes) {
  uint32_t crc = 0xFFFFFFFF;
  for (const std::byte byte : bytes) {
    crc ^= static_cast<uint32_t>(byte);
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0x82F63B78 : 0);
  }
  return ~crc;
}

ByteVector random_bytes(std::mt19937_64& random, size_t count) {
  ByteVector bytes(count);
  for (std::byte& byte : bytes) byte = static_cast<std::byte>(random());
  return bytes;
}

TEST(Crc32c, GivesTheVectorsOfRfc3720) {
  ByteVector rising(32);
  for (size_t i = 0; i < rising.size(); ++i) rising[i] = static_cast<std::byte>(i);
  const ByteVector falling(rising.rbegin(), rising.rend());
  ByteVector read_command(48);
  constexpr std::pair<size_t, int> kSet[] = {{0, 0x01},  {1, 0xC0},  {16, 0x14}, {22, 0x04},
                                             {27, 0x14}, {31, 0x18}, {32, 0x28}, {40, 0x02}};
  for (const auto& [at, value] : kSet) read_command[at] = static_cast<std::byte>(value);
  for (const Kernel& kernel : kKernels) {
    SCOPED_TRACE(kernel.name);
    EXPECT_EQ(kernel.checksum(ByteVector(32, std::byte{0}), 0), 0x8A9136AAU);
    EXPECT_EQ(kernel.checksum(ByteVector(32, std::byte{0xFF}), 0), 0x62A8AB43U);
    EXPECT_EQ(kernel.checksum(rising, 0), 0x46DD794EU);
    EXPECT_EQ(kernel.checksum(falling, 0), 0x113FDB5CU);
    EXPECT_EQ(kernel.checksum(read_command, 0), 0xD9963A56U);
    EXPECT_EQ(kernel.checksum(bytes_of("123456789"), 0), 0xE3069283U);
  }
}

TEST(Crc32c, OfNothingIsItsSeed) {
  for (const Kernel& kernel : kKernels) {
    EXPECT_EQ(kernel.checksum({}, 0), 0U);
    EXPECT_EQ(kernel.checksum({}, 0xDEADBEEF), 0xDEADBEEFU);
  }
}

TEST(Crc32c, AgreesWithTheDefinitionAtEveryLengthAndAlignment) {
  std::mt19937_64 random(testing::test_seed());
  for (size_t length = 0; length <= 300; ++length) {
    for (size_t shift = 0; shift < 16; ++shift) {
      // Allocated to the byte, so that a sanitizer sees a read past either end.
      const ByteVector bytes = random_bytes(random, shift + length);
      const auto part = std::span(bytes).subspan(shift);
      const uint32_t expected = definition(part);
      ASSERT_EQ(crc32c(part), expected) << length << " bytes, shifted by " << shift;
      ASSERT_EQ(crc32c_scalar(part), expected) << length << " bytes, shifted by " << shift;
    }
  }
}

TEST(Crc32c, AgreesWithItsScalarTwinAroundTheLaneLengths) {
  std::mt19937_64 random(testing::test_seed());
  for (const size_t lanes : {size_t{3 * 256}, size_t{6 * 256}, size_t{3 * 4096},
                             size_t{3 * 4096 + 3 * 256}, size_t{6 * 4096}, size_t{1} << 20}) {
    const ByteVector bytes = random_bytes(random, lanes + 24);
    for (size_t less = 0; less <= 32; ++less) {
      const auto part = std::span(bytes).subspan(less % 11).first(lanes + 13 - less);
      ASSERT_EQ(crc32c(part), crc32c_scalar(part)) << part.size() << " bytes";
    }
    ASSERT_EQ(crc32c_scalar(bytes), definition(bytes));
  }
}

TEST(Crc32c, OfPiecesChainedIsThatOfTheWhole) {
  std::mt19937_64 random(testing::test_seed());
  for (int round = 0; round < 500; ++round) {
    const ByteVector bytes = random_bytes(random, random() % 40'000);
    const uint32_t whole = crc32c_scalar(bytes);
    uint32_t chained = 0;
    uint32_t chained_scalar = 0;
    for (auto rest = std::span<const std::byte>(bytes); !rest.empty();) {
      const auto piece = rest.first(1 + random() % rest.size());
      chained = crc32c(piece, chained);
      chained_scalar = crc32c_scalar(piece, chained_scalar);
      rest = rest.subspan(piece.size());
    }
    ASSERT_EQ(chained, whole);
    ASSERT_EQ(chained_scalar, whole);
  }
}

TEST(Crc32c, OfTwoPiecesJoinedIsThatOfTheWhole) {
  std::mt19937_64 random(testing::test_seed());
  for (const size_t longest : {size_t{300}, size_t{70'000}, size_t{200'000}}) {
    for (int round = 0; round < 200; ++round) {
      const ByteVector bytes = random_bytes(random, 1 + random() % longest);
      const auto [a, b] = [&] {
        const size_t cut = random() % (bytes.size() + 1);
        return std::pair(std::span(bytes).first(cut), std::span(bytes).subspan(cut));
      }();
      ASSERT_EQ(crc32c_joined(crc32c(a), crc32c(b), b.size()), definition(bytes))
          << a.size() << " + " << b.size() << " bytes";
    }
  }
}

TEST(Crc32c, OfAChangedPieceFollowsFromItsDifference) {
  std::mt19937_64 random(testing::test_seed());
  for (int round = 0; round < 500; ++round) {
    ByteVector bytes = random_bytes(random, 1 + random() % 100'000);
    const uint32_t before = crc32c(bytes);
    const size_t begin = random() % bytes.size();
    const auto changed = std::span(bytes).subspan(begin, random() % (bytes.size() - begin + 1));
    const uint32_t old = crc32c(changed);
    for (std::byte& byte : changed) byte = static_cast<std::byte>(random());
    const uint64_t behind = bytes.size() - begin - changed.size();
    ASSERT_EQ(before ^ crc32c_moved(old ^ crc32c(changed), behind), definition(bytes));
  }
}

TEST(Crc32c, SeesEveryFlippedBit) {
  std::mt19937_64 random(testing::test_seed());
  ByteVector bytes = random_bytes(random, 1'000);
  const uint32_t before = crc32c(bytes);
  for (size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    bytes[bit / 8] ^= static_cast<std::byte>(1U << (bit % 8));
    ASSERT_NE(crc32c(bytes), before) << "bit " << bit;
    bytes[bit / 8] ^= static_cast<std::byte>(1U << (bit % 8));
  }
}

TEST(Crc32c, RunsTheInstructionWhereTheProcessorHasIt) {
#if defined(__x86_64__)
  std::ifstream in("/proc/cpuinfo");
  const std::string facts{std::istreambuf_iterator<char>(in), {}};
  const bool expected = facts.find("sse4_2") != std::string::npos;
  EXPECT_EQ(crc32c_kernel_name(), expected ? "sse4.2" : "scalar");
#elif defined(__aarch64__)
  const bool expected = (getauxval(AT_HWCAP) & HWCAP_CRC32) != 0;
  EXPECT_EQ(crc32c_kernel_name(), expected ? "armv8-crc" : "scalar");
#else
  EXPECT_EQ(crc32c_kernel_name(), "scalar");
#endif
}

}  // namespace
}  // namespace npk::simd
