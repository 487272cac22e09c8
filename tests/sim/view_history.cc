#include "tests/sim/view_history.h"

namespace quorate::sim {

// ---- who is there

bool ViewHistory::is_so(const std::string& path, const Shown& shown, Zxid at) const {
  const TreePast::Node& node = past_.at(path, at);
  return node.exists && node.data.find(shown.text) != std::string::npos &&
         (shown.session.value() == 0 || shown.session == node.owner);
}

Verdict ViewHistory::shows(Zxid from, const View& view) const {
  for (const View::value_type& each : view) {
    const std::string path = parent_ + "/" + each.first;
    if (!past_.ever(path, from, past_.now(), [&](Zxid at) { return is_so(path, each.second, at); }))
      return "is shown " + path + " with " + each.second.text + ", which was not there so";
  }
  for (const std::string& path : past_.children(parent_, from)) {
    if (view.contains(path.substr(parent_.size() + 1))) continue;
    if (past_.always(path, from, past_.now(), [&](Zxid at) { return past_.at(path, at).exists; }))
      return "is not shown " + path + ", which was there all the time";
  }
  return std::nullopt;
}

Verdict ViewHistory::gives_up(Zxid able, const View& known) const {
  const auto differs = [&](Zxid at) {
    const auto there = past_.children(parent_, at);
    if (there.size() != known.size()) return true;
    for (const auto& [name, shown] : known) {
      if (!is_so(parent_ + "/" + name, shown, at)) return true;
    }
    return false;
  };
  if (!past_.always(parent_, able, past_.now(), differs)) return std::nullopt;
  return "waits for others than it knows of, and there are others";
}

// ---- a copy

Verdict CopyHistory::shows(Zxid complete, const std::map<std::string, Shown>& nodes, Seen& seen) const {
  for (const auto& [path, shown] : nodes) {
    const TreePast::Node *state = nullptr, *next = nullptr;
    for (const TreePast::Node& each : past_.states(path)) {
      if (state != nullptr && next == nullptr) next = &each;
      if (!each.exists || each.czxid != shown.czxid || each.version != shown.version) continue;
      if (each.data != shown.data) continue;
      state = &each;
      next = nullptr;
    }
    if (state == nullptr) return "is shown " + path + " as it never was";
    if (next != nullptr && next->from <= complete)
      return "is shown " + path + " as it was before what it has all of";
    if (state->from < seen[path]) return "is shown " + path + " as it was before it was shown another way";
    seen[path] = state->from;
  }
  for (const std::string& path : past_.children(root_, complete)) {
    if (nodes.contains(path)) continue;
    if (past_.always(path, complete, past_.now(), [&](Zxid at) { return past_.at(path, at).exists; }))
      return "is not shown " + path + ", which was there all the time";
  }
  return std::nullopt;
}

}  // namespace quorate::sim
