// How fast does this machine read a file's rows from memory, and multiply and add, at this moment?
//
// For programs that measure others (peers.py): a request a line on stdin, a JSON object a line out.
//   read FILE.npy THREADS      the time to sum all bytes of the array, where it is mapped
//   multiply PRODUCTS THREADS  the time of as many float32 multiply-adds in registers
// Answers {"ms": …}, and {"error": …} for what it cannot do.
#include <chrono>
#include <cstdint>
#include <iostream>
#include <string>

#include <nlohmann/json.hpp>

#include "benches/search/probes.h"
#include "npk/npk.h"

namespace npk {
namespace {

double milliseconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start)
      .count();
}

/// Keeps the last file mapped: its pages are found once.
class Probe {
 public:
  nlohmann::json answer(const std::string& what, const std::string& argument, uint32_t threads) {
    if (what == "multiply") {
      const uint64_t products = std::stoull(argument);
      const auto start = std::chrono::steady_clock::now();
      multiply_all(products, threads);
      return {{"ms", milliseconds_since(start)}};
    }
    if (what != "read") return {{"error", "unknown request " + what}};
    if (argument != file_) {
      Result<ArrayView> opened = open_file(argument);
      if (!opened) return {{"error", opened.status().to_string()}};
      rows_ = *std::move(opened);
      file_ = argument;
      read_all(rows_.data(), rows_.size_bytes(), threads);
    }
    const auto start = std::chrono::steady_clock::now();
    read_all(rows_.data(), rows_.size_bytes(), threads);
    return {{"ms", milliseconds_since(start)}};
  }

 private:
  std::string file_;
  ArrayView rows_;
};

}  // namespace
}  // namespace npk

int main() {
  npk::Probe probe;
  std::string what;
  std::string argument;
  uint32_t threads = 0;
  while (std::cin >> what >> argument >> threads) {
    std::cout << probe.answer(what, argument, threads).dump() << std::endl;
  }
  return 0;
}
