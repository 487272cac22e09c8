#include "tests/zookeeper/differential/missed.h"

#include "tests/zookeeper/differential/compare.h"

namespace quorate::differential {

using namespace zookeeper;

namespace {

std::string parent_of(const std::string& path) {
  const size_t slash = path.rfind('/');
  return slash == 0 ? "/" : path.substr(0, slash);
}

bool is_below(const std::string& path, const std::string& root) {
  return root == "/" || (path.size() > root.size() && path.starts_with(root) && path[root.size()] == '/');
}

// Whether the event says something that has happened since, by what is there now.
bool is_true(const Event& event, int64_t seen, const std::optional<Stat>& stat) {
  switch (event.type) {
    case EventType::kCreated:
      return stat && stat->czxid > seen;
    case EventType::kDeleted:
      return !stat;
    case EventType::kDataChanged:
      return stat && stat->mzxid > seen;
    case EventType::kChildrenChanged:
      return stat && stat->pzxid > seen;
    case EventType::kNone:
      break;
  }
  return false;
}

}  // namespace

bool Missed::hidden(const std::string& path) const {
  for (const std::string& root : hidden_)
    if (path == root || (root != "/" && is_below(path, root))) return true;
  return false;
}

std::string Missed::wrong(const Watches& watches, int64_t seen, const std::vector<Event>& told,
                          const StatOf& stat_of, const Denied& denied) const {
  std::map<std::string, Change> changes;
  std::map<std::string, int64_t> children;  // the last change of a path's children
  for (const Event& event : events_) {
    if (event.zxid <= seen) continue;
    const auto [at, first] = changes.try_emplace(event.path);
    if (first) at->second.created_first = event.type == EventType::kCreated;
    at->second.there = event.type != EventType::kDeleted;
    at->second.last = event.zxid;
    if (event.type != EventType::kDataChanged) children[parent_of(event.path)] = event.zxid;
  }
  std::set<std::pair<std::string, bool>> heard;  // with whether it is about the children
  int64_t last = 0;
  for (const Event& event : told) {
    const bool of_children = event.type == EventType::kChildrenChanged;
    if (!heard.emplace(event.path, of_children).second) return "told twice: " + describe(event);
    if (!is_true(event, seen, stat_of(event.path))) return "told what did not happen: " + describe(event);
    if (denied(event.path)) return "told of what may not be read: " + describe(event);
    const auto change = changes.find(event.path);
    const auto child = children.find(event.path);
    const int64_t zxid = of_children ? (child == children.end() ? last : child->second)
                                     : (change == changes.end() ? last : change->second.last);
    if (zxid < last) return "told too late: " + describe(event);
    last = zxid;
  }
  for (const auto& [root, recursive] : watches) {
    for (const auto& [path, change] : changes) {
      if (path != root && !(recursive && is_below(path, root))) continue;
      if ((change.created_first && !change.there) || hidden(path)) continue;
      if (!heard.contains({path, false})) return "not told of a change of " + path;
    }
    if (recursive || !children.contains(root) || heard.contains({root, true})) continue;
    if (!hidden(root) && stat_of(root)) return "not told of a change of the children of " + root;
  }
  return "";
}

}  // namespace quorate::differential
