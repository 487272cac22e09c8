// Clusters under random histories: loss, duplication, reordering, crashes that lose unsynced writes, stalled
// disks, wiped folders, hints, transfers, snapshots. The invariants are checked by the cluster after each
// step; here it is checked that reads are linearizable, and that a healed cluster makes progress.
#include <gtest/gtest.h>

#include <map>
#include <sstream>

#include "base/random.h"
#include "tests/raft/cluster.h"

namespace quorate::raft::testing {
namespace {

class History {
 public:
  History(uint64_t seed, std::ostream* trace)
      : random_(seed),
        voters_(random_.chance(0.5) ? 3 : 5),
        cluster_({.voters = voters_, .learners = random_.below(2), .seed = seed, .trace = trace}) {
    loss_ = random_.chance(0.5) ? 0.0 : 0.2;
  }

  void run(int steps) {
    for (int i = 0; i < steps; ++i) {
      act();
      check_reads();
    }
    heal();
  }

  int elections() const { return elections_; }
  int reads() const { return reads_ready_; }

 private:
  uint32_t any_server() { return static_cast<uint32_t>(random_.below(cluster_.ids().size()) + 1); }

  void act() {
    const uint32_t id = any_server();
    const uint32_t other = any_server();
    const uint64_t dice = random_.below(1000);
    // Calm moments, without which nothing would ever be elected.
    if (random_.chance(0.004)) cluster_.wait(milliseconds(random_.below(600)));
    if (random_.chance(0.01)) cluster_.settle();
    if (dice < 450) return move_messages(id, other);
    if (dice < 460) return crash_or_wipe(id);
    if (!cluster_.up(id)) {
      if (random_.chance(0.2)) {
        cluster_.restart(id);
        reset_seen(id);
      }
      return;
    }
    if (dice < 650) {
      cluster_.persist(id, 1 + random_.below(3));
    } else if (dice < 800) {
      // A tick moves everybody's clock; only sometimes up to the next election.
      cluster_.advance(milliseconds(random_.below(4)));
      if (random_.chance(0.03)) cluster_.advance(milliseconds(300));
      cluster_.tick(id);
    } else if (dice < 900) {
      if (cluster_.at(id).is_leader()) (void)cluster_.propose(id, "p" + std::to_string(dice));
    } else if (dice < 950) {
      if (cluster_.at(id).is_leader()) read(id);
    } else if (dice < 960) {
      cluster_.unreachable(id, other);
    } else if (dice < 965) {
      (void)cluster_.transfer(id, 0);
    } else if (dice < 975) {
      cluster_.cut(id, other);
    } else if (dice < 985) {
      cluster_.heal();
    } else {
      checkpoint(id);
      install_snapshot(id);
    }
  }

  void move_messages(uint32_t from, uint32_t to) {
    if (from == to) return;
    if (random_.chance(0.02)) cluster_.duplicate(from, to);
    if (random_.chance(0.05)) cluster_.shuffle(from, to, random_);
    if (random_.chance(loss_)) {
      cluster_.drop(from, to);
    } else {
      cluster_.deliver(from, to, 1 + random_.below(6));
    }
  }

  void crash_or_wipe(uint32_t id) {
    cluster_.crash(id);
    if (random_.chance(0.02) && wiped_ == 0 && voters_ == 5) {
      wiped_ = id;
      cluster_.wipe(id);
      reset_seen(id);
    }
  }

  void read(uint32_t id) {
    Index newest;
    for (const uint32_t server : cluster_.ids()) {
      if (cluster_.up(server)) newest = std::max(newest, cluster_.at(server).committed());
    }
    ++context_;
    if (cluster_.read(id, context_).ok()) asked_[context_] = newest;
  }

  // Whoever may serve a read knows everything that was committed anywhere when it was asked.
  void check_reads() {
    for (const uint32_t id : cluster_.ids()) {
      for (const ReadReady& ready : cluster_.seen(id).reads_ready) {
        ++reads_ready_;
        if (ready.index < asked_.at(ready.context)) throw std::runtime_error("a read went back in time");
      }
      for (const RoleChange& change : cluster_.seen(id).changes) {
        if (change.role == RoleName::kLeader) ++elections_;
      }
      reset_seen(id);
    }
  }
  void reset_seen(uint32_t id) { cluster_.seen(id) = {}; }

  // The log is cut behind the checkpoint, or somewhere before it.
  void checkpoint(uint32_t id) {
    const Raft& raft = cluster_.at(id);
    const Index covered = std::min(raft.applied_index(), raft.durable_index());
    const Index begin = raft.log().snapshot_index();
    if (covered <= begin || random_.chance(0.5)) return;
    cluster_.set_state(id, covered.value(), raft.log().term_at(covered)->value());
    cluster_.compact(id, (begin + random_.below(covered - begin + 1)).value());
  }

  // Any server gives what it has applied, from anywhere behind what the other one has.
  void install_snapshot(uint32_t id) {
    const std::optional<Index> needed = cluster_.state_needed(id);
    if (!needed) return;
    for (const uint32_t donor : cluster_.ids()) {
      if (donor == id || !cluster_.up(donor) || cluster_.at(donor).applied_index() < *needed) continue;
      const Index least = std::max(*needed, cluster_.at(donor).log().snapshot_index());
      const Index most = cluster_.at(donor).applied_index();
      cluster_.install(id, donor, (least + random_.below(most - least + 1)).value());
      return;
    }
  }

  void heal() {
    loss_ = 0;
    cluster_.heal();
    for (const uint32_t id : cluster_.ids()) {
      if (!cluster_.up(id)) cluster_.restart(id);
      reset_seen(id);
    }
    for (int i = 0; i < 60; ++i) {
      cluster_.wait(milliseconds(100));
      for (const uint32_t id : cluster_.ids()) install_snapshot(id);
    }
    const uint32_t leader = cluster_.leader();
    if (leader == 0) throw std::runtime_error("the healed cluster has no leader");
    const Result<Index> last = cluster_.propose(leader, "last");
    if (!last.ok()) throw std::runtime_error("the healed cluster refuses proposals: " + last.error().message);
    cluster_.wait(milliseconds(100));
    for (const uint32_t id : cluster_.ids()) {
      if (cluster_.at(id).committed() != *last) {
        throw std::runtime_error("server " + std::to_string(id) + " does not catch up");
      }
    }
  }

  Random random_;
  size_t voters_;
  Cluster cluster_;
  double loss_ = 0;
  uint32_t wiped_ = 0;
  uint64_t context_ = 0;
  std::map<uint64_t, Index> asked_;
  int elections_ = 0;
  int reads_ready_ = 0;
};

TEST(ClusterProperty, RandomHistoriesKeepEveryInvariant) {
  constexpr uint64_t kHistories = 400;
  int elections = 0;
  int reads = 0;
  for (uint64_t seed = 1; seed <= kHistories; ++seed) {
    History history(seed, nullptr);
    try {
      history.run(3000);
    } catch (const std::exception& error) {
      std::ostringstream trace;
      try {
        History(seed, &trace).run(3000);
      } catch (const std::exception&) {
        // The same one again, with its trace.
      }
      const std::string text = trace.str();
      FAIL() << "seed " << seed << ": " << error.what() << "\n"
             << text.substr(text.size() - std::min<size_t>(text.size(), 6000));
    }
    elections += history.elections();
    reads += history.reads();
  }
  // The histories must not be idle ones.
  EXPECT_GT(elections, static_cast<int>(kHistories) * 4);
  EXPECT_GT(reads, static_cast<int>(kHistories) * 5);
  std::cout << elections << " elections, " << reads << " reads in " << kHistories << " histories\n";
}

}  // namespace
}  // namespace quorate::raft::testing
