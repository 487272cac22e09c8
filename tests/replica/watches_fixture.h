// One server, whose clients are told of changes.
#pragma once

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tests/replica/cluster.h"

namespace quorate::server::test {

struct TreeOperations {
  static kv::CreateOp create(std::string path, std::string data = {}) {
    kv::CreateOp op;
    op.path = std::move(path);
    op.data = std::move(data);
    return op;
  }
  static kv::SetOp set(std::string path, std::string data) {
    kv::SetOp op;
    op.path = std::move(path);
    op.data = std::move(data);
    return op;
  }
};

class ReplicaWatches : public ::testing::Test, public TreeOperations {
 protected:
  void form(ReplicaOptions options = {}) {
    cluster.emplace(1, std::move(options));
    ASSERT_NE(cluster->elect(), ServerId());
    ASSERT_EQ(cluster->open(kServer, kOne).code, ErrorCode::kOk);
  }
  Zxid run(kv::Operation operation) {
    const ClientReply reply =
        cluster->call(kServer, kOne, WriteRequest{++number, number, std::move(operation)});
    EXPECT_TRUE(reply.error.ok()) << reply.error.message;
    return reply.zxid;
  }
  ClientReply watch(std::string root, Zxid since = {}, bool recursive = true) {
    return cluster->call(kServer, kTwo, WatchSinceRequest{7, std::move(root), since, recursive});
  }
  std::vector<std::string> told() {
    std::vector<std::string> told;
    for (const auto& batch : cluster->events<kv::FeedBatch>(kServer, kTwo)) {
      for (const auto& change : batch.changes) {
        EXPECT_EQ(change.zxid, batch.zxid);
        told.push_back(change.path);
      }
    }
    return told;
  }

  const ServerId kServer{1};
  std::optional<Cluster> cluster;
  uint64_t number = 0;
};

}  // namespace quorate::server::test
