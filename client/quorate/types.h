// What the client library speaks of: nodes, events, locks, servers. Plain values; only the standard library
// is needed.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "base/result.h"

namespace quorate::client {

using std::chrono::milliseconds;

// For set() and remove(): whatever the version is.
inline constexpr int32_t kAnyVersion = -1;

// What is known of a node beside its data; ZooKeeper's Stat, field by field.
struct Stat {
  Zxid czxid, mzxid, pzxid;            // of the entries that made it, set its data, changed its children
  int64_t ctime_ms = 0, mtime_ms = 0;  // wall clock, since 1970
  int32_t version = 0, cversion = 0, aversion = 0;
  SessionId ephemeral_owner;  // 0: the node is persistent
  uint32_t data_bytes = 0, children = 0;
};

struct Node {
  std::string data;
  Stat stat;
};

struct Created {
  std::string path;  // with the suffix of a sequential node
  Stat stat;
};

// Who may do what. Bits of the permissions: 1 read, 2 write, 4 create children, 8 delete children, 16 set the
// list itself. Schemes and ids: world "anyone"; auth "" (who is asking); digest
// "user:base64(sha1(user:password))"; ip "address" or "address/bits"; x509 a distinguished name.
struct AclEntry {
  uint32_t permissions = 0;
  std::string scheme;
  std::string id;

  friend bool operator==(const AclEntry&, const AclEntry&) = default;
};
using Acl = std::vector<AclEntry>;
inline constexpr uint32_t kAllPermissions = 31;

struct NodeAcl {
  Acl acl;
  Stat stat;
};

// What proves who is asking. Scheme digest: "user:password".
struct Credential {
  std::string scheme = "digest";
  std::string proof;
};

// Of the nodes at a path and below it, and of the bytes in them. Soft: the servers' logs say when it is
// exceeded; hard: what would go beyond it is refused with kQuotaExceeded. None: no such limit.
struct QuotaLimits {
  std::optional<int64_t> count_soft{}, count_hard{}, bytes_soft{}, bytes_hard{};
};
struct Quota {
  QuotaLimits limits;
  uint64_t used_count = 0, used_bytes = 0;
};

// At most one of ephemeral, container and ttl; a container is not sequential.
struct CreateOptions {
  bool ephemeral = false;   // goes with the client's session
  bool sequential = false;  // "%010d" from the parent's counter is added to the path
  bool parents = false;     // makes missing parents (persistent, empty)
  bool container = false;   // goes some time after the last of its children has gone
  // Goes when it has no children and was not set for so long.
  std::optional<milliseconds> ttl{};
  Acl acl{};  // empty: open to all
};

// A place among the children of a node: where a page of them ended.
struct ChildCursor {
  Zxid czxid;
  uint32_t order = 0;
  std::string name;
};
struct ChildrenPageOptions {
  std::optional<ChildCursor> after{};  // none: from the first
  uint32_t max = 1'000;
  std::string prefix{};  // of the names that are wanted
};
struct ChildrenPage {
  std::vector<std::string> names;   // in the order of creation; may be empty before the last page
  std::optional<ChildCursor> next;  // none: there are no more
};

struct ReadRequest {
  std::string path;
  bool children = false;  // its children's names, not its data
};
struct ReadResult {
  Error error;
  std::string data;
  std::vector<std::string> children;
  Stat stat;
};

enum class EventKind : uint8_t { kCreated = 1, kDeleted = 2, kDataChanged = 3, kChildrenChanged = 4 };

struct Event {
  EventKind kind = EventKind::kDataChanged;
  std::string path;
  Zxid zxid;  // of the change
};

// ---- locks

// How a place in a lock's queue holds.
enum class LockMode : uint8_t { kExclusive = 0, kShared = 1, kPermit = 2 };

struct Contender {
  std::string node;
  SessionId session;
  Token token;           // a waiter's is the one it will hold with
  std::string name;      // who it says it is (Options::name)
  int64_t since_ms = 0;  // wall clock: when it joined the queue
  LockMode mode = LockMode::kExclusive;
  uint32_t permits = 0;   // of kPermit: how many the semaphore has
  milliseconds delay{0};  // AcquireOptions::delay
};

struct LockInfo {
  std::string path;
  std::optional<Contender> holder;
  // Who holds beside it, or may believe so: of each recipe the first, and the readers of another recipe that
  // stand behind readers alone.
  std::vector<Contender> sharing;
  std::vector<Contender> waiters;  // in the order they will be served
  uint64_t kept = 0;               // places that are kept for holders whose session expired
  uint64_t more = 0;               // behind these, that had no room in an answer (4 MiB)
  bool mixed = false;  // nodes of more than one lock recipe: more than one client may believe to hold it
  // Names of no recipe that is known here, perhaps of no lock: nobody is told as holder, all as waiters.
  bool unknown = false;
};

// Somebody who waits for a lock, and who stands in his way: before that are gone, he cannot have it.
struct LockWait {
  SessionId session;
  std::string path;
  std::string node;
  std::vector<SessionId> for_sessions;
  // One of several permits: any of these may let him in, so he is part of no circle.
  bool any = false;
};
struct LockGraph {
  std::vector<LockWait> waits;  // by path, then in the order of the queue
  // Sessions that wait for each other in a circle, each for the next and the last for the first: none of them
  // goes on before one gives up.
  std::vector<std::vector<SessionId>> deadlocks;
  uint64_t more = 0;  // waiters that had no room in the answers, and are not looked at
};

// What became of a place in a lock's queue.
enum class PlaceState : uint8_t {
  kHolds,
  kWaits,
  kLeft,     // released, broken or deleted; or its session ended: the history does not tell these apart
  kExpired,  // its session expired while it held with a delay, which is over
  kKept,     // the same, and the lock is kept for nobody until the delay is over
};
// A place in a lock's queue, as the cluster's history of changes tells of it.
struct PastPlace {
  std::string node;
  Token token;  // 0: not known
  Zxid first;   // from when on nobody stood before it; 0: never, or before the history begins (from_before)
  Zxid until;   // when it left, or its session expired; 0: it is there
  // Wall clock, in milliseconds, of these two; 0: not known.
  int64_t first_ms = 0;
  int64_t until_ms = 0;
  bool from_before = false;  // it was the first when the history begins
  PlaceState state = PlaceState::kWaits;
  // Session, name, mode and time of who is or was there; of a name that is gone the first 128 bytes, and
  // session 0 where only the end of its delay is known. None: it left under servers that kept nothing of it.
  std::optional<Contender> contender;
};
// An exclusive place holds from when it is first; one that is shared or a permit may have held before that.
struct LockHistory {
  std::string path;
  Zxid since;                     // nothing is known of what was up to here; 0: the history is whole
  Zxid complete;                  // everything up to here is told
  std::vector<PastPlace> places;  // in the order of the queue
};

// ---- sessions

struct SessionInfo {
  SessionId id;
  milliseconds timeout{0};
  uint64_t ephemerals = 0;         // nodes that go with it
  std::vector<std::string> paths;  // of these, if they were asked for and as many as have room in an answer
  // Who it is: scheme and name, without secrets. Told to a super user, and to the session itself.
  std::vector<std::pair<std::string, std::string>> who;
};

// ---- servers

enum class Role : uint8_t { kFollower, kPreCandidate, kCandidate, kLeader };

struct MemberStatus {
  ServerId id;
  bool learner = false;
  std::string peer_address;
  std::string client_address;  // empty: that server has not told this one yet
  std::optional<Index> match;  // told by the leader: what is durable there
};

// So many requests took as long as this, at most, and longer than the bucket before counts.
struct LatencyBucket {
  std::chrono::microseconds up_to{0};
  uint64_t count = 0;
};
// What a server has answered since it was started; what the network adds to a latency is not in it. Rates are
// differences of two of these.
struct RequestFigures {
  milliseconds at{0};  // of that server's own monotonic clock
  std::vector<LatencyBucket> reads, writes;
};

struct HotPath {
  std::string path;
  uint64_t count = 0;    // so often in the window,
  uint64_t surplus = 0;  // or up to so much less often
};
// The paths that one server was asked for most, of late.
struct HotPaths {
  std::vector<HotPath> paths;  // the hottest first
  milliseconds window{0};
  uint64_t hidden = 0;  // how many more would stand between these if the asker might read them
};

// One server's own view; needs no quorum.
struct ServerStatus {
  ServerId id;
  ClusterId cluster;  // 0: the cluster is not formed yet
  Role role = Role::kFollower;
  bool may_vote = true;
  bool receiving = false;      // its state is on its way from another server
  bool disk_full = false;      // something cannot be written there until there is room again
  bool stuck = false;          // it waits for its disk, and sends clients elsewhere
  Index checkpoint;            // the newest that is durable there; 0: none
  bool checkpointing = false;  // another one is being made
  Term term;
  ServerId leader;  // 0: none known
  Index last_index, committed, applied;
  Zxid zxid;
  uint64_t nodes = 0, sessions = 0, connections = 0, watches = 0;
  uint64_t state_hash = 0;
  std::vector<MemberStatus> members;
  std::optional<RequestFigures> served;  // none: an older server does not tell
};

}  // namespace quorate::client
