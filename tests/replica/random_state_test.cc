// Checkpoints, cut logs, snapshots and lost states in random order: whatever happened, the servers come to
// one state, and nothing that was acknowledged is missing from it.
#include <gtest/gtest.h>

#include "base/random.h"
#include "tests/replica/state_cluster.h"

namespace quorate::server {
namespace {

using test::kMs;
using test::small_options;
using test::StateCluster;

class History {
 public:
  explicit History(uint64_t seed) : random_(seed), cluster_(3, options(random_)) {
    cluster_.spread(20 + random_.below(400));
    cluster_.set_filter([this](PeerMessage& message) {
      auto* chunk = std::get_if<SnapshotChunk>(&message.body);
      if (chunk == nullptr) return true;
      ++parts_;
      if (random_.chance(damage_) && !chunk->records.empty()) {
        std::string bytes(chunk->records.view());
        bytes[random_.below(bytes.size())] ^= 1;
        chunk->records = Bytes(bytes);
      }
      return !random_.chance(damage_);
    });
  }

  void run() {
    for (int i = 0; i < 60; ++i) step();
    damage_ = 0;
    for (uint32_t id = 1; id <= 3; ++id) {
      cluster_.heal(ServerId(id));
      cluster_.resume_disk(ServerId(id));
      cluster_.resume_store(ServerId(id));
      if (!up(id)) cluster_.start(ServerId(id));
    }
    cluster_.advance(3'000 * kMs);
    cluster_.fill(50);
    cluster_.advance(3'000 * kMs);
    ASSERT_TRUE(cluster_.same_everywhere());
    for (uint32_t id = 1; id <= 3; ++id) {
      EXPECT_EQ(cluster_.node(ServerId(id)).failed, "");
      EXPECT_FALSE(cluster_.replica(ServerId(id)).status().receiving);
      EXPECT_EQ(cluster_.replica(ServerId(id)).state().check_consistency(), std::nullopt);
      const test::FakeStore& store = cluster_.node(ServerId(id)).store;
      EXPECT_EQ(store.name().has_value(), store.load().has_value());
    }
  }
  size_t parts() const { return parts_; }

 private:
  static ReplicaOptions options(Random& random) {
    ReplicaOptions options = small_options();
    options.checkpoint_dirty_bytes = 2'000 + random.below(20'000);
    options.log_kept_bytes = random.below(10'000);
    options.dirty_bytes_max = 40'000;
    options.capture_slice_bytes = 500 + random.below(5'000);
    options.snapshot_chunk_bytes = 300 + random.below(5'000);
    return options;
  }
  bool up(uint32_t id) { return cluster_.node(ServerId(id)).replica != nullptr; }

  // One server at a time is in trouble, so that the other two can always go on.
  void step() {
    cluster_.try_write();
    cluster_.fill(random_.below(60));
    if (troubled_ != ServerId()) {
      if (random_.chance(0.4)) help();
      return;
    }
    troubled_ = ServerId(static_cast<uint32_t>(1 + random_.below(3)));
    // Who has no state cannot stand in for the others.
    for (uint32_t id = 1; id <= 3; ++id) {
      if (cluster_.replica(ServerId(id)).status().receiving) troubled_ = ServerId(id);
    }
    damage_ = random_.chance(0.3) ? 0.1 : 0;
    switch (random_.below(5)) {
      case 0:
        cluster_.kill(troubled_);
        break;
      case 1:
        cluster_.kill(troubled_);
        cluster_.node(troubled_).store.discard();
        break;
      case 2:
        cluster_.cut(troubled_);
        break;
      case 3:
        cluster_.stall_store(troubled_);
        break;
      default:
        cluster_.stall_disk(troubled_);
        break;
    }
    cluster_.advance(Duration(random_.below(600) * kMs));
  }
  void help() {
    cluster_.heal(troubled_);
    cluster_.resume_store(troubled_);
    if (random_.chance(0.3) && up(troubled_.value())) cluster_.kill(troubled_);
    cluster_.resume_disk(troubled_);
    if (!up(troubled_.value())) cluster_.start(troubled_);
    troubled_ = ServerId();
    cluster_.elect();
    // Sometimes it gets no time to catch up before the next one is in trouble.
    if (random_.chance(0.8)) cluster_.advance(1'500 * kMs);
    if (cluster_.elect() == ServerId()) throw std::runtime_error("no leader");
  }

  Random random_;
  StateCluster cluster_;
  ServerId troubled_;
  double damage_ = 0;
  size_t parts_ = 0;
};

TEST(RandomState, ServersComeToOneStateWhateverTheyLost) {
  size_t parts = 0;
  for (uint64_t seed = 1; seed <= 25; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    History history(seed);
    history.run();
    parts += history.parts();
    if (HasFatalFailure()) return;
  }
  EXPECT_GT(parts, 100U);
}

}  // namespace
}  // namespace quorate::server
