// Changes of a store's files that leave their checksums right, so that what is behind the checksum
// is tested, not only the checksum.
#ifndef NPK_TESTS_FUZZ_STRUCTURE_MUTATORS_H_
#define NPK_TESTS_FUZZ_STRUCTURE_MUTATORS_H_

#include <cstdint>

#include "tests/fuzz/fuzz_target.h"

namespace npk::testing {

/// STORE: the fields of one slot.
void mutate_superblock(Input& input, size_t max_bytes, ByteMutator& mutator);
/// A sidecar: its text, with the member crc32c put behind it again.
void mutate_sidecar(Input& input, size_t max_bytes, ByteMutator& mutator);
/// A file of deleted rows, or of sums of rows: what is before the checksum at its end.
void mutate_sealed_file(Input& input, size_t max_bytes, ByteMutator& mutator);

/// CHANGES: numbers, or whole changes dropped and doubled, behind the checksum.
void mutate_changes(Input& input, size_t max_bytes, ByteMutator& mutator);
/// A file of before-images: a number or a row of a record; or records dropped, doubled and swapped.
void mutate_before(Input& input, size_t max_bytes, ByteMutator& mutator);
/// LOCK: a word of the shared page.
void mutate_lock(Input& input, size_t max_bytes, ByteMutator& mutator);

/// What the first record of a log depends on.
struct LogStart {
  uint32_t seed = 0;
  uint64_t first_record = 1;
};
/// A log: a field or the payload of a record; or records dropped, doubled and swapped.
void mutate_log(Input& input, size_t max_bytes, const LogStart& start, ByteMutator& mutator);
/// Numbers, lengths and checksums of a log's records as they must be for this start.
void seal_log(Input& input, const LogStart& start);

}  // namespace npk::testing

#endif  // NPK_TESTS_FUZZ_STRUCTURE_MUTATORS_H_
