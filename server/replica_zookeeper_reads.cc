// What ZooKeeper's clients read, from this server's own tree, as their session may see it (kv/view.h).
#include <string>
#include <utility>

#include "kv/path.h"
#include "server/replica_impl.h"
#include "server/replica_zookeeper_quotas.h"
#include "server/replica_zookeeper_words.h"

namespace quorate::server {

namespace zk = zookeeper;

// A body, or why there is none.
struct Replica::Impl::ZookeeperServed {
  ZookeeperServed() = default;
  ZookeeperServed(zk::ErrorCode code) : error(code) {}                    // NOLINT: implicit by design
  ZookeeperServed(const Error& why) : error(zookeeper_code(why.code)) {}  // NOLINT: implicit by design
  ZookeeperServed(zk::ReplyBody what) : body(std::move(what)) {}          // NOLINT: implicit by design

  zk::ErrorCode error = zk::ErrorCode::kOk;
  zk::ReplyBody body;
};

namespace {

// More are not counted for a client: nobody else is answered meanwhile.
constexpr int64_t kDescendantsMax = 200'000;

// What a name takes in an answer beside its bytes.
constexpr size_t kNameBytes = 4;

size_t bytes_of(const std::vector<std::string>& names) {
  size_t bytes = 0;
  for (const std::string& name : names) bytes += name.size() + kNameBytes;
  return bytes;
}

size_t bytes_of(const zk::ReplyBody& body) {
  if (const auto* data = std::get_if<zk::DataReply>(&body)) return data->data.size();
  if (const auto* children = std::get_if<zk::ChildrenReply>(&body)) return bytes_of(children->names);
  if (const auto* ephemerals = std::get_if<zk::EphemeralsReply>(&body)) return bytes_of(ephemerals->paths);
  const auto* multi = std::get_if<zk::MultiReply>(&body);
  if (multi == nullptr) return 0;
  size_t bytes = 0;
  for (const zk::MultiResult& result : multi->results) {
    if (const auto* data = std::get_if<zk::DataReply>(&result.body)) bytes += data->data.size();
    if (const auto* children = std::get_if<zk::ChildrenReply>(&result.body))
      bytes += bytes_of(children->names);
  }
  return bytes;
}

}  // namespace

zk::Reply Replica::Impl::zookeeper_read(ConnectionId id, SessionId session, const zk::Request& request) {
  looked_at = 0;
  ZookeeperServed served = zookeeper_serve(id, session, request.body);
  count_reply(connections.at(id), bytes_of(served.body));
  return {request.xid, static_cast<int64_t>(state.zxid().value()), served.error, std::move(served.body)};
}

struct Replica::Impl::ZookeeperServe {
  using Served = ZookeeperServed;
  Impl& self;
  ConnectionId id;
  SessionId session;

  // With the watch that it sets, if what it looks at may be watched.
  template <class Value>
  Served watched(Result<Value> value, kv::WatchKind kind, const std::string& path, bool wanted) const {
    if (wanted) {
      if (Status added = self.zookeeper_watch(id, kind, path); !added.ok()) return added.error();
    }
    return plain(std::move(value));
  }
  template <class Value>
  Served plain(Result<Value> value) const {
    if (!value.ok()) return value.error();
    return zk::ReplyBody(std::move(*value));
  }

  Served operator()(const zk::Exists& asked) const {
    auto stat = self.zookeeper_exists(session, asked.path);
    const bool watchable = stat.ok() || stat.code() == ErrorCode::kNoNode;
    return watched(std::move(stat), kv::WatchKind::kData, asked.path, asked.watch && watchable);
  }
  Served operator()(const zk::GetData& asked) const {
    auto data = self.zookeeper_data(session, asked.path);
    const bool ok = data.ok();
    return watched(std::move(data), kv::WatchKind::kData, asked.path, asked.watch && ok);
  }
  Served operator()(const zk::GetChildren& asked) const {
    auto children = self.zookeeper_children(session, asked.path, asked.with_stat);
    const bool ok = children.ok();
    return watched(std::move(children), kv::WatchKind::kChildren, asked.path, asked.watch && ok);
  }
  Served operator()(const zk::GetAcl& asked) const {
    return plain(self.zookeeper_permissions(session, asked.path));
  }
  Served operator()(const zk::MultiRead& asked) const {
    if (asked.parts.size() > kMultiReadPartsMax) return zk::ErrorCode::kBadArguments;
    return zk::ReplyBody(self.zookeeper_many(session, asked));
  }
  Served operator()(const zk::Sync& asked) const { return zk::ReplyBody(zk::PathReply{asked.path}); }
  Served operator()(const zk::GetEphemerals& asked) const {
    zk::EphemeralsReply reply;
    size_t bytes = 0;
    std::vector<std::string> owned = self.state.ephemerals(session);
    self.looked_at += owned.size();
    for (std::string& path : owned) {
      if (!path.starts_with(asked.prefix) || !self.view_of(session).get(path).ok()) continue;
      bytes += path.size() + kNameBytes;
      if (bytes > self.options.reply_bytes_max) return zookeeper_code(ErrorCode::kTooLarge);
      reply.paths.push_back(std::move(path));
    }
    return zk::ReplyBody(std::move(reply));
  }
  Served operator()(const zk::GetAllChildrenNumber& asked) const {
    auto count = self.zookeeper_descendants(session, asked.path);
    if (!count.ok()) return count.error();
    return zk::ReplyBody(zk::CountReply{*count});
  }
  Served operator()(const zk::WhoAmI&) const {
    zk::WhoAmIReply reply;
    for (const kv::Credential& credential : self.credentials_of(session))
      reply.who.push_back(
          {credential.scheme, credential.id.substr(0, credential.scheme == "digest" ? credential.id.find(':')
                                                                                    : std::string::npos)});
    return zk::ReplyBody(std::move(reply));
  }
  Served operator()(const zk::SetWatches& asked) const {
    if (Status set = self.zookeeper_set_watches(id, session, asked); !set.ok()) return set.error();
    return {};
  }
  Served operator()(const zk::AddWatch& asked) const {
    if (asked.mode != 0 && asked.mode != 1) return zk::ErrorCode::kBadArguments;
    if (Status valid = kv::validate_path(asked.path); !valid.ok()) return valid.error();
    const auto kind = asked.mode == 1 ? kv::WatchKind::kRecursive : kv::WatchKind::kPersistent;
    return watched<zk::CountReply>(zk::CountReply{0}, kind, asked.path, true);
  }
  Served operator()(const zk::CheckWatches& asked) const {
    return self.zookeeper_watches(id, asked.path, asked.type, false) ? Served()
                                                                     : Served(zk::ErrorCode::kNoWatcher);
  }
  Served operator()(const zk::RemoveWatches& asked) const {
    return self.zookeeper_watches(id, asked.path, asked.type, true) ? Served()
                                                                    : Served(zk::ErrorCode::kNoWatcher);
  }
  Served operator()(const zk::Reconfig&) const { return zk::ErrorCode::kReconfigDisabled; }
  // What is left is no read that this server offers: it says so, and the connection goes on.
  template <class Other>
  Served operator()(const Other&) const {
    return zk::ErrorCode::kUnimplemented;
  }
};

Replica::Impl::ZookeeperServed Replica::Impl::zookeeper_serve(ConnectionId id, SessionId session,
                                                              const zk::RequestBody& body) {
  return std::visit(ZookeeperServe{*this, id, session}, body);
}

std::optional<ReservedNode> Replica::Impl::zookeeper_reserved(SessionId session,
                                                              std::string_view path) const {
  const kv::View view = view_of(session);
  if (is_quota_path(path)) {
    looked_at += state.quota_count();
    return quota_node(path, state, view);
  }
  auto node = reserved_node(path, raft->configuration(), client_addresses);
  if (node && path == kQuotaRoot) {
    looked_at += state.quota_count();
    node->children = quota_roots(state, view);
    node->stat.num_children = static_cast<int32_t>(node->children.size());
  }
  return node;
}

Result<zk::StatReply> Replica::Impl::zookeeper_exists(SessionId session, std::string_view path) const {
  if (is_reserved(path)) {
    if (const auto node = zookeeper_reserved(session, path)) return zk::StatReply{node->stat};
  }
  const auto node = state.get(path);
  if (!node.ok()) return node.error();
  zk::Stat stat = zookeeper_stat(node->stat);
  if (path == "/") add_reserved(stat);
  return zk::StatReply{stat};
}

Result<zk::DataReply> Replica::Impl::zookeeper_data(SessionId session, std::string_view path) const {
  if (is_reserved(path)) {
    if (auto node = zookeeper_reserved(session, path))
      return zk::DataReply{std::move(node->data), node->stat};
  }
  const auto node = view_of(session).get(path);
  if (!node.ok()) return node.error();
  zk::Stat stat = zookeeper_stat(node->stat);
  if (path == "/") add_reserved(stat);
  return zk::DataReply{std::string(node->data), stat, node->null_data};
}

Result<zk::ChildrenReply> Replica::Impl::zookeeper_children(SessionId session, std::string_view path,
                                                            bool with_stat) const {
  zk::ChildrenReply reply;
  if (is_reserved(path)) {
    if (auto node = zookeeper_reserved(session, path)) {
      reply.names = std::move(node->children);
      if (with_stat) reply.stat = node->stat;
      return reply;
    }
  }
  const auto node = view_of(session).get(path);
  if (!node.ok()) return node.error();
  const auto count = static_cast<size_t>(node->stat.num_children);
  const auto too_many = [count] {
    return Error{ErrorCode::kTooLarge,
                 "the node has " + std::to_string(count) + " children, too many for one answer"};
  };
  if (count * kNameBytes > options.reply_bytes_max) return too_many();
  looked_at += count;
  const auto children = state.children(path);
  if (!children.ok()) return children.error();
  size_t bytes = 0;
  for (const kv::Child& child : *children) bytes += child.name.size() + kNameBytes;
  if (bytes > options.reply_bytes_max) return too_many();
  reply.names.reserve(children->size() + 1);
  for (const kv::Child& child : *children) reply.names.emplace_back(child.name);
  if (path == "/") reply.names.emplace_back("zookeeper");
  if (with_stat) {
    reply.stat = zookeeper_stat(node->stat);
    if (path == "/") add_reserved(*reply.stat);
  }
  return reply;
}

Result<zk::AclReply> Replica::Impl::zookeeper_permissions(SessionId session, std::string_view path) const {
  if (is_reserved(path)) {
    if (const auto node = zookeeper_reserved(session, path)) {
      kv::Acl acl = kv::open_acl();
      if (!node->may_write) acl.front().permissions = kv::kRead;
      return zk::AclReply{zookeeper_acl(acl), node->stat};
    }
  }
  const auto acl = view_of(session).acl(path);
  if (!acl.ok()) return acl.error();
  zk::Stat stat = zookeeper_stat(acl->stat);
  if (path == "/") add_reserved(stat);
  return zk::AclReply{zookeeper_acl(acl->acl), stat};
}

// All below it, to any depth: walked, as ZooKeeper does.
Result<int32_t> Replica::Impl::zookeeper_descendants(SessionId session, const std::string& path) const {
  if (is_reserved(path)) {
    if (const auto node = zookeeper_reserved(session, path))
      return static_cast<int32_t>(node->children.size());
  }
  if (const auto node = view_of(session).get(path); !node.ok()) return node.error();
  if (path == "/") return static_cast<int32_t>(state.node_count()) - 1 + kReservedNodes;
  int64_t count = 0;
  std::vector<std::string> parents = {path};
  while (!parents.empty()) {
    const std::string parent = std::move(parents.back());
    parents.pop_back();
    const auto node = state.get(parent);
    if (!node.ok() || node->stat.num_children == 0) continue;
    count += node->stat.num_children;
    if (count > kDescendantsMax) {
      return {ErrorCode::kTooManyNodes, "there are more than " + std::to_string(kDescendantsMax) +
                                            " nodes below it: count those of its children"};
    }
    const auto children = state.children(parent);
    looked_at += children->size();
    for (const kv::Child& child : *children) {
      if (child.kind != kv::NodeKind::kEphemeral) parents.push_back(kv::join_path(parent, child.name));
    }
  }
  return static_cast<int32_t>(count);
}

zk::MultiReply Replica::Impl::zookeeper_many(SessionId session, const zk::MultiRead& many) const {
  zk::MultiReply reply;
  size_t bytes = 0;
  for (const zk::MultiRead::Part& part : many.parts) {
    zk::MultiResult& result = reply.results.emplace_back();
    // Nobody else is served while lists are gone through that there is no room for.
    if (bytes > options.reply_bytes_max || looked_at * kNameBytes > options.reply_bytes_max) {
      result.error = zookeeper_code(ErrorCode::kTooLarge);
      continue;
    }
    if (const auto* get = std::get_if<zk::GetData>(&part)) {
      auto data = zookeeper_data(session, get->path);
      result.error = zookeeper_code(data.code());
      if (!data.ok()) continue;
      bytes += data->data.size();
      result.op = zk::OpCode::kGetData;
      result.body = std::move(*data);
    } else {
      const auto& list = std::get<zk::GetChildren>(part);
      auto children = zookeeper_children(session, list.path, list.with_stat);
      result.error = zookeeper_code(children.code());
      if (!children.ok()) continue;
      bytes += bytes_of(children->names);
      result.op = list.with_stat ? zk::OpCode::kGetChildren2 : zk::OpCode::kGetChildren;
      result.body = std::move(*children);
    }
    // What has no more room is refused like a single one that is too large.
    if (bytes > options.reply_bytes_max)
      result = {zk::OpCode::kError, zookeeper_code(ErrorCode::kTooLarge), {}};
  }
  return reply;
}

}  // namespace quorate::server
