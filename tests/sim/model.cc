#include "tests/sim/model.h"

#include <algorithm>
#include <set>

#include "base/check.h"
#include "kv/path.h"

namespace quorate::sim {
namespace {

std::string z(Zxid zxid) { return std::to_string(zxid.value()); }

// Refusals that leave the number free: what the request comes to is decided by a later entry.
bool decides(ErrorCode code) {
  switch (code) {
    case ErrorCode::kSessionExpired:
    case ErrorCode::kSessionMoved:
    case ErrorCode::kRequestGap:
    case ErrorCode::kRequestForgotten:
    case ErrorCode::kTooManyResults:
      return false;
    default:
      return true;
  }
}

bool is_at_or_below(std::string_view path, std::string_view root) {
  if (root == "/") return true;
  return path.starts_with(root) && (path.size() == root.size() || path[root.size()] == '/');
}

std::string say(const Model::PastChange& change) {
  const char* const kinds[] = {"the making of ", "the deletion of ", "the setting of "};
  return kinds[static_cast<size_t>(change.kind)] + change.path + " at zxid " + z(change.zxid);
}

bool same(const Model::PastChange& a, const Model::PastChange& b) {
  return a.kind == b.kind && a.zxid == b.zxid && a.path == b.path;
}

}  // namespace

// ---- what was committed

Model::Model(const kv::Limits& limits) : state_(limits) { note_node("/"); }

kv::Applied Model::apply(const raft::Entry& entry) {
  CHECK(entry.index == state_.applied().next());
  if (entry.kind != raft::EntryKind::kCommand) {
    state_.skip(entry.index);
    return {};
  }
  kv::Applied applied = state_.apply(entry.index, entry.payload());
  // What nobody asked for and no session's end has done, the cluster did by itself.
  if (applied.outcomes.empty() && applied.sessions_ended.empty()) nodes_reaped_ += applied.changes.size();
  note(applied);
  return applied;
}

void Model::note(const kv::Applied& applied) {
  for (const kv::SessionOutcome& outcome : applied.outcomes) {
    if (!outcome.repeated && decides(outcome.outcome.code))
      outcomes_.emplace(std::pair(outcome.session, outcome.number), outcome.outcome);
  }
  if (applied.changes.empty()) return;
  std::set<std::string> touched;
  for (const kv::Change& change : applied.changes) {
    changes_.push_back({change.kind, applied.zxid, change.path});
    touched.insert(change.path);
    if (change.kind == kv::Change::Kind::kDataSet) continue;
    const std::string parent(kv::parent_of(change.path));
    below_[parent].push_back(
        {applied.zxid, change.kind == kv::Change::Kind::kCreated, std::string(kv::name_of(change.path))});
    touched.insert(parent);
  }
  for (const std::string& path : touched) note_node(path);
}

void Model::note_node(const std::string& path) {
  Node node;
  node.from = state_.zxid();
  if (const Result<kv::NodeView> view = state_.get(path); view.ok()) {
    node.exists = true;
    node.data = view->data;
    node.stat = view->stat;
  }
  nodes_[path].push_back(std::move(node));
}

// ---- what clients were told

Model::Verdict Model::check_outcome(SessionId session, uint64_t number, const kv::Outcome& told) const {
  const std::string name = "request " + std::to_string(number) + " of session " + z(Zxid(session.value()));
  const auto found = outcomes_.find({session, number});
  if (found == outcomes_.end()) return name + " was answered, but no committed entry decides it";
  if (found->second == told) return std::nullopt;
  return name + " was decided at zxid " + z(found->second.zxid) + " as \"" +
         std::string(error_name(found->second.code)) + "\", and was answered otherwise: zxid " +
         z(told.zxid) + ", \"" + std::string(error_name(told.code)) + "\"";
}

Model::Verdict Model::check_refused(SessionId session, uint64_t number) const {
  const auto found = outcomes_.find({session, number});
  if (found == outcomes_.end()) return std::nullopt;
  return "request " + std::to_string(number) + " of session " + z(Zxid(session.value())) +
         " was refused as if nothing were done, and was decided at zxid " + z(found->second.zxid);
}

const Model::Node* Model::node_at(const std::string& path, Zxid zxid) const {
  const auto found = nodes_.find(path);
  if (found == nodes_.end()) return nullptr;
  const std::vector<Node>& all = found->second;
  const auto behind = std::upper_bound(all.begin(), all.end(), zxid,
                                       [](Zxid at, const Node& node) { return at < node.from; });
  if (behind == all.begin()) return nullptr;
  const Node& node = *std::prev(behind);
  return node.exists ? &node : nullptr;
}

std::vector<std::string> Model::children_at(const std::string& path, Zxid zxid) const {
  std::vector<std::string> names;
  const auto found = below_.find(path);
  if (found == below_.end()) return names;
  for (const ChildChange& change : found->second) {
    if (change.zxid > zxid) break;
    if (change.made) {
      names.push_back(change.name);
    } else {
      names.erase(std::find(names.begin(), names.end(), change.name));
    }
  }
  return names;
}

Model::Verdict Model::check_read(const server::RequestBody& asked, const server::ClientReply& reply) const {
  if (reply.error.code != ErrorCode::kOk && reply.error.code != ErrorCode::kNoNode) return std::nullopt;
  if (reply.zxid > state_.zxid()) return "a read shows zxid " + z(reply.zxid) + ", which is not committed";
  if (const auto* get = std::get_if<server::GetRequest>(&asked))
    return check_node(*get, reply.error, std::get_if<server::NodeReply>(&reply.body), reply.zxid);
  if (const auto* list = std::get_if<server::ChildrenRequest>(&asked))
    return check_children(list->path, reply.error, std::get_if<server::ChildrenReply>(&reply.body),
                          reply.zxid);
  const auto* many = std::get_if<server::MultiReadRequest>(&asked);
  const auto* answers = std::get_if<server::MultiReadReply>(&reply.body);
  if (many == nullptr || answers == nullptr) return std::nullopt;
  if (answers->results.size() != many->parts.size()) return "not every part of a read was answered";
  for (size_t i = 0; i < many->parts.size(); ++i) {
    const server::ReadResult& result = answers->results[i];
    const auto* get = std::get_if<server::GetRequest>(&many->parts[i]);
    const Verdict wrong =
        get != nullptr
            ? check_node(*get, result.error, std::get_if<server::NodeReply>(&result.body), reply.zxid)
            : check_children(std::get<server::ChildrenRequest>(many->parts[i]).path, result.error,
                             std::get_if<server::ChildrenReply>(&result.body), reply.zxid);
    if (wrong) return wrong;
  }
  return std::nullopt;
}

Model::Verdict Model::check_node(const server::GetRequest& asked, const Error& error,
                                 const server::NodeReply* shown, Zxid zxid) const {
  const Node* const node = node_at(asked.path, zxid);
  const std::string what = "a read of " + asked.path + " at zxid " + z(zxid);
  if (error.code == ErrorCode::kNoNode) {
    return node == nullptr ? Verdict() : what + " finds no node, and there is one since " + z(node->from);
  }
  if (shown == nullptr) return what + " was answered with something else";
  if (node == nullptr) return what + " shows a node, and there is none";
  if (asked.with_data && shown->data != node->data) return what + " shows other data than was written";
  if (shown->stat != node->stat) return what + " shows another stat than the entries give";
  return std::nullopt;
}

Model::Verdict Model::check_children(const std::string& path, const Error& error,
                                     const server::ChildrenReply* shown, Zxid zxid) const {
  const Node* const node = node_at(path, zxid);
  const std::string what = "a list of the children of " + path + " at zxid " + z(zxid);
  if (error.code == ErrorCode::kNoNode) {
    return node == nullptr ? Verdict() : what + " finds no node, and there is one since " + z(node->from);
  }
  if (shown == nullptr) return what + " was answered with something else";
  if (node == nullptr) return what + " shows a node, and there is none";
  if (shown->stat != node->stat) return what + " shows another stat than the entries give";
  if (shown->names != children_at(path, zxid)) return what + " shows other names, or in another order";
  return std::nullopt;
}

std::vector<Model::PastChange> Model::changes(std::string_view root, Zxid since, Zxid up_to) const {
  std::vector<PastChange> changes;
  for (auto at = std::upper_bound(changes_.begin(), changes_.end(), since,
                                  [](Zxid zxid, const PastChange&change) { return zxid < change.zxid; });
       at != changes_.end() && at->zxid <= up_to; ++at) {
    if (is_at_or_below(at->path, root)) changes.push_back(*at);
  }
  return changes;
}

bool Model::changed_since(const std::string& path, Zxid zxid) const {
  const auto found = nodes_.find(path);
  return found != nodes_.end() && found->second.back().from > zxid;
}

bool Model::is_as(const std::string& path, bool exists, Zxid czxid, Zxid mzxid) const {
  const Node* const node = node_at(path, state_.zxid());
  if (node == nullptr) return !exists;
  return exists && node->stat.czxid == czxid && node->stat.mzxid == mzxid;
}

Model::Verdict Model::check_feed(kv::WatchKind kind, std::string_view root, Zxid since, Zxid up_to,
                                 const std::vector<PastChange>& told) const {
  if (up_to < since) return "a feed goes back from zxid " + z(since) + " to " + z(up_to);
  if (up_to > state_.zxid()) return "a feed tells of zxid " + z(up_to) + ", which is not committed";
  size_t next = 0;
  for (auto at = std::upper_bound(changes_.begin(), changes_.end(), since,
                                  [](Zxid zxid, const PastChange&change) { return zxid < change.zxid; });
       at != changes_.end() && at->zxid <= up_to; ++at) {
    if (!is_at_or_below(at->path, root) || !kv::feed_sees(kind, root, at->kind, at->path)) continue;
    if (next == told.size() || !same(told[next], *at))
      return "a feed of " + std::string(root) + " from zxid " + z(since) + " to " + z(up_to) +
             " leaves out " + say(*at);
    ++next;
  }
  if (next == told.size()) return std::nullopt;
  return "a feed of " + std::string(root) + " from zxid " + z(since) + " to " + z(up_to) + " tells of " +
         say(told[next]) + ", which is not due";
}

}  // namespace quorate::sim
