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
#include "tests/replica/instants.h"

namespace quorate::server::test {

inline constexpr ConnectionId kOne{1}, kTwo{2}, kThree{3};

struct Node {
  std::unique_ptr<Replica> replica;
  // What is durable.
  std::optional<raft::Recovered> disk;
  Incarnation incarnation;
  std::map<ConnectionId, std::deque<ClientMessage>> inbox;
  std::vector<std::string> log;
  std::set<ConnectionId> closed;  // those that were dropped among them
  std::set<ConnectionId> dropped;
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
  size_t most_told = 0;        // messages to clients in one output
  size_t crowded = 0;          // how often answers had to wait
  bool reads_nothing = false;  // its clients: then they wait for ever
};

class Cluster {
 public:
  explicit Cluster(uint32_t servers, ReplicaOptions options = {});

  // Starts a server on what its disk holds; a folder never used before (or wiped) is a new incarnation.
  void start(ServerId id);
  void kill(ServerId id);
  void wipe(ServerId id);
  void cut(ServerId id) { cut_.insert(id); }
  void heal(ServerId id) { cut_.erase(id); }
  // Nothing becomes durable there until it goes on.
  // Nothing passes that this refuses, and it may change what passes.
  void set_filter(std::function<bool(PeerMessage&)> filter) { filter_ = std::move(filter); }
  void stall_store(ServerId id) { nodes_[id].store_stalled = true; }
  void resume_store(ServerId id);
  void stall_disk(ServerId id) { nodes_[id].stalled = true; }
  // The oldest write there becomes durable; the disk stays stalled.
  void write_one(ServerId id);
  void resume_disk(ServerId id);

  // Of the servers that are started from now on.
  ReplicaOptions& options() { return options_; }

  // Lets everything happen that does not need time.
  void settle();
  void advance(Duration time);
  // Advances until there is a leader that has committed in its term; nothing after 10 s.
  ServerId elect();
  ServerId leader() const;
  ServerId follower() const;

  // Sends a request and returns its number; the answer is in reply() when it has come.
  uint64_t send(ServerId server, ConnectionId connection, RequestBody body);
  std::optional<ClientReply> reply(ServerId server, ConnectionId connection, uint64_t id);
  // Sends, advances until the answer is there (10 s at most), returns it.
  ClientReply call(ServerId server, ConnectionId connection, RequestBody body);
  // Opens a session on that connection.
  kv::Outcome open(ServerId server, ConnectionId connection, uint32_t timeout_ms = 5'000);
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
  bool drain(ServerId, Node& node);
  // As the log does: what is behind the cut goes, and a log that does not hold that entry is forgotten.
  void cut(raft::Recovered& disk, const Output::LogCut& cut);
  void write(Node& node, Output& out);

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
