#include "tests/sim/sim_server.h"

#include <algorithm>
#include <sstream>
#include <utility>

#include "base/check.h"
#include "tests/sim/describe.h"
#include "tests/sim/oracle.h"

namespace quorate::sim {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

// A socket's buffer: what a paused process can have waiting for it.
constexpr size_t kInboxMax = 4000;
constexpr Duration kHousekeeping = milliseconds(50);

}  // namespace

SimServer::SimServer(Context& context, Network& network, Connections& connections, Oracle& oracle,
                     ServerId id, std::vector<server::PlannedMember> members)
    : context_(context),
      network_(network),
      connections_(connections),
      oracle_(oracle),
      id_(id),
      name_("server " + std::to_string(id.value())),
      members_(std::move(members)),
      clock_(context.now(), Instant(Duration(context.random.between(Duration(0), std::chrono::hours(100))))),
      disk_(std::make_unique<SimFileSystem>()),
      incarnation_(context.random.next() | 1) {
  make_stores();
}

SimServer::~SimServer() = default;

bool SimServer::is_leader() const {
  return replica_ != nullptr && replica_->raft() != nullptr && replica_->raft()->is_leader();
}

// ---- the process

server::WalIdentity SimServer::identity(ClusterId cluster) const { return {id_, incarnation_, cluster}; }

kv::Limits SimServer::limits() const {
  kv::Limits limits = context_.plan.kv;
  limits.hash_key = uint64_t{id_.value()} << 32 | life_;
  return limits;
}

void SimServer::start() {
  CHECK(!up());
  ++life_;
  state_ = State::kUp;
  if (crash_plan_) disk_->crash_at_step(crash_plan_->first, crash_plan_->second);
  server::ReplicaRecovered recovered;
  if (!recover(recovered)) return;
  server::ReplicaOptions options;
  options.raft = context_.plan.raft;
  options.raft.id = id_;
  options.raft.incarnation = incarnation_;
  options.raft.boot = BootNonce(context_.random.next() | 1);
  options.plan = members_;
  options.kv = limits();
  options.watches.hash_key = options.kv.hash_key;
  options.refuse_mixed_locks = context_.plan.refuse_mixed_locks;
  options.super_digest = kv::digest_id(kSuperProof).value();
  options.checkpoint_dirty_bytes = context_.plan.checkpoint_dirty_bytes;
  options.checkpoint_log_bytes = context_.plan.checkpoint_log_bytes;
  options.log_kept_bytes = context_.plan.log_kept_bytes;
  options.log_held_bytes = context_.plan.log_held_bytes;
  options.dirty_bytes_max = context_.plan.dirty_bytes_max;
  options.store_wait_max = std::chrono::seconds(2);
  options.capture_slice_bytes = context_.plan.capture_slice_bytes;
  options.capture_pause = context_.plan.capture_pause;
  options.snapshot_chunk_bytes = context_.plan.snapshot_chunk_bytes;
  if (const auto& limits = context_.plan.small_limits) {
    // Each server's own.
    options.raft.uncommitted_bytes_max = limits->uncommitted_bytes * id_.value();
    options.pending_bytes_max = limits->pending_bytes;
    options.waiting_reads_bytes_max = limits->waiting_reads_bytes;
    options.reserve_bytes = limits->reserve_bytes;
    options.turn_bytes_max = limits->turn_bytes;
    options.turn_told_bytes_max = limits->turn_told_bytes;
    options.turn_all_told_bytes_max = limits->turn_all_told_bytes;
    options.entry_told_bytes_max = limits->entry_told_bytes;
  }
  context_.say(name_, [&] {
    std::ostringstream out;
    out << "starts as life " << options.raft.boot;
    if (recovered.log) {
      out << " with term " << recovered.log->hard_state.term << ", vote " << recovered.log->hard_state.vote
          << ", " << recovered.log->entries.size() << " entries";
    } else {
      out << " with an empty folder";
    }
    return out.str();
  });
  replica_ = std::make_unique<server::Replica>(options, std::move(recovered), context_.random.next(),
                                               clock_.sample(context_.now()));
  drain();
}

void SimServer::end_process() {
  ++life_;
  replica_.reset();
  wal_.reset();
  state_folder_.reset();
  jobs_.clear();
  job_runs_ = job_waits_ = die_after_job_ = false;
  inbox_.clear();
  paused_until_ = context_.now();
  pause_armed_.reset();
  interrupted_.reset();
  held_.reset();
  drain_scheduled_ = false;
  tick_at_.reset();
  appended_ = syncing_ = 0;
  die_after_sync_ = sync_waits_ = sent_away_ = false;
}

void SimServer::kill(std::string_view why) {
  if (!up()) return;
  context_.say(name_, [&] { return "its process ends: " + std::string(why); });
  end_process();
  state_ = State::kDown;
  disk_->process_restart();
  connections_.server_died(id_, true);
  oracle_.process_ended(*this, true);
}

void SimServer::power_loss() {
  context_.say(name_, [&] { return "loses its power"; });
  end_process();
  state_ = State::kOff;
  disk_->power_loss(context_.random);
  clock_.restart(context_.now(),
                 Instant(Duration(context_.random.between(Duration(0), std::chrono::hours(100)))));
  connections_.server_died(id_, false);
  oracle_.process_ended(*this, false);
}

void SimServer::wipe() {
  CHECK(!up());
  context_.say(name_, [] { return "its folder is wiped"; });
  count_disk();
  disk_ = std::make_unique<SimFileSystem>();
  make_stores();
  incarnation_ = Incarnation(context_.random.next() | 1);
  durable_ = Durable{};
  groups_.clear();
  wiped_ = true;
}

// A folder that was wiped before its cluster was formed is admitted like any other.
bool SimServer::stranger() const {
  if (!wiped_ || replica_ == nullptr || replica_->raft() == nullptr) return wiped_;
  const raft::Member* const self = replica_->raft()->configuration().find(id_);
  return self == nullptr || self->incarnation != incarnation_;
}

void SimServer::crash_at_step(uint64_t n, SimStep kind) {
  crash_plan_ = {n, kind};
  if (up()) disk_->crash_at_step(n, kind);
}

void SimServer::pause(Duration length, PauseAt where) {
  if (!up() || paused()) return;
  context_.say(name_, [&] {
    return "is paused for " + std::to_string(to_ms(length)) + " ms" +
           (where == PauseAt::kNow             ? ""
            : where == PauseAt::kBeforeSending ? " before it sends"
                                               : " behind its clock");
  });
  if (where != PauseAt::kNow) {
    pause_armed_ = {length, where};
    return;
  }
  paused_until_ = context_.now() + length;
  later(paused_until_, [this] { drain(); });
}

void SimServer::resume() {
  die_after_sync_ = die_after_job_ = false;
  pause_armed_.reset();
  if (!up() || !paused()) return;
  paused_until_ = context_.now();
  if (std::exchange(job_waits_, false)) finish_job();
  if (!up()) return;
  if (std::exchange(sync_waits_, false)) finish_sync();
  schedule_drain();
}

// ---- the loop

void SimServer::receive(server::Input input) {
  if (!up()) return;
  if (inbox_.size() > kInboxMax && std::holds_alternative<server::PeerReceived>(input)) return;
  inbox_.push_back(std::move(input));
  schedule_drain();
}

void SimServer::schedule_drain() {
  if (drain_scheduled_ || paused()) return;
  drain_scheduled_ = true;
  // What arrives meanwhile is drained together.
  later(context_.now() + microseconds(context_.random.below(60)), [this] {
    drain_scheduled_ = false;
    drain();
  });
}

void SimServer::schedule_tick() {
  if (!up() || replica_ == nullptr) return;
  const Instant deadline = replica_->deadline();
  if (deadline == kNever) return;
  const SimTime when = clock_.when(deadline, context_.now());
  if (tick_at_ && *tick_at_ == when) return;
  tick_at_ = when;
  later(when, [this, when] {
    if (tick_at_ != when) return;
    tick_at_.reset();
    drain();
  });
}

void SimServer::drain() {
  if (!up() || paused()) return;
  const bool busy = context_.plan.sync_in_place && syncing_ > 0;
  if (busy) return;
  if (held_) {
    server::Output held = std::move(*held_);
    held_.reset();
    handle(std::move(held));
    schedule_drain();
    return;
  }
  if (interrupted_) {
    for (server::Input& input : interrupted_->inputs) step(interrupted_->now, std::move(input));
    interrupted_.reset();
  }
  const Now now = clock_.sample(context_.now());
  std::deque<server::Input> inputs;
  inputs.swap(inbox_);
  if (pause_armed_ && pause_armed_->second == PauseAt::kAfterClock) {
    const Duration length = pause_armed_->first;
    pause_armed_.reset();
    interrupted_ = Interrupted{now, std::move(inputs)};
    pause(length, PauseAt::kNow);
    return;
  }
  for (server::Input& input : inputs) step(now, std::move(input));
  // Last: a session is expired only when all that arrived was seen.
  if (replica_->deadline() <= now.instant) step(now, server::Tick{});
  const uint64_t put_off = replica_->reads_put_off();
  server::Output out = replica_->take_output();
  context_.statistics.reads_put_off += replica_->reads_put_off() - put_off;
  oracle_.after_drain(*this);
  const bool sends_away = store_full_until_ > context_.now() && replica_->status().stuck;
  if (!std::exchange(sent_away_, sends_away) && sends_away) ++context_.statistics.stores_waited_for;
  if (pause_armed_) {
    const Duration length = pause_armed_->first;
    pause_armed_.reset();
    paused_until_ = context_.now() + length;
    held_ = std::move(out);
    later(paused_until_, [this] { drain(); });
    return;
  }
  handle(std::move(out));
}

void SimServer::step(const Now& now, server::Input input) {
  ++context_.statistics.steps;
  if (context_.trace.on()) {
    if (const auto* peer = std::get_if<server::PeerReceived>(&input)) {
      context_.say(name_, [&] {
        return "hears from " + std::to_string(peer->message.from.value()) + ": " +
               describe(peer->message.body);
      });
    } else if (const auto* lost = std::get_if<server::PeerLost>(&input)) {
      context_.say(name_,
                   [&] { return "its connection to " + std::to_string(lost->peer.value()) + " is reset"; });
    }
  }
  oracle_.before_step(*this);
  replica_->step(now, std::move(input));
  oracle_.after_step(*this);
}

void SimServer::handle(server::Output out) {
  for (const server::LogLine& line : out.log) context_.say(name_, [&] { return "log: " + line.text; });
  for (const server::PeerMessage& message : out.peers) {
    if (const auto* raft = std::get_if<raft::Message>(&message.body)) {
      const Verdict wrong = check_leaving(durable_, id_, stranger(), *raft);
      if (wrong) throw Violation(name_ + " " + *wrong + ": " + describe(message.body));
    }
    if (const auto* refused = std::get_if<server::ForwardRefused>(&message.body))
      context_.statistics.forwards_refused += refused->items.size();
    network_.send(message);
  }
  for (server::ClientMessage& message : out.clients) {
    context_.say(name_, [&] {
      return "tells connection " + std::to_string(message.connection.value()) + ": " + describe(message);
    });
    if (const auto* reply = std::get_if<server::ClientReply>(&message.body);
        reply != nullptr && reply->error.code == ErrorCode::kOverloaded)
      ++context_.statistics.told_overloaded;
    connections_.server_send(std::move(message));
  }
  for (ConnectionId connection : out.close) connections_.server_close(connection);
  for (const server::Output::Dropped& dropped : out.drop) {
    ++context_.statistics.connections_dropped;
    context_.say(name_, [&] {
      return "drops connection " + std::to_string(dropped.connection.value()) + ": " + dropped.why;
    });
    connections_.server_close(dropped.connection);
  }
  // A simulated connection always has room.
  for (ConnectionId connection : out.crowded) inbox_.push_back(server::ClientDrained{connection});
  if (!out.crowded.empty()) schedule_drain();
  if (out.create_log) create_log(*out.create_log);
  if (!up()) return;
  ask_store(std::move(out.store));
  if (out.cut && out.cut->index > durable_.state)
    throw Violation(name_ + " cuts its log beyond its durable state");
  if (out.ticket.value() != 0 || out.cut) {
    groups_.push_back(WriteGroup{out.ticket, out.hard_state, std::move(out.entries), out.cut});
    begin_sync();
  } else {
    housekeeping();
  }
  if (!up()) return;
  if (out.stopped) {
    kill("it was told to stop");
    return;
  }
  if (!out.failed.empty()) throw Violation(name_ + " stops: " + out.failed);
  schedule_tick();
}

// ---- the disk

void SimServer::create_log(ClusterId cluster) {
  server::WalOptions options;
  options.segment_bytes = context_.plan.segment_bytes;
  Result<std::unique_ptr<server::Wal>> created =
      server::Wal::create(*disk_, kSimWalDirectory, identity(cluster), options);
  if (!created.ok()) {
    disk_failed(created.error(), "creates its log");
    return;
  }
  wal_ = std::move(*created);
}

void SimServer::begin_sync() {
  if (syncing_ > 0 || groups_.empty()) return;
  if (wal_ == nullptr) throw Violation(name_ + " is to write entries without a log");
  syncing_ = groups_.size();
  Duration length = context_.random.between(context_.plan.sync_min, context_.plan.sync_max);
  if (stalled_until_ > context_.now()) length += stalled_until_ - context_.now();
  later(context_.now() + length, [this] { finish_sync(); });
}

void SimServer::finish_sync() {
  if (paused()) {
    // Nobody hears of it before the pause ends, by itself or by resume().
    sync_waits_ = true;
    later(paused_until_, [this] {
      if (std::exchange(sync_waits_, false)) finish_sync();
    });
    return;
  }
  for (; appended_ < syncing_; ++appended_) {
    WriteGroup& group = groups_[appended_];
    if (group.cut && !group.cut_done) {
      const Status cut = wal_->cut(group.cut->index, group.cut->term);
      if (cut.code() == ErrorCode::kNoSpace) {
        later(context_.now() + kNoSpaceRetry, [this] { finish_sync(); });
        return;
      }
      if (!cut.ok()) {
        disk_failed(cut.error(), "cuts its log");
        return;
      }
      group.cut_done = true;
      ++context_.statistics.log_cuts;
    }
    if (group.ticket.value() == 0) continue;
    const Status status = wal_->append(group.hard_state, group.entries);
    if (!status.ok()) {
      if (!disk_failed(status.error(), "appends to its log"))
        throw Violation(name_ + ": append refused: " + status.error().message);
      return;
    }
  }
  const Status status = wal_->sync();
  if (status.ok()) {
    synced(syncing_);
    return;
  }
  if (status.code() == ErrorCode::kNoSpace) {
    context_.say(name_, [] { return "its disk is full"; });
    later(context_.now() + kNoSpaceRetry, [this] { finish_sync(); });
    return;
  }
  disk_failed(status.error(), "syncs its log");
}

void SimServer::synced(size_t groups) {
  ++context_.statistics.syncs;
  Ticket ticket;
  for (size_t i = 0; i < groups; ++i) {
    if (groups_.front().ticket.value() != 0) ticket = groups_.front().ticket;
    durable_.add(groups_.front());
    groups_.pop_front();
  }
  appended_ = syncing_ = 0;
  if (die_after_sync_) {
    ++context_.statistics.crashes_at_steps;
    die_after_sync_ = false;
    context_.random.chance(0.5) ? power_loss() : kill("it dies between a sync and hearing of it");
    return;
  }
  context_.say(name_, [&] {
    return "is durable: term " + std::to_string(durable_.hard_state.term.value()) + ", vote " +
           std::to_string(durable_.hard_state.vote.value()) + ", " + std::to_string(durable_.terms.size()) +
           " entries behind " + std::to_string(durable_.snapshot.value());
  });
  if (ticket.value() != 0) inbox_.push_front(server::Persisted{ticket});
  begin_sync();
  drain();
}

bool SimServer::disk_failed(const Error& error, std::string_view what) {
  if (disk_->crashed()) {
    crash_plan_.reset();
    ++context_.statistics.crashes_at_steps;
    context_.say(name_, [&] { return "the disk stops while it " + std::string(what); });
    context_.random.chance(0.5) ? power_loss() : kill("at a step of the disk");
    return true;
  }
  const bool injected = error.code == ErrorCode::kIo || error.code == ErrorCode::kNoSpace;
  if (!injected) throw Violation(name_ + " " + std::string(what) + ": " + error.message);
  kill(error.message);
  return true;
}

void SimServer::housekeeping() {
  if (wal_ == nullptr || syncing_ > 0 || context_.now() < next_housekeeping_) return;
  next_housekeeping_ = context_.now() + kHousekeeping;
  if (stalled_until_ > context_.now()) return;
  const Result<bool> done = wal_->idle();
  if (!done.ok() && done.code() != ErrorCode::kNoSpace) disk_failed(done.error(), "prepares a segment");
}

}  // namespace quorate::sim
