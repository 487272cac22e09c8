#include "server/replica.h"

#include <algorithm>
#include <string>
#include <utility>

#include "base/check.h"
#include "base/checksum.h"
#include "server/replica_impl.h"

namespace quorate::server {

QUORATE_ONE_OF_MEMBERS(Input)

namespace {

template <class... Cases>
struct Overloaded : Cases... {
  using Cases::operator()...;
};
template <class... Cases>
Overloaded(Cases...) -> Overloaded<Cases...>;

}  // namespace

Replica::Impl::Impl(const ReplicaOptions& o, ReplicaRecovered recovered, uint64_t seed, const Now& at)
    : options(o),
      random(seed),
      now(at),
      state(o.kv),
      watches(o.watches),
      checkpoints({o.checkpoint_dirty_bytes, o.dirty_bytes_max, o.checkpoint_log_bytes, o.capture_slice_bytes,
                   o.capture_pause},
                  jobs),
      sender(jobs, checksum64("snapshots", seed), o.snapshot_chunk_bytes),
      receiver({o.raft.id, o.raft.boot, o.resend_interval}, jobs),
      backups(jobs, checksum64("backups", seed), o.snapshot_chunk_bytes),
      agreement(o.raft.id),
      zookeeper_watch_seed(checksum64("zookeeper watches", seed)) {
  recover(std::move(recovered));
}

void Replica::Impl::step(Input input) {
  std::visit(Overloaded{[&](Tick&) { tick(); }, [&](PeerReceived& in) { receive(std::move(in.message)); },
                        [&](PeerLost& in) {
                          if (raft) raft->peer_unreachable(now.instant, in.peer);
                        },
                        [&](Persisted& in) { persisted(in.ticket); },
                        [&](ClientReceived& in) { request(std::move(in.request)); },
                        [&](ZookeeperReceived& in) { zookeeper_request(std::move(in.request)); },
                        [&](ClientLost& in) { client_lost(in.connection); },
                        [&](ClientDrained& in) { drained.push_back(in.connection); },
                        [&](AddressHeard& in) { address_heard(in.server, std::move(in.client_address)); },
                        [&](DiskRoom& in) { disk_full = in.full; },
                        [&](StoreDone& in) { store_done(std::move(in)); },
                        [&](Stop&) {
                          stopping = true;
                          if (leads()) (void)raft->transfer_leadership(now.instant, ServerId());
                        }},
             input);
  if (raft) settle_role();
}

void Replica::Impl::tick() {
  if (formation) {
    if (auto entry = formation->tick(now.instant)) found(std::move(*entry));
  }
  if (raft) raft->tick(now.instant);
  sender.tick(now.instant);
  backups.tick(now.instant);
  if (raft && now.instant >= next_scrub) scrub();
  if (now.instant >= next_upkeep) upkeep();
}

void Replica::Impl::upkeep() {
  next_upkeep = kNever;
  const Instant given_up = now.instant - options.unanswered_max;
  for (const WaitingRead& read : barriers.take_older(given_up)) {
    refuse(read.asker, ErrorCode::kNoQuorum, "no leader could be confirmed: see quorate cluster status");
  }
  for (const Asker& asker : writes.take_openings_before(given_up)) {
    const auto at = connections.find(asker.connection);
    if (at != connections.end()) at->second.opening = false;
    refuse(asker, ErrorCode::kNoQuorum, "no leader could be confirmed: see quorate cluster status");
  }
  // A leader's own proposals cannot be lost on the way.
  if (!leads()) {
    writes.send_again_older(now.instant - options.resend_interval, now.instant);
    barriers.collect_again(now.instant - options.resend_interval);
  }
  for (const auto& [session, number] : std::exchange(held_back_writes, {}))
    writes.send_again(session, number);
  drop_unread();
  zookeeper_upkeep();
}

void Replica::Impl::receive(PeerMessage message) {
  if (formation) {
    if (auto entry = formation->receive(now.instant, message)) found(std::move(*entry));
    return;
  }
  if (!raft) return;  // the founding entry is being written
  std::visit(Overloaded{[&](raft::Message& body) { raft->receive(now.instant, std::move(body)); },
                        [&](Probe&) { answer_probe(message.from); }, [&](ProbeReply&) {}, [&](Founding&) {},
                        [&](Forward& body) { take_forward(message, body); },
                        [&](ForwardRefused& body) { take_refusal(body); },
                        [&](Barrier& body) { take_barrier(message, body); },
                        [&](BarrierReply& body) {
                          if (body.asker == options.raft.boot) {
                            barriers.confirm(body.counter, body.term, body.index, body.gone);
                          }
                        },
                        [&](SnapshotFetch& body) { take_fetch(message, body); },
                        [&](SnapshotChunk& body) { take_chunk(message, body); },
                        [&](StateHash& body) { take_hash(message, body); }},
             message.body);
}

void Replica::Impl::found(raft::Entry entry) {
  auto configuration = read_founding(entry);
  CHECK(configuration.ok());
  formation.reset();
  output.create_log = configuration->cluster_id;
  output.hard_state = raft::HardState{kFoundingTerm, ServerId()};
  output.entries = {entry};
  output.ticket = Ticket(1);
  founding = std::move(entry);
  const size_t members = configuration->members.size();
  log(LogLevel::kInfo, members == 1 ? "forming a cluster of this one server"
                                    : "forming a cluster of " + std::to_string(members) + " servers");
}

void Replica::Impl::persisted(Ticket ticket) {
  if (raft) {
    raft->persisted(now.instant, ticket);
    return;
  }
  if (!founding) return;
  raft::Recovered recovered;
  recovered.hard_state = {kFoundingTerm, ServerId()};
  recovered.entries = {std::move(*founding)};
  founding.reset();
  start_raft(std::move(recovered));
}

void Replica::Impl::send_peer(ServerId to, PeerBody body) {
  output.peers.push_back({options.raft.id, to, options.raft.boot, std::move(body)});
}

Output Replica::Impl::take_output() {
  if (formation) {
    for (PeerMessage& message : formation->take_messages()) output.peers.push_back(std::move(message));
    if (std::string note = formation->take_note(); !note.empty()) log(LogLevel::kInfo, std::move(note));
    for (std::string& refusal : formation->take_refusals()) log(LogLevel::kWarning, std::move(refusal));
  }
  if (raft) {
    note_store();
    // What Raft reports may give new work (a new leader: everything that waits goes to it), which gives Raft
    // new output. Between two rounds Raft only appends, so their writes are one.
    bool more = true;
    while (more) {
      note_leader();
      send_writes();
      send_barrier();
      if (leading) expire_sessions();
      if (leading) reap_nodes();
      propose_collected();
      more = drain_raft();
      note_leader();
      apply_committed();
      serve_ready_reads();
      more = more &&
             (writes.has_unsent() || barriers.due() <= now.instant || !proposals.empty() || expiry_confirmed);
      more = more && raft->leader() != ServerId();
    }
    settle_read_only();
    settle_transfer();
    advance_state();
  }
  if (!failing.empty()) {
    output.clients.clear();
    if (!hands_over()) output.failed = failing;
  }
  const bool waiting = !writes.empty() || !barriers.empty() || !deferring.empty();
  if (waiting && next_upkeep == kNever) next_upkeep = now.instant + kUpkeepInterval;
  output.stopped = stopping && !hands_over();
  ++turn;
  all_turn_bytes = 0;
  all_told_bytes = 0;
  drained.insert(drained.end(), put_off.begin(), put_off.end());
  put_off.clear();
  next_due = leading ? deadline() : kNever;
  return std::exchange(output, {});
}

// Takes Raft's output into ours. False when there was nothing in it.
bool Replica::Impl::drain_raft() {
  raft::Output r = raft->take_output();
  const bool anything = r.ticket != Ticket() || !r.messages.empty() || !r.changes.empty() ||
                        !r.reads_ready.empty() || !r.reads_failed.empty();
  if (r.ticket != Ticket()) {
    if (r.hard_state) output.hard_state = r.hard_state;
    if (!output.entries.empty() && !r.entries.empty()) {
      CHECK(r.entries.front().index == output.entries.back().index.next());
    }
    output.entries.insert(output.entries.end(), std::make_move_iterator(r.entries.begin()),
                          std::make_move_iterator(r.entries.end()));
    output.ticket = r.ticket;
  }
  for (raft::Message& message : r.messages) {
    const ServerId to = message.to;
    send_peer(to, std::move(message));
  }
  if (r.state_needed != Index()) state_needed = r.state_needed;
  note_changes(r.changes);
  for (const raft::ReadReady& ready : r.reads_ready) read_ready(ready.context, ready.index);
  for (uint64_t context : r.reads_failed) read_failed(context);
  return anything;
}

void Replica::Impl::note_changes(const std::vector<raft::RoleChange>& changes) {
  for (const raft::RoleChange& change : changes) {
    std::string text = "term " + std::to_string(change.term.value()) + ": ";
    text += raft::role_name(change.role);
    if (change.leader != ServerId()) text += ", leader " + std::to_string(change.leader.value());
    text += ": " + change.reason;
    log(LogLevel::kInfo, std::move(text));
  }
}

void Replica::Impl::settle_role() {
  if (leads() && !leading) start_leading();
  if (!leads() && leading) stop_leading();
}

// A change of leader or term: whoever waits must ask the new one.
void Replica::Impl::note_leader() {
  settle_role();
  if (raft->leader() == known_leader && raft->term() == known_term) return;
  known_leader = raft->leader();
  known_term = raft->term();
  writes.send_again();
  barriers.collect_again();
}

Instant Replica::Impl::deadline() const {
  Instant at = std::min(next_upkeep, next_scrub);
  if (formation) at = std::min(at, formation->deadline());
  if (raft) {
    at = std::min(at, raft->deadline());
    if (!drained.empty()) at = std::min(at, now.instant);
    if (raft->applied_index() < raft->committed() && !apply_waits()) at = std::min(at, now.instant);
    at = std::min({at, sender.deadline(), receiver.deadline(now.instant), backups.deadline()});
    if (store_waits_since != kNever && !stuck) at = std::min(at, store_waits_since + options.store_wait_max);
    if (stuck && leads() && !hands_over()) at = std::min(at, next_hand_over);
    if (checkpoints_go_on()) at = std::min(at, checkpoints.deadline());
    if (raft->leader() != ServerId()) at = std::min(at, barriers.due());
    at = std::min({at, reap_deadline(), read_only_deadline()});
    if (leading && expiry_context == 0 && !hands_over())
      at = std::min(at, std::max(clocks.deadline(), expiry_not_before));
  }
  return at;
}

Replica::Replica(const ReplicaOptions& options, ReplicaRecovered recovered, uint64_t seed, const Now& now)
    : impl_(std::make_unique<Impl>(options, std::move(recovered), seed, now)) {}
Replica::~Replica() = default;

void Replica::step(const Now& now, Input input) {
  // The shell's clock cannot go back; a later input is never handled at an earlier time.
  if (now.instant > impl_->now.instant) impl_->now.instant = now.instant;
  impl_->now.wall_ms = now.wall_ms;
  impl_->note_stall();
  impl_->step(std::move(input));
}
Output Replica::take_output() { return impl_->take_output(); }
Instant Replica::deadline() const { return impl_->deadline(); }
const raft::Raft* Replica::raft() const { return impl_->raft ? &*impl_->raft : nullptr; }
const kv::StateMachine& Replica::state() const { return impl_->state; }
ServerStatus Replica::status() const { return impl_->status(); }
uint64_t Replica::reads_put_off() const { return impl_->reads_put_off; }

}  // namespace quorate::server
