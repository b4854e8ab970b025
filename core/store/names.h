// Names of arrays and the names of the files that hold them (docs/format.md, "Files").
#ifndef NPK_CORE_STORE_NAMES_H_
#define NPK_CORE_STORE_NAMES_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "npk/status.h"

namespace npk::internal {

inline constexpr size_t kMaxNameBytes = 1'024;
inline constexpr size_t kMaxStemBytes = 200;

inline constexpr std::string_view kStoreFile = "STORE";
inline constexpr std::string_view kLockFile = "LOCK";
inline constexpr std::string_view kChangesFile = "CHANGES";
inline constexpr std::string_view kTemporarySuffix = ".tmp";
inline constexpr std::string_view kSidecarSuffix = ".meta";

/// OK, or why `name` cannot be an array's: empty, too long, NUL, not UTF-8.
Status check_array_name(std::string_view name);
bool is_valid_utf8(std::string_view text);

/// The stem of an array's files: letters, digits, '_', '-' and inner '.' as they are, other bytes
/// as %XX; longer than kMaxStemBytes: its beginning, '~' and a hash. `attempt` > 0 gives other
/// stems, for the case that another name's stem is the same.
std::string file_stem(std::string_view name, uint32_t attempt = 0);

inline constexpr uint32_t kStemAttempts = 1'000;
/// Whether file_stem() can have given `stem` for `name`.
bool is_stem_of(std::string_view stem, std::string_view name);

std::string log_file(uint32_t index);
std::string sidecar_file(std::string_view stem);
std::string rows_file(std::string_view stem, uint64_t generation);
std::string deleted_file(std::string_view stem, uint64_t generation, uint64_t record);
std::string sums_file(std::string_view stem, uint64_t generation, uint64_t record);

/// The files that a sidecar names: empty if no row is deleted, if the array has no checksums.
struct SideFiles {
  std::string deleted;
  std::string sums;
  /// Those that there are.
  [[nodiscard]] std::vector<std::string> names() const;
};

/// The file of before-images beside a rows file, for the log whose first record is this.
std::string before_images_path(std::string_view rows_path, uint64_t log_first_record);
struct BeforeImagesFile {
  std::string rows_file;
  uint64_t log_first_record = 0;
};
/// Nothing if it is not the name of one.
std::optional<BeforeImagesFile> parse_before_images_file(std::string_view file_name);

/// What a file in a store's directory is, by its name.
enum class FileKind : uint8_t {
  kStore,
  kLock,
  kLog,
  kChanges,
  kSidecar,
  kRows,
  kDeleted,
  kBeforeImages,
  kSums,
  kTemporary,
  kForeign
};
FileKind file_kind(std::string_view file_name);

}  // namespace npk::internal

#endif  // NPK_CORE_STORE_NAMES_H_
