// RowSums and SumsUpdate against sums taken of the whole bytes, and against bytes that lie.
#include "core/store/row_sums.h"

#include <cstring>

#include "bindings/cli/torture/random_values.h"
#include "core/store/block_checksums.h"
#include "core/store/codec.h"
#include "simd/crc32c.h"
#include "tests/support/support.h"

namespace npk::internal {
namespace {

using testing::Random;
using ByteVector = std::vector<std::byte>;

constexpr uint64_t kBlock = RowSums::kBlockBytes;

std::vector<uint32_t> sums_of(const RowSums& sums) {
  std::vector<uint32_t> list;
  for (uint64_t block = 0; block < sums.block_count(); ++block) list.push_back(sums.sum(block));
  return list;
}

std::vector<uint32_t> sums_of(io::Bytes bytes) {
  std::vector<uint32_t> list;
  for (; !bytes.empty(); bytes = bytes.subspan(std::min<uint64_t>(kBlock, bytes.size()))) {
    list.push_back(simd::crc32c(bytes.first(std::min<uint64_t>(kBlock, bytes.size()))));
  }
  return list;
}

ByteVector random_bytes(Random& random, uint64_t count) {
  ByteVector bytes(count);
  for (std::byte& byte : bytes) byte = static_cast<std::byte>(random.next());
  return bytes;
}

/// One commit: appends, then replaces, some of them of the same bytes.
void change(Random& random, ByteVector& bytes, std::shared_ptr<const RowSums>& sums) {
  SumsUpdate update(sums);
  const uint64_t old_size = bytes.size();
  const ByteVector more = random_bytes(random, random.below(3) * random.below(2 * kBlock));
  struct Replace {
    uint64_t at;
    ByteVector to;
  };
  std::vector<Replace> replaces;
  constexpr uint64_t kRowBytes = 100;
  const uint64_t rows = (old_size + more.size()) / kRowBytes;
  const bool is_run = random.chance(0.3);
  uint64_t row = rows == 0 ? 0 : random.below(rows);
  for (uint64_t i = random.below(is_run ? 1'500 : 20); i > 0 && rows > 0; --i) {
    replaces.push_back({row * kRowBytes, random_bytes(random, kRowBytes)});
    row = is_run ? (row + 1) % rows : random.below(rows);
    if (random.chance(0.1)) row = replaces.back().at / kRowBytes;  // Twice.
  }
  update.touch(old_size, more.size());
  for (const Replace& replace : replaces) update.touch(replace.at, replace.to.size());
  const uint64_t encoded_bytes = update.encoded_bytes();
  EXPECT_EQ(update.empty(), more.empty() && replaces.empty());

  bytes.insert(bytes.end(), more.begin(), more.end());
  BlockChecksums checksums(old_size);
  checksums.add(more);
  const ByteVector encoded = std::move(checksums).finish();
  EXPECT_EQ(encoded.size(), checksum_bytes(old_size, more.size()));
  update.append(old_size, more.size(), encoded);
  for (const Replace& replace : replaces) {
    update.replace(replace.at, bytes.data() + replace.at, replace.to);
  }
  const auto after = update.finish(bytes.size());
  for (const Replace& replace : replaces) {
    std::memcpy(bytes.data() + replace.at, replace.to.data(), replace.to.size());
  }
  const ByteVector payload = update.encode();
  EXPECT_EQ(payload.size(), encoded_bytes);
  NPK_ASSERT_OK_AND_ASSIGN(const auto folded, sums->with_encoded(payload, bytes.size()));
  EXPECT_EQ(sums_of(*folded), sums_of(*after));
  sums = after;
}

TEST(RowSums, FollowFromTheBytesThatChange) {
  Random random(testing::test_seed());
  for (int round = 0; round < 30; ++round) {
    ByteVector bytes;
    std::shared_ptr<const RowSums> sums = std::make_shared<RowSums>();
    for (int commit = 0; commit < 12; ++commit) {
      change(random, bytes, sums);
      ASSERT_EQ(sums_of(*sums), sums_of(bytes)) << "commit " << commit;
      NPK_ASSERT_OK_AND_ASSIGN(const auto decoded, RowSums::decode(sums->encode(), bytes.size()));
      ASSERT_EQ(sums_of(*decoded), sums_of(bytes));
    }
  }
}

TEST(RowSums, OfMoreBlocksThanAChunkShareWhatIsNotTouched) {
  SumRange range{0, std::vector<uint32_t>(1'000)};
  for (uint32_t i = 0; i < 1'000; ++i) range.sums[i] = i;
  const auto all = RowSums().with({&range, 1}, 1'000 * kBlock);
  const SumRange one{700, {7}};
  const auto changed = all->with({&one, 1}, 1'000 * kBlock);
  EXPECT_EQ(all->sum(700), 700u);
  EXPECT_EQ(changed->sum(700), 7u);
  EXPECT_EQ(changed->sum(699), 699u);
  EXPECT_EQ(changed->sum(999), 999u);
}

ByteVector payload_of(const std::vector<SumRange>& ranges) {
  ByteVector payload;
  for (const SumRange& range : ranges) {
    append_le(payload, range.first);
    append_le(payload, uint64_t{range.sums.size()});
    for (const uint32_t sum : range.sums) append_le(payload, sum);
  }
  return payload;
}

TEST(RowSums, RefusesRecordsThatCannotFollow) {
  const auto two = *RowSums().with_encoded(payload_of({{0, {1, 2}}}), kBlock + 1);
  struct Case {
    ByteVector payload;
    uint64_t size_bytes;
    const char* what;
  };
  ByteVector long_count = payload_of({{0, {1, 2}}});
  put_le(long_count.data() + 8, uint64_t{1} << 60);
  const Case cases[] = {{payload_of({{3, {1}}}), 4 * kBlock, "gap"},
                        {payload_of({{2, {1}}}), 4 * kBlock, "last row"},
                        {payload_of({{0, {1, 2, 3}}}), 2 * kBlock, "not there"},
                        {payload_of({{1, {1}}, {0, {1}}}), 2 * kBlock, "gap"},
                        {payload_of({{UINT64_MAX, {1}}}), 2 * kBlock, "gap"},
                        {ByteVector(7), 2 * kBlock, "cut off"},
                        {long_count, 2 * kBlock, "cut off"},
                        {{}, 3 * kBlock, "last row"}};
  for (const Case& bad : cases) {
    NPK_EXPECT_ERROR(two->with_encoded(bad.payload, bad.size_bytes), kCorruption, bad.what);
  }
  NPK_EXPECT_OK(two->with_encoded({}, 2 * kBlock));
}

TEST(RowSums, RefusesFilesOfOtherSizesAndWithFlippedBits) {
  const auto sums = *RowSums().with_encoded(payload_of({{0, {1, 2}}}), kBlock + 1);
  ByteVector file = sums->encode();
  for (const uint64_t size : {uint64_t{0}, kBlock, 2 * kBlock + 1, UINT64_MAX}) {
    NPK_EXPECT_ERROR(RowSums::decode(file, size), kCorruption, "checksums of the rows");
  }
  for (size_t bit = 0; bit < file.size() * 8; ++bit) {
    file[bit / 8] ^= static_cast<std::byte>(1 << (bit % 8));
    NPK_EXPECT_ERROR(RowSums::decode(file, 2 * kBlock), kCorruption, "own checksum");
    file[bit / 8] ^= static_cast<std::byte>(1 << (bit % 8));
  }
  file.pop_back();
  NPK_EXPECT_ERROR(RowSums::decode(file, 2 * kBlock), kCorruption, "bytes");
}

}  // namespace
}  // namespace npk::internal
