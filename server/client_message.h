// What clients ask of a server and what they are told, independent of the protocol they speak.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/bytes.h"
#include "base/ids.h"
#include "base/one_of.h"
#include "base/result.h"
#include "kv/command.h"
#include "kv/view.h"
#include "kv/watch_table.h"
#include "lock/service.h"
#include "proto/zookeeper.h"
#include "raft/raft.h"
#include "server/replica_figures.h"

namespace quorate::server {

// ---- requests

struct OpenSessionRequest {
  uint32_t timeout_ms = 0;
  kv::SessionPassword password{};  // drawn by the client
  std::string address{};  // where the connection comes from, said by the listener, never by the client
};
struct AttachSessionRequest {
  SessionId session;
  kv::SessionPassword password{};
  std::string address{};  // as above
  uint64_t attempt = 0;   // as kv::AttachSession has it
};
// A sign of life of the connection's session; answered once the leader has recorded it and confirmed its
// leadership.
struct PingRequest {};
// REQUIRES of the client: numbers 1, 2, 3, ... in order; a number is never used for another operation.
struct WriteRequest {
  uint64_t number = 0;
  uint64_t acked_below = 0;
  kv::Operation operation;
};
// Reads are linearizable. With a watch they also register a one-shot watch, in the same instant as they read.
struct GetRequest {
  std::string path;
  bool with_data = true;  // false: only the stat ("exists")
  uint64_t watch = 0;     // 0: none; also registered when the node does not exist
};
struct ChildrenRequest {
  std::string path;
  uint64_t watch = 0;
};
// Registers again after a reconnect; fires at once what was missed since `seen`.
struct ResumeWatchRequest {
  uint64_t watch = 0;
  kv::WatchKind kind = kv::WatchKind::kData;
  std::string path;
  Zxid seen;
  bool existed = false;
};
// Everything that changes at `root` and below it (not recursive: `root` itself, and its children made and
// deleted), from behind `since` on. The answer has what the history holds, in parts: while it does not say
// that the watch is live, the client asks again from where it ended. Once it is live, each entry that changes
// something comes as one FeedBatch. The client remembers the last zxid that was complete, and resumes there
// over whatever connection.
struct WatchSinceRequest {
  uint64_t watch = 0;
  std::string root;
  Zxid since;  // 0: from now on
  bool recursive = true;
  // What the history holds and no more: no watch is set, and who left a place in a queue is told. The answer
  // ends where the state does that was read, unless there was no room.
  bool past = false;
};
// A part of the children, in the order of creation.
struct ChildrenPageRequest {
  std::string path;
  std::string prefix;
  std::optional<kv::ChildCursor> after;
  size_t max = 1'000;
};
// Several reads of one state; their watches are not set.
struct MultiReadRequest {
  std::vector<std::variant<GetRequest, ChildrenRequest>> parts;
};
inline constexpr size_t kMultiReadPartsMax = 1'000;
struct RemoveWatchRequest {
  uint64_t watch = 0;
};
struct GetAclRequest {
  std::string path;
};
struct QuotaRequest {
  std::string path;
};
// Numbered as a write. What proves the credential ("user:password" of scheme digest) stays in this server:
// only what follows from it is replicated.
struct AddCredentialRequest {
  uint64_t number = 0;
  uint64_t acked_below = 0;
  std::string scheme;
  std::string proof;
};
// A part of a consistent snapshot of the whole state, for a backup: the records behind `after`, in ascending
// order of key. 0 begins a snapshot that holds everything acknowledged before; its answer names it and has no
// records. Only for a super user: the state has every secret in it. One part is asked for at a time.
struct SnapshotPartRequest {
  uint64_t snapshot = 0;
  std::string after;  // "": from the beginning
};
struct LockPlaceRequest {
  std::string node;
};
// Answered with nothing if the lock is held with that token, by whoever; else refused with kNotHolder.
struct LockVerifyRequest {
  std::string path;
  Token token;
};
struct LockShowRequest {
  std::string path;
};
struct LockListRequest {
  std::string root = "/";
  size_t max = 1000;
  std::string after;  // as lock::ListOptions has it
};
// By id, from behind `after` on.
struct SessionListRequest {
  SessionId after;
  size_t max = 1000;
  bool paths = false;  // what each owns, too
};
// Answered, with nothing, once that session is over: it ends as if it had run out. Only for a super user;
// others than the leader refuse it with kNotLeader.
struct EndSessionRequest {
  SessionId session;
};
// The paths that this server was asked for most, of late; those that the asker may not read are left out.
struct HotPathsRequest {
  size_t max = 20;
};
// This server's own view; needs no quorum. ZooKeeper's four-letter words ask for more of it.
struct StatusRequest {
  enum class Detail : uint8_t { kNone, kConnections, kWatches, kSessions };
  // What is counted of ZooKeeper's clients begins anew, once this is answered: of all together, or of each.
  enum class Reset : uint8_t { kNone, kServer, kConnections };
  Detail detail = Detail::kNone;
  Reset reset = Reset::kNone;
};
// Answered, with nothing, once this server has applied all that was committed when it was asked.
struct SyncRequest {};
// To the leader only; answered when leadership has moved.
struct TransferRequest {
  ServerId target;  // 0: the most advanced
};

struct RequestBody
    : std::variant<OpenSessionRequest, AttachSessionRequest, PingRequest, WriteRequest, GetRequest,
                   ChildrenRequest, ResumeWatchRequest, RemoveWatchRequest, LockPlaceRequest, LockShowRequest,
                   LockListRequest, StatusRequest, TransferRequest, GetAclRequest, QuotaRequest,
                   AddCredentialRequest, WatchSinceRequest, ChildrenPageRequest, MultiReadRequest,
                   SnapshotPartRequest, SyncRequest, SessionListRequest, LockVerifyRequest, EndSessionRequest,
                   HotPathsRequest> {
  QUORATE_ONE_OF(RequestBody);
};

struct ClientRequest {
  ConnectionId connection;
  uint64_t id = 0;  // the client's; comes back in the reply
  RequestBody body;
};

// What a client of ZooKeeper's protocol says first.
struct ZookeeperConnect {
  zookeeper::ConnectRequest request;
  kv::SessionPassword fresh{};  // of the session, if it is a new one: 16 random bytes, drawn by the listener
  std::string address{};        // as OpenSessionRequest has it
  std::array<uint8_t, 16> nonce{};  // as many random bytes, for a challenge of SASL
};
struct ZookeeperRequest {
  ConnectionId connection;
  std::variant<ZookeeperConnect, zookeeper::Request> body;
  size_t bytes = 0;  // as it came
};

// ---- replies and events

struct NodeReply {
  std::string data;
  kv::Stat stat;
};
struct ChildrenReply {
  std::vector<std::string> names;
  kv::Stat stat;
};
struct ChildrenPageReply {
  std::vector<std::string> names;
  std::optional<kv::ChildCursor> next;  // nothing: there are no more
};
struct ReadResult {
  Error error;
  std::variant<std::monostate, NodeReply, ChildrenReply> body;
};
struct MultiReadReply {
  std::vector<ReadResult> results;  // one for each part
};
// What changed since, in order, complete up to and including `up_to`.
struct ChangesReply {
  std::vector<kv::StateMachine::PastChange> changes;
  Zxid up_to;
  bool live = false;  // the watch is set, and tells what comes behind `up_to`
  Zxid floor;         // the history is whole behind it
};
// Empty and not complete: there is nothing yet, ask again.
struct SnapshotPartReply {
  uint64_t snapshot = 0;
  std::string name;  // which state it is, encoded (server/store_job.h)
  Bytes records;     // as kv::append_record() makes them
  uint64_t checksum = 0;
  std::string last_key;
  bool complete = false;
};
struct LockListReply {
  std::vector<lock::LockView> locks;
  std::string next;  // `after` of the next page; "": there are no more
};
struct SessionInfo {
  SessionId id;
  uint32_t timeout_ms = 0;
  size_t ephemerals = 0;
  std::vector<std::string> paths;  // of these, if they were asked for and as many as have room
  kv::Credentials who;             // without secrets; for a super user and for the session itself
};
struct SessionListReply {
  std::vector<SessionInfo> sessions;
  SessionId next;  // `after` of the next page; 0: there are no more
};
struct HotPathsReply {
  struct Hot {
    std::string path;
    uint64_t count = 0;
    uint64_t surplus = 0;  // it came so much less often at most: server/replica_hot_paths.h
  };
  std::vector<Hot> paths;  // the hottest first
  Duration window{};       // what is counted in it
  size_t hidden = 0;       // hotter than the last of these, or than all, and not to be read by who asks
};
struct MemberStatus {
  ServerId id;
  raft::MemberRole role = raft::MemberRole::kVoter;
  std::string peer_address;
  std::string client_address;  // "": not heard of yet
  std::optional<Index> match;  // on the leader: what is durable there
};
// From a request's arrival to its answer.
struct LatencyFigures {
  uint64_t count = 0, sum_ms = 0, min_ms = 0, max_ms = 0, last_ms = 0;

  void add(uint64_t ms) {
    min_ms = count == 0 || ms < min_ms ? ms : min_ms;
    max_ms = ms > max_ms ? ms : max_ms;
    last_ms = ms;
    sum_ms += ms;
    ++count;
  }
  double avg_ms() const { return count == 0 ? 0 : static_cast<double>(sum_ms) / static_cast<double>(count); }
};
// Of the requests of ZooKeeper's clients, since this server was started.
struct ZookeeperFigures {
  size_t outstanding = 0;  // not answered yet
  LatencyFigures latency;
};
// Of those of one connection, the session's opening among them.
struct ZookeeperConnectionFigures {
  std::string_view last_operation = "NA";  // ZooKeeper's four letters for it
  int32_t last_xid = -1;
  int64_t last_zxid = 0;       // of the answer
  int64_t last_answer_ms = 0;  // of the monotonic clock
  LatencyFigures latency;
};
// What StatusRequest::detail asks for.
struct StatusDetail {
  struct Connection {
    ConnectionId id;
    SessionId session;
    uint32_t timeout_ms = 0;
    size_t outstanding = 0;
    ZookeeperConnectionFigures figures;
  };
  struct Watch {
    SessionId session;  // 0: the connection has none
    std::string path;
  };
  struct Session {
    SessionId id;
    uint32_t timeout_ms = 0;
    std::vector<std::string> ephemerals;
  };
  std::vector<Connection> connections;  // those that speak ZooKeeper's protocol, by id
  std::vector<Watch> watches;           // by session, then by path
  std::vector<Session> sessions;        // of the cluster, by id
  bool cut = false;                     // there is more than has room (kStatusDetailBytesMax)
};
inline constexpr size_t kStatusDetailBytesMax = 2 << 20;
struct ServerStatus {
  ServerId id;
  ClusterId cluster;  // 0: not formed yet
  raft::RoleName role = raft::RoleName::kFollower;
  bool may_vote = true;
  bool receiving = false;      // the state is on its way from another server
  bool disk_full = false;      // something cannot be written until there is room again
  bool stuck = false;          // waits for its disk, and applies nothing: clients are sent elsewhere
  bool read_only = false;      // there is no quorum: only reads of who asked for that are served
  Index checkpoint;            // the newest that is durable here; 0: none
  bool checkpointing = false;  // another one is being made
  Term term;
  ServerId leader;  // 0: none known
  Index last_index, committed, applied;
  Zxid zxid;
  size_t nodes = 0, sessions = 0, connections = 0, watches = 0, ephemerals = 0;
  uint64_t data_bytes = 0;
  ZookeeperFigures zookeeper;
  uint64_t state_hash = 0;
  std::vector<MemberStatus> members;
  std::shared_ptr<const StatusDetail> detail;    // null unless it was asked for
  std::shared_ptr<const RequestFigures> served;  // null in what is not told to a client
};

struct ReplyBody
    : std::variant<std::monostate, kv::Outcome, NodeReply, ChildrenReply, lock::Place, lock::LockView,
                   LockListReply, ServerStatus, kv::View::AclView, kv::Quota, ChangesReply, ChildrenPageReply,
                   MultiReadReply, SnapshotPartReply, SessionListReply, HotPathsReply> {
  QUORATE_ONE_OF(ReplyBody);
};

struct ClientReply {
  uint64_t id = 0;
  Error error;  // kOk, or why there is no body (an Outcome carries its own code as well)
  Zxid zxid;    // the state that was read
  ReplyBody body;
};
// A waiter of this connection's session became the holder.
struct GrantEvent {
  lock::Grant grant;
};
// A place of this connection's session was taken out of its queue by somebody else.
struct LossEvent {
  lock::Loss loss;
};
// The session is over or is attached elsewhere; the connection is closed behind this.
struct SessionEndEvent {
  SessionId session;
  ErrorCode code = ErrorCode::kSessionExpired;
};

// All live watches of WatchSince over this connection are complete up to here, though nothing they look at
// has changed for a while: who resumes later need not ask for what the history has forgotten.
struct ProgressEvent {
  Zxid zxid;
};

// To a connection that speaks ZooKeeper's protocol go WatchEvents, those without a zxid as ZooKeeper's
// setWatches fires them, and the last two.
struct MessageBody : std::variant<ClientReply, kv::WatchEvent, GrantEvent, SessionEndEvent, kv::FeedBatch,
                                  ProgressEvent, zookeeper::ConnectReply, zookeeper::Reply, LossEvent> {
  QUORATE_ONE_OF(MessageBody);
};
struct ClientMessage {
  ConnectionId connection;
  MessageBody body;
};

}  // namespace quorate::server
