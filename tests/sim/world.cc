#include "tests/sim/world.h"

#include <algorithm>
#include <sstream>

#include "tests/sim/lock_kinds_client.h"
#include "tests/sim/operator_client.h"
#include "tests/sim/recipe_clients.h"
#include "tests/sim/tree_clients.h"
#include "tests/sim/zookeeper_client.h"
#include "tests/sim/zookeeper_lock_client.h"

namespace quorate::sim {

using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {
// Recomputing every tree is slow: at the end and this often.
constexpr Duration kConsistencyEvery = seconds(10);
// The trouble goes on until so many operations were answered; in some seeds nobody is served for most of the
// time.
constexpr uint64_t kOperationsMin = 200;
constexpr Duration kTroubleMax = std::chrono::minutes(10);
// What every client must finish once all is healed.
constexpr uint64_t kOperationsAfterHeal = 3;
}  // namespace

World::World(uint64_t seed, Trace trace, std::optional<Plan> plan)
    : context_(seed, plan ? *plan : draw_plan(seed), trace),
      network_(context_,
               [this](const server::PeerMessage& message) {
                 servers_.at(message.to.value() - 1)->receive(server::PeerReceived{message});
               }),
      connections_(context_, network_, ends()),
      oracle_(context_, hooks()),
      histories_([this](uint32_t number) { return may_rely(*clients_.at(number)); },
                 !context_.plan.wild_clocks),
      nemesis_(context_, network_, connections_, servers_, clients_) {
  context_.say("plan", [&] { return describe(context_.plan); });
  std::vector<server::PlannedMember> members;
  for (uint32_t i = 1; i <= context_.plan.servers; ++i) {
    members.push_back({ServerId(i), "server-" + std::to_string(i) + ":7001"});
  }
  for (const server::PlannedMember& member : members) {
    servers_.push_back(
        std::make_unique<SimServer>(context_, network_, connections_, oracle_, member.id, members));
  }
  add_clients();
}

World::~World() = default;

void World::add_clients() {
  const Plan& plan = context_.plan;
  const auto add = [&]<class Kind>(Kind*, uint32_t count) {
    for (uint32_t i = 0; i < count; ++i) {
      const uint32_t number = static_cast<uint32_t>(clients_.size());
      clients_.push_back(std::make_unique<Kind>(context_, connections_, number, plan.servers, histories_));
    }
  };
  add(static_cast<KeyClient*>(nullptr), plan.key_clients);
  add(static_cast<LockClient*>(nullptr), plan.lock_clients);
  add(static_cast<SequenceClient*>(nullptr), plan.sequence_clients);
  add(static_cast<WatchClient*>(nullptr), plan.watch_clients);
  add(static_cast<ChurnClient*>(nullptr), plan.churn_clients);
  add(static_cast<TreeClient*>(nullptr), plan.tree_clients);
  add(static_cast<FeedClient*>(nullptr), plan.feed_clients);
  add(static_cast<ZookeeperClient*>(nullptr), plan.zookeeper_clients);
  add(static_cast<LockKindsClient*>(nullptr), plan.lock_kind_clients);
  add(static_cast<OperatorClient*>(nullptr), plan.operators);
  add(static_cast<ZookeeperLockClient*>(nullptr), plan.zookeeper_lock_clients);
  for (size_t recipe = 0; recipe < kRecipeCount; ++recipe) {
    for (uint32_t i = 0; i < plan.recipe_clients[recipe]; ++i) {
      const auto number = static_cast<uint32_t>(clients_.size());
      clients_.push_back(make_recipe_client(static_cast<Recipe>(recipe), context_, connections_, number,
                                            plan.servers, histories_));
    }
  }
}

ClientMachine* World::client(Node node) {
  const size_t number = node - kFirstClientNode;
  return number < clients_.size() ? clients_[number].get() : nullptr;
}

Connections::Ends World::ends() {
  Connections::Ends ends;
  ends.listens = [this](ServerId id) -> std::optional<bool> {
    const SimServer::State state = servers_.at(id.value() - 1)->state();
    if (state == SimServer::State::kOff) return std::nullopt;
    return state == SimServer::State::kUp;
  };
  ends.server_received = [this](ServerId id, server::Input input) {
    servers_.at(id.value() - 1)->receive(std::move(input));
  };
  ends.server_lost = [this](ServerId id, ConnectionId connection) {
    servers_.at(id.value() - 1)->receive(server::ClientLost{connection});
  };
  ends.client_connected = [this](Node node, ConnectionId id) { client(node)->connected(id); };
  ends.client_received = [this](Node node, const server::ClientMessage& message) {
    client(node)->received(message);
  };
  ends.client_lost = [this](Node node, ConnectionId id) { client(node)->lost(id); };
  return ends;
}

Oracle::Hooks World::hooks() {
  Oracle::Hooks hooks;
  hooks.requests_in_flight = [this] {
    return std::any_of(clients_.begin(), clients_.end(),
                       [](const auto& c) { return c->has_requests_in_flight(); });
  };
  hooks.committed = [this](const kv::Applied& applied, int64_t cluster_ms) {
    require(histories_.places.committed(applied, cluster_ms));
    require(histories_.recipes.committed(applied, context_.model.state(), context_.now()));
  };
  hooks.expiry_committed = [this](SessionId session) { expiry_committed(session); };
  hooks.process_ended = [this](SimServer& server, bool machine_up) { process_ended(server, machine_up); };
  return hooks;
}

// Its peers' kernels hear resets, unless the way is cut; and somebody starts it again.
void World::process_ended(SimServer& server, bool machine_up) {
  for (const auto& other : servers_) {
    const Node from = server.id().value(), to = other->id().value();
    if (!machine_up || other.get() == &server || !network_.passes(from, to) || !context_.random.chance(0.7))
      continue;
    context_.scheduler.after(network_.delay(from, to),
                             [peer = other.get(), id = server.id()] { peer->receive(server::PeerLost{id}); });
  }
  nemesis_.restart_soon(server);
}

// A session that a super user closes is over whatever its client's clock says, as a lock that is taken away
// is: of it, from the asking on, leases say nothing.
bool World::may_rely(const ClientMachine& client) const {
  return client.lease_valid() && !context_.endings_asked.contains(client.session());
}

// While clocks are as right as clients assume, a client knows that its session is over before the cluster
// ends it.
void World::expiry_committed(SessionId session) {
  if (context_.plan.wild_clocks) return;
  for (const auto& client : clients_) {
    if (client->session() != session || !may_rely(*client)) continue;
    throw Violation("session " + std::to_string(session.value()) + " expires while " + client->name() +
                    " may rely on it");
  }
}

void World::start_servers() {
  for (const auto& server : servers_) {
    context_.scheduler.after(context_.random.between(milliseconds(0), milliseconds(400)), [s = server.get()] {
      if (!s->up()) s->start();
    });
  }
}

void World::start_clients() {
  for (const auto& client : clients_) client->start();
}

void World::run_for(Duration length) {
  const SimTime end = context_.now() + length;
  bool reached = false;
  context_.scheduler.at(end, [&reached] { reached = true; });
  while (!reached) context_.scheduler.run_one();
}

SimServer* World::agreed_leader() {
  SimServer* leader = nullptr;
  for (const auto& server : servers_) {
    if (server->is_leader() && server->replica()->raft()->has_committed_own_term()) leader = server.get();
  }
  if (leader == nullptr) return nullptr;
  for (const auto& server : servers_) {
    if (!server->up() || server->replica()->raft() == nullptr) return nullptr;
    if (server->replica()->raft()->leader() != leader->id()) return nullptr;
  }
  return leader;
}

std::string World::who_stands_where() const {
  std::ostringstream out;
  for (const auto& server : servers_) {
    out << "; " << server->name() << (server->wiped() ? " (wiped)" : "");
    if (!server->up()) {
      out << " is down";
    } else if (server->replica()->raft() == nullptr) {
      out << " is in no cluster";
    } else {
      const raft::Raft& raft = *server->replica()->raft();
      out << " is " << raft::role_name(raft.role_name()) << " of " << raft.leader() << " in term "
          << raft.term() << ", committed " << raft.committed() << " of " << raft.log().last_index()
          << ", applied " << server->replica()->state().applied();
    }
  }
  return out.str();
}

void World::trouble() {
  start_servers();
  start_clients();
  nemesis_.start();
  const Statistics& counts = context_.statistics;
  const auto enough = [&] {
    return context_.now() >= context_.plan.trouble &&
           counts.operations_ok + counts.operations_refused >= kOperationsMin;
  };
  while (!enough() && context_.now() < kTroubleMax) {
    run_for(kConsistencyEvery);
    for (const auto& server : servers_) oracle_.check_consistency(*server);
  }
}

void World::demand_progress() {
  nemesis_.heal();
  const Duration longest = context_.plan.heal_max;
  if (!run_until([this] { return agreed_leader() != nullptr; }, longest)) {
    throw Violation("healed, and " + std::to_string(longest / seconds(1)) +
                    " s later there is no leader that all follow" + who_stands_where());
  }
  std::vector<uint64_t> before;
  for (const auto& client : clients_) before.push_back(client->operations_done());
  const auto all_served = [&] {
    for (size_t i = 0; i < clients_.size(); ++i) {
      if (clients_[i]->operations_done() < before[i] + kOperationsAfterHeal) return false;
    }
    return true;
  };
  if (run_until(all_served, longest)) return;
  std::string text = "healed, and " + std::to_string(longest / seconds(1)) + " s later not served:";
  for (size_t i = 0; i < clients_.size(); ++i) {
    if (clients_[i]->operations_done() < before[i] + kOperationsAfterHeal) text += " " + clients_[i]->name();
  }
  throw Violation(text + who_stands_where());
}

void World::demand_agreement() {
  for (const auto& client : clients_) client->wind_down();
  const auto quiet = [this] {
    return std::all_of(clients_.begin(), clients_.end(), [](const auto& c) { return c->idle(); });
  };
  if (!run_until(quiet, context_.plan.heal_max)) {
    std::string text = "healed, and these clients' last requests are never answered:";
    for (const auto& client : clients_) {
      if (!client->idle()) text += " " + client->name();
    }
    throw Violation(text + who_stands_where());
  }
  const auto agree = [this] {
    for (const auto& server : servers_) {
      if (!server->up() || server->replica()->raft() == nullptr) return false;
      const kv::StateMachine& state = server->replica()->state();
      const kv::StateMachine& first = servers_.front()->replica()->state();
      if (state.applied() != oracle_.committed() || state.state_hash() != first.state_hash()) return false;
    }
    return true;
  };
  if (!run_until(agree, context_.plan.heal_max)) {
    throw Violation("healed and quiet, and the servers do not come to one state" + who_stands_where());
  }
}

void World::audit() {
  const uint32_t number = static_cast<uint32_t>(clients_.size());
  auto created = std::make_unique<Auditor>(context_, connections_, number, context_.plan.servers, histories_);
  Auditor& auditor = *created;
  clients_.push_back(std::move(created));
  auditor.start();
  if (!run_until([&] { return auditor.finished(); }, context_.plan.heal_max)) {
    throw Violation("healed and quiet, and the last reads are not answered" + who_stands_where());
  }
  run_for(seconds(3));  // whatever events are still owed
  // A node whose time is over goes at any moment: what is told of the last one may be on its way.
  const auto told = [this] {
    return std::all_of(clients_.begin(), clients_.end(), [](const auto& c) { return !c->at_end(); });
  };
  (void)run_until(told, seconds(1));
  require(histories_.registers.finish());
  require(histories_.sequences.finish(auditor.sequence()));
  require(histories_.watches.finish(auditor.keys()));
  for (const auto& client : clients_) {
    require(client->at_end());
    if (context_.endings_answered.contains(client->session()))
      throw Violation(client->name() + ": its session was ended by an operator, and it was never told");
  }
  for (const auto& server : servers_) oracle_.check_consistency(*server);
}

void World::heal_and_check() {
  demand_progress();
  demand_agreement();
  audit();
}

RunResult World::run() {
  RunResult result;
  try {
    trouble();
    heal_and_check();
  } catch (const Violation& violation) {
    result.failure = violation.what();
    context_.say("verdict", [&] { return *result.failure; });
  }
  context_.statistics.seeds = 1;
  context_.statistics.seeds_on_leveldb = context_.plan.leveldb ? 1 : 0;
  context_.statistics.seeds_with_small_limits = context_.plan.small_limits ? 1 : 0;
  context_.statistics.places_kept = histories_.places.kept();
  context_.statistics.waiters_expired = histories_.places.expired_between();
  context_.statistics.messages_taken_from_others = histories_.recipes.queue.taken_from_the_dead();
  context_.statistics.messages_put_aside = histories_.recipes.queue.put_aside();
  context_.statistics.nodes_reaped = context_.model.nodes_reaped();
  for (const auto& server : servers_) server->count_disk();
  context_.statistics.simulated_ms = static_cast<uint64_t>(to_ms(context_.now()));
  context_.statistics.events = context_.scheduler.events();
  result.statistics = context_.statistics;
  result.trace_hash = context_.trace.hash();
  return result;
}

}  // namespace quorate::sim
