#include "tests/sim/watched_history.h"

namespace quorate::sim {

using client::EventKind;

bool WatchedHistory::is_so(const std::string& path, const Seen& seen, Zxid at) const {
  const TreePast::Node& node = past_.at(path, at);
  return node.exists == seen.exists &&
         (!seen.exists || (node.czxid == seen.czxid && node.version == seen.version));
}

bool WatchedHistory::has(const std::string& path, const Names& names, Zxid at) const {
  if (!past_.at(path, at).exists) return false;
  Names there = past_.children(path, at);
  for (std::string& child : there) child.erase(0, path.size() + 1);
  return there == names;
}

Verdict WatchedHistory::shows(const std::string& path, Zxid from, const Seen& seen) const {
  if (past_.ever(path, from, past_.now(), [&](Zxid at) { return is_so(path, seen, at); }))
    return std::nullopt;
  return "was shown " + path + " as it never was since zxid " + std::to_string(from.value());
}

Verdict WatchedHistory::fires(const std::string& path, Zxid from, const Seen& seen, EventKind kind) const {
  const auto told = [&](Zxid at) {
    if (is_so(path, seen, at)) return false;
    const bool exists = past_.at(path, at).exists;
    switch (kind) {
      case EventKind::kCreated:
        return !seen.exists && exists;
      case EventKind::kDeleted:
        return seen.exists && !exists;
      case EventKind::kDataChanged:
        return seen.exists && exists;
      case EventKind::kChildrenChanged:
        break;
    }
    return false;
  };
  if (past_.ever(path, from, past_.now(), told)) return std::nullopt;
  return "was told of a change of " + path + " that was none of those since zxid " +
         std::to_string(from.value());
}

Verdict WatchedHistory::is_silent(const std::string& path, Zxid able, const Seen& seen) const {
  if (is_so(path, seen, able)) return std::nullopt;
  // It may have come and gone behind `able`, before the watch was set again.
  const auto gone = [&](Zxid at) { return !past_.at(path, at).exists; };
  if (!seen.exists && past_.ever(path, able, past_.now(), gone)) return std::nullopt;
  return "waits for a change of " + path + ", which has been so since before zxid " +
         std::to_string(able.value());
}

Verdict WatchedHistory::lists(const std::string& path, Zxid from, const Names& names) const {
  if (past_.ever(path, from, past_.now(), [&](Zxid at) { return has(path, names, at); })) return std::nullopt;
  return "was shown children of " + path + " that it never had since zxid " + std::to_string(from.value());
}

Verdict WatchedHistory::list_fires(const std::string& path, Zxid from, const Names& names,
                                   EventKind kind) const {
  // Of a subtree that is deleted by one entry the children go first.
  const auto told = [&](Zxid at) {
    return (kind == EventKind::kDeleted && !past_.at(path, at).exists) ||
           (kind == EventKind::kChildrenChanged && !has(path, names, at));
  };
  if (past_.ever(path, from, past_.now(), told)) return std::nullopt;
  return "was told of a change of the children of " + path + " that was none of those since zxid " +
         std::to_string(from.value());
}

Verdict WatchedHistory::list_is_silent(const std::string& path, Zxid able, const Names& names) const {
  if (has(path, names, able)) return std::nullopt;
  return "waits for a change of the children of " + path + ", which has been so since before zxid " +
         std::to_string(able.value());
}

}  // namespace quorate::sim
