#include "kv/operations.h"

#include "base/check.h"
#include "base/checksum.h"
#include "kv/path.h"
#include "kv/text.h"

namespace quorate::kv {
namespace {

// One operation under way.
class Execution {
 public:
  Execution(Tree& tree, SessionId session, const Tree::Cause& cause, std::vector<Change>& changes)
      : tree_(tree), session_(session), cause_(cause), changes_(changes) {
    outcome_.zxid = cause.zxid;
  }

  Outcome create(const OperationView& op);
  Outcome set(const OperationView& op);
  Outcome remove(const OperationView& op);
  Outcome acquire(const OperationView& op);
  Outcome release(const OperationView& op);
  Outcome refuse(ErrorCode code, std::string message);
  void erase(const Place& place);

 private:
  Place deepest(std::string_view path) const;
  Place make(const Place& parent, std::string_view path, std::string_view data, bool ephemeral,
             bool sequential);
  Place make_parents(Place from, std::string_view path);
  Outcome refuse_missing(std::string_view path, std::string_view advice);
  bool version_differs(Ref ref, int32_t version) const {
    return version != -1 && version != tree_.node(ref).version;
  }
  Outcome refuse_version(const Place& place, int32_t version);
  std::string_view queue_refusal(Ref lock) const;
  std::string kazoo_name() const;

  Tree& tree_;
  const SessionId session_;
  const Tree::Cause cause_;
  std::vector<Change>& changes_;
  Outcome outcome_;
};

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

Outcome Execution::refuse_version(const Place& place, int32_t version) {
  return refuse(ErrorCode::kBadVersion, "the node at " + shown(place.path) + " has version " +
                                            std::to_string(tree_.node(place.ref).version) + ", not " +
                                            std::to_string(version) + "; read it again and decide anew");
}

// The deepest node on the way to `path`, itself included. "/" is always there.
Place Execution::deepest(std::string_view path) const {
  Place place = tree_.find(path);
  while (place.ref == kNone) place = tree_.find(parent_of(place.path));
  return place;
}

Place Execution::make(const Place& parent, std::string_view path, std::string_view data, bool ephemeral,
                      bool sequential) {
  const SessionId owner = ephemeral ? session_ : SessionId();
  const Place made = tree_.create(parent, path, {data, owner, sequential}, cause_);
  changes_.push_back({Change::Kind::kCreated, std::string(path), owner, sequential, cause_.zxid});
  return made;
}

// Makes what is missing from below `from` down to `path`; gives the node at `path`.
Place Execution::make_parents(Place from, std::string_view path) {
  while (from.path.size() < path.size()) {
    const size_t name_begin = from.path == "/" ? 1 : from.path.size() + 1;
    from = make(from, path.substr(0, path.find('/', name_begin)), {}, false, false);
  }
  return from;
}

Outcome Execution::create(const OperationView& op) {
  if (op.path == "/" && !op.sequential) return refuse(ErrorCode::kNodeExists, "the root is always there");
  const std::string_view above = parent_of(op.path);
  Place parent = tree_.find(above);
  if (parent.ref == kNone) {
    if (!op.parents) return refuse_missing(above, "create it first, or ask for missing parents to be made");
    parent = deepest(above);
  }
  std::string suffixed;
  std::string_view path = op.path;
  if (op.sequential) {
    suffixed.assign(op.path);
    append_sequence(suffixed, parent.path.size() == above.size() ? tree_.creates(parent.ref) : 0);
    path = suffixed;
  }
  if (tree_.find(path).ref != kNone) {
    return refuse(ErrorCode::kNodeExists, "there is a node at " + shown(path) + " already");
  }
  if (tree_.node(parent.ref).ephemeral()) {
    return refuse(ErrorCode::kNoChildrenForEphemerals,
                  "the node at " + shown(parent.path) + " is ephemeral and can have no children");
  }
  const Place made = make(make_parents(parent, above), path, op.data, op.ephemeral, op.sequential);
  outcome_.path = path;
  outcome_.stat = tree_.stat(made.ref);
  return std::move(outcome_);
}

Outcome Execution::set(const OperationView& op) {
  const Place place = tree_.find(op.path);
  if (place.ref == kNone) return refuse_missing(op.path, "create it first");
  if (version_differs(place.ref, op.version)) return refuse_version(place, op.version);
  tree_.set(place, op.data, cause_);
  changes_.push_back({Change::Kind::kDataSet, std::string(op.path), tree_.owner(place.ref),
                      tree_.node(place.ref).sequential(), tree_.node(place.ref).czxid});
  outcome_.stat = tree_.stat(place.ref);
  return std::move(outcome_);
}

Outcome Execution::remove(const OperationView& op) {
  const Place place = tree_.find(op.path);
  if (place.ref == kNone) return refuse_missing(op.path, {});
  if (version_differs(place.ref, op.version)) return refuse_version(place, op.version);
  if (tree_.child_count(place.ref) != 0) {
    return refuse(ErrorCode::kNotEmpty, "the node at " + shown(op.path) + " has children; delete them first");
  }
  erase(place);
  return std::move(outcome_);
}

void Execution::erase(const Place& place) {
  changes_.push_back({Change::Kind::kDeleted, std::string(place.path), tree_.owner(place.ref),
                      tree_.node(place.ref).sequential(), tree_.node(place.ref).czxid});
  tree_.remove(place, cause_);
}

// Why a node cannot be a lock, or "".
std::string_view Execution::queue_refusal(Ref lock) const {
  const Node& node = tree_.node(lock);
  if (node.ephemeral()) return "is ephemeral";
  if (!node.data().empty()) return "holds data";
  if (tree_.queued_count(lock) != tree_.child_count(lock)) return "has children that are not in a queue";
  if (tree_.queue_dialect(lock) == Dialect::kMixed)
    return "has a queue of more than one recipe, or of an unknown one";
  return {};
}

// As kazoo writes it: 32 hexadecimal digits that nobody else has, drawn here from what is unique to this
// request.
std::string Execution::kazoo_name() const {
  constexpr char kHex[] = "0123456789abcdef";
  const uint64_t words[] = {session_.value(), cause_.zxid.value()};
  const std::string_view bytes(reinterpret_cast<const char*>(words), sizeof(words));
  std::string name;
  for (const uint64_t seed : {1U, 2U}) {
    const uint64_t half = checksum64(bytes, seed);
    for (int shift = 60; shift >= 0; shift -= 4) name.push_back(kHex[half >> shift & 15]);
  }
  return name + "__lock__";
}

Outcome Execution::acquire(const OperationView& op) {
  Place lock = deepest(op.path);
  const bool there = lock.path.size() == op.path.size();
  if (const std::string_view refusal = there ? queue_refusal(lock.ref) : ""; !refusal.empty()) {
    return refuse(ErrorCode::kBadQueue, "the node at " + shown(op.path) + " cannot be used as a lock: it " +
                                            std::string(refusal) + "; use another path");
  }
  if (tree_.node(lock.ref).ephemeral()) {
    return refuse(ErrorCode::kNoChildrenForEphemerals,
                  "the node at " + shown(lock.path) + " is ephemeral and can have no children");
  }
  const bool kazoo = there && tree_.queue_dialect(lock.ref) == Dialect::kKazoo;
  std::string node = join_path(op.path, kazoo ? kazoo_name() : "lock-");
  append_sequence(node, there ? tree_.creates(lock.ref) : 0);
  lock = make_parents(lock, op.path);
  const Place made = make(lock, node, op.data, true, true);
  outcome_.held = tree_.first_queued(lock.ref) == made.ref;
  outcome_.token = Token(cause_.zxid.value());
  outcome_.path = std::move(node);
  return std::move(outcome_);
}

Outcome Execution::release(const OperationView& op) {
  const Place place = tree_.find(op.path);
  if (place.ref == kNone) return refuse_missing(op.path, "it has left the queue already");
  if (!tree_.node(place.ref).queued() || tree_.owner(place.ref) != session_) {
    return refuse(ErrorCode::kNotHolder,
                  "the node at " + shown(op.path) + " is not this session's place in a queue");
  }
  erase(place);
  return std::move(outcome_);
}

}  // namespace

Outcome execute(Tree& tree, const OperationView& operation, SessionId session, const Tree::Cause& cause,
                std::vector<Change>& changes) {
  Execution execution(tree, session, cause, changes);
  if (Status status = validate_operation(operation); !status.ok()) {
    return execution.refuse(status.code(), status.error().message);
  }
  switch (operation.kind) {
    case OperationKind::kCreate:
      return execution.create(operation);
    case OperationKind::kSet:
      return execution.set(operation);
    case OperationKind::kDelete:
      return execution.remove(operation);
    case OperationKind::kAcquire:
      return execution.acquire(operation);
    case OperationKind::kRelease:
      return execution.release(operation);
    case OperationKind::kCloseSession:
      break;
  }
  CHECK_MSG(false, "closing a session is no operation on the tree");
}

void remove_owned(Tree& tree, SessionId session, const Tree::Cause& cause, std::vector<Change>& changes) {
  Execution execution(tree, session, cause, changes);
  for (Ref ref = tree.first_owned(session); ref != kNone; ref = tree.first_owned(session)) {
    const std::string path = tree.path(ref);
    execution.erase({path, checksum64(path), ref});
  }
}

}  // namespace quorate::kv
