// The way to the leader, and what only a leader does: proposals, read barriers for everybody, the expiry of
// sessions.
#include <algorithm>
#include <string>
#include <tuple>
#include <unordered_set>
#include <utility>

#include "base/check.h"
#include "kv/command_view.h"
#include "server/replica_impl.h"

namespace quorate::server {

// ---- writes

// What our clients asked for goes to the leader: into our own next proposal, or in one message. While we hand
// over it waits for whoever leads then, because that may be us again.
void Replica::Impl::send_writes() {
  if (!writes.has_unsent() || raft->leader() == ServerId() || hands_over()) return;
  std::vector<PendingCommand> unsent = writes.take_unsent(now.instant, !leads(), next_counter);
  if (unsent.empty()) return;  // it is pending no more, or goes later
  const uint64_t sending = next_counter++;
  if (leads()) {
    for (PendingCommand& c : unsent) {
      if (c.session != SessionId()) {
        clocks.touch(c.session, now.instant);
      } else {
        touch_sender(*kv::decode_command_view(c.body.view()));
      }
      proposals.push_back({std::move(c.body),
                           options.raft.id,
                           options.raft.boot,
                           c.session,
                           c.number,
                           c.counter,
                           sending,
                           {}});
    }
    return;
  }
  Forward forward;
  forward.sending = sending;
  forward.commands.reserve(unsent.size());
  for (PendingCommand& command : unsent) forward.commands.push_back(std::move(command.body));
  send_peer(raft->leader(), std::move(forward));
}

// A command is a sign of life of its session from when it is proposed: an expiry that is proposed behind it
// would otherwise end what its sender is told to hold.
void Replica::Impl::touch_sender(const kv::CommandView& command) {
  if (const auto* request = std::get_if<kv::RequestView>(&command)) {
    clocks.touch(request->session, now.instant);
  } else if (const auto* attach = std::get_if<kv::AttachSession>(&command)) {
    clocks.touch(attach->session, now.instant);
  }
}

void Replica::Impl::take_forward(const PeerMessage& message, const Forward& forward) {
  // Who is not the leader drops them: the sender keeps them and asks the next leader.
  if (!leads()) return;
  for (const Bytes& body : forward.commands) {
    const auto command = kv::decode_command_view(body.view());
    if (!command.ok()) {
      log(LogLevel::kError,
          "server " + std::to_string(message.from.value()) +
              " forwarded a command that does not parse; not proposed: " + command.error().message);
      continue;
    }
    Proposed proposed{body, message.from, message.boot, SessionId(), 0, 0, forward.sending, {}};
    if (const auto* request = std::get_if<kv::RequestView>(&*command)) {
      proposed.session = request->session;
      proposed.number = request->number;
    } else if (const auto* open = std::get_if<kv::OpenSession>(&*command)) {
      proposed.counter = open->origin.counter;
    } else if (const auto* attach = std::get_if<kv::AttachSession>(&*command)) {
      proposed.counter = attach->origin.counter;
    } else {
      continue;  // nobody but the leader expires sessions
    }
    touch_sender(*command);
    proposals.push_back(std::move(proposed));
  }
}

void Replica::Impl::take_refusal(const ForwardRefused& refused) {
  if (refused.asker != options.raft.boot) return;
  for (const ForwardRefused::Item& item : refused.items) {
    // It went again since, or its session came back and asks anew: this says nothing of that.
    if (item.session != SessionId() && !writes.was_sent_last_in(refused.sending, item.session, item.number))
      continue;
    const auto attached = writes.attached(item.session);
    // Of what was sent more than once another copy may be in the log: it goes again until the log tells. To
    // another server as whatever has no outcome does, no oftener: it has no room for us as it is.
    const bool unsure = writes.sent_again(item.session, item.number);
    if (unsure && !leads()) continue;
    const bool waits =
        attached && refused.code == ErrorCode::kOverloaded && speaks_zookeeper(attached->connection);
    if (unsure || waits) {
      held_back_writes.emplace(item.session, item.number);
      continue;
    }
    const auto asker = item.session != SessionId() ? writes.finish(item.session, item.number)
                                                   : writes.finish_opening(item.counter);
    if (!asker) continue;
    if (const auto at = connections.find(asker->connection); at != connections.end())
      at->second.opening = false;
    refuse(*asker, refused.code, "the leader is at its limit: not applied, try again with the same number");
  }
}

// One drain's proposals become few blocks: one encoding, one write, one message a peer.
void Replica::Impl::propose_collected() {
  if (proposals.empty()) return;
  if (!leads()) {
    proposals.clear();  // ours go again to the next leader, the others' senders keep theirs
    return;
  }
  hold_back_growth();
  const kv::Stamp stamp = next_stamp();
  std::string payloads;
  std::vector<size_t> ends;
  std::vector<raft::Proposal> batch;
  for (size_t first = 0; first < proposals.size();) {
    payloads.clear();
    ends.clear();
    size_t last = first;
    for (; last < proposals.size() && payloads.size() < kProposalBytesMax; ++last) {
      kv::append_stamp(payloads, stamp);
      payloads.append(proposals[last].body.view());
      ends.push_back(payloads.size());
    }
    batch.clear();
    size_t begin = 0;
    for (size_t end : ends) {
      batch.push_back({raft::EntryKind::kCommand, std::string_view(payloads).substr(begin, end - begin)});
      begin = end;
    }
    if (auto index = raft->propose(now.instant, batch); !index.ok()) {
      refuse_proposals(proposals, first, index.error());
      break;
    }
    first = last;
  }
  proposals.clear();
}

size_t Replica::Impl::log_reserve() const {
  return std::min(options.reserve_bytes, options.raft.uncommitted_bytes_max / 8);
}

size_t Replica::Impl::command_bytes_max() const {
  const size_t kept = log_reserve() + raft::kEntryHeaderBytes + kv::kStampBytes;
  return options.raft.uncommitted_bytes_max - std::min(options.raft.uncommitted_bytes_max, kept);
}

// Near the limit of what may wait for a quorum only what frees goes on: at the end of its room everybody must
// still be able to leave. What a session asked for behind something that was held back waits with it, or its
// numbers would have a gap. What a server with a larger limit took, and is longer than all the room, goes
// when nothing else waits.
void Replica::Impl::hold_back_growth() {
  const size_t limit = options.raft.uncommitted_bytes_max;
  const size_t used = std::get<raft::Leader>(raft->role()).uncommitted_bytes;
  const size_t kept = used + log_reserve();
  size_t room = limit > kept ? limit - kept : 0;
  const auto bytes_of = [](const Proposed& p) {
    return raft::kEntryHeaderBytes + kv::kStampBytes + p.body.size();
  };
  size_t asked = 0;
  for (const Proposed& p : proposals) asked += bytes_of(p);
  if (asked <= room) return;
  std::vector<Proposed> going;
  std::vector<Proposed> held_back;
  std::unordered_set<SessionId> behind;
  for (Proposed& p : proposals) {
    const bool fits = bytes_of(p) <= room;
    const bool alone = used == 0 && going.empty();
    const bool goes = !behind.contains(p.session) &&
                      (fits || alone || kv::only_frees(*kv::decode_command_view(p.body.view())));
    if (goes && (fits || alone)) room -= std::min(room, bytes_of(p));
    if (!goes && p.session != SessionId()) behind.insert(p.session);
    (goes ? going : held_back).push_back(std::move(p));
  }
  proposals = std::move(going);
  if (!held_back.empty()) {
    refuse_proposals(held_back, 0,
                     {ErrorCode::kOverloaded, "too many bytes wait to be committed; try again later"});
  }
}

void Replica::Impl::refuse_proposals(const std::vector<Proposed>& refused_proposals, size_t first,
                                     const Error& error) {
  // Leadership is being handed over, so all of this was forwarded: its senders keep it and send it again.
  if (error.code == ErrorCode::kNotLeader) return;
  std::map<std::tuple<ServerId, BootNonce, uint64_t>, ForwardRefused> refused;
  for (size_t i = first; i < refused_proposals.size(); ++i) {
    const Proposed& p = refused_proposals[i];
    if (!p.expiring.empty()) {
      for (SessionId session : p.expiring) clocks.put_off(session, now.instant + kUpkeepInterval);
      continue;
    }
    ForwardRefused& to = refused[{p.from, p.boot, p.sending}];
    to.asker = p.boot;
    to.sending = p.sending;
    to.code = error.code;
    to.items.push_back({p.session, p.number, p.counter});
  }
  for (auto& [key, message] : refused) {
    const ServerId to = std::get<0>(key);
    if (to == options.raft.id) {
      take_refusal(message);
    } else {
      send_peer(to, std::move(message));
    }
  }
}

// Wall time for people, never backwards; cluster time by our monotonic clock on top of what the log had
// reached.
kv::Stamp Replica::Impl::next_stamp() {
  stamp_floor.wall_ms = std::max(stamp_floor.wall_ms, now.wall_ms);
  return {stamp_floor.wall_ms, stamp_floor.cluster_ms + to_ms(now.instant - stamp_base)};
}

// ---- read barriers

// Until an entry of the own term is applied, a session may be in the log that the tree does not show yet. Not
// to call it gone is safe: whoever asked has applied that entry, too, before it answers, and looks.
bool Replica::Impl::knows_all_sessions() const {
  return raft->has_committed_own_term() && raft->applied_index() == raft->committed();
}

// A sign of life. False: the session is over, or about to be.
bool Replica::Impl::gives_time(SessionId session) {
  return clocks.touch(session, now.instant) || !(clocks.is_ending(session) || knows_all_sessions());
}

void Replica::Impl::send_barrier() {
  if (raft->leader() == ServerId() || barriers.due() > now.instant) return;
  if (!leads()) {
    while (barriers.due() <= now.instant) {
      const uint64_t counter = next_counter++;
      auto question = barriers.ask(raft->term(), now.instant, counter);
      send_peer(raft->leader(), Barrier{raft->term(), counter, std::move(question->alive)});
    }
    return;
  }
  const uint64_t counter = next_counter++;
  auto question = barriers.ask(raft->term(), now.instant, counter);
  std::vector<SessionId> gone;
  for (SessionId session : question->alive) {
    if (!gives_time(session)) gone.push_back(session);
  }
  own_barriers[counter] = std::move(gone);
  if (!raft->read_index(now.instant, counter).ok()) read_failed(counter);
}

void Replica::Impl::take_barrier(const PeerMessage& message, const Barrier& barrier) {
  // A deposed leader, or one that does not know yet that it leads: the asker asks again.
  if (!leads() || barrier.term != raft->term()) return;
  RemoteBarrier remote{message.from, message.boot, barrier.counter, {}};
  for (SessionId session : barrier.alive) {
    if (!gives_time(session)) remote.gone.push_back(session);
  }
  const uint64_t context = next_counter++;
  if (!raft->read_index(now.instant, context).ok()) return;
  remote_barriers[context] = std::move(remote);
}

void Replica::Impl::read_ready(uint64_t context, Index index) {
  if (context == expiry_context) {
    expiry_context = 0;
    expiry_confirmed = true;
  } else if (const auto own = own_barriers.find(context); own != own_barriers.end()) {
    barriers.confirm(context, raft->term(), index, own->second);
    own_barriers.erase(own);
  } else if (const auto remote = remote_barriers.find(context); remote != remote_barriers.end()) {
    RemoteBarrier& to = remote->second;
    send_peer(to.server, BarrierReply{to.boot, raft->term(), to.counter, index, std::move(to.gone)});
    remote_barriers.erase(remote);
  }
}

void Replica::Impl::read_failed(uint64_t context) {
  if (context == expiry_context) expiry_context = 0;
  if (own_barriers.erase(context) > 0) barriers.collect_again(context);
  remote_barriers.erase(context);
}

// ---- sessions

// Signs of life that came while we slept wait in sockets, and then for others to share their question.
void Replica::Impl::note_stall() {
  if (!leading || now.instant - kStallMin <= next_due || now.instant < expiry_not_before) return;
  if (stalls_in_row >= kStallsInRowMax) return;
  ++stalls_in_row;
  expiry_not_before = now.instant + 2 * options.ping_gather_max;
}

// A session expires when its time is up by our clock, *then* leadership was confirmed, and all that had
// arrived by then was looked at: a sign of life that waited in a socket while we were paused still counts.
void Replica::Impl::expire_sessions() {
  // What could not be proposed now would never be: whose expiry was taken is not looked at again.
  if (hands_over()) return;
  if (now.instant < expiry_not_before) {
    expiry_confirmed = false;
    return;
  }
  if (expiry_confirmed) {
    expiry_confirmed = false;
    stalls_in_row = 0;
    const std::vector<SessionId> overdue = clocks.take_overdue(now.instant);
    for (size_t first = 0; first < overdue.size(); first += kExpiredSessionsMax) {
      const size_t last = std::min(overdue.size(), first + kExpiredSessionsMax);
      std::vector<SessionId> sessions(overdue.begin() + first, overdue.begin() + last);
      proposals.push_back({Bytes(kv::encode_command(kv::ExpireSessions{sessions})), options.raft.id,
                           options.raft.boot, SessionId(), 0, 0, 0, std::move(sessions)});
    }
    if (!overdue.empty()) log(LogLevel::kInfo, "expiring " + std::to_string(overdue.size()) + " sessions");
    return;
  }
  if (!clocks.any_overdue(now.instant)) {
    stalls_in_row = 0;
    return;
  }
  if (expiry_context != 0) return;
  const uint64_t context = next_counter++;
  if (raft->read_index(now.instant, context).ok()) expiry_context = context;
}

void Replica::Impl::start_leading() {
  leading = true;
  stalls_in_row = 0;
  clocks.restart(state.sessions(), now.instant);
  // The newest command in the log, applied or not, has the highest stamp.
  stamp_floor = state.last_stamp();
  for (Index at = raft->log().last_index(); at >= raft->log().first_index() && at > state.applied();
       at = at.prev()) {
    const raft::Entry& entry = raft->log().at(at);
    if (entry.kind != raft::EntryKind::kCommand) continue;
    stamp_floor = kv::read_stamp(entry.payload());
    break;
  }
  stamp_base = now.instant;
}

void Replica::Impl::stop_leading() {
  leading = false;
  clocks.stop();
  proposals.clear();
  remote_barriers.clear();
  for (const auto& [context, gone] : own_barriers) barriers.collect_again(context);
  own_barriers.clear();
  expiry_context = 0;
  expiry_confirmed = false;
  for (const auto& [session, askers] : std::exchange(endings, {}))
    for (const Asker& asker : askers)
      refuse(asker, ErrorCode::kNotLeader, "another server leads: whether the session is over is its to say");
}

}  // namespace quorate::server
