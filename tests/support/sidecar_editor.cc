#include "tests/support/sidecar_editor.h"

#include <cstdio>
#include <span>

#include "simd/crc32c.h"

namespace npk::testing {

std::string seal_sidecar(Json members) {
  members.erase("crc32c");
  std::string text = members.dump(2);
  text.resize(text.size() - 2);  // "\n}"
  char checksum[9];
  std::snprintf(checksum, sizeof(checksum), "%08x", simd::crc32c(std::as_bytes(std::span(text))));
  return text + ",\n  \"crc32c\": \"" + checksum + "\"\n}\n";
}

}  // namespace npk::testing
