// Places in the queues of locks: how they are taken, held and given up (kv/queue.h has the rule).
#include <cstdio>

#include "base/checksum.h"
#include "kv/execution.h"
#include "kv/path.h"
#include "kv/queue.h"
#include "kv/text.h"

namespace quorate::kv {
namespace {

std::string session_text(SessionId session) {
  char text[32];
  std::snprintf(text, sizeof(text), "session 0x%llx", static_cast<unsigned long long>(session.value()));
  return text;
}

std::string semaphore_text(uint32_t permits) {
  return "is a semaphore with " + std::to_string(permits) + (permits == 1 ? " permit" : " permits");
}

std::string others_text(size_t others, const std::string& lock) {
  if (others == 1) return "1 other holds the lock " + lock + " or waits for it";
  return std::to_string(others) + " others hold the lock " + lock + " or wait for it";
}

}  // namespace

// Why a node cannot be such a lock, or "".
std::string Execution::queue_refusal(Ref lock, const PlaceMode& wanted) const {
  const Node& node = tree_.node(lock);
  const QueueModes& modes = tree_.queue_modes(lock);
  if (node.ephemeral()) return "is ephemeral";
  if (!node.data().empty()) return "holds data";
  if (tree_.queued_count(lock) + modes.gone.size() != tree_.child_count(lock))
    return "has children that are not in a queue";
  switch (tree_.queue_dialect(lock)) {
    case Dialect::kEmpty:
    case Dialect::kLock:
    case Dialect::kKazoo:
      break;
    case Dialect::kCurator:
      return "has a queue of Curator's lock for readers and writers";
    case Dialect::kUnknown:
    case Dialect::kMixed:
      return "has a queue of more than one recipe, or of an unknown one";
  }
  const PlaceMode kept = modes.gone.empty() ? PlaceMode() : tree_.place_mode(modes.gone.front());
  const bool semaphore = modes.permits > 0 || kept.mode == Mode::kPermit;
  if (wanted.mode != Mode::kPermit) return semaphore ? semaphore_text(modes.semaphore) : "";
  if (semaphore && modes.semaphore != wanted.permits)
    return semaphore_text(modes.semaphore) + ", not " + std::to_string(wanted.permits);
  return modes.shared > 0 || kept.mode == Mode::kShared ? "is held or waited for as a shared lock" : "";
}

std::string Execution::holder_text(Ref lock) const {
  size_t count = 0;
  Ref first = kNone;
  tree_.for_each_holder(lock, [&](Ref holder) {
    if (count++ == 0) first = holder;
  });
  if (count == 0) {
    return tree_.queue_modes(lock).gone.empty()
               ? "nobody holds it"
               : "nobody holds it: it is kept for a holder whose session expired";
  }
  const std::string who = session_text(tree_.owner(first)) +
                          (count > 1 ? " and " + std::to_string(count - 1) + " more hold" : " holds");
  return who + " it, with token " + std::to_string(tree_.node(first).czxid.value());
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
  if (const std::string refusal = there ? queue_refusal(lock.ref, op.place) : ""; !refusal.empty()) {
    return refuse(ErrorCode::kBadQueue, "the node at " + shown(op.path) +
                                            " cannot be used as such a lock: it " + refusal +
                                            "; use another path");
  }
  if (tree_.node(lock.ref).ephemeral()) {
    return refuse(ErrorCode::kNoChildrenForEphemerals,
                  "the node at " + shown(lock.path) + " is ephemeral and can have no children");
  }
  if (Status status = allowed(lock.ref, kCreate); !status.ok()) return refuse(status);
  const bool kazoo = there && tree_.queue_dialect(lock.ref) == Dialect::kKazoo;
  std::string node = join_path(op.path, kazoo ? kazoo_name() : "lock-");
  const uint64_t suffix = there ? tree_.creates(lock.ref) : 0;
  if (suffix > kSequenceMax) return refuse_sequence(op.path);
  append_sequence(node, suffix);
  const std::string data = write_place(op.place, op.data);
  // What is made has the list of the node that it is made below, so that a lock is no way around it.
  const uint32_t acl = tree_.node(lock.ref).acl;
  if (Status status = may_make(lock, op.path, acl); !status.ok()) return refuse(status);
  if (Status status = tree_.quotas().check_create(node, lock.path, data.size(), quota_warnings_);
      !status.ok()) {
    return refuse(status);
  }
  lock = make_parents(lock, op.path, acl);
  const Place made = make(lock, node, {data, session_, true, false, 0, again(acl)});
  outcome_.held = tree_.holds(made.ref);
  outcome_.token = Token(cause_.zxid.value());
  outcome_.path = std::move(node);
  return std::move(outcome_);
}

Result<Place> Execution::own_place(std::string_view node) {
  const Place place = tree_.find(node);
  if (place.ref == kNone) {
    const Ref lock = node == "/" ? kNone : tree_.find(parent_of(node)).ref;
    return Error{ErrorCode::kNoNode, "there is no node at " + shown(node) +
                                         "; it has left the queue already" +
                                         (lock == kNone ? "" : ", and " + holder_text(lock))};
  }
  if (tree_.node(place.ref).queued() && tree_.owner(place.ref) == session_) return place;
  std::string message = "the node at " + shown(node) + " is not this session's place in a queue";
  if (tree_.node(place.ref).queued()) {
    message += ": it is that of " + session_text(tree_.owner(place.ref)) + ", and " +
               holder_text(tree_.node(place.ref).parent);
  }
  return Error{ErrorCode::kNotHolder, std::move(message)};
}

Outcome Execution::release(const OperationView& op) {
  const Result<Place> place = own_place(op.path);
  if (!place.ok()) return refuse(place.error());
  erase(*place);
  return std::move(outcome_);
}

Outcome Execution::upgrade(const OperationView& op) {
  const Result<Place> shared = own_place(op.path);
  if (!shared.ok()) return refuse(shared.error());
  const Node& node = tree_.node(shared->ref);
  const Ref lock = node.parent;
  const std::string path(parent_of(op.path));
  if (tree_.place_mode(shared->ref).mode != Mode::kShared || !tree_.holds(shared->ref)) {
    return refuse(ErrorCode::kNotHolder, "the node at " + shown(op.path) + " does not hold " + shown(path) +
                                             " shared: " + holder_text(lock));
  }
  if (tree_.child_count(lock) != 1) {
    return refuse(ErrorCode::kContended, others_text(tree_.child_count(lock) - 1, shown(path)) +
                                             "; release it and acquire it exclusively");
  }
  if (tree_.creates(lock) > kSequenceMax) return refuse_sequence(path);
  const bool kazoo = tree_.queue_dialect(lock) == Dialect::kKazoo;
  std::string made = join_path(path, kazoo ? kazoo_name() : "lock-");
  append_sequence(made, tree_.creates(lock));
  const PlaceData before = read_place(node.data());
  const std::string data = write_place({Mode::kExclusive, 0, before.mode.delay_ms}, before.name);
  const uint32_t acl = again(node.acl);
  erase(*shared);
  make({path, lock}, made, {data, session_, true, false, 0, acl});
  outcome_.held = true;
  outcome_.token = Token(cause_.zxid.value());
  outcome_.path = std::move(made);
  return std::move(outcome_);
}

// Others are told of it as of any change of data; who holds shared from now on, by lock::grants().
Outcome Execution::downgrade(const OperationView& op) {
  const Result<Place> place = own_place(op.path);
  if (!place.ok()) return refuse(place.error());
  const PlaceMode mode = tree_.place_mode(place->ref);
  if (mode.mode != Mode::kExclusive || !tree_.holds(place->ref)) {
    return refuse(ErrorCode::kNotHolder, "the node at " + shown(op.path) + " does not hold " +
                                             shown(parent_of(op.path)) +
                                             " exclusively: " + holder_text(tree_.node(place->ref).parent));
  }
  const std::string name(read_place(tree_.node(place->ref).data()).name);
  tree_.set(*place, write_place({Mode::kShared, 0, mode.delay_ms}, name), false, cause_);
  note(Change::Kind::kDataSet, *place);
  changes_.back().place = mode;
  outcome_.held = true;
  outcome_.token = Token(tree_.node(place->ref).czxid.value());
  outcome_.path = op.path;
  return std::move(outcome_);
}

Outcome Execution::break_lock(const OperationView& op) {
  const Place lock = tree_.find(op.path);
  if (lock.ref == kNone) return refuse_missing(op.path, {});
  if (Status status = allowed(lock.ref, kAdmin); !status.ok()) return refuse(status);
  std::vector<Ref> broken;
  tree_.for_each_holder(lock.ref, [&](Ref holder) {
    if (Token(tree_.node(holder).czxid.value()) == op.token) broken.push_back(holder);
  });
  if (broken.empty()) {
    return refuse(ErrorCode::kNotHolder, "the lock " + shown(op.path) + " is not held with token " +
                                             std::to_string(op.token.value()) + ": " + holder_text(lock.ref));
  }
  for (const Ref ref : broken) {
    const std::string path = tree_.path(ref);
    erase({path, ref});
  }
  return std::move(outcome_);
}

Outcome Execution::check_held(const OperationView& op) {
  const Place place = tree_.find(op.path);
  if (place.ref != kNone) {
    if (Status status = allowed(place.ref, kRead); !status.ok()) return refuse(status);
  }
  bool held = false;
  if (place.ref != kNone) {
    tree_.for_each_holder(
        place.ref, [&](Ref holder) { held = held || Token(tree_.node(holder).czxid.value()) == op.token; });
  }
  if (held) return std::move(outcome_);
  return refuse(ErrorCode::kNotHolder, "the lock " + shown(op.path) + " is not held with token " +
                                           std::to_string(op.token.value()) + ": " +
                                           (place.ref == kNone ? "nobody holds it" : holder_text(place.ref)));
}

std::shared_ptr<const LeftPlace> Execution::left_place(Ref ref) const {
  const Node& node = tree_.node(ref);
  const PlaceMode mode = tree_.place_mode(ref);
  const bool is_place = (node.queued() || mode.gone) && dialect_of(node.name()) != Dialect::kUnknown;
  if (!is_place) return nullptr;
  const std::string_view name = read_place(node.data()).name.substr(0, kLeftNameBytesMax);
  return std::make_shared<const LeftPlace>(
      LeftPlace{tree_.owner(ref), node.czxid, node.ctime_ms, cause_.wall_ms, mode, std::string(name)});
}

// A place that is kept stands where it stood, under its name: other clients wait for it as they did.
void Execution::expire(const Place& place) {
  const Node& node = tree_.node(place.ref);
  PlaceData data = read_place(node.data());
  const bool kept = node.queued() && tree_.place_mode(place.ref).delay_ms > 0 && tree_.holds(place.ref);
  if (!kept) return erase(place);
  data.mode.gone = true;
  const std::string mark = write_place(data.mode, data.name);
  const std::string above(parent_of(place.path));
  const Place lock{above, node.parent};
  const uint32_t acl = again(node.acl);
  erase(place);
  make(lock, place.path, {mark, SessionId(), true, false, data.mode.delay_ms, acl});
}

}  // namespace quorate::kv
