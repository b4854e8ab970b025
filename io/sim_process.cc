#include "io/sim_process.h"

#include <bit>

#include "io/errno_status.h"

namespace npk::io {
namespace {

constexpr std::string_view kStopMessage = "simulated stop: the process is dead";

constexpr std::string_view kCallNames[kSimCallKinds] = {
    "open",   "create",         "info",
    "list",   "make directory", "rename",
    "remove", "sync directory", "sync filesystem",
    "read",   "write",          "allocate",
    "copy",   "sync",           "size",
    "map",    "store",          "lock",
    "unlock"};

size_t kind_of(SimCalls call) {
  return static_cast<size_t>(std::countr_zero(static_cast<uint32_t>(call)));
}

}  // namespace

std::string_view sim_call_name(SimCalls call) noexcept {
  return kind_of(call) < kSimCallKinds ? kCallNames[kind_of(call)] : "none";
}

bool is_simulated_stop(const Status& status) {
  return status.message().find(kStopMessage) != std::string::npos;
}

void SimProcess::die() {
  is_dead = true;
  for (const OpenFile& open : open_files) open.node->content.unlock_all(open.file);
}

const SimFault* SimProcess::strike(SimCalls call) {
  ++call_counts[kind_of(call)];
  const SimFault* striking = nullptr;
  for (ArmedFault& armed : faults) {
    if (!intersect(armed.fault.calls, call)) continue;
    const uint64_t turn = armed.seen++;
    if (turn < armed.fault.at_call || turn - armed.fault.at_call >= armed.fault.repeat) continue;
    if (striking == nullptr || armed.fault.error_number == 0) striking = &armed.fault;
  }
  return striking;
}

SimGate::SimGate(SimProcess& process, SimCalls call, std::string_view action,
                 const std::string& path)
    : action_(action), path_(path), lock_(process.mutex()) {
  if (const auto hook = process.hook; hook != nullptr && !process.is_dead) {
    lock_.unlock();
    (*hook)(call, path);
    lock_.lock();
  }
  if (process.is_dead) {
    is_stopped_ = true;
    effect_ = SimFault::Effect::kNothing;
    return;
  }
  const SimFault* fault = process.strike(call);
  if (fault == nullptr) return;
  effect_ = fault->effect;
  error_number_ = fault->error_number;
  chance_ = fault->seed;
  if (error_number_ == 0) {
    is_stopped_ = true;
    process.die();
  }
}

Status SimGate::status() const {
  if (is_stopped_) return Status::io_error(std::string(kStopMessage)).with_path(path_);
  return error_number_ == 0 ? Status::ok() : errno_status(error_number_, action_, path_);
}

Status SimGate::end(int error_number) const {
  if (error_number != 0 && !is_stopped_) return errno_status(error_number, action_, path_);
  return status();
}

}  // namespace npk::io
