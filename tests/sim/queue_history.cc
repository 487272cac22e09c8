#include "tests/sim/queue_history.h"

namespace quorate::sim {
namespace {

std::string name_of(const std::string& path) { return path.substr(path.rfind('/') + 1); }

}  // namespace

std::string QueueHistory::claim_of(const std::string& item) const {
  return path_ + "/taken/" + name_of(item);
}

bool QueueHistory::is_free(const std::string& item, Zxid at) const {
  const TreePast::Node& node = past_.at(item, at);
  return node.exists && node.version < static_cast<int32_t>(tries_max_) &&
         !past_.at(claim_of(item), at).exists;
}

Verdict QueueHistory::committed(const std::string& item) {
  const std::vector<TreePast::Node>& states = past_.states(item);
  const TreePast::Node& now = states.back();
  const bool was_there = states.size() > 1 && states[states.size() - 2].exists;
  if (now.exists && was_there) return std::nullopt;  // one more delivery
  if (now.exists) {
    const auto push = pushes_.find(now.data);
    if (push == pushes_.end()) return "a message was made that nobody pushed: " + now.data;
    if (push->second.refused) return "a message was made that was told not to be pushed: " + now.data;
    if (!push->second.item.empty()) return "a message was made twice: " + now.data;
    push->second.item = item;
    if (push->second.id.empty() || kept_ids_.emplace(push->second.id, item).second) return std::nullopt;
    return "a second message with the id " + push->second.id + " was kept";
  }
  const TreePast::Node& before = states[states.size() - 2];
  const TreePast::Node& dead = past_.at(path_ + "/dead/" + name_of(item), now.from);
  if (dead.exists && dead.czxid == now.from) {
    ++put_aside_;
    if (dead.data != before.data) return "a message was put aside as another one: " + before.data;
    if (before.version < static_cast<int32_t>(tries_max_))
      return "a message was put aside after " + std::to_string(before.version) + " deliveries";
    return std::nullopt;
  }
  return ending_.contains(item) ? std::nullopt : Verdict("a message was lost: " + before.data);
}

void QueueHistory::begin_push(const std::string& data, const std::string& id) { pushes_[data].id = id; }

Verdict QueueHistory::pushed(const std::string& data, bool kept) const {
  const Push& push = pushes_.at(data);
  if (kept && push.item.empty()) return "was told that a message was kept, and it was not: " + data;
  if (kept) return std::nullopt;
  if (!push.item.empty()) return "was told that a message was not kept, and it was: " + data;
  if (!kept_ids_.contains(push.id)) return "was told that the id " + push.id + " was there, and it was not";
  return std::nullopt;
}

Verdict QueueHistory::not_pushed(const std::string& data) {
  Push& push = pushes_.at(data);
  push.refused = true;
  if (push.item.empty()) return std::nullopt;
  return "was told that a message was not pushed, and it was: " + data;
}

Verdict QueueHistory::took(uint32_t client, SessionId session, Zxid from, const Told& told) {
  if (done_.contains(told.item)) return "was given a message that had been acknowledged: " + told.data;
  const TreePast::Node* claim = nullptr;
  for (const TreePast::Node& state : past_.states(claim_of(told.item))) {
    if (state.exists && state.owner == session && state.from > from) claim = &state;
  }
  if (claim == nullptr) return "was given a message and has no claim to it: " + told.item;
  const TreePast::Node& node = past_.at(told.item, claim->from);
  if (node.data != told.data) return "was given " + told.data + ", and the message is " + node.data;
  if (node.version != static_cast<int32_t>(told.tries) || told.tries > tries_max_)
    return "was told that this is delivery " + std::to_string(told.tries) + ", and it is " +
           std::to_string(node.version);
  std::set<uint32_t>& having = having_[told.item];
  for (const uint32_t other : having) {
    if (leases_count_ && other != client && lease_valid_(other) && lease_valid_(client))
      return "was given a message that client " + std::to_string(other) + " has: " + told.data;
  }
  having.insert(client);
  const auto last = claims_.find(told.item);
  if (last != claims_.end() && last->second != session) ++taken_from_the_dead_;
  claims_[told.item] = session;
  return check_order(told.item, from, claim->from);
}

// Those that arrived earlier and that it could have had at any time meanwhile.
Verdict QueueHistory::check_order(const std::string& item, Zxid from, Zxid claimed) const {
  const Zxid before(claimed.value() - 1);
  if (before < from) return std::nullopt;
  const Zxid made = past_.at(item, claimed).czxid;
  for (const std::string& other : past_.children(path_ + "/items", from)) {
    if (past_.at(other, from).czxid >= made || !is_free(other, from)) continue;
    if (past_.always(path_, from, before, [&](Zxid at) { return is_free(other, at); }))
      return "was given " + item + ", and " + other + " is before it and nobody has it";
  }
  return std::nullopt;
}

Verdict QueueHistory::acknowledged(const std::string& item) {
  done_.insert(item);
  if (!past_.at(item, past_.now()).exists) return std::nullopt;
  return "was told that a message is done, and it is still there: " + item;
}

Verdict QueueHistory::not_its_own(SessionId session, const std::string& item, Zxid from) const {
  const auto has_it = [&](Zxid at) { return past_.at(claim_of(item), at).owner == session; };
  if (!past_.always(path_, from, past_.now(), has_it)) return std::nullopt;
  return "was told that a message is not its own, and it is: " + item;
}

void QueueHistory::ends(uint32_t client) {
  for (auto& [item, having] : having_) having.erase(client);
}

Verdict QueueHistory::gives_up(Zxid able) const {
  for (const std::string& item : past_.children(path_ + "/items", past_.now())) {
    if (past_.always(path_, able, past_.now(), [&](Zxid at) { return is_free(item, at); }))
      return "waits for a message, and nobody has " + item;
  }
  return std::nullopt;
}

Verdict QueueHistory::size_is(Zxid from, size_t size) const {
  const auto is = [&](Zxid at) { return past_.children(path_ + "/items", at).size() == size; };
  if (past_.ever(path_, from, past_.now(), is)) return std::nullopt;
  return "was told that " + std::to_string(size) + " messages are there, and so many were not meanwhile";
}

}  // namespace quorate::sim
