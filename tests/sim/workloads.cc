#include "tests/sim/workloads.h"

namespace quorate::sim {

using std::chrono::milliseconds;

std::string key_path(uint32_t key) { return "/k" + std::to_string(key); }
std::string lock_path(uint32_t lock) { return kLockPrefix + std::to_string(lock); }

// ---- periodic

void PeriodicClient::on_ready(bool) { act_soon(); }

namespace {
constexpr double kMoveChance = 0.004;
}

void PeriodicClient::act_soon() {
  if (act_scheduled_) return;
  act_scheduled_ = true;
  in(random_.between(milliseconds(1), context_.plan.think_max), [this] {
    act_scheduled_ = false;
    if (winding_down()) return;
    if (session_ready() && random_.chance(kMoveChance)) {
      move();
    } else if (session_ready()) {
      act();
    }
    act_soon();
  });
}

// What an answer to a get shows. Any other answer than a node or "no node" is a mistake.
namespace {

std::optional<ReadValue> shown(const std::string& name, const server::ClientReply& reply) {
  if (reply.error.code == ErrorCode::kNoNode) return std::nullopt;
  const auto* node = std::get_if<server::NodeReply>(&reply.body);
  if (!reply.error.ok() || node == nullptr)
    throw Violation(name + ": a get was answered with " + reply.error.message);
  return ReadValue{node->data, node->stat};
}

WatchHistory::Seen seen(Zxid state, const std::optional<ReadValue>& value) {
  if (!value) return {state, false, Zxid(), Zxid()};
  return {state, true, value->stat.czxid, value->stat.mzxid};
}

}  // namespace

// ---- keys

void KeyClient::act() {
  if (outstanding_ >= kOutstandingMax) return;
  const std::string key = key_path(static_cast<uint32_t>(random_.below(context_.plan.keys)));
  const uint64_t dice = random_.below(100);
  if (dice < 45) {
    get(key);
  } else if (dice < 75) {
    change(key, WriteKind::kSet, -1);
  } else if (dice < 83) {
    const auto version = versions_.find(key);
    change(key, WriteKind::kSet, version == versions_.end() ? 0 : version->second);
  } else if (dice < 94) {
    change(key, WriteKind::kCreate, -1);
  } else if (dice < 99 || has_writes_in_flight()) {
    change(key, WriteKind::kDelete, -1);
  } else {
    close_session();
  }
}

void KeyClient::get(const std::string& key) {
  ++outstanding_;
  const size_t id = histories_.registers.begin_read(key);
  read(server::GetRequest{key, true, 0}, [this, key, id](const server::ClientReply& reply) {
    --outstanding_;
    ++context_.statistics.reads_checked;
    const std::optional<ReadValue> value = shown(name(), reply);
    if (value) versions_[key] = value->stat.version;
    require(histories_.registers.end_read(id, reply.zxid, value));
  });
}

void KeyClient::change(const std::string& key, WriteKind kind, int32_t version) {
  ++outstanding_;
  const std::string value =
      kind == WriteKind::kDelete ? "" : "c" + std::to_string(number()) + "." + std::to_string(next_value_++);
  const size_t id = histories_.registers.begin_write(key, kind, value);
  kv::Operation operation = kind == WriteKind::kCreate ? kv::Operation(kv::CreateOp{key, value})
                            : kind == WriteKind::kSet  ? kv::Operation(kv::SetOp{key, value, version})
                                                       : kv::Operation(kv::DeleteOp{key, version});
  write(std::move(operation), [this, key, id](const kv::Outcome* outcome) {
    --outstanding_;
    if (outcome == nullptr) return;
    ++context_.statistics.writes_checked;
    require(histories_.registers.end_write(id, *outcome));
  });
}

// ---- sequences

void SequenceClient::act() {
  const std::string tag = "s" + std::to_string(number()) + "." + std::to_string(next_++);
  histories_.sequences.begin(tag);
  kv::CreateOp operation;
  operation.path = std::string(kSequenceParent) + "/n-";
  operation.data = tag;
  operation.sequential = true;
  operation.parents = true;
  write(operation, [this, tag](const kv::Outcome* outcome) {
    if (outcome == nullptr) return;
    if (outcome->code != ErrorCode::kOk)
      throw Violation(name() + ": a sequential create was refused: " + outcome->message);
    ++context_.statistics.sequential_creates;
    require(histories_.sequences.end(tag, outcome->path, outcome->zxid));
  });
}

// ---- sessions that come and go

void ChurnClient::act() {
  const uint64_t dice = random_.below(100);
  if (dice < 55) {
    create();
  } else if (dice < 80) {
    look();
  } else if (dice < 92) {
    if (!has_writes_in_flight()) close_session();
  } else if (context_.healed) {
    look();  // once all is healed everybody must be served, and who is silent is not
  } else {
    // Longer than the cluster waits for it; it comes back to find its session over, or nearly.
    pause(milliseconds(timeout_ms()) * random_.between(int64_t{9}, int64_t{20}) / 10);
  }
}

void ChurnClient::create() {
  kv::CreateOp operation;
  operation.path = std::string(kChurnParent) + "/e-";
  operation.data = name();
  operation.ephemeral = operation.sequential = operation.parents = true;
  write(operation, [this](const kv::Outcome* outcome) {
    if (outcome == nullptr) return;
    if (outcome->code != ErrorCode::kOk)
      throw Violation(name() + ": an ephemeral node was refused: " + outcome->message);
    ++context_.statistics.ephemerals_created;
    mine_.insert(outcome->path.substr(std::string_view(kChurnParent).size() + 1));
  });
}

void ChurnClient::on_session_lost() {
  gone_.merge(mine_);
  mine_.clear();
}

void ChurnClient::look() {
  // What ends while the read is under way may be in it.
  read(server::ChildrenRequest{kChurnParent, 0}, [this, gone = gone_](const server::ClientReply& reply) {
    if (reply.error.code == ErrorCode::kNoNode) return;
    const auto* children = std::get_if<server::ChildrenReply>(&reply.body);
    if (children == nullptr) throw Violation(name() + ": children were answered with " + reply.error.message);
    ++context_.statistics.reads_checked;
    for (const std::string& child : children->names) {
      if (gone.contains(child)) throw Violation(name() + ": " + child + " has outlived its session");
    }
  });
}

// ---- watches

void WatchClient::on_ready(bool fresh) {
  PeriodicClient::on_ready(fresh);
  for (const auto& [watch, active] : active_) {
    histories_.watches.resumed(number(), watch, connection());
    ask_once(server::ResumeWatchRequest{watch, kv::WatchKind::kData, active.key, active.seen.state,
                                        active.seen.exists},
             [this](const server::ClientReply& reply) {
               // Reads must not show what it waits for before it is set again.
               if (reply.error.code == ErrorCode::kOverloaded) move();
             });
  }
}

void WatchClient::on_session_lost() {
  for (const auto& [watch, active] : active_) histories_.watches.dropped(number(), watch);
  active_.clear();
}

void WatchClient::on_watch(const kv::WatchEvent& event) {
  ++context_.statistics.watch_events;
  require(histories_.watches.fired(number(), event.watch, connection(), event.path, event.zxid));
  active_.erase(event.watch);
}

void WatchClient::act() {
  if (outstanding_ > 2) return;
  const std::string key = key_path(static_cast<uint32_t>(random_.below(context_.plan.keys)));
  bool watched = asked_.contains(key);
  for (const auto& [watch, active] : active_) watched = watched || active.key == key;
  look(key, watched ? 0 : next_watch_++);
}

void WatchClient::look(const std::string& key, uint64_t watch) {
  ++outstanding_;
  if (watch != 0) asked_.insert(key);
  const size_t id = histories_.registers.begin_read(key);
  read(server::GetRequest{key, true, watch}, [this, key, id, watch](const server::ClientReply& reply) {
    --outstanding_;
    ++context_.statistics.reads_checked;
    const std::optional<ReadValue> value = shown(name(), reply);
    require(histories_.registers.end_read(id, reply.zxid, value));
    const WatchHistory::Seen now = seen(reply.zxid, value);
    require(histories_.watches.read_shows(number(), connection(), key, now));
    if (watch == 0) return;
    asked_.erase(key);
    active_[watch] = Active{key, now};
    histories_.watches.registered(number(), watch, key, connection(), now);
  });
}

// ---- auditor

void Auditor::on_ready(bool) {
  if (asked_) return;
  asked_ = true;
  for (uint32_t key = 0; key < context_.plan.keys; ++key) read_key(key_path(key));
  read_sequence();
}

void Auditor::read_key(const std::string& key) {
  const size_t id = histories_.registers.begin_read(key);
  read(server::GetRequest{key, true, 0}, [this, key, id](const server::ClientReply& reply) {
    const std::optional<ReadValue> value = shown(name(), reply);
    keys_[key] = seen(reply.zxid, value);
    require(histories_.registers.end_read(id, reply.zxid, value));
  });
}

void Auditor::read_sequence() {
  read(server::ChildrenRequest{kSequenceParent, 0}, [this](const server::ClientReply& reply) {
    if (reply.error.code == ErrorCode::kNoNode) return;
    const auto* children = std::get_if<server::ChildrenReply>(&reply.body);
    if (!reply.error.ok() || children == nullptr)
      throw Violation(name() + ": cannot list: " + reply.error.message);
    names_ = children->names;
    for (const std::string& child : names_) {
      read(server::GetRequest{std::string(kSequenceParent) + "/" + child, true, 0},
           [this, child](const server::ClientReply& node) {
             const std::optional<ReadValue> value = shown(name(), node);
             if (!value) throw Violation(name() + ": a node that was listed is not there: " + child);
             data_[child] = value->value;
           });
    }
  });
}

std::vector<std::pair<std::string, std::string>> Auditor::sequence() const {
  std::vector<std::pair<std::string, std::string>> nodes;
  for (const std::string& child : names_) {
    nodes.emplace_back(std::string(kSequenceParent) + "/" + child, data_.at(child));
  }
  return nodes;
}

}  // namespace quorate::sim
