// What ZooKeeper's clients and servers say to each other, as plain structs: requests, replies and events of
// protocol versions 3.4 to 3.9. zookeeper_codec.h has their bytes.
//
// Both directions are here, because tests and the load generator speak as clients do.
//
// Thread safety: plain values.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/one_of.h"

namespace quorate::zookeeper {

enum class OpCode : int32_t {
  kNotification = 0,
  kCreate = 1,
  kDelete = 2,
  kExists = 3,
  kGetData = 4,
  kSetData = 5,
  kGetAcl = 6,
  kSetAcl = 7,
  kGetChildren = 8,
  kSync = 9,
  kPing = 11,
  kGetChildren2 = 12,
  kCheck = 13,
  kMulti = 14,
  kCreate2 = 15,
  kReconfig = 16,
  kCheckWatches = 17,
  kRemoveWatches = 18,
  kCreateContainer = 19,
  kDeleteContainer = 20,
  kCreateTtl = 21,
  kMultiRead = 22,
  kAuth = 100,
  kSetWatches = 101,
  kSasl = 102,
  kGetEphemerals = 103,
  kGetAllChildrenNumber = 104,
  kSetWatches2 = 105,
  kAddWatch = 106,
  kWhoAmI = 107,
  kCloseSession = -11,
  kError = -1,  // in the results of a multi
};

// What stands in a reply's header and in the results of a multi.
enum class ErrorCode : int32_t {
  kOk = 0,
  kSystemError = -1,
  kRuntimeInconsistency = -2,
  kConnectionLoss = -4,
  kMarshallingError = -5,
  kUnimplemented = -6,
  kOperationTimeout = -7,
  kBadArguments = -8,
  kNoNode = -101,
  kNoAuth = -102,
  kBadVersion = -103,
  kNoChildrenForEphemerals = -108,
  kNodeExists = -110,
  kNotEmpty = -111,
  kSessionExpired = -112,
  kInvalidAcl = -114,
  kAuthFailed = -115,
  kSessionMoved = -118,
  kNotReadOnly = -119,
  kNoWatcher = -121,
  kReconfigDisabled = -123,
  kQuotaExceeded = -125,
  kThrottled = -127,
};

// Numbers of requests that are not counted by the client.
inline constexpr int32_t kNotificationXid = -1;
inline constexpr int32_t kPingXid = -2;
inline constexpr int32_t kAuthXid = -4;
inline constexpr int32_t kSetWatchesXid = -8;

using Password = std::array<uint8_t, 16>;

struct Stat {
  int64_t czxid = 0, mzxid = 0, ctime_ms = 0, mtime_ms = 0;
  int32_t version = 0, cversion = 0, aversion = 0;
  int64_t ephemeral_owner = 0;
  int32_t data_length = 0, num_children = 0;
  int64_t pzxid = 0;

  friend bool operator==(const Stat&, const Stat&) = default;
};

struct AclEntry {
  int32_t permissions = 0;
  std::string scheme, id;

  friend bool operator==(const AclEntry&, const AclEntry&) = default;
};
using Acl = std::vector<AclEntry>;

// ---- the beginning of a connection

struct ConnectRequest {
  int32_t protocol_version = 0;
  int64_t last_zxid_seen = 0;
  int32_t timeout_ms = 0;
  int64_t session = 0;  // 0: a new one
  Password password{};
  std::optional<bool> read_only{};  // clients before 3.4 do not send it; the reply mirrors that

  friend bool operator==(const ConnectRequest&, const ConnectRequest&) = default;
};
struct ConnectReply {
  int32_t protocol_version = 0;
  int32_t timeout_ms = 0;  // 0: there is no such session (any more)
  int64_t session = 0;
  Password password{};
  std::optional<bool> read_only{};

  friend bool operator==(const ConnectReply&, const ConnectReply&) = default;
};

// ---- requests. A string or a list that is null on the wire is empty here; of a node's data null_data says
// which it was.

struct Create {
  OpCode op = OpCode::kCreate;  // or kCreate2, kCreateContainer, kCreateTtl
  std::string path, data;
  Acl acl;
  int32_t flags = 0;   // CreateMode's numbers
  int64_t ttl_ms = 0;  // on the wire with kCreateTtl alone
  bool null_data = false;

  friend bool operator==(const Create&, const Create&) = default;
};
// The numbers of Create::flags.
enum class CreateMode : int32_t {
  kPersistent = 0,
  kEphemeral = 1,
  kPersistentSequential = 2,
  kEphemeralSequential = 3,
  kContainer = 4,
  kTtl = 5,
  kTtlSequential = 6,
};
struct Delete {
  std::string path;
  int32_t version = -1;
  friend bool operator==(const Delete&, const Delete&) = default;
};
struct Exists {
  std::string path;
  bool watch = false;
  friend bool operator==(const Exists&, const Exists&) = default;
};
struct GetData {
  std::string path;
  bool watch = false;
  friend bool operator==(const GetData&, const GetData&) = default;
};
struct SetData {
  std::string path, data;
  int32_t version = -1;
  bool null_data = false;
  friend bool operator==(const SetData&, const SetData&) = default;
};
struct GetAcl {
  std::string path;
  friend bool operator==(const GetAcl&, const GetAcl&) = default;
};
struct SetAcl {
  std::string path;
  Acl acl;
  int32_t version = -1;
  friend bool operator==(const SetAcl&, const SetAcl&) = default;
};
struct GetChildren {
  std::string path;
  bool watch = false;
  bool with_stat = false;  // kGetChildren2
  friend bool operator==(const GetChildren&, const GetChildren&) = default;
};
struct Sync {
  std::string path;
  friend bool operator==(const Sync&, const Sync&) = default;
};
struct Ping {
  friend bool operator==(const Ping&, const Ping&) = default;
};
struct Check {
  std::string path;
  int32_t version = -1;
  friend bool operator==(const Check&, const Check&) = default;
};
struct Multi {
  using Part = std::variant<Create, Delete, SetData, Check>;
  std::vector<Part> parts;
  friend bool operator==(const Multi&, const Multi&) = default;
};
struct MultiRead {
  using Part = std::variant<GetData, GetChildren>;
  std::vector<Part> parts;
  friend bool operator==(const MultiRead&, const MultiRead&) = default;
};
struct Reconfig {
  std::string joining, leaving, new_members;
  int64_t configuration = -1;
  friend bool operator==(const Reconfig&, const Reconfig&) = default;
};
// WatcherType's numbers: 1 children, 2 data, 3 any.
struct CheckWatches {
  std::string path;
  int32_t type = 3;
  friend bool operator==(const CheckWatches&, const CheckWatches&) = default;
};
struct RemoveWatches {
  std::string path;
  int32_t type = 3;
  friend bool operator==(const RemoveWatches&, const RemoveWatches&) = default;
};
struct AddWatch {
  std::string path;
  int32_t mode = 0;  // 0: persistent, 1: persistent and recursive
  friend bool operator==(const AddWatch&, const AddWatch&) = default;
};
struct Auth {
  int32_t type = 0;
  std::string scheme, proof;
  friend bool operator==(const Auth&, const Auth&) = default;
};
struct Sasl {
  std::string token;
  friend bool operator==(const Sasl&, const Sasl&) = default;
};
struct SetWatches {
  bool second = false;  // kSetWatches2, with the last two lists
  int64_t relative_zxid = 0;
  std::vector<std::string> data, exists, children, persistent, recursive;
  friend bool operator==(const SetWatches&, const SetWatches&) = default;
};
struct GetEphemerals {
  std::string prefix;
  friend bool operator==(const GetEphemerals&, const GetEphemerals&) = default;
};
struct GetAllChildrenNumber {
  std::string path;
  friend bool operator==(const GetAllChildrenNumber&, const GetAllChildrenNumber&) = default;
};
struct WhoAmI {
  friend bool operator==(const WhoAmI&, const WhoAmI&) = default;
};
struct CloseSession {
  friend bool operator==(const CloseSession&, const CloseSession&) = default;
};
// An operation that a server does not offer to clients, or does not know: what follows its number is not
// read.
struct Unknown {
  int32_t op = 0;
  friend bool operator==(const Unknown&, const Unknown&) = default;
};

struct RequestBody
    : std::variant<Create, Delete, Exists, GetData, SetData, GetAcl, SetAcl, GetChildren, Sync, Ping, Multi,
                   MultiRead, Reconfig, CheckWatches, RemoveWatches, AddWatch, Auth, Sasl, SetWatches,
                   GetEphemerals, GetAllChildrenNumber, WhoAmI, CloseSession, Unknown, Check> {
  QUORATE_ONE_OF(RequestBody);
};

struct Request {
  int32_t xid = 0;
  RequestBody body;
  friend bool operator==(const Request&, const Request&) = default;
};

OpCode op_of(const RequestBody& body);

// ---- replies and events

struct CreateReply {
  std::string path;
  std::optional<Stat> stat{};  // of all but kCreate
  friend bool operator==(const CreateReply&, const CreateReply&) = default;
};
struct StatReply {
  Stat stat;
  friend bool operator==(const StatReply&, const StatReply&) = default;
};
struct DataReply {
  std::string data;
  Stat stat;
  bool null_data = false;
  friend bool operator==(const DataReply&, const DataReply&) = default;
};
struct AclReply {
  Acl acl;
  Stat stat;
  friend bool operator==(const AclReply&, const AclReply&) = default;
};
struct ChildrenReply {
  std::vector<std::string> names;
  std::optional<Stat> stat{};  // of kGetChildren2
  friend bool operator==(const ChildrenReply&, const ChildrenReply&) = default;
};
struct PathReply {
  std::string path;  // kSync
  friend bool operator==(const PathReply&, const PathReply&) = default;
};
// One operation of a multi or a multiRead.
struct MultiResult {
  OpCode op = OpCode::kError;  // kError: refused, with `error`
  ErrorCode error = ErrorCode::kOk;
  std::variant<std::monostate, CreateReply, StatReply, DataReply, ChildrenReply> body{};
  friend bool operator==(const MultiResult&, const MultiResult&) = default;
};
struct MultiReply {
  std::vector<MultiResult> results;
  friend bool operator==(const MultiReply&, const MultiReply&) = default;
};
struct EphemeralsReply {
  std::vector<std::string> paths;
  friend bool operator==(const EphemeralsReply&, const EphemeralsReply&) = default;
};
struct CountReply {
  int32_t count = 0;  // kGetAllChildrenNumber; and the 0 that answers kAddWatch
  friend bool operator==(const CountReply&, const CountReply&) = default;
};
struct WhoAmIReply {
  struct Who {
    std::string scheme, user;
    friend bool operator==(const Who&, const Who&) = default;
  };
  std::vector<Who> who;
  friend bool operator==(const WhoAmIReply&, const WhoAmIReply&) = default;
};
struct SaslReply {
  std::string token;
  friend bool operator==(const SaslReply&, const SaslReply&) = default;
};

struct ReplyBody : std::variant<std::monostate, CreateReply, StatReply, DataReply, AclReply, ChildrenReply,
                                PathReply, MultiReply, EphemeralsReply, CountReply, WhoAmIReply, SaslReply> {
  QUORATE_ONE_OF(ReplyBody);
};

struct Reply {
  int32_t xid = 0;
  int64_t zxid = 0;
  ErrorCode error = ErrorCode::kOk;
  ReplyBody body;  // nothing where there is an error
  friend bool operator==(const Reply&, const Reply&) = default;
};

enum class EventType : int32_t {
  kNone = -1,
  kCreated = 1,
  kDeleted = 2,
  kDataChanged = 3,
  kChildrenChanged = 4
};
// The only state that an event of a node has on the wire (SyncConnected).
inline constexpr int32_t kConnectedState = 3;

struct Event {
  int64_t zxid = -1;  // of the change that fired it; -1: not known, or by setWatches
  EventType type = EventType::kNone;
  int32_t state = kConnectedState;
  std::string path;
  friend bool operator==(const Event&, const Event&) = default;
};

}  // namespace quorate::zookeeper
