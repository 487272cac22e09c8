#include "server/replica_zookeeper_words.h"

#include <algorithm>
#include <cstdlib>
#include <string>
#include <utility>

#include "base/check.h"
#include "kv/path.h"

namespace quorate::server {

namespace zk = zookeeper;

zk::ErrorCode zookeeper_code(ErrorCode code) {
  switch (code) {
    case ErrorCode::kOk:
      return zk::ErrorCode::kOk;
    case ErrorCode::kNoNode:
      return zk::ErrorCode::kNoNode;
    case ErrorCode::kNodeExists:
      return zk::ErrorCode::kNodeExists;
    case ErrorCode::kBadVersion:
      return zk::ErrorCode::kBadVersion;
    case ErrorCode::kNotEmpty:
      return zk::ErrorCode::kNotEmpty;
    case ErrorCode::kNoChildrenForEphemerals:
      return zk::ErrorCode::kNoChildrenForEphemerals;
    case ErrorCode::kBadPath:
    case ErrorCode::kTooLarge:
    case ErrorCode::kNotHolder:
    case ErrorCode::kBadQueue:
    case ErrorCode::kInvalidArgument:
    case ErrorCode::kTooManyNodes:
    case ErrorCode::kInvalidTtl:
    case ErrorCode::kSequenceExhausted:
      return zk::ErrorCode::kBadArguments;
    case ErrorCode::kNotAttempted:
      return zk::ErrorCode::kRuntimeInconsistency;
    case ErrorCode::kSessionExpired:
    case ErrorCode::kSessionRequired:
      return zk::ErrorCode::kSessionExpired;
    case ErrorCode::kSessionMoved:
      return zk::ErrorCode::kSessionMoved;
    case ErrorCode::kBadCredentials:
      return zk::ErrorCode::kAuthFailed;
    case ErrorCode::kTooManyResults:
    case ErrorCode::kOverloaded:
      return zk::ErrorCode::kThrottled;
    case ErrorCode::kNoQuorum:
    case ErrorCode::kNotLeader:
    case ErrorCode::kOutcomeUnknown:
    case ErrorCode::kUnavailable:
    case ErrorCode::kShuttingDown:
    case ErrorCode::kNotMember:
      return zk::ErrorCode::kConnectionLoss;
    case ErrorCode::kTimeout:
      return zk::ErrorCode::kOperationTimeout;
    case ErrorCode::kUnsupported:
      return zk::ErrorCode::kUnimplemented;
    case ErrorCode::kMalformed:
      return zk::ErrorCode::kMarshallingError;
    case ErrorCode::kDenied:
      return zk::ErrorCode::kNoAuth;
    case ErrorCode::kInvalidAcl:
      return zk::ErrorCode::kInvalidAcl;
    case ErrorCode::kQuotaExceeded:
    case ErrorCode::kLimitReached:
      return zk::ErrorCode::kQuotaExceeded;
    case ErrorCode::kHistoryGone:
    case ErrorCode::kSnapshotGone:
    case ErrorCode::kContended:
    case ErrorCode::kRequestGap:
    case ErrorCode::kRequestForgotten:
    case ErrorCode::kIo:
    case ErrorCode::kNoSpace:
    case ErrorCode::kCorruption:
    case ErrorCode::kWrongCluster:
    case ErrorCode::kWrongServer:
    case ErrorCode::kInUse:
    case ErrorCode::kBadConfiguration:
      return zk::ErrorCode::kSystemError;
  }
  return zk::ErrorCode::kSystemError;
}

std::string_view zookeeper_letters(zk::OpCode op) {
  switch (op) {
    case zk::OpCode::kCreate:
    case zk::OpCode::kCreate2:
    case zk::OpCode::kCreateContainer:
    case zk::OpCode::kCreateTtl:
      return "CREA";
    case zk::OpCode::kDelete:
      return "DELE";
    case zk::OpCode::kExists:
      return "EXIS";
    case zk::OpCode::kGetData:
      return "GETD";
    case zk::OpCode::kSetData:
      return "SETD";
    case zk::OpCode::kGetAcl:
      return "GETA";
    case zk::OpCode::kSetAcl:
      return "SETA";
    case zk::OpCode::kGetChildren:
    case zk::OpCode::kGetChildren2:
      return "GETC";
    case zk::OpCode::kSync:
      return "SYNC";
    case zk::OpCode::kPing:
      return "PING";
    case zk::OpCode::kCheck:
      return "CHEC";
    case zk::OpCode::kMulti:
      return "MULT";
    case zk::OpCode::kMultiRead:
      return "MLTR";
    case zk::OpCode::kReconfig:
      return "RECO";
    case zk::OpCode::kCheckWatches:
      return "CHKW";
    case zk::OpCode::kRemoveWatches:
      return "REMW";
    case zk::OpCode::kAddWatch:
      return "ADDW";
    case zk::OpCode::kSetWatches:
      return "SETW";
    case zk::OpCode::kSetWatches2:
      return "STW2";
    case zk::OpCode::kGetEphemerals:
      return "GETE";
    case zk::OpCode::kGetAllChildrenNumber:
      return "GETACN";
    case zk::OpCode::kWhoAmI:
      return "HOMI";
    case zk::OpCode::kCloseSession:
      return "CLOS";
    case zk::OpCode::kAuth:
    case zk::OpCode::kSasl:
    case zk::OpCode::kNotification:
    case zk::OpCode::kDeleteContainer:
    case zk::OpCode::kError:
      break;
  }
  return "NA";
}

zk::Stat zookeeper_stat(const kv::Stat& stat) {
  const auto number = [](auto id) { return static_cast<int64_t>(id.value()); };
  return {number(stat.czxid), number(stat.mzxid), stat.ctime_ms,     stat.mtime_ms,
          stat.version,       stat.cversion,      stat.aversion,     number(stat.ephemeral_owner),
          stat.data_length,   stat.num_children,  number(stat.pzxid)};
}

zk::Acl zookeeper_acl(const kv::Acl& acl) {
  zk::Acl out;
  out.reserve(acl.size());
  for (const kv::AclEntry& entry : acl)
    out.push_back({static_cast<int32_t>(entry.permissions), entry.scheme, entry.id});
  return out;
}

// ---- operations

namespace {

// A list without entries means "open to all" to the tree and is refused by ZooKeeper: so it gets one entry
// that the tree refuses in the same way, at the same place in the order of its rules.
kv::Acl acl_of(zk::Acl&& acl) {
  kv::Acl out;
  out.reserve(acl.size());
  for (zk::AclEntry& entry : acl) {
    out.push_back({static_cast<uint32_t>(entry.permissions), std::move(entry.scheme), std::move(entry.id)});
  }
  if (out.empty()) out.push_back({0, "", ""});
  return out;
}

// A mode that there is not becomes one that the tree refuses, at the same place in the order of its rules.
kv::CreateOp create_of(zk::Create&& create) {
  kv::CreateOp op;
  switch (static_cast<zk::CreateMode>(create.flags)) {
    case zk::CreateMode::kPersistent:
      break;
    case zk::CreateMode::kEphemeral:
      op.ephemeral = true;
      break;
    case zk::CreateMode::kPersistentSequential:
      op.sequential = true;
      break;
    case zk::CreateMode::kEphemeralSequential:
      op.ephemeral = op.sequential = true;
      break;
    case zk::CreateMode::kContainer:
      op.container = true;
      break;
    case zk::CreateMode::kTtl:
      op.ttl_ms = create.ttl_ms;
      break;
    case zk::CreateMode::kTtlSequential:
      op.ttl_ms = create.ttl_ms;
      op.sequential = true;
      break;
    default:
      op.ephemeral = op.container = true;
  }
  // A time to live for a node that has none is refused, too.
  if (create.op == zk::OpCode::kCreateTtl && !op.ttl_ms && create.ttl_ms >= 0)
    op.ephemeral = op.container = true;
  op.path = std::move(create.path);
  op.data = std::move(create.data);
  op.null_data = create.null_data;
  op.acl = acl_of(std::move(create.acl));
  return op;
}

kv::MultiOp multi_of(zk::Multi& multi) {
  kv::MultiOp op;
  op.operations.reserve(multi.parts.size());
  for (zk::Multi::Part& part : multi.parts) {
    if (auto* create = std::get_if<zk::Create>(&part)) {
      // In a multi ZooKeeper passes over a time to live that the mode has no use for.
      const auto mode = static_cast<zk::CreateMode>(create->flags);
      if (mode != zk::CreateMode::kTtl && mode != zk::CreateMode::kTtlSequential) create->ttl_ms = -1;
      op.operations.emplace_back(create_of(std::move(*create)));
    } else if (auto* remove = std::get_if<zk::Delete>(&part)) {
      op.operations.emplace_back(kv::DeleteOp{std::move(remove->path), remove->version});
    } else if (auto* set = std::get_if<zk::SetData>(&part)) {
      op.operations.emplace_back(kv::SetOp{set->path, std::move(set->data), set->version, set->null_data});
    } else {
      auto& check = std::get<zk::Check>(part);
      op.operations.emplace_back(kv::CheckOp{std::move(check.path), check.version});
    }
  }
  return op;
}

zk::CreateReply created(zk::OpCode op, const std::string& path, const kv::Stat& stat) {
  if (op == zk::OpCode::kCreate) return {path, std::nullopt};
  return {path, zookeeper_stat(stat)};
}

zk::StatReply stat_after(const std::string& path, const kv::Stat& stat) {
  zk::StatReply reply{zookeeper_stat(stat)};
  if (path == "/") add_reserved(reply.stat);
  return reply;
}

zk::MultiResult result_of(const zk::Multi::Part& part, const kv::OperationResult& result, bool refused) {
  if (refused) return {zk::OpCode::kError, zookeeper_code(result.code), {}};
  if (const auto* create = std::get_if<zk::Create>(&part)) {
    // In a multi ZooKeeper goes by the mode, and answers a create2 as a create.
    const bool plain = create->flags < static_cast<int32_t>(zk::CreateMode::kContainer);
    const zk::OpCode op = plain ? zk::OpCode::kCreate : zk::OpCode::kCreate2;
    return {op, zk::ErrorCode::kOk, created(op, result.path, result.stat)};
  }
  if (const auto* set = std::get_if<zk::SetData>(&part))
    return {zk::OpCode::kSetData, zk::ErrorCode::kOk, stat_after(set->path, result.stat)};
  const bool removed = std::holds_alternative<zk::Delete>(part);
  return {removed ? zk::OpCode::kDelete : zk::OpCode::kCheck, zk::ErrorCode::kOk, {}};
}

}  // namespace

bool proves_somebody(const zk::RequestBody& request) {
  return std::holds_alternative<zk::Auth>(request) || std::holds_alternative<zk::Sasl>(request);
}

bool is_write(const zk::RequestBody& request) {
  return std::holds_alternative<zk::Create>(request) || std::holds_alternative<zk::Delete>(request) ||
         std::holds_alternative<zk::SetData>(request) || std::holds_alternative<zk::SetAcl>(request) ||
         std::holds_alternative<zk::Multi>(request) || std::holds_alternative<zk::CloseSession>(request);
}

kv::Operation operation_of(zk::RequestBody& request) {
  if (auto* create = std::get_if<zk::Create>(&request)) return create_of(std::move(*create));
  if (auto* multi = std::get_if<zk::Multi>(&request)) return multi_of(*multi);
  if (auto* remove = std::get_if<zk::Delete>(&request))
    return kv::DeleteOp{std::move(remove->path), remove->version};
  if (auto* set = std::get_if<zk::SetData>(&request))
    return kv::SetOp{set->path, std::move(set->data), set->version, set->null_data};
  if (auto* set = std::get_if<zk::SetAcl>(&request))
    return kv::SetAclOp{set->path, acl_of(std::move(set->acl)), set->version};
  CHECK(std::holds_alternative<zk::CloseSession>(request));
  return kv::CloseSessionOp{};
}

zk::ReplyBody zookeeper_outcome(const zk::RequestBody& request, const kv::Outcome& outcome) {
  if (const auto* create = std::get_if<zk::Create>(&request)) {
    // One of the tree has its path from the outcome: it may be a sequential one.
    return created(create->op, outcome.path.empty() ? create->path : outcome.path, outcome.stat);
  }
  if (const auto* set = std::get_if<zk::SetData>(&request)) return stat_after(set->path, outcome.stat);
  if (const auto* set = std::get_if<zk::SetAcl>(&request)) return stat_after(set->path, outcome.stat);
  if (const auto* sasl = std::get_if<zk::Sasl>(&request)) return zk::SaslReply{sasl->token};
  const auto* multi = std::get_if<zk::Multi>(&request);
  if (multi == nullptr) return std::monostate();
  CHECK(outcome.results.size() == multi->parts.size());
  zk::MultiReply reply;
  reply.results.reserve(multi->parts.size());
  for (size_t i = 0; i < multi->parts.size(); ++i)
    reply.results.push_back(result_of(multi->parts[i], outcome.results[i], outcome.code != ErrorCode::kOk));
  return reply;
}

// ---- reserved nodes

namespace {

constexpr std::string_view kReserved = "/zookeeper";
constexpr std::string_view kQuota = "/zookeeper/quota";

int port_beside(const std::string& address) {
  const int port = std::atoi(address.c_str() + address.rfind(':') + 1);
  return port == 65'535 ? port - 1 : port + 1;
}

}  // namespace

// One line a server as ZooKeeper's dynamic configuration has them. Quorate has one port between servers where
// ZooKeeper has two; its Java clients refuse a line whose two are the same, so that the second is one beside
// it, where nobody listens. The version is that of an ensemble that was never reconfigured.
//
// Where clients are to connect stands there once it is known of all: a client that goes by it (Curator's
// EnsembleTracker) would forget a server whose line lacks it.
std::string config_text(const raft::Configuration& configuration, const ClientAddresses& addresses) {
  const bool complete =
      std::all_of(configuration.members.begin(), configuration.members.end(),
                  [&addresses](const raft::Member& member) { return addresses.contains(member.id); });
  std::string text;
  for (const raft::Member& member : configuration.members) {
    text += "server." + std::to_string(member.id.value()) + "=" + member.address + ":" +
            std::to_string(port_beside(member.address));
    text += member.role == raft::MemberRole::kVoter ? ":participant" : ":observer";
    text += complete ? ";" + addresses.at(member.id) + "\n" : "\n";
  }
  return text + "version=0";
}

bool is_reserved(std::string_view path) {
  return path.starts_with(kReserved) && (path.size() == kReserved.size() || path[kReserved.size()] == '/');
}

namespace {

// Its digits make another node of it, beside the reserved one.
bool is_sequential_root(const zk::Create& create) {
  const auto mode = static_cast<zk::CreateMode>(create.flags);
  return create.path == kReserved &&
         (mode == zk::CreateMode::kPersistentSequential || mode == zk::CreateMode::kEphemeralSequential ||
          mode == zk::CreateMode::kTtlSequential);
}

// kOk: it writes to no reserved path.
template <class Body>
zk::ErrorCode refusal_of(const Body& body) {
  if constexpr (std::is_same_v<Body, zk::Create>) {
    if (is_sequential_root(body)) return zk::ErrorCode::kOk;
  }
  if constexpr (std::is_same_v<Body, zk::Create> || std::is_same_v<Body, zk::Delete> ||
                std::is_same_v<Body, zk::SetData> || std::is_same_v<Body, zk::SetAcl>) {
    if (!is_reserved(body.path)) return zk::ErrorCode::kOk;
    if (!kv::validate_path(body.path).ok()) return zk::ErrorCode::kBadArguments;
    const bool known = body.path == kReserved || body.path == kQuota || body.path == kConfigPath;
    if (known && std::is_same_v<Body, zk::Create>) return zk::ErrorCode::kNodeExists;
    if (known && std::is_same_v<Body, zk::Delete>) return zk::ErrorCode::kBadArguments;
    if (!known && !std::is_same_v<Body, zk::Create>) return zk::ErrorCode::kNoNode;
    return zk::ErrorCode::kNoAuth;
  }
  return zk::ErrorCode::kOk;
}

}  // namespace

std::optional<zk::Reply> reserved_refusal(const zk::Request& request) {
  zk::Reply reply{request.xid, 0, zk::ErrorCode::kOk, {}};
  const auto* multi = std::get_if<zk::Multi>(&request.body);
  if (multi == nullptr) {
    reply.error = std::visit([](const auto& body) { return refusal_of(body); }, request.body);
    return reply.error == zk::ErrorCode::kOk ? std::nullopt : std::optional(reply);
  }
  zk::MultiReply results;
  bool refused = false;
  for (const zk::Multi::Part& part : multi->parts) {
    const auto code = refused ? zk::ErrorCode::kRuntimeInconsistency
                              : std::visit([](const auto& body) { return refusal_of(body); }, part);
    refused = refused || code != zk::ErrorCode::kOk;
    results.results.push_back({zk::OpCode::kError, code, {}});
  }
  if (!refused) return std::nullopt;
  reply.body = std::move(results);
  return reply;
}

std::optional<ReservedNode> reserved_node(std::string_view path, const raft::Configuration& configuration,
                                          const ClientAddresses& addresses) {
  ReservedNode node;
  if (path == kReserved) {
    node.children = {"config", "quota"};
    node.stat.num_children = 2;
    node.stat.cversion = -2;
    node.may_write = true;
  } else if (path == kQuota) {
    node.may_write = true;
  } else if (path == kConfigPath) {
    node.data = config_text(configuration, addresses);
    node.stat.data_length = static_cast<int32_t>(node.data.size());
  } else {
    return std::nullopt;
  }
  return node;
}

// No create has counted it, so the count of creates and deletes is one lower than the children let expect.
void add_reserved(zk::Stat& root) {
  ++root.num_children;
  --root.cversion;
}

}  // namespace quorate::server
