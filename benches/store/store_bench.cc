// What does each call of the store cost beside what the machine itself needs for the same bytes?
//
//   store_bench [--quick] [--json OUT] [--filter SUBSTRING] [--dir DIRECTORY]
//
// One array of 1M × 10 float32 (40 MB), warm, in one process, unless a line says otherwise. Prints
// a table; OUT gets a list of {suite, name, value, unit, floor, ratio, bar, holds}.
// docs/benchmarks.md says how to read it. The exit code is 0 unless something failed to run.
#include <atomic>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <random>
#include <thread>
#include <unordered_map>

#include "benches/scratch_directory.h"
#include "benches/store/floors.h"
#include "benches/store/measure.h"
#include "core/base/threads.h"
#include "npk/npk.h"
#include "simd/crc32c.h"

namespace npk::bench {
namespace {

constexpr uint64_t kRows = 1'000'000;
constexpr uint64_t kWidth = 10;
constexpr uint64_t kRowBytes = kWidth * sizeof(float);
constexpr uint64_t kFewRows = 100;
constexpr size_t kLists = 64;  // Of row numbers, so that no call finds its rows in the cache.

struct Settings {
  bool is_quick = false;
  std::string json_path;
  std::string filter;
  std::filesystem::path directory;
};

ArrayView rows_of(const std::vector<float>& values) {
  return ArrayView::of(values, {values.size() / kWidth, kWidth});
}

class Bench {
 public:
  explicit Bench(const Settings& settings)
      : settings_(settings),
        figures_(settings.filter),
        directory_("store-bench", settings.directory),
        all_(kRows * kWidth),
        few_(kFewRows * kWidth, 2.5f) {
    for (float& value : all_) value = static_cast<float>(random_() >> 40);
    for (auto& list : lists_) {
      list.resize(10'000);
      for (int64_t& row : list) row = static_cast<int64_t>(random_() % kRows);
    }
  }

  Status run() {
    Measurements::print_heading();
    NPK_RETURN_IF_ERROR(run_small_writes());
    NPK_RETURN_IF_ERROR(run_snapshots());
    NPK_RETURN_IF_ERROR(run_reads());
    NPK_RETURN_IF_ERROR(run_open());
    NPK_RETURN_IF_ERROR(run_power());
    NPK_RETURN_IF_ERROR(run_whole_arrays());
    NPK_RETURN_IF_ERROR(run_many_arrays());
    NPK_RETURN_IF_ERROR(run_deletes());
    NPK_RETURN_IF_ERROR(run_checksums());
    if (settings_.json_path.empty()) return {};
    return figures_.write_json(settings_.json_path);
  }

 private:
  [[nodiscard]] std::string file(const std::string& name) const { return directory_.file(name); }
  [[nodiscard]] size_t rounds(size_t full) const { return settings_.is_quick ? full / 5 : full; }

  /// A new store that holds the array.
  Result<ParallelIO> make_store(const std::string& name, Durability durability,
                                Checksums checksums = Checksums::kNone) {
    std::filesystem::remove_all(file(name));
    StoreOptions options;
    options.durability = durability;
    NPK_ASSIGN_OR_RETURN(ParallelIO store, ParallelIO::open(file(name), options));
    NPK_RETURN_IF_ERROR(store.save_arrays({{"a", rows_of(all_)}}, {checksums}));
    NPK_RETURN_IF_ERROR(store.sync_metadata());
    NPK_RETURN_IF_ERROR(store.load_array("a").status());
    return store;
  }

  [[nodiscard]] Rows scattered(size_t round, size_t count) const {
    const auto& list = lists_[round % kLists];
    return Rows::list({list.begin(), list.begin() + static_cast<std::ptrdiff_t>(count)});
  }

  Status run_small_writes() {
    for (const auto& [mode, durability] :
         {std::pair{"process", Durability::kProcess}, std::pair{"none", Durability::kNone}}) {
      const bool has_bar = durability == Durability::kProcess;
      const std::string in_mode = std::string(", ") + mode;
      NPK_ASSIGN_OR_RETURN(ParallelIO store, make_store("writes.npk", durability));
      PlainFile plain(file("plain"), kRows * kRowBytes);
      uint64_t end_bytes = kRows * kRowBytes;
      const size_t bytes = few_.size() * sizeof(float);
      NPK_RETURN_IF_ERROR(figures_.add(
          "append 100 rows" + in_mode, rounds(5'000), has_bar ? at_most_us(12) : Bar{},
          {[&](size_t) { return store.append_rows("a", rows_of(few_)); }}, {[&](size_t) {
            end_bytes += bytes;
            return plain.write(end_bytes - bytes, few_.data(), bytes);
          }}));
      NPK_RETURN_IF_ERROR(add_replace(store, plain, in_mode, has_bar ? at_most_us(30) : Bar{}));
      if (!has_bar) continue;
      NPK_RETURN_IF_ERROR(store.save_arrays({{"b", rows_of(few_)}}));
      NPK_RETURN_IF_ERROR(figures_.add(
          "batch: append 100 rows to each of 2 arrays" + in_mode, rounds(5'000), {}, {[&](size_t) {
            WriteBatch batch;
            batch.append_rows("a", rows_of(few_)).append_rows("b", rows_of(few_));
            return store.commit(batch);
          }},
          {}));
    }
    return {};
  }

  /// Floor: what a redo log must at least do, one write of the rows to a file that has room, and
  /// the rows stored where they belong (mode none: only the latter).
  Status add_replace(ParallelIO& store, PlainFile& plain, const std::string& in_mode,
                     const Bar& bar) {
    PlainFile log(file("plain.log"), 8u << 20);
    const size_t bytes = few_.size() * sizeof(float);
    std::vector<Rows> selections;
    for (size_t i = 0; i < kLists; ++i) selections.push_back(scattered(i, kFewRows));
    return figures_.add(
        "replace 100 scattered rows" + in_mode, rounds(5'000), bar, {[&](size_t round) {
          return store.replace_rows("a", rows_of(few_), selections[round % kLists]);
        }},
        {[&](size_t round) {
          if (bar.kind != Bar::Kind::kNone) {
            NPK_RETURN_IF_ERROR(log.write(round * bytes % (4u << 20), few_.data(), bytes));
          }
          const auto& list = lists_[(round + kLists / 2) % kLists];
          for (size_t i = 0; i < kFewRows; ++i) {
            std::memcpy(plain.data() + static_cast<uint64_t>(list[i]) * kRowBytes,
                        &few_[i * kWidth], kRowBytes);
          }
          return Status();
        }});
  }

  /// What an open snapshot costs a writer. Floor: the same without one. Each replace finds another
  /// snapshot, so that it must save all its rows.
  Status run_snapshots() {
    NPK_ASSIGN_OR_RETURN(ParallelIO store, make_store("snapshot.npk", Durability::kProcess));
    NPK_ASSIGN_OR_RETURN(ParallelIO other, make_store("none.npk", Durability::kProcess));
    std::optional<Snapshot> snapshot;
    std::vector<Rows> selections;
    for (size_t i = 0; i < kLists; ++i) selections.push_back(scattered(i, kFewRows));
    const auto take = [&](size_t) {
      auto taken = store.snapshot();
      if (!taken.is_ok()) return taken.status();
      snapshot.emplace(*std::move(taken));
      return Status();
    };
    NPK_RETURN_IF_ERROR(figures_.add("take a snapshot", rounds(2'000), {}, {take}, {}));
    NPK_RETURN_IF_ERROR(
        figures_.add("append 100 rows beside a snapshot, process", rounds(5'000), at_most_floors(2),
                     {[&](size_t) { return store.append_rows("a", rows_of(few_)); }},
                     {[&](size_t) { return other.append_rows("a", rows_of(few_)); }}));
    return figures_.add(
        "replace 100 scattered rows and save them for a snapshot, process", rounds(5'000),
        at_most_floors(2),
        {[&](size_t round) {
           return store.replace_rows("a", rows_of(few_), selections[round % kLists]);
         },
         take},
        {[&](size_t round) {
          return other.replace_rows("a", rows_of(few_), selections[(round + 7) % kLists]);
        }});
  }

  Status run_reads() {
    NPK_ASSIGN_OR_RETURN(ParallelIO store, make_store("reads.npk", Durability::kProcess));
    NPK_RETURN_IF_ERROR(add_row_lists(store, "", {at_most_us(4), at_most_us(30), at_most_us(300)}));
    NPK_RETURN_IF_ERROR(add_view(store));
    std::vector<float> copy(all_.size());
    NPK_RETURN_IF_ERROR(
        figures_.add("load_array 40 MB", rounds(50), {},
                     {[&](size_t) { return store.load_array("a").status(); }}, {[&](size_t) {
                       std::memcpy(copy.data(), all_.data(), all_.size() * sizeof(float));
                       return Status();
                     }}));
    NPK_RETURN_IF_ERROR(
        figures_.add("stream_load 40 MB in blocks of 10,000 rows", rounds(50), {}, {[&](size_t) {
                       auto stream = store.stream_load("a", 10'000);
                       if (!stream.is_ok()) return stream.status();
                       for (const Array& block : *stream)
                         sink_ += static_cast<uint64_t>(block.rows());
                       return stream->status();
                     }},
                     {[&](size_t) {
                       std::memcpy(copy.data(), all_.data(), all_.size() * sizeof(float));
                       return Status();
                     }}));
    return {};
  }

  /// Rows by list of 100, 1,000 and 10,000, allocating and not.
  Status add_row_lists(ParallelIO& store, const std::string& suffix, const std::vector<Bar>& bars) {
    std::vector<float> out(10'000 * kWidth);
    size_t bar = 0;
    for (const size_t count : {size_t{100}, size_t{1'000}, size_t{10'000}}) {
      std::vector<Rows> selections;
      for (size_t i = 0; i < kLists; ++i) selections.push_back(scattered(i, count));
      const auto rows = [this, count](size_t round) {
        return std::span<const int64_t>(lists_[round % kLists]).first(count);
      };
      const Work floor = {[&](size_t round) {
        const auto list = rows(round + kLists / 2);
        for (size_t i = 0; i < count; ++i) {
          std::memcpy(&out[i * kWidth], &all_[static_cast<size_t>(list[i]) * kWidth], kRowBytes);
        }
        return Status();
      }};
      const std::string name = std::to_string(count) + " rows by list" + suffix;
      const Bar& limit = bars.empty() ? Bar{} : bars[bar++];
      NPK_RETURN_IF_ERROR(figures_.add(
          name + ", read_rows", rounds(2'000), limit,
          {[&](size_t round) { return store.read_rows("a", selections[round % kLists]).status(); }},
          floor));
      NPK_RETURN_IF_ERROR(figures_.add(
          name + ", read_rows_into", rounds(2'000), limit, {[&](size_t round) {
            return store.read_rows_into(
                "a", rows(round), std::as_writable_bytes(std::span(out)).first(count * kRowBytes));
          }},
          floor));
    }
    return {};
  }

  /// Floor: a hash table of pinned views.
  Status add_view(ParallelIO& store) {
    constexpr size_t kRepeats = 1'000;
    std::unordered_map<std::string, ArrayView> views;
    const auto pin = std::make_shared<int>(0);
    views["a"] = ArrayView::raw(all_.data(), DType::kFloat32, {kRows, kWidth}, pin);
    return figures_.add("view of an array in an open store", rounds(200), at_most_us(1),
                        {[&](size_t) {
                           for (size_t i = 0; i < kRepeats; ++i) {
                             auto view = store.get_array_view("a");
                             if (!view.is_ok()) return view.status();
                             sink_ += view->rows();
                           }
                           return Status();
                         },
                         {},
                         kRepeats},
                        {[&](size_t) {
                           for (size_t i = 0; i < kRepeats; ++i) {
                             const ArrayView view = views.find("a")->second;
                             sink_ += view.rows();
                           }
                           return Status();
                         },
                         {},
                         kRepeats});
  }

  Status run_open() {
    NPK_ASSIGN_OR_RETURN(ParallelIO made, make_store("open.npk", Durability::kProcess));
    NPK_ASSIGN_OR_RETURN(const ArrayMetadata metadata, made.get_array_metadata("a"));
    NPK_RETURN_IF_ERROR(made.close());
    const std::string rows_file = file("open.npk/" + metadata.rows_file);
    std::optional<ParallelIO> store;
    for (const bool read_only : {false, true}) {
      StoreOptions options;
      options.read_only = read_only;
      NPK_RETURN_IF_ERROR(figures_.add(read_only ? "open of a store, read-only" : "open of a store",
                                       rounds(1'000), at_most_us(100),
                                       {[&](size_t) {
                                          auto opened = ParallelIO::open(file("open.npk"), options);
                                          if (!opened.is_ok()) return opened.status();
                                          store.emplace(*std::move(opened));
                                          return Status();
                                        },
                                        [&](size_t) {
                                          store.reset();
                                          return Status();
                                        }},
                                       {[&](size_t) { return open_and_map(rows_file); }}));
      store.reset();
    }
    return {};
  }

  Status run_power() {
    NPK_ASSIGN_OR_RETURN(ParallelIO store, make_store("power.npk", Durability::kPower));
    PlainFile plain(file("plain"), 8u << 20);
    const std::vector<std::byte> block(4'096, std::byte{7});
    const Work floor = {[&](size_t) { return plain.write_and_sync(block.data()); }};
    NPK_RETURN_IF_ERROR(
        figures_.add("append 100 rows, power (bar: ratio)", rounds(1'000), at_most_floors(2),
                     {[&](size_t) { return store.append_rows("a", rows_of(few_)); }}, floor));
    NPK_RETURN_IF_ERROR(
        figures_.add("replace 100 scattered rows, power", rounds(500), {}, {[&](size_t round) {
                       return store.replace_rows("a", rows_of(few_), scattered(round, kFewRows));
                     }},
                     floor));
    return {};
  }

  Status run_deletes() {
    NPK_ASSIGN_OR_RETURN(ParallelIO store, make_store("deletes.npk", Durability::kProcess));
    NPK_RETURN_IF_ERROR(figures_.add(
        "delete 100 scattered rows, process", rounds(500), {},
        {[&](size_t round) { return store.drop_arrays("a", few_below(round, 100)); }}, {}));
    NPK_RETURN_IF_ERROR(figures_.add(
        "delete 1,000 scattered rows, process", rounds(100), {},
        {[&](size_t round) { return store.drop_arrays("a", few_below(round, 1'000)); }}, {}));
    for (auto& list : lists_) {
      for (int64_t& row : list) row /= 2;  // Rows that are still there.
    }
    return add_row_lists(store, " beside deleted ones", {});
  }

  /// Scattered rows that exist also after all the deletes of run_deletes().
  [[nodiscard]] Rows few_below(size_t round, size_t count) const {
    std::vector<int64_t> rows(count);
    for (size_t i = 0; i < count; ++i) {
      rows[i] = lists_[round % kLists][(round * 7 + i) % 10'000] / 2;
    }
    return Rows::list(std::move(rows));
  }

  Status run_whole_arrays() {
    const uint64_t bytes = all_.size() * sizeof(float);
    NPK_ASSIGN_OR_RETURN(ParallelIO store, make_store("whole.npk", Durability::kProcess));
    std::unique_ptr<PlainFile> plain;
    const auto new_file = [&](size_t) {
      plain = std::make_unique<PlainFile>(file("plain"), 0);
      return Status();
    };
    NPK_RETURN_IF_ERROR(
        figures_.add("save 40 MB over an array, process", rounds(30), {}, {[&](size_t) {
                       return store.save_arrays({{"a", rows_of(all_)}});
                     }},
                     {[&](size_t) { return plain->write(0, all_.data(), bytes); }, new_file}));
    const Work compact = {[&](size_t) { return store.compact_array("a"); },
                          [&](size_t) {
                            NPK_RETURN_IF_ERROR(store.save_arrays({{"a", rows_of(all_)}}));
                            return store.drop_arrays("a", Rows::range(0, kRows, 2));
                          }};
    return figures_.add(
        "compact 40 MB of which half is deleted, process", rounds(20), {}, compact,
        {[&](size_t) { return plain->write(0, all_.data(), bytes / 2); }, new_file});
  }

  Status run_many_arrays() {
    std::vector<std::pair<std::string, ArrayView>> arrays;
    for (int i = 0; i < 1'000; ++i) {
      arrays.emplace_back("layer." + std::to_string(i), rows_of(few_));
    }
    std::optional<ParallelIO> store;
    const auto new_store = [&](size_t) -> Status {
      store.reset();
      std::filesystem::remove_all(file("many.npk"));
      NPK_ASSIGN_OR_RETURN(ParallelIO opened, ParallelIO::open(file("many.npk")));
      store.emplace(std::move(opened));
      return {};
    };
    return figures_.add("save 1,000 arrays of 4 KB and close", rounds(10), {},
                        {[&](size_t) {
                           NPK_RETURN_IF_ERROR(store->save_arrays(arrays));
                           return store->close();
                         },
                         new_store},
                        {});
  }

  /// What checksums of the rows cost a commit, and how fast they are compared.
  Status run_checksums() {
    NPK_ASSIGN_OR_RETURN(ParallelIO store,
                         make_store("sums.npk", Durability::kProcess, Checksums::kBlock));
    NPK_RETURN_IF_ERROR(
        figures_.add("append 100 rows, process, checksums", rounds(5'000), {},
                     {[&](size_t) { return store.append_rows("a", rows_of(few_)); }}, {}));
    NPK_RETURN_IF_ERROR(figures_.add(
        "replace 100 scattered rows, process, checksums", rounds(5'000), {}, {[&](size_t round) {
          return store.replace_rows("a", rows_of(few_), scattered(round, kFewRows));
        }},
        {}));
    NPK_RETURN_IF_ERROR(figures_.add("save 40 MB over an array, process, checksums", rounds(30), {},
                                     {[&](size_t) {
                                       return store.save_arrays({{"a", rows_of(all_)}});
                                     }},
                                     {}));
    return add_verify(store);
  }

  /// Bar: 5 GB/s. Floor: the checksums of as many bytes in memory, by all processors.
  Status add_verify(ParallelIO& store) {
    constexpr size_t kPieces = 7;
    for (size_t i = 1; i < kPieces; ++i) {
      NPK_RETURN_IF_ERROR(store.append_rows("a", rows_of(all_)));
    }
    NPK_RETURN_IF_ERROR(store.sync_metadata());
    const auto bytes = std::as_bytes(std::span(all_));
    const double seconds = static_cast<double>(kPieces * bytes.size()) / 5e9;
    const uint32_t threads = std::max(1u, std::thread::hardware_concurrency());
    constexpr size_t kBlock = 64 << 10;
    return figures_.add(
        "verify 280 MB with checksums, warm", rounds(25), at_most_us(seconds * 1e6), {[&](size_t) {
          const auto report = verify_store(file("sums.npk"));
          if (!report.is_ok()) return report.status();
          return report->is_clean() ? Status() : Status::corruption("verify found damage");
        }},
        {[&](size_t) {
          std::atomic<size_t> next{0};
          std::atomic<uint32_t> sum{0};
          internal::run_on_threads(threads, [&](uint32_t) {
            for (size_t at = 0; (at = next.fetch_add(kBlock)) < kPieces * bytes.size();) {
              const auto rest = bytes.subspan(at % bytes.size());
              sum += simd::crc32c(rest.first(std::min(kBlock, rest.size())));
            }
          });
          sink_ += sum;
          return Status();
        }});
  }

  Settings settings_;
  Measurements figures_;
  ScratchDirectory directory_;
  std::mt19937_64 random_{42};
  std::vector<float> all_;
  std::vector<float> few_;
  std::array<std::vector<int64_t>, kLists> lists_;
  uint64_t sink_ = 0;
};

}  // namespace
}  // namespace npk::bench

int main(int argc, char** argv) {
  npk::bench::Settings settings;
  settings.directory = std::filesystem::temp_directory_path();
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    const bool has_value = i + 1 < argc;
    if (argument == "--quick") {
      settings.is_quick = true;
    } else if (argument == "--json" && has_value) {
      settings.json_path = argv[++i];
    } else if (argument == "--filter" && has_value) {
      settings.filter = argv[++i];
    } else if (argument == "--dir" && has_value) {
      settings.directory = argv[++i];
    } else {
      std::fprintf(stderr,
                   "usage: store_bench [--quick] [--json OUT] [--filter SUBSTRING] [--dir DIR]\n");
      return 2;
    }
  }
  const npk::Status status = npk::bench::Bench(settings).run();
  if (!status.is_ok()) std::fprintf(stderr, "%s\n", status.to_string().c_str());
  return status.is_ok() ? 0 : 1;
}
