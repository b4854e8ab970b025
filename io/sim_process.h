// A simulated process, shared by its SimEnv, open files and mappings; and the gate through which
// each of their calls goes: it takes the disk's lock, counts, and lets armed faults strike.
//
// Thread safety: the members of SimProcess are guarded by its disk's lock, which a SimGate holds.
#ifndef NPK_IO_SIM_PROCESS_H_
#define NPK_IO_SIM_PROCESS_H_

#include <array>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "io/sim_env.h"

namespace npk::io {

inline constexpr size_t kSimCallKinds = 19;

class SimProcess {
 public:
  using Hook = std::function<void(SimCalls call, const std::string& path)>;
  struct ArmedFault {
    SimFault fault;
    uint64_t seen = 0;
  };
  struct OpenFile {
    const void* file;
    std::shared_ptr<SimNode> node;
  };

  explicit SimProcess(std::shared_ptr<SimDisk> disk) : disk_(std::move(disk)) {}

  [[nodiscard]] SimDisk& disk() const { return *disk_; }
  [[nodiscard]] std::mutex& mutex() const { return disk_->mutex_; }
  [[nodiscard]] SimTree& tree() const { return disk_->tree_; }
  void die();
  /// Counts a call; returns the fault that strikes it, or null.
  const SimFault* strike(SimCalls call);

  bool is_dead = false;
  std::array<uint64_t, kSimCallKinds> call_counts{};
  std::vector<ArmedFault> faults;
  std::shared_ptr<const Hook> hook;
  std::vector<OpenFile> open_files;
  uint64_t mapping_count = 0;

 private:
  std::shared_ptr<SimDisk> disk_;
};

/// One call. Use: `if (gate.is_refused()) return gate.status();`, the work, `return
/// gate.end(errno)`.
class SimGate {
 public:
  SimGate(SimProcess& process, SimCalls call, std::string_view action, const std::string& path);

  /// The call fails without doing all of its work.
  [[nodiscard]] bool is_refused() const { return effect_ != SimFault::Effect::kWhole; }
  /// It is to do a part of its work; chance() says which.
  [[nodiscard]] bool is_partial() const { return effect_ == SimFault::Effect::kPart; }
  /// It fails, but its process lives on.
  [[nodiscard]] bool is_error() const { return error_number_ != 0; }
  [[nodiscard]] uint64_t chance() const { return chance_; }
  /// The injected error; OK if there is none.
  [[nodiscard]] Status status() const;
  /// The status of a call whose work ended with this errno.
  [[nodiscard]] Status end(int error_number = 0) const;

 private:
  std::string_view action_;
  const std::string& path_;
  std::unique_lock<std::mutex> lock_;
  bool is_stopped_ = false;
  int error_number_ = 0;
  SimFault::Effect effect_ = SimFault::Effect::kWhole;
  uint64_t chance_ = 0;
};

}  // namespace npk::io

#endif  // NPK_IO_SIM_PROCESS_H_
