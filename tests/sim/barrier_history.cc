#include "tests/sim/barrier_history.h"

namespace quorate::sim {

// ---- one node

Verdict BarrierHistory::told(Zxid from, bool open, bool changed) {
  const std::string what = open ? "opened" : "closed";
  if (!changed) {
    if (past_.ever(path_, from, past_.now(), [&](Zxid at) { return is_open(at) == open; }))
      return std::nullopt;
    return "was told that the barrier had been " + what + ", and it was not meanwhile";
  }
  for (const TreePast::Node& state : past_.states(path_)) {
    if (state.from > from && state.exists != open && told_.insert(state.from).second) return std::nullopt;
  }
  return "was told that it has " + what + " the barrier, and nobody has, or another was told so";
}

Verdict BarrierHistory::passes(Zxid from) const {
  if (past_.ever(path_, from, past_.now(), [&](Zxid at) { return is_open(at); })) return std::nullopt;
  return "passes the barrier, which was closed all the time";
}

Verdict BarrierHistory::gives_up(Zxid able) const {
  if (!past_.always(path_, able, past_.now(), [&](Zxid at) { return is_open(at); })) return std::nullopt;
  return "waits at a barrier that is open";
}

// ---- two steps

Verdict DoubleBarrierHistory::enters(SessionId session, Zxid from) {
  // Its node, and the mark that was made behind it.
  Zxid came, begun;
  for (const std::string& path : past_.ever_children(members())) {
    for (const TreePast::Node& state : past_.states(path)) {
      if (state.exists && state.owner == session && state.from > from) came = std::max(came, state.czxid);
    }
  }
  if (came.value() == 0) return "enters the double barrier, and never came";
  Zxid before;  // when the last round was over
  for (const TreePast::Node& mark : past_.states(path_ + "/ready")) {
    if (!mark.exists && mark.from < came) before = mark.from;
    if (mark.exists && mark.from > came && begun.value() == 0) begun = mark.from;
  }
  if (begun.value() == 0) return "enters the double barrier, and no round has begun";
  const auto enough = [&](Zxid at) { return past_.children(members(), at).size() >= count_; };
  if (!past_.ever(members(), before, begun, enough))
    return "enters the double barrier, to which never enough have come";
  auto& round = rounds_[session] = {};
  for (const std::string& path : past_.children(members(), begun))
    round.emplace(path, past_.at(path, begun).czxid);
  return std::nullopt;
}

Verdict DoubleBarrierHistory::goes_on(SessionId session) {
  const auto found = rounds_.find(session);
  if (found == rounds_.end()) return std::nullopt;
  const auto round = std::move(found->second);
  rounds_.erase(found);
  for (const auto& [path, czxid] : round) {
    const TreePast::Node& node = past_.at(path, past_.now());
    if (node.exists && node.czxid == czxid)
      return "leaves the double barrier, and " + path + " of its round is still there";
  }
  return std::nullopt;
}

Verdict DoubleBarrierHistory::too_late(SessionId session) {
  rounds_.erase(session);
  for (const std::string& path : past_.children(members(), past_.now())) {
    if (past_.at(path, past_.now()).owner == session)
      return "was told that it was too late, and its " + path + " is still there";
  }
  return std::nullopt;
}

}  // namespace quorate::sim
