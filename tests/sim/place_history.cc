#include "tests/sim/place_history.h"

#include <algorithm>
#include <set>

#include "kv/path.h"

namespace quorate::sim {
namespace {

template <class Id>
std::string n(Id id) {
  return std::to_string(id.value());
}

bool is_place(const kv::Change& change) { return change.sequential && change.owner.value() != 0; }

// Whether a place that has these before it holds.
bool may_hold(const kv::PlaceMode& place, const std::vector<kv::PlaceMode>& before) {
  for (const kv::PlaceMode& each : before) {
    if (place.mode == kv::Mode::kExclusive || each.mode != place.mode) return false;
  }
  return place.mode != kv::Mode::kPermit || before.size() < place.permits;
}

bool ended(const kv::Applied& applied, SessionId session, bool by_expiry) {
  return std::any_of(applied.sessions_ended.begin(), applied.sessions_ended.end(),
                     [&](const auto& end) { return end.session == session && (end.expired || !by_expiry); });
}

bool asked(const kv::Applied& applied, SessionId session) {
  return std::any_of(applied.outcomes.begin(), applied.outcomes.end(),
                     [&](const auto& each) { return each.session == session; });
}

}  // namespace

bool PlaceHistory::looked_at(std::string_view lock) const {
  return std::any_of(roots_.begin(), roots_.end(),
                     [&](const std::string& root) { return lock.starts_with(root); });
}

// ---- what was committed

Verdict PlaceHistory::committed(const kv::Applied& applied, int64_t cluster_ms) {
  using Kind = kv::Change::Kind;
  std::set<std::string> touched;
  std::set<Token> taken;
  for (const kv::Change& change : applied.changes) {
    const std::string lock(kv::parent_of(change.path));
    if ((!is_place(change) && !change.place.gone) || !looked_at(lock)) continue;
    Queue& queue = queues_[lock];
    touched.insert(lock);
    if (change.kind == Kind::kCreated) {
      put(queue, change, cluster_ms);
    } else if (change.kind == Kind::kDeleted) {
      if (Verdict wrong = take(queue, change, applied, cluster_ms)) return wrong;
      if (is_place(change) && was_taken(change.path)) taken.insert(Token(change.czxid.value()));
      if (taken.size() > 1) return change.path + " was taken away beside one with another token";
    } else {
      for (const size_t i : queue.present) {
        if (queue.all[i].node == change.path) queue.all[i].mode.mode = kv::Mode::kShared;
      }
    }
  }
  for (const std::string& lock : touched) {
    if (Verdict wrong = hold(lock, queues_[lock], applied.zxid)) return wrong;
  }
  if (applied.sessions_ended.empty()) return std::nullopt;
  for (const auto& [lock, queue] : queues_) {
    for (const size_t i : queue.present) {
      if (ended(applied, queue.all[i].session, false))
        return "the session of " + queue.all[i].node + " is over, and it stays in the queue";
    }
  }
  return std::nullopt;
}

void PlaceHistory::put(Queue& queue, const kv::Change& change, int64_t cluster_ms) {
  Place place;
  place.node = change.path;
  place.session = change.owner;
  place.token = Token(change.czxid.value());
  place.mode = change.place;
  place.from = change.czxid;
  place.kept_since_ms = cluster_ms;
  if (place.mode.gone) ++kept_;
  const auto kept_end = std::find_if(queue.present.begin(), queue.present.end(),
                                     [&](size_t i) { return !queue.all[i].mode.gone; });
  queue.present.insert(place.mode.gone ? kept_end : queue.present.end(), queue.all.size());
  queue.all.push_back(std::move(place));
}

Verdict PlaceHistory::take(Queue& queue, const kv::Change& change, const kv::Applied& applied,
                           int64_t cluster_ms) {
  const auto at = std::find_if(queue.present.begin(), queue.present.end(), [&](size_t i) {
    return queue.all[i].node == change.path && queue.all[i].mode.gone == change.place.gone;
  });
  if (at == queue.present.end()) return change.path + " left a queue that it was not in";
  Place& place = queue.all[*at];
  place.until = applied.zxid;
  place.taken = !place.mode.gone && !asked(applied, place.session) && !ended(applied, place.session, false);
  const bool last = std::next(at) == queue.present.end();
  // Sessions that expire by one entry do so one after the other: who comes to hold in its middle holds.
  std::vector<kv::PlaceMode> before;
  for (auto each = queue.present.begin(); each != at; ++each) before.push_back(queue.all[*each].mode);
  const bool held = place.held_from.value() != 0 || may_hold(place.mode, before);
  queue.present.erase(at);
  if (place.mode.gone) {
    const int64_t kept_ms = cluster_ms - place.kept_since_ms;
    if (kept_ms >= place.mode.delay_ms) return std::nullopt;
    return place.node + " was to be kept for " + std::to_string(place.mode.delay_ms) + " ms, and was for " +
           std::to_string(kept_ms);
  }
  if (place.held_from.value() == 0 && !last && ended(applied, place.session, true)) ++expired_between_;
  const bool keep = held && place.mode.delay_ms > 0 && ended(applied, place.session, true);
  const bool kept = std::any_of(applied.changes.begin(), applied.changes.end(), [&](const auto& each) {
    return each.kind == kv::Change::Kind::kCreated && each.path == place.node && each.place.gone;
  });
  if (keep == kept) return std::nullopt;
  return keep ? "the session of " + place.node + " expired, and its place was not kept"
              : place.node + " was kept, and nobody asked for that";
}

Verdict PlaceHistory::hold(const std::string& lock, Queue& queue, Zxid zxid) {
  std::vector<kv::PlaceMode> before;
  for (const size_t i : queue.present) {
    Place& place = queue.all[i];
    const bool holds = may_hold(place.mode, before);
    before.push_back(place.mode);
    if (place.mode.gone) continue;
    if (holds && place.held_from.value() == 0) place.held_from = zxid;
    if (!holds && place.held_from.value() != 0)
      return "entry " + n(zxid) + " put somebody before " + place.node + ", which holds " + lock;
  }
  return std::nullopt;
}

// ---- what clients were told

const PlaceHistory::Place* PlaceHistory::find(const std::string& node) const {
  const auto queue = queues_.find(std::string(kv::parent_of(node)));
  if (queue == queues_.end()) return nullptr;
  for (const Place& place : queue->second.all) {
    if (place.node == node && !place.mode.gone) return &place;
  }
  return nullptr;
}

Verdict PlaceHistory::told_begins(const std::string& node, Token token, Zxid zxid) const {
  const Place* const place = find(node);
  const std::string what = node + " was told that it holds from zxid " + n(zxid) + " on";
  if (place == nullptr) return what + ", and there never was such a place";
  if (place->token != token) return what + " with token " + n(token) + ", not " + n(place->token);
  if (place->held_from.value() == 0) return what + ", and it never did";
  if (place->held_from != zxid) return what + ", and it does from " + n(place->held_from) + " on";
  return std::nullopt;
}

Verdict PlaceHistory::told_place(const std::string& node, Token token, bool held, Zxid zxid) const {
  const Place* const place = find(node);
  const std::string what = node + " was told that it " + (held ? "holds" : "waits") + " at zxid " + n(zxid);
  if (place == nullptr || !place->there(zxid)) return what + ", and it was not in the queue";
  if (place->token != token) return what + " with token " + n(token) + ", not " + n(place->token);
  if (place->holds(zxid) != held) return what + ", and that is not so";
  return std::nullopt;
}

Verdict PlaceHistory::told_gone(const std::string& node, Zxid zxid) const {
  const Place* const place = find(node);
  if (place == nullptr || !place->there(zxid)) return std::nullopt;
  return node + " was told that it is in the queue no more at zxid " + n(zxid) + ", and it is";
}

Verdict PlaceHistory::told_taken(const std::string& node, Zxid zxid) const {
  const Place* const place = find(node);
  const std::string what = node + " was told that it was taken away by zxid " + n(zxid);
  if (place == nullptr || place->until != zxid) return what + ", and that did not";
  return place->taken ? Verdict() : what + ", and its own session did so";
}

Verdict PlaceHistory::told_taken_since(SessionId session, Zxid from) const {
  for (const auto& [lock, queue] : queues_) {
    for (const Place& place : queue.all) {
      if (place.session == session && place.from > from && place.taken) return std::nullopt;
    }
  }
  return "was told that its place was taken away since zxid " + n(from) + ", and none was";
}

Verdict PlaceHistory::told_held(const std::string& lock, Token token, bool held, Zxid zxid) const {
  bool truly = false;
  if (const auto queue = queues_.find(lock); queue != queues_.end()) {
    for (const Place& place : queue->second.all)
      truly = truly || (!place.mode.gone && place.token == token && place.holds(zxid));
  }
  if (truly == held) return std::nullopt;
  return lock + " is said to be " + (held ? "held" : "not held") + " with token " + n(token) + " at zxid " +
         n(zxid) + ", and that is not so";
}

Verdict PlaceHistory::told_held_since(const std::string& lock, Token token, bool held, Zxid from) const {
  bool ever = false, always = false;
  if (const auto queue = queues_.find(lock); queue != queues_.end()) {
    for (const Place& place : queue->second.all) {
      if (place.mode.gone || place.token != token || place.held_from.value() == 0) continue;
      const bool left = place.until.value() != 0;
      ever = ever || !left || place.until > from;
      always = always || (!left && place.held_from <= from);
    }
  }
  if (held ? ever : !always) return std::nullopt;
  return lock + " is said to be " + (held ? "held" : "not held") + " with token " + n(token) +
         " at some zxid from " + n(from) + " on, and at none it was";
}

Verdict PlaceHistory::told_too_late(const std::string& lock, SessionId session, Zxid from, Zxid able) const {
  const auto queue = queues_.find(lock);
  if (queue == queues_.end()) return std::nullopt;
  for (const Place& place : queue->second.all) {
    if (place.session == session && !place.mode.gone && place.from > from && place.holds(able))
      return "gave up waiting for " + lock + ", and " + place.node + " has held it since zxid " +
             n(place.held_from);
  }
  return std::nullopt;
}

Verdict PlaceHistory::told_contended(const std::string& node, Zxid zxid) const {
  const auto queue = queues_.find(std::string(kv::parent_of(node)));
  if (queue != queues_.end()) {
    for (const Place& place : queue->second.all) {
      if (place.there(zxid) && (place.node != node || place.mode.gone)) return std::nullopt;
    }
  }
  return node + " was refused an upgrade at zxid " + n(zxid) + ", and nobody else was there";
}

Verdict PlaceHistory::told_queue(const lock::LockView& view) const {
  std::vector<std::string> holders, waiters;
  if (const auto queue = queues_.find(view.path); queue != queues_.end()) {
    for (const Place& place : queue->second.all) {
      if (!place.mode.gone && place.there(view.zxid))
        (place.holds(view.zxid) ? holders : waiters).push_back(place.node);
    }
  }
  std::vector<std::string> said_to_hold, said_to_wait;
  if (view.holder) said_to_hold.push_back(view.holder->node);
  for (const lock::Contender& each : view.sharing) said_to_hold.push_back(each.node);
  for (const lock::Contender& each : view.waiters) said_to_wait.push_back(each.node);
  const std::string what = "a look at " + view.path + " at zxid " + n(view.zxid) + " shows ";
  if (said_to_hold != holders)
    return what + std::to_string(said_to_hold.size()) + " who hold, not the true ones";
  if (said_to_wait != waiters)
    return what + std::to_string(said_to_wait.size()) + " who wait, not the true ones";
  return std::nullopt;
}

bool PlaceHistory::was_taken(const std::string& node) const {
  const Place* const place = find(node);
  return place != nullptr && place->taken;
}

}  // namespace quorate::sim
