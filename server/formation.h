// Forming a cluster: from empty data folders to one agreed first log entry.
//
// A server without a log asks every planned member who it is. The one with the lowest id, once it has heard
// "empty, and with the same plan" from *every* other one, draws the cluster id, writes the founding
// configuration (with everybody's incarnation) as entry 1 and hands it to the others. Whoever has a log
// answers questions with that entry. Nothing else forms a cluster, and no flag does: a majority would not do,
// because two wiped servers of three could then found a second cluster beside the data of the third.
//
// An empty server accepts a founding entry that lists it. Where the entry lists another incarnation of it,
// the folder was wiped since: it may receive the log, but it never votes (raft::Raft::may_vote).
//
// Folders that were restored from one backup with one cluster id form a cluster in the same way, all of them
// or none.
//
// Why only the lowest id decides: a decision by one needs no agreement. If it fails after deciding, it comes
// back with its log; if its folder is lost, either somebody else has the entry, or nothing was promised to
// anybody.
//
// Thread safety: none.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/time.h"
#include "raft/configuration.h"
#include "raft/entry.h"
#include "server/peer_message.h"

namespace quorate::server {

struct PlannedMember {
  ServerId id;
  std::string address;
};

// A digest of who is to form the cluster, and from what state: servers with different ones do not.
// `base_state` is 0 for empty folders.
uint64_t plan_digest(const std::vector<PlannedMember>& plan, ClusterId restored = {},
                     uint64_t base_state = 0);

// The term of the founding entry: below every elected leader's.
inline constexpr Term kFoundingTerm{1};

class Formation {
 public:
  struct Options {
    ServerId id;
    Incarnation incarnation;
    BootNonce boot;
    std::vector<PlannedMember> plan;  // by ascending id, ourselves included
    Duration probe_interval{};
    ClusterId cluster_id;  // to be used if we decide
    // Our folder was restored from a backup: the hash of its state. The cluster id is then the restored
    // one's, and only servers that were restored alike form the cluster.
    uint64_t base_state = 0;
  };

  Formation(Options options, Instant now);

  // Both return the founding entry when there is one; the formation is over then.
  std::optional<raft::Entry> tick(Instant now);
  std::optional<raft::Entry> receive(Instant now, const PeerMessage& message);

  Instant deadline() const { return next_probe_; }
  std::vector<PeerMessage> take_messages();
  // Who is waited for, where that is worth telling an operator; or "".
  std::string take_note();
  // Why no cluster comes about with some server: sentences for an operator.
  std::vector<std::string> take_refusals();

 private:
  struct Heard {
    Incarnation incarnation;
    Instant at;
  };

  std::optional<raft::Entry> decide(Instant now);
  void probe_all();
  void note_who_is_missing(Instant now);
  void refuse_plan(Instant now, ServerId other);
  void refuse(Instant now, ServerId other, std::string why);
  bool decides() const { return options_.plan.front().id == options_.id; }
  void send(ServerId to, PeerBody body);

  Options options_;
  uint64_t plan_ = 0;
  std::map<ServerId, Heard> heard_;  // empty members, by their newest answer
  Instant next_probe_;
  Instant next_note_;
  // The last note, and when it may be said again.
  std::string said_;
  Duration reminder_{};
  Instant remind_at_;
  std::map<ServerId, Instant> next_refusal_;
  std::vector<PeerMessage> messages_;
  std::string note_;
  std::vector<std::string> refusals_;
};

// The configuration in a founding entry, if it is one. Errors: kCorruption.
Result<raft::Configuration> read_founding(const raft::Entry& entry);

}  // namespace quorate::server
