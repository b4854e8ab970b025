// How near does a search of a store come to the speed of the disk while the rows are not in memory,
// and to that of the memory while they are?
//
// The floor of a cold search is the time in which a bare io_uring loop (O_DIRECT, 1 MiB x 8,
// registered buffers) reads the same file; beside it stands what reading it through a mapping
// takes. The floor of a hot search is a sum over the mapping. Each is measured in turn with the
// search. Before a cold round only the pages of the rows file are dropped, and the store is opened
// anew.
//
//   stream_bench [--quick] [--json OUT] [--filter SUBSTRING]
//
// Prints a table; OUT gets a list of {suite, name, value, unit, floor, ratio, bar, holds}.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <functional>
#include <random>
#include <string>
#include <sys/mman.h>
#include <thread>
#include <unistd.h>
#include <vector>

#include <liburing.h>
#include <nlohmann/json.hpp>

#include "benches/search/probes.h"
#include "npk/npk.h"

namespace npk {
namespace {

constexpr uint64_t kDims = 128;
constexpr uint64_t kPieceRows = 1u << 17;  // 64 MiB.
constexpr uint64_t kReadBytes = 1u << 20;
constexpr unsigned kDepth = 8;

struct Settings {
  bool is_quick = false;
  std::string json_path;
  std::string filter;
};

struct Row {
  std::string name;
  double milliseconds;
  double floor_milliseconds;
  double bar;  // Least ratio of the floor to the time; 0: none.
  [[nodiscard]] double ratio() const { return floor_milliseconds / milliseconds; }
};

using Timed = std::function<double()>;  // Milliseconds.

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

double milliseconds_of(const std::function<void()>& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start)
      .count();
}

/// Stops the bench: a figure that was measured wrong is worse than none.
void require(bool is_true, const char* what) {
  if (is_true) return;
  std::fprintf(stderr, "stream_bench: %s\n", what);
  std::exit(1);
}

/// Puts the file's pages out of memory. Requires: nobody has it mapped.
void drop_pages(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  require(fd >= 0 && ::fsync(fd) == 0 && ::posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) == 0,
          "cannot drop the pages of the rows file");
  ::close(fd);
}

/// Reads all whole pieces of a file with nothing else to do.
void read_by_uring(const std::string& path, uint64_t bytes) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_DIRECT | O_CLOEXEC);
  ::io_uring ring{};
  require(fd >= 0 && ::io_uring_queue_init(kDepth, &ring, 0) == 0, "cannot use io_uring");
  auto* const buffers = static_cast<std::byte*>(std::aligned_alloc(4096, kDepth * kReadBytes));
  std::vector<iovec> list;
  for (unsigned i = 0; i < kDepth; ++i) list.push_back({buffers + i * kReadBytes, kReadBytes});
  require(::io_uring_register_buffers(&ring, list.data(), kDepth) == 0, "cannot register buffers");
  uint64_t next = 0;
  const auto submit = [&](unsigned slot) {
    ::io_uring_sqe* const entry = ::io_uring_get_sqe(&ring);
    ::io_uring_prep_read_fixed(entry, fd, list[slot].iov_base, kReadBytes, next,
                               static_cast<int>(slot));
    ::io_uring_sqe_set_data64(entry, slot);
    require(::io_uring_submit(&ring) == 1, "cannot submit a read");
    next += kReadBytes;
  };
  unsigned under_way = 0;
  for (unsigned slot = 0; slot < kDepth && next < bytes; ++slot, ++under_way) submit(slot);
  for (; under_way > 0; --under_way) {
    ::io_uring_cqe* done = nullptr;
    require(::io_uring_wait_cqe(&ring, &done) == 0 && done->res > 0, "a read failed");
    const auto slot = static_cast<unsigned>(::io_uring_cqe_get_data64(done));
    ::io_uring_cqe_seen(&ring, done);
    if (next >= bytes) continue;
    submit(slot);
    ++under_way;
  }
  ::io_uring_queue_exit(&ring);
  std::free(buffers);
  ::close(fd);
}

/// Sums a file up through a mapping.
void read_by_mapping(const std::string& path, uint64_t bytes, uint32_t threads) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  void* const address = ::mmap(nullptr, bytes, PROT_READ, MAP_SHARED, fd, 0);
  require(fd >= 0 && address != MAP_FAILED, "cannot map the rows file");
  read_all(static_cast<const std::byte*>(address), bytes, threads);
  ::munmap(address, bytes);
  ::close(fd);
}

class Bench {
 public:
  explicit Bench(Settings settings) : settings_(std::move(settings)) {
    directory_ =
        std::filesystem::temp_directory_path() / ("npk-stream-bench-" + std::to_string(::getpid()));
    std::filesystem::create_directories(directory_);
  }
  ~Bench() {
    std::error_code ignored;
    std::filesystem::remove_all(directory_, ignored);
  }
  Bench(const Bench&) = delete;
  Bench& operator=(const Bench&) = delete;

  Status make_store() {
    Array piece = *Array::uninitialized(DType::kFloat32, {kPieceRows, kDims});
    std::mt19937_64 random(42);
    for (float& value : piece.mutable_as<float>()) {
      value = static_cast<float>(static_cast<int64_t>(random() >> 40) - (1 << 23));
    }
    query_.assign(piece.as<float>().begin(), piece.as<float>().begin() + kDims);
    NPK_ASSIGN_OR_RETURN(ParallelIO store, ParallelIO::open(path()));
    NPK_RETURN_IF_ERROR(store.save_arrays({{"rows", piece.view()}}));
    for (uint64_t i = 1; i < pieces(); ++i) {
      NPK_RETURN_IF_ERROR(store.append_rows("rows", piece.view()));
    }
    NPK_ASSIGN_OR_RETURN(const ArrayMetadata array, store.get_array_metadata("rows"));
    file_ = path() + "/" + array.rows_file;
    bytes_ = array.size_bytes;
    return store.close();
  }

  Status run() {
    const auto both = std::max(1u, std::thread::hardware_concurrency());
    for (const uint32_t threads : {1u, both}) NPK_RETURN_IF_ERROR(run_hot(threads));
    for (const uint32_t threads : {1u, both}) run_cold(threads, threads > 1);
    return {};
  }

  Status report() {
    std::printf("target %s, %u processors; ratio = floor / time\n",
                std::string(simd_target()).c_str(), std::thread::hardware_concurrency());
    auto list = nlohmann::json::array();
    for (const Row& row : rows_) {
      const bool holds = row.ratio() >= row.bar;
      std::printf("%-58s %9.3f ms  floor %9.3f ms  ratio %.3f  bar %.2f  %s\n", row.name.c_str(),
                  row.milliseconds, row.floor_milliseconds, row.ratio(), row.bar,
                  holds ? "holds" : "MISSED");
      list.push_back({{"suite", "stream"},
                      {"name", row.name},
                      {"value", row.milliseconds},
                      {"unit", "ms"},
                      {"floor", row.floor_milliseconds},
                      {"ratio", row.ratio()},
                      {"bar", row.bar > 0 ? nlohmann::json(row.bar) : nlohmann::json()},
                      {"holds", holds}});
    }
    if (settings_.json_path.empty()) return {};
    std::ofstream out(settings_.json_path);
    out << list.dump(1) << '\n';
    return out.good() ? Status() : Status::io_error("cannot write").with_path(settings_.json_path);
  }

 private:
  [[nodiscard]] std::string path() const { return (directory_ / "s.npk").string(); }
  [[nodiscard]] uint64_t pieces() const { return settings_.is_quick ? 16 : 32; }
  [[nodiscard]] std::string name(uint32_t threads, const std::string& what) const {
    return std::to_string(bytes_ >> 30) + " GiB of 128 float32, dot top-10, " +
           std::to_string(threads) + "T, " + what;
  }
  [[nodiscard]] bool is_wanted(const std::string& name) const {
    return name.find(settings_.filter) != std::string::npos;
  }
  void search(const ParallelIO& store, uint32_t threads) const {
    const SearchOptions options = {.metric = Metric::kDot, .threads = threads};
    const auto found =
        StreamingVectorEngine().top_k(store, "rows", ArrayView::of(query_, {kDims}), options);
    require(found.is_ok() && found->rows.size() == 10, "the search failed");
  }

  Status run_hot(uint32_t threads) {
    const std::string row = name(threads, "hot, against the memory");
    if (!is_wanted(row)) return {};
    NPK_ASSIGN_OR_RETURN(ParallelIO store, ParallelIO::open(path()));
    NPK_ASSIGN_OR_RETURN(const ArrayView view, store.get_array_view("rows"));
    const Timed floor = [&] {
      return milliseconds_of([&] { read_all(view.data(), view.size_bytes(), threads); });
    };
    const Timed timed = [&] { return milliseconds_of([&] { search(store, threads); }); };
    floor();
    timed();
    add(row, settings_.is_quick ? 11 : 31, threads > 1 ? 0.95 : 0.90, timed, floor);
    return {};
  }

  void run_cold(uint32_t threads, bool has_bars) {
    const std::string raw_row = name(threads, "cold, against raw io_uring");
    const std::string mapped_row = name(threads, "cold, against a mapping");
    const std::string pread_row = name(threads, "cold by pread, against raw io_uring");
    const auto cold_search = [&](const char* mode) {
      return [this, threads, mode] {
        drop_pages(file_);
        ::setenv("NPK_IO", mode, 1);
        auto store = ParallelIO::open(path());
        require(store.is_ok(), "the store cannot be opened");
        const double taken = milliseconds_of([&] { search(*store, threads); });
        ::unsetenv("NPK_IO");
        return taken;
      };
    };
    const Timed raw = [&] {
      drop_pages(file_);
      return milliseconds_of([&] { read_by_uring(file_, bytes_); });
    };
    const Timed mapped = [&] {
      drop_pages(file_);
      return milliseconds_of([&] { read_by_mapping(file_, bytes_, threads); });
    };
    const int rounds = settings_.is_quick ? 5 : 11;
    if (is_wanted(raw_row)) add(raw_row, rounds, has_bars ? 0.95 : 0, cold_search("auto"), raw);
    if (is_wanted(mapped_row)) {
      add(mapped_row, rounds, has_bars ? 1.5 : 0, cold_search("auto"), mapped);
    }
    if (is_wanted(pread_row)) add(pread_row, rounds, 0, cold_search("pread"), raw);
  }

  /// Runs both in turn and keeps the median ratio.
  void add(const std::string& name, int rounds, double bar, const Timed& timed,
           const Timed& floor) {
    std::vector<double> times;
    std::vector<double> ratios;
    for (int i = 0; i < rounds; ++i) {
      const double before = floor();
      const double taken = timed();
      const double after = floor();
      times.push_back(taken);
      ratios.push_back((before + after) / 2 / taken);
    }
    const double typical = median(times);
    rows_.push_back({name, typical, typical * median(ratios), bar});
  }

  Settings settings_;
  std::filesystem::path directory_;
  std::string file_;
  uint64_t bytes_ = 0;
  std::vector<float> query_;
  std::vector<Row> rows_;
};

Status run(const Settings& settings) {
  Bench bench(settings);
  NPK_RETURN_IF_ERROR(bench.make_store());
  NPK_RETURN_IF_ERROR(bench.run());
  return bench.report();
}

}  // namespace
}  // namespace npk

int main(int argc, char** argv) {
  npk::Settings settings;
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    if (argument == "--quick") {
      settings.is_quick = true;
    } else if (argument == "--json" && i + 1 < argc) {
      settings.json_path = argv[++i];
    } else if (argument == "--filter" && i + 1 < argc) {
      settings.filter = argv[++i];
    } else {
      std::fprintf(stderr, "usage: stream_bench [--quick] [--json OUT] [--filter SUBSTRING]\n");
      return 2;
    }
  }
  const npk::Status status = npk::run(settings);
  if (!status.is_ok()) std::fprintf(stderr, "stream_bench: %s\n", status.to_string().c_str());
  return status.is_ok() ? 0 : 1;
}
