// Inputs come in here, outputs leave here; what is durable, and what waits for it, is decided here.
#include "raft/raft.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace quorate::raft {
namespace {

// No server gets here by standing in elections: a message beyond it is damaged or forged, and would make
// terms wrap.
constexpr Term kTermMax{uint64_t{1} << 62};

// Compacted entries whose memory is given back with each output: some 20 us of work.
constexpr size_t kReleasedAtOnce = 128;

bool speaks_for_leader(const Body& body) {
  return std::holds_alternative<AppendRequest>(body) || std::holds_alternative<Heartbeat>(body) ||
         std::holds_alternative<SnapshotRequest>(body);
}

}  // namespace

std::string_view role_name(RoleName role) {
  switch (role) {
    case RoleName::kFollower:
      return "follower";
    case RoleName::kPreCandidate:
      return "pre-candidate";
    case RoleName::kCandidate:
      return "candidate";
    case RoleName::kLeader:
      return "leader";
  }
  return "unknown";
}

Raft::Raft(const Options& options, Recovered recovered, uint64_t seed, Instant now)
    : options_(options),
      random_(seed),
      now_(now),
      hard_state_(recovered.hard_state),
      log_(recovered.snapshot_index, recovered.snapshot_term, std::move(recovered.entries)) {
  CHECK_MSG(options_.id != ServerId{}, "a server needs an id");
  const bool state_ahead = recovered.applied > log_.snapshot_index();
  if (state_ahead && !log_.matches(recovered.applied, recovered.applied_term)) {
    log_.reset(recovered.applied, recovered.applied_term);
  }
  CHECK_MSG(hard_state_.term >= log_.last_term(),
            "the log holds entries of a term that the term on disk has not reached");
  committed_ = applied_ = std::max(log_.snapshot_index(), recovered.applied);
  if (recovered.snapshot_configuration) {
    configurations_.push_back({log_.snapshot_index(), std::move(*recovered.snapshot_configuration)});
  }
  // What the state knows of the members is at least as new as entries that it holds.
  const Index known = configurations_.empty() ? Index() : applied_;
  for (Index index = std::max(log_.first_index(), known.next()); index <= log_.last_index();
       index = index.next()) {
    const Entry& entry = log_.at(index);
    if (entry.kind != EntryKind::kConfiguration) continue;
    Result<Configuration> configuration = decode_configuration(entry.payload());
    configurations_.push_back({index, std::move(configuration).value()});
  }
  CHECK_MSG(!configurations_.empty(), "a log begins with a configuration, in entry 1 or in its snapshot");
  CHECK_MSG(configurations_.front().index <= std::max(log_.snapshot_index(), Index(1)),
            "what a log begins with is a configuration, in entry 1 or in its snapshot");
  adopt_configuration();

  const auto rounds_max = options_.election_timeout_min / (3 * options_.heartbeat_interval);
  options_.heartbeats_per_round = static_cast<uint32_t>(
      std::clamp<int64_t>(rounds_max, 1, std::max<int64_t>(1, options_.heartbeats_per_round)));

  durable_index_ = log_.last_index();
  durable_hard_state_ = hard_state_;
  handed_hard_state_ = hard_state_;
  next_to_hand_ = log_.last_index().next();
  // A promise that an earlier run gave to a leader may still be in force.
  lease_until_ = now + options_.lease;
  lease_term_ = hard_state_.term;
  // Nobody else can lead a cluster of one, so there is nobody to wait for.
  const bool alone = may_vote_ && configuration_.voter_count() == 1;
  election_deadline_ = alone ? now : may_vote_ ? next_timeout() : kNever;
}

void Raft::observe(Instant now) { now_ = std::max(now_, now); }

void Raft::tick(Instant now) {
  observe(now);
  if (auto* leader = std::get_if<Leader>(&role_)) {
    tick_leader(*leader);
  } else if (now_ >= election_deadline_) {
    election_due();
  }
}

Instant Raft::deadline() const {
  const auto* leader = std::get_if<Leader>(&role_);
  if (leader == nullptr) return election_deadline_;
  if (leader->transfer_target == ServerId{}) return leader->next_heartbeat;
  return std::min(leader->next_heartbeat, leader->transfer_deadline);
}

void Raft::receive(Instant now, Message message) {
  observe(now);
  if (message.to != options_.id || message.from == options_.id) return;
  if (configuration_.find(message.from) == nullptr || message.term > kTermMax) return;
  if (!settle_term(message)) return;
  std::visit([this, &message](const auto& body) { handle(message, body); }, message.body);
}

// Figure 2, "Rules for Servers", all servers: a higher term is adopted, a lower one is told ours. False: the
// message is dealt with.
bool Raft::settle_term(const Message& message) {
  const auto* vote_request = std::get_if<VoteRequest>(&message.body);
  const auto* vote_response = std::get_if<VoteResponse>(&message.body);
  // The term of a pre-vote, asked or granted, is one that nobody is in yet (Ongaro 9.6).
  if (vote_request != nullptr && vote_request->pre) return true;
  if (vote_response != nullptr && vote_response->pre) {
    if (vote_response->granted || message.term <= hard_state_.term) return true;
  }
  if (message.term == hard_state_.term) return true;
  if (message.term < hard_state_.term) {
    answer_stale(message);
    return false;
  }
  if (vote_request != nullptr) {
    // Ongaro 4.2.3: who hears from a leader ignores candidates, and does not even take their term.
    if (promised_to_leader(message, *vote_request)) return false;
    become_follower(message.term, {},
                    "asked for a vote in term " + std::to_string(message.term.value()) + " by " +
                        std::to_string(message.from.value()));
    return true;
  }
  // A leader of that term announces itself in the handler.
  if (!speaks_for_leader(message.body) || !configuration_.is_voter(message.from)) {
    become_follower(message.term, {},
                    "heard of term " + std::to_string(message.term.value()) + " from " +
                        std::to_string(message.from.value()));
    return true;
  }
  become_follower(message.term, message.from,
                  "heard from the leader of term " + std::to_string(message.term.value()));
  return true;
}

void Raft::observe_term(Instant now, Term term) {
  observe(now);
  if (term <= hard_state_.term || term > kTermMax) return;
  become_follower(term, {}, "a state was offered in term " + std::to_string(term.value()));
}

void Raft::answer_stale(const Message& message) {
  if (std::holds_alternative<VoteRequest>(message.body)) send(message.from, VoteResponse{});
  if (speaks_for_leader(message.body)) send(message.from, HeartbeatResponse{});
}

// What leaves in a term rests on the term and the vote in it, so it waits until a disk holds them (Figure 2,
// "persistent state: updated on stable storage before responding to RPCs").
void Raft::send(ServerId to, Term term, Body body) {
  Message message{options_.id, to, term, options_.boot, may_vote_, std::move(body),
                  declines_ || !may_lead_};
  if (hard_state_ == durable_hard_state_) {
    output_.messages.push_back(std::move(message));
    return;
  }
  // A later message says all that an earlier one of its kind did, so what waits is bounded.
  const auto same = std::find_if(held_.begin(), held_.end(), [&message](const Message& held) {
    return held.to == message.to && held.body.index() == message.body.index();
  });
  if (same == held_.end()) {
    held_.push_back(std::move(message));
  } else {
    *same = std::move(message);
  }
}

void Raft::set_hard_state(HardState state) {
  CHECK(state.term >= hard_state_.term);
  if (state.term > hard_state_.term) held_.clear();
  hard_state_ = state;
}

void Raft::append_to_log(Entry entry) {
  if (entry.kind == EntryKind::kConfiguration) {
    configurations_.push_back({entry.index, decode_configuration(entry.payload()).value()});
    adopt_configuration();
  }
  log_.append(std::move(entry));
}

void Raft::truncate_log(Index index) {
  CHECK_MSG(index > committed_, "the leader's log contradicts entries that are committed here");
  log_.truncate_from(index);
  next_to_hand_ = std::min(next_to_hand_, index);
  matched_ = std::min(matched_, index.prev());
  clamp_durable(index.prev());
  while (configurations_.back().index >= index) configurations_.pop_back();
  adopt_configuration();
}

// Writes of entries that are replaced must never make their successors durable.
void Raft::clamp_durable(Index last) {
  durable_index_ = std::min(durable_index_, last);
  for (PendingWrite& write : pending_writes_) write.last = std::min(write.last, last);
}

// A server uses the latest configuration in its log, committed or not (Ongaro 4.1).
void Raft::adopt_configuration() {
  configuration_ = configurations_.back().configuration;
  const Member* self = configuration_.find(options_.id);
  may_vote_ =
      self != nullptr && self->role == MemberRole::kVoter && self->incarnation == options_.incarnation;
}

void Raft::advance_commit_to(Index index) {
  CHECK(index <= log_.last_index());
  if (index <= committed_) return;
  if (auto* leader = std::get_if<Leader>(&role_)) {
    for (Index at = committed_.next(); at <= index; at = at.next()) {
      leader->uncommitted_bytes -= log_.at(at).encoded.size();
    }
  }
  committed_ = index;
}

const Configuration& Raft::configuration_at(Index index) const {
  CHECK(index >= log_.snapshot_index());
  const KnownConfiguration* found = &configurations_.front();
  for (const KnownConfiguration& known : configurations_) {
    if (known.index <= index) found = &known;
  }
  return found->configuration;
}

bool Raft::disk_stalled() const {
  return !pending_writes_.empty() && now_ - pending_writes_.front().since > options_.election_timeout_max;
}

// A server that waits for its disk hears nobody, and a candidate asks nobody before its own vote is durable:
// such time is no silence of the others. Bounded, for behind a long one the leader may well be dead.
void Raft::forgive_silence(Instant since) {
  const Duration by = std::min(now_ - std::max(since, forgiven_until_), options_.election_timeout_max);
  forgiven_until_ = now_;
  lease_until_ += by;
  if (election_deadline_ != kNever) election_deadline_ += by;
}

void Raft::persisted(Instant now, Ticket ticket) {
  observe(now);
  CHECK_MSG(ticket <= last_ticket_, "a ticket that was never handed out cannot be durable");
  if (!pending_writes_.empty() && pending_writes_.front().ticket <= ticket)
    forgive_silence(pending_writes_.front().since);
  while (!pending_writes_.empty() && pending_writes_.front().ticket <= ticket) {
    const PendingWrite& write = pending_writes_.front();
    durable_index_ = std::max(durable_index_, write.last);
    if (write.hard_state) durable_hard_state_ = *write.hard_state;
    pending_writes_.pop_front();
  }
  if (hard_state_ == durable_hard_state_) {
    for (Message& message : held_) output_.messages.push_back(std::move(message));
    held_.clear();
    on_own_vote_durable();
  }
  if (auto* leader = std::get_if<Leader>(&role_)) {
    maybe_commit(*leader);
  } else if (ack_owed_) {
    acknowledge();
  }
}

void Raft::applied(Index index) {
  CHECK_MSG(index <= committed_, "only committed entries may be applied");
  CHECK_MSG(index >= applied_, "the applied index never falls");
  applied_ = index;
}

Output Raft::take_output() {
  log_.release(kReleasedAtOnce);
  if (auto* leader = std::get_if<Leader>(&role_)) {
    if (leader->round_wanted) start_round(*leader);
    flush(*leader);
  }
  Output output = std::move(output_);
  output_ = Output{};
  output.committed = committed_;

  if (hard_state_ != handed_hard_state_) output.hard_state = hard_state_;
  if (next_to_hand_ <= log_.last_index()) output.entries = log_.read(next_to_hand_, SIZE_MAX);
  if (output.hard_state || !output.entries.empty()) {
    last_ticket_ = last_ticket_.next();
    output.ticket = last_ticket_;
    const Index last = output.entries.empty() ? durable_index_ : log_.last_index();
    pending_writes_.push_back({last_ticket_, last, output.hard_state, now_});
    handed_hard_state_ = hard_state_;
    next_to_hand_ = log_.last_index().next();
  }
  return output;
}

ServerId Raft::leader() const {
  if (is_leader()) return options_.id;
  const auto* follower = std::get_if<Follower>(&role_);
  return follower == nullptr ? ServerId{} : follower->leader;
}

RoleName Raft::role_name() const {
  if (std::holds_alternative<Follower>(role_)) return RoleName::kFollower;
  if (std::holds_alternative<PreCandidate>(role_)) return RoleName::kPreCandidate;
  if (std::holds_alternative<Candidate>(role_)) return RoleName::kCandidate;
  return RoleName::kLeader;
}

bool Raft::has_committed_own_term() const {
  const auto* leader = std::get_if<Leader>(&role_);
  return leader != nullptr && committed_ >= leader->first_own_index;
}

void Raft::report(std::string reason) {
  RoleChange change{hard_state_.term, role_name(), leader(), std::move(reason)};
  // Trying the same again, many times a second, is no news.
  const bool news = change.term != reported_.term || change.role != reported_.role ||
                    change.leader != reported_.leader || change.reason != reported_.reason;
  if (!news) return;
  reported_ = change;
  output_.changes.push_back(std::move(change));
}

}  // namespace quorate::raft
