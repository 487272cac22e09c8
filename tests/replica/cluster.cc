#include "tests/replica/cluster.h"

#include <algorithm>

namespace quorate::server::test {

Cluster::Cluster(uint32_t servers, ReplicaOptions options) : options_(std::move(options)) {
  for (uint32_t id = 1; id <= servers; ++id) {
    plan_.push_back({ServerId(id), "host" + std::to_string(id) + ":7000"});
  }
  for (const PlannedMember& member : plan_) start(member.id);
}

void Cluster::start(ServerId id) {
  Node& node = nodes_[id];
  if (node.incarnation == Incarnation()) node.incarnation = Incarnation(++incarnations_ * 1000 + id.value());
  ReplicaOptions options = options_;
  options.raft.id = id;
  options.raft.incarnation = node.incarnation;
  options.raft.boot = BootNonce(++boots_);
  options.plan = plan_;
  node.jobs.clear();
  node.store.restart();
  node.stopped = false;
  node.failed.clear();
  ReplicaRecovered recovered{node.disk, node.store.load()};
  // As the shell does from what it keeps beside the state.
  if (node.disk && node.disk->snapshot_index > Index()) {
    for (const auto& [other, known] : nodes_) {
      if (!recovered.log->snapshot_configuration && known.replica && known.replica->raft() != nullptr)
        recovered.log->snapshot_configuration = known.replica->raft()->configuration();
    }
  }
  node.replica = std::make_unique<Replica>(options, std::move(recovered), boots_ * 7919, now_);
  settle();
}

void Cluster::kill(ServerId id) {
  nodes_[id].replica.reset();
  nodes_[id].inbox.clear();
  nodes_[id].unwritten.clear();
  for (auto& [other, node] : nodes_) {
    if (node.replica) node.replica->step(now_, PeerLost{id});
  }
  settle();
}

void Cluster::wipe(ServerId id) {
  nodes_[id].disk.reset();
  nodes_[id].incarnation = {};
  nodes_[id].store = FakeStore();
}

void Cluster::resume_store(ServerId id) {
  nodes_[id].store_stalled = false;
  settle();
}

void Cluster::write_one(ServerId id) {
  Node& node = nodes_[id];
  if (node.unwritten.empty()) return;
  Output out = std::move(node.unwritten.front());
  node.unwritten.pop_front();
  write(node, out);
  settle();
}

void Cluster::resume_disk(ServerId id) {
  Node& node = nodes_[id];
  node.stalled = false;
  for (Output& out : std::exchange(node.unwritten, {})) write(node, out);
  settle();
}

void Cluster::settle() {
  bool busy = true;
  while (busy) {
    busy = false;
    for (auto& [id, node] : nodes_) busy = drain(id, node) || busy;
    while (!network_.empty()) {
      PeerMessage message = std::move(network_.front());
      network_.pop_front();
      Node& to = nodes_[message.to];
      if (!to.replica || cut_.contains(message.to) || cut_.contains(message.from)) continue;
      if (filter_ && !filter_(message)) continue;
      to.replica->step(now_, PeerReceived{std::move(message)});
      busy = true;
    }
  }
}

void Cluster::advance(Duration time) {
  const Instant end = now_.instant + time;
  while (now_.instant < end) {
    now_.instant += kMs;
    now_.wall_ms += 1;
    for (auto& [id, node] : nodes_) {
      if (node.replica && node.replica->deadline() <= now_.instant) node.replica->step(now_, Tick{});
    }
    settle();
  }
}

ServerId Cluster::elect() {
  for (int i = 0; i < 10'000; ++i) {
    if (const ServerId id = leader(); id != ServerId()) return id;
    advance(kMs);
  }
  return {};
}

ServerId Cluster::leader() const {
  for (const auto& [id, node] : nodes_) {
    if (cut_.contains(id) || !node.replica || node.replica->raft() == nullptr) continue;
    if (node.replica->raft()->has_committed_own_term()) return id;
  }
  return {};
}

ServerId Cluster::follower() const {
  for (const auto& [id, node] : nodes_) {
    if (node.replica && id != leader()) return id;
  }
  return {};
}

uint64_t Cluster::send(ServerId server, ConnectionId connection, RequestBody body) {
  const uint64_t id = ++requests_;
  nodes_[server].replica->step(now_, ClientReceived{{connection, id, std::move(body)}});
  return id;
}

std::optional<ClientReply> Cluster::reply(ServerId server, ConnectionId connection, uint64_t id) {
  for (const ClientMessage& message : nodes_[server].inbox[connection]) {
    const auto* reply = std::get_if<ClientReply>(&message.body);
    if (reply != nullptr && reply->id == id) return *reply;
  }
  return std::nullopt;
}

ClientReply Cluster::call(ServerId server, ConnectionId connection, RequestBody body) {
  const uint64_t id = send(server, connection, std::move(body));
  settle();
  for (int i = 0; i < 10'000; ++i) {
    if (auto answer = reply(server, connection, id)) return *answer;
    advance(kMs);
  }
  return ClientReply{id, {ErrorCode::kTimeout, "no answer in the test"}, {}, {}};
}

kv::Outcome Cluster::open(ServerId server, ConnectionId connection, uint32_t timeout_ms) {
  kv::SessionPassword password{};
  password[0] = static_cast<uint8_t>(connection.value());
  const ClientReply answer = call(server, connection, OpenSessionRequest{timeout_ms, password});
  const auto* outcome = std::get_if<kv::Outcome>(&answer.body);
  return outcome != nullptr ? *outcome : kv::Outcome{answer.error.code, answer.error.message};
}

bool Cluster::drain(ServerId, Node& node) {
  if (!node.replica) return false;
  bool busy = false;
  while (true) {
    Output out = node.replica->take_output();
    node.stopped = node.stopped || out.stopped;
    if (!out.failed.empty()) node.failed = out.failed;
    for (LogLine& line : out.log) node.log.push_back(std::move(line.text));
    for (PeerMessage& message : out.peers) network_.push_back(std::move(message));
    node.most_told = std::max(node.most_told, out.clients.size());
    for (ClientMessage& message : out.clients) node.inbox[message.connection].push_back(std::move(message));
    node.closed.insert(out.close.begin(), out.close.end());
    for (const Output::Dropped& dropped : out.drop) {
      node.closed.insert(dropped.connection);
      node.dropped.insert(dropped.connection);
    }
    node.crowded += out.crowded.size();
    const bool crowded = !out.crowded.empty() && !node.reads_nothing;
    if (node.reads_nothing) out.crowded.clear();
    for (const ConnectionId connection : out.crowded) node.replica->step(now_, ClientDrained{connection});
    busy = busy || !out.peers.empty() || out.ticket != Ticket() || crowded;
    for (StoreJob& job : out.store) node.jobs.push_back(std::move(job));
    const bool writes = out.ticket != Ticket() || out.cut;
    if (writes && node.stalled) {
      node.unwritten.push_back(std::move(out));
    } else if (writes) {
      write(node, out);
    }
    const bool stores = !node.jobs.empty() && !node.store_stalled;
    if (stores) {
      const StoreJob job = std::move(node.jobs.front());
      node.jobs.pop_front();
      node.replica->step(now_, node.store.run(job));
    }
    busy = busy || stores;
    if (!stores && !crowded && (!writes || node.stalled)) return busy;
  }
}

void Cluster::cut(raft::Recovered& disk, const Output::LogCut& cut) {
  if (cut.index <= disk.snapshot_index) return;
  const size_t count = cut.index - disk.snapshot_index;
  if (count <= disk.entries.size() && disk.entries[count - 1].term == cut.term) {
    disk.entries.erase(disk.entries.begin(), disk.entries.begin() + static_cast<std::ptrdiff_t>(count));
  } else {
    disk.entries.clear();
  }
  disk.snapshot_index = cut.index;
  disk.snapshot_term = cut.term;
}

void Cluster::write(Node& node, Output& out) {
  if (!node.disk) node.disk.emplace();
  if (out.cut) cut(*node.disk, *out.cut);
  if (out.hard_state) node.disk->hard_state = *out.hard_state;
  node.entries_written += out.entries.size();
  for (raft::Entry& entry : out.entries) {
    std::vector<raft::Entry>& log = node.disk->entries;
    const size_t before = entry.index.prev() - node.disk->snapshot_index;
    if (before > log.size()) throw std::logic_error("a gap in the log on disk");
    log.resize(before);
    log.push_back(std::move(entry));
  }
  if (out.ticket != Ticket()) node.replica->step(now_, Persisted{out.ticket});
}

}  // namespace quorate::server::test
