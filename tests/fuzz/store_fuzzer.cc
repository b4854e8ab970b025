// A whole store in which one file is the input: byte 0 chooses the sample store, byte 1 the file,
// the rest is what that file holds.
//
// The store is refused, or it is whole: all ways to read it agree, opened read-only or not; it can
// be changed; and what it holds after that is what it holds when it is opened again.
#include <algorithm>
#include <array>

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

constexpr size_t kPrefixBytes = 2;
// Rows of arrays that are changed are at most so wide.
constexpr uint64_t kMaxRowBytes = 1u << 16;

struct Choice {
  const SampleStore& sample;
  const SampleFile& file;
};
Choice choice_of(io::Bytes input) {
  const SampleStore& sample = sample_store(std::to_integer<size_t>(input[0]) % kSampleStores);
  return {sample, sample.files[std::to_integer<size_t>(input[1]) % sample.files.size()]};
}

/// All that a user can see, or the error; all ways to read must agree.
Result<std::string> content_of(const ParallelIO& store) {
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

Result<std::string> read_only_content(io::Env& env) {
  NPK_ASSIGN_OR_RETURN(const ParallelIO store,
                       open_store(env, std::string(kSamplePath), sample_options(true)));
  return content_of(store);
}

/// Each kind of change that an array takes.
Status change_array(ParallelIO& store, const std::string& name) {
  NPK_ASSIGN_OR_RETURN(const ArrayMetadata metadata, store.get_array_metadata(name));
  NPK_RETURN_IF_ERROR(store.set_attributes(name, R"({"changed":true})"));
  if (metadata.shape.empty() || metadata.row_bytes > kMaxRowBytes) return {};
  Shape shape = metadata.shape;
  shape[0] = 1;
  const Input row(metadata.row_bytes, std::byte{1});
  const ArrayView values = ArrayView::raw(row.data(), metadata.dtype, shape);
  NPK_RETURN_IF_ERROR(store.append_rows(name, values));
  NPK_RETURN_IF_ERROR(store.replace_rows(name, values, Rows::list({0})));
  NPK_RETURN_IF_ERROR(store.drop_arrays(name, Rows::list({-1})));
  return store.compact_array(name);
}

/// A refusal must say where, and never that npk itself is wrong.
std::string judge(const Status& status, std::string_view when) {
  if (status.code() == StatusCode::kInternal) return concat(when, ": ", status.to_string());
  return {};
}

std::string check_changes(io::Env& env, const std::string& before) {
  const std::string path(kSamplePath);
  std::string after;
  {
    auto store = open_store(env, path, sample_options(false));
    if (!store.is_ok()) return judge(store.status(), "opened");
    const auto content = content_of(*store);
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
  if (input.size() < kPrefixBytes) return {};
  const auto [sample, file] = choice_of(input);
  io::SimEnv env(sample.disk->after_kill());
  {
    const auto target = env.open(concat(kSamplePath, "/", file.name), io::OpenMode::kTruncate);
    if (!target.is_ok() || !(*target)->write_at(0, input.subspan(kPrefixBytes)).is_ok()) {
      return "the simulated disk failed";
    }
  }
  const auto before = read_only_content(env);
  if (!before.is_ok()) {
    const std::string wrong = judge(before.status(), "opened read-only");
    if (!wrong.empty()) return wrong;
    if (before.status().path().empty()) {
      return concat("refused without a file: ", before.status().to_string());
    }
  }
  return check_changes(env, before.is_ok() ? *before : "");
}

std::vector<Input> store_seeds() {
  std::vector<Input> seeds;
  for (size_t kind = 0; kind < kSampleStores; ++kind) {
    const SampleStore& sample = sample_store(kind);
    for (size_t i = 0; i < sample.files.size(); ++i) {
      Input seed = {static_cast<std::byte>(kind), static_cast<std::byte>(i)};
      seed.insert(seed.end(), sample.files[i].bytes.begin(), sample.files[i].bytes.end());
      seeds.push_back(std::move(seed));
    }
  }
  return seeds;
}

void mutate_store(Input& input, size_t max_bytes, ByteMutator& mutator) {
  if (input.size() < kPrefixBytes) input.resize(kPrefixBytes);
  const auto [sample, file] = choice_of(input);
  const std::array<std::byte, kPrefixBytes> prefix = {input[0], input[1]};
  input.erase(input.begin(), input.begin() + kPrefixBytes);
  max_bytes = std::max<size_t>(max_bytes, kPrefixBytes + 1) - kPrefixBytes;
  switch (internal::file_kind(file.name)) {
    case FileKind::kStore:
      mutate_superblock(input, max_bytes, mutator);
      break;
    case FileKind::kSidecar:
      mutate_sidecar(input, max_bytes, mutator);
      break;
    case FileKind::kDeleted:
      mutate_deleted_file(input, max_bytes, mutator);
      break;
    case FileKind::kLog: {
      io::SimEnv env(sample.disk->after_kill());
      const auto read = internal::read_superblock(env, concat(kSamplePath, "/STORE"));
      mutate_log(input, max_bytes, {read->superblock.log_seed(), read->superblock.first_record},
                 mutator);
      break;
    }
    default:
      mutator.change(input, max_bytes);
  }
  input.insert(input.begin(), prefix.begin(), prefix.end());
}

}  // namespace npk::testing
