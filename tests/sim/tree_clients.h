// Clients that use what the tree can do beside registers: nodes of every kind, several operations at once,
// whole subtrees; and clients that are told every change. What they are told is compared with the model
// (tests/sim/model.h).
//
// Thread safety: none.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "tests/sim/workloads.h"

namespace quorate::sim {

inline constexpr const char* kTreeParent = "/tree";

// Containers, nodes with a time to live, multis, deletes of subtrees: a few paths, so that they meet.
class TreeClient final : public PeriodicClient {
 public:
  using PeriodicClient::PeriodicClient;

 private:
  void act() override;
  std::string folder();
  std::string leaf();
  kv::CreateOp create_folder();
  kv::CreateOp create_leaf();
  kv::MultiOp::Part part();
  void several();
  void look();
  // Counts it if it was done.
  void change(kv::Operation operation, uint64_t Statistics::*counter = nullptr);

  uint64_t next_value_ = 1;
};

// Feeds that come and go and are resumed wherever they were complete, over reconnects, moves and sessions.
class FeedClient final : public PeriodicClient {
 public:
  using PeriodicClient::PeriodicClient;
  Verdict at_end() const override;

 private:
  static constexpr size_t kFeedsMax = 3;
  struct Feed {
    std::string root;
    kv::WatchKind kind = kv::WatchKind::kTreeFeed;
    Zxid complete;
    bool live = false;
    bool asked = false;  // an answer is on its way over this connection
  };

  void on_ready(bool fresh) override;
  void on_feed(const kv::FeedBatch& batch) override;
  void on_progress(Zxid zxid) override;
  void act() override;
  void open();
  void ask(uint64_t id);
  void answered(uint64_t id, Zxid since, Zxid floor, const server::ClientReply& reply);
  void told(Feed& feed, Zxid up_to, const std::vector<Model::PastChange>& changes);
  void stop();
  void look();

  uint64_t next_id_ = 1;
  std::map<uint64_t, Feed> feeds_;
  std::set<uint64_t> stopped_;  // whose last batches may be on their way
  std::vector<Feed> left_;      // to be resumed some day
};

}  // namespace quorate::sim
