#include "kv/operations.h"

#include <algorithm>

#include "base/check.h"
#include "kv/execution.h"
#include "kv/path.h"
#include "kv/text.h"

namespace quorate::kv {
Outcome Execution::refuse(ErrorCode code, std::string message) {
  outcome_.code = code;
  outcome_.message = std::move(message);
  return std::move(outcome_);
}

Outcome Execution::refuse_missing(std::string_view path, std::string_view advice) {
  std::string message = "there is no node at " + shown(path);
  if (!advice.empty()) message.append("; ").append(advice);
  return refuse(ErrorCode::kNoNode, std::move(message));
}

Outcome Execution::refuse_version(const Place& place, int32_t actual, int32_t version) {
  return refuse(ErrorCode::kBadVersion, "the node at " + shown(place.path) + " has version " +
                                            std::to_string(actual) + ", not " + std::to_string(version) +
                                            "; read it again and decide anew");
}

Outcome Execution::refuse_sequence(std::string_view parent) {
  return refuse(ErrorCode::kSequenceExhausted, "the counter of " + shown(parent) + " has reached its last, " +
                                                   std::to_string(kSequenceMax) + "; use another parent");
}

Status Execution::allowed(Ref ref, Permission permission) const {
  if (tree_.acls().permits(tree_.node(ref).acl, credentials_, permission)) return {};
  return denied(tree_.path(ref), permission);
}

// The deepest node on the way to `path`, itself included. "/" is always there.
Place Execution::deepest(std::string_view path) const {
  Place place = tree_.find(path);
  while (place.ref == kNone) place = tree_.find(parent_of(place.path));
  return place;
}

Result<Acl> Execution::expanded(const Acl& acl) const {
  if (acl.empty()) return Acl{};
  return expand_acl(acl, credentials_);
}

uint32_t Execution::acl_of(const Acl& acl) {
  return acl.empty() ? AclTable::kOpen : tree_.acls().acquire(acl);
}

// Of a node that is there: after it was made or set, before it is removed.
void Execution::note(Change::Kind kind, const Place& place) {
  const Node& node = tree_.node(place.ref);
  const auto list_of = [this](Ref ref) {
    const uint32_t acl = tree_.node(ref).acl;
    return acl == AclTable::kOpen ? nullptr : tree_.acls().share(acl);
  };
  changes_.push_back({kind, std::string(place.path), tree_.owner(place.ref), node.sequential(), node.czxid,
                      node.order, list_of(place.ref), node.parent == kNone ? nullptr : list_of(node.parent),
                      tree_.place_mode(place.ref)});
}

Place Execution::make(const Place& parent, std::string_view path, const NewNode& made) {
  const Place place = tree_.create(parent, path, made, cause_);
  note(Change::Kind::kCreated, place);
  return place;
}

// Makes what is missing from below `from` down to `path`; gives the node at `path`.
Place Execution::make_parents(Place from, std::string_view path, uint32_t acl) {
  while (from.path.size() < path.size()) {
    const size_t name_begin = from.path == "/" ? 1 : from.path.size() + 1;
    from = make(from, path.substr(0, path.find('/', name_begin)), {{}, {}, false, false, 0, again(acl)});
  }
  return from;
}

// Short paths in a multi may name a million missing parents, each with a path of its own; and each node's
// record has the whole list that others share with it.
Status Execution::may_make(const Place& from, std::string_view path, uint32_t acl) const {
  const size_t list = tree_.acls().kept_bytes(acl);
  size_t nodes = 1;
  size_t bytes = path.size() + list;
  for (size_t end = from.path.size(); end < path.size(); ++nodes) {
    end = std::min(path.find('/', end + 1), path.size());
    bytes += end + list;
  }
  if (nodes > 1 && changes_.size() + nodes > limits_.made_nodes_max) {
    return {ErrorCode::kTooManyNodes, "with the parents missing at " + shown(path) + " the request changes " +
                                          std::to_string(changes_.size() + nodes) + " nodes; at most " +
                                          std::to_string(limits_.made_nodes_max) +
                                          " can be changed at once, so make them in parts"};
  }
  return may_make_bytes(bytes, path);
}

Status Execution::may_make_bytes(size_t bytes, std::string_view path) const {
  bytes += tree_.made_bytes(cause_.zxid);
  if (bytes <= limits_.made_bytes_max) return {};
  return {ErrorCode::kTooManyNodes,
          "with what is made at " + shown(path) + " the request makes " + std::to_string(bytes) +
              " bytes of paths and lists of permissions; at most " + std::to_string(limits_.made_bytes_max) +
              " can be made at once, so make them in parts, or with a shorter list"};
}

Outcome Execution::create(const OperationView& op) {
  const Result<Acl> list = expanded(op.acl);
  if (!list.ok()) return refuse(list.error());
  if (op.sequential && (op.ephemeral || op.ttl_ms) && read_place(op.data).marked) {
    return refuse(ErrorCode::kInvalidArgument,
                  "data that begins as that of a place in a lock's queue; acquire the lock instead");
  }
  const std::string_view above = parent_of(op.path);
  Place parent = tree_.find(above);
  if (parent.ref == kNone) {
    if (!op.parents) return refuse_missing(above, "create it first, or ask for missing parents to be made");
    parent = deepest(above);
  }
  if (Status status = allowed(parent.ref, kCreate); !status.ok()) return refuse(status);
  std::string suffixed;
  std::string_view path = op.path;
  if (op.sequential) {
    const uint64_t suffix = parent.path.size() == above.size() ? tree_.creates(parent.ref) : 0;
    if (suffix > kSequenceMax) return refuse_sequence(above);
    suffixed.assign(op.path);
    append_sequence(suffixed, suffix);
    path = suffixed;
  }
  if (tree_.find(path).ref != kNone) {
    return refuse(ErrorCode::kNodeExists, "there is a node at " + shown(path) + " already");
  }
  if (op.one_recipe && op.sequential && op.ephemeral && parent.path.size() == above.size()) {
    const Dialect queue = tree_.queue_dialect(parent.ref);
    if (both(queue, dialect_of(name_of(path))) == Dialect::kMixed) {
      return refuse(ErrorCode::kBadQueue,
                    "the queue at " + shown(above) +
                        " has names of another lock recipe, and the servers are told to "
                        "keep recipes apart; use another path");
    }
  }
  if (tree_.node(parent.ref).ephemeral()) {
    return refuse(ErrorCode::kNoChildrenForEphemerals,
                  "the node at " + shown(parent.path) + " is ephemeral and can have no children");
  }
  const uint32_t acl = acl_of(*list);
  // Where no parent is missing, all that is made came with the request; but "auth" may stand for a long list.
  const bool came = parent.path.size() == above.size() && !has_auth(op.acl);
  Status status = came ? Status() : may_make(parent, above, acl);
  if (status.ok()) status = tree_.quotas().check_create(path, parent.path, op.data.size(), quota_warnings_);
  if (!status.ok()) {
    tree_.acls().release(acl);
    return refuse(status);
  }
  parent = make_parents(parent, above, acl);
  const Place made = make(parent, path,
                          {op.data, op.ephemeral ? session_ : SessionId(), op.sequential, op.container,
                           op.ttl_ms.value_or(0), acl, op.null_data});
  outcome_.path = path;
  outcome_.stat = tree_.stat(made.ref);
  return std::move(outcome_);
}

// Who may write a place's data may not change how it holds.
bool Execution::forges_place(Ref ref, std::string_view data) const {
  const Node& node = tree_.node(ref);
  if (!node.sequential() || !(node.ephemeral() || node.ttl())) return false;
  const PlaceMode holding = tree_.place_mode(ref);
  return holding.gone || read_place(data).mode != holding;
}

Outcome Execution::set(const OperationView& op) {
  const Place place = tree_.find(op.path);
  if (place.ref == kNone) return refuse_missing(op.path, "create it first");
  if (Status status = allowed(place.ref, kWrite); !status.ok()) return refuse(status);
  const Node& node = tree_.node(place.ref);
  // As in ZooKeeper, a quota is looked at before the version.
  const size_t warnings_before = quota_warnings_.size();
  const int64_t more = static_cast<int64_t>(op.data.size()) - int64_t{node.data_size};
  if (Status status = tree_.quotas().check_set(op.path, more, quota_warnings_); !status.ok())
    return refuse(status);
  const bool other_version = op.version != -1 && op.version != node.version;
  if (other_version || forges_place(place.ref, op.data)) {
    quota_warnings_.resize(warnings_before);
    if (other_version) return refuse_version(place, node.version, op.version);
    return refuse(ErrorCode::kBadQueue, "the node at " + shown(op.path) +
                                            " is a place in a lock's queue, and its data says how it holds; "
                                            "upgrade or downgrade the lock instead");
  }
  tree_.set(place, op.data, op.null_data, cause_);
  note(Change::Kind::kDataSet, place);
  outcome_.stat = tree_.stat(place.ref);
  return std::move(outcome_);
}

// No watch sees it, as in ZooKeeper, so it is no Change.
Outcome Execution::set_acl(const OperationView& op) {
  const Result<Acl> list = expanded(op.acl);
  if (!list.ok()) return refuse(list.error());
  const Place place = tree_.find(op.path);
  if (place.ref == kNone) return refuse_missing(op.path, "create it first");
  if (Status status = allowed(place.ref, kAdmin); !status.ok()) return refuse(status);
  const int32_t aversion = tree_.rare(place.ref).aversion;
  if (op.version != -1 && op.version != aversion) return refuse_version(place, aversion, op.version);
  const uint32_t acl = acl_of(*list);
  if (has_auth(op.acl)) {
    if (Status status = may_make_bytes(tree_.acls().kept_bytes(acl), op.path); !status.ok()) {
      tree_.acls().release(acl);
      return refuse(status);
    }
  }
  tree_.set_acl(place, acl, cause_);
  outcome_.stat = tree_.stat(place.ref);
  return std::move(outcome_);
}

Outcome Execution::remove(const OperationView& op) {
  const Place place = tree_.find(op.path);
  if (place.ref == kNone) {
    // Who may not delete here is not told what there is.
    const Place parent = tree_.find(parent_of(op.path));
    Status status = parent.ref == kNone ? Status() : allowed(parent.ref, kDelete);
    return status.ok() ? refuse_missing(op.path, {}) : refuse(status);
  }
  const Node& node = tree_.node(place.ref);
  if (Status status = allowed(node.parent, kDelete); !status.ok()) return refuse(status);
  if (op.version != -1 && op.version != node.version) return refuse_version(place, node.version, op.version);
  if (tree_.child_count(place.ref) != 0) {
    if (op.recursive) return remove_all(place);
    return refuse(ErrorCode::kNotEmpty, "the node at " + shown(op.path) + " has children; delete them first");
  }
  erase(place);
  return std::move(outcome_);
}

void Execution::erase(const Place& place) {
  note(Change::Kind::kDeleted, place);
  changes_.back().left = left_place(place.ref);
  tree_.remove(place, cause_);
}

Outcome Execution::set_quota(const OperationView& op) {
  if (Status status = allowed(deepest(op.path == "/" ? op.path : parent_of(op.path)).ref, kAdmin);
      !status.ok())
    return refuse(status);
  const Quotas& quotas = tree_.quotas();
  if (!op.limits.none() && quotas.find(op.path) == nullptr && quotas.size() >= kQuotasMax) {
    return refuse(ErrorCode::kLimitReached, "there are " + std::to_string(kQuotasMax) +
                                                " quotas, which is the limit; remove one first");
  }
  tree_.set_quota(op.path, op.limits);
  return std::move(outcome_);
}

Outcome Execution::check(const OperationView& op) {
  const Place place = tree_.find(op.path);
  if (place.ref == kNone) return refuse_missing(op.path, {});
  if (Status status = allowed(place.ref, kRead); !status.ok()) return refuse(status);
  const int32_t version = tree_.node(place.ref).version;
  if (op.version != -1 && op.version != version) return refuse_version(place, version, op.version);
  return std::move(outcome_);
}

Outcome Execution::check_absent(const OperationView& op) {
  const Place place = tree_.find(op.path);
  if (place.ref == kNone) return std::move(outcome_);
  if (Status status = allowed(place.ref, kRead); !status.ok()) return refuse(status);
  return refuse(ErrorCode::kNodeExists, "there is a node at " + shown(op.path));
}

Outcome Execution::run(const OperationView& op) {
  if (Status status = validate_operation(op); !status.ok()) return refuse(status);
  switch (op.kind) {
    case OperationKind::kCreate:
      return create(op);
    case OperationKind::kSet:
      return set(op);
    case OperationKind::kDelete:
      return remove(op);
    case OperationKind::kAcquire:
      return acquire(op);
    case OperationKind::kRelease:
      return release(op);
    case OperationKind::kUpgrade:
      return upgrade(op);
    case OperationKind::kDowngrade:
      return downgrade(op);
    case OperationKind::kBreak:
      return break_lock(op);
    case OperationKind::kSetAcl:
      return set_acl(op);
    case OperationKind::kSetQuota:
      return set_quota(op);
    case OperationKind::kCheck:
      return check(op);
    case OperationKind::kCheckAbsent:
      return check_absent(op);
    case OperationKind::kCheckHeld:
      return check_held(op);
    case OperationKind::kAddCredential:
    case OperationKind::kCloseSession:
    case OperationKind::kMulti:
    case OperationKind::kAcquireAs:
    case OperationKind::kSetNull:
    case OperationKind::kAcquireMany:
      break;
  }
  CHECK_MSG(false, "this is no operation on the tree, or several");
}

void remove_owned(const Context& context, bool expired) {
  Execution execution(context);
  Tree& tree = context.tree;
  for (Ref ref = tree.first_owned(context.session); ref != kNone; ref = tree.first_owned(context.session)) {
    const std::string path = tree.path(ref);
    const Place place{path, ref};
    expired ? execution.expire(place) : execution.erase(place);
  }
}

// Much may have happened since the leader looked.
void reap(const Context& context, const std::vector<std::string>& paths) {
  Execution execution(context);
  for (const std::string& path : paths) {
    const Place place = context.tree.find(path);
    const auto due = place.ref == kNone ? std::nullopt : context.tree.due(place.ref);
    if (due && *due <= context.cause.cluster_ms) execution.erase(place);
  }
}

}  // namespace quorate::kv
