// Writes sidecars of our own making, as docs/format.md says: for tests of files that lie, and of
// arrays that would take too long to write.
#ifndef NPK_TESTS_SUPPORT_SIDECAR_EDITOR_H_
#define NPK_TESTS_SUPPORT_SIDECAR_EDITOR_H_

#include <string>

#include <nlohmann/json.hpp>

namespace npk::testing {

using Json = nlohmann::ordered_json;

/// The text of a sidecar with these members and the right checksum.
std::string seal_sidecar(Json members);

}  // namespace npk::testing

#endif  // NPK_TESTS_SUPPORT_SIDECAR_EDITOR_H_
