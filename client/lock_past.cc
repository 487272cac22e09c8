#include "client/lock_past.h"

#include <algorithm>
#include <charconv>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "kv/queue.h"

namespace quorate::client {

namespace {

// The number that a sequential create appended: it grows along a queue.
uint64_t number_of(std::string_view node) {
  const size_t digits = node.find_last_not_of("0123456789") + 1;
  uint64_t number = 0;
  std::from_chars(node.data() + digits, node.data() + node.size(), number);
  return number;
}

class Past {
 public:
  Past(std::string_view path, Zxid since) {
    history_.path = path;
    history_.since = history_.complete = since;
  }

  LockHistory run(const std::vector<PlaceChange>& all, const std::optional<LockInfo>& seen) {
    std::vector<PlaceChange> events;
    std::copy_if(all.begin(), all.end(), std::back_inserter(events),
                 [&](const PlaceChange& event) { return is_place(event.path); });
    if (seen) note_contenders(*seen);
    begin_with_old(events);
    for (size_t begin = 0; begin < events.size();) {
      size_t end = begin;
      while (end < events.size() && events[end].zxid == events[begin].zxid) apply(events[end++]);
      move_up(events[begin].zxid);
      begin = end;
    }
    return finish();
  }

 private:
  bool is_place(std::string_view node) const {
    const std::string_view above = history_.path == "/" ? "" : std::string_view(history_.path);
    if (node.size() <= above.size() + 1 || !node.starts_with(above) || node[above.size()] != '/')
      return false;
    const std::string_view name = node.substr(above.size() + 1);
    return name.find('/') == std::string_view::npos && kv::dialect_of(name) != kv::Dialect::kUnknown;
  }

  void note_contenders(const LockInfo& seen) {
    const auto note = [this](const Contender& contender, bool holds) {
      contenders_[contender.node] = contender;
      if (holds) holders_.insert(contender.node);
    };
    if (seen.holder) note(*seen.holder, true);
    for (const Contender& holder : seen.sharing) note(holder, true);
    for (const Contender& waiter : seen.waiters) note(waiter, false);
  }

  // Places that were there before the history begins: they have gone without having come, or are there yet.
  void begin_with_old(const std::vector<PlaceChange>& events) {
    std::unordered_set<std::string> met;
    std::vector<std::string> old;
    for (const PlaceChange& event : events)
      if (met.insert(event.path).second && event.kind != EventKind::kCreated) old.push_back(event.path);
    for (const auto& [node, contender] : contenders_)
      if (Zxid(contender.token.value()) <= history_.since && met.insert(node).second) old.push_back(node);
    std::sort(old.begin(), old.end(), [](const std::string& a, const std::string& b) {
      return std::pair(number_of(a), a) < std::pair(number_of(b), b);
    });
    for (std::string& node : old) add(std::move(node), Token());
    if (!old.empty()) history_.places.front().from_before = true;
  }

  void add(std::string node, Token token) {
    there_[node] = history_.places.size();
    PastPlace& place = history_.places.emplace_back();
    // Of another node of that name, if the path was deleted and its numbers began anew, nothing is known.
    const auto known = contenders_.find(node);
    if (known != contenders_.end() && (token == Token() || token == known->second.token)) {
      place.contender = known->second;
      token = known->second.token;
    }
    place.token = token;
    place.node = std::move(node);
  }

  void apply(const PlaceChange& event) {
    const auto at = there_.find(event.path);
    if (event.kind == EventKind::kCreated) {
      if (at == there_.end()) return add(event.path, Token(event.zxid.value()));
      // What goes and comes in one entry is kept for an expired holder.
      history_.places[at->second].state = PlaceState::kKept;
      return;
    }
    if (event.kind != EventKind::kDeleted || at == there_.end()) return;
    gone_.push_back(event.path);
    PastPlace& place = history_.places[at->second];
    if (event.left) gone_ms_ = event.left_ms;
    if (place.state == PlaceState::kKept) {
      place.state = PlaceState::kExpired;
      return;
    }
    const bool was_kept = event.left && event.left->session == SessionId();
    place.state = was_kept ? PlaceState::kExpired : PlaceState::kLeft;
    place.until = event.zxid;
    place.until_ms = event.left_ms;
    if (!event.left) return;
    place.contender = event.left;
    if (!was_kept) place.token = event.left->token;
  }

  // After each entry: those that have gone are out, and somebody else may be the first. He is that from when
  // they went, or from when he came.
  void move_up(Zxid zxid) {
    const int64_t gone_ms = std::exchange(gone_ms_, 0);
    std::vector<PastPlace>& places = history_.places;
    for (const std::string& node : gone_) {
      const auto at = there_.find(node);
      if (at != there_.end() && !is_there(places[at->second])) there_.erase(at);
    }
    gone_.clear();
    while (front_ < places.size() && !is_there(places[front_])) ++front_;
    if (front_ == places.size()) return;
    PastPlace& place = places[front_];
    if (!place.from_before && place.first == Zxid() && place.state != PlaceState::kKept) {
      place.first = zxid;
      place.first_ms = gone_ms;
    }
  }

  static bool is_there(const PastPlace& place) {
    return place.state != PlaceState::kLeft && place.state != PlaceState::kExpired;
  }

  LockHistory finish() {
    for (PastPlace& place : history_.places) {
      if (place.first != Zxid() && place.first.value() == place.token.value() && place.contender)
        place.first_ms = place.contender->since_ms;
      if (place.state != PlaceState::kWaits) continue;
      const bool first = place.first != Zxid() || place.from_before;
      if (first || holders_.contains(place.node)) place.state = PlaceState::kHolds;
    }
    return std::move(history_);
  }

  LockHistory history_;
  std::unordered_map<std::string, Contender> contenders_;
  std::unordered_set<std::string> holders_;
  std::unordered_map<std::string, size_t> there_;  // by node: which of the places
  std::vector<std::string> gone_;                  // within the entry that is looked at
  int64_t gone_ms_ = 0;                            // the wall clock of that entry, if it says so
  size_t front_ = 0;                               // the first place that is there, or behind
};

}  // namespace

LockHistory past_of(std::string_view path, Zxid since, const std::vector<PlaceChange>& events,
                    const std::optional<LockInfo>& seen) {
  return Past(path, since).run(events, seen);
}

}  // namespace quorate::client
