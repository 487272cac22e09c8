// Raft, as in Ongaro's dissertation "Consensus: Bridging Theory and Practice" (2014), and nothing else: it
// knows neither what is in an entry nor how a message travels, and it owns no clock, thread, file, socket or
// random device. What happens is handed in; what must be done comes out of take_output().
//
// Why no callbacks: a callback runs in the middle of a step, sees half-changed state, and may call back in. A
// struct that is handed out at the end of a step can be looked at, delayed, dropped and replayed by a
// simulator.
//
// Thread safety: none. One owner.
//
// Invariants (checked by raft/invariants.h after every simulated step):
//   snapshot_index <= applied <= committed <= last_index (log_ may begin before what a checkpoint holds)
//   durable_index <= last_index
//   a term has at most one leader; the term and the commit index never fall
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "base/ids.h"
#include "base/random.h"
#include "base/result.h"
#include "base/time.h"
#include "raft/configuration.h"
#include "raft/log.h"
#include "raft/message.h"

namespace quorate::raft {

struct Options {
  ServerId id;
  Incarnation incarnation;
  BootNonce boot;

  // Each election without an outcome doubles them, up to 16 times: disks or links may be that slow.
  Duration election_timeout_min = std::chrono::milliseconds(150);
  Duration election_timeout_max = std::chrono::milliseconds(300);
  Duration heartbeat_interval = std::chrono::milliseconds(10);
  // Of so many heartbeats one is a round that followers answer, unless a read waits: an idle cluster then
  // does half as much. Lowered by the constructor until a round is at most a third of election_timeout_min,
  // for check-quorum's sake.
  uint32_t heartbeats_per_round = 5;
  // No (pre-)vote within this of hearing from a leader, nor of our own start.
  Duration lease = std::chrono::milliseconds(30);
  // Fast failover: a follower that lost its connection to the leader stands after the lease plus its rank
  // times this.
  Duration failover_stagger = std::chrono::milliseconds(4);
  // A lost election is tried again after a random time between these, while no leader is known to live.
  Duration retry_min = std::chrono::milliseconds(10);
  Duration retry_max = std::chrono::milliseconds(40);
  // A leadership transfer that has not happened by then is given up.
  Duration transfer_timeout = std::chrono::milliseconds(300);

  size_t append_bytes_max = 1 << 20;    // entries in one AppendRequest
  size_t inflight_messages_max = 64;    // AppendRequests without an answer, for each follower
  size_t inflight_bytes_max = 8 << 20;  // their bytes, for each follower
  // Beyond this a leader refuses proposals with kOverloaded; to begin with it takes any.
  size_t uncommitted_bytes_max = 64 << 20;
};

// What was found on disk.
struct Recovered {
  HardState hard_state;
  Index snapshot_index;  // the log begins behind this; 0: with entry 1
  Term snapshot_term;
  // As of `applied`, or of snapshot_index where that is further. Not needed where the log begins with
  // entry 1.
  std::optional<Configuration> snapshot_configuration = std::nullopt;
  std::vector<Entry> entries = {};
  // A durable state holds everything up to here; 0: none does. The log may begin before it, and may lack it
  // where the process ended before the log was cut behind a state that came from a peer: then it is
  // forgotten.
  Index applied = Index();
  Term applied_term = Term();  // of the entry with that index
};

enum class RoleName : uint8_t { kFollower, kPreCandidate, kCandidate, kLeader };
std::string_view role_name(RoleName role);

// Answer to read_index(): once `index` is applied, a read is linearizable (Ongaro 6.4).
struct ReadReady {
  uint64_t context = 0;
  Index index;
};

// For the log of the process: what changed and why, in words ("heard of term 8 from 3", "own disk stalled").
struct RoleChange {
  Term term;
  RoleName role = RoleName::kFollower;
  ServerId leader;  // 0: none known
  std::string reason;
};

struct Output {
  // To write in this order as one group: the hard state if any, then the entries. An entry whose index is not
  // beyond the end of the log on disk replaces that one and everything behind it. When all of it is durable
  // hand `ticket` back by persisted(). 0: nothing to write.
  std::optional<HardState> hard_state;
  std::vector<Entry> entries;
  Ticket ticket;
  // May leave at once, also before the write above: whatever must wait for a disk waits inside Raft.
  std::vector<Message> messages;
  // Entries up to here may be applied.
  Index committed;
  std::vector<ReadReady> reads_ready;
  // Contexts of read_index() that will never be ready here: leadership was lost.
  std::vector<uint64_t> reads_failed;
  // The leader's log no longer reaches back to what is missing here: a state is needed that holds everything
  // up to here. Told again with every SnapshotRequest until install_snapshot(), or until entries arrive after
  // all.
  Index state_needed;
  std::vector<RoleChange> changes;
};

// What a leader knows of another member.
struct Progress {
  enum class State : uint8_t { kProbe, kReplicate, kSnapshot };
  struct Inflight {
    Index last;
    size_t bytes = 0;
    Instant sent;
  };

  State state = State::kProbe;
  Index match;    // durable there
  Index next{1};  // to send
  uint64_t round_acked = 0;
  BootNonce boot;  // the run these facts are about
  std::set<BootNonce> retired_boots;
  // While two runs were heard of nobody can tell which one lives: none counts. The first to answer
  // `doubt_round`, a round that started after both were seen, is the living one.
  std::set<BootNonce> contenders;
  uint64_t doubt_round = 0;
  bool counts = true;
  bool declines = false;
  bool probe_sent = false;
  Index commit_sent;  // the newest commit index it was told and may act on
  Instant last_answer;
  std::deque<Inflight> inflight;
  size_t inflight_bytes = 0;
};

struct PendingRead {
  uint64_t context = 0;
  uint64_t round = 0;  // confirmed when a quorum has acknowledged it
  Index index;
};

struct Follower {
  ServerId leader;
  Instant last_heard;  // from a leader of this term
};
struct PreCandidate {
  std::set<ServerId> granted, refused;
};
struct Candidate {
  std::set<ServerId> granted, refused;
};
struct Leader {
  Index first_own_index;                  // the no-op of this term: reads wait until it is committed
  std::map<ServerId, Progress> progress;  // of every other member
  uint64_t round = 0;                     // newest confirmation round started
  bool round_wanted = false;              // a read waits for a round that has not started
  std::deque<PendingRead> reads;
  Instant next_heartbeat;
  Instant next_recheck;      // of what should have been answered
  uint32_t heartbeats = 0;   // since the last round
  ServerId transfer_target;  // 0: none
  bool transfer_sent = false;
  Instant transfer_deadline;
  size_t uncommitted_bytes = 0;
};
using Role = std::variant<Follower, PreCandidate, Candidate, Leader>;

class Raft {
 public:
  // REQUIRES: the recovered log begins with a configuration (an entry 1, or the snapshot's).
  Raft(const Options& options, Recovered recovered, uint64_t seed, Instant now);

  // Does what is due: elections, heartbeats, check-quorum. Call it at or after deadline(); earlier is
  // harmless.
  void tick(Instant now);
  // When tick() next has something to do.
  Instant deadline() const;

  void receive(Instant now, Message message);

  // Appends to the leader's log; consecutive indexes from the returned one on. All of them or none.
  // Errors: kNotLeader (also while leadership is being handed over), kOverloaded (uncommitted_bytes_max),
  // kUnsupported for a configuration.
  Result<Index> propose(Instant now, std::span<const Proposal> proposals);

  // Everything of the output with this ticket, and of those before it, is durable. Never speaks for entries
  // that were replaced meanwhile.
  void persisted(Instant now, Ticket ticket);

  // The connection to that server was reset or refused: a hint, no proof, that its process is gone.
  void peer_unreachable(Instant now, ServerId peer);

  // Asks, on the leader, for an index that covers everything committed anywhere before now. Answered in
  // reads_ready, or in reads_failed when leadership is lost first. Errors: kNotLeader.
  Status read_index(Instant now, uint64_t context);

  // Hands leadership to `target`, or (0) to the voter that is furthest. Errors: kNotLeader, kInvalidArgument
  // for one that is no other voter, kUnavailable if none answers that would take it.
  Status transfer_leadership(Instant now, ServerId target);

  // The state machine has applied up to here.
  void applied(Index index);
  // A durable checkpoint covers everything up to here: the log in memory may be cut.
  // REQUIRES: index <= applied_index(), index <= durable_index().
  void compact(Index index);
  // A server in that term gave us something that it knew to be committed. To be called, and the term to be
  // durable, before a state from there is put in place: no leader of an earlier term need have what the state
  // holds.
  void observe_term(Instant now, Term term);
  // A state from another server is in place and durable: it holds everything up to `index`, and all of that
  // is committed. Afterwards applied_index() is `index`. What is known of the log behind it stays; a log that
  // does not hold that entry with that term is forgotten, log().snapshot_index() is `index` then, and the log
  // on disk must be cut there before anything more is written to it. REQUIRES: index >= applied_index(); a
  // term that was observed (observe_term) and is durable.
  void install_snapshot(Instant now, Index index, Term term, const Configuration& configuration);
  // A server without a state votes and acknowledges as any other, but stands in no election. Initially it may
  // lead. REQUIRES: it does not lead.
  void set_may_lead(bool may_lead);
  // Nobody hands leadership to who declines. It stands in elections all the same: it may be the only one
  // whose log is complete.
  void set_declines(bool declines) { declines_ = declines; }

  // What is to be done now. Leaves nothing behind: a second call without a step between gives an empty
  // output.
  Output take_output();

  ServerId id() const { return options_.id; }
  Term term() const { return hard_state_.term; }
  ServerId vote() const { return hard_state_.vote; }
  ServerId leader() const;
  RoleName role_name() const;
  bool is_leader() const { return std::holds_alternative<Leader>(role_); }
  // The leader has committed an entry of its own term, so its commit index is the cluster's.
  bool has_committed_own_term() const;
  Index committed() const { return committed_; }
  Index applied_index() const { return applied_; }
  Index durable_index() const { return durable_index_; }
  // The newest term and vote that a disk is known to hold.
  const HardState& durable_hard_state() const { return durable_hard_state_; }
  const Log& log() const { return log_; }
  const Configuration& configuration() const { return configuration_; }
  // As of that entry. REQUIRES: index >= log().snapshot_index().
  const Configuration& configuration_at(Index index) const;
  // False for a wiped folder: the incarnation that the configuration admits is not ours.
  bool may_vote() const { return may_vote_; }
  const Role& role() const { return role_; }
  const Options& options() const { return options_; }

 private:
  // A group of writes that was handed out and is not durable yet.
  struct PendingWrite {
    Ticket ticket;
    Index last;  // of the entries that may be called durable by it: clamped when they are replaced
    std::optional<HardState> hard_state;
    Instant since;
  };
  // A configuration entry of the log, or (first) the one that the log begins with.
  struct KnownConfiguration {
    Index index;
    Configuration configuration;
  };
  // raft.cc
  void observe(Instant now);
  bool settle_term(const Message& message);
  void answer_stale(const Message& message);
  void send(ServerId to, Term term, Body body);
  void send(ServerId to, Body body) { send(to, hard_state_.term, std::move(body)); }
  void set_hard_state(HardState state);
  void append_to_log(Entry entry);
  void truncate_log(Index index);
  void clamp_durable(Index last);
  void adopt_configuration();
  void advance_commit_to(Index index);
  void forgive_silence(Instant since);
  bool disk_stalled() const;
  void report(std::string reason);

  // election.cc
  void forget_leader_of_old_term();
  Instant next_timeout();
  Instant next_try();
  void become_follower(Term term, ServerId leader, std::string reason);
  void election_due();
  void start_pre_vote(std::string reason);
  void start_election(bool transfer, std::string reason);
  void become_leader();
  void on_own_vote_durable();
  void count_votes();
  bool promised_to_leader(const Message& message, const VoteRequest& request) const;
  void handle(const Message& message, const VoteRequest& request);
  void handle(const Message& message, const VoteResponse& response);
  void handle(const Message& message, const TimeoutNow&);

  // replication.cc, the leader's side
  void tick_leader(Leader& leader);
  Instant quorum_contact(const Leader& leader) const;
  Progress* progress_of_run(Leader& leader, const Message& message, uint64_t round);
  bool settle_run(Leader& leader, Progress& progress, BootNonce boot, uint64_t round);
  void handle(const Message& message, const AppendResponse& response);
  void handle(const Message& message, const HeartbeatResponse& response);
  void accept_match(Leader& leader, Progress& progress, Index match);
  void reject(Progress& progress, const AppendResponse& response);
  void maybe_commit(Leader& leader);
  void flush(Leader& leader);
  void send_what_fits(ServerId to, Progress& progress);
  void send_append(ServerId to, Progress& progress, bool with_entries);
  void to_probe(Progress& progress, Index next);
  void recheck(ServerId to, Progress& progress);

  // follower.cc, the follower's side
  bool heard_from_leader(const Message& message);
  void handle(const Message& message, const AppendRequest& request);
  void handle(const Message& message, const Heartbeat& heartbeat);
  void refuse_append(const Message& message, const AppendRequest& request);
  bool take_entries(const AppendRequest& request);
  void acknowledge();

  // reads.cc
  void start_round(Leader& leader);
  void send_heartbeats(Leader& leader, uint64_t round);
  void confirm_reads(Leader& leader);

  // transfer.cc
  void maybe_finish_transfer(Leader& leader);

  // snapshot.cc
  void handle(const Message& message, const SnapshotRequest& request);
  void handle(const Message& message, const SnapshotResponse& response);
  void forget_log(Index index, Term term, const Configuration& configuration);
  void forget_configurations(Index index);
  void to_snapshot(ServerId to, Progress& progress);
  void send_snapshot_request(ServerId to);

  // Constant after construction.
  Options options_;

  Random random_;
  Instant now_;  // of the newest input
  HardState hard_state_;
  Log log_;
  std::vector<KnownConfiguration> configurations_;  // by ascending index, never empty
  Configuration configuration_;                     // the last of them
  bool may_vote_ = false;
  bool may_lead_ = true;
  bool declines_ = false;
  Role role_;
  Index committed_;
  Index applied_;

  // What the disk holds. Invariant: durable_index_ and every PendingWrite::last are indexes of entries of the
  // log as it is; an entry that was replaced is never called durable.
  Index durable_index_;
  HardState durable_hard_state_;
  HardState handed_hard_state_;
  Index next_to_hand_;  // the first entry that no output has carried yet
  Ticket last_ticket_;
  std::deque<PendingWrite> pending_writes_;
  std::vector<Message> held_;  // of this term, until hard_state_ is durable

  // Elections. No vote before lease_until_, which was promised to the leader of lease_term_ (or at our
  // start).
  Instant election_deadline_;
  Instant lease_until_;
  Instant forgiven_until_;  // no silence before this counts
  Term lease_term_;
  ServerId lost_leader_;            // reported unreachable, and no leader heard of since
  uint32_t elections_in_vain_ = 0;  // that we stood or voted in, and no leader heard of since

  // The follower's side of replication, all about the leader of this term.
  Index matched_;          // our log equals its log up to here
  bool ack_owed_ = false;  // an AppendRequest waits for our disk
  uint64_t ack_round_ = 0;

  Output output_;
  RoleChange reported_;  // the newest of Output::changes
};

}  // namespace quorate::raft
