// Three real servers on loopback.
#include <gtest/gtest.h>

#include <csignal>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "tests/server/server_process.h"

namespace quorate::server {
namespace {

TEST(QuoratedCluster, FormsAndServesThroughEveryServer) {
  TestCluster cluster;
  ASSERT_TRUE(cluster.leader().has_value()) << cluster.process(0).said();
  ASSERT_TRUE(cluster.write_through(0, "/a", "1"));
  for (size_t server = 0; server < 3; ++server) {
    TestClient client(cluster.client_port(server));
    ASSERT_TRUE(client.open_session());
    EXPECT_EQ(client.get("/a"), "1") << "a linearizable read through server " << server + 1;
  }
}

TEST(QuoratedCluster, AThousandReadsMoveNeitherTheLogNorTheDisk) {
  TestCluster cluster;
  const auto leader = cluster.leader();
  ASSERT_TRUE(leader.has_value());
  ASSERT_TRUE(cluster.write_through(*leader, "/read", "often"));
  TestClient near(cluster.client_port(*leader)), far(cluster.client_port((*leader + 1) % 3));
  ASSERT_TRUE(near.open_session());
  ASSERT_TRUE(far.open_session());
  const auto what_moved = [&] {
    std::vector<uint64_t> marks;
    for (size_t server = 0; server < 3; ++server) {
      marks.push_back(status_of(cluster.client_port(server))->last_index());
      marks.push_back(cluster.process(server).bytes_written());
    }
    return marks;
  };
  // What the writes before left to tidy up ends; what reads would cause never does.
  EXPECT_TRUE(eventually([&] {
    const auto before = what_moved();
    for (int i = 0; i < 500; ++i) {
      if (near.get("/read") != "often" || far.get("/read") != "often") return false;
    }
    return what_moved() == before;
  }));
}

TEST(QuoratedCluster, MembersAreFoundByTheirNames) {
  const auto ports = free_ports(4);
  TemporaryFolder folder;
  const auto arguments = [&](size_t server) {
    return std::vector<std::string>{
        "--id",
        std::to_string(server + 1),
        "--data",
        folder.path() + "/" + std::to_string(server + 1),
        "--client",
        "127.0.0.1:" + std::to_string(ports[2 + server]),
        "--cluster",
        "1=localhost:" + std::to_string(ports[0]) + ",2=localhost:" + std::to_string(ports[1]),
        "--segment-bytes",
        "4MiB"};
  };
  ServerProcess first(arguments(0)), second(arguments(1));
  EXPECT_TRUE(eventually([&] {
    const auto status = status_of(ports[2]);
    return status && status->leader() != 0;
  })) << first.said();
}

TEST(QuoratedCluster, AStatusNamesEveryMemberWithItsAddresses) {
  TestCluster cluster;
  ASSERT_TRUE(cluster.leader().has_value());
  EXPECT_TRUE(eventually([&] {
    const auto status = status_of(cluster.client_port(0));
    if (!status || status->members_size() != 3 || !status->may_vote()) return false;
    for (int i = 0; i < 3; ++i) {
      const auto& member = status->members(i);
      const auto server = static_cast<size_t>(i);
      if (member.client_address() != "127.0.0.1:" + std::to_string(cluster.client_port(server))) return false;
      if (member.peer_address() != "127.0.0.1:" + std::to_string(cluster.peer_port(server))) return false;
    }
    return true;
  }));
}

TEST(QuoratedCluster, WaitsForAMemberThatIsMissingAndNamesIt) {
  const auto ports = free_ports(3);
  TemporaryFolder folder;
  ServerProcess lonely(
      {"--id", "1", "--data", folder.path() + "/d", "--client", "127.0.0.1:" + std::to_string(ports[0]),
       "--cluster", "1=127.0.0.1:" + std::to_string(ports[1]) + ",2=127.0.0.1:" + std::to_string(ports[2])});
  EXPECT_TRUE(eventually([&] {
    return lonely.said().find("2 (127.0.0.1:" + std::to_string(ports[2]) + ")") != std::string::npos;
  }));
  const auto status = status_of(ports[0]);
  ASSERT_TRUE(status.has_value());
  EXPECT_EQ(status->cluster(), 0u);
  lonely.signal(SIGTERM);
  EXPECT_EQ(lonely.wait(), 0);
}

TEST(QuoratedCluster, AnotherLeadsWhenTheLeaderIsKilled) {
  TestCluster cluster;
  const auto first = cluster.leader();
  ASSERT_TRUE(first.has_value());
  ASSERT_TRUE(cluster.write_through(*first, "/before", "x"));
  cluster.kill(*first);
  const auto second = cluster.leader();
  ASSERT_TRUE(second.has_value());
  EXPECT_NE(*second, *first);
  ASSERT_TRUE(cluster.write_through(*second, "/after", "y"));
  cluster.start(*first);
  EXPECT_TRUE(eventually([&] {
    TestClient client(cluster.client_port(*first));
    return client.open_session() && client.get("/before") == "x" && client.get("/after") == "y";
  })) << cluster.process(*first).said();
}

TEST(QuoratedCluster, ALeaderThatIsAskedToStopHandsOver) {
  TestCluster cluster;
  const auto first = cluster.leader();
  ASSERT_TRUE(first.has_value());
  cluster.process(*first).signal(SIGTERM);
  EXPECT_EQ(cluster.process(*first).wait(), 0);
  EXPECT_EQ(cluster.process(*first).said().find("could not be handed over"), std::string::npos)
      << cluster.process(*first).said();
  EXPECT_EQ(cluster.terminate(*first), 0);
  const auto second = cluster.leader();
  ASSERT_TRUE(second.has_value());
  EXPECT_NE(*second, *first);
}

// A terminal that is closed tells twice: by its shell, and by the kernel.
TEST(QuoratedCluster, ASecondHangupDoesNotCutTheStopShort) {
  std::signal(SIGHUP, SIG_DFL);  // a test under nohup would hand on that it is ignored
  TestCluster cluster;
  const auto first = cluster.leader();
  ASSERT_TRUE(first.has_value());
  // Nobody takes over, so that the stop takes a while.
  for (size_t server = 0; server < 3; ++server)
    if (server != *first) cluster.process(server).signal(SIGSTOP);
  cluster.process(*first).signal(SIGHUP);
  ASSERT_TRUE(eventually([&] {
    return cluster.process(*first).said().find("stopping") != std::string::npos;
  }));
  cluster.process(*first).signal(SIGHUP);
  EXPECT_EQ(cluster.process(*first).wait(), 0) << cluster.process(*first).said();
}

TEST(QuoratedCluster, GarbageOnBothPortsHarmsNobody) {
  TestCluster cluster;
  const auto leader = cluster.leader();
  ASSERT_TRUE(leader.has_value());
  const uint64_t term = status_of(cluster.client_port(*leader))->term();
  TestClient client(cluster.client_port(*leader));
  ASSERT_TRUE(client.open_session());
  ASSERT_EQ(client.create("/g", ""), 0);
  for (const uint16_t port : {cluster.client_port(*leader), cluster.peer_port(*leader)}) {
    for (const std::string& garbage :
         {std::string("GET / HTTP/1.1\r\n\r\n"), std::string(100'000, '\xff'), std::string(64, '\0'),
          std::string("QUORATE1\xff\xff\xff\xff"), std::string("QUORATE1\x04\0\0\0\xff\xff\xff\xff", 16)}) {
      TestClient bad(port);
      bad.send_raw(garbage);
      EXPECT_EQ(client.set("/g", "still here"), 0);
    }
  }
  EXPECT_EQ(client.get("/g"), "still here");
  EXPECT_EQ(status_of(cluster.client_port(*leader))->term(), term);
  EXPECT_TRUE(eventually([&] {
    const std::string said = cluster.process(*leader).said();
    return said.find("client connection") != std::string::npos &&
           said.find("peer connection") != std::string::npos;
  })) << "each is a line in the log";
}

TEST(QuoratedCluster, AWipedFolderComesBackAndDoesNotVote) {
  TestCluster cluster;
  const auto leader = cluster.leader();
  ASSERT_TRUE(leader.has_value());
  const size_t wiped = (*leader + 1) % 3;
  cluster.kill(wiped);
  std::filesystem::remove_all(cluster.folder(wiped));
  cluster.start(wiped);
  ASSERT_TRUE(cluster.write_through(*leader, "/w", "data"));
  EXPECT_TRUE(eventually([&] {
    const auto status = status_of(cluster.client_port(wiped));
    const auto theirs = status_of(cluster.client_port(*leader));
    return status && theirs && status->cluster() == theirs->cluster() && !status->may_vote() &&
           status->applied() == theirs->applied();
  })) << cluster.process(wiped).said();
  EXPECT_TRUE(status_of(cluster.client_port(*leader))->may_vote());
}

}  // namespace
}  // namespace quorate::server
