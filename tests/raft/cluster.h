// A cluster in memory whose every step is taken by hand: nothing is delivered, written or ticked unless the
// test says so. Links are first-in-first-out; a disk loses what was not persisted when its server crashes.
// After every step all invariants are checked; a broken one throws.
//
// Thread safety: none.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <ostream>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "raft/invariants.h"
#include "raft/raft.h"

namespace quorate::raft::testing {

using std::chrono::milliseconds;

// The encoded configuration of a cluster of servers 1.. with incarnation 100 + id, as entry 1 of term 1.
Configuration make_configuration(size_t voters, size_t learners = 0);
Entry make_entry(uint64_t term, uint64_t index, std::string_view payload = "x",
                 EntryKind kind = EntryKind::kCommand);
Entry make_configuration_entry(const Configuration& configuration);

// A message as another server would send it; its run is 1000 + from.
Message make_message(uint32_t from, uint32_t to, uint64_t term, Body body);

class Cluster {
 public:
  struct Setup {
    size_t voters = 3;
    size_t learners = 0;
    uint64_t seed = 1;
    std::ostream* trace = nullptr;  // gets a line of prose for each event
    std::function<void(Options&)> tune = nullptr;
    Duration disk_time{};  // of each write; one after the other
  };
  // What a server did so far; a test may clear it.
  struct Seen {
    std::vector<ReadReady> reads_ready;
    std::vector<uint64_t> reads_failed;
    std::vector<RoleChange> changes;
  };

  Cluster();
  explicit Cluster(Setup setup);

  Instant now() const { return now_; }
  const Configuration& configuration() const { return configuration_; }
  std::vector<uint32_t> ids() const;
  // REQUIRES: it is up.
  const Raft& at(uint32_t id) const;
  bool up(uint32_t id) const { return servers_.at(id).raft != nullptr; }
  Seen& seen(uint32_t id) { return servers_.at(id).seen; }
  uint32_t leader() const;  // of the highest term; 0: none

  // Time. tick() also moves the clock; wait() ticks every server whenever it is due, delivers all at once, and
  // persists what its disk has had the time for.
  void advance(Duration by) { now_ += by; }
  void tick(uint32_t id, Duration by = {});
  void wait(Duration by);
  // Moves the clock to the server's deadline and ticks it alone.
  void time_out(uint32_t id);

  // The network.
  size_t deliver(uint32_t from, uint32_t to, size_t count = SIZE_MAX);
  size_t drop(uint32_t from, uint32_t to);
  void duplicate(uint32_t from, uint32_t to);
  void shuffle(uint32_t from, uint32_t to, Random& random);
  void cut(uint32_t from, uint32_t to) { cut_.insert({from, to}); }
  void isolate(uint32_t id);
  void heal() { cut_.clear(); }
  const std::deque<Message>& link(uint32_t from, uint32_t to) { return links_[{from, to}]; }
  // The newest message of that kind that is under way.
  template <class T>
  std::optional<T> last_sent(uint32_t from, uint32_t to) {
    const std::deque<Message>& queue = links_[{from, to}];
    for (auto message = queue.rbegin(); message != queue.rend(); ++message) {
      if (const T* body = std::get_if<T>(&message->body)) return *body;
    }
    return std::nullopt;
  }
  // Hands in a message that no server sent.
  void inject(Message message);

  // The disks.
  size_t persist(uint32_t id, size_t count = SIZE_MAX);
  void stall(uint32_t id) { servers_.at(id).stalled = true; }
  void unstall(uint32_t id) { servers_.at(id).stalled = false; }
  size_t unwritten(uint32_t id) const { return servers_.at(id).writes.size(); }

  // Delivers everything, and persists what disks had the time for, until nothing moves. A stalled disk stays
  // as it is.
  void settle();

  void crash(uint32_t id);
  void restart(uint32_t id);
  // Restarts it with an empty disk: the configuration alone, and another incarnation.
  void wipe(uint32_t id);

  // Makes it the leader, by timeout, with the messages of everybody delivered; throws if it does not work
  // out.
  void elect(uint32_t id);
  Result<Index> propose(uint32_t id, std::string_view payload);
  Status read(uint32_t id, uint64_t context);
  Status transfer(uint32_t id, uint32_t target);
  void unreachable(uint32_t id, uint32_t peer);
  void compact(uint32_t id, uint64_t index);
  // What it last said a state must reach, if that has not come since.
  std::optional<Index> state_needed(uint32_t id) const;
  // Gives it the state that another server has applied, as if that had been streamed and made durable.
  void install(uint32_t id, uint32_t donor, uint64_t index);
  void may_lead(uint32_t id, bool may);
  void declines(uint32_t id, bool declines);

  // "1^1 2^1 3^2": index^term of all in memory.
  std::string log_of(uint32_t id) const;
  // Replaces what the disk holds, before restart(). A state holds everything up to `index` then.
  void set_state(uint32_t id, uint64_t index, uint64_t term);
  void set_disk(uint32_t id, HardState hard_state, std::vector<Entry> entries);

 private:
  struct Write {
    Ticket ticket;
    std::optional<HardState> hard_state;
    std::vector<Entry> entries;
    Instant due;
  };
  struct Server {
    std::unique_ptr<Raft> raft;
    Options options;
    Recovered disk;
    std::deque<Write> writes;
    bool stalled = false;
    Index state_needed;
    Seen seen;
  };

  void start(uint32_t id);
  template <class Input>
  auto step(uint32_t id, Input input);
  void take(uint32_t id, const StepFacts& before);
  void check(const std::optional<std::string>& wrong) const;
  void say(const std::string& line);
  static void write_to(Recovered& disk, const Write& write);

  Setup setup_;
  Configuration configuration_;
  std::map<uint32_t, Server> servers_;
  std::map<std::pair<uint32_t, uint32_t>, std::deque<Message>> links_;
  std::set<std::pair<uint32_t, uint32_t>> cut_;
  ClusterInvariants invariants_;
  Instant now_ = Instant(std::chrono::seconds(1000));
  uint64_t next_boot_ = 1;
};

// What the leader knows of a peer. REQUIRES: it leads.
inline const Progress& progress_of(const Cluster& cluster, uint32_t leader, uint32_t peer) {
  return std::get<Leader>(cluster.at(leader).role()).progress.at(ServerId(peer));
}

}  // namespace quorate::raft::testing
