// One simulated server: a machine with a disk and clocks, and on it, while it runs, a process with a Replica
// and its log. This is the shell of quorated in virtual time: the same Replica, the same Wal, the same order
// of drain, send, sync, "persisted".
//
// Thread safety: none.
//
// What can happen between any two of its steps: a pause (also between taking an output and sending it, and
// between reading the clock and using it), the death of the process, the loss of the machine's power, at each
// step of the disk too. Jobs of the store of checkpoints take their time beside the loop, one after the
// other.
#pragma once

#include <algorithm>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "server/replica.h"
#include "server/storage/memory_store.h"
#include "server/storage/state_folder.h"
#include "server/storage/wal.h"
#include "tests/sim/clock.h"
#include "tests/sim/connections.h"
#include "tests/sim/context.h"
#include "tests/sim/durable.h"
#include "tests/sim/network.h"
#include "tests/sim/sim_file_system.h"

namespace quorate::sim {

class Oracle;
inline constexpr const char* kSimWalDirectory = "wal";
inline constexpr const char* kSimStateDirectory = "state";
// A server whose disk is full tries again.
inline constexpr Duration kNoSpaceRetry = std::chrono::milliseconds(100);
// User and password of the super user of every simulated cluster.
inline constexpr const char* kSuperProof = "operator:secret";

class SimServer {
 public:
  enum class State : uint8_t { kUp, kDown, kOff };  // running; no process; no power
  enum class PauseAt : uint8_t { kNow, kBeforeSending, kAfterClock };

  SimServer(Context& context, Network& network, Connections& connections, Oracle& oracle, ServerId id,
            std::vector<server::PlannedMember> members);
  ~SimServer();

  ServerId id() const { return id_; }
  const std::string& name() const { return name_; }
  State state() const { return state_; }
  bool up() const { return state_ == State::kUp; }
  bool paused() const { return paused_until_ > context_.now(); }
  bool wiped() const { return wiped_; }
  bool is_leader() const;
  // Null while no process runs.
  const server::Replica* replica() const { return replica_.get(); }
  Clock& clock() { return clock_; }
  SimFileSystem& disk() { return *disk_; }

  // REQUIRES: !up().
  void start();
  void kill(std::string_view why);
  void power_loss();
  void pause(Duration length, PauseAt where);
  void resume();
  // Takes the folder away. REQUIRES: !up().
  void wipe();
  void stall_disk(Duration length) { stalled_until_ = context_.now() + length; }
  void unstall_disk() { stalled_until_ = context_.now(); }
  // The store of checkpoints has no room for so long, though the log has.
  void fill_store(Duration length) { store_full_until_ = context_.now() + length; }
  void empty_store() { store_full_until_ = context_.now(); }
  // The process dies between the end of its next sync and hearing of it.
  void die_after_sync() { die_after_sync_ = true; }
  // The n-th step of this kind that its disk makes, in this life of the process or in later ones, at their
  // starts too, is the last.
  void crash_at_step(uint64_t n, SimStep kind);
  void forget_crash() { crash_plan_.reset(); }
  // Its store's next write fails, and the process with it: what the write was to change is there or not.
  // Where the store is on the disk, that is a step of the disk.
  void fail_store_write();
  // What its disks did, those that were wiped too.
  void count_disk();
  // The last entry that is surely here, in the log or in the state.
  Index durable_last() const { return std::max(durable_.last(), durable_.state); }
  // The process dies between the end of its next job of the store and hearing of it.
  void die_after_job() { die_after_job_ = true; }
  // The monotonic clock's rate changed: what is due has to be worked out again.
  void clock_changed() { schedule_tick(); }

  void receive(server::Input input);

 private:
  // After this life of the process (or this pause) is over, what was scheduled for it does nothing.
  template <class Action>
  void later(SimTime when, Action action) {
    context_.scheduler.at(when, [this, life = life_, action] {
      if (life == life_ && up()) action();
    });
  }
  void schedule_drain();
  void schedule_tick();
  void drain();
  void step(const Now& now, server::Input input);
  void handle(server::Output out);
  void create_log(ClusterId cluster);
  void begin_sync();
  void finish_sync();
  void synced(size_t groups);
  // True when the error ended the process.
  bool disk_failed(const Error& error, std::string_view what);
  void housekeeping();
  bool recover(server::ReplicaRecovered& recovered);
  bool recover_log(server::ReplicaRecovered& recovered);
  bool recover_state(server::ReplicaRecovered& recovered);
  bool fit_log_to_state(raft::Recovered& log, const server::StateName& state);
  void make_stores();
  void ask_store(std::vector<server::StoreJob> jobs);
  void begin_job();
  void finish_job();
  void job_done(const server::StoreJob& job, const server::StoreDone& done);
  server::WalIdentity identity(ClusterId cluster) const;
  // The plan's, with a hash key for each server and life of it: nothing that is compared depends on it.
  kv::Limits limits() const;
  void end_process();
  bool stranger() const;

  Context& context_;
  Network& network_;
  Connections& connections_;
  Oracle& oracle_;
  const ServerId id_;
  const std::string name_;
  const std::vector<server::PlannedMember> members_;

  // The machine.
  Clock clock_;
  std::unique_ptr<SimFileSystem> disk_;
  std::unique_ptr<server::StateStores> stores_;  // on the disk, or in memory that survives like one
  std::optional<std::pair<uint64_t, SimStep>> crash_plan_;
  server::MemoryStores* memory_stores_ = nullptr;  // the same, if in memory
  Incarnation incarnation_;
  bool wiped_ = false;
  SimTime stalled_until_{0}, store_full_until_{0};
  Durable durable_;

  // The process.
  State state_ = State::kDown;
  uint64_t life_ = 0;
  std::unique_ptr<server::Wal> wal_;
  std::unique_ptr<server::Replica> replica_;
  std::deque<server::Input> inbox_;
  SimTime paused_until_{0};
  std::optional<std::pair<Duration, PauseAt>> pause_armed_;
  // Inputs that were there when the clock was looked at; then came a pause. The clock is never older than an
  // input: the driver looks at it when it has read one.
  struct Interrupted {
    Now now;
    std::deque<server::Input> inputs;
  };
  std::optional<Interrupted> interrupted_;
  std::optional<server::Output> held_;  // taken before a pause, to be sent after it
  bool drain_scheduled_ = false;
  std::optional<SimTime> tick_at_;
  bool sent_away_ = false;         // it applies nothing, and sends its clients elsewhere
  std::deque<WriteGroup> groups_;  // to be written, in order
  size_t appended_ = 0;            // of groups_: handed to the log already
  size_t syncing_ = 0;             // of groups_: covered by the sync that runs
  bool die_after_sync_ = false;
  std::unique_ptr<server::StateFolder> state_folder_;
  std::deque<server::StoreJob> jobs_;
  bool job_runs_ = false;
  bool job_waits_ = false;  // for the end of a pause
  bool die_after_job_ = false;
  bool sync_waits_ = false;  // it is done, and the process is paused
  SimTime next_housekeeping_{0};
};

}  // namespace quorate::sim
