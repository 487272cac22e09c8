// One server's whole mind: Raft, the tree, sessions, watches and locks, as one deterministic object. It owns
// no thread, socket, file, clock or random device. Two shells run it: quorated (Asio, a real disk) and
// quorate-sim (virtual time, network and disk).
//
//   replica.step(now, input);            // any number of times: all that is ready
//   Output out = replica.take_output();  // once
//   ... send out.peers, write out.entries, then step(now, Persisted{out.ticket}), take_output() again, send
//   the replies ...
//
// Thread safety: none. One owner.
//
// Why inputs are drained before one take_output(): proposals of a drain become one batch with one encoding,
// one write and one message a peer, reads of a drain share one confirmation round, and a session is expired
// only when all that arrived was seen.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/ids.h"
#include "base/one_of.h"
#include "base/time.h"
#include "kv/state_machine.h"
#include "kv/watch_table.h"
#include "raft/raft.h"
#include "server/client_message.h"
#include "server/formation.h"
#include "server/peer_message.h"
#include "server/replica_sasl.h"
#include "server/store_job.h"

namespace quorate::server {

struct ReplicaOptions {
  raft::Options raft;  // also: id, incarnation, boot
  kv::Limits kv;
  // The members to form a cluster with, by ascending id, ourselves included. Without meaning once there is a
  // log.
  std::vector<PlannedMember> plan;

  Duration probe_interval = std::chrono::milliseconds(100);
  // A forwarded write or barrier without an answer is sent again after this.
  Duration resend_interval = std::chrono::milliseconds(500);
  // Signs of life wait for others, to share one question to the leader: for a hundredth of their session's
  // timeout, which is well below what that leaves, but not for less or more than these. A question costs more
  // than what it asks about: ten thousand sessions of 10 s then ask ten times a second from each server.
  Duration ping_gather_min = std::chrono::milliseconds(20);
  Duration ping_gather_max = std::chrono::milliseconds(200);
  // What waits this long for a leader (a read, a ping, an open or attach) is answered kNoQuorum.
  Duration unanswered_max = std::chrono::seconds(3);
  kv::WatchLimits watches;
  // A session that gives the user and password of this digest ("user:base64(sha1(user:password))") may do
  // everything; the same on all servers. Empty: nobody may.
  std::string super_digest;
  // Refuses what would put names of another lock recipe into a queue: clients of both would each believe to
  // hold the lock. Holds for the clients of this server, so it is to be the same on all.
  bool refuse_mixed_locks = false;
  // Limits of the whole: at them what grows is refused with kLimitReached, while deletes, releases, closes
  // and signs of life go on. Checked where a client asks, so that servers with other limits still come to the
  // same state; what is on its way when a limit is reached goes through.
  size_t nodes_max = 20'000'000;
  uint64_t data_bytes_max = uint64_t{8} << 30;  // what all nodes hold
  size_t sessions_max = 200'000;
  // What a session that is opened here is granted, whatever it asks for; checked as the limits above are.
  uint32_t session_timeout_min_ms = 1'000;
  uint32_t session_timeout_max_ms = 60'000;
  // Kept free of what grows, at pending_bytes_max (on top of it) and at raft.uncommitted_bytes_max (within
  // it; an eighth of it at most).
  size_t reserve_bytes = 1 << 20;
  // One answer; a longer one is refused with kTooLarge, or comes in parts. At most as much again less a byte
  // is put out for one connection in one output before the rest waits (Output::crowded).
  size_t reply_bytes_max = 4 << 20;
  size_t turn_reply_bytes_max = 1 << 20;
  // For all native connections together: reads behind that are served in the next output, which is due at
  // once.
  size_t turn_bytes_max = 16 << 20;
  // What one connection is told of changes in one output, about; one that would be told more is closed.
  size_t turn_told_bytes_max = 16 << 20;
  // What all connections are told of changes, in this server's memory, about: beyond the first nothing more
  // is applied in this turn; of what one entry did, beyond the second, whoever would be told more is closed.
  size_t turn_all_told_bytes_max = 64 << 20;
  size_t entry_told_bytes_max = 256 << 20;
  size_t pending_bytes_max = 64 << 20;  // writes of our clients that have no outcome yet; beyond: kOverloaded
  // Reads that wait to be confirmed, or applied up to, or for their client to read what it was answered;
  // beyond: kOverloaded. Signs of life are taken at all times.
  size_t waiting_reads_bytes_max = 64 << 20;
  // Where half of that is taken, who has read no answers for so long is closed.
  Duration unread_max = std::chrono::seconds(60);

  // Reads of ZooKeeper's clients are confirmed by the leader, as those of native clients always are.
  bool zookeeper_linearizable_reads = false;
  // Whom ZooKeeper's clients may prove to be by SASL, the same on all servers. Empty: there is no SASL.
  SaslUsers sasl_users;
  // Without a leader for so long, ZooKeeper's clients that asked for it may read what this server has.
  // Nothing: never.
  std::optional<Duration> read_only_after;

  // A checkpoint is begun when so much of the state changed since the last, or the log grew by so much.
  size_t checkpoint_dirty_bytes = 16 << 20;
  size_t checkpoint_log_bytes = 64 << 20;
  // Entries behind a checkpoint that are kept for followers that lag a little.
  size_t log_kept_bytes = 16 << 20;
  // While a snapshot is sent, so much is kept behind it instead: who gets it needs that next.
  size_t log_held_bytes = 256 << 20;
  // Beyond this much apply waits for the checkpoint that is being written.
  size_t dirty_bytes_max = 64 << 20;
  // A server whose apply has waited for its store for so long (a disk without room, one that hangs) sends its
  // clients to the others, and hands leadership on, again each time that it has waited so long. Longer than a
  // disk takes that is merely slow: of 64 MiB, one that writes 7 MB/s.
  Duration store_wait_max = std::chrono::seconds(10);
  // Captured in one take_output(), and after so long again: a tenth of a millisecond of work in each.
  size_t capture_slice_bytes = 16 << 10;
  Duration capture_pause = std::chrono::milliseconds(1);
  size_t snapshot_chunk_bytes = 256 << 10;  // of a snapshot on its way to a peer
  // All nodes in memory are looked at once in about this time: whether they still are what was applied.
  Duration scrub_round = std::chrono::seconds(30);
};

// What was found on disk: nothing (a folder without a log), or a log, and the state of a checkpoint.
struct ReplicaRecovered {
  std::optional<raft::Recovered> log;
  std::optional<ReceivedState> state;
};

// ---- inputs

struct Tick {};
struct PeerReceived {
  PeerMessage message;
};
// The connection to that peer was reset or refused.
struct PeerLost {
  ServerId peer;
};
struct Persisted {
  Ticket ticket;
};
struct ClientReceived {
  ClientRequest request;
};
struct ZookeeperReceived {
  ZookeeperRequest request;
};
struct ClientLost {
  ConnectionId connection;
};
// What was queued for a connection of Output::crowded is sent, or nearly.
struct ClientDrained {
  ConnectionId connection;
};
// Where clients reach that server, ourselves included, as it says itself.
struct AddressHeard {
  ServerId server;
  std::string client_address;
};
// Whether the disk has room for the log and the checkpoints, when that changes. To be told alone: what cannot
// be written holds up what depends on it.
struct DiskRoom {
  bool full = false;
};
// (StoreDone, of store_job.h: a job of Output::store is done.)
// Clean shutdown: leadership is handed over, then Output.stopped is set.
struct Stop {};

struct Input : std::variant<Tick, PeerReceived, PeerLost, Persisted, ClientReceived, ZookeeperReceived,
                            ClientLost, ClientDrained, AddressHeard, DiskRoom, StoreDone, Stop> {
  QUORATE_ONE_OF(Input);
};

// ---- output

enum class LogLevel : uint8_t { kDebug, kInfo, kWarning, kError };
struct LogLine {
  LogLevel level = LogLevel::kInfo;
  std::string text;
};

struct Output {
  // Create the log, for this cluster, before the write below: the cluster was formed in this step.
  std::optional<ClusterId> create_log;
  // To write in this order as one group (raft::Output says how). When it is durable: step(Persisted{ticket}).
  // A ticket of 0: nothing to write. No output is taken while a write is outstanding unless the shell can
  // queue writes in order.
  std::optional<raft::HardState> hard_state;
  std::vector<raft::Entry> entries;
  Ticket ticket;
  // A durable state covers everything up to here: Wal::cut(), behind all writes of earlier outputs and before
  // the one above, whose entries may follow right behind it.
  struct LogCut {
    Index index;
    Term term;
  };
  std::optional<LogCut> cut;
  // For the store of checkpoints, in this order, beside all else.
  std::vector<StoreJob> store;
  // May leave at once, also before the write.
  std::vector<PeerMessage> peers;
  // May leave at once; in order for each connection.
  std::vector<ClientMessage> clients;
  // Close these when what was queued for them has been sent, and hand ClientLost in as for any connection
  // that ended.
  std::vector<ConnectionId> close;
  // Close these at once, though not all is sent that was queued: they do not read it, or would be told too
  // much. Hand ClientLost in for them, too.
  struct Dropped {
    ConnectionId connection;
    std::string why;
  };
  std::vector<Dropped> drop;
  // Answers of these are held back: read no more of their requests until most of what is queued for them was
  // sent, then step(ClientDrained).
  std::vector<ConnectionId> crowded;
  std::vector<LogLine> log;
  // The members are these (at the start, after forming, after a change): where the peers are to be reached.
  std::optional<raft::Configuration> configuration;
  bool stopped = false;
  // Why this server must not go on, and what to do: the process ends with an error. "": it may.
  std::string failed;
};

class Replica {
 public:
  // `seed` drives election timeouts and the cluster id.
  Replica(const ReplicaOptions& options, ReplicaRecovered recovered, uint64_t seed, const Now& now);
  ~Replica();
  Replica(const Replica&) = delete;
  Replica& operator=(const Replica&) = delete;

  void step(const Now& now, Input input);
  Output take_output();
  // When a Tick next has something to do. kNever is possible.
  Instant deadline() const;

  // For status, tests and the simulator's checkers. Null before the cluster was formed.
  const raft::Raft* raft() const;
  const kv::StateMachine& state() const;
  ServerStatus status() const;
  // Reads that had to wait for another turn, so far.
  uint64_t reads_put_off() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace quorate::server
