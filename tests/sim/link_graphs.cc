#include "tests/sim/link_graphs.h"

#include <algorithm>
#include <string>
#include <vector>

namespace quorate::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// A leader that stays for so long is there for good: many election time-outs.
constexpr Duration kStable = seconds(2);
// What a leader may take to be found: elections that split their votes, one after the other.
constexpr Duration kFindMax = seconds(30);
constexpr Duration kLook = milliseconds(50);

Plan calm_plan(uint32_t servers) {
  Plan plan;
  plan.servers = servers;
  plan.key_clients = 1;
  plan.lock_clients = plan.sequence_clients = plan.watch_clients = plan.churn_clients = plan.tree_clients =
      plan.feed_clients = 0;
  plan.think_max = milliseconds(50);
  return plan;
}

class LinkGraph {
 public:
  LinkGraph(uint32_t servers, uint64_t number, Trace trace)
      : servers_(servers), random_(number), world_(number, trace, calm_plan(servers)) {
    for (Node from = 1; from <= servers; ++from) {
      for (Node to = 1; to <= servers; ++to) {
        if (from != to) links_.push_back({from, to});
      }
    }
    // Dense graphs and sparse ones alike.
    const double density = 0.2 + 0.7 * static_cast<double>(random_.below(101)) / 100;
    for (size_t i = 0; i < links_.size(); ++i) {
      const bool there = servers == 3 ? (number >> i & 1) != 0 : random_.chance(density);
      if (!there) missing_.push_back(links_[i]);
    }
  }

  RunResult run() {
    RunResult result;
    Statistics& counts = world_.context().statistics;
    try {
      form();
      diverge();
      cut(missing_);
      find_leader() ? ++counts.graphs_with_leader : ++counts.graphs_without_leader;
      world_.heal_and_check();
    } catch (const Violation& violation) {
      result.failure = std::string(violation.what()) + "; missing links:" + missing();
      world_.context().say("verdict", [&] { return *result.failure; });
    }
    counts.seeds = 1;
    counts.simulated_ms = static_cast<uint64_t>(to_ms(world_.context().now()));
    counts.events = world_.context().scheduler.events();
    result.statistics = counts;
    result.trace_hash = world_.context().trace.hash();
    return result;
  }

 private:
  using Link = std::pair<Node, Node>;

  void form() {
    world_.start_servers();
    world_.start_clients();
    if (!world_.run_until([this] { return world_.agreed_leader() != nullptr; }, kFindMax))
      throw Violation("the cluster is not formed");
  }

  // Random cuts, one after the other, so that the logs end differently.
  void diverge() {
    for (uint64_t rounds = random_.below(4); rounds > 0; --rounds) {
      std::vector<Link> some;
      for (const Link& link : links_) {
        if (random_.chance(0.4)) some.push_back(link);
      }
      cut(some);
      world_.run_for(random_.between(milliseconds(50), milliseconds(1500)));
      world_.network().mend_all();
    }
  }

  void cut(const std::vector<Link>& links) {
    for (const auto& [from, to] : links) world_.network().cut(from, to);
  }

  const raft::Raft& raft(Node node) { return *world_.server(node - 1).replica()->raft(); }
  bool two_way(Node a, Node b) { return world_.network().passes(a, b) && world_.network().passes(b, a); }

  // Could this server be elected and lead, as things stand?
  bool can_lead(Node candidate) {
    const auto last = [this](Node node) {
      return std::pair(raft(node).log().last_term(), raft(node).log().last_index());
    };
    size_t followers = 0;
    for (Node other = 1; other <= servers_; ++other) {
      if (other != candidate && two_way(candidate, other) && last(other) <= last(candidate)) ++followers;
    }
    return (followers + 1) * 2 > servers_;
  }

  // True when one leads and goes on leading.
  bool find_leader() {
    const SimTime end = world_.context().now() + kFindMax;
    SimTime since = world_.context().now();
    std::pair<Node, Term> leader{0, Term()};
    while (world_.context().now() < end) {
      world_.run_for(kLook);
      const auto found = newest_leader();
      if (found != leader || found.first == 0) since = world_.context().now();
      leader = found;
      if (world_.context().now() - since >= kStable) return true;
    }
    for (Node node = 1; node <= servers_; ++node) {
      if (can_lead(node))
        throw Violation("server " + std::to_string(node) + " could lead, and there is no leader that stays");
    }
    return false;
  }

  std::pair<Node, Term> newest_leader() {
    std::pair<Node, Term> newest{0, Term()};
    for (Node node = 1; node <= servers_; ++node) {
      if (raft(node).is_leader() && raft(node).has_committed_own_term() && raft(node).term() > newest.second)
        newest = {node, raft(node).term()};
    }
    return newest;
  }

  std::string missing() const {
    std::string text;
    for (const auto& [from, to] : missing_) text += " " + std::to_string(from) + "->" + std::to_string(to);
    return text;
  }

  const uint32_t servers_;
  Random random_;
  World world_;
  std::vector<Link> links_, missing_;
};

}  // namespace

RunResult run_link_graph(uint32_t servers, uint64_t number, Trace trace) {
  return LinkGraph(servers, number, trace).run();
}

}  // namespace quorate::sim
