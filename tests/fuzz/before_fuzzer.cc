// Before-images: the reader hands out whole rows inside the file until a record is not valid, and
// the same ones whether it reads the file at once or as it grows.
#include "core/store/before_images.h"
#include "core/store/codec.h"
#include "npk/internal/text.h"
#include "simd/crc32c.h"
#include "tests/fuzz/fuzzers.h"
#include "tests/fuzz/sample_store.h"
#include "tests/support/memory_file.h"

namespace npk::testing {
namespace {

/// What was handed out, as one checksum.
struct Seen {
  uint64_t images = 0;
  uint64_t bytes = 0;
  uint32_t checksum = 0;
  friend bool operator==(const Seen&, const Seen&) = default;
};

std::string read_on(internal::BeforeImageReader& reader, io::Bytes input, Seen& seen) {
  const MemoryFile file(input);
  const uint64_t before = seen.images;
  const auto was_any = reader.read_on(file, [&](const internal::BeforeImageReader::Image& image) {
    Input numbers;
    internal::append_le(numbers, image.number);
    internal::append_le(numbers, image.row);
    internal::append_le(numbers, uint64_t{image.bytes.size()});
    seen.checksum = simd::crc32c(image.bytes, simd::crc32c(numbers, seen.checksum));
    seen.bytes += sizeof(uint64_t) + image.bytes.size();
    ++seen.images;
  });
  if (!was_any.is_ok()) return "an error: " + was_any.status().to_string();
  if (*was_any != (seen.images > before)) return "it is said wrongly whether there were images";
  if (seen.bytes > input.size()) return "more rows than the file has bytes";
  return {};
}

}  // namespace

std::string run_before(io::Bytes input) {
  Seen at_once;
  internal::BeforeImageReader reader;
  std::string wrong = read_on(reader, input, at_once);
  Seen grown;
  internal::BeforeImageReader follower;
  constexpr size_t kSteps = 7;
  for (size_t step = 1; step <= kSteps && wrong.empty(); ++step) {
    wrong = read_on(follower, input.first(input.size() * step / kSteps), grown);
  }
  if (!wrong.empty() || grown == at_once) return wrong;
  return internal::concat("read as it grows it has ", grown.images, " images, at once ",
                          at_once.images);
}

std::vector<Input> before_seeds() { return sample_store(3).files_with(".before."); }

}  // namespace npk::testing
