// The leader's side of replication: proposals, what is sent to whom, and what is committed.
#include <algorithm>
#include <utility>

#include "base/check.h"
#include "raft/quorum.h"
#include "raft/raft.h"

namespace quorate::raft {
namespace {

// One value for each voter; `own` for the leader itself, nothing at all for one that must not be counted.
template <class T, class Get>
T majority_of(const Configuration& configuration, const Leader& leader, T own, T nothing, Get get) {
  std::vector<T> values;
  values.reserve(configuration.members.size());
  for (const Member& member : configuration.members) {
    if (member.role != MemberRole::kVoter) continue;
    const auto found = leader.progress.find(member.id);
    if (found == leader.progress.end()) {
      values.push_back(own);
    } else {
      values.push_back(found->second.counts ? get(found->second) : nothing);
    }
  }
  return reached_by_majority(std::span<T>(values));
}

}  // namespace

Instant Raft::quorum_contact(const Leader& leader) const {
  return majority_of<Instant>(configuration_, leader, now_, Instant::min(),
                              [](const Progress& progress) { return progress.last_answer; });
}

Result<Index> Raft::propose(Instant now, std::span<const Proposal> proposals) {
  observe(now);
  auto* leader = std::get_if<Leader>(&role_);
  if (leader == nullptr) return Error{ErrorCode::kNotLeader, "this server does not lead; ask the leader"};
  if (leader->transfer_target != ServerId{}) {
    return Error{ErrorCode::kNotLeader, "leadership is being handed over; ask the next leader"};
  }
  size_t bytes = 0;
  for (const Proposal& proposal : proposals) {
    if (proposal.kind == EntryKind::kConfiguration) {
      return Error{ErrorCode::kUnsupported, "the members of a cluster are not changed by a proposal"};
    }
    bytes += kEntryHeaderBytes + proposal.payload.size();
  }
  // What is longer than all of it would never have room.
  if (leader->uncommitted_bytes > 0 &&
      bytes > options_.uncommitted_bytes_max -
                  std::min(leader->uncommitted_bytes, options_.uncommitted_bytes_max)) {
    return Error{ErrorCode::kOverloaded, "too many bytes wait to be committed (uncommitted_bytes_max = " +
                                             std::to_string(options_.uncommitted_bytes_max) +
                                             "); try again later"};
  }
  const Index first = log_.last_index().next();
  for (Entry& entry : encode_entries(hard_state_.term, first, proposals)) append_to_log(std::move(entry));
  leader->uncommitted_bytes += bytes;
  return first;
}

void Raft::tick_leader(Leader& leader) {
  // Ongaro 6.2: a leader that a quorum does not hear must not keep clients waiting, nor its followers quiet.
  if (quorum_contact(leader) + options_.election_timeout_max < now_) {
    become_follower(hard_state_.term, {}, "heard from no quorum for an election timeout");
    return;
  }
  if (disk_stalled()) {
    become_follower(hard_state_.term, {}, "own disk stalled");
    return;
  }
  if (leader.transfer_target != ServerId{} && now_ >= leader.transfer_deadline) {
    leader.transfer_target = ServerId{};
    leader.transfer_sent = false;
    report("the leadership transfer did not happen in time");
  }
  if (now_ < leader.next_heartbeat) return;
  if (++leader.heartbeats >= options_.heartbeats_per_round || !leader.reads.empty()) {
    start_round(leader);
  } else {
    send_heartbeats(leader, 0);
  }
}

// Finds the sender's progress. Nothing, if the message is of a run that must not be believed.
Progress* Raft::progress_of_run(Leader& leader, const Message& message, uint64_t round) {
  const auto found = leader.progress.find(message.from);
  if (found == leader.progress.end() || round > leader.round) return nullptr;
  Progress& progress = found->second;
  if (!settle_run(leader, progress, message.boot, round)) return nullptr;
  progress.counts = message.counts;
  progress.declines = message.declines;
  progress.last_answer = now_;
  return &progress;
}

// What an earlier run of a follower acknowledged may be lost, so a new run is begun anew with. A late message
// of a dead run looks just like the first one of a new run: the next round tells them apart, since the dead
// do not answer it.
bool Raft::settle_run(Leader& leader, Progress& progress, BootNonce boot, uint64_t round) {
  if (progress.retired_boots.contains(boot)) return false;
  if (progress.boot == BootNonce{}) progress.boot = boot;
  if (progress.contenders.empty()) {
    if (progress.boot == boot) return true;
    Progress doubted;
    doubted.retired_boots = std::move(progress.retired_boots);
    doubted.contenders = {progress.boot, boot};
    doubted.boot = progress.boot;
    doubted.counts = progress.counts;
    doubted.declines = progress.declines;
    doubted.last_answer = progress.last_answer;
    doubted.doubt_round = leader.round + 1;
    doubted.next = log_.last_index().next();
    progress = std::move(doubted);
    leader.round_wanted = true;
    return false;
  }
  progress.contenders.insert(boot);
  if (round < progress.doubt_round) return false;
  progress.contenders.erase(boot);
  progress.retired_boots.merge(progress.contenders);
  progress.contenders.clear();
  progress.boot = boot;
  return true;
}

void Raft::handle(const Message& message, const HeartbeatResponse& response) {
  auto* leader = std::get_if<Leader>(&role_);
  if (leader == nullptr) return;
  Progress* progress = progress_of_run(*leader, message, response.round);
  if (progress == nullptr || response.round <= progress->round_acked) return;
  progress->round_acked = response.round;
  confirm_reads(*leader);
}

void Raft::handle(const Message& message, const AppendResponse& response) {
  auto* leader = std::get_if<Leader>(&role_);
  if (leader == nullptr || response.match > log_.last_index()) return;
  Progress* progress = progress_of_run(*leader, message, response.round);
  if (progress == nullptr) return;
  const bool confirms = response.round > progress->round_acked;
  if (confirms) progress->round_acked = response.round;
  if (response.success) {
    accept_match(*leader, *progress, response.match);
  } else {
    reject(*progress, response);
  }
  if (confirms) confirm_reads(*leader);
}

void Raft::accept_match(Leader& leader, Progress& progress, Index match) {
  const bool advanced = match > progress.match;
  progress.match = std::max(progress.match, match);
  switch (progress.state) {
    case Progress::State::kProbe:
      progress.state = Progress::State::kReplicate;
      progress.next = progress.match.next();
      progress.probe_sent = false;
      break;
    case Progress::State::kSnapshot:
      progress.next = std::max(progress.next, progress.match.next());
      // Enough was found there after all, for example from a leader before.
      if (progress.match.next() >= log_.first_index()) to_probe(progress, progress.match.next());
      break;
    case Progress::State::kReplicate:
      progress.next = std::max(progress.next, progress.match.next());
      while (!progress.inflight.empty() && progress.inflight.front().last <= progress.match) {
        progress.inflight_bytes -= progress.inflight.front().bytes;
        progress.inflight.pop_front();
      }
      break;
  }
  if (!advanced) return;
  maybe_commit(leader);
  maybe_finish_transfer(leader);
}

// Ongaro 3.5: go back to where the logs may agree. Answers to requests that are no longer in question are
// ignored.
void Raft::reject(Progress& progress, const AppendResponse& response) {
  if (progress.state == Progress::State::kSnapshot || response.rejected_prev <= progress.match) return;
  if (progress.state == Progress::State::kProbe && response.rejected_prev != progress.next.prev()) return;
  if (response.rejected_prev >= progress.next) return;
  Index agreed = response.hint_index;
  if (agreed >= log_.snapshot_index()) agreed = log_.last_with_term_at_most(agreed, response.hint_term);
  const Index next = std::min(agreed.next(), response.rejected_prev);
  to_probe(progress, std::max(next, progress.match.next()));
}

void Raft::to_probe(Progress& progress, Index next) {
  progress.state = Progress::State::kProbe;
  progress.next = next;
  progress.probe_sent = false;
  progress.commit_sent = Index{};
  progress.inflight.clear();
  progress.inflight_bytes = 0;
}

// Figure 2, leaders: the highest index that a majority holds durably, if its entry is of this term (5.4.2,
// Figure 8: an earlier term's entry is never committed by counting). The leader's own disk counts only as far
// as it is durable.
void Raft::maybe_commit(Leader& leader) {
  const Index held = majority_of<Index>(configuration_, leader, durable_index_, Index{},
                                        [](const Progress& progress) { return progress.match; });
  if (held <= committed_ || held < leader.first_own_index) return;
  const bool first = committed_ < leader.first_own_index;
  advance_commit_to(held);
  if (first) confirm_reads(leader);
}

// Sends, at the end of a drain, all that came together in it: new entries and a new commit index in one
// message.
void Raft::flush(Leader& leader) {
  for (auto& [id, progress] : leader.progress) send_what_fits(id, progress);
}

void Raft::send_what_fits(ServerId to, Progress& progress) {
  if (progress.state == Progress::State::kSnapshot) return;
  if (progress.state == Progress::State::kProbe) {
    if (!progress.probe_sent) send_append(to, progress, true);
    return;
  }
  while (progress.next <= log_.last_index() && progress.inflight.size() < options_.inflight_messages_max &&
         progress.inflight_bytes < options_.inflight_bytes_max) {
    send_append(to, progress, true);
    if (progress.state != Progress::State::kReplicate) return;
  }
  const Index commit = std::min(committed_, progress.match);
  if (commit > progress.commit_sent) {
    progress.commit_sent = commit;
    send(to, Heartbeat{commit, 0});
  }
}

void Raft::send_append(ServerId to, Progress& progress, bool with_entries) {
  const Index prev = progress.next.prev();
  const std::optional<Term> prev_term = log_.term_at(prev);
  if (!prev_term) {
    to_snapshot(to, progress);
    return;
  }
  AppendRequest request;
  request.prev_index = prev;
  request.prev_term = *prev_term;
  request.commit = committed_;
  request.round = std::get<Leader>(role_).round;
  if (with_entries) request.entries = log_.read(progress.next, options_.append_bytes_max);
  const Index last = prev + request.entries.size();
  progress.commit_sent = std::max(progress.commit_sent, std::min(committed_, last));
  if (progress.state == Progress::State::kProbe) {
    progress.probe_sent = true;
  } else if (!request.entries.empty()) {
    size_t bytes = 0;
    for (const Entry& entry : request.entries) bytes += entry.encoded.size();
    progress.inflight.push_back({last, bytes, now_});
    progress.inflight_bytes += bytes;
    progress.next = last.next();
  }
  send(to, std::move(request));
}

// With heartbeats: whatever should have been answered by now is asked about again, without repeating the
// entries. A follower that lacks them refuses, one that has them answers when they are durable.
void Raft::recheck(ServerId to, Progress& progress) {
  switch (progress.state) {
    case Progress::State::kProbe:
      if (progress.probe_sent) send_append(to, progress, false);
      break;
    case Progress::State::kReplicate:
      if (!progress.inflight.empty() &&
          progress.inflight.front().sent + options_.heartbeat_interval <= now_) {
        send_append(to, progress, false);
      }
      break;
    case Progress::State::kSnapshot:
      send_snapshot_request(to);
      break;
  }
}

}  // namespace quorate::raft
