// ProgressBar: that a long call is at work, how far it is where it says so, and the way to stop it.
//
// The bar is drawn on stderr once the call has taken a second (NPK_PROGRESS_AFTER_MS), and wiped
// away at the end. It is not drawn into a pipe, with --no-progress or with --json.
// From callback() on, SIGINT and SIGTERM make the callback return false, so that the call undoes
// what it began; a second signal ends the process at once. Without, signals do what they always do.
//
// Thread safety: one bar at a time; the callback may come from any thread. A thread of the bar's
// own draws.
#ifndef NPK_BINDINGS_CLI_PROGRESS_H_
#define NPK_BINDINGS_CLI_PROGRESS_H_

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

#include "bindings/cli/console.h"

namespace npk::cli {

class ProgressBar {
 public:
  /// What the callback counts.
  enum class Unit : uint8_t { kBytes, kRows, kSeconds };
  ProgressBar(const Console& console, std::string label, Unit unit = Unit::kBytes);
  ~ProgressBar();
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;

  /// For npk calls that tell how far they are. Valid as long as this bar.
  [[nodiscard]] std::function<bool(uint64_t, uint64_t)> callback();

  /// Puts another text before the bar.
  void relabel(std::string label);

  /// The signal that stopped a bar of this process; 0 if none did.
  static int interrupted_by() noexcept;

 private:
  using Clock = std::chrono::steady_clock;
  void draw_until(const std::stop_token& stop);
  [[nodiscard]] std::string line(double elapsed_seconds) const;

  mutable std::mutex label_mutex_;
  std::string label_;
  Unit unit_;
  Clock::time_point begin_ = Clock::now();
  bool catches_signals_ = false;
  std::atomic<uint64_t> done_{0};
  std::atomic<uint64_t> total_{0};  // 0: not known.
  std::jthread drawer_;             // Last: it uses the others.
};

}  // namespace npk::cli

#endif  // NPK_BINDINGS_CLI_PROGRESS_H_
