#include "bindings/cli/progress.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <condition_variable>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <string_view>

#include "npk/internal/text.h"

namespace npk::cli {
namespace {

using internal::concat;

constexpr std::chrono::milliseconds kDrawAfter{1'000};
constexpr std::chrono::milliseconds kRedrawAfter{100};
constexpr size_t kBarCells = 30;
constexpr size_t kMovingCells = 6;

// Written by a signal handler, which can reach nothing but globals.
std::atomic<int> g_signal{0};
static_assert(std::atomic<int>::is_always_lock_free);
constexpr int kSignals[2] = {SIGINT, SIGTERM};
struct sigaction g_old_actions[2];

void on_signal(int number) { g_signal.store(number, std::memory_order_relaxed); }

void catch_signals() {
  struct sigaction action {};
  action.sa_handler = on_signal;
  action.sa_flags = static_cast<int>(SA_RESETHAND) | SA_RESTART;  // The next one ends the process.
  for (size_t i = 0; i < std::size(kSignals); ++i) {
    ::sigaction(kSignals[i], nullptr, &g_old_actions[i]);
    // What was ignored for us, as with nohup, stays ignored.
    if (g_old_actions[i].sa_handler != SIG_IGN) ::sigaction(kSignals[i], &action, nullptr);
  }
}

void release_signals() {
  for (size_t i = 0; i < std::size(kSignals); ++i) {
    ::sigaction(kSignals[i], &g_old_actions[i], nullptr);
  }
}

std::chrono::milliseconds draw_after() {
  const char* text = std::getenv("NPK_PROGRESS_AFTER_MS");
  if (text == nullptr) return kDrawAfter;
  const std::string_view given = text;
  int64_t milliseconds = kDrawAfter.count();
  std::from_chars(given.data(), given.data() + given.size(), milliseconds);
  return std::chrono::milliseconds(milliseconds);
}

std::string seconds_text(double seconds) {
  std::array<char, 32> text;
  const auto whole = std::lround(std::min(seconds, 359'999.0));
  if (whole < 60) {
    std::snprintf(text.data(), text.size(), "%ld s", whole);
  } else {
    std::snprintf(text.data(), text.size(), "%ld:%02ld min", whole / 60, whole % 60);
  }
  return text.data();
}

/// A piece that goes to and fro, for what does not tell how far it is.
std::string moving_bar(double elapsed_seconds) {
  constexpr size_t kWay = kBarCells - kMovingCells;
  const auto step = static_cast<size_t>(elapsed_seconds * 10) % (2 * kWay);
  std::string bar(kBarCells, ' ');
  bar.replace(step < kWay ? step : 2 * kWay - step, kMovingCells, kMovingCells, '=');
  return bar;
}

}  // namespace

ProgressBar::ProgressBar(const Console& console, std::string label, Unit unit)
    : label_(printable(label)), unit_(unit) {
  if (!console.progress || console.json || !console.is_stderr_terminal()) return;
  drawer_ = std::jthread([this](const std::stop_token& stop) { draw_until(stop); });
}

ProgressBar::~ProgressBar() {
  if (catches_signals_) release_signals();
}

std::function<bool(uint64_t, uint64_t)> ProgressBar::callback() {
  catch_signals();
  catches_signals_ = true;
  return [this](uint64_t done, uint64_t total) {
    done_.store(done, std::memory_order_relaxed);
    total_.store(total, std::memory_order_relaxed);
    return interrupted_by() == 0;
  };
}

void ProgressBar::relabel(std::string label) {
  const std::lock_guard lock(label_mutex_);
  label_ = std::move(label);
}

int ProgressBar::interrupted_by() noexcept { return g_signal.load(std::memory_order_relaxed); }

void ProgressBar::draw_until(const std::stop_token& stop) {
  std::mutex mutex;
  std::condition_variable_any stopped;
  std::unique_lock lock(mutex);
  size_t drawn_width = 0;
  for (auto next = begin_ + draw_after();; next = Clock::now() + kRedrawAfter) {
    stopped.wait_until(lock, stop, next, [] { return false; });
    if (stop.stop_requested()) break;
    std::string text = line(std::chrono::duration<double>(Clock::now() - begin_).count());
    const size_t width = text.size();
    if (width < drawn_width) text.append(drawn_width - width, ' ');
    drawn_width = width;
    std::fprintf(stderr, "\r%s", text.c_str());
    std::fflush(stderr);
  }
  if (drawn_width > 0) std::fprintf(stderr, "\r%s\r", std::string(drawn_width, ' ').c_str());
}

std::string ProgressBar::line(double elapsed_seconds) const {
  const uint64_t done = done_.load(std::memory_order_relaxed);
  const uint64_t total = total_.load(std::memory_order_relaxed);
  const std::lock_guard lock(label_mutex_);
  if (total == 0) {
    return concat(label_, " [", moving_bar(elapsed_seconds), "] ", seconds_text(elapsed_seconds));
  }
  const auto amount = [this](uint64_t count) {
    if (unit_ == Unit::kSeconds) return seconds_text(static_cast<double>(count));
    return unit_ == Unit::kBytes ? human_bytes(count) : counted(count, "row");
  };
  const double share = std::min(1.0, static_cast<double>(done) / static_cast<double>(total));
  const auto cells = static_cast<size_t>(share * static_cast<double>(kBarCells));
  std::string text =
      concat(label_, " [", std::string(cells, '='), std::string(kBarCells - cells, ' '), "] ",
             static_cast<int>(share * 100), " % of ", amount(total));
  if (elapsed_seconds > 0 && done > 0 && unit_ != Unit::kSeconds) {
    const double speed = static_cast<double>(done) / elapsed_seconds;
    text += concat(", ", amount(static_cast<uint64_t>(speed)), "/s");
    if (done < total) {
      text += concat(", ", seconds_text(static_cast<double>(total - done) / speed), " left");
    }
  }
  return text;
}

}  // namespace npk::cli
