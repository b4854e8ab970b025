// STORE: each slot decodes to an error, or to what encodes to the same again; the file gives the
// valid slot with the higher number.
#include <algorithm>
#include <array>

#include "core/store/superblock.h"
#include "tests/fuzz/fuzzers.h"
#include "tests/fuzz/sample_store.h"

namespace npk::testing {
namespace {

using internal::kSlotBytes;
using Slot = std::array<std::byte, kSlotBytes>;

std::string check_slot(const Slot& bytes) {
  const auto decoded = internal::decode_slot(bytes);
  if (!decoded.is_ok()) return {};
  Slot once;
  internal::encode_slot(*decoded, once);
  const auto again = internal::decode_slot(once);
  if (!again.is_ok()) return "what was decoded cannot be encoded: " + again.status().to_string();
  Slot twice;
  internal::encode_slot(*again, twice);
  return once == twice ? "" : "a slot changes each time that it is encoded";
}

}  // namespace

std::string run_superblock(io::Bytes input) {
  std::array<Slot, internal::kSlots> slots{};
  for (size_t i = 0; i < slots.size() && input.size() > i * kSlotBytes; ++i) {
    const auto bytes = input.subspan(i * kSlotBytes);
    std::copy_n(bytes.begin(), std::min<size_t>(bytes.size(), kSlotBytes), slots[i].begin());
    std::string wrong = check_slot(slots[i]);
    if (!wrong.empty()) return wrong;
  }
  io::SimEnv env;
  const auto file = env.open("STORE", io::OpenMode::kTruncate);
  if (!file.is_ok() || !(*file)->write_at(0, input).is_ok()) return "the simulated disk failed";
  const auto read = internal::read_superblock(env, "STORE");
  if (!read.is_ok()) {
    return read.status().path() == "STORE" ? "" : "no file: " + read.status().to_string();
  }
  if (input.size() < slots.size() * kSlotBytes) return "a file that is cut off was read";
  for (const Slot& slot : slots) {
    const auto decoded = internal::decode_slot(slot);
    if (decoded.is_ok() && decoded->checkpoint > read->superblock.checkpoint) {
      return "the older slot was taken";
    }
  }
  return {};
}

std::vector<Input> superblock_seeds() {
  std::vector<Input> seeds;
  for (size_t kind = 0; kind < kSampleStores; ++kind) {
    for (Input& file : sample_store(kind).files_with("STORE")) seeds.push_back(std::move(file));
  }
  return seeds;
}

}  // namespace npk::testing
