// Sidecars, the descriptors in log records, and the users' attributes: three readers of JSON. What
// they take, they write out, and read again to the same.
#include "core/store/sidecar.h"
#include "tests/fuzz/fuzzers.h"
#include "tests/fuzz/sample_store.h"

namespace npk::testing {
namespace {

std::string check_state(const internal::ArrayState& state) {
  const std::string once = internal::encode_descriptor(state);
  const auto again = internal::decode_descriptor(once);
  if (!again.is_ok()) return "what was decoded cannot be encoded: " + again.status().to_string();
  if (internal::encode_descriptor(again->state) != once) {
    return "a descriptor changes each time that it is encoded";
  }
  return {};
}

}  // namespace

std::string run_sidecar(io::Bytes input) {
  const std::string_view text(reinterpret_cast<const char*>(input.data()), input.size());
  const auto sidecar = internal::decode_sidecar(text);
  std::string wrong = sidecar.is_ok() ? check_state(sidecar->state) : "";
  const auto descriptor = internal::decode_descriptor(text);
  if (wrong.empty() && descriptor.is_ok()) wrong = check_state(descriptor->state);
  std::string compact;
  std::string again;
  if (wrong.empty() && internal::check_attributes(text, &compact).is_ok()) {
    if (!internal::check_attributes(compact, &again).is_ok() || again != compact) {
      wrong = "compact attributes are others when they are read again";
    }
  }
  return wrong;
}

std::vector<Input> sidecar_seeds() { return sample_store(0).files_with(".meta"); }

}  // namespace npk::testing
