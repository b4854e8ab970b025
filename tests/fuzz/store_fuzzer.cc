// A whole store in which one file is the input: "2/log.0\n" and what that file of sample store 2
// holds.
//
// The store is refused, or it is whole: all ways to read it agree, opened read-only or not, now and
// through a snapshot; what it tells of changes is of rows that are there; it can be changed; and
// what it holds after that is what it holds when it is opened again.
#include <algorithm>
#include <array>
#include <optional>

#include "core/store/codec.h"
#include "core/store/names.h"
#include "core/store/store_handle.h"
#include "core/store/superblock.h"
#include "npk/internal/text.h"
#include "tests/fuzz/fuzzers.h"
#include "tests/fuzz/sample_store.h"
#include "tests/fuzz/structure_mutators.h"

namespace npk::testing {
namespace {

using internal::concat;
using internal::FileKind;

// Rows of arrays that are changed are at most so wide.
constexpr uint64_t kMaxRowBytes = 1u << 16;

/// Which file of which sample store the input is.
struct Choice {
  size_t kind;
  const SampleFile* file;
  size_t prefix_bytes;
};

/// Nothing if there is no such file.
std::optional<Choice> choice_of(io::Bytes input) {
  const std::string_view text(reinterpret_cast<const char*>(input.data()), input.size());
  const size_t end = text.find('\n');
  if (end == std::string_view::npos || end < 2 || text[1] != '/') return std::nullopt;
  const auto kind = static_cast<size_t>(text[0] - '0');
  if (kind >= kSampleStores) return std::nullopt;
  for (const SampleFile& file : sample_store(kind).files) {
    if (file.name == text.substr(2, end - 2)) return Choice{kind, &file, end + 1};
  }
  return std::nullopt;
}

Input input_of(size_t kind, const SampleFile& file, io::Bytes bytes) {
  const std::string prefix = concat(kind, '/', file.name, '\n');
  const io::Bytes prefix_bytes = internal::as_bytes(prefix);
  Input input(prefix_bytes.begin(), prefix_bytes.end());
  input.insert(input.end(), bytes.begin(), bytes.end());
  return input;
}

/// All that a user can see, or the error; all ways to read must agree.
Result<std::string> content_of(const StoreReader& store) {
  std::string text;
  NPK_ASSIGN_OR_RETURN(const auto names, store.list_arrays());
  for (const std::string& name : names) {
    NPK_ASSIGN_OR_RETURN(const Array array, store.load_array(name));
    NPK_ASSIGN_OR_RETURN(const ArrayMetadata metadata, store.get_array_metadata(name));
    NPK_ASSIGN_OR_RETURN(const std::string attributes, store.get_attributes(name));
    if (metadata.shape != array.shape() || metadata.dtype != array.dtype()) {
      return Status::internal(concat("array '", name, "' is not what its metadata says"));
    }
    const std::string_view bytes(reinterpret_cast<const char*>(array.data()), array.size_bytes());
    if (!array.shape().empty() && array.size_bytes() > 0) {
      NPK_ASSIGN_OR_RETURN(const Array rows, store.read_rows(name, Rows::list({0, -1})));
      const uint64_t row_bytes = array.row_bytes();
      const std::string_view two(reinterpret_cast<const char*>(rows.data()), rows.size_bytes());
      if (!bytes.starts_with(two.substr(0, row_bytes)) || !bytes.ends_with(two.substr(row_bytes))) {
        return Status::internal(concat("rows of array '", name, "' differ from the whole"));
      }
    }
    text += concat(name, ' ', dtype_name(array.dtype()), shape_to_string(array.shape()), attributes,
                   '\n', bytes);
  }
  return text;
}

/// What is told of changes can be: of rows that there are.
Status check_feed(const ParallelIO& store) {
  NPK_ASSIGN_OR_RETURN(const auto names, store.list_arrays());
  NPK_ASSIGN_OR_RETURN(const uint64_t now, store.commit_number());
  for (const std::string& name : names) {
    NPK_ASSIGN_OR_RETURN(const Shape shape, store.get_shape(name));
    for (const uint64_t since : {uint64_t{0}, now / 2, now - 1, now}) {
      NPK_ASSIGN_OR_RETURN(const RowChanges told, store.rows_changed_since(name, since));
      const uint64_t rows = shape.empty() ? 1 : shape[0];
      if (told.rows != rows || (!told.changed.empty() && told.changed.back().end > rows)) {
        return Status::internal(concat("array '", name, "' changed in rows that it does not have"));
      }
    }
  }
  return {};
}

/// content_of(), which is the same through a snapshot.
Result<std::string> whole_content_of(ParallelIO& store, bool are_images_true) {
  NPK_ASSIGN_OR_RETURN(std::string content, content_of(store));
  NPK_RETURN_IF_ERROR(check_feed(store));
  NPK_ASSIGN_OR_RETURN(const Snapshot snapshot, store.snapshot());
  NPK_ASSIGN_OR_RETURN(const std::string through, content_of(snapshot));
  if (through == content || !are_images_true) return content;
  return Status::internal("a snapshot shows other rows");
}

Result<std::string> read_only_content(io::Env& env, bool are_images_true) {
  NPK_ASSIGN_OR_RETURN(ParallelIO store,
                       open_store(env, std::string(kSamplePath), sample_options(true)));
  return whole_content_of(store, are_images_true);
}

/// Each kind of change that an array takes, one of them with a snapshot open.
Status change_array(ParallelIO& store, const std::string& name) {
  NPK_ASSIGN_OR_RETURN(const ArrayMetadata metadata, store.get_array_metadata(name));
  NPK_RETURN_IF_ERROR(store.set_attributes(name, R"({"changed":true})"));
  if (metadata.shape.empty() || metadata.row_bytes > kMaxRowBytes) return {};
  Shape shape = metadata.shape;
  shape[0] = 1;
  const Input row(metadata.row_bytes, std::byte{1});
  const ArrayView values = ArrayView::raw(row.data(), metadata.dtype, shape);
  NPK_RETURN_IF_ERROR(store.append_rows(name, values));
  {
    NPK_ASSIGN_OR_RETURN(const Snapshot snapshot, store.snapshot());
    NPK_RETURN_IF_ERROR(store.replace_rows(name, values, Rows::list({0})));
    NPK_RETURN_IF_ERROR(snapshot.load_array(name).status());
  }
  NPK_RETURN_IF_ERROR(store.drop_arrays(name, Rows::list({-1})));
  return store.compact_array(name);
}

/// A refusal must say where, and never that npk itself is wrong.
std::string judge(const Status& status, std::string_view when) {
  if (status.code() == StatusCode::kInternal) return concat(when, ": ", status.to_string());
  return {};
}

std::string check_changes(io::Env& env, const std::string& before, bool are_images_true) {
  const std::string path(kSamplePath);
  std::string after;
  {
    auto store = open_store(env, path, sample_options(false));
    if (!store.is_ok()) return judge(store.status(), "opened");
    const auto content = whole_content_of(*store, are_images_true);
    if (!content.is_ok()) return judge(content.status(), "read");
    if (!before.empty() && *content != before) return "opened to write, the store holds other rows";
    const auto names = store->list_arrays();
    for (const std::string& name : *names) {
      const Status status = change_array(*store, name);
      std::string wrong = judge(status, "changed");
      if (!wrong.empty() || !status.is_ok()) return wrong;
    }
    const auto changed = content_of(*store);
    if (!changed.is_ok()) return concat("read after changes: ", changed.status().to_string());
    after = *changed;
    const Status closed = store->close();
    if (!closed.is_ok()) return judge(closed, "closed");
  }
  const auto again = open_store(env, path, sample_options(false));
  if (!again.is_ok()) return concat("opened after changes: ", again.status().to_string());
  const auto content = content_of(*again);
  if (!content.is_ok()) return concat("read after changes: ", content.status().to_string());
  return *content == after ? "" : "after it was closed and opened, the store holds other rows";
}

}  // namespace

std::string run_store(io::Bytes input) {
  const auto choice = choice_of(input);
  if (!choice) return {};
  io::SimEnv env(sample_store(choice->kind).disk->after_kill());
  {
    const auto target =
        env.open(concat(kSamplePath, "/", choice->file->name), io::OpenMode::kTruncate);
    if (!target.is_ok() || !(*target)->write_at(0, input.subspan(choice->prefix_bytes)).is_ok()) {
      return "the simulated disk failed";
    }
  }
  // Before-images of commits that are not in the log show through a snapshot: those were not there.
  const bool are_images_true =
      sample_store(choice->kind).files_with(".before.").empty() ||
      std::ranges::none_of(
          std::array{FileKind::kBeforeImages, FileKind::kLog, FileKind::kStore, FileKind::kLock},
          [&](FileKind kind) { return internal::file_kind(choice->file->name) == kind; });
  const auto before = read_only_content(env, are_images_true);
  if (!before.is_ok()) {
    const std::string wrong = judge(before.status(), "opened read-only");
    if (!wrong.empty()) return wrong;
    if (before.status().path().empty()) {
      return concat("refused without a file: ", before.status().to_string());
    }
  }
  return check_changes(env, before.is_ok() ? *before : "", are_images_true);
}

std::vector<Input> store_seeds() {
  std::vector<Input> seeds;
  for (size_t kind = 0; kind < kSampleStores; ++kind) {
    for (const SampleFile& file : sample_store(kind).files) {
      seeds.push_back(input_of(kind, file, file.bytes));
    }
  }
  return seeds;
}

void mutate_store(Input& input, size_t max_bytes, ByteMutator& mutator) {
  const auto choice = choice_of(input);
  if (!choice) {
    const size_t kind = mutator.below(kSampleStores);
    const auto& files = sample_store(kind).files;
    const SampleFile& file = files[mutator.below(files.size())];
    input = input_of(kind, file, file.bytes);
    return;
  }
  const auto& [kind, file, prefix_bytes] = *choice;
  input.erase(input.begin(), input.begin() + static_cast<ptrdiff_t>(prefix_bytes));
  max_bytes = std::max(max_bytes, prefix_bytes + 1) - prefix_bytes;
  switch (internal::file_kind(file->name)) {
    case FileKind::kStore:
      mutate_superblock(input, max_bytes, mutator);
      break;
    case FileKind::kLock:
      mutate_lock(input, max_bytes, mutator);
      break;
    case FileKind::kChanges:
      mutate_changes(input, max_bytes, mutator);
      break;
    case FileKind::kSidecar:
      mutate_sidecar(input, max_bytes, mutator);
      break;
    case FileKind::kDeleted:
    case FileKind::kSums:
      mutate_sealed_file(input, max_bytes, mutator);
      break;
    case FileKind::kBeforeImages:
      mutate_before(input, max_bytes, mutator);
      break;
    case FileKind::kLog: {
      io::SimEnv env(sample_store(kind).disk->after_kill());
      const auto read = internal::read_superblock(env, concat(kSamplePath, "/STORE"));
      mutate_log(input, max_bytes, {read->superblock.log_seed(), read->superblock.first_record},
                 mutator);
      break;
    }
    default:
      mutator.change(input, max_bytes);
  }
  input = input_of(kind, *file, input);
}

}  // namespace npk::testing
