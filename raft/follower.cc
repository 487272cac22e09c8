// The follower's side of replication: what a leader says is checked, taken into the log, and acknowledged
// once durable.
#include <algorithm>
#include <utility>

#include "base/check.h"
#include "raft/raft.h"

namespace quorate::raft {
namespace {

// Whether the entries are what a leader of `term` can have sent behind (prev_index, prev_term).
bool well_formed(const AppendRequest& request, Term term) {
  if (request.prev_term > term) return false;
  if (request.prev_index.value() > UINT64_MAX - request.entries.size() - 1) return false;
  Index index = request.prev_index;
  Term last = request.prev_term;
  for (const Entry& entry : request.entries) {
    index = index.next();
    if (entry.index != index || entry.term < last || entry.term > term) return false;
    if (entry.encoded.size() < kEntryHeaderBytes) return false;
    if (entry.kind == EntryKind::kConfiguration && !decode_configuration(entry.payload()).ok()) return false;
    last = entry.term;
  }
  return true;
}

}  // namespace

// REQUIRES: message.term == term(). False: no leader of this term can have sent it.
bool Raft::heard_from_leader(const Message& message) {
  if (is_leader() || !configuration_.is_voter(message.from) || !message.counts) return false;
  auto* follower = std::get_if<Follower>(&role_);
  if (follower == nullptr || follower->leader == ServerId{}) {
    become_follower(hard_state_.term, message.from,
                    "heard from the leader of term " + std::to_string(hard_state_.term.value()));
    follower = &std::get<Follower>(role_);
  }
  if (follower->leader != message.from) return false;
  follower->last_heard = now_;
  lease_until_ = now_ + options_.lease;
  lease_term_ = hard_state_.term;
  lost_leader_ = ServerId{};
  elections_in_vain_ = 0;
  election_deadline_ = next_timeout();
  return true;
}

void Raft::handle(const Message& message, const AppendRequest& request) {
  if (!well_formed(request, message.term) || !heard_from_leader(message)) return;
  // What is behind the snapshot is committed, and so equal in every leader's log (Leader Completeness).
  const bool behind_snapshot = request.prev_index < log_.snapshot_index();
  if (!behind_snapshot && !log_.matches(request.prev_index, request.prev_term)) {
    refuse_append(message, request);
    return;
  }
  if (!take_entries(request)) return;
  const Index last = request.prev_index + request.entries.size();
  matched_ = std::max(matched_, behind_snapshot ? std::max(last, log_.snapshot_index()) : last);
  // Figure 2, AppendEntries 5: bounded by the last entry known to be the leader's.
  advance_commit_to(std::min(request.commit, matched_));
  ack_round_ = std::max(ack_round_, request.round);
  ack_owed_ = true;
  if (durable_index_ >= last) acknowledge();
}

// Ongaro 3.5: the hint names the last place where the logs can agree, so the leader skips a term at a time.
void Raft::refuse_append(const Message& message, const AppendRequest& request) {
  AppendResponse response;
  response.rejected_prev = request.prev_index;
  response.hint_index =
      log_.last_with_term_at_most(std::min(request.prev_index, log_.last_index()), request.prev_term);
  response.hint_term = log_.term_at(response.hint_index).value_or(Term{});
  response.round = request.round;
  send(message.from, response);
}

// Figure 2, AppendEntries 3 and 4: only a real conflict removes anything, so that a late duplicate cannot
// shorten the log.
// False: it would replace the founding entry, which no leader of this cluster asks for.
bool Raft::take_entries(const AppendRequest& request) {
  for (const Entry& entry : request.entries) {
    if (entry.index <= log_.snapshot_index()) continue;
    if (entry.index <= log_.last_index()) {
      if (log_.matches(entry.index, entry.term)) continue;
      if (entry.index == Index(1)) return false;
      truncate_log(entry.index);
    }
    append_to_log(entry);
  }
  return true;
}

// Tells the leader what is both equal and durable here. One answer speaks for every request before it.
void Raft::acknowledge() {
  const ServerId to = leader();
  if (to == ServerId{} || is_leader()) return;
  AppendResponse response;
  response.success = true;
  response.match = std::min(matched_, durable_index_);
  response.round = ack_round_;
  ack_owed_ = matched_ > durable_index_;
  send(to, response);
}

void Raft::handle(const Message& message, const Heartbeat& heartbeat) {
  if (!heard_from_leader(message)) return;
  advance_commit_to(std::min(heartbeat.commit, matched_));
  if (heartbeat.round != 0) send(message.from, HeartbeatResponse{heartbeat.round});
}

}  // namespace quorate::raft
