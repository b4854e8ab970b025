// Logs whose checksums are right and whose numbers are not.
#include "core/store/codec.h"
#include "core/store/log.h"
#include "core/store/superblock.h"
#include "tests/fuzz/fuzzers.h"
#include "tests/fuzz/sample_store.h"
#include "tests/fuzz/structure_mutators.h"
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
            lie.insert(lie.begin(), {static_cast<std::byte>(kind), static_cast<std::byte>(file)});
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

}  // namespace
}  // namespace npk::testing
