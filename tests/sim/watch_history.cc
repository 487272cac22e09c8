#include "tests/sim/watch_history.h"

namespace quorate::sim {
namespace {

std::string name(uint32_t client, uint64_t watch) {
  return "watch " + std::to_string(watch) + " of client " + std::to_string(client);
}
std::string z(Zxid zxid) { return std::to_string(zxid.value()); }

}  // namespace

// A node that was made and deleted in between cannot be told from one that never was: after a reconnect
// nobody owes that event.
bool WatchHistory::changed(const Seen& before, const Seen& after) {
  if (before.exists != after.exists) return true;
  return after.exists && after.mzxid > before.state;
}

void WatchHistory::registered(uint32_t client, uint64_t watch, const std::string& key,
                              ConnectionId connection, const Seen& seen) {
  watches_[{client, watch}] = Watch{key, connection, seen, false, false};
}

void WatchHistory::resumed(uint32_t client, uint64_t watch, ConnectionId connection) {
  const auto found = watches_.find({client, watch});
  if (found == watches_.end()) return;
  found->second.connection = connection;
  found->second.resumed = true;
}

void WatchHistory::dropped(uint32_t client, uint64_t watch) { watches_.erase({client, watch}); }

Verdict WatchHistory::fired(uint32_t client, uint64_t id, ConnectionId connection, const std::string& key,
                            Zxid zxid) {
  const auto found = watches_.find({client, id});
  if (found == watches_.end()) return name(client, id) + " fired, but nobody set it";
  Watch& watch = found->second;
  if (watch.done) return name(client, id) + " fired twice";
  watch.done = true;
  if (watch.key != key) return name(client, id) + " on " + watch.key + " fired for " + key;
  if (zxid <= watch.seen.state)
    return name(client, id) + " fired for zxid " + z(zxid) + ", which it had seen: " + z(watch.seen.state);
  Zxid& newest = newest_event_[{client, connection}];
  // What a reconnect finds missed is told at once, and is older than it.
  if (!watch.resumed) {
    if (zxid < newest)
      return name(client, id) + " fired for zxid " + z(zxid) + " after an event of " + z(newest);
    newest = zxid;
  }
  return std::nullopt;
}

Verdict WatchHistory::read_shows(uint32_t client, ConnectionId connection, const std::string& key,
                                 const Seen& seen) const {
  for (auto found = watches_.lower_bound({client, 0});
       found != watches_.end() && found->first.first == client; ++found) {
    const Watch& watch = found->second;
    if (watch.done || watch.key != key || watch.connection != connection || seen.state < watch.seen.state)
      continue;
    if (changed(watch.seen, seen))
      return name(client, found->first.second) + ": an answer shows a change of " + key + " before its event";
  }
  return std::nullopt;
}

Verdict WatchHistory::finish(const std::map<std::string, Seen>& in_the_end) const {
  for (const auto& [id, watch] : watches_) {
    if (watch.done) continue;
    const auto last = in_the_end.find(watch.key);
    if (last == in_the_end.end()) continue;
    if (changed(watch.seen, last->second)) {
      return name(id.first, id.second) + " lost its event: it saw " + watch.key + " at " +
             z(watch.seen.state) + ", which changed later";
    }
  }
  return std::nullopt;
}

}  // namespace quorate::sim
