// Watches over random histories, against a second writing of their rules; and what a client is told that it
// missed is what its watch would have seen.
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <array>
#include <map>
#include <set>

#include "kv/path.h"
#include "kv/watch_table.h"
#include "tests/property/kv_history.h"

namespace quorate::kv {
namespace {

struct Registered {
  WatchKind kind = WatchKind::kData;
  std::string path;
};
using Id = std::pair<uint64_t, uint64_t>;  // connection and watch
using Naive = std::map<Id, Registered>;

bool once(WatchKind kind) { return kind == WatchKind::kData || kind == WatchKind::kChildren; }
bool feeds(WatchKind kind) { return kind == WatchKind::kNodeFeed || kind == WatchKind::kTreeFeed; }

bool at_or_below(const std::string& root, const std::string& path) {
  return root == "/" || path == root || path.starts_with(root + "/");
}

EventKind kind_of(Change::Kind change) {
  if (change == Change::Kind::kCreated) return EventKind::kCreated;
  return change == Change::Kind::kDeleted ? EventKind::kDeleted : EventKind::kDataChanged;
}

// A one-shot's event.
std::optional<EventKind> event_for(const Registered& watch, const Change& change) {
  if (watch.path == change.path) {
    if (change.kind != Change::Kind::kDeleted && watch.kind == WatchKind::kChildren) return std::nullopt;
    return kind_of(change.kind);
  }
  const bool child = change.kind != Change::Kind::kDataSet && watch.path == parent_of(change.path);
  if (child && watch.kind == WatchKind::kChildren) return EventKind::kChildrenChanged;
  return std::nullopt;
}

using Seen = std::vector<std::pair<EventKind, std::string>>;

// What a persistent watch sees of an entry.
Seen persistent_events(const Registered& watch, const std::vector<Change>& changes) {
  Seen seen;
  std::set<std::string> parents;
  for (size_t i = 0; i < changes.size(); ++i) {
    const Change& change = changes[i];
    const bool set = change.kind == Change::Kind::kDataSet;
    bool decides = true;
    for (size_t k = 0; k < changes.size(); ++k) {
      const bool other_set = changes[k].kind == Change::Kind::kDataSet;
      if (changes[k].path == change.path && ((!other_set && (set || k > i)) || (set && k > i)))
        decides = false;
    }
    const bool recursive = watch.kind == WatchKind::kRecursive;
    if (decides && (recursive ? at_or_below(watch.path, change.path) : watch.path == change.path))
      seen.emplace_back(kind_of(change.kind), change.path);
    if (!set && !recursive && change.path != "/" && parent_of(change.path) == watch.path &&
        parents.insert(watch.path).second)
      seen.emplace_back(EventKind::kChildrenChanged, watch.path);
  }
  return seen;
}

Seen feed_events(const Registered& watch, const std::vector<Change>& changes) {
  Seen seen;
  for (const Change& change : changes) {
    const bool child = change.kind != Change::Kind::kDataSet && parent_of(change.path) == watch.path;
    if (watch.kind == WatchKind::kTreeFeed ? at_or_below(watch.path, change.path)
                                           : change.path == watch.path || child)
      seen.emplace_back(kind_of(change.kind), change.path);
  }
  return seen;
}

// What each watch should see of an entry; one-shots that see something are gone.
std::map<Id, Seen> fire(Naive& watches, const Applied& applied) {
  std::map<Id, Seen> events;
  for (auto at = watches.begin(); at != watches.end();) {
    const Registered& watch = at->second;
    Seen seen;
    if (once(watch.kind)) {
      for (const Change& change : applied.changes) {
        if (const auto event = event_for(watch, change); event && seen.empty())
          seen.emplace_back(*event, watch.path);
      }
    } else {
      seen =
          feeds(watch.kind) ? feed_events(watch, applied.changes) : persistent_events(watch, applied.changes);
    }
    const bool gone = once(watch.kind) && !seen.empty();
    if (!seen.empty()) events[at->first] = std::move(seen);
    at = gone ? watches.erase(at) : std::next(at);
  }
  return events;
}

std::map<Id, Seen> by_watch(const Fired& fired, const Naive& before, Zxid zxid) {
  std::map<Id, Seen> seen;
  for (const WatchEvent& event : fired.events) {
    const Id id{event.connection.value(), event.watch};
    RC_ASSERT(before.contains(id) && !feeds(before.at(id).kind));
    RC_ASSERT(event.zxid == zxid);
    seen[id].emplace_back(event.kind, event.path);
  }
  for (const FeedBatch& batch : fired.batches) {
    const Id id{batch.connection.value(), batch.watch};
    RC_ASSERT(before.contains(id) && feeds(before.at(id).kind));
    RC_ASSERT(!seen.contains(id) && batch.zxid == zxid);
    for (const StateMachine::PastChange& change : batch.changes) {
      RC_ASSERT(change.zxid == zxid);
      RC_ASSERT(feed_sees(before.at(id).kind, before.at(id).path, change.kind, change.path));
      seen[id].emplace_back(kind_of(change.kind), change.path);
    }
  }
  return seen;
}

std::string watched_path(uint8_t pick) {
  static const std::vector<std::string> kPaths = {"/a",  "/a/b", "/l", "/", "/b", "/l/lock-0000000001",
                                                  "/a/a"};
  return kPaths[pick % kPaths.size()];
}

// Several entries' changes as if one entry had made them: what a multi or a recursive delete will look like.
RC_GTEST_PROP(KvWatches, EachKindTellsWhatItShouldAndOneShotsOnce, ()) {
  StateMachine state;
  History history(state);
  WatchTable table;
  Naive naive;
  Applied together;
  for (const Step& step : *histories()) {
    const Id key{step[1] % 5 + 1, step[2] % 7};
    const auto kind = static_cast<WatchKind>(step[3] % 6 + 1);
    if (step[5] % 4 != 0) {
      RC_ASSERT(table.add(ConnectionId(key.first), key.second, kind, watched_path(step[4])).ok());
      naive[key] = {kind, watched_path(step[4])};
    } else if (step[5] % 32 == 0) {
      table.remove(ConnectionId(key.first), key.second);
      naive.erase(key);
    } else if (step[5] % 32 == 4) {
      table.drop_connection(ConnectionId(key.first));
      naive.erase(naive.lower_bound({key.first, 0}), naive.lower_bound({key.first + 1, 0}));
    }
    Applied applied =
        state.apply(state.applied().next(), payload_of(history.command(step), history.stamp(step)));
    together.zxid = applied.zxid;
    for (Change& change : applied.changes) together.changes.push_back(std::move(change));
    if (step[0] % 3 == 1) continue;
    const Naive before = naive;
    const std::map<Id, Seen> expected = fire(naive, together);
    // Who may be told is another test's.
    const Fired fired = table.fire(together, [](ConnectionId, const auto&) { return true; });
    RC_ASSERT(by_watch(fired, before, together.zxid) == expected);
    RC_ASSERT(table.size() == naive.size());
    together = {};
  }
  for (uint64_t connection = 1; connection <= 5; ++connection)
    table.drop_connection(ConnectionId(connection));
  RC_ASSERT(table.size() == 0U);
}

// Many paths of all lengths come and go: whatever is left is found, and nothing else.
RC_GTEST_PROP(KvWatches, PathsOfAllLengthsComeAndGo, ()) {
  WatchTable table;
  std::map<Id, std::string> naive;
  const auto steps = *rc::gen::scale(8.0, rc::gen::arbitrary<std::vector<std::array<uint8_t, 4>>>());
  for (const auto& step : steps) {
    const Id key{step[0] % 3 + 1, step[1]};
    const std::string path =
        "/" + std::string(1 + step[2] % 50 + (step[2] == 7 ? 4000 : 0), static_cast<char>('a' + step[3] % 3));
    if (step[3] % 8 < 5) {
      RC_ASSERT(table.add(ConnectionId(key.first), key.second, WatchKind::kPersistent, path).ok());
      naive[key] = path;
    } else {
      table.remove(ConnectionId(key.first), key.second);
      naive.erase(key);
    }
    Applied applied;
    applied.zxid = Zxid(1);
    applied.changes.push_back({});
    applied.changes[0].kind = Change::Kind::kDataSet;
    applied.changes[0].path = path;
    std::set<Id> told, expected;
    for (const WatchEvent& event : table.fire(applied).events)
      told.insert({event.connection.value(), event.watch});
    for (const auto& [id, watched] : naive) {
      if (watched == path) expected.insert(id);
    }
    RC_ASSERT(told == expected);
    RC_ASSERT(table.size() == naive.size());
  }
}

// A client looks, goes, comes back and asks what it missed, beside one whose watch stood all the time.
RC_GTEST_PROP(KvWatches, WhatWasMissedIsWhatAWatchWouldHaveSeen, ()) {
  StateMachine state;
  History history(state);
  const std::vector<Step> steps = *histories();
  const size_t looked = steps.empty() ? 0 : *rc::gen::inRange<size_t>(0, steps.size());
  const std::string path = watched_path(*rc::gen::inRange<uint8_t>(0, 7));
  const WatchKind kind = *rc::gen::element(WatchKind::kData, WatchKind::kChildren);
  Registered watch{kind, path};
  std::vector<EventKind> seen;  // what a watch that is set again and again would see
  Zxid since;
  bool existed = path == "/";
  for (size_t i = 0; i < steps.size(); ++i) {
    const Applied applied =
        state.apply(state.applied().next(), payload_of(history.command(steps[i]), history.stamp(steps[i])));
    for (const Change& change : applied.changes) {
      if (const auto event = event_for(watch, change)) seen.push_back(*event);
    }
    if (i == looked) {
      since = state.zxid();
      existed = state.get(path).ok();
      seen.clear();
    }
  }
  const std::optional<EventKind> missed = missed_since(state, path, kind, since, existed);
  // What it is told did happen.
  if (missed) RC_ASSERT(std::find(seen.begin(), seen.end(), *missed) != seen.end());
  // All that happened to a node that was there leaves a trace; one that was not may have come and gone.
  const bool exists = state.get(path).ok();
  if (!seen.empty() && (existed || exists)) {
    const bool only_its_own_creation =
        kind == WatchKind::kChildren && !existed && state.get(path)->stat.cversion == 0;
    RC_ASSERT(missed.has_value() || only_its_own_creation);
  }
  if (seen.empty()) RC_ASSERT(!missed.has_value());
}

}  // namespace
}  // namespace quorate::kv
