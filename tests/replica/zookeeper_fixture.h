// Replicas with clients of ZooKeeper's protocol.
#pragma once

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "tests/replica/cluster.h"

namespace quorate::server::test {

namespace zk = zookeeper;

inline const zk::Acl kOpen = {{31, "world", "anyone"}};

inline zk::Create create(std::string path, std::string data = {},
                         zk::CreateMode mode = zk::CreateMode::kPersistent) {
  return {zk::OpCode::kCreate, std::move(path), std::move(data), kOpen, static_cast<int32_t>(mode), 0};
}

class ReplicaZookeeper : public ::testing::Test {
 protected:
  void form(uint32_t servers = 3, ReplicaOptions options = {}) {
    cluster.emplace(servers, std::move(options));
    leader = cluster->elect();
    ASSERT_NE(leader, ServerId());
    follower = servers == 1 ? leader : cluster->follower();
  }
  void hello(ServerId server, ConnectionId connection, zk::ConnectRequest request = {}) {
    request.timeout_ms = request.timeout_ms == 0 ? 5'000 : request.timeout_ms;
    ZookeeperConnect connect{std::move(request), {}, "10.0.0.1", {}};
    connect.fresh[0] = connect.nonce[0] = static_cast<uint8_t>(connection.value() + 100);
    cluster->replica(server).step(cluster->now(), ZookeeperReceived{{connection, std::move(connect)}});
    cluster->settle();
  }
  void ask(ServerId server, ConnectionId connection, int32_t xid, zk::RequestBody body) {
    cluster->replica(server).step(cluster->now(),
                                  ZookeeperReceived{{connection, zk::Request{xid, std::move(body)}}});
  }
  std::optional<zk::ConnectReply> welcome(ServerId server, ConnectionId connection) {
    for (int i = 0; i < 10'000; ++i) {
      const auto replies = cluster->events<zk::ConnectReply>(server, connection);
      if (!replies.empty()) return replies.front();
      if (cluster->node(server).closed.contains(connection)) return std::nullopt;
      cluster->advance(kMs);
    }
    return std::nullopt;
  }
  // A session on that connection.
  zk::ConnectReply open(ServerId server, ConnectionId connection, zk::ConnectRequest request = {}) {
    hello(server, connection, std::move(request));
    const auto reply = welcome(server, connection);
    EXPECT_TRUE(reply.has_value());
    return reply.value_or(zk::ConnectReply());
  }
  std::vector<zk::Reply> replies(ServerId server, ConnectionId connection) {
    return cluster->events<zk::Reply>(server, connection);
  }
  // Asks, and advances until it is answered.
  zk::Reply call(ServerId server, ConnectionId connection, zk::RequestBody body) {
    const size_t before = replies(server, connection).size();
    ask(server, connection, 1'000'000, std::move(body));
    cluster->settle();
    for (int i = 0; i < 10'000; ++i) {
      const auto all = replies(server, connection);
      if (all.size() > before) return all.back();
      cluster->advance(kMs);
    }
    ADD_FAILURE() << "no answer in the test";
    return {};
  }
  std::string data_of(const zk::Reply& reply) {
    const auto* data = std::get_if<zk::DataReply>(&reply.body);
    return data == nullptr ? "none" : data->data;
  }
  bool closed(ServerId server, ConnectionId connection) {
    return cluster->node(server).closed.contains(connection);
  }

  std::optional<Cluster> cluster;
  ServerId leader, follower;
};

}  // namespace quorate::server::test
