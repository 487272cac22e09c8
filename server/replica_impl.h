// The inside of a Replica. Each of its files is one concern:
//   replica.cc         inputs in, outputs out, forming, what Raft reports
//   replica_apply.cc   committed entries become state, outcomes, events
//   replica_clients.cc what clients ask
//   replica_access.cc  who may: credentials, lists of permissions, quotas, limits of the whole
//   replica_reads.cc   answers from the own tree, and watches
//   replica_status.cc  what this server tells of itself
//   replica_load.cc    what it is asked for most
//   replica_zookeeper*.cc clients of ZooKeeper's protocol: their queues, who they are, their reads, their
//                      watches, and what they may do without a quorum
//   replica_leader.cc  what only a leader does: proposals, barriers, expiry
//   replica_state.cc   the state as a whole: its start, checkpoints, snapshots, agreement
//   replica_reap.cc    the leader's care for containers and times to live
#pragma once

#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/random.h"
#include "kv/command_view.h"
#include "kv/state_machine.h"
#include "kv/view.h"
#include "kv/watch_table.h"
#include "raft/raft.h"
#include "server/formation.h"
#include "server/replica.h"
#include "server/replica_agreement.h"
#include "server/replica_backups.h"
#include "server/replica_barriers.h"
#include "server/replica_checkpoints.h"
#include "server/replica_hot_paths.h"
#include "server/replica_session_clocks.h"
#include "server/replica_snapshots.h"
#include "server/replica_writes.h"
#include "server/replica_zookeeper.h"

namespace quorate::server {

struct ReservedNode;

// Committed entries applied in one take_output(), so that a long replay at the start does not keep heartbeats
// waiting.
inline constexpr size_t kApplySliceEntries = 8192;
// Between two looks at whether apply has to wait for a checkpoint.
inline constexpr size_t kApplyCheckEntries = 64;
// Nodes that one slice of the scrub looks at, where there are many; and slices of a round, where there are
// few.
inline constexpr size_t kScrubSliceNodes = 2000;
inline constexpr int64_t kScrubSlicesMin = 300;
// Payload bytes of one proposal to Raft, and so of one block of the log.
inline constexpr size_t kProposalBytesMax = 1 << 20;
// How often waiting requests are looked through for what must be sent again or given up.
inline constexpr Duration kUpkeepInterval = std::chrono::milliseconds(100);
// Between two proposals to remove containers and nodes whose time to live is over.
inline constexpr Duration kReapInterval = std::chrono::seconds(1);
// A server that comes to what is due so much later was stalled, and looks at what its clients sent meanwhile
// before it takes any session for gone. But a server that is always late has to end them, too: so often in a
// row it gets time for that.
inline constexpr Duration kStallMin = std::chrono::milliseconds(100);
inline constexpr int kStallsInRowMax = 2;
// Sessions in one expiry command.
inline constexpr size_t kExpiredSessionsMax = 1000;

struct Replica::Impl {
  Impl(const ReplicaOptions& options, ReplicaRecovered recovered, uint64_t seed, const Now& now);

  // ---- replica.cc
  void step(Input input);
  Output take_output();
  Instant deadline() const;
  void tick();
  void upkeep();
  void receive(PeerMessage message);
  void persisted(Ticket ticket);
  void found(raft::Entry entry);
  bool drain_raft();
  void note_changes(const std::vector<raft::RoleChange>& changes);
  void settle_role();
  void note_leader();
  void send_peer(ServerId to, PeerBody body);
  void log(LogLevel level, std::string text) { output.log.push_back({level, std::move(text)}); }
  bool leads() const { return raft.has_value() && raft->is_leader(); }
  // We lead, but Raft takes no proposal until the transfer of leadership has happened or was given up.
  bool hands_over() const {
    return leads() && std::get<raft::Leader>(raft->role()).transfer_target != ServerId();
  }

  // ---- replica_apply.cc
  void apply_committed();
  void prefetch_entries(Index behind);
  void deliver(const kv::Applied& applied);
  void fire_watches(const kv::Applied& applied);
  bool has_room_to_tell(ConnectionId id, const kv::WatchTable::Telling& telling);
  void drop_overrun(ConnectionId id);
  void deliver_attached(const kv::Applied& applied);
  void deliver_outcome(const kv::SessionOutcome& outcome);
  void deliver_origin(const kv::OriginOutcome& outcome);
  void deliver_ended(const kv::SessionEnd& end);
  void tell_end(ConnectionId id, SessionEndEvent event);

  // ---- replica_clients.cc
  struct Connection {
    SessionId session;
    bool opening = false;  // an open or attach is on its way
    uint64_t opening_counter = 0;
    bool closing = false;  // nothing more is answered
    // Bytes of answers in the output of `turn`; where they are too many, reads wait for ClientDrained, or for
    // the next turn where those to all connections are.
    uint64_t turn = 0;
    size_t turn_bytes = 0;
    bool crowded = false;
    // Bytes of changes in the output of that turn.
    uint64_t told_turn = 0;
    size_t told_bytes = 0;
    std::vector<WaitingRead> deferred;
    Instant deferring_since{};                   // if there are any
    std::unique_ptr<ZookeeperClient> zookeeper;  // null: it speaks Quorate's protocol
  };
  void request(ClientRequest request);
  void client_lost(ConnectionId connection);
  void open_session(const Asker& asker, kv::Command command);
  void write(const Asker& asker, WriteRequest request);
  void transfer(const Asker& asker, const TransferRequest& request);
  void settle_transfer();
  bool listens(ConnectionId connection) const;
  // Of a command that does not only free something: there would never be room for a longer one.
  size_t command_bytes_max() const;
  void reply(const Asker& asker, ReplyBody body);
  void refuse(const Asker& asker, ErrorCode code, std::string message);

  // ---- replica_status.cc
  ServerStatus status() const;
  void tell_status(const Asker& asker, const StatusRequest& request);
  StatusDetail status_detail(StatusRequest::Detail what) const;
  void list_connections(StatusDetail& detail) const;
  void list_watches(StatusDetail& detail) const;
  void list_sessions(StatusDetail& detail) const;

  // ---- replica_load.cc
  void serve_hot_paths(const WaitingRead& read, const HotPathsRequest& request);
  void note_hot(std::string_view path) { hot_paths.count(path, now.instant); }
  void note_hot(const kv::OperationView& operation);
  void note_hot(const zookeeper::RequestBody& body);

  // ---- replica_zookeeper.cc
  void zookeeper_request(ZookeeperRequest request);
  void zookeeper_connect(ConnectionId id, ZookeeperConnect connect);
  void zookeeper_attach(ConnectionId id, Connection& connection);
  uint32_t zookeeper_timeout_ms(const zookeeper::ConnectRequest& request) const;
  void zookeeper_opened(ConnectionId id, Connection& connection, const kv::Outcome& outcome);
  void zookeeper_refuse_session(ConnectionId id, Connection& connection);
  bool zookeeper_start(ConnectionId id, Connection& connection, uint64_t request);
  bool zookeeper_start_more(ConnectionId id, Connection& connection);
  void zookeeper_answer(ConnectionId id, Connection& connection);
  void zookeeper_write(ConnectionId id, Connection& connection, uint64_t request);
  ErrorCode zookeeper_send(ConnectionId id, Connection& connection, uint64_t request,
                           kv::Operation operation);
  void zookeeper_answered(ConnectionId id, Connection& connection, const ClientReply& reply);
  void zookeeper_outcome(ZookeeperClient& client, uint64_t request, const ClientReply& reply);
  void zookeeper_advance(ConnectionId id, Connection& connection);
  void zookeeper_sign(ConnectionId id, Connection& connection);
  void zookeeper_hold_back(ConnectionId id, ZookeeperClient& client);
  void zookeeper_count(ZookeeperClient& client, const ZookeeperClient::Waiting& waiting);
  void zookeeper_drop(ConnectionId id, Connection& connection);
  void zookeeper_tell_alive(ConnectionId id, ZookeeperClient& client, Zxid zxid);
  void zookeeper_upkeep();
  bool speaks_zookeeper(ConnectionId id) const {
    const auto at = connections.find(id);
    return at != connections.end() && at->second.zookeeper != nullptr;
  }

  // ---- replica_zookeeper_access.cc
  bool offers_sasl(const zookeeper::RequestBody& body) const {
    return !options.sasl_users.empty() && std::holds_alternative<zookeeper::Sasl>(body);
  }
  Result<std::optional<kv::AddCredentialOp>> zookeeper_prove(ZookeeperClient& client,
                                                             ZookeeperClient::Waiting& waiting);

  // ---- replica_zookeeper_read_only.cc
  Instant read_only_deadline() const;
  Duration leaderless_for() const;
  void settle_read_only();
  void zookeeper_connect_read_only(ConnectionId id, Connection& connection);
  void zookeeper_start_read_only(Connection& connection, ZookeeperClient::Waiting& waiting);
  const kv::Credentials& credentials_of(SessionId session) const {
    const auto local = local_credentials.find(session);
    return local == local_credentials.end() ? state.credentials(session) : local->second;
  }

  // ---- replica_zookeeper_reads.cc
  struct ZookeeperServed;
  struct ZookeeperServe;
  zookeeper::Reply zookeeper_read(ConnectionId id, SessionId session, const zookeeper::Request& request);
  ZookeeperServed zookeeper_serve(ConnectionId id, SessionId session, const zookeeper::RequestBody& body);
  std::optional<ReservedNode> zookeeper_reserved(SessionId session, std::string_view path) const;
  Result<zookeeper::StatReply> zookeeper_exists(SessionId session, std::string_view path) const;
  Result<zookeeper::DataReply> zookeeper_data(SessionId session, std::string_view path) const;
  Result<zookeeper::ChildrenReply> zookeeper_children(SessionId session, std::string_view path,
                                                      bool with_stat) const;
  Result<zookeeper::AclReply> zookeeper_permissions(SessionId session, std::string_view path) const;
  Result<int32_t> zookeeper_descendants(SessionId session, const std::string& path) const;
  zookeeper::MultiReply zookeeper_many(SessionId session, const zookeeper::MultiRead& many) const;

  // ---- replica_zookeeper_watches.cc
  uint64_t zookeeper_watch_id(kv::WatchKind kind, std::string_view path) const;
  Status zookeeper_watch(ConnectionId id, kv::WatchKind kind, std::string_view path);
  bool zookeeper_watches(ConnectionId id, const std::string& path, int32_t type, bool remove);
  Status zookeeper_set_watches(ConnectionId id, SessionId session, const zookeeper::SetWatches& request);
  Status zookeeper_resume(ConnectionId id, SessionId session, kv::WatchKind kind, const std::string& path,
                          Zxid seen, bool existed);
  void zookeeper_replay(ConnectionId id, SessionId session, const zookeeper::SetWatches& request);
  void zookeeper_tell(ConnectionId id, kv::EventKind kind, std::string path, Zxid zxid);
  void address_heard(ServerId server, std::string client_address);

  // ---- replica_access.cc
  // The state as the connection's session may see it.
  kv::View view_of(SessionId session) const { return {state, credentials_of(session), &looked_at}; }
  void add_credential(const Asker& asker, AddCredentialRequest request);
  void keep_recipes_apart(kv::Operation& operation) const;
  Status admit(const kv::OperationView& operation) const;
  Status admit_session() const;
  void serve_acl(const WaitingRead& read, const GetAclRequest& request);
  void serve_quota(const WaitingRead& read, const QuotaRequest& request);
  void serve_place(const WaitingRead& read, const LockPlaceRequest& request);
  void serve_verify(const WaitingRead& read, const LockVerifyRequest& request);
  void serve_lock(const WaitingRead& read, const LockShowRequest& request);
  void serve_locks(const WaitingRead& read, const LockListRequest& request);
  void serve_sessions(const WaitingRead& read, const SessionListRequest& request);
  void end_session(const WaitingRead& read, SessionId session);
  void settle_endings(SessionId session);
  Status may_save(SessionId session) const;
  void begin_backup(const WaitingRead& read);
  void read_backup(const Asker& asker, const SnapshotPartRequest& request);
  void answer_backups();
  void note_quota_warnings(const kv::Applied& applied);

  // ---- replica_reads.cc
  Duration ping_gather(SessionId id) const;
  void serve_ready_reads();
  void prefetch_reads(std::span<const WaitingRead> reads) const;
  void serve_drained();
  void serve_when_room(WaitingRead read);
  // Of a connection that waited for room or is gone; the account of what waits is without them.
  std::vector<WaitingRead> take_deferred(ConnectionId id, Connection& connection);
  void drop_unread();
  void drop(ConnectionId id, Connection& connection, std::string why);
  void serve(const WaitingRead& read);
  void serve_ping(const WaitingRead& read, bool session_gone);
  void serve_node(const WaitingRead& read, const GetRequest& request);
  void serve_children(const WaitingRead& read, const ChildrenRequest& request);
  Result<NodeReply> read_node(SessionId session, const GetRequest& request) const;
  Result<ChildrenReply> read_children(SessionId session, const ChildrenRequest& request) const;
  void serve_page(const WaitingRead& read, const ChildrenPageRequest& request);
  void serve_many(const WaitingRead& read, const MultiReadRequest& request);
  void resume_watch(const WaitingRead& read, const ResumeWatchRequest& request);
  void watch_since(const WaitingRead& read, const WatchSinceRequest& request);
  void tell_progress(const kv::Applied& applied);
  void count_reply(Connection& connection, size_t bytes);

  // ---- replica_leader.cc
  struct Proposed {
    Bytes body;
    ServerId from;  // who forwarded it; ourselves: our own client's
    BootNonce boot;
    SessionId session;  // with number, or counter
    uint64_t number = 0;
    uint64_t counter = 0;
    uint64_t sending = 0;             // ForwardRefused's
    std::vector<SessionId> expiring;  // our own command: these run out
  };
  void send_writes();
  void touch_sender(const kv::CommandView& command);
  void take_forward(const PeerMessage& message, const Forward& forward);
  void take_refusal(const ForwardRefused& refused);
  void propose_collected();
  size_t log_reserve() const;
  void hold_back_growth();
  void refuse_proposals(const std::vector<Proposed>& refused, size_t first, const Error& error);
  kv::Stamp next_stamp();
  bool knows_all_sessions() const;
  bool gives_time(SessionId session);
  void send_barrier();
  void take_barrier(const PeerMessage& message, const Barrier& barrier);
  void read_ready(uint64_t context, Index index);
  void read_failed(uint64_t context);
  void note_stall();
  void expire_sessions();
  void start_leading();
  void stop_leading();

  // ---- replica_state.cc
  void recover(ReplicaRecovered recovered);
  void start_raft(raft::Recovered recovered);
  void answer_probe(ServerId to);
  StateName name_of_state() const;
  bool apply_waits() const;
  bool checkpoints_go_on() const;
  bool store_waits() const;
  void note_store();
  void send_clients_away();
  void advance_state();
  void cut_log(Index checkpoint);
  void store_done(StoreDone done);
  void note_unreadable(const Error& error);
  void take_fetch(const PeerMessage& message, const SnapshotFetch& fetch);
  SnapshotReceiver::Situation situation() const;
  void take_chunk(const PeerMessage& message, const SnapshotChunk& chunk);
  void replace_state(ReceivedState received);
  void tell_hash(Index index);
  void take_hash(const PeerMessage& message, const StateHash& hash);
  std::vector<ServerId> voters() const;
  void judge(const StateHash& hash, Agreement::Verdict verdict);
  void scrub();
  void fail(std::string why);
  // ---- replica_reap.cc
  Instant reap_deadline() const;
  void reap_nodes();

  ReplicaOptions options;
  Random random;
  Now now;
  Output output;

  std::optional<Formation> formation;
  std::optional<raft::Entry> founding;  // being written
  std::optional<raft::Raft> raft;
  kv::StateMachine state;
  kv::WatchTable watches;

  // False: the log begins behind entries that no state here holds. Nothing is applied, read or led then.
  bool has_state = false;
  // The leader's log does not reach us: a state is needed that holds everything up to here.
  Index state_needed;
  Instant next_scrub = kNever;
  // Since when apply waits for the store without a break; kNever: it does not. `stuck`: for too long.
  Instant store_waits_since = kNever;
  bool stuck = false;
  bool told_unreadable = false;
  Instant next_hand_over{};
  std::string failing;  // Output::failed, to be
  StoreJobs jobs;
  Checkpoints checkpoints;
  SnapshotSender sender;
  SnapshotReceiver receiver;
  Backups backups;
  Agreement agreement;

  std::unordered_map<ConnectionId, Connection> connections;
  std::vector<ConnectionId> drained;  // have room again
  uint64_t turn = 1;                  // of outputs
  size_t all_turn_bytes = 0;          // of answers in the output of this turn, to all native connections
  size_t all_told_bytes = 0;          // of changes, in memory, in the output of this turn
  size_t entry_told_bytes = 0;        // of those of the entry that is being applied
  std::vector<ConnectionId> put_off;  // crowded because of that; drained in the next turn
  uint64_t reads_put_off = 0;         // each time that
  size_t deferred_bytes = 0;          // of all connections' deferred reads
  std::set<std::pair<Instant, ConnectionId>> deferring;  // who has such reads, and from when on
  // Nodes and changes that were gone through for the answer which is being made, told or not: its share of
  // the turn (count_reply()). Reads count, though they change nothing else.
  mutable size_t looked_at = 0;
  size_t untold_history_bytes = 0;  // of changes since the last ProgressEvent
  PendingWrites writes;
  // The leader had no room for these: of ZooKeeper's clients, whom nobody tells to try again later, and of
  // what may be in the log already.
  std::set<std::pair<SessionId, uint64_t>> held_back_writes;
  uint64_t zookeeper_watch_seed;
  std::map<ServerId, std::string> client_addresses;
  ZookeeperFigures zookeeper_figures;
  RequestFigures request_figures;
  HotPaths hot_paths;
  Instant next_proof_warning{};
  Instant leaderless_since = kNever;
  // Without a quorum, and for long enough to serve those who are content with that.
  bool read_only = false;
  bool disk_full = false;  // as the shell says
  // Of the sessions that only this server knows.
  std::unordered_map<SessionId, kv::Credentials> local_credentials;
  uint64_t next_local_session = 1;
  Barriers barriers;
  uint64_t next_counter = 1;  // of openings, barriers and read contexts
  Instant next_upkeep = kNever;
  std::optional<Asker> transfer_asker;
  // Who waits for the end of a session, which we have proposed or mean to: only the leader has any.
  std::map<SessionId, std::vector<Asker>> endings;
  bool stopping = false;
  uint64_t quota_warnings = 0;  // since the last line about them
  Instant next_quota_warning{};

  // Whom we last sent our clients' requests to: when it changes, they go again.
  ServerId known_leader;
  Term known_term;

  // Only while leading.
  struct RemoteBarrier {
    ServerId server;
    BootNonce boot;
    uint64_t counter = 0;
    std::vector<SessionId> gone;
  };
  bool leading = false;
  SessionClocks clocks;
  std::vector<Proposed> proposals;                          // collected in this drain
  std::map<uint64_t, RemoteBarrier> remote_barriers;        // by read context
  std::map<uint64_t, std::vector<SessionId>> own_barriers;  // by read context: sessions that are gone
  uint64_t expiry_context = 0;                              // confirming leadership before an expiry; 0: not
  bool expiry_confirmed = false;
  Instant next_due = kNever;    // when this leader had to be asked again, by its last output
  Instant expiry_not_before{};  // see note_stall()
  int stalls_in_row = 0;        // without a look at the clocks between them
  Instant next_reap;            // not before
  Instant stamp_base;           // cluster time at this instant ...
  kv::Stamp stamp_floor;        // ... was this; wall time is never below this
};

}  // namespace quorate::server
