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
#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <functional>
#include <random>
#include <string>
#include <sys/mman.h>
#include <thread>
#include <unistd.h>
#include <vector>

#include <liburing.h>

#include "benches/scratch_directory.h"
#include "benches/search/probes.h"
#include "benches/search/ratios.h"
#include "npk/npk.h"

namespace npk {
namespace {

constexpr uint64_t kDims = 128;
constexpr uint64_t kHugePageBytes = 2 << 20;
constexpr uint64_t kPieceRows = 1u << 17;  // 64 MiB.
constexpr uint64_t kReadBytes = 1u << 20;
constexpr unsigned kDepth = 8;

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
  // Huge pages: a disk takes only so many separate pieces of memory in one request.
  auto* const buffers =
      static_cast<std::byte*>(std::aligned_alloc(kHugePageBytes, kDepth * kReadBytes));
  ::madvise(buffers, kDepth * kReadBytes, MADV_HUGEPAGE);
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
  explicit Bench(const Settings& settings) : settings_(settings), ratios_(settings) {}

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

  Status report() const { return ratios_.report("stream"); }

 private:
  [[nodiscard]] std::string path() const { return directory_.file("s.npk"); }
  [[nodiscard]] uint64_t pieces() const { return settings_.is_quick ? 16 : 32; }
  [[nodiscard]] std::string name(uint32_t threads, const std::string& what) const {
    return std::to_string(bytes_ >> 30) + " GiB of 128 float32, dot top-10, " +
           std::to_string(threads) + "T, " + what;
  }
  void search(const ParallelIO& store, uint32_t threads) const {
    const SearchOptions options = {.metric = Metric::kDot, .threads = threads};
    const auto found =
        StreamingVectorEngine().top_k(store, "rows", ArrayView::of(query_, {kDims}), options);
    require(found.is_ok() && found->rows.size() == 10, "the search failed");
  }

  Status run_hot(uint32_t threads) {
    const std::string row = name(threads, "hot, against the memory");
    if (!ratios_.wants(row)) return {};
    NPK_ASSIGN_OR_RETURN(ParallelIO store, ParallelIO::open(path()));
    NPK_ASSIGN_OR_RETURN(const ArrayView view, store.get_array_view("rows"));
    const Ratios::Timed floor = [&] {
      return milliseconds_of([&] { read_all(view.data(), view.size_bytes(), threads); });
    };
    const Ratios::Timed timed = [&] { return milliseconds_of([&] { search(store, threads); }); };
    floor();
    timed();
    ratios_.measure(row, settings_.is_quick ? 11 : 31, threads > 1 ? 0.95 : 0.90, timed, floor);
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
    const Ratios::Timed raw = [&] {
      drop_pages(file_);
      return milliseconds_of([&] { read_by_uring(file_, bytes_); });
    };
    const Ratios::Timed mapped = [&] {
      drop_pages(file_);
      return milliseconds_of([&] { read_by_mapping(file_, bytes_, threads); });
    };
    const int rounds = settings_.is_quick ? 5 : 11;
    if (ratios_.wants(raw_row))
      ratios_.measure(raw_row, rounds, has_bars ? 0.95 : 0, cold_search("auto"), raw);
    if (ratios_.wants(mapped_row)) {
      ratios_.measure(mapped_row, rounds, has_bars ? 1.5 : 0, cold_search("auto"), mapped);
    }
    if (ratios_.wants(pread_row)) ratios_.measure(pread_row, rounds, 0, cold_search("pread"), raw);
  }

  Settings settings_;
  bench::ScratchDirectory directory_{"stream-bench"};
  std::string file_;
  uint64_t bytes_ = 0;
  std::vector<float> query_;
  Ratios ratios_;
};

Status run(const Settings& settings) {
  Bench bench(settings);
  NPK_RETURN_IF_ERROR(bench.make_store());
  NPK_RETURN_IF_ERROR(bench.run());
  return bench.report();
}

}  // namespace
}  // namespace npk

int main(int argc, char** argv) { return npk::run_bench(argc, argv, "stream_bench", npk::run); }
