// Ratios of a floor to a search, measured in turn, and the table and JSON that come of them.
#ifndef NPK_BENCHES_SEARCH_RATIOS_H_
#define NPK_BENCHES_SEARCH_RATIOS_H_

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <functional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "npk/npk.h"

namespace npk {

/// What the command line says: [--quick] [--json OUT] [--filter SUBSTRING].
struct Settings {
  bool is_quick = false;
  std::string json_path;
  std::string filter;

  /// Whether the arguments were understood.
  [[nodiscard]] bool parse(int argc, char** argv) {
    for (int i = 1; i < argc; ++i) {
      const std::string argument = argv[i];
      if (argument == "--quick") {
        is_quick = true;
      } else if (argument == "--json" && i + 1 < argc) {
        json_path = argv[++i];
      } else if (argument == "--filter" && i + 1 < argc) {
        filter = argv[++i];
      } else {
        return false;
      }
    }
    return true;
  }
};

inline double milliseconds_of(const std::function<void()>& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start)
      .count();
}

inline double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

class Ratios {
 public:
  struct Row {
    std::string name;
    double milliseconds;
    double ratio;
    double bar;  // Least ratio; 0: none.
    [[nodiscard]] double floor_milliseconds() const { return milliseconds * ratio; }
  };

  explicit Ratios(Settings settings) : settings_(std::move(settings)) {}

  [[nodiscard]] bool wants(const std::string& name) const {
    return name.find(settings_.filter) != std::string::npos;
  }

  using Timed = std::function<double()>;  // Milliseconds.
  /// Runs both in turn and keeps the median ratio. `bar`: the least it is to be; 0: none.
  void measure(const std::string& name, int rounds, double bar, const Timed& search,
               const Timed& floor) {
    std::vector<double> times;
    std::vector<double> ratios;
    for (int i = 0; i < rounds; ++i) {
      const double before = floor();
      const double taken = search();
      const double after = floor();
      times.push_back(taken);
      ratios.push_back((before + after) / 2 / taken);
    }
    rows_.push_back({name, median(times), median(ratios), bar});
  }

  /// Requires: something was measured.
  [[nodiscard]] Row& last() { return rows_.back(); }

  /// The table, and the JSON if it was asked for.
  Status report(const std::string& suite) const {
    std::printf("target %s, %u processors; ratio = floor / time\n",
                std::string(simd_target()).c_str(), std::thread::hardware_concurrency());
    auto list = nlohmann::json::array();
    for (const Row& row : rows_) {
      const bool holds = row.ratio >= row.bar;
      std::printf("%-58s %9.3f ms  floor %9.3f ms  ratio %.3f  bar %.2f  %s\n", row.name.c_str(),
                  row.milliseconds, row.floor_milliseconds(), row.ratio, row.bar,
                  holds ? "holds" : "MISSED");
      list.push_back({{"suite", suite},
                      {"name", row.name},
                      {"value", row.milliseconds},
                      {"unit", "ms"},
                      {"floor", row.floor_milliseconds()},
                      {"ratio", row.ratio},
                      {"bar", row.bar > 0 ? nlohmann::json(row.bar) : nlohmann::json()},
                      {"holds", holds}});
    }
    if (settings_.json_path.empty()) return {};
    std::ofstream out(settings_.json_path);
    out << list.dump(1) << '\n';
    return out.good() ? Status() : Status::io_error("cannot write").with_path(settings_.json_path);
  }

 private:
  Settings settings_;
  std::vector<Row> rows_;
};

/// A bench's main(): its exit code.
inline int run_bench(int argc, char** argv, const char* name,
                     const std::function<Status(const Settings&)>& run) {
  Settings settings;
  if (!settings.parse(argc, argv)) {
    std::fprintf(stderr, "usage: %s [--quick] [--json OUT] [--filter SUBSTRING]\n", name);
    return 2;
  }
  const Status status = run(settings);
  if (!status.is_ok()) std::fprintf(stderr, "%s: %s\n", name, status.to_string().c_str());
  return status.is_ok() ? 0 : 1;
}

}  // namespace npk

#endif  // NPK_BENCHES_SEARCH_RATIOS_H_
