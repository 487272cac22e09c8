// The model's locks: who holds is looked up from end to end, each time.
#include <algorithm>
#include <regex>

#include "kv/command_view.h"
#include "tests/property/kv_model.h"
#include "tests/property/kv_model_text.h"

namespace quorate::kv {

PlaceMode mode_in(const std::string& data) {
  static const std::regex kMark(
      "^quorate:(exclusive|shared|permit/([1-9][0-9]*))(;delay=([1-9][0-9]*))?(;gone)?:");
  PlaceMode mode;
  std::smatch match;
  if (!std::regex_search(data, match, kMark)) return mode;
  if (match[1] == "shared") mode.mode = Mode::kShared;
  if (match[2].matched) {
    mode.mode = Mode::kPermit;
    mode.permits = static_cast<uint32_t>(std::stoul(match[2]));
  }
  if (match[4].matched) mode.delay_ms = static_cast<uint32_t>(std::stoul(match[4]));
  mode.gone = match[5].matched;
  return mode;
}

PlaceMode Model::mode(const std::string& node) const { return mode_in(nodes_.at(node).data); }

std::vector<std::string> Model::kept(const std::string& path) const {
  std::vector<std::string> found;
  for (const std::string& child : children(path)) {
    if (nodes_.at(child).kind == NodeKind::kTtl && mode(child).gone) found.push_back(child);
  }
  return found;
}

// Looked at one by one: whether all before it let it in.
std::vector<std::string> Model::holders(const std::string& path) const {
  std::vector<std::string> all = kept(path);
  const size_t gone = all.size();
  for (const std::string& place : queue(path)) all.push_back(place);
  std::vector<std::string> found;
  for (size_t i = gone; i < all.size(); ++i) {
    bool free = true;
    for (size_t before = 0; before < i; ++before) {
      const PlaceMode other = mode(all[before]);
      const PlaceMode own = mode(all[i]);
      const bool both_shared = own.mode == Mode::kShared && other.mode == Mode::kShared;
      const bool both_permits = own.mode == Mode::kPermit && other.mode == Mode::kPermit && i < own.permits;
      free = free && (both_shared || both_permits);
    }
    if (free) found.push_back(all[i]);
  }
  return found;
}

bool Model::holds(const std::string& node) const {
  const std::vector<std::string> all = holders(above(node));
  return std::find(all.begin(), all.end(), node) != all.end();
}

// ---- operations

std::string Model::place_name(const std::string& path, bool kazoo) const {
  const uint64_t next = nodes_.contains(path) ? nodes_.at(path).creates : 0;
  return (path == "/" ? "" : path) + "/" + (kazoo ? kazoo_digits_ + "__lock__" : "lock-") + suffix(next);
}

Outcome Model::operate(SessionId session, const AcquireOp& op, Applied& out) {
  bool kazoo = false;
  if (const auto at = nodes_.find(op.path); at != nodes_.end()) {
    const std::vector<std::string> queue_now = queue(op.path);
    std::vector<std::string> places = kept(op.path);
    places.insert(places.end(), queue_now.begin(), queue_now.end());
    const auto kazoo_names = std::count_if(places.begin(), places.end(), is_kazoo_name);
    const auto lock_names = std::count_if(places.begin(), places.end(), is_lock_name);
    const auto all = static_cast<std::ptrdiff_t>(places.size());
    if (at->second.stat.ephemeral_owner != SessionId()) return outcome(ErrorCode::kBadQueue);
    if (!at->second.data.empty()) return outcome(ErrorCode::kBadQueue);
    if (children(op.path).size() != places.size()) return outcome(ErrorCode::kBadQueue);
    if (kazoo_names != all && lock_names != all) return outcome(ErrorCode::kBadQueue);
    for (const std::string& place : places) {
      const PlaceMode other = mode(place);
      const bool semaphore = other.mode == Mode::kPermit;
      if (semaphore && other.permits != op.mode.permits) return outcome(ErrorCode::kBadQueue);
      if (op.mode.mode == Mode::kPermit && other.mode == Mode::kShared) return outcome(ErrorCode::kBadQueue);
    }
    kazoo = all > 0 && kazoo_names == all;
  }
  std::string deepest = op.path;
  while (!nodes_.contains(deepest)) deepest = above(deepest);
  if (nodes_.at(deepest).stat.ephemeral_owner != SessionId())
    return outcome(ErrorCode::kNoChildrenForEphemerals);
  if (!may(session, deepest, kCreate)) return outcome(ErrorCode::kDenied);
  const Acl acl = nodes_.at(deepest).acl;
  const std::string data = write_place(op.mode, op.data);
  if (!fits(place_name(op.path, kazoo), data.size())) return outcome(ErrorCode::kQuotaExceeded);
  make_parents(op.path, acl, out);
  const std::string path = place_name(op.path, kazoo);
  make(path, data, session, true, out).acl = acl;
  Outcome done = outcome();
  done.path = path;
  done.held = holds(path);
  done.token = Token(zxid_.value());
  return done;
}

// On a copy, as several operations.
Outcome Model::operate(SessionId session, const AcquireManyOp& op, Applied& out) {
  Model copy = *this;
  Applied made;
  Outcome all = outcome();
  all.held = true;
  for (size_t i = 0; i < op.locks.size(); ++i) {
    const Operation whole(op.locks[i]);
    const Status status = validate_operation(view_of(whole));
    Outcome one = status.ok() ? copy.operate(session, op.locks[i], made) : outcome(status.code());
    if (one.code == ErrorCode::kOk && !one.held && !op.wait) one = outcome(ErrorCode::kContended);
    if (one.code != ErrorCode::kOk) {
      all = outcome(one.code);
      all.results.assign(op.locks.size(), OperationResult{});
      for (size_t j = i; j < all.results.size(); ++j) all.results[j].code = ErrorCode::kNotAttempted;
      all.results[i].code = one.code;
      return all;
    }
    all.held = all.held && one.held;
    all.results.push_back({ErrorCode::kOk, {}, one.path, {}, one.held});
  }
  all.token = Token(zxid_.value());
  nodes_ = copy.nodes_;
  order_ = copy.order_;
  out.changes.insert(out.changes.end(), made.changes.begin(), made.changes.end());
  return all;
}

Outcome Model::operate(SessionId session, const ReleaseOp& op, Applied& out) {
  if (!nodes_.contains(op.node)) return outcome(ErrorCode::kNoNode);
  if (!queued(op.node) || nodes_.at(op.node).stat.ephemeral_owner != session)
    return outcome(ErrorCode::kNotHolder);
  erase(op.node, out);
  return outcome();
}

Outcome Model::operate(SessionId session, const UpgradeOp& op, Applied& out) {
  if (!nodes_.contains(op.node)) return outcome(ErrorCode::kNoNode);
  if (!queued(op.node) || nodes_.at(op.node).stat.ephemeral_owner != session ||
      mode(op.node).mode != Mode::kShared || !holds(op.node)) {
    return outcome(ErrorCode::kNotHolder);
  }
  const std::string lock = above(op.node);
  if (children(lock).size() != 1) return outcome(ErrorCode::kContended);
  const Node shared = nodes_.at(op.node);
  if (nodes_.at(lock).creates > 9'999'999'999) return outcome(ErrorCode::kSequenceExhausted);
  const PlaceMode exclusive{Mode::kExclusive, 0, mode(op.node).delay_ms};
  const std::string path = place_name(lock, is_kazoo_name(op.node));
  const std::string name = shared.data.substr(shared.data.find(':', shared.data.find(':') + 1) + 1);
  erase(op.node, out);
  make(path, write_place(exclusive, name), session, true, out).acl = shared.acl;
  Outcome done = outcome();
  done.path = path;
  done.held = true;
  done.token = Token(zxid_.value());
  return done;
}

Outcome Model::operate(SessionId session, const DowngradeOp& op, Applied& out) {
  if (!nodes_.contains(op.node)) return outcome(ErrorCode::kNoNode);
  if (!queued(op.node) || nodes_.at(op.node).stat.ephemeral_owner != session ||
      mode(op.node).mode != Mode::kExclusive || !holds(op.node)) {
    return outcome(ErrorCode::kNotHolder);
  }
  Node& node = nodes_.at(op.node);
  const PlaceMode before = mode(op.node);
  const std::string name =
      before == PlaceMode() ? node.data : node.data.substr(node.data.find(':', node.data.find(':') + 1) + 1);
  node.data = write_place({Mode::kShared, 0, before.delay_ms}, name);
  node.null_data = false;
  ++node.stat.version;
  node.stat.mzxid = zxid_;
  node.stat.mtime_ms = wall_ms_;
  node.stat.data_length = static_cast<int32_t>(node.data.size());
  out.changes.push_back({Change::Kind::kDataSet, op.node, session, true, node.stat.czxid});
  Outcome done = outcome();
  done.path = op.node;
  done.held = true;
  done.token = Token(node.stat.czxid.value());
  return done;
}

Outcome Model::operate(SessionId session, const BreakOp& op, Applied& out) {
  if (!nodes_.contains(op.path)) return outcome(ErrorCode::kNoNode);
  if (!may(session, op.path, kAdmin)) return outcome(ErrorCode::kDenied);
  std::vector<std::string> broken;
  for (const std::string& holder : holders(op.path)) {
    if (nodes_.at(holder).stat.czxid.value() == op.token.value()) broken.push_back(holder);
  }
  if (broken.empty()) return outcome(ErrorCode::kNotHolder);
  for (const std::string& node : broken) erase(node, out);
  return outcome();
}

}  // namespace quorate::kv
