// Who leads: timeouts, pre-votes, votes, and the change from one role to another.
#include <algorithm>
#include <utility>

#include "base/check.h"
#include "raft/quorum.h"
#include "raft/raft.h"

namespace quorate::raft {
namespace {

// Timeouts are stretched by two to the power of this at most.
constexpr uint32_t kDoublingsMax = 4;

// Ongaro 3.6.1: a log is at least as complete as another one if its last term is higher, or the same and it
// is at least as long.
bool at_least_as_complete(Index last_index, Term last_term, const Log& log) {
  if (last_term != log.last_term()) return last_term > log.last_term();
  return last_index >= log.last_index();
}

std::string text(Term term) { return std::to_string(term.value()); }
std::string text(ServerId id) { return std::to_string(id.value()); }

}  // namespace

// Ongaro 3.4: randomised, so that servers seldom stand at the same time. And longer after elections in vain:
// where a vote takes the disks longer than the timeout, none would ever be won (3.9: the timeout must be an
// order of magnitude above the time of a broadcast, which contains the writes).
Instant Raft::next_timeout() {
  const int64_t stretch = int64_t{1} << std::min(elections_in_vain_, kDoublingsMax);
  return now_ +
         random_.between(stretch * options_.election_timeout_min, stretch * options_.election_timeout_max);
}

// When to try again while nobody leads: soon if the leader's process seems to be gone, so that no live one is
// disturbed.
Instant Raft::next_try() {
  if (lost_leader_ == ServerId{}) return next_timeout();
  return now_ + random_.between(options_.retry_min, options_.retry_max);
}

// Rounds and matches are a leader's own: echoed to the next one they would confirm what it never asked.
void Raft::forget_leader_of_old_term() {
  matched_ = Index{};
  ack_owed_ = false;
  ack_round_ = 0;
}

void Raft::become_follower(Term term, ServerId leader, std::string reason) {
  const bool new_term = term > hard_state_.term;
  const bool was_leader = is_leader();
  if (auto* old = std::get_if<Leader>(&role_)) {
    for (const PendingRead& read : old->reads) output_.reads_failed.push_back(read.context);
  }
  if (new_term) {
    set_hard_state(HardState{term, {}});
    forget_leader_of_old_term();
  }
  // A follower that waits for its leader keeps its timeout: only a granted vote or a leader restarts it
  // (Figure 2).
  const bool waits = std::holds_alternative<Follower>(role_) || std::holds_alternative<PreCandidate>(role_);
  role_ = Follower{leader, now_};
  if (!may_vote_ || !may_lead_) {
    election_deadline_ = leader == ServerId{} ? kNever : next_timeout();
  } else if (was_leader || leader != ServerId{}) {
    election_deadline_ = next_timeout();
  } else if (!waits) {
    election_deadline_ = next_try();
  }
  report(std::move(reason));
}

// The election timeout passed without a leader, or a candidate's without an outcome.
void Raft::election_due() {
  if (!may_vote_ || !may_lead_) {
    if (leader() != ServerId{}) become_follower(hard_state_.term, {}, "heard nothing from the leader");
    election_deadline_ = kNever;
    return;
  }
  // Who cannot write cannot lead: it would keep the others quiet and commit nothing.
  if (disk_stalled()) {
    election_deadline_ = next_timeout();
    if (leader() != ServerId{})
      become_follower(hard_state_.term, {}, "heard nothing from the leader, own disk stalled");
    return;
  }
  if (lost_leader_ != ServerId{}) {
    start_pre_vote("leader " + text(lost_leader_) + " is unreachable");
  } else {
    start_pre_vote("heard from no leader for an election timeout");
  }
}

// Ongaro 9.6: ask first whether an election could be won, and disturb nobody if not.
void Raft::start_pre_vote(std::string reason) {
  role_ = PreCandidate{{options_.id}, {}};
  election_deadline_ = next_try();
  report(std::move(reason));
  const VoteRequest request{true, false, log_.last_index(), log_.last_term()};
  for (const Member& member : configuration_.members) {
    if (member.role == MemberRole::kVoter && member.id != options_.id) {
      send(member.id, hard_state_.term.next(), request);
    }
  }
  count_votes();
}

void Raft::set_may_lead(bool may_lead) {
  CHECK_MSG(!is_leader(), "a server that leads has a state");
  const bool again = may_lead && !may_lead_;
  may_lead_ = may_lead;
  if (again && may_vote_) election_deadline_ = std::min(election_deadline_, next_timeout());
}

void Raft::start_election(bool transfer, std::string reason) {
  CHECK(may_vote_ && may_lead_);
  set_hard_state(HardState{hard_state_.term.next(), options_.id});
  forget_leader_of_old_term();
  // Our own vote joins `granted` when it is durable.
  role_ = Candidate{};
  election_deadline_ = next_timeout();
  ++elections_in_vain_;
  report(std::move(reason));
  const VoteRequest request{false, transfer, log_.last_index(), log_.last_term()};
  for (const Member& member : configuration_.members) {
    if (member.role == MemberRole::kVoter && member.id != options_.id) send(member.id, request);
  }
}

void Raft::on_own_vote_durable() {
  auto* candidate = std::get_if<Candidate>(&role_);
  if (candidate == nullptr) return;
  candidate->granted.insert(options_.id);
  count_votes();
}

void Raft::count_votes() {
  std::vector<ServerId> voters;
  for (const Member& member : configuration_.members) {
    if (member.role == MemberRole::kVoter) voters.push_back(member.id);
  }
  auto outcome = [this, &voters](const std::set<ServerId>& granted, std::set<ServerId> refused) {
    // Nothing is to be expected of a leader whose process seems to be gone.
    if (lost_leader_ != ServerId{}) refused.insert(lost_leader_);
    return vote_outcome(voters, granted, refused);
  };
  if (const auto* pre = std::get_if<PreCandidate>(&role_)) {
    const VoteOutcome result = outcome(pre->granted, pre->refused);
    if (result == VoteOutcome::kWon) start_election(false, "a majority would vote for this server");
    if (result == VoteOutcome::kLost) election_deadline_ = std::min(election_deadline_, next_try());
  } else if (const auto* candidate = std::get_if<Candidate>(&role_)) {
    const VoteOutcome result = outcome(candidate->granted, candidate->refused);
    // Others were asked only once our term was durable, so a majority before that is a mistake of theirs.
    if (result == VoteOutcome::kWon && hard_state_ == durable_hard_state_) become_leader();
    if (result == VoteOutcome::kLost) election_deadline_ = std::min(election_deadline_, next_try());
  }
}

void Raft::become_leader() {
  CHECK(hard_state_ == durable_hard_state_ && hard_state_.vote == options_.id);
  Leader leader;
  leader.first_own_index = log_.last_index().next();
  leader.next_heartbeat = now_ + options_.heartbeat_interval;
  leader.next_recheck = leader.next_heartbeat;
  for (const Member& member : configuration_.members) {
    if (member.id == options_.id) continue;
    Progress progress;
    progress.next = leader.first_own_index;
    progress.last_answer = now_;
    leader.progress.emplace(member.id, std::move(progress));
  }
  for (Index index = committed_.next(); index <= log_.last_index(); index = index.next()) {
    leader.uncommitted_bytes += log_.at(index).encoded.size();
  }
  // Ongaro 3.6.2 and 6.4: an entry of its own term commits what earlier terms left, and tells it what is
  // committed.
  const Proposal noop{EntryKind::kNoop, {}};
  std::vector<Entry> entries = encode_entries(hard_state_.term, leader.first_own_index, {&noop, 1});
  leader.uncommitted_bytes += entries.front().encoded.size();
  append_to_log(std::move(entries.front()));
  lost_leader_ = ServerId{};
  elections_in_vain_ = 0;
  role_ = std::move(leader);
  report("won the election of term " + text(hard_state_.term));
}

// Whether a leader that may still live was promised that nobody gets a vote (Ongaro 4.2.3, and DESIGN "Fast
// failover"). A candidate that was told to stand by that very leader is exempt.
bool Raft::promised_to_leader(const Message& message, const VoteRequest& request) const {
  if (const auto* leader = std::get_if<Leader>(&role_)) {
    if (request.transfer && message.term == hard_state_.term.next()) return false;
    // Its own contact is as old as the last answered round; a candidate that only lost its link to us must
    // not win by our vote.
    return now_ < quorum_contact(*leader) + options_.election_timeout_min;
  }
  if (request.transfer && message.term == lease_term_.next()) return false;
  return now_ < lease_until_;
}

void Raft::handle(const Message& message, const VoteRequest& request) {
  const bool eligible = may_vote_ && message.counts && configuration_.is_voter(message.from) &&
                        at_least_as_complete(request.last_index, request.last_term, log_);
  if (request.pre) {
    const bool grant = eligible && message.term > hard_state_.term && !promised_to_leader(message, request);
    // Let the one that asked first have its election before standing as well.
    if (grant && lost_leader_ != ServerId{}) election_deadline_ = std::max(election_deadline_, next_try());
    send(message.from, grant ? message.term : hard_state_.term, VoteResponse{true, grant});
    return;
  }
  const bool repeated = hard_state_.vote == message.from;
  const bool grant =
      repeated || (eligible && hard_state_.vote == ServerId{} && !promised_to_leader(message, request));
  if (grant && !repeated) {
    set_hard_state(HardState{hard_state_.term, message.from});
    if (std::holds_alternative<PreCandidate>(role_)) {
      become_follower(hard_state_.term, {},
                      "voted for " + text(message.from) + " in term " + text(hard_state_.term));
    }
    election_deadline_ = next_timeout();
    ++elections_in_vain_;
  }
  send(message.from, VoteResponse{false, grant});
}

void Raft::handle(const Message& message, const VoteResponse& response) {
  if (!configuration_.is_voter(message.from)) return;
  const bool granted = response.granted && message.counts;
  if (response.pre) {
    auto* pre = std::get_if<PreCandidate>(&role_);
    if (pre == nullptr || (response.granted && message.term != hard_state_.term.next())) return;
    (granted ? pre->granted : pre->refused).insert(message.from);
  } else {
    auto* candidate = std::get_if<Candidate>(&role_);
    if (candidate == nullptr) return;
    (granted ? candidate->granted : candidate->refused).insert(message.from);
  }
  count_votes();
}

// Ongaro 3.10: the leader saw to it that our log is complete, and asks for the election at once.
void Raft::handle(const Message& message, const TimeoutNow&) {
  const auto* follower = std::get_if<Follower>(&role_);
  if (follower == nullptr || follower->leader != message.from) return;
  if (!may_vote_ || !may_lead_ || disk_stalled()) return;
  start_election(true, "leader " + text(message.from) + " hands over its leadership");
}

// A reset connection proves nothing, so the pre-vote waits for what was promised to that leader; the rank
// keeps survivors from splitting the vote.
void Raft::peer_unreachable(Instant now, ServerId peer) {
  observe(now);
  if (auto* leader = std::get_if<Leader>(&role_)) {
    const auto found = leader->progress.find(peer);
    if (found != leader->progress.end() && found->second.state == Progress::State::kReplicate) {
      to_probe(found->second, found->second.match.next());
    }
    return;
  }
  const auto* follower = std::get_if<Follower>(&role_);
  if (follower == nullptr || follower->leader != peer || peer == ServerId{}) return;
  if (!may_vote_ || !may_lead_) return;
  lost_leader_ = peer;
  int64_t rank = 0;
  for (const Member& member : configuration_.members) {
    if (member.role != MemberRole::kVoter || member.id == peer) continue;
    if (member.id == options_.id) break;
    ++rank;
  }
  const Instant stand =
      std::max(now_, follower->last_heard + options_.lease) + rank * options_.failover_stagger;
  election_deadline_ = std::min(election_deadline_, stand);
}

}  // namespace quorate::raft
