#include "tests/fuzz/sample_store.h"

#include <algorithm>
#include <array>
#include <numeric>
#include <optional>
#include <random>

#include "core/store/store_handle.h"

namespace npk::testing {
namespace {

ArrayView numbers(size_t count, Shape shape) {
  auto values = std::make_shared<std::vector<int32_t>>(count);
  std::iota(values->begin(), values->end(), 100);
  return ArrayView::raw(values->data(), DType::kInt32, std::move(shape), values);
}

/// Every kind of record that there is.
Status change(ParallelIO& store) {
  NPK_RETURN_IF_ERROR(store.append_rows("plain", numbers(6, {2, 3})));
  NPK_RETURN_IF_ERROR(store.replace_rows("holes", numbers(3, {3}), Rows::list({0, 5, -1})));
  NPK_RETURN_IF_ERROR(store.drop_arrays("plain", Rows::list({1, 7, -1})));
  NPK_RETURN_IF_ERROR(store.save_arrays({{"scalar", numbers(1, {})}, {"late", numbers(5, {5})}}));
  NPK_RETURN_IF_ERROR(store.set_attributes("late", R"({"k":[1,2.5,"é",null,{"deep":[]}]})"));
  NPK_RETURN_IF_ERROR(store.clone_array("plain", "copy"));
  NPK_RETURN_IF_ERROR(store.save_arrays({{"plain", numbers(12, {2, 6})}}));
  return store.drop_arrays(std::vector<std::string>{"late"});
}

Status fill(ParallelIO& store) {
  NPK_RETURN_IF_ERROR(store.save_arrays({{"plain", numbers(60, {20, 3})},
                                         {"holes", numbers(40, {40})},
                                         {"a name/ü", numbers(0, {0, 4})}}));
  NPK_RETURN_IF_ERROR(store.drop_arrays("holes", Rows::range(0, 30, 3)));
  NPK_RETURN_IF_ERROR(store.set_attributes("plain", R"({"unit":"m"})"));
  return store.sync_metadata();
}

/// Arrays with checksums, of several blocks, changed while a snapshot is open.
Result<Snapshot> fill_beside_a_snapshot(ParallelIO& store) {
  NPK_RETURN_IF_ERROR(
      store.save_arrays({{"summed", numbers(300, {100, 3})}, {"blocks", numbers(20'000, {20'000})}},
                        {Checksums::kBlock}));
  NPK_RETURN_IF_ERROR(store.drop_arrays("summed", Rows::range(10, 20)));
  NPK_RETURN_IF_ERROR(store.sync_metadata());
  NPK_ASSIGN_OR_RETURN(Snapshot snapshot, store.snapshot());
  NPK_RETURN_IF_ERROR(store.replace_rows("summed", numbers(9, {3, 3}), Rows::list({0, 50, -1})));
  NPK_RETURN_IF_ERROR(store.replace_rows("summed", numbers(6, {2, 3}), Rows::list({0, 60})));
  NPK_RETURN_IF_ERROR(store.replace_rows("blocks", numbers(2, {2}), Rows::list({0, 19'000})));
  NPK_RETURN_IF_ERROR(store.append_rows("summed", numbers(6, {2, 3})));
  NPK_RETURN_IF_ERROR(store.drop_arrays("summed", Rows::list({5, -1})));
  return snapshot;
}

Result<std::vector<SampleFile>> read_files(io::Env& env) {
  const std::string directory(kSamplePath);
  NPK_ASSIGN_OR_RETURN(auto names, env.list(directory));
  std::ranges::sort(names);
  std::vector<SampleFile> files;
  for (const std::string& name : names) {
    NPK_ASSIGN_OR_RETURN(const auto file, env.open(directory + "/" + name, io::OpenMode::kRead));
    NPK_ASSIGN_OR_RETURN(const uint64_t size_bytes, file->size_bytes());
    Input bytes(size_bytes);
    NPK_RETURN_IF_ERROR(file->read_at(0, bytes));
    if (name.starts_with("log.")) {
      while (!bytes.empty() && bytes.back() == std::byte{0}) bytes.pop_back();
    }
    files.push_back({name, std::move(bytes)});
  }
  return files;
}

Result<SampleStore> make_sample(size_t kind) {
  io::SimEnv env(io::SimDisk::make(1 + kind));
  StoreOptions options = sample_options(false);
  options.create_if_missing = true;
  // So that the log holds rows, and ends of synced commits, too.
  options.durability = kind == 2 ? Durability::kPower : Durability::kProcess;
  NPK_ASSIGN_OR_RETURN(ParallelIO store, open_store(env, std::string(kSamplePath), options));
  std::optional<Snapshot> open_snapshot;
  if (kind == 3) {
    NPK_ASSIGN_OR_RETURN(Snapshot taken, fill_beside_a_snapshot(store));
    open_snapshot.emplace(std::move(taken));
  } else {
    NPK_RETURN_IF_ERROR(fill(store));
    NPK_RETURN_IF_ERROR(change(store));
  }
  if (kind == 0) NPK_RETURN_IF_ERROR(store.close());
  env.kill();
  std::mt19937_64 random(kind);
  SampleStore sample;
  sample.disk = kind == 2 ? env.disk()->after_power_cut(io::CrashPolicy::kNone, random)
                          : env.disk()->after_kill();
  io::SimEnv next(sample.disk->after_kill());
  NPK_ASSIGN_OR_RETURN(sample.files, read_files(next));
  return sample;
}

}  // namespace

std::vector<Input> SampleStore::files_with(std::string_view part) const {
  std::vector<Input> found;
  for (const SampleFile& file : files) {
    if (file.name.find(part) != std::string::npos) found.push_back(file.bytes);
  }
  return found;
}

StoreOptions sample_options(bool read_only) {
  StoreOptions options;
  options.read_only = read_only;
  options.create_if_missing = false;
  options.lock_timeout_ms = 0;
  options.log_bytes = 64u << 10;
  return options;
}

const SampleStore& sample_store(size_t kind) {
  static const std::array<SampleStore, kSampleStores> kStores = {*make_sample(0), *make_sample(1),
                                                                 *make_sample(2), *make_sample(3)};
  return kStores.at(kind);
}

}  // namespace npk::testing
