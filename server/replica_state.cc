// The state as a whole: where it comes from at the start, checkpoints of it, the log behind them, snapshots
// to and from other servers, and whether all servers have the same.
#include <algorithm>
#include <string>
#include <utility>

#include "base/check.h"
#include "server/replica_impl.h"

namespace quorate::server {
namespace {

raft::Configuration configuration_of(const StateName& name) {
  return raft::decode_configuration(name.configuration.view()).value();
}

std::string text(uint64_t number) { return std::to_string(number); }

}  // namespace

// ---- the start

void Replica::Impl::recover(ReplicaRecovered recovered) {
  const StateName* name = recovered.state ? &recovered.state->name : nullptr;
  if (!recovered.log) {
    Formation::Options forming{options.raft.id, options.raft.incarnation, options.raft.boot,
                               options.plan,    options.probe_interval,   ClusterId(random.next() | 1)};
    if (name != nullptr) {
      // A restored state stands before the first entry of a log of its own.
      CHECK_MSG(name->index == Index(), "a folder without a log holds no state but a restored one");
      forming.cluster_id = name->cluster;
      forming.base_state = name->state_hash;
      state = std::move(*recovered.state->state);
    }
    has_state = name != nullptr;
    formation.emplace(std::move(forming), now.instant);
    return;
  }
  raft::Recovered& log = *recovered.log;
  has_state = name != nullptr && name->index >= log.snapshot_index;
  if (has_state) {
    if (name->index > Index()) {
      log.applied = name->index;
      log.applied_term = name->term;
      log.snapshot_configuration = configuration_of(*name);
    }
    checkpoints.reset(name->index);
    state = std::move(*recovered.state->state);
  }
  start_raft(std::move(log));
}

void Replica::Impl::start_raft(raft::Recovered recovered) {
  const Index log_began = recovered.snapshot_index;
  raft.emplace(options.raft, std::move(recovered), random.next(), now.instant);
  const Index begins = raft->log().snapshot_index();
  // The process ended before the log was cut behind the state that it had received.
  if (begins != log_began) output.cut = Output::LogCut{begins, raft->log().snapshot_term()};
  // A log from entry 1 on needs nothing below it, unless the cluster began with a restored state.
  if (begins == Index() && raft->configuration_at(begins).base_state == 0) has_state = true;
  raft->set_may_lead(has_state);
  next_scrub = now.instant;
  output.configuration = raft->configuration();
  const std::vector<raft::Member>& members = output.configuration->members;
  for (size_t place = 0; place < members.size(); ++place) {
    if (members[place].id == options.raft.id) checkpoints.stagger(place, members.size());
  }
  if (!has_state) {
    log(LogLevel::kWarning,
        "there is no state here for the log to go on from: getting it from another server");
  }
  if (!raft->may_vote()) {
    log(LogLevel::kWarning,
        "this data folder is not the one that the cluster admitted (it was wiped): receiving only, not "
        "voting");
  }
}

// To whoever has no log: the first configuration that our log knows of stands for the founding entry.
void Replica::Impl::answer_probe(ServerId to) {
  const std::string payload =
      raft::encode_configuration(raft->configuration_at(raft->log().snapshot_index()));
  const raft::Proposal proposal{raft::EntryKind::kConfiguration, payload};
  send_peer(to,
            Founding{raft::encode_entries(kFoundingTerm, Index(1), std::span(&proposal, 1)).front().encoded});
}

// ---- checkpoints

StateName Replica::Impl::name_of_state() const {
  const Index index = state.applied();
  return {raft->configuration().cluster_id, index, raft->log().term_at(index).value(),
          Bytes(raft::encode_configuration(raft->configuration_at(index))), state.state_hash()};
}

bool Replica::Impl::apply_waits() const {
  return !has_state || receiver.finishing() || !failing.empty() || checkpoints.holds_apply(state);
}

// The store takes a received state and a checkpoint of ours only one after the other.
bool Replica::Impl::checkpoints_go_on() const {
  return has_state && failing.empty() && !receiver.finishing();
}

bool Replica::Impl::store_waits() const {
  return has_state && failing.empty() && raft->applied_index() < raft->committed() && apply_waits();
}

// The log goes on meanwhile, so Raft sees nothing wrong: we would lead, or be asked, and answer nobody. Who
// waits here finds another server. An election we may still win, lest nobody led where our log is the only
// complete one; then the next to hand over to is whoever has caught up.
void Replica::Impl::note_store() {
  if (!store_waits()) {
    store_waits_since = kNever;
  } else if (store_waits_since == kNever) {
    store_waits_since = now.instant;
  }
  const bool waits_long =
      store_waits_since != kNever && now.instant >= store_waits_since + options.store_wait_max;
  if (std::exchange(stuck, waits_long) != stuck) {
    raft->set_declines(stuck);
    if (stuck) {
      log(LogLevel::kError,
          "nothing is applied here until the disk has taken a checkpoint: clients are sent to other servers, "
          "and leadership is handed on");
      send_clients_away();
    } else {
      log(LogLevel::kInfo, "the disk has taken the checkpoint: clients are served again");
    }
  }
  if (!stuck || !leads() || hands_over() || now.instant < next_hand_over) return;
  const bool begun = raft->transfer_leadership(now.instant, ServerId()).ok();
  next_hand_over = now.instant + (begun ? options.store_wait_max : kUpkeepInterval);
}

void Replica::Impl::advance_state() {
  const SnapshotReceiver::Situation at = situation();
  if (at.needed || receiver.under_way()) receiver.advance(at);
  // A snapshot that is being sent would end with the store that it is read from.
  if (receiver.finishing()) {
    sender.close_all();
    backups.close_all();
  }
  if (checkpoints_go_on()) {
    if (const auto wanted = backups.wanted()) checkpoints.want(*wanted);
    checkpoints.advance(state, raft->durable_index(), now.instant, [this] { return name_of_state(); });
    backups.advance(checkpoints.durable());
  }
  for (auto& [to, fetch] : receiver.take_messages()) send_peer(to, std::move(fetch));
  for (auto& [to, chunk] : sender.take_messages()) send_peer(to, std::move(chunk));
  answer_backups();
  if (std::string note = receiver.take_note(); !note.empty()) log(LogLevel::kWarning, std::move(note));
  output.store = jobs.take();
}

// What is behind a checkpoint goes, but for what followers need that lag a little, or that are getting a
// snapshot.
void Replica::Impl::cut_log(Index checkpoint) {
  const raft::Log& entries = raft->log();
  Index cut = entries.keeping(options.log_kept_bytes, checkpoint);
  if (const auto oldest = sender.oldest()) {
    cut = std::min(cut, std::max(*oldest, entries.keeping(options.log_held_bytes, checkpoint)));
  }
  if (cut <= entries.snapshot_index()) return;
  raft->compact(cut);
  output.cut = Output::LogCut{cut, entries.snapshot_term()};
}

void Replica::Impl::store_done(StoreDone done) {
  if (!raft) return;
  if (const auto checkpoint = checkpoints.done(done.id)) return cut_log(*checkpoint);
  if (sender.done(done, raft->term()) || backups.done(done)) return note_unreadable(done.error);
  if (!receiver.done(done, now.instant)) return;
  if (auto received = receiver.take_received()) replace_state(std::move(*received));
}

// What is served comes from memory, and is right; but nobody else learns of it before this server starts
// again.
void Replica::Impl::note_unreadable(const Error& error) {
  if (error.code != ErrorCode::kCorruption && error.code != ErrorCode::kIo) return;
  if (std::exchange(told_unreadable, true)) return;
  log(LogLevel::kError,
      "the checkpoint on disk cannot be read, so this server could not start again: " + error.message +
          ". Replace its state: stop it, quorated --rebuild-state --data DIR, then start it again");
}

// ---- snapshots

void Replica::Impl::take_fetch(const PeerMessage& message, const SnapshotFetch& fetch) {
  if (!has_state || receiver.finishing()) return;
  // Nothing to read yet, or nothing of use: a checkpoint is made, and the asker asks again.
  const Index needed = std::max(fetch.at_least, Index(1));
  if (fetch.snapshot == 0 && checkpoints.durable() < needed) return checkpoints.want(needed);
  sender.fetch(message.from, fetch, checkpoints.durable(), now.instant);
}

SnapshotReceiver::Situation Replica::Impl::situation() const {
  SnapshotReceiver::Situation at;
  at.needed = failing.empty() && (!has_state || state_needed > raft->committed());
  // Without a state the log must be reached; with one, a state that is no newer is of no use.
  const Index applied = raft->applied_index();
  at.of_use = has_state ? applied.next() : applied;
  at.at_least = std::max(state_needed, at.of_use);
  if (at.needed) at.voters = voters();
  at.leader = leads() ? ServerId() : raft->leader();
  at.cluster = raft->configuration().cluster_id;
  at.durable_term = raft->durable_hard_state().term;
  at.now = now.instant;
  return at;
}

void Replica::Impl::take_chunk(const PeerMessage& message, const SnapshotChunk& chunk) {
  if (receiver.take(message.from, chunk, situation())) raft->observe_term(now.instant, chunk.term);
}

void Replica::Impl::send_clients_away() {
  for (auto& [id, connection] : connections) {
    if (connection.session != SessionId()) writes.detach(connection.session);
    watches.drop_connection(id);
    if (connection.zookeeper) {
      zookeeper_drop(id, connection);
    } else if (!std::exchange(connection.closing, true)) {
      output.close.push_back(id);
    }
    connection.session = SessionId();
  }
}

// The store has switched to it. Nothing that a client was shown is lost with the old one, but what a client
// waits for may have happened in between: so all are sent away, and attach again.
void Replica::Impl::replace_state(ReceivedState received) {
  const StateName& name = received.name;
  CHECK_MSG(name.index >= raft->applied_index(), "the state moved on while another one was put in its place");
  send_clients_away();
  transfer_asker.reset();
  state = std::move(*received.state);
  has_state = true;
  state_needed = Index();
  agreement.forget_own();
  checkpoints.reset(name.index);
  raft->install_snapshot(now.instant, name.index, name.term, configuration_of(name));
  if (raft->log().snapshot_index() == name.index) output.cut = Output::LogCut{name.index, name.term};
  output.configuration = raft->configuration();
  if (leading) {
    clocks.restart(state.sessions(), now.instant);
  } else {
    raft->set_may_lead(true);
  }
  log(LogLevel::kInfo, "the state up to index " + text(name.index.value()) + " was received and is in use");
}

// ---- agreement

void Replica::Impl::tell_hash(Index index) {
  const StateHash hash{kStateHashFormat, index, state.state_hash()};
  for (const raft::Member& member : raft->configuration().members) {
    if (member.id != options.raft.id) send_peer(member.id, hash);
  }
  judge(hash, agreement.own(hash, voters()));
}

void Replica::Impl::take_hash(const PeerMessage& message, const StateHash& hash) {
  judge(hash, agreement.told(message.from, hash, voters()));
}

std::vector<ServerId> Replica::Impl::voters() const {
  std::vector<ServerId> ids;
  for (const raft::Member& member : raft->configuration().members) {
    if (member.role == raft::MemberRole::kVoter) ids.push_back(member.id);
  }
  return ids;
}

void Replica::Impl::judge(const StateHash& hash, Agreement::Verdict verdict) {
  const std::string at = "at index " + text(hash.index.value());
  if (verdict == Agreement::Verdict::kMinority) {
    fail(at +
         " of the log a majority of the servers has another state than this one: its state must not be "
         "served. "
         "Replace it: quorated --rebuild-state --data DIR, then start the server again");
  } else if (verdict == Agreement::Verdict::kNoMajority) {
    fail(at +
         " of the log the servers have different states, and no majority has the same: none of them may be "
         "served. "
         "Restore a backup: quorate snapshot restore");
  }
}

// A slice of a round over all nodes, so that nobody waits for it.
void Replica::Impl::scrub() {
  const auto nodes = static_cast<int64_t>(state.node_count());
  const int64_t slices = std::max(kScrubSlicesMin, nodes / static_cast<int64_t>(kScrubSliceNodes));
  next_scrub = now.instant + options.scrub_round / slices;
  if (!has_state || !failing.empty()) return;
  const std::optional<bool> round = state.scrub(static_cast<size_t>(nodes / slices) + 1);
  if (!round || *round) return;
  fail(
      "a node in memory differs from what was applied (bad memory?): the state of this server must not be "
      "served. "
      "Replace it: quorated --rebuild-state --data DIR, then start the server again");
}

// Whoever may be wrong serves nobody from here on. A leader hands over first, so that the others go on at
// once.
void Replica::Impl::fail(std::string why) {
  if (!failing.empty()) return;
  log(LogLevel::kError, why);
  failing = std::move(why);
  if (leads()) (void)raft->transfer_leadership(now.instant, ServerId());
}

}  // namespace quorate::server
