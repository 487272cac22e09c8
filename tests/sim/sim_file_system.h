// A disk in memory that does to unsynced data whatever a real one may do at a power loss, and fails on
// demand. The same seed and the same calls give the same bytes.
//
//   SimFileSystem disk;
//   ... run the log over it ...
//   disk.power_loss(random);                 // every open file is dead; open the log again
//
// What it assumes of a disk, and what it does not, is docs/storage-format.md's list: sectors of 512 bytes are
// written whole or not at all; everything else that was not synced may be kept, lost or torn, in any order.
//
// Faults are counted in steps. A step is anything that can change the disk: create, write, sync, rename,
// remove, make_directory, remove_directory, sync_directory; each counts one, also when it fails.
//
// Thread safety: none.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "server/storage/file_system.h"

namespace quorate::sim {

// What kinds of calls a fault or a counter is about.
enum class SimStep : uint8_t {
  kAny,
  kWrite,
  kSync,
  kCreate,
  kRename,
  kRemove,
  kMakeDirectory,
  kRemoveDirectory,
  kSyncDirectory,
};
inline constexpr size_t kSimStepKinds = static_cast<size_t>(SimStep::kSyncDirectory) + 1;

// By kind of step; kAny: all.
using SimStepCounts = std::array<uint64_t, kSimStepKinds>;

struct SimDiskStats {
  SimStepCounts by_kind{};
  SimStepCounts crashes{};   // at such a step
  SimStepCounts failures{};  // planned by fail_step()
  uint64_t steps = 0;
  uint64_t writes = 0;
  uint64_t syncs = 0;
  uint64_t bytes_written = 0;
};

class SimFileSystem final : public server::FileSystem {
 public:
  static constexpr uint64_t kSectorBytes = 512;

  SimFileSystem();
  ~SimFileSystem() override;
  // A disk of its own with the same content, synced and unsynced, and no faults; files that are open stay
  // with the original. For trying many ends of one story.
  std::unique_ptr<SimFileSystem> clone() const;

  Result<std::unique_ptr<server::File>> open(const std::string& path) override;
  Result<std::unique_ptr<server::File>> create(const std::string& path) override;
  Status rename(const std::string& from, const std::string& to) override;
  Status remove(const std::string& path) override;
  Status remove_in_parts(const std::string& path) override;
  Status make_directory(const std::string& path) override;
  Status remove_directory(const std::string& path) override;
  Status sync_directory(const std::string& path) override;
  Result<std::vector<std::string>> list(const std::string& path) override;
  bool exists(const std::string& path) override;
  Result<std::unique_ptr<server::FileLock>> lock(const std::string& path) override;

  // The machine lost its power and is back: of what was not synced, each write and each name is kept or lost,
  // and a write may be torn. Open files and locks are dead, planned faults and the crash are forgotten.
  void power_loss(Random& random);
  // The process died and is back; the machine kept running, so nothing is lost. Open files and locks are
  // dead.
  void process_restart();

  // The n-th step of this kind from now on (1: the next) fails with this code, once. A failing write may have
  // left any part of itself behind; a failing sync has synced nothing and, as real kernels do, forgets that
  // it has to: the bytes are read back, are lost at the next power loss, and a later sync of the file does
  // not help them.
  void fail_step(uint64_t n, SimStep kind, ErrorCode code);
  // The n-th step of this kind from now on and everything after it fails, until power_loss() or
  // process_restart(). Whether that step itself happened is left open where a disk leaves it open (a write is
  // unsynced, a sync did not happen).
  void crash_at_step(uint64_t n, SimStep kind = SimStep::kAny);
  bool crashed() const { return crashed_; }
  // Takes back what fail_step() and crash_at_step() planned and what has not happened yet.
  void forget_plans() {
    crash_plans_.clear();
    faults_.clear();
  }
  // Bytes that all files may have together; writes that would grow beyond fail with kNoSpace. 0: no limit.
  void set_capacity(uint64_t bytes) { capacity_bytes_ = bytes; }
  uint64_t used_bytes() const;
  SimDiskStats stats() const { return stats_; }

  // Damage that no call of the file system would make: goes to the synced content as well. REQUIRES: the byte
  // is there.
  void flip_bit(const std::string& path, uint64_t offset, unsigned bit);
  void overwrite(const std::string& path, uint64_t offset, std::string_view bytes);
  // Takes the file away, synced. For a file that somebody lost.
  void lose_file(const std::string& path);
  // The whole content as a reader would see it. REQUIRES: the file is there.
  std::string content(const std::string& path) const;
  // All files, as path and content: equal disks have equal images.
  std::map<std::string, std::string> image() const;

 private:
  friend class SimFile;
  struct Inode;
  // A name that was set or taken away and is not synced yet. A rename is both at once.
  struct NameChange {
    std::string erased;  // "" for none
    std::string set;     // "" for none
    std::shared_ptr<Inode> inode;
  };
  struct Fault {
    uint64_t remaining;
    SimStep kind;
    ErrorCode code;
  };

  struct Crash {
    uint64_t remaining;
    SimStep kind;
  };

  // Counts a step and says whether it fails. REQUIRES: a kind other than kAny.
  std::optional<Error> begin_step(SimStep kind, const char* operation, const std::string& path);
  void apply(const NameChange& change, std::map<std::string, std::shared_ptr<Inode>>& names);
  void change_name(NameChange change);
  void forget_everything_open();
  Status write(Inode& inode, const std::string& path, uint64_t offset, std::string_view bytes);
  Status sync(Inode& inode, const std::string& path);
  const std::shared_ptr<Inode>& find(const std::string& path) const;
  static std::string parent(const std::string& path);

  std::map<std::string, std::shared_ptr<Inode>> names_;         // as a reader sees them
  std::map<std::string, std::shared_ptr<Inode>> synced_names_;  // as they surely are after a power loss
  std::map<std::string, std::vector<NameChange>> changes_;      // by directory, in order
  std::set<std::string> directories_;                           // directories are durable at once
  std::vector<Fault> faults_;
  std::vector<Crash> crash_plans_;
  bool crashed_ = false;
  uint64_t capacity_bytes_ = 0;
  Random fault_random_{1};  // how much of a failed call happened
  uint64_t boot_ = 0;       // files of an earlier boot are dead
  std::map<std::string, std::weak_ptr<server::FileLock>> locks_;
  SimDiskStats stats_;
};

}  // namespace quorate::sim
