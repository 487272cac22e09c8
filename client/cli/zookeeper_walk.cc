#include "client/cli/zookeeper_walk.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "base/checksum.h"
#include "base/codec.h"
#include "kv/acl.h"
#include "kv/command.h"
#include "kv/path.h"
#include "kv/text.h"

namespace quorate::cli {

namespace zk = zookeeper;

namespace {

constexpr std::string_view kReserved = "/zookeeper";

// Servers answer 0 for containers and nodes with a time to live, whatever they note there themselves: so any
// number is a session's, also one of the server 255, whose sessions look like their mark of a time to live.
bool is_ephemeral(const zk::Stat& stat) { return stat.ephemeral_owner != 0; }

bool is_above(std::string_view ancestor, std::string_view path) {
  return ancestor == "/" ||
         (path.size() > ancestor.size() && path.starts_with(ancestor) && path[ancestor.size()] == '/');
}

kv::Acl acl_of(const zk::Acl& told) {
  kv::Acl acl;
  for (const zk::AclEntry& entry : told)
    acl.push_back({static_cast<uint32_t>(entry.permissions), entry.scheme, entry.id});
  return acl;
}

// Whoever may read a node and not administer it sees "x" where digests stand.
bool has_hidden_digest(const zk::Acl& acl) {
  return std::any_of(acl.begin(), acl.end(), [](const zk::AclEntry& entry) {
    return entry.scheme == "digest" && entry.id.ends_with(":x");
  });
}

}  // namespace

kv::NodeRecord SourceNode::record() const {
  kv::NodeRecord record;
  record.czxid = Zxid(static_cast<uint64_t>(stat.czxid));
  record.mzxid = Zxid(static_cast<uint64_t>(stat.mzxid));
  record.ctime_ms = stat.ctime_ms;
  record.mtime_ms = stat.mtime_ms;
  record.version = stat.version;
  record.aversion = stat.aversion;
  record.creates = creates_of(stat.cversion, stat.num_children);
  record.pzxid = record.creates != 0 ? Zxid(static_cast<uint64_t>(stat.pzxid)) : Zxid();
  record.null_data = null_data;
  record.acl = acl;
  record.data = data;
  return record;
}

uint64_t creates_of(int32_t cversion, int32_t children) {
  return (static_cast<uint32_t>(cversion) + static_cast<uint32_t>(children)) / 2;
}

uint64_t node_hash(std::string_view path, const kv::NodeRecord& node) {
  constexpr uint64_t kCreatesModulo = uint64_t{1} << 31;
  std::string bytes;
  ByteWriter out(bytes);
  out.string(path);
  out.string(node.data);
  out.u8(node.null_data ? 1 : 0);
  out.string(node.acl);
  out.u64(node.czxid.value());
  out.u64(node.mzxid.value());
  out.i64(node.ctime_ms);
  out.i64(node.mtime_ms);
  out.i32(node.version);
  out.i32(node.aversion);
  out.u64(node.creates % kCreatesModulo);
  return checksum64(bytes);
}

ZookeeperWalk::ZookeeperWalk(ZookeeperReader& reader, std::string root, Sink sink)
    : reader_(reader), root_(std::move(root)), sink_(std::move(sink)) {}

bool ZookeeperWalk::wanted(std::string_view path) const {
  if (path == kReserved) return false;
  return path == root_ || is_above(root_, path) || is_above(path, root_);
}

Status ZookeeperWalk::run() {
  begin_some();
  return reader_.run();
}

void ZookeeperWalk::begin_some() {
  while (!to_visit_.empty() && active_ < kNodesAtOnce) {
    std::string path = std::move(to_visit_.back());
    to_visit_.pop_back();
    begin(std::move(path));
  }
}

void ZookeeperWalk::ask(const VisitPtr& visit, zk::RequestBody body,
                        Status (ZookeeperWalk::*take)(const VisitPtr&, zk::Reply&&)) {
  ++visit->pending;
  reader_.ask(std::move(body), [this, visit, take](zk::Reply reply) -> Status {
    Status taken = visit->dropped ? Status() : (this->*take)(visit, std::move(reply));
    return taken.ok() ? answered(visit) : taken;
  });
}

void ZookeeperWalk::begin(std::string path) {
  ++active_;
  const auto visit = std::make_shared<Visit>();
  visit->node.path = std::move(path);
  ask(visit, zk::GetData{visit->node.path, false}, &ZookeeperWalk::take_data);
  ask(visit, zk::GetAcl{visit->node.path}, &ZookeeperWalk::take_acl);
}

Status ZookeeperWalk::answered(const VisitPtr& visit) {
  if (--visit->pending > 0) return {};
  --active_;
  if (!visit->dropped) {
    for (const std::string& name : visit->node.children) this->visit(kv::join_path(visit->node.path, name));
    if (Status taken = sink_.node(std::move(visit->node)); !taken.ok()) return taken;
  }
  begin_some();
  return {};
}

Status ZookeeperWalk::take_data(const VisitPtr& visit, zk::Reply&& reply) {
  if (reply.error == zk::ErrorCode::kNoAuth) {
    // An ephemeral node that may not be read is nothing that is missing.
    visit->hidden = true;
    ask(visit, zk::Exists{visit->node.path, false}, &ZookeeperWalk::take_hidden);
    return {};
  }
  if (reply.error != zk::ErrorCode::kOk) return refused(visit, reply.error);
  auto& data = std::get<zk::DataReply>(reply.body);
  SourceNode& node = visit->node;
  node.stat = data.stat;
  node.data = std::move(data.data);
  node.null_data = data.null_data;
  if (is_ephemeral(node.stat)) {
    ++ephemerals_;
    visit->dropped = true;
    return {};
  }
  if (node.data.size() > kv::kDataBytesMax) {
    leave_out(visit, "it holds " + std::to_string(node.data.size()) + " bytes, and a node may hold " +
                         std::to_string(kv::kDataBytesMax));
    return {};
  }
  if (node.stat.num_children > 0)
    ask(visit, zk::GetChildren{node.path, false, false}, &ZookeeperWalk::take_children);
  return {};
}

Status ZookeeperWalk::take_hidden(const VisitPtr& visit, zk::Reply&& reply) {
  if (reply.error == zk::ErrorCode::kOk && is_ephemeral(std::get<zk::StatReply>(reply.body).stat)) {
    ++ephemerals_;
    visit->dropped = true;
    return {};
  }
  return refused(visit, reply.error == zk::ErrorCode::kOk ? zk::ErrorCode::kNoAuth : reply.error);
}

Status ZookeeperWalk::take_acl(const VisitPtr& visit, zk::Reply&& reply) {
  if (visit->hidden) return {};  // take_hidden() decides
  if (reply.error != zk::ErrorCode::kOk) return refused(visit, reply.error);
  const auto& told = std::get<zk::AclReply>(reply.body).acl;
  if (has_hidden_digest(told)) {
    leave_out(
        visit,
        "its list of permissions is shown without the digests: only whoever may administer it sees them");
    return {};
  }
  const kv::Acl acl = acl_of(told);
  // ZooKeeper takes a list without entries for open, too.
  if (!acl.empty() && acl != kv::open_acl()) kv::append_acl(visit->node.acl, acl);
  return {};
}

Status ZookeeperWalk::take_children(const VisitPtr& visit, zk::Reply&& reply) {
  if (reply.error == zk::ErrorCode::kOk) {
    take_names(visit, std::move(std::get<zk::ChildrenReply>(reply.body).names));
    return {};
  }
  // How Quorate answers where the names are too many for one answer; ZooKeeper sends them.
  if (reply.error != zk::ErrorCode::kBadArguments) return refused(visit, reply.error);
  const auto count = static_cast<size_t>(visit->node.stat.num_children);
  auto names = sink_.names ? sink_.names(visit->node.path, count) : std::nullopt;
  if (names)
    take_names(visit, std::move(*names));
  else
    leave_out(visit, "the source does not tell the names of its " + std::to_string(count) +
                         " children: they are too many for one of its answers");
  return {};
}

void ZookeeperWalk::take_names(const VisitPtr& visit, std::vector<std::string>&& names) {
  for (std::string& name : names) {
    const std::string path = kv::join_path(visit->node.path, name);
    if (!wanted(path)) continue;
    if (const Status valid = kv::validate_path(path); !valid.ok()) {
      sink_.left_out(path, valid.error().message);
      continue;
    }
    visit->node.children.push_back(std::move(name));
  }
}

Status ZookeeperWalk::refused(const VisitPtr& visit, zk::ErrorCode error) {
  if (error == zk::ErrorCode::kNoNode) {
    visit->dropped = true;
    return {};
  }
  if (error == zk::ErrorCode::kNoAuth) {
    leave_out(visit, "no permission to read it");
    return {};
  }
  return Error{ErrorCode::kUnavailable, "the source answers a read of " + kv::shown(visit->node.path) +
                                            " with error " + std::to_string(static_cast<int32_t>(error))};
}

void ZookeeperWalk::leave_out(const VisitPtr& visit, const std::string& why) {
  visit->dropped = true;
  sink_.left_out(visit->node.path, why);
}

}  // namespace quorate::cli
