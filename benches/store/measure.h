// Timing of calls beside their floors, and the table and JSON that come of it.
//
// A floor is what the machine itself needs for the same bytes; call and floor take turns, so that
// whatever slows the machine down meets both. The figure is the median.
#ifndef NPK_BENCHES_STORE_MEASURE_H_
#define NPK_BENCHES_STORE_MEASURE_H_

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "npk/status.h"

namespace npk::bench {

/// What a figure is held against, if anything.
struct Bar {
  enum class Kind { kNone, kMicroseconds, kRatioToFloor };
  Kind kind = Kind::kNone;
  double most = 0;
};
inline Bar at_most_us(double microseconds) { return {Bar::Kind::kMicroseconds, microseconds}; }
inline Bar at_most_floors(double ratio) { return {Bar::Kind::kRatioToFloor, ratio}; }

struct Figure {
  std::string name;
  double value_us = 0;
  double floor_us = 0;  ///< 0: none was measured.
  Bar bar;

  [[nodiscard]] double ratio() const { return floor_us > 0 ? value_us / floor_us : 0; }
  [[nodiscard]] bool holds() const {
    if (bar.kind == Bar::Kind::kMicroseconds) return value_us <= bar.most;
    return bar.kind == Bar::Kind::kNone || ratio() <= bar.most;
  }
};

/// What to time: `call` is timed, `before` is not. Each run of `call` counts as `repeats` calls.
struct Work {
  std::function<Status(size_t round)> call;
  std::function<Status(size_t round)> before = {};
  size_t repeats = 1;
};

class Measurements {
 public:
  explicit Measurements(std::string filter) : filter_(std::move(filter)) {}

  [[nodiscard]] bool wants(const std::string& name) const {
    return name.find(filter_) != std::string::npos;
  }

  /// Times call and floor in turn and keeps the medians.
  Status add(const std::string& name, size_t rounds, const Bar& bar, const Work& work,
             const Work& floor) {
    if (!wants(name)) return {};
    std::vector<double> values;
    std::vector<double> floors;
    const size_t warm_up = rounds / 10 + 1;
    for (size_t round = 0; round < rounds + warm_up; ++round) {
      NPK_RETURN_IF_ERROR(time(work, round, round >= warm_up, values));
      NPK_RETURN_IF_ERROR(time(floor, round, round >= warm_up, floors));
    }
    figures_.push_back({name, median(values), floors.empty() ? 0 : median(floors), bar});
    print(figures_.back());
    return {};
  }

  Status write_json(const std::string& path) const {
    auto list = nlohmann::json::array();
    for (const Figure& figure : figures_) {
      const bool has_bar = figure.bar.kind != Bar::Kind::kNone;
      list.push_back({{"suite", "store"},
                      {"name", figure.name},
                      {"value", figure.value_us},
                      {"unit", "us"},
                      {"floor", figure.floor_us > 0 ? nlohmann::json(figure.floor_us) : nullptr},
                      {"ratio", figure.floor_us > 0 ? nlohmann::json(figure.ratio()) : nullptr},
                      {"bar", has_bar ? nlohmann::json(figure.bar.most) : nullptr},
                      {"holds", figure.holds()}});
    }
    std::ofstream out(path);
    out << list.dump(1) << '\n';
    out.flush();
    return out.good() ? Status() : Status::io_error("cannot write the results").with_path(path);
  }

  static void print_heading() {
    std::printf("%-58s %12s %12s %8s  %s\n", "", "median us", "floor us", "ratio", "bar");
  }

 private:
  static Status time(const Work& work, size_t round, bool counts, std::vector<double>& out) {
    if (!work.call) return {};
    if (work.before) NPK_RETURN_IF_ERROR(work.before(round));
    const auto start = std::chrono::steady_clock::now();
    NPK_RETURN_IF_ERROR(work.call(round));
    const std::chrono::duration<double, std::micro> taken =
        std::chrono::steady_clock::now() - start;
    if (counts) out.push_back(taken.count() / static_cast<double>(work.repeats));
    return {};
  }

  static double median(std::vector<double> values) {
    const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
    std::nth_element(values.begin(), middle, values.end());
    return *middle;
  }

  static void print(const Figure& figure) {
    char bar[64] = "";
    const char* verdict = figure.holds() ? "holds" : "MISSED";
    if (figure.bar.kind == Bar::Kind::kMicroseconds) {
      std::snprintf(bar, sizeof(bar), "<= %g us  %s", figure.bar.most, verdict);
    } else if (figure.bar.kind == Bar::Kind::kRatioToFloor) {
      std::snprintf(bar, sizeof(bar), "<= %g floors  %s", figure.bar.most, verdict);
    }
    if (figure.floor_us > 0) {
      std::printf("%-58s %12.2f %12.2f %8.2f  %s\n", figure.name.c_str(), figure.value_us,
                  figure.floor_us, figure.ratio(), bar);
    } else {
      std::printf("%-58s %12.2f %12s %8s  %s\n", figure.name.c_str(), figure.value_us, "", "", bar);
    }
    std::fflush(stdout);
  }

  std::string filter_;
  std::vector<Figure> figures_;
};

}  // namespace npk::bench

#endif  // NPK_BENCHES_STORE_MEASURE_H_
