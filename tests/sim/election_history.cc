#include "tests/sim/election_history.h"

#include <algorithm>

namespace quorate::sim {

std::vector<ElectionHistory::Candidate> ElectionHistory::candidates(Zxid at) const {
  std::vector<Candidate> all;
  for (const std::string& path : past_.children(path_, at)) {
    const TreePast::Node& node = past_.at(path, at);
    all.push_back({node.data, Token(node.czxid.value()), node.owner, path});
  }
  std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.token < b.token; });
  return all;
}

std::optional<ElectionHistory::Candidate> ElectionHistory::leader(Zxid at) const {
  const std::vector<Candidate> all = candidates(at);
  return all.empty() ? std::nullopt : std::optional(all.front());
}

Verdict ElectionHistory::leads(Zxid from, SessionId session, const std::string& node, Token token) const {
  const auto is = [&](Zxid at) {
    const std::optional<Candidate> now = leader(at);
    return now && now->node == node && now->session == session && now->token == token;
  };
  if (past_.ever(path_, from, past_.now(), is)) return std::nullopt;
  return "is told that it leads with " + node + ", which did not lead meanwhile";
}

Verdict ElectionHistory::leader_is(Zxid from, const std::optional<Candidate>& told) const {
  if (past_.ever(path_, from, past_.now(), [&](Zxid at) { return leader(at) == told; })) return std::nullopt;
  return "is told that " + (told ? told->node : std::string("nobody")) + " leads, which was not so meanwhile";
}

Verdict ElectionHistory::candidates_are(Zxid from, const std::vector<Candidate>& told) const {
  if (past_.ever(path_, from, past_.now(), [&](Zxid at) { return candidates(at) == told; }))
    return std::nullopt;
  return "is told of " + std::to_string(told.size()) + " candidates that were not so meanwhile";
}

Verdict ElectionHistory::proclaimed(Zxid from, const std::string& node, const std::string& value) const {
  const auto is = [&](Zxid at) {
    const std::optional<Candidate> now = leader(at);
    return now && now->node == node && now->value == value;
  };
  if (past_.ever(path_, from, past_.now(), is)) return std::nullopt;
  return "is told that its value is " + value + ", which no leader had meanwhile";
}

Verdict ElectionHistory::not_leading(Zxid from, const std::string& node) const {
  const auto is = [&](Zxid at) {
    const std::optional<Candidate> now = leader(at);
    return now && now->node == node;
  };
  if (!past_.always(path_, from, past_.now(), is)) return std::nullopt;
  return "is told that it does not lead, and it did all the time: " + node;
}

Verdict ElectionHistory::gives_up(Zxid able, const std::optional<Candidate>& known) const {
  if (!past_.always(path_, able, past_.now(), [&](Zxid at) { return leader(at) != known; }))
    return std::nullopt;
  return "waits for another leader, and there is one";
}

}  // namespace quorate::sim
