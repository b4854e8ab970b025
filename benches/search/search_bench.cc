// How near does one query come to the read bandwidth of this machine, and a hundred to its peak
// arithmetic?
//
// A scan must read every row once, so its floor is the time that reading the same bytes takes: a
// sum over them by the same number of threads, measured in turn with the scan (the bandwidth of a
// shared machine moves by tens of per cent within seconds, so only ratios of neighbours count).
// The floor of many queries is the time of as many float32 multiply-adds in registers.
//
//   search_bench [--quick] [--json OUT] [--filter SUBSTRING]
//
// Prints a table; OUT gets a list of {suite, name, value, unit, floor, ratio, bar, holds}.
#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <functional>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "benches/scratch_directory.h"
#include "benches/search/probes.h"
#include "benches/search/ratios.h"
#include "npk/npk.h"

namespace npk {
namespace {

/// Searches of one query, told for one thread and for all processors.
struct Workload {
  DType dtype;
  uint64_t rows;
  uint64_t dims;
  std::vector<Metric> metrics;
  bool is_stored = false;  // Whether a store is searched as well as the memory.

  [[nodiscard]] std::string name() const {
    const bool is_many = rows % 1'000'000 == 0;
    const std::string count =
        is_many ? std::to_string(rows / 1'000'000) + "M x " : std::to_string(rows / 1'000) + "k x ";
    if (metrics.front() == Metric::kHamming) return count + std::to_string(dims * 8) + " bits";
    return count + std::to_string(dims) + " " + std::string(dtype_name(dtype));
  }
};

/// The least share of the bandwidth that one query is to reach.
double one_query_bar(uint32_t threads) { return threads > 1 ? 0.95 : 0.90; }

Array random_array(DType dtype, uint64_t rows, uint64_t dims) {
  Array array = *Array::uninitialized(dtype, {rows, dims});
  std::mt19937_64 random(42);
  if (dtype == DType::kFloat32) {
    for (float& value : array.mutable_as<float>()) {
      // Sum of four bytes: near enough to gaussian, and quick.
      const uint64_t r = random();
      const auto sum = (r & 255) + (r >> 8 & 255) + (r >> 16 & 255) + (r >> 24 & 255);
      value = (static_cast<float>(sum) - 510) / 148;
    }
  } else if (dtype == DType::kFloat64) {
    for (double& value : array.mutable_as<double>()) {
      value = static_cast<double>(random() >> 11) * 0x1p-53 - 0.5;
    }
  } else {
    // Any bytes; of 16-bit floats without the highest bit of the exponent, so that all are finite.
    const bool is_half = dtype == DType::kFloat16 || dtype == DType::kBFloat16;
    const uint64_t kept = is_half ? 0xbfffbfffbfffbfff : ~uint64_t{0};
    for (uint64_t at = 0; at + 8 <= array.size_bytes(); at += 8) {
      const uint64_t word = random() & kept;
      std::memcpy(array.mutable_data() + at, &word, 8);
    }
  }
  return array;
}

class Bench {
 public:
  explicit Bench(const Settings& settings) : settings_(settings), ratios_(settings) {}

  Status run(const Workload& workload) {
    const auto both = std::max(1u, std::thread::hardware_concurrency());
    const auto name_of = [&](Metric metric, uint32_t threads, const char* where) {
      return workload.name() + " " + std::string(metric_info(metric).name) + " top-10, " +
             std::to_string(threads) + "T, " + where;
    };
    const auto is_wanted_of = [&](Metric metric, uint32_t threads) {
      return ratios_.wants(name_of(metric, threads, "memory")) ||
             (workload.is_stored && ratios_.wants(name_of(metric, threads, "store")));
    };
    const bool has_wanted = std::any_of(
        workload.metrics.begin(), workload.metrics.end(),
        [&](Metric metric) { return is_wanted_of(metric, 1) || is_wanted_of(metric, both); });
    if (!has_wanted) return {};
    const Array base = random_array(workload.dtype, workload.rows, workload.dims);
    const ArrayView query =
        ArrayView::raw(base.data() + 17 * base.row_bytes(), workload.dtype, {workload.dims});
    NPK_ASSIGN_OR_RETURN(ParallelIO store, ParallelIO::open(directory_.file("s.npk")));
    ArrayView mapped;
    if (workload.is_stored) {
      NPK_RETURN_IF_ERROR(store.save_arrays({{"rows", base.view()}}));
      NPK_ASSIGN_OR_RETURN(mapped, store.get_array_view("rows"));
    }
    for (const Metric metric : workload.metrics) {
      for (const uint32_t threads : {1u, both}) {
        const SearchOptions options = {.metric = metric, .k = 10, .threads = threads};
        const double bar = one_query_bar(threads);
        const auto read = [threads](const ArrayView& view) {
          return [view, threads] { read_all(view.data(), view.size_bytes(), threads); };
        };
        NPK_RETURN_IF_ERROR(add(name_of(metric, threads, "memory"), bar, read(base.view()), [&] {
          return VectorEngine().top_k(base, query, options).status();
        }));
        if (!workload.is_stored) continue;
        NPK_RETURN_IF_ERROR(add(name_of(metric, threads, "store"), bar, read(mapped), [&] {
          return StreamingVectorEngine().top_k(store, "rows", query, options).status();
        }));
      }
    }
    return store.close();
  }

  /// One query against a part of the rows, scattered: their bytes may take 1.15 times as long as
  /// the same number of bytes in sequence, plus 1 ms.
  Status run_where(DType dtype, uint64_t rows, uint64_t dims) {
    const Workload workload = {dtype, rows, dims, {Metric::kCosine}};
    const auto both = std::max(1u, std::thread::hardware_concurrency());
    const Array base = random_array(dtype, rows, dims);
    const ArrayView query = ArrayView::raw(base.data() + 17 * base.row_bytes(), dtype, {dims});
    for (const uint32_t percent : {1u, 10u, 50u, 99u}) {
      std::mt19937_64 random(7);
      std::vector<uint8_t> mask(rows);
      for (uint8_t& is_selected : mask) is_selected = random() % 100 < percent;
      const auto selected = static_cast<uint64_t>(std::count(mask.begin(), mask.end(), 1));
      const Where where = Where::mask(mask);
      for (const uint32_t threads : {1u, both}) {
        const SearchOptions options = {.k = 10, .where = where, .threads = threads};
        const std::string name = workload.name() + " where " + std::to_string(percent) +
                                 " % of the rows, cosine top-10, " + std::to_string(threads) +
                                 "T, memory";
        NPK_RETURN_IF_ERROR(add(
            name, 0, [&] { read_all(base.data(), selected * base.row_bytes(), threads); },
            [&] { return VectorEngine().top_k(base, query, options).status(); }));
        if (!ratios_.wants(name)) continue;
        Ratios::Row& row = ratios_.last();
        row.bar = row.floor_milliseconds() / (1.15 * row.floor_milliseconds() + 1);
      }
    }
    return {};
  }

  /// `count` queries at once, in memory: against the peak of float32 arithmetic, whatever the type,
  /// or, where that is less, the read bandwidth.
  Status run_many(uint64_t rows, uint64_t dims, uint64_t count, const std::vector<Metric>& metrics,
                  DType dtype = DType::kFloat32) {
    const Array base = random_array(dtype, rows, dims);
    const Array queries = random_array(dtype, count, dims);
    const auto both = std::max(1u, std::thread::hardware_concurrency());
    const bool is_bound_by_memory = count <= 16;
    for (const Metric metric : metrics) {
      for (const uint32_t threads : {1u, both}) {
        const SearchOptions options = {.metric = metric, .k = 10, .threads = threads};
        const std::string name = many_name(base, count, metric, "top-10", threads);
        // float32, one thread, 100 queries and 512 dimensions or more: 0.80 of the peak.
        const bool has_bar =
            dtype == DType::kFloat32 && threads == 1 && count >= 100 && dims >= 512;
        const double bar = has_bar ? 0.8 : 0;
        const auto floor = [&] {
          if (is_bound_by_memory) return read_all(base.data(), base.size_bytes(), threads);
          multiply_all(rows * dims * count, threads);
        };
        NPK_RETURN_IF_ERROR(add(name, bar, floor, [&] {
          return VectorEngine().multi_query_top_k(base, queries, options).status();
        }));
      }
    }
    return {};
  }

  /// How much longer the best 1,000 take than the best 10: at most 1.3 times.
  /// Errors: those of either search.
  Status run_large_k(uint64_t rows, uint64_t dims, uint64_t count) {
    const Array base = random_array(DType::kFloat32, rows, dims);
    const Array queries = random_array(DType::kFloat32, count, dims);
    const auto both = std::max(1u, std::thread::hardware_concurrency());
    for (const uint32_t threads : {1u, both}) {
      const auto search = [&](uint64_t k) {
        const SearchOptions options = {.k = k, .threads = threads};
        return VectorEngine().multi_query_top_k(base, queries, options).status();
      };
      const std::string name =
          many_name(base, count, Metric::kCosine, "top-1000 against top-10", threads);
      Status failure;
      const auto few = [&] {
        Status status = search(10);
        if (!status.is_ok()) failure = std::move(status);
      };
      NPK_RETURN_IF_ERROR(add(name, 1 / 1.3, few, [&] { return search(1'000); }));
      NPK_RETURN_IF_ERROR(failure);
    }
    return {};
  }

  Status report() const { return ratios_.report("search"); }

 private:
  static std::string many_name(const Array& base, uint64_t count, Metric metric,
                               const std::string& what, uint32_t threads) {
    return std::to_string(count) + (count == 1 ? " query, " : " queries, ") +
           std::to_string(base.rows() / 1000) + "k x " + std::to_string(base.shape()[1]) + " " +
           std::string(dtype_name(base.dtype())) + " " + std::string(metric_info(metric).name) +
           " " + what + ", " + std::to_string(threads) + "T, memory";
  }

  Status add(const std::string& name, double bar, const std::function<void()>& floor,
             const std::function<Status()>& search) {
    if (!ratios_.wants(name)) return {};
    Status failure;
    const auto scan = [&] {
      Status status = search();
      if (!status.is_ok()) failure = std::move(status);
    };
    scan();
    floor();
    ratios_.measure(
        name, settings_.is_quick ? 11 : 31, bar, [&] { return milliseconds_of(scan); },
        [&] { return milliseconds_of(floor); });
    return failure;
  }

  Settings settings_;
  bench::ScratchDirectory directory_{"search-bench"};
  Ratios ratios_;
};

/// Every element type, of short rows and of long ones.
Status run_each_type(Bench& bench, bool is_quick) {
  const std::vector<Metric> numbers = {Metric::kCosine, Metric::kDot, Metric::kL2};
  for (const DType dtype : {DType::kFloat64, DType::kFloat32, DType::kFloat16, DType::kBFloat16,
                            DType::kInt8, DType::kUint8}) {
    const bool is_stored = dtype == DType::kFloat32;
    NPK_RETURN_IF_ERROR(bench.run({dtype, 1'000'000, 128, numbers, is_stored}));
    const auto few = is_quick ? std::vector<Metric>{Metric::kCosine} : numbers;
    NPK_RETURN_IF_ERROR(bench.run({dtype, 200'000, 768, few, is_stored && !is_quick}));
  }
  return {};
}

Status run(const Settings& settings) {
  const std::vector<Metric> bits = {Metric::kHamming, Metric::kJaccard};
  Bench bench(settings);
  NPK_RETURN_IF_ERROR(run_each_type(bench, settings.is_quick));
  NPK_RETURN_IF_ERROR(bench.run({DType::kUint8, 1'000'000, 128, bits, true}));
  NPK_RETURN_IF_ERROR(bench.run_where(DType::kFloat32, 1'000'000, 128));
  if (!settings.is_quick) NPK_RETURN_IF_ERROR(bench.run_where(DType::kFloat32, 200'000, 768));
  const std::vector<Metric> products = {Metric::kCosine, Metric::kDot, Metric::kL2};
  const uint64_t rows = settings.is_quick ? 100'000 : 200'000;
  NPK_RETURN_IF_ERROR(bench.run_many(rows, 768, 100, products));
  NPK_RETURN_IF_ERROR(bench.run_many(rows / 2, 1'536, 100, {Metric::kCosine}));
  NPK_RETURN_IF_ERROR(bench.run_many(rows, 768, 100, {Metric::kCosine}, DType::kInt8));
  NPK_RETURN_IF_ERROR(bench.run_many(rows, 768, 10, {Metric::kCosine}));
  NPK_RETURN_IF_ERROR(bench.run_large_k(200'000, 768, 96));
  NPK_RETURN_IF_ERROR(bench.run_large_k(200'000, 768, 1));
  if (!settings.is_quick) {
    NPK_RETURN_IF_ERROR(bench.run_many(rows, 768, 1'000, {Metric::kCosine}));
    NPK_RETURN_IF_ERROR(bench.run_many(1'000'000, 128, 100, products));
    NPK_RETURN_IF_ERROR(bench.run({DType::kUint8, 1'000'000, 256, bits, true}));
  }
  return bench.report();
}

}  // namespace
}  // namespace npk

int main(int argc, char** argv) { return npk::run_bench(argc, argv, "search_bench", npk::run); }
