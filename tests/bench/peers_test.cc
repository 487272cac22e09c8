// The table of several systems, and who leads among a peer's servers.
#include "tests/bench/peers.h"

#include <gtest/gtest.h>

#include "tests/bench/peer_servers.h"

namespace quorate::bench {
namespace {

PeersReport sample_of_peers() {
  PeersReport report;
  report.machine = {2, "CPU", "6.1", "ext4 on /dev/vda"};
  report.seconds = 5;
  PeersRow row{Work::kSet, 64, {}};
  row.rounds[0] = {
      {50'000, 1'000, 2'500, 3'000}, {40'000, 1'200, 2'000, 3'000}, {45'000, 1'100, 9'000, 9'900}};
  row.rounds[1] = {{60'000, 900, 1'500, 3'000}};
  row.rounds[2] = {{9'000, 6'000, 9'000, 80'000}, {11'000, 5'000, 11'000, 90'000}};
  report.rows.push_back(row);
  PeersRow get{Work::kGet, 1, {}};
  get.rounds[3] = {{3'000, 280, 999, 2'000}};
  report.rows.push_back(get);
  return report;
}

TEST(Peers, TheTableShowsMediansBesideZookeepers) {
  EXPECT_EQ(as_table(sample_of_peers()),
            R"(machine: 2 cores, CPU; Linux 6.1; ext4 on /dev/vda
load: 100-byte values, 1000 keys, 5.0 s after 1 s of warm-up, medians of 3 rounds, clients attached to the leader
Over ZooKeeper's protocol the server attached to answers a get; the other two are linearizable.

work  clients                         system   ops/s      p50      p99  ops/s of ZooKeeper's  p50 of its  p99 of its
set        64  Quorate, ZooKeeper's protocol  45,000  1.10 ms  2.50 ms                4.50 x      0.20 x      0.25 x
set        64      Quorate, its own protocol  60,000   900 us  1.50 ms                6.00 x      0.16 x      0.15 x
set        64                      ZooKeeper  10,000  5.50 ms  10.0 ms                1.00 x      1.00 x      1.00 x
get         1                     etcd, gRPC   3,000   280 us   999 us                     -           -           -

aim: set, 64 clients, Quorate, ZooKeeper's protocol: at least 4.00 x the ops/s of ZooKeeper  4.50 x  met
aim: set, 64 clients, Quorate, ZooKeeper's protocol: at most 0.25 x the p99 of ZooKeeper     0.25 x  met
)");
}

TEST(Peers, AMissedAimSaysSo) {
  PeersReport report = sample_of_peers();
  report.rows[0].work = Work::kGet;
  report.rows[0].rounds[0] = {{19'999, 1'000, 2'501, 3'000}};
  const std::string table = as_table(report);
  EXPECT_NE(table.find("at least 2.00 x the ops/s of ZooKeeper  2.00 x  missed"), std::string::npos) << table;
  EXPECT_NE(table.find("at most 0.25 x the p99 of ZooKeeper     0.25 x  missed"), std::string::npos) << table;
}

TEST(Peers, EtcdIsAPeerOfLocksToo) {
  PeersReport report;
  PeersRow row{Work::kLock, 1, {}};
  row.rounds[1] = {{2'000, 500, 900, 999}};
  row.rounds[3] = {{500, 2'000, 2'500, 3'000}};
  report.rows.push_back(row);
  const std::string table = as_table(report);
  EXPECT_NE(
      table.find("aim: lock, 1 clients, Quorate, its own protocol: at least 2.00 x the pairs/s of etcd, "
                 "gRPC  4.00 x  met"),
      std::string::npos)
      << table;
}

TEST(Peers, JsonHoldsEachRound) {
  const std::string json = as_json(sample_of_peers());
  EXPECT_NE(
      json.find(R"({"work": "get", "clients": 1, "system": "etcd, gRPC", "median": {"ops_per_s": 3000.0, )"
                R"("p50_us": 280.0, "p99_us": 999.0, "p999_us": 2000.0}, "rounds": [{"ops_per_s": 3000.0, )"
                R"("p50_us": 280.0, "p99_us": 999.0, "p999_us": 2000.0}]}]})"),
      std::string::npos)
      << json;
  EXPECT_NE(json.find(R"("ops_per_s": 9000.0, )"), std::string::npos) << json;
}

TEST(PeerServers, ZookeeperSaysItsMode) {
  EXPECT_EQ(zookeeper_leads("Zookeeper version: 3.8.0\nMode: leader\nNode count: 5\n"), true);
  EXPECT_EQ(zookeeper_leads("Zookeeper version: 3.8.0\nMode: follower\nNode count: 5\n"), false);
  EXPECT_EQ(zookeeper_leads("This ZooKeeper instance is not currently serving requests\n"), std::nullopt);
  EXPECT_EQ(zookeeper_leads(""), std::nullopt);
}

TEST(PeerServers, EtcdSaysWhoItIsAndWhoLeads) {
  EXPECT_EQ(etcd_leads(R"({"header":{"cluster_id":"1","member_id":"23","revision":"1"},"leader":"23"})"),
            true);
  EXPECT_EQ(etcd_leads(R"({"header":{"cluster_id":"1","member_id":"2","revision":"1"},"leader":"23"})"),
            false);
  EXPECT_EQ(etcd_leads(R"({"header":{"cluster_id":"1","member_id":"23","revision":"1"},"leader":"0"})"),
            std::nullopt);
  EXPECT_EQ(etcd_leads(R"({"header":{"cluster_id":"1","member_id":"23","revision":"1"}})"), std::nullopt);
  EXPECT_EQ(etcd_leads(""), std::nullopt);
}

}  // namespace
}  // namespace quorate::bench
