#include "tests/property/kv_model.h"

#include <algorithm>
#include <regex>

#include "kv/command_view.h"
#include "tests/property/kv_model_text.h"

namespace quorate::kv {
Outcome Model::outcome(ErrorCode code) const {
  Outcome made;
  made.code = code;
  made.zxid = zxid_;
  return made;
}

// ---- questions

std::vector<std::string> Model::children(const std::string& path) const {
  std::vector<std::string> found;
  for (const auto& [at, node] : nodes_) {
    if (at != "/" && above(at) == path) found.push_back(at);
  }
  std::sort(found.begin(), found.end(),
            [&](auto& a, auto& b) { return nodes_.at(a).order < nodes_.at(b).order; });
  return found;
}

std::vector<std::string> Model::owned(SessionId session) const {
  std::vector<std::string> found;
  for (const auto& [at, node] : nodes_) {
    if (node.stat.ephemeral_owner == session) found.push_back(at);
  }
  std::sort(found.begin(), found.end(),
            [&](auto& a, auto& b) { return nodes_.at(a).order < nodes_.at(b).order; });
  return found;
}

bool Model::queued(const std::string& path) const {
  const Node& node = nodes_.at(path);
  return node.sequential && node.stat.ephemeral_owner != SessionId();
}

std::vector<std::string> Model::queue(const std::string& path) const {
  std::vector<std::string> found;
  for (const std::string& child : children(path)) {
    if (queued(child)) found.push_back(child);
  }
  return found;
}

// ---- changes to the tree

Model::Node& Model::make(const std::string& path, const std::string& data, SessionId owner, bool sequential,
                         Applied& out) {
  Node& parent = nodes_.at(above(path));
  ++parent.creates;
  ++parent.stat.cversion;
  ++parent.stat.num_children;
  parent.stat.pzxid = zxid_;
  Node node{};
  node.data = data;
  node.sequential = sequential;
  node.order = ++order_;
  node.stat.czxid = node.stat.mzxid = node.stat.pzxid = zxid_;
  node.stat.ctime_ms = node.stat.mtime_ms = wall_ms_;
  node.stat.ephemeral_owner = owner;
  node.stat.data_length = static_cast<int32_t>(data.size());
  if (owner != SessionId()) node.kind = NodeKind::kEphemeral;
  out.changes.push_back({Change::Kind::kCreated, path, owner, sequential, zxid_});
  return nodes_[path] = node;
}

void Model::make_parents(const std::string& path, const Acl& acl, Applied& out) {
  if (nodes_.contains(path)) return;
  make_parents(above(path), acl, out);
  make(path, "", SessionId(), false, out).acl = acl;
}

void Model::erase(const std::string& path, Applied& out) {
  const Node node = nodes_.at(path);
  Node& parent = nodes_.at(above(path));
  ++parent.stat.cversion;
  --parent.stat.num_children;
  parent.stat.pzxid = zxid_;
  nodes_.erase(path);
  out.changes.push_back(
      {Change::Kind::kDeleted, path, node.stat.ephemeral_owner, node.sequential, node.stat.czxid});
}

// ---- who may, and how much

bool Model::may(SessionId session, std::string path, uint32_t permission) const {
  while (!nodes_.contains(path)) path = above(path);
  const Acl& acl = nodes_.at(path).acl;
  return acl.empty() || permits(acl, sessions_.at(session).credentials, permission);
}

bool Model::fits(const std::string& path, size_t bytes) const {
  for (const auto& [root, limits] : quotas_) {
    const auto holds = [&root = root](const std::string& at) {
      return root == "/" || at == root || at.starts_with(root + "/");
    };
    if (!holds(path)) continue;
    int64_t count_before = 0;
    int64_t count = 0;
    int64_t sum = static_cast<int64_t>(bytes);
    for (const auto& [at, node] : nodes_) {
      if (!holds(at)) continue;
      ++count_before;
      sum += static_cast<int64_t>(node.data.size());
    }
    count = count_before;
    for (std::string at = path; !nodes_.contains(at); at = above(at)) count += holds(at) ? 1 : 0;
    if (count > count_before && limits.count_hard >= 0 && count > limits.count_hard) return false;
    if (bytes > 0 && limits.bytes_hard >= 0 && sum > limits.bytes_hard) return false;
  }
  return true;
}

// ---- operations

Outcome Model::operate(SessionId session, const CreateOp& op, Applied& out) {
  std::string parent = above(op.path);
  const Result<Acl> acl =
      op.acl.empty() ? Result<Acl>(Acl{}) : expand_acl(op.acl, sessions_.at(session).credentials);
  if (!acl.ok()) return outcome(acl.code());
  if (op.sequential && (op.ephemeral || op.ttl_ms) && op.data.starts_with("quorate:"))
    return outcome(ErrorCode::kInvalidArgument);
  const bool missing = !nodes_.contains(parent);
  if (missing && !op.parents) return outcome(ErrorCode::kNoNode);
  if (!may(session, parent, kCreate)) return outcome(ErrorCode::kDenied);
  if (op.sequential && !missing && nodes_.at(parent).creates > 9'999'999'999)
    return outcome(ErrorCode::kSequenceExhausted);
  const std::string path = op.path + (op.sequential ? suffix(missing ? 0 : nodes_.at(parent).creates) : "");
  if (nodes_.contains(path)) return outcome(ErrorCode::kNodeExists);
  std::string deepest = parent;
  while (!nodes_.contains(deepest)) deepest = above(deepest);
  if (nodes_.at(deepest).stat.ephemeral_owner != SessionId())
    return outcome(ErrorCode::kNoChildrenForEphemerals);
  if (!fits(path, op.data.size())) return outcome(ErrorCode::kQuotaExceeded);
  make_parents(parent, *acl, out);
  Node& node = make(path, op.data, op.ephemeral ? session : SessionId(), op.sequential, out);
  if (op.container) node.kind = NodeKind::kContainer;
  if (op.ttl_ms) node.kind = NodeKind::kTtl;
  node.ttl_ms = op.ttl_ms.value_or(0);
  node.touched_ms = cluster_ms_;
  node.acl = *acl;
  Outcome made = outcome();
  node.null_data = op.null_data;
  made.path = path;
  made.stat = nodes_.at(path).stat;
  return made;
}

Outcome Model::operate(SessionId session, const SetOp& op, Applied& out) {
  const auto at = nodes_.find(op.path);
  if (at == nodes_.end()) return outcome(ErrorCode::kNoNode);
  Node& node = at->second;
  if (!may(session, op.path, kWrite)) return outcome(ErrorCode::kDenied);
  if (op.data.size() > node.data.size() && !fits(op.path, op.data.size() - node.data.size()))
    return outcome(ErrorCode::kQuotaExceeded);
  if (op.version != -1 && op.version != node.stat.version) return outcome(ErrorCode::kBadVersion);
  if (queued(op.path) || (node.sequential && node.kind == NodeKind::kTtl)) {
    const PlaceMode before = mode(op.path);
    const bool place = queued(op.path) || before.gone;
    if (before.gone || mode_in(op.data) != (place ? before : PlaceMode()))
      return outcome(ErrorCode::kBadQueue);
  }
  node.data = op.data;
  node.null_data = op.null_data;
  ++node.stat.version;
  node.stat.mzxid = zxid_;
  node.stat.mtime_ms = wall_ms_;
  node.touched_ms = cluster_ms_;
  node.stat.data_length = static_cast<int32_t>(op.data.size());
  out.changes.push_back(
      {Change::Kind::kDataSet, op.path, node.stat.ephemeral_owner, node.sequential, node.stat.czxid});
  Outcome done = outcome();
  done.stat = node.stat;
  return done;
}

Outcome Model::operate(SessionId session, const DeleteOp& op, Applied& out) {
  const auto at = nodes_.find(op.path);
  if (nodes_.contains(above(op.path)) && !may(session, above(op.path), kDelete))
    return outcome(ErrorCode::kDenied);
  if (at == nodes_.end()) return outcome(ErrorCode::kNoNode);
  if (op.version != -1 && op.version != at->second.stat.version) return outcome(ErrorCode::kBadVersion);
  if (!op.recursive && !children(op.path).empty()) return outcome(ErrorCode::kNotEmpty);
  std::vector<std::string> doomed;
  for (const auto& [path, node] : nodes_) {
    if (path == op.path || path.starts_with(op.path + "/")) doomed.push_back(path);
  }
  for (const std::string& path : doomed) {
    if (!children(path).empty() && !may(session, path, kDelete)) return outcome(ErrorCode::kDenied);
  }
  if (doomed.size() > 1 && out.changes.size() + doomed.size() > limits_.recursive_delete_max)
    return outcome(ErrorCode::kTooManyNodes);
  // The deepest first; of the same depth and parents in the order of creation.
  const auto rank = [&](const std::string& path) {
    std::vector<uint64_t> orders;
    for (std::string up = path; up != op.path; up = above(up))
      orders.insert(orders.begin(), nodes_.at(up).order);
    return std::pair(-static_cast<std::ptrdiff_t>(orders.size()), orders);
  };
  std::sort(doomed.begin(), doomed.end(), [&](auto& a, auto& b) { return rank(a) < rank(b); });
  for (const std::string& path : doomed) erase(path, out);
  return outcome();
}

Outcome Model::operate(SessionId session, const CloseSessionOp&, Applied& out) {
  end(session, false, out);
  return outcome();
}

Outcome Model::operate(SessionId session, const SetQuotaOp& op, Applied&) {
  if (!may(session, op.path == "/" ? op.path : above(op.path), kAdmin)) return outcome(ErrorCode::kDenied);
  if (op.limits.none()) {
    quotas_.erase(op.path);
  } else {
    quotas_[op.path] = op.limits;
  }
  return outcome();
}

Outcome Model::operate(SessionId session, const AddCredentialOp& op, Applied&) {
  Credentials all = sessions_.at(session).credentials;
  const auto add = [&](const Credential& added) {
    if (std::find(all.begin(), all.end(), added) == all.end()) all.push_back(added);
  };
  add(op.credential);
  if (op.super) add({"super", ""});
  if (all.size() > kCredentialsMax) return outcome(ErrorCode::kLimitReached);
  sessions_.at(session).credentials = all;
  return outcome();
}

Outcome Model::operate(SessionId session, const SetAclOp& op, Applied&) {
  const Result<Acl> acl = expand_acl(op.acl, sessions_.at(session).credentials);
  if (!acl.ok()) return outcome(acl.code());
  const auto at = nodes_.find(op.path);
  if (at == nodes_.end()) return outcome(ErrorCode::kNoNode);
  Node& node = at->second;
  if (!may(session, op.path, kAdmin)) return outcome(ErrorCode::kDenied);
  if (op.version != -1 && op.version != node.stat.aversion) return outcome(ErrorCode::kBadVersion);
  node.acl = *acl;
  ++node.stat.aversion;
  Outcome done = outcome();
  done.stat = node.stat;
  return done;
}

Outcome Model::operate(SessionId session, const CheckOp& op, Applied&) {
  const auto at = nodes_.find(op.path);
  if (at == nodes_.end()) return outcome(ErrorCode::kNoNode);
  if (!may(session, op.path, kRead)) return outcome(ErrorCode::kDenied);
  if (op.version != -1 && op.version != at->second.stat.version) return outcome(ErrorCode::kBadVersion);
  return outcome();
}

Outcome Model::operate(SessionId session, const CheckAbsentOp& op, Applied&) {
  if (nodes_.contains(op.path) && !may(session, op.path, kRead)) return outcome(ErrorCode::kDenied);
  return outcome(nodes_.contains(op.path) ? ErrorCode::kNodeExists : ErrorCode::kOk);
}

Outcome Model::operate(SessionId session, const CheckHeldOp& op, Applied&) {
  if (nodes_.contains(op.path) && !may(session, op.path, kRead)) return outcome(ErrorCode::kDenied);
  bool held = false;
  for (const std::string& holder : holders(op.path))
    held = held || nodes_.at(holder).stat.czxid.value() == op.token.value();
  return outcome(held ? ErrorCode::kOk : ErrorCode::kNotHolder);
}

// On a copy, whose nodes take the place of the original's if all goes well.
Outcome Model::operate(SessionId session, const MultiOp& op, Applied& out) {
  Model copy = *this;
  Applied done;
  Outcome all = outcome();
  const Operation whole(op);
  const OperationView views = view_of(whole);
  for (size_t i = 0; i < op.operations.size(); ++i) {
    const Outcome one = std::visit(
        [&](const auto& part) {
          const Status status = validate_operation(views.operations[i]);
          return status.ok() ? copy.operate(session, part, done) : outcome(status.code());
        },
        op.operations[i]);
    if (one.code != ErrorCode::kOk) {
      all.code = one.code;
      all.results.assign(op.operations.size(), OperationResult{});
      for (size_t j = i; j < all.results.size(); ++j) all.results[j].code = ErrorCode::kNotAttempted;
      all.results[i].code = one.code;
      return all;
    }
    all.results.push_back({ErrorCode::kOk, {}, one.path, one.stat});
  }
  nodes_ = copy.nodes_;
  order_ = copy.order_;
  out.changes.insert(out.changes.end(), done.changes.begin(), done.changes.end());
  return all;
}

bool Model::due(const std::string& path, int64_t cluster_ms) const {
  const Node& node = nodes_.at(path);
  if (!children(path).empty()) return false;
  if (node.kind == NodeKind::kContainer) return node.stat.cversion > 0;
  return node.kind == NodeKind::kTtl && node.touched_ms + node.ttl_ms <= cluster_ms;
}

void Model::reap(const ReapNodes& nodes, Applied& out) {
  for (const std::string& path : nodes.paths) {
    if (nodes_.contains(path) && due(path, cluster_ms_)) erase(path, out);
  }
}

// ---- sessions

void Model::end(SessionId id, bool expired, Applied& out) {
  for (const std::string& path : owned(id)) {
    const Node node = nodes_.at(path);
    PlaceMode gone = queued(path) ? mode(path) : PlaceMode();
    const bool kept = expired && gone.delay_ms > 0 && holds(path);
    const std::string name = node.data.substr(node.data.find(':', node.data.find(':') + 1) + 1);
    erase(path, out);
    if (!kept) continue;
    gone.gone = true;
    Node& place = make(path, write_place(gone, name), SessionId(), true, out);
    place.kind = NodeKind::kTtl;
    place.ttl_ms = gone.delay_ms;
    place.touched_ms = cluster_ms_;
    place.acl = node.acl;
  }
  sessions_.erase(id);
  out.sessions_ended.push_back({id, expired});
}

Outcome Model::attached(const SessionId& id) const {
  const Session& session = sessions_.at(id);
  Outcome done;
  done.zxid = session.attached_at;
  done.session = id;
  done.epoch = session.epoch;
  done.timeout_ms = session.timeout_ms;
  done.next_number = session.next;
  return done;
}

// One origin speaks for the session that it attached last.
void Model::forget_origin(const Origin& origin) {
  for (auto& [id, session] : sessions_) {
    if (origin.server != ServerId() && session.origin == origin) session.origin = {};
  }
}

Outcome Model::open(const OpenSession& open, Applied& out) {
  for (const auto& [id, session] : sessions_) {
    if (open.origin.server != ServerId() && session.origin == open.origin) return attached(id);
  }
  const SessionId id(zxid_.value());
  Session& session = sessions_[id];
  session.timeout_ms = std::max(open.timeout_ms, kSessionTimeoutMinMs);
  session.password = open.password;
  forget_origin(open.origin);
  session.origin = open.origin;
  session.attached_at = zxid_;
  out.sessions_attached.push_back(id);
  return attached(id);
}

Outcome Model::attach(const AttachSession& attach, Applied& out) {
  const auto at = sessions_.find(attach.session);
  if (at == sessions_.end()) return outcome(ErrorCode::kSessionExpired);
  if (at->second.password != attach.password) return outcome(ErrorCode::kBadCredentials);
  if (attach.origin.server != ServerId() && at->second.origin == attach.origin)
    return attached(attach.session);
  if (attach.attempt != 0 && attach.attempt < at->second.attempt) return outcome(ErrorCode::kSessionMoved);
  at->second.attempt = std::max(at->second.attempt, attach.attempt);
  ++at->second.epoch;
  forget_origin(attach.origin);
  at->second.origin = attach.origin;
  at->second.attached_at = zxid_;
  out.sessions_attached.push_back(attach.session);
  return attached(attach.session);
}

SessionOutcome Model::request(const SessionRequest& request, Applied& out) {
  SessionOutcome answer{request.session, request.number, request.epoch, {}, false};
  const auto refuse = [&](ErrorCode code) {
    answer.outcome = outcome(code);
    return answer;
  };
  const auto at = sessions_.find(request.session);
  if (at == sessions_.end()) return refuse(ErrorCode::kSessionExpired);
  Session& session = at->second;
  if (request.epoch != session.epoch) return refuse(ErrorCode::kSessionMoved);
  if (request.number == 0 || request.acked_below > request.number) return refuse(ErrorCode::kInvalidArgument);
  if (request.number > session.next) return refuse(ErrorCode::kRequestGap);
  session.floor = std::max(session.floor, request.acked_below);
  session.results.erase(session.results.begin(), session.results.lower_bound(session.floor));
  if (request.number < session.floor) return refuse(ErrorCode::kRequestForgotten);
  if (const auto known = session.results.find(request.number); known != session.results.end()) {
    answer.outcome = known->second;
    answer.repeated = true;
    return answer;
  }
  const bool close = std::holds_alternative<CloseSessionOp>(request.operation);
  if (!close && session.results.size() >= limits_.results_max) return refuse(ErrorCode::kTooManyResults);
  const Status status = validate_operation(view_of(request.operation));
  answer.outcome =
      !status.ok()
          ? outcome(status.code())
          : std::visit([&](const auto& op) { return operate(request.session, op, out); }, request.operation);
  if (!close) {
    session.results[request.number] = answer.outcome;
    ++session.next;
  }
  return answer;
}

Applied Model::apply(const Command& command, const Stamp& stamp, const Applied& actual) {
  zxid_ = zxid_.next();
  wall_ms_ = std::max(wall_ms_, stamp.wall_ms);
  cluster_ms_ = std::max(cluster_ms_, stamp.cluster_ms);
  kazoo_digits_.clear();
  static const std::regex kKazoo("/([0-9a-f]{32})__lock__[0-9]{10}$");
  std::smatch match;
  const auto take_digits = [&](const std::string& path) {
    if (std::regex_search(path, match, kKazoo)) kazoo_digits_ = match[1];
  };
  for (const SessionOutcome& answer : actual.outcomes) {
    take_digits(answer.outcome.path);
    for (const OperationResult& result : answer.outcome.results) take_digits(result.path);
  }
  Applied out;
  out.zxid = zxid_;
  if (const auto* open_command = std::get_if<OpenSession>(&command)) {
    out.origin_outcomes.push_back({open_command->origin, open(*open_command, out)});
  } else if (const auto* attach_command = std::get_if<AttachSession>(&command)) {
    out.origin_outcomes.push_back({attach_command->origin, attach(*attach_command, out)});
  } else if (const auto* expire = std::get_if<ExpireSessions>(&command)) {
    for (const SessionId id : expire->sessions) {
      if (sessions_.contains(id)) end(id, true, out);
    }
  } else if (const auto* nodes = std::get_if<ReapNodes>(&command)) {
    reap(*nodes, out);
  } else {
    out.outcomes.push_back(request(std::get<SessionRequest>(command), out));
  }
  return out;
}

}  // namespace quorate::kv
