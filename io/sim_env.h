// A file system in memory for tests, which can lose power, fail calls, and kill its processes.
//
// SimDisk is the machine: tree, page cache, locks, clock, boot id. SimEnv is one process on it: an
// Env with its open files and mappings. Two SimEnvs on one disk are two processes.
//
//   auto disk = SimDisk::make(seed);
//   SimEnv env(disk);
//   env.arm({.at_call = 7, .calls = kChangingCalls});      // dies instead of its 8th change
//   run(env);                                              // ends with is_simulated_stop(status)
//   SimEnv next(disk->after_kill());                       // as the next process finds it
//   for (const PowerCut& cut : disk->power_cuts(10, random)) SimEnv
//   next(disk->after_power_cut(cut));
//
// A dead process gets a "simulated stop" from every call, and its stores go nowhere, so that the
// code under test unwinds; the disk is as it was at that moment. What a power cut may lose is said
// in sim_tree.h. Every call is deterministic: same seed, same calls, same bytes.
//
// Not for production: a store outside a mapping or past the end of a file, a SIGBUS on the real
// one, ends the program with a message.
//
// Thread safety: a SimDisk, a SimEnv and its files may be used from any threads at once; copies of
// a disk share nothing that one can see.
#ifndef NPK_IO_SIM_ENV_H_
#define NPK_IO_SIM_ENV_H_

#include <functional>
#include <mutex>

#include "io/env.h"
#include "io/sim_crash.h"
#include "io/sim_random.h"
#include "io/sim_tree.h"

namespace npk::io {

/// Kinds of calls, for counting and for faults. A set of them is their bitwise or.
enum class SimCalls : uint32_t {
  kNone = 0,
  kOpen = 1U << 0,    ///< Of what must exist.
  kCreate = 1U << 1,  ///< Open in a mode that may create or empty.
  kInfo = 1U << 2,    ///< info, unsafe_filesystem
  kList = 1U << 3,
  kMakeDirectory = 1U << 4,
  kRename = 1U << 5,
  kRemove = 1U << 6,
  kSyncDirectory = 1U << 7,
  kSyncFilesystem = 1U << 8,
  kRead = 1U << 9,
  kWrite = 1U << 10,
  kAllocate = 1U << 11,
  kCopy = 1U << 12,
  kSync = 1U << 13,
  kSize = 1U << 14,
  kMap = 1U << 15,
  kStore = 1U << 16,  ///< Into a shared mapping.
  kLock = 1U << 17,
  kUnlock = 1U << 18,
  kAny = (1U << 19) - 1,
};
constexpr SimCalls operator|(SimCalls a, SimCalls b) {
  return static_cast<SimCalls>(static_cast<uint32_t>(a) | static_cast<uint32_t>(b));
}
constexpr bool intersect(SimCalls a, SimCalls b) {
  return (static_cast<uint32_t>(a) & static_cast<uint32_t>(b)) != 0;
}
/// "write", "sync directory"; of a set, the first.
std::string_view sim_call_name(SimCalls call) noexcept;

inline constexpr SimCalls kSyncCalls =
    SimCalls::kSync | SimCalls::kSyncDirectory | SimCalls::kSyncFilesystem;
/// Calls after which the disk is another: to stop before any other call is to stop before the next
/// of these.
inline constexpr SimCalls kChangingCalls =
    SimCalls::kCreate | SimCalls::kMakeDirectory | SimCalls::kRename | SimCalls::kRemove |
    SimCalls::kWrite | SimCalls::kAllocate | SimCalls::kCopy | SimCalls::kStore | kSyncCalls;

/// What is to go wrong, at which call.
struct SimFault {
  static constexpr uint64_t kForEver = UINT64_MAX;
  /// What the call does before it fails.
  enum class Effect : uint8_t {
    kNothing,  ///< A failed sync then loses what it should have saved, as on Linux.
    kPart,     ///< Some bytes are written or stored, some are synced. As kNothing for other calls.
    kWhole,
  };

  uint64_t at_call = 0;  ///< Among `calls`, from 0, counted from the moment it is armed.
  SimCalls calls = SimCalls::kAny;
  int error_number = 0;  ///< 0: the process dies.
  Effect effect = Effect::kNothing;
  uint64_t repeat = 1;  ///< How many of `calls` in a row fail.
  uint64_t seed = 0;    ///< Of kPart.
};

/// True for the error of all calls of a dead process.
bool is_simulated_stop(const Status& status);

class SimDisk {
 public:
  static std::shared_ptr<SimDisk> make(uint64_t seed = 1);
  SimDisk(const SimDisk&) = delete;
  SimDisk& operator=(const SimDisk&) = delete;

  /// The same disk after all its processes died: the page cache is whole, and what was not synced
  /// can still be lost.
  [[nodiscard]] std::shared_ptr<SimDisk> after_kill() const;
  /// Another boot: what is left is durable.
  [[nodiscard]] std::shared_ptr<SimDisk> after_power_cut(const PowerCut& cut) const;
  [[nodiscard]] std::shared_ptr<SimDisk> after_power_cut(CrashPolicy policy,
                                                         std::mt19937_64& random) const;
  /// Every policy with every variant, and so many random subsets.
  [[nodiscard]] std::vector<PowerCut> power_cuts(uint64_t random_subsets,
                                                 std::mt19937_64& random) const;
  /// A line for each change that a power cut could lose, and, given a cut, what it does to it.
  [[nodiscard]] std::vector<std::string> describe_unsynced() const;
  [[nodiscard]] std::vector<std::string> describe(const PowerCut& cut) const;

  /// Equal for disks that look the same to every process: names, bytes and boot. What a later power
  /// cut may lose is no part of it.
  [[nodiscard]] uint64_t content_hash() const;

  /// As the kernel does after some seconds: all is durable.
  void write_back();
  /// What unsafe_filesystem says.
  void set_filesystem_name(std::string name);

 private:
  friend class SimEnv;
  friend class SimFile;
  friend class SimMapping;
  friend class SimProcess;
  SimDisk(SimTree tree, uint64_t seed, uint64_t boot_count, int64_t clock_us);

  mutable std::mutex mutex_;
  SimTree tree_;
  uint64_t seed_;
  uint64_t boot_count_;
  int64_t clock_us_;
  SimChance random_;
  uint64_t device_;
  std::string filesystem_name_;
};

class SimProcess;

class SimEnv final : public Env {
 public:
  explicit SimEnv(std::shared_ptr<SimDisk> disk = SimDisk::make());
  /// Open files and mappings stay usable; they keep what they need.
  ~SimEnv() override;
  SimEnv(const SimEnv&) = delete;
  SimEnv& operator=(const SimEnv&) = delete;

  [[nodiscard]] const std::shared_ptr<SimDisk>& disk() const { return disk_; }

  /// The process dies now: locks are released, every further call is a simulated stop.
  void kill();
  [[nodiscard]] bool is_dead() const;
  /// Faults add up; each counts for itself.
  void arm(const SimFault& fault);
  void disarm();
  /// Runs before each call, without any lock: may use other processes of the disk, not this one.
  void set_hook(std::function<void(SimCalls call, const std::string& path)> hook);
  /// Calls since the start.
  [[nodiscard]] uint64_t call_count(SimCalls calls = SimCalls::kAny) const;

  [[nodiscard]] uint64_t open_file_count() const;
  [[nodiscard]] uint64_t mapping_count() const;
  [[nodiscard]] uint64_t held_lock_count() const;

  Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode) override;
  Result<PathInfo> info(const std::string& path) override;
  Result<std::vector<std::string>> list(const std::string& directory) override;
  Status make_directory(const std::string& path) override;
  Status rename(const std::string& from, const std::string& to) override;
  Status remove(const std::string& path) override;
  Status sync_directory(const std::string& path) override;
  Status sync_filesystem(const std::string& directory) override;
  Result<std::string> unsafe_filesystem(const std::string& directory) override;
  uint64_t boot_id() override;
  int64_t now_us() override;
  void sleep_us(uint64_t microseconds) override;
  void random_bytes(std::span<std::byte> out) override;

 private:
  std::shared_ptr<SimDisk> disk_;
  std::shared_ptr<SimProcess> process_;
};

}  // namespace npk::io

#endif  // NPK_IO_SIM_ENV_H_
