// The sidecar: an array's state as JSON that a person can read, with a checksum as its last member.
// The same text, without the checksum, is the descriptor in CREATE and SWAP_GENERATION records.
// Members: docs/format.md.
#ifndef NPK_CORE_STORE_SIDECAR_H_
#define NPK_CORE_STORE_SIDECAR_H_

#include <string>
#include <string_view>

#include "core/store/array_state.h"
#include "core/store/names.h"
#include "npk/status.h"

namespace npk::internal {

/// A state as it is in a sidecar: without its deleted rows, its sums (none, if it has checksums)
/// and its file.
struct Descriptor {
  ArrayState state;
  uint64_t deleted_rows = 0;
  SideFiles files;
};

std::string encode_descriptor(const ArrayState& state);
/// Errors: Corruption says which member is wrong; Unsupported for a newer format.
Result<Descriptor> decode_descriptor(std::string_view json);

std::string encode_sidecar(const ArrayState& state, const SideFiles& files);
Result<Descriptor> decode_sidecar(std::string_view text);

/// OK if `text` is a JSON object of sane depth, else InvalidArgument; `compact` is it without white
/// space.
Status check_attributes(std::string_view text, std::string* compact);

}  // namespace npk::internal

#endif  // NPK_CORE_STORE_SIDECAR_H_
