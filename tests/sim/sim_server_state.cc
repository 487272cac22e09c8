// What a simulated server does with its disk at its start, and with the store of checkpoints beside its loop:
// as server/shell's start and store thread do.
#include <algorithm>
#include <utility>

#include "base/check.h"
#include "server/storage/leveldb_store.h"
#include "tests/sim/oracle.h"
#include "tests/sim/sim_server.h"

namespace quorate::sim {
void SimServer::make_stores() {
  auto in_memory = std::make_unique<server::MemoryStores>();
  memory_stores_ = in_memory.get();
  stores_ = std::move(in_memory);
  // Small, so that a short story has flushes and compactions in it.
  const server::LevelDbOptions small{64 << 10, 64 << 10, true};
  if (context_.plan.leveldb) {
    stores_ = std::make_unique<server::LevelDbStores>(*disk_, small);
    memory_stores_ = nullptr;
  }
}

void SimServer::fail_store_write() {
  if (memory_stores_ == nullptr) {
    disk_->crash_at_step(1 + context_.random.below(12));
    return;
  }
  ++context_.statistics.store_write_faults;
  memory_stores_->fail_write(1, {ErrorCode::kIo, "the store's write was planned to fail"},
                             context_.random.chance(0.5));
}

void SimServer::count_disk() {
  const SimDiskStats& stats = disk_->stats();
  for (size_t kind = 0; kind < kSimStepKinds; ++kind) {
    context_.statistics.disk_steps[kind] += stats.by_kind[kind];
    context_.statistics.disk_crashes[kind] += stats.crashes[kind];
    context_.statistics.disk_failures[kind] += stats.failures[kind];
  }
}

// ---- the start

bool SimServer::recover(server::ReplicaRecovered& recovered) {
  return recover_log(recovered) && recover_state(recovered);
}

bool SimServer::recover_log(server::ReplicaRecovered& recovered) {
  if (!server::Wal::exists(*disk_, kSimWalDirectory)) {
    if (durable_.last() > Index()) throw Violation(name_ + ": the log on disk is gone");
    groups_.clear();
    return true;
  }
  const Result<server::WalIdentity> known = server::Wal::identity(*disk_, kSimWalDirectory);
  if (!known.ok()) return !disk_failed(known.error(), "reads who it is");
  server::WalOptions options;
  options.segment_bytes = context_.plan.segment_bytes;
  Result<server::Wal::Opened> opened =
      server::Wal::open(*disk_, kSimWalDirectory, identity(known->cluster), options);
  if (!opened.ok()) return !disk_failed(opened.error(), "opens its log");
  const Verdict wrong = check_recovered(durable_, {groups_.begin(), groups_.end()}, opened->recovered);
  if (wrong) throw Violation(name_ + " after its restart " + *wrong);
  server::WalRecovered& found = opened->recovered;
  durable_.hard_state = found.hard_state;
  durable_.snapshot = found.snapshot_index;
  durable_.snapshot_term = found.snapshot_term;
  durable_.terms.clear();
  for (const raft::Entry& entry : found.entries) durable_.terms.push_back(entry.term);
  groups_.clear();
  // Made, but the founding entry never became durable: there is no cluster yet.
  if (found.entries.empty() && found.snapshot_index == Index()) return true;
  wal_ = std::move(opened->wal);
  recovered.log = raft::Recovered{found.hard_state, found.snapshot_index, found.snapshot_term, std::nullopt,
                                  std::move(found.entries)};
  return true;
}

bool SimServer::recover_state(server::ReplicaRecovered& recovered) {
  auto opened = server::StateFolder::open(*disk_, *stores_, kSimStateDirectory, limits());
  if (!opened.ok()) return !disk_failed(opened.error(), "opens its state");
  state_folder_ = std::move(opened->folder);
  const Index found = opened->state ? opened->state->name.index : Index();
  if (found < durable_.state) {
    throw Violation(name_ + " after its restart has the state of index " + std::to_string(found.value()) +
                    ", and that of " + std::to_string(durable_.state.value()) + " was durable");
  }
  durable_.state = found;
  if (opened->state) {
    ++context_.statistics.state_loads;
    oracle_.state_loaded(*this, opened->state->name, *opened->state->state);
  }
  if (recovered.log) {
    raft::Recovered& log = *recovered.log;
    if (!fit_log_to_state(log, opened->state ? opened->state->name : server::StateName{})) return false;
    if (opened->state) {
      log.snapshot_configuration =
          raft::decode_configuration(opened->state->name.configuration.view()).value();
    }
  }
  recovered.state = std::move(opened->state);
  return true;
}

// Brings log and state together. A log that does not hold the state's last entry was not cut yet when the
// process ended; a state that ends before the log begins is a hole.
bool SimServer::fit_log_to_state(raft::Recovered& log, const server::StateName& state) {
  const uint64_t begin = log.snapshot_index.value(), at = state.index.value();
  if (at < begin) {
    throw Violation(name_ + ": its state ends with entry " + std::to_string(at) +
                    ", and its log begins behind " + std::to_string(begin));
  }
  if (at == begin) {
    if (at != 0 && log.snapshot_term != state.term)
      throw Violation(name_ + ": its log and its state disagree about entry " + std::to_string(at));
    return true;
  }
  if (at <= begin + log.entries.size() && log.entries[at - begin - 1].term == state.term) return true;
  const Status cut = wal_->cut(state.index, state.term);
  if (!cut.ok()) return !disk_failed(cut.error(), "cuts its log behind its state");
  durable_.cut(state.index, state.term);
  log.snapshot_index = state.index;
  log.snapshot_term = state.term;
  log.entries.clear();
  return true;
}

// ---- jobs

void SimServer::ask_store(std::vector<server::StoreJob> jobs) {
  for (server::StoreJob& job : jobs) {
    const auto* checkpoint = std::get_if<server::WriteCheckpoint>(&job.body);
    if (checkpoint != nullptr && checkpoint->name.index > std::max(durable_.last(), durable_.state))
      throw Violation(name_ + " makes a checkpoint of what is not durable yet");
    jobs_.push_back(std::move(job));
  }
  begin_job();
}

void SimServer::begin_job() {
  if (job_runs_ || jobs_.empty()) return;
  job_runs_ = true;
  Duration length = context_.random.between(context_.plan.sync_min, context_.plan.job_max);
  if (stalled_until_ > context_.now()) length += stalled_until_ - context_.now();
  later(context_.now() + length, [this] { finish_job(); });
}

void SimServer::finish_job() {
  if (paused()) {
    job_waits_ = true;
    later(paused_until_, [this] {
      if (std::exchange(job_waits_, false)) finish_job();
    });
    return;
  }
  if (store_full_until_ > context_.now()) {
    later(context_.now() + kNoSpaceRetry, [this] { finish_job(); });
    return;
  }
  Result<server::StoreDone> done = state_folder_->run(jobs_.front());
  if (done.code() == ErrorCode::kNoSpace) {
    later(context_.now() + kNoSpaceRetry, [this] { finish_job(); });
    return;
  }
  if (!done.ok()) {
    disk_failed(done.error(), "keeps its state");
    return;
  }
  job_done(jobs_.front(), *done);
  if (die_after_job_) {
    ++context_.statistics.crashes_at_steps;
    die_after_job_ = false;
    context_.random.chance(0.5) ? power_loss() : kill("it dies between a checkpoint's job and hearing of it");
    return;
  }
  jobs_.pop_front();
  job_runs_ = false;
  inbox_.push_back(std::move(*done));
  schedule_drain();
  begin_job();
}

void SimServer::job_done(const server::StoreJob& job, const server::StoreDone& done) {
  // Nothing in the simulator damages what was synced or is on its way.
  if (done.error.code == ErrorCode::kCorruption)
    throw Violation(name_ + " keeps no state: " + done.error.message);
  if (done.error.code != ErrorCode::kOk) {
    context_.say(name_, [&] { return "its store says: " + done.error.message; });
    return;
  }
  if (const auto* checkpoint = std::get_if<server::WriteCheckpoint>(&job.body)) {
    ++context_.statistics.checkpoints;
    durable_.state = checkpoint->name.index;
    context_.say(name_, [&] {
      return "has a durable checkpoint of index " + std::to_string(durable_.state.value()) + ", " +
             std::to_string(checkpoint->records.size()) + " records";
    });
  } else if (const auto* received = std::get_if<server::ReceivedState>(&done.result)) {
    ++context_.statistics.snapshots_installed;
    durable_.state = received->name.index;
    oracle_.state_loaded(*this, received->name, *received->state);
    context_.say(name_,
                 [&] { return "has received the state of index " + std::to_string(durable_.state.value()); });
  } else if (std::holds_alternative<server::SnapshotPart>(done.result)) {
    ++context_.statistics.snapshot_parts;
  }
}

}  // namespace quorate::sim
