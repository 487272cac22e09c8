// Committed entries become state; what they did becomes outcomes, events and grants for the clients attached
// here.
#include <array>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "base/check.h"
#include "lock/service.h"
#include "server/replica_impl.h"

namespace quorate::server {
namespace {

// Which events say what one before them said to the same connection: several of its watches look at one path.
// ZooKeeper's clients, who know a watch by its path, are told such a thing once.
std::vector<bool> repeated_events(const std::vector<kv::WatchEvent>& events) {
  std::vector<bool> repeated(events.size());
  if (events.size() < 2) return repeated;
  std::set<std::tuple<ConnectionId, kv::EventKind, std::string_view>> said;
  for (size_t i = 0; i < events.size(); ++i)
    repeated[i] = !said.emplace(events[i].connection, events[i].kind, events[i].path).second;
  return repeated;
}

// Who proved the same has the same text, and nobody else.
std::string text_of(const kv::Credentials& credentials) {
  std::string text;
  for (const kv::Credential& credential : credentials) {
    for (const std::string* part : {&credential.scheme, &credential.id})
      text += std::to_string(part->size()) + ' ' + *part;
  }
  return text;
}

}  // namespace

void Replica::Impl::apply_committed() {
  if (apply_waits()) return;
  size_t room = kApplySliceEntries;
  Index applied = raft->applied_index();
  // What is to be told of the entries is in memory until it is sent.
  while (applied < raft->committed() && all_told_bytes < options.turn_all_told_bytes_max && room-- > 0) {
    if (room % kv::StateMachine::kPrefetchMax == kv::StateMachine::kPrefetchMax - 1)
      prefetch_entries(applied);
    applied = applied.next();
    const raft::Entry& entry = raft->log().at(applied);
    if (entry.kind == raft::EntryKind::kCommand) {
      deliver(state.apply(applied, entry.payload()));
    } else {
      state.skip(applied);
    }
    checkpoints.applied(entry.encoded.size());
    if (applied.value() % kStateHashStep == 0) {
      tell_hash(applied);
      if (!failing.empty()) break;
    }
    // Looked at now and then: what is dirty grows by little in between.
    if (room % kApplyCheckEntries == 0 && checkpoints.holds_apply(state)) break;
  }
  if (applied > raft->applied_index()) raft->applied(applied);
}

// Of those that are applied next.
void Replica::Impl::prefetch_entries(Index behind) {
  std::array<std::string_view, kv::StateMachine::kPrefetchMax> payloads;
  size_t count = 0;
  for (Index at = behind; at < raft->committed() && count < payloads.size();) {
    at = at.next();
    const raft::Entry& entry = raft->log().at(at);
    payloads[count++] = entry.kind == raft::EntryKind::kCommand ? entry.payload() : std::string_view();
  }
  if (count > 1) state.prefetch_entries({payloads.data(), count});
}

void Replica::Impl::fire_watches(const kv::Applied& applied) {
  const auto sees = [this](ConnectionId connection, const auto& acl) {
    const auto at = connections.find(connection);
    return at != connections.end() && kv::may_see(acl, credentials_of(at->second.session));
  };
  const auto has_room = [this](ConnectionId connection, const kv::WatchTable::Telling& telling) {
    return has_room_to_tell(connection, telling);
  };
  std::map<std::string, uint64_t> numbers;
  const auto sees_like = [&](ConnectionId connection) {
    const auto at = connections.find(connection);
    if (at == connections.end()) return uint64_t{0};
    return numbers.try_emplace(text_of(credentials_of(at->second.session)), numbers.size() + 1).first->second;
  };
  entry_told_bytes = 0;
  kv::Fired fired = watches.fire(applied, sees, has_room, sees_like);
  for (const ConnectionId connection : fired.overrun) drop_overrun(connection);
  const std::vector<bool> repeated = repeated_events(fired.events);
  for (size_t i = 0; i < fired.events.size(); ++i) {
    kv::WatchEvent& event = fired.events[i];
    const ConnectionId connection = event.connection;
    if (repeated[i] && speaks_zookeeper(connection)) continue;
    output.clients.push_back({connection, std::move(event)});
  }
  for (kv::FeedBatch& batch : fired.batches) {
    const ConnectionId connection = batch.connection;
    output.clients.push_back({connection, std::move(batch)});
  }
}

bool Replica::Impl::has_room_to_tell(ConnectionId id, const kv::WatchTable::Telling& telling) {
  const auto at = connections.find(id);
  if (at == connections.end()) return false;
  Connection& connection = at->second;
  if (std::exchange(connection.told_turn, turn) != turn) connection.told_bytes = 0;
  if (connection.told_bytes + telling.bytes > options.turn_told_bytes_max) return false;
  if (entry_told_bytes + telling.memory > options.entry_told_bytes_max) return false;
  connection.told_bytes += telling.bytes;
  entry_told_bytes += telling.memory;
  all_told_bytes += telling.memory;
  return true;
}

// It could not be sent so much before its output is full, and all of it would be in memory first.
void Replica::Impl::drop_overrun(ConnectionId id) {
  watches.drop_connection(id);
  const auto at = connections.find(id);
  if (at == connections.end() || at->second.closing) return;
  if (at->second.zookeeper) zookeeper_drop(id, at->second);
  drop(id, at->second, "more changes are to be told to its watches at once than there is room for");
}

// An event goes out before the reply that could show its change.
void Replica::Impl::deliver(const kv::Applied& applied) {
  if (!applied.changes.empty()) {
    fire_watches(applied);
    tell_progress(applied);
    for (lock::Grant& grant : lock::grants(state, applied)) {
      const auto attached = writes.attached(grant.session);
      if (attached && !speaks_zookeeper(attached->connection))
        output.clients.push_back({attached->connection, GrantEvent{std::move(grant)}});
    }
    for (lock::Loss& loss : lock::losses(applied)) {
      const auto attached = writes.attached(loss.session);
      if (attached && !speaks_zookeeper(attached->connection))
        output.clients.push_back({attached->connection, LossEvent{std::move(loss)}});
    }
  }
  note_quota_warnings(applied);
  deliver_attached(applied);
  for (const kv::SessionOutcome& outcome : applied.outcomes) deliver_outcome(outcome);
  for (const kv::OriginOutcome& outcome : applied.origin_outcomes) deliver_origin(outcome);
  for (const kv::SessionEnd& end : applied.sessions_ended) deliver_ended(end);
}

// A session that was attached anew no longer belongs to the connection that had it here.
void Replica::Impl::deliver_attached(const kv::Applied& applied) {
  for (SessionId id : applied.sessions_attached) {
    const auto session = state.session(id);
    if (!session) continue;
    if (leading) clocks.add(id, session->timeout_ms, now.instant);
    const auto attached = writes.attached(id);
    if (!attached || attached->epoch == session->epoch) continue;
    writes.detach(id);
    connections[attached->connection].session = SessionId();
    tell_end(attached->connection, {id, ErrorCode::kSessionMoved});
  }
}

void Replica::Impl::deliver_outcome(const kv::SessionOutcome& outcome) {
  const auto attached = writes.attached(outcome.session);
  // An answer to a request of an earlier attachment says nothing about ours of the same number.
  if (!attached || attached->epoch != outcome.epoch) return;
  // A number overtook a lower one on its way here; both are still kept and go again in order. What was
  // forwarded goes again in time, lest the higher one overtakes once more. Our own proposals do not: the
  // lower one is in the log or about to be, so this one can follow. If it waits for room, so does this one.
  if (outcome.outcome.code == ErrorCode::kRequestGap && writes.has_lower(outcome.session, outcome.number)) {
    if (!leads()) return;
    const auto waits = held_back_writes.lower_bound({outcome.session, 0});
    if (waits != held_back_writes.end() && waits->first == outcome.session) {
      held_back_writes.emplace(outcome.session, outcome.number);
    } else {
      writes.send_again(outcome.session, outcome.number);
    }
    return;
  }
  if (const auto asker = writes.finish(outcome.session, outcome.number)) reply(*asker, outcome.outcome);
}

void Replica::Impl::deliver_origin(const kv::OriginOutcome& outcome) {
  if (outcome.origin.server != options.raft.id || outcome.origin.boot != options.raft.boot) return;
  const auto asker = writes.finish_opening(outcome.origin.counter);
  if (!asker) return;
  const auto at = connections.find(asker->connection);
  if (at == connections.end()) return;
  at->second.opening = false;
  if (outcome.outcome.code == ErrorCode::kOk) {
    at->second.session = outcome.outcome.session;
    writes.attach(outcome.outcome.session, asker->connection, outcome.outcome.epoch);
  }
  reply(*asker, outcome.outcome);
}

void Replica::Impl::deliver_ended(const kv::SessionEnd& end) {
  if (leading) clocks.forget(end.session);
  settle_endings(end.session);
  const auto attached = writes.attached(end.session);
  if (!attached) return;
  writes.detach(end.session);
  connections[attached->connection].session = SessionId();
  if (end.expired) tell_end(attached->connection, {end.session, ErrorCode::kSessionExpired});
}

// ZooKeeper's clients learn it from the end of the connection, and the reason when they come back.
void Replica::Impl::tell_end(ConnectionId id, SessionEndEvent event) {
  Connection& connection = connections[id];
  if (connection.zookeeper) return zookeeper_drop(id, connection);
  output.clients.push_back({id, event});
  output.close.push_back(id);
}

}  // namespace quorate::server
