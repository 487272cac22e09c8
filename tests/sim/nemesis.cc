#include "tests/sim/nemesis.h"

#include <algorithm>
#include <numeric>

namespace quorate::sim {
namespace {

// How long a server is kept away at most.
constexpr Duration kAwayMax = std::chrono::seconds(40);

}  // namespace

using std::chrono::milliseconds;
using std::chrono::seconds;

void Nemesis::start() {
  context_.scheduler.after(random_.between(context_.plan.gap_min, context_.plan.gap_max), [this] { next(); });
}

void Nemesis::next() {
  if (healed_) return;
  const auto& weights = context_.plan.weights;
  const uint64_t total = std::accumulate(weights.begin(), weights.end(), uint64_t{0});
  uint64_t dice = random_.below(total);
  size_t fault = 0;
  while (dice >= weights[fault]) dice -= weights[fault++];
  context_.say("nemesis", [&] { return std::string(fault_name(static_cast<Fault>(fault))); });
  strike(static_cast<Fault>(fault));
  start();
}

void Nemesis::strike(Fault fault) {
  switch (fault) {
    case Fault::kKillLeader:
    case Fault::kKillAny:
    case Fault::kKillAll:
    case Fault::kPowerLossOne:
    case Fault::kPowerLossAll:
    case Fault::kPauseLeader:
    case Fault::kPauseAny:
    case Fault::kWipe:
    case Fault::kStop:
    case Fault::kTransfer:
    case Fault::kLag:
      strike_process(fault);
      return;
    case Fault::kIsolateLeader:
    case Fault::kPartition:
    case Fault::kOneWayCuts:
    case Fault::kClientCuts:
    case Fault::kClog:
    case Fault::kResetPeers:
      strike_network(fault);
      return;
    case Fault::kCrashAtStep:
    case Fault::kDiskStall:
    case Fault::kDiskError:
    case Fault::kDiskFull:
      strike_disk(fault);
      return;
    case Fault::kClockRate:
    case Fault::kWallJump:
      strike_clock(fault);
      return;
    case Fault::kPauseClient:
    case Fault::kBreakConnections:
      strike_client(fault);
      return;
    case Fault::kCount:
      break;
  }
}

SimServer& Nemesis::any() { return *servers_[random_.below(servers_.size())]; }

SimServer* Nemesis::victim(bool leader) {
  std::vector<SimServer*> up;
  SimServer* leading = nullptr;
  for (const auto& server : servers_) {
    if (!server->up()) continue;
    up.push_back(server.get());
    const bool newer = leading == nullptr || (server->is_leader() && server->replica()->raft()->term() >
                                                                         leading->replica()->raft()->term());
    if (server->is_leader() && newer) leading = server.get();
  }
  if (up.empty()) return nullptr;
  return leader && leading != nullptr ? leading : up[random_.below(up.size())];
}

// Mostly around the time-outs that matter, now and then up to a minute.
Duration Nemesis::pause_length() {
  if (random_.chance(0.4)) return random_.between(milliseconds(50), milliseconds(1000));
  if (random_.chance(0.8)) return random_.between(milliseconds(1000), milliseconds(10'000));
  return random_.between(seconds(10), seconds(60));
}

void Nemesis::mend_later(Duration length, std::function<void()> mend) {
  context_.scheduler.after(length, [this, mend = std::move(mend)] {
    if (!healed_) mend();
  });
}

// ---- processes

void Nemesis::restart_soon(SimServer& server) {
  const Duration wait = healed_               ? Duration(milliseconds(200))
                        : random_.chance(0.7) ? random_.between(milliseconds(20), milliseconds(1500))
                                              : random_.between(milliseconds(1500), milliseconds(8000));
  context_.scheduler.after(wait, [this, &server] {
    if (server.up() || (kept_away_ == &server && kept_down_)) return;
    server.start();
    if (!server.up()) restart_soon(server);
  });
}

void Nemesis::kill_all(bool power) {
  if (power) ++context_.statistics.power_losses_of_all;
  for (const auto& server : servers_) {
    if (power) {
      server->power_loss();
    } else if (server->up()) {
      ++context_.statistics.kills;
      server->kill("all are killed");
    }
  }
}

// At most a minority in the life of a cluster: what a majority forgets is lost, and no protocol can help it.
void Nemesis::wipe_one() {
  SimServer& server = any();
  if (2 * (wiped_ + 1) >= servers_.size() || server.wiped()) return;
  if (server.replica() == nullptr || server.replica()->raft() == nullptr)
    return;  // down, or not in a cluster yet
  ++wiped_;
  ++context_.statistics.wipes;
  server.power_loss();
  server.wipe();
}

bool Nemesis::is_cut_off(const SimServer& server) const {
  return std::any_of(servers_.begin(), servers_.end(), [&server](const auto& other) {
    return other->up() && other->replica()->raft() != nullptr &&
           other->replica()->raft()->log().snapshot_index() > server.durable_last();
  });
}

// One at a time, down or cut off from its peers, until it needs a snapshot.
void Nemesis::keep_away() {
  SimServer& server = any();
  if (kept_away_ != nullptr || !server.up() || server.is_leader() || servers_.size() < 3) return;
  ++context_.statistics.lags;
  kept_away_ = &server;
  kept_down_ = random_.chance(0.6);
  if (kept_down_) {
    random_.chance(0.5) ? server.power_loss() : server.kill("it is kept down");
  } else {
    for (const auto& other : servers_) {
      network_.cut(server.id().value(), other->id().value());
      network_.cut(other->id().value(), server.id().value());
    }
  }
  bring_back_in_time(server, context_.now() + kAwayMax);
}

void Nemesis::bring_back_in_time(SimServer& server, SimTime latest) {
  mend_later(milliseconds(100), [this, &server, latest] {
    const bool cut_off = is_cut_off(server);
    if (!cut_off && context_.now() < latest) return bring_back_in_time(server, latest);
    if (cut_off) ++context_.statistics.lags_cut_off;
    kept_away_ = nullptr;
    for (const auto& other : servers_) {
      network_.mend(server.id().value(), other->id().value());
      network_.mend(other->id().value(), server.id().value());
    }
    if (!server.up()) restart_soon(server);
  });
}

void Nemesis::strike_process(Fault fault) {
  const bool leader = fault == Fault::kKillLeader || fault == Fault::kPauseLeader || fault == Fault::kStop ||
                      fault == Fault::kTransfer;
  if (fault == Fault::kWipe) return wipe_one();
  if (fault == Fault::kLag) return keep_away();
  if (fault == Fault::kKillAll || fault == Fault::kPowerLossAll)
    return kill_all(fault == Fault::kPowerLossAll);
  SimServer* server = victim(leader);
  if (server == nullptr) return;
  if (fault == Fault::kPowerLossOne) {
    ++context_.statistics.power_losses;
    server->power_loss();
  } else if (fault == Fault::kPauseLeader || fault == Fault::kPauseAny) {
    ++context_.statistics.pauses;
    server->pause(pause_length(), static_cast<SimServer::PauseAt>(random_.below(3)));
  } else if (fault == Fault::kStop) {
    ++context_.statistics.stops;
    server->receive(server::Stop{});
  } else if (fault == Fault::kTransfer) {
    // From an operator's connection, which nobody reads the answer of.
    ++context_.statistics.transfers;
    server->receive(server::ClientReceived{{ConnectionId(UINT64_MAX), 1, server::TransferRequest{}}});
    server->receive(server::ClientLost{ConnectionId(UINT64_MAX)});
  } else {
    ++context_.statistics.kills;
    server->kill("it is killed");
  }
}

// ---- the network

void Nemesis::cut_for(std::vector<std::pair<Node, Node>> links, Duration length) {
  ++context_.statistics.network_cuts;
  for (const auto& [from, to] : links) network_.cut(from, to);
  context_.say("nemesis", [&] {
    std::string text = "for " + std::to_string(to_ms(length)) + " ms nothing passes";
    for (const auto& [from, to] : links) text += " " + std::to_string(from) + ">" + std::to_string(to);
    return text;
  });
  mend_later(length, [this, links] {
    for (const auto& [from, to] : links) network_.mend(from, to);
  });
}

void Nemesis::isolate(Node node, bool clients_too) {
  std::vector<std::pair<Node, Node>> links;
  for (const auto& other : servers_) {
    if (other->id().value() == node) continue;
    links.emplace_back(node, other->id().value());
    links.emplace_back(other->id().value(), node);
  }
  if (clients_too) {
    for (const auto& client : clients_) {
      links.emplace_back(node, client->node());
      links.emplace_back(client->node(), node);
    }
  }
  cut_for(links, random_.between(milliseconds(100), milliseconds(8000)));
}

void Nemesis::strike_network(Fault fault) {
  const Duration length = random_.between(milliseconds(100), milliseconds(8000));
  std::vector<std::pair<Node, Node>> links;
  SimServer* leader = victim(true);
  if (fault == Fault::kIsolateLeader) {
    // Its clients still reach it half of the time: a deposed leader must not answer them.
    if (leader != nullptr) isolate(leader->id().value(), random_.chance(0.5));
    return;
  }
  if (fault == Fault::kResetPeers) {
    for (const auto& a : servers_) {
      for (const auto& b : servers_) {
        if (a != b && random_.chance(0.5)) a->receive(server::PeerLost{b->id()});
      }
    }
    return;
  }
  std::vector<bool> side;
  for (size_t i = 0; i < servers_.size(); ++i) side.push_back(random_.chance(0.5));
  for (size_t a = 0; a < servers_.size(); ++a) {
    const Node from = servers_[a]->id().value();
    for (size_t b = 0; b < servers_.size(); ++b) {
      const Node to = servers_[b]->id().value();
      if (a == b) continue;
      if (fault == Fault::kPartition && side[a] != side[b]) links.emplace_back(from, to);
      if (fault == Fault::kOneWayCuts && random_.chance(0.4)) links.emplace_back(from, to);
      if (fault == Fault::kClog && random_.chance(0.4)) network_.clog(from, to, context_.now() + length);
    }
    for (const auto& client : clients_) {
      if (fault == Fault::kClientCuts && random_.chance(0.4)) links.emplace_back(client->node(), from);
      if (fault == Fault::kClientCuts && random_.chance(0.4)) links.emplace_back(from, client->node());
    }
  }
  if (!links.empty()) cut_for(links, length);
}

// ---- disks

// Any of the next steps, or one of the next of its kind: most kinds are rare, and would not be met by chance.
std::pair<SimStep, uint64_t> Nemesis::any_step() {
  constexpr SimStep kUsual[] = {SimStep::kAny, SimStep::kWrite, SimStep::kSync};
  constexpr SimStep kRare[] = {SimStep::kCreate,        SimStep::kCreate,          SimStep::kRename,
                               SimStep::kRemove,        SimStep::kRemove,          SimStep::kSyncDirectory,
                               SimStep::kMakeDirectory, SimStep::kRemoveDirectory, SimStep::kWrite,
                               SimStep::kSync};
  if (random_.chance(0.3)) return {kUsual[random_.below(std::size(kUsual))], 1 + random_.below(12)};
  return {kRare[random_.below(std::size(kRare))], 1 + random_.below(3)};
}

void Nemesis::strike_disk(Fault fault) {
  SimServer* server = victim(random_.chance(0.5));
  if (server == nullptr) return;
  if (fault == Fault::kCrashAtStep) {
    const uint64_t dice = random_.below(10);
    if (dice < 2) {
      server->die_after_sync();
    } else if (dice < 4) {
      server->die_after_job();
    } else if (dice < 5) {
      server->fail_store_write();
    } else {
      const auto [kind, n] = any_step();
      server->crash_at_step(n, kind);
    }
  } else if (fault == Fault::kDiskStall) {
    ++context_.statistics.disk_stalls;
    server->stall_disk(random_.between(milliseconds(50), milliseconds(6000)));
  } else if (fault == Fault::kDiskError) {
    ++context_.statistics.disk_errors;
    const auto [kind, n] = any_step();
    server->disk().fail_step(n, kind, ErrorCode::kIo);
  } else if (random_.chance(0.5)) {
    // For longer than it takes until apply has to wait, and clients have to go elsewhere.
    ++context_.statistics.stores_full;
    server->fill_store(random_.between(seconds(2), seconds(40)));
  } else {
    ++context_.statistics.disk_full;
    server->disk().set_capacity(server->disk().used_bytes() + random_.below(200'000));
    mend_later(random_.between(milliseconds(500), milliseconds(8000)),
               [server] { server->disk().set_capacity(0); });
  }
}

// ---- clocks

void Nemesis::strike_clock(Fault fault) {
  ++context_.statistics.clock_changes;
  if (fault == Fault::kWallJump) {
    any().clock().jump_wall(random_.between(int64_t{-3'600'000}, int64_t{3'600'000}));
    return;
  }
  const int64_t most = context_.plan.wild_clocks ? 500'000 : 50'000;
  const int64_t rate = Clock::kTrueRatePpm + random_.between(-most, most);
  if (random_.chance(0.6)) {
    SimServer& server = any();
    server.clock().set_rate(context_.now(), rate);
    server.clock_changed();
  } else {
    clients_[random_.below(clients_.size())]->clock().set_rate(context_.now(), rate);
  }
}

// ---- clients

void Nemesis::strike_client(Fault fault) {
  if (fault == Fault::kPauseClient) {
    ++context_.statistics.client_pauses;
    clients_[random_.below(clients_.size())]->pause(random_.between(milliseconds(100), milliseconds(15'000)));
    return;
  }
  for (ConnectionId id : connections_.alive()) {
    if (random_.chance(0.4)) connections_.reset(id);
  }
}

void Nemesis::heal() {
  healed_ = context_.healed = true;
  context_.healed_at = context_.now();
  kept_away_ = nullptr;
  context_.say("nemesis", [] { return std::string("mends everything"); });
  context_.plan.loss = context_.plan.duplication = context_.plan.slow = 0;
  network_.mend_all();
  for (const auto& server : servers_) {
    server->disk().set_capacity(0);
    server->disk().forget_plans();
    server->forget_crash();
    server->unstall_disk();
    server->empty_store();
    server->clock().set_rate(context_.now(), Clock::kTrueRatePpm);
    server->clock_changed();
    server->resume();
    if (!server->up()) restart_soon(*server);
  }
  for (const auto& client : clients_) {
    client->clock().set_rate(context_.now(), Clock::kTrueRatePpm);
    client->resume();
  }
}

}  // namespace quorate::sim
