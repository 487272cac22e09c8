#include "client/lock_graph.h"

#include <algorithm>
#include <deque>
#include <map>
#include <set>

namespace quorate::client {

namespace {

using Edges = std::map<SessionId, std::set<SessionId>>;

// Those right before `at` that must leave first: further back all wait for these, or are waited for by these.
std::vector<SessionId> in_the_way(const std::vector<Contender>& queue, size_t at) {
  const bool shared = queue[at].mode == LockMode::kShared;
  const bool permit = queue[at].mode == LockMode::kPermit;
  std::set<SessionId> found;
  for (size_t i = at; i-- > 0;) {
    const bool alike = queue[i].mode == queue[at].mode && (shared || permit);
    if (!(shared && alike)) found.insert(queue[i].session);
    // An exclusive one has waited for all before it.
    if (queue[i].mode == LockMode::kExclusive) break;
  }
  found.erase(queue[at].session);
  return {found.begin(), found.end()};
}

// The shortest way along the edges from `from` back to it; empty if there is none.
std::vector<SessionId> circle_through(const Edges& edges, SessionId from) {
  std::map<SessionId, SessionId> came_from;
  std::deque<SessionId> next{from};
  for (; !next.empty(); next.pop_front()) {
    const auto at = edges.find(next.front());
    if (at == edges.end()) continue;
    for (const SessionId to : at->second) {
      if (to == from) {
        std::vector<SessionId> circle;
        for (SessionId back = next.front(); back != from; back = came_from[back]) circle.push_back(back);
        circle.push_back(from);
        std::reverse(circle.begin(), circle.end());
        return circle;
      }
      if (came_from.try_emplace(to, next.front()).second) next.push_back(to);
    }
  }
  return {};
}

// Each session is in one at most: who is told of one circle can end it.
std::vector<std::vector<SessionId>> circles(const Edges& edges) {
  std::vector<std::vector<SessionId>> found;
  std::set<SessionId> told;
  for (const auto& [session, to] : edges) {
    if (told.contains(session)) continue;
    std::vector<SessionId> circle = circle_through(edges, session);
    if (circle.empty()) continue;
    if (std::any_of(circle.begin(), circle.end(), [&](SessionId each) { return told.contains(each); }))
      continue;
    told.insert(circle.begin(), circle.end());
    found.push_back(std::move(circle));
  }
  return found;
}

}  // namespace

LockGraph graph_of(const std::vector<LockInfo>& locks) {
  LockGraph graph;
  Edges edges;
  for (const LockInfo& lock : locks) {
    // Members of a group do not wait for each other.
    if (lock.unknown) continue;
    std::vector<Contender> queue;
    if (lock.holder) queue.push_back(*lock.holder);
    queue.insert(queue.end(), lock.sharing.begin(), lock.sharing.end());
    const size_t holders = queue.size();
    queue.insert(queue.end(), lock.waiters.begin(), lock.waiters.end());
    graph.more += lock.more;
    for (size_t i = holders; i < queue.size(); ++i) {
      LockWait wait{queue[i].session, lock.path, queue[i].node, in_the_way(queue, i), queue[i].permits > 1};
      if (!wait.any) edges[wait.session].insert(wait.for_sessions.begin(), wait.for_sessions.end());
      graph.waits.push_back(std::move(wait));
    }
  }
  graph.deadlocks = circles(edges);
  return graph;
}

}  // namespace quorate::client
