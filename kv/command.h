// What is replicated: the commands in the log, by hand-written canonical bytes (equal commands have equal
// bytes), and the outcomes that go back to whoever asked.
//
// A command in an entry is a Stamp, put in front by the leader that proposes it, and then the body as the
// server the client is attached to encoded it.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "kv/acl.h"
#include "kv/place_mode.h"
#include "kv/quotas.h"

namespace quorate::kv {

inline constexpr size_t kDataBytesMax = 1 << 20;
// As ZooKeeper's: 40 bits, some 34 years.
inline constexpr int64_t kTtlMsMax = 0xff'ffff'ffff;
inline constexpr size_t kMultiOperationsMax = 10'000;
inline constexpr size_t kMultiBytesMax = 2 << 20;  // paths and data of all of its operations
inline constexpr size_t kReapedNodesMax = 10'000;  // in one command
// Locks that one request acquires, and the bytes of their paths: so that its outcome can be kept for a retry.
inline constexpr size_t kLocksAtOnceMax = 32;
inline constexpr size_t kLocksAtOnceBytesMax = 1'500;
inline constexpr uint8_t kCommandVersion = 1;

// Time as it is replicated: the only time that apply may use.
struct Stamp {
  int64_t wall_ms = 0;     // for Stat and people; never backwards along the log
  int64_t cluster_ms = 0;  // advanced by the leader's monotonic clock; drives time-outs that are replicated

  friend bool operator==(const Stamp&, const Stamp&) = default;
};

// Who waits for the outcome of a command that belongs to no session yet. It also makes opening and attaching
// safe to repeat: a second OpenSession or AttachSession of the origin that a live session was last attached
// by is answered as the first was, with the next number as it stands then. An origin without a server is
// nobody's, and never repeats.
struct Origin {
  ServerId server;
  BootNonce boot;
  uint64_t counter = 0;

  friend bool operator==(const Origin&, const Origin&) = default;
};

using SessionPassword = std::array<uint8_t, 16>;

// ---- operations of a session

// At most one of ephemeral, container and ttl_ms; a container is not sequential.
struct CreateOp {
  std::string path;
  std::string data;
  bool ephemeral = false;
  bool sequential = false;  // a suffix "%010d" from the parent's counter is added to the path
  bool parents = false;     // makes missing parents (persistent, empty, with the same list of permissions)
  bool container = false;   // is removed once it had children and the last of them is gone
  // Is removed when it has no children and was not set for so long.
  std::optional<int64_t> ttl_ms{};
  Acl acl{};  // empty: open to all
  // Refused with kBadQueue where it would put a name of another lock recipe into a queue. The server that the
  // client is attached to decides about it, so that apply needs no configuration.
  bool one_recipe = false;
  // There is no data, not even empty data: to ZooKeeper's clients these are two things, to others one. Then
  // `data` is empty.
  bool null_data = false;
};
struct SetOp {
  std::string path;
  std::string data;
  int32_t version = -1;    // -1: any
  bool null_data = false;  // as CreateOp has it
};
struct DeleteOp {
  std::string path;
  int32_t version = -1;
  bool recursive = false;  // with all that is below, at most Limits::recursive_delete_max nodes
};
struct SetAclOp {
  std::string path;
  Acl acl;
  int32_t version = -1;  // of the list (aversion)
};
// Joins the queue of a lock: makes the path where it is missing and an ephemeral sequential child "lock-" in
// it. The outcome says whether that child holds already. One commit, whether it waits or not.
struct AcquireOp {
  std::string path;
  std::string data;  // kept in the queue node: who we are, for people
  PlaceMode mode{};
};
// Several queues at once, all or none of them. Since all places are made in one entry, those who acquire
// several locks so stand in the same order in all queues, and cannot wait for each other in a circle.
struct AcquireManyOp {
  std::vector<AcquireOp> locks;  // of different paths
  bool wait = true;              // false: refused with kContended unless all are held at once
};
// Leaves the queue, whether holding or waiting. `node` is the outcome's path of the acquire.
struct ReleaseOp {
  std::string node;
};
// From shared to exclusive, where nobody else holds or waits: a new node, with a new token.
struct UpgradeOp {
  std::string node;
};
// From exclusive to shared: node, place and token stay.
struct DowngradeOp {
  std::string node;
};
// Takes the lock away from whoever holds it with this token. Needs kAdmin on the lock's path.
struct BreakOp {
  std::string path;
  Token token;
};
// Limits without any remove the quota. Needs kAdmin on the parent of the path ("/" on itself), or on the
// deepest node on the way to it: who is held to a quota cannot lift it.
struct SetQuotaOp {
  std::string path;
  QuotaLimits limits;
};
// What ACLs are matched against from here on, for as long as the session lives. The server that the client is
// attached to has seen the proof; it alone decides about `super`, so that apply needs no configuration.
struct AddCredentialOp {
  Credential credential;  // of scheme digest, x509 or sasl
  bool super = false;     // the session may do everything
};
// Ends the session: its ephemeral nodes go in the same entry.
struct CloseSessionOp {};

// Within a multi only: conditions. The node is there, with that version.
struct CheckOp {
  std::string path;
  int32_t version = -1;
};
// There is no node.
struct CheckAbsentOp {
  std::string path;
};
// The lock at `path` is held with this token, by whichever session: a service may check for its client.
struct CheckHeldOp {
  std::string path;
  Token token;
};
// All or nothing; each operation sees what those before it did. The outcome's results are in the same order.
struct MultiOp {
  using Part = std::variant<CreateOp, SetOp, DeleteOp, SetAclOp, CheckOp, CheckAbsentOp, CheckHeldOp>;
  std::vector<Part> operations;
};

using Operation =
    std::variant<CreateOp, SetOp, DeleteOp, AcquireOp, ReleaseOp, CloseSessionOp, SetAclOp, MultiOp,
                 SetQuotaOp, AddCredentialOp, AcquireManyOp, UpgradeOp, DowngradeOp, BreakOp>;

// ---- commands

struct OpenSession {
  Origin origin;
  uint32_t timeout_ms = 0;
  SessionPassword password{};
  std::string address{};  // where the client is, for ACLs of scheme ip; said by the server; empty: not known
};
// Takes the session over to the connection it came by: its epoch rises, requests of older epochs are refused.
struct AttachSession {
  Origin origin;
  SessionId session;
  SessionPassword password{};
  std::string address{};  // as above, in place of the earlier one
  // Counted by the client, and growing: one that is lower than the last seen comes late, from a connection
  // that the client has given up, and is refused. 0: takes the session over whatever was seen.
  uint64_t attempt = 0;
};
// From the leader's clock; those that are gone already are passed over.
struct ExpireSessions {
  std::vector<SessionId> sessions;
};
// From the leader, by cluster time: containers and nodes with a time to live. Those that are not due when it
// is applied (or gone, or not empty) are passed over.
struct ReapNodes {
  std::vector<std::string> paths;
};
// A numbered request: applied once, however often it is in the log. `acked_below`: outcomes of lower numbers
// have arrived.
struct SessionRequest {
  SessionId session;
  uint32_t epoch = 0;
  uint64_t number = 0;  // 1, 2, 3, ... without a gap
  uint64_t acked_below = 0;
  Operation operation;
};

using Command = std::variant<OpenSession, AttachSession, ExpireSessions, ReapNodes, SessionRequest>;

std::string encode_command(const Command& command);
// Errors: kMalformed for bytes that encode_command cannot have made; kUnsupported for a later version.
Result<Command> decode_command(std::string_view bytes);

inline constexpr size_t kStampBytes = 16;
void append_stamp(std::string& out, const Stamp& stamp);
// The stamp of an entry's payload. REQUIRES: payload.size() >= kStampBytes.
Stamp read_stamp(std::string_view payload);

// The limits and rules that need no state (paths, data size, time-outs): asked before a command is proposed,
// so that what is refused costs no log entry, and again in apply.
Status validate(const Command& command);

// ---- outcomes

// ZooKeeper's Stat, field by field.
struct Stat {
  Zxid czxid, mzxid, pzxid;
  int64_t ctime_ms = 0, mtime_ms = 0;
  int32_t version = 0, cversion = 0, aversion = 0;
  SessionId ephemeral_owner;
  int32_t data_length = 0, num_children = 0;

  friend bool operator==(const Stat&, const Stat&) = default;
};

// What became of one operation of a multi. Of a multi that was refused: kOk before the operation that was
// refused, its own code and message, kNotAttempted behind it, and nothing else.
struct OperationResult {
  ErrorCode code = ErrorCode::kOk;
  std::string message;
  std::string path;   // the node made
  Stat stat;          // create, set, set acl
  bool held = false;  // of several locks: this one is held already

  friend bool operator==(const OperationResult&, const OperationResult&) = default;
};

struct Outcome {
  ErrorCode code = ErrorCode::kOk;
  std::string message;       // for a refusal: what to do
  Zxid zxid;                 // of the entry that applied it (a stored outcome keeps its first)
  std::string path;          // the node made (create, acquire, upgrade)
  Stat stat;                 // create, set, set acl
  bool held = false;         // acquire, upgrade: the node holds the lock already; of several: all do
  Token token;               // the same: the token that goes with the node, valid once it holds
  SessionId session;         // open, attach
  uint32_t epoch = 0;        // open, attach
  uint32_t timeout_ms = 0;   // open, attach: as negotiated
  uint64_t next_number = 0;  // open, attach: the lowest number not applied yet
  // multi, acquire of several: one for each operation, none if the multi as a whole broke a limit. A refused
  // one's code and message are those of the operation that was refused.
  std::vector<OperationResult> results{};

  friend bool operator==(const Outcome&, const Outcome&) = default;
};

std::string encode_outcome(const Outcome& outcome);
void append_outcome(std::string& out, const Outcome& outcome);
// Errors: kMalformed for bytes that encode_outcome cannot have made; kUnsupported for a later version.
Result<Outcome> decode_outcome(std::string_view bytes);

}  // namespace quorate::kv
