// A few replicas joined by a network and disks that do at once what they are told, in virtual time: for tests
// that say what happens step by step. Faults in number are the simulator's business (tests/sim).
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include "server/replica.h"
#include "tests/replica/fake_store.h"

namespace quorate::server::test {

inline constexpr Duration kMs = std::chrono::milliseconds(1);

struct Node {
  std::unique_ptr<Replica> replica;
  // What is durable.
  std::optional<raft::Recovered> disk;
  Incarnation incarnation;
  std::map<ConnectionId, std::deque<ClientMessage>> inbox;
  std::vector<std::string> log;
  std::set<ConnectionId> closed;
  // What a stalled disk has not written yet.
  bool stalled = false;
  std::deque<Output> unwritten;
  size_t entries_written = 0;
  bool stopped = false;
  std::string failed;
  // The store of checkpoints; stalled, it does nothing until it goes on.
  FakeStore store;
  bool store_stalled = false;
  std::deque<StoreJob> jobs;
  size_t crowded = 0;  // how often answers had to wait
};

class Cluster {
 public:
  explicit Cluster(uint32_t servers, ReplicaOptions options = {}) : options_(std::move(options)) {
    for (uint32_t id = 1; id <= servers; ++id) {
      plan_.push_back({ServerId(id), "host" + std::to_string(id) + ":7000"});
    }
    for (const PlannedMember& member : plan_) start(member.id);
  }

  // Starts a server on what its disk holds; a folder never used before (or wiped) is a new incarnation.
  void start(ServerId id) {
    Node& node = nodes_[id];
    if (node.incarnation == Incarnation())
      node.incarnation = Incarnation(++incarnations_ * 1000 + id.value());
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
  void kill(ServerId id) {
    nodes_[id].replica.reset();
    nodes_[id].inbox.clear();
    nodes_[id].unwritten.clear();
    for (auto& [other, node] : nodes_) {
      if (node.replica) node.replica->step(now_, PeerLost{id});
    }
    settle();
  }
  void wipe(ServerId id) {
    nodes_[id].disk.reset();
    nodes_[id].incarnation = {};
    nodes_[id].store = FakeStore();
  }
  void cut(ServerId id) { cut_.insert(id); }
  void heal(ServerId id) { cut_.erase(id); }
  // Nothing becomes durable there until it goes on.
  // Nothing passes that this refuses, and it may change what passes.
  void set_filter(std::function<bool(PeerMessage&)> filter) { filter_ = std::move(filter); }
  void stall_store(ServerId id) { nodes_[id].store_stalled = true; }
  void resume_store(ServerId id) {
    nodes_[id].store_stalled = false;
    settle();
  }
  void stall_disk(ServerId id) { nodes_[id].stalled = true; }
  // The oldest write there becomes durable; the disk stays stalled.
  void write_one(ServerId id) {
    Node& node = nodes_[id];
    if (node.unwritten.empty()) return;
    Output out = std::move(node.unwritten.front());
    node.unwritten.pop_front();
    write(node, out);
    settle();
  }
  void resume_disk(ServerId id) {
    Node& node = nodes_[id];
    node.stalled = false;
    for (Output& out : std::exchange(node.unwritten, {})) write(node, out);
    settle();
  }

  // Lets everything happen that does not need time.
  void settle() {
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
  void advance(Duration time) {
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
  // Advances until there is a leader that has committed in its term; nothing after 10 s.
  ServerId elect() {
    for (int i = 0; i < 10'000; ++i) {
      if (const ServerId id = leader(); id != ServerId()) return id;
      advance(kMs);
    }
    return {};
  }
  ServerId leader() const {
    for (const auto& [id, node] : nodes_) {
      if (cut_.contains(id) || !node.replica || node.replica->raft() == nullptr) continue;
      if (node.replica->raft()->has_committed_own_term()) return id;
    }
    return {};
  }
  ServerId follower() const {
    for (const auto& [id, node] : nodes_) {
      if (node.replica && id != leader()) return id;
    }
    return {};
  }

  // Sends a request and returns its number; the answer is in reply() when it has come.
  uint64_t send(ServerId server, ConnectionId connection, RequestBody body) {
    const uint64_t id = ++requests_;
    nodes_[server].replica->step(now_, ClientReceived{{connection, id, std::move(body)}});
    return id;
  }
  std::optional<ClientReply> reply(ServerId server, ConnectionId connection, uint64_t id) {
    for (const ClientMessage& message : nodes_[server].inbox[connection]) {
      const auto* reply = std::get_if<ClientReply>(&message.body);
      if (reply != nullptr && reply->id == id) return *reply;
    }
    return std::nullopt;
  }
  // Sends, advances until the answer is there (10 s at most), returns it.
  ClientReply call(ServerId server, ConnectionId connection, RequestBody body) {
    const uint64_t id = send(server, connection, std::move(body));
    settle();
    for (int i = 0; i < 10'000; ++i) {
      if (auto answer = reply(server, connection, id)) return *answer;
      advance(kMs);
    }
    return ClientReply{id, {ErrorCode::kTimeout, "no answer in the test"}, {}, {}};
  }
  // Opens a session on that connection.
  kv::Outcome open(ServerId server, ConnectionId connection, uint32_t timeout_ms = 5'000) {
    kv::SessionPassword password{};
    password[0] = static_cast<uint8_t>(connection.value());
    const ClientReply answer = call(server, connection, OpenSessionRequest{timeout_ms, password});
    const auto* outcome = std::get_if<kv::Outcome>(&answer.body);
    return outcome != nullptr ? *outcome : kv::Outcome{answer.error.code, answer.error.message};
  }
  template <class Event>
  std::vector<Event> events(ServerId server, ConnectionId connection) {
    std::vector<Event> found;
    for (const ClientMessage& message : nodes_[server].inbox[connection]) {
      if (const auto* event = std::get_if<Event>(&message.body)) found.push_back(*event);
    }
    return found;
  }

  Node& node(ServerId id) { return nodes_.at(id); }
  Replica& replica(ServerId id) { return *nodes_.at(id).replica; }
  const std::map<ServerId, Node>& nodes() const { return nodes_; }
  const Now& now() const { return now_; }

 private:
  bool drain(ServerId, Node& node) {
    if (!node.replica) return false;
    bool busy = false;
    while (true) {
      Output out = node.replica->take_output();
      node.stopped = node.stopped || out.stopped;
      if (!out.failed.empty()) node.failed = out.failed;
      for (LogLine& line : out.log) node.log.push_back(std::move(line.text));
      for (PeerMessage& message : out.peers) network_.push_back(std::move(message));
      for (ClientMessage& message : out.clients) node.inbox[message.connection].push_back(std::move(message));
      node.closed.insert(out.close.begin(), out.close.end());
      node.crowded += out.crowded.size();
      const bool crowded = !out.crowded.empty();
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
  // As the log does: what is behind the cut goes, and a log that does not hold that entry is forgotten.
  void cut(raft::Recovered& disk, const Output::LogCut& cut) {
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
  void write(Node& node, Output& out) {
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

  ReplicaOptions options_;
  std::vector<PlannedMember> plan_;
  std::map<ServerId, Node> nodes_;
  std::deque<PeerMessage> network_;
  std::set<ServerId> cut_;
  std::function<bool(PeerMessage&)> filter_;
  Now now_{Instant(std::chrono::seconds(1000)), 1'700'000'000'000};
  uint64_t boots_ = 0, incarnations_ = 0, requests_ = 0;
};

}  // namespace quorate::server::test
