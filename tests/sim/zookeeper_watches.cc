#include "tests/sim/zookeeper_watches.h"

#include <algorithm>
#include <set>

namespace quorate::sim {
namespace {

std::string z(Zxid zxid) { return std::to_string(zxid.value()); }

bool same(const ZookeeperWatches::Seen& a, const ZookeeperWatches::Seen& b) {
  return a.exists == b.exists && a.czxid == b.czxid && a.mzxid == b.mzxid;
}

}  // namespace

bool ZookeeperWatches::is_below_root(std::string_view path) const {
  return path.starts_with(root_) && (path.size() == root_.size() || path[root_.size()] == '/');
}

// ---- one-shot watches

Verdict ZookeeperWatches::read(const std::string& path, const Seen& seen, bool watched) {
  const auto armed = armed_.find(path);
  if (armed != armed_.end() && !same(armed->second, seen)) {
    return "a read at zxid " + z(seen.state) + " shows a change of " + path + " since " +
           z(armed->second.state) + " that the watch was not told of";
  }
  if (armed == armed_.end() && watched) armed_.emplace(path, seen);
  return std::nullopt;
}

Verdict ZookeeperWatches::event(const kv::WatchEvent& event) {
  ++context_.statistics.watch_events;
  ++context_.statistics.zookeeper_watch_events;
  if (is_below_root(event.path)) {
    if (!persistent_) return "an event for " + event.path + ", which is not watched";
    told_.emplace_back(event.zxid, event.path);
    return std::nullopt;
  }
  const auto armed = armed_.find(event.path);
  if (armed == armed_.end()) return "an event for " + event.path + ", which is not watched";
  const Zxid since = armed->second.state;
  armed_.erase(armed);
  if (event.zxid != Zxid() && event.zxid <= since)
    return "an event of zxid " + z(event.zxid) + " for " + event.path + ", watched since " + z(since);
  if (!context_.model.changed_since(event.path, since))
    return "an event for " + event.path + ", which has not changed since " + z(since);
  return std::nullopt;
}

// ---- the persistent watch

void ZookeeperWatches::watched(Zxid zxid) {
  persistent_ = true;
  complete_ = zxid;
  told_.clear();
}

Verdict ZookeeperWatches::shown(Zxid zxid) {
  if (!persistent_ || zxid <= complete_) return std::nullopt;
  if (Verdict wrong = live(zxid)) return wrong;
  std::erase_if(told_, [zxid](const Change& change) { return change.first <= zxid; });
  complete_ = zxid;
  return std::nullopt;
}

// Each change has its event with its zxid, but where an entry made a node and took it away again.
Verdict ZookeeperWatches::live(Zxid zxid) const {
  std::set<Change> due, possible;
  for (const Model::PastChange& change : context_.model.changes(root_, complete_, zxid)) {
    possible.emplace(change.zxid, change.path);
    const Zxid before(change.zxid.value() - 1);
    if (context_.model.existed(change.path, before) || context_.model.existed(change.path, change.zxid))
      due.emplace(change.zxid, change.path);
  }
  for (const Change& told : told_) {
    if (told.first > zxid) continue;
    if (!possible.erase(told))
      return "an event of zxid " + z(told.first) + " for " + told.second + " too many";
    due.erase(told);
  }
  if (due.empty()) return std::nullopt;
  return "an answer shows zxid " + z(zxid) + ", and no event told of " + due.begin()->second + " at zxid " +
         z(due.begin()->first);
}

// ---- reconnects

void ZookeeperWatches::disconnected() { told_.clear(); }

zookeeper::SetWatches ZookeeperWatches::again() const {
  zookeeper::SetWatches again;
  again.second = true;
  for (const auto& [path, seen] : armed_) (seen.exists ? again.data : again.exists).push_back(path);
  if (persistent_) again.recursive.push_back(root_);
  return again;
}

Verdict ZookeeperWatches::resumed(Zxid zxid) {
  if (!persistent_) return std::nullopt;
  Verdict wrong = replayed(zxid);
  complete_ = std::max(complete_, zxid);
  told_.clear();
  return wrong;
}

// One event for each path that changed, in the order of the last changes; not for what came and went. Where
// the history is gone, one for the root is enough.
Verdict ZookeeperWatches::replayed(Zxid zxid) const {
  struct Came {
    bool made_first = false;
    Zxid last;
  };
  std::map<std::string, Came> changes;
  for (const Model::PastChange& change : context_.model.changes(root_, complete_, zxid)) {
    const auto [at, first] = changes.try_emplace(change.path);
    if (first) at->second.made_first = change.kind == kv::Change::Kind::kCreated;
    at->second.last = change.zxid;
  }
  const bool forgotten = context_.model.forgotten(complete_);
  std::set<std::string> told;
  Zxid last;
  for (const auto& [at, path] : told_) {
    if (!told.insert(path).second) return "told twice of " + path + ", which it missed";
    if (at != Zxid()) return "an event of zxid " + z(at) + " before its watches were set again";
    const auto change = changes.find(path);
    if (change == changes.end() && !(forgotten && path == root_))
      return "told of " + path + ", which has not changed since zxid " + z(complete_);
    if (change == changes.end()) continue;
    if (change->second.last < last && !forgotten) return "told of " + path + " out of the order of changes";
    last = change->second.last;
  }
  if (forgotten && told.contains(root_)) return std::nullopt;
  for (const auto& [path, came] : changes) {
    if (told.contains(path) || (came.made_first && !context_.model.existed(path, zxid))) continue;
    return "not told of " + path + ", which it missed between zxid " + z(complete_) + " and " + z(zxid);
  }
  return std::nullopt;
}

void ZookeeperWatches::clear() {
  armed_.clear();
  told_.clear();
  persistent_ = false;
}

Verdict ZookeeperWatches::at_end(const std::string& who) const {
  for (const auto& [path, seen] : armed_) {
    if (context_.model.is_as(path, seen.exists, seen.czxid, seen.mzxid)) continue;
    return who + ": never told that " + path + " changed since zxid " + z(seen.state);
  }
  if (!persistent_) return std::nullopt;
  if (Verdict wrong = live(context_.model.state().zxid())) return who + ": at the end " + *wrong;
  return std::nullopt;
}

}  // namespace quorate::sim
