// Logs whose checksums are right and whose numbers are not.
#include <algorithm>

#include "bindings/cli/torture/random_values.h"
#include "core/store/codec.h"
#include "core/store/log.h"
#include "core/store/superblock.h"
#include "npk/internal/text.h"
#include "simd/crc32c.h"
#include "tests/fuzz/fuzzers.h"
#include "tests/fuzz/sample_store.h"
#include "tests/fuzz/structure_mutators.h"
#include "tests/support/memory_file.h"
#include "tests/support/support.h"

namespace npk::testing {
namespace {

using internal::RecordLayout;

/// Offsets of a log's records.
std::vector<size_t> records_of(io::Bytes log) {
  std::vector<size_t> offsets;
  for (size_t at = 0; at + RecordLayout::kHeaderBytes <= log.size();) {
    if (internal::get_le<uint32_t>(log.data() + at) == internal::kRecordMagic) {
      offsets.push_back(at);
      at += internal::get_le<uint32_t>(log.data() + at + RecordLayout::kLength);
      at = (at + 7) / internal::kRecordAlignment * internal::kRecordAlignment;
    } else {
      at += internal::kRecordAlignment;
    }
  }
  return offsets;
}

/// Where the sample's first record must begin to be the log that is read.
LogStart start_of(const SampleStore& sample) {
  io::SimEnv env(sample.disk->after_kill());
  const auto read = internal::read_superblock(env, std::string(kSamplePath) + "/STORE");
  EXPECT_TRUE(read.is_ok()) << read.status().to_string();
  return {read->superblock.log_seed(), read->superblock.first_record};
}

TEST(LyingLog, ANumberThatIsWrongIsAnErrorOrAnotherStoreThatIsWhole) {
  size_t lies = 0;
  for (size_t kind = 0; kind < kSampleStores; ++kind) {
    const SampleStore& sample = sample_store(kind);
    const LogStart start = start_of(sample);
    for (size_t file = 0; file < sample.files.size(); ++file) {
      if (!sample.files[file].name.starts_with("log.")) continue;
      const Input& log = sample.files[file].bytes;
      for (const size_t record : records_of(log)) {
        for (const size_t field : {RecordLayout::kArray, RecordLayout::kGeneration,
                                   RecordLayout::kArg0, RecordLayout::kArg1}) {
          for (const uint64_t number :
               {uint64_t{0}, uint64_t{3}, uint64_t{1} << 24, uint64_t{1} << 45, uint64_t{1} << 62,
                uint64_t{1} << 63, UINT64_MAX - 7, UINT64_MAX}) {
            Input lie = log;
            internal::put_le(lie.data() + record + field, number);
            seal_log(lie, start);
            const std::string prefix = internal::concat(kind, '/', sample.files[file].name, '\n');
            const auto prefix_bytes = internal::as_bytes(prefix);
            lie.insert(lie.begin(), prefix_bytes.begin(), prefix_bytes.end());
            ASSERT_EQ(run_store(lie), "")
                << sample.files[file].name << " of sample " << kind << ", record at " << record
                << ": " << number << " at " << field;
            ++lies;
          }
        }
      }
    }
  }
  EXPECT_GT(lies, 500u);
}

/// Counts the bytes that are read.
class CountedFile final : public MemoryFile {
 public:
  using MemoryFile::MemoryFile;
  Result<uint64_t> read_some_at(uint64_t offset_bytes, std::span<std::byte> out) const override {
    read_bytes_ += out.size();
    return MemoryFile::read_some_at(offset_bytes, out);
  }
  [[nodiscard]] uint64_t read_bytes() const { return read_bytes_; }

 private:
  mutable uint64_t read_bytes_ = 0;
};

// Each header is of a record that seems to reach to the end of the log, so each would be read whole
// by who looks at one after the other.
TEST(LyingLog, IsReadOnceThoughItIsFullOfRecordsThatOverlap) {
  constexpr uint32_t kSeed = 5;
  constexpr size_t kLogBytes = 1 << 20;
  Input log(kLogBytes);
  const auto put_header = [&](size_t at, size_t length_bytes) {
    internal::put_le(log.data() + at, internal::kRecordMagic);
    internal::put_le(log.data() + at + RecordLayout::kLength, static_cast<uint32_t>(length_bytes));
    internal::put_le(log.data() + at + RecordLayout::kType, uint16_t{7});
    internal::put_le(log.data() + at + RecordLayout::kFlags, uint16_t{internal::kFlagSynced});
    internal::put_le(log.data() + at + RecordLayout::kNumber, uint64_t{9});
    internal::put_le(log.data() + at + RecordLayout::kCommit, uint64_t{9});
  };
  const size_t headers = (kLogBytes - 4'096) / RecordLayout::kHeaderBytes;
  for (size_t i = 0; i < headers; ++i) {
    put_header(i * RecordLayout::kHeaderBytes, kLogBytes - i * RecordLayout::kHeaderBytes - i % 7);
  }
  const auto find = [&] {
    const CountedFile file(log);
    internal::LogReader reader(file, kSeed, {0, 1, 0});
    const auto found = reader.find_commit_behind_end();
    EXPECT_LE(file.read_bytes(), 4 * kLogBytes);
    EXPECT_TRUE(found.is_ok()) << found.status().to_string();
    return found.is_ok() ? *found : std::nullopt;
  };
  EXPECT_EQ(find(), std::nullopt);
  Random random(test_seed());
  for (int i = 0; i < 20; ++i) {  // One of them is true.
    const size_t at = random.below(headers) * RecordLayout::kHeaderBytes;
    const auto length = internal::get_le<uint32_t>(log.data() + at + RecordLayout::kLength);
    const Input before(log.begin() + static_cast<ptrdiff_t>(at),
                       log.begin() + static_cast<ptrdiff_t>(at) + 8);
    internal::put_le(log.data() + at + RecordLayout::kChecksum,
                     simd::crc32c(io::Bytes(log).subspan(at + 8, length - 8), kSeed));
    EXPECT_EQ(find(), at);
    std::ranges::copy(before, log.begin() + static_cast<ptrdiff_t>(at));
  }
}

}  // namespace
}  // namespace npk::testing
