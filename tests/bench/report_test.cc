#include "tests/bench/report.h"

#include <gtest/gtest.h>

namespace quorate::bench {
namespace {

Report sample() {
  Report report;
  report.machine = {2, "A \"quick\" CPU", "6.1", "ext4 on /dev/vda"};
  report.seconds = 5;
  report.attach = "leader";
  report.floors = Floors{90, 55, 240};
  report.rows.push_back(
      {Work::kSet, 1, Figures{4000, 250, 400, 1234}, "null cluster", {5000, 200, 300, 12345}});
  report.rows.push_back({Work::kGet, 1024, std::nullopt, "null server", {2'170'000, 450, 999.7, 2'000'000}});
  report.failover = FailoverTimes{{80, 90, 100, 130}};
  report.idle_percent = 3.25;
  return report;
}

TEST(Report, TheTableIsAlignedAndSaysTheAims) {
  EXPECT_EQ(as_table(sample()),
            R"(machine: 2 cores, A "quick" CPU; Linux 6.1; ext4 on /dev/vda
load: 100-byte values, 1000 keys, 5.0 s after 1 s of warm-up, clients attached to the leader
floor: fdatasync of 256 bytes (F) 90 us, loopback round trip (R) 55 us, L* 240 us

work  clients  Quorate ops/s     p50     p99    p99.9        beside      ops/s     p50      p99    p99.9  ops/s ratio  p50 ratio
set         1          4,000  250 us  400 us  1.23 ms  null cluster      5,000  200 us   300 us  12.3 ms         80 %     1.25 x
get     1,024              -       -       -        -   null server  2,170,000  450 us  1.00 ms   2.00 s            -          -

failover, SIGKILL of the leader to the next acknowledged write, 4 rounds: median 95.0 ms, max 130.0 ms
idle: 3.2 % of one core for all three servers

aim: set, 1 client, p50 at most 1.50 x the null cluster's   1.25 x     met
aim: failover, median at most 100 ms                       95.0 ms     met
aim: idle cluster at most 3.0 % of one core                  3.2 %  missed
)");
}

TEST(Report, JsonHoldsTheSame) {
  EXPECT_EQ(
      as_json(sample()),
      R"({"machine": {"cores": 2, "cpu": "A \"quick\" CPU", "kernel": "6.1", "file_system": "ext4 on /dev/vda"}, )"
      R"("seconds": 5.000, "attach": "leader", "floors": {"f_us": 90.0, "r_us": 55.0, "l_us": 240.0}, "loads": [)"
      R"({"work": "set", "clients": 1, "quorate": {"ops_per_s": 4000.0, "p50_us": 250.0, "p99_us": 400.0, )"
      R"("p999_us": 1234.0}, "beside": "null cluster", "floor": {"ops_per_s": 5000.0, "p50_us": 200.0, )"
      R"("p99_us": 300.0, "p999_us": 12345.0}}, )"
      R"({"work": "get", "clients": 1024, "beside": "null server", "floor": {"ops_per_s": 2170000.0, )"
      R"("p50_us": 450.0, "p99_us": 999.7, "p999_us": 2000000.0}}], )"
      R"("failover": {"median_ms": 95.00, "max_ms": 130.00, "rounds_ms": [80.00, 90.00, 100.00, 130.00]}, )"
      R"("idle_percent": 3.25})"
      "\n");
}

TEST(Report, WhatWritesFeltOfCheckpointsIsShownPairByPair) {
  Report report;
  report.checkpoint =
      Disturbance{20'000,
                  110'000,
                  {{1'000, 1'100, 1.05, 400}, {1'000, 1'500, 1.1, 500}, {2'000, 2'400, 1.01, 450}},
                  2,
                  false};
  const std::string table = as_table(report);
  EXPECT_NE(table.find(R"(
checkpoints  plain p99  p99 during   ratio  two plain ones  it took
pair 1         1.00 ms     1.10 ms  1.10 x          1.05 x   400 ms
pair 2         1.00 ms     1.50 ms  1.50 x          1.10 x   500 ms
pair 3         2.00 ms     2.40 ms  1.20 x          1.01 x   450 ms
median                              1.20 x          1.05 x
20,000 writes/s, half of what 256 clients reach; 110,000 nodes; 2 pairs were taken again
)"),
            std::string::npos)
      << table;
  EXPECT_NE(table.find("runs, at most 1.3 x  1.20 x  met"), std::string::npos) << table;
  report.checkpoint->unquiet = true;
  EXPECT_NE(as_table(report).find("the machine was not quiet"), std::string::npos);
  EXPECT_NE(
      as_json(report).find(R"("checkpoint": {"ops_per_s": 20000.0, "nodes": 110000, "ratio": 1.200, )"
                           R"("plains_ratio": 1.050, "repeated": 2, "unquiet": true, "pairs": [)"
                           R"({"plain_p99_us": 1000.0, "during_p99_us": 1100.0, "plains_ratio": 1.050, )"
                           R"("during_ms": 400}, )"),
      std::string::npos)
      << as_json(report);
}

TEST(Report, HandOversAreHeldAgainstTheFloorOfTheirRun) {
  Report report;
  report.floors = Floors{90, 55, 200};
  report.waiters.push_back({100, 280, 700, 330, {980, 1'050}, 1'000, 100, 100, true});
  std::string table = as_table(report);
  EXPECT_NE(table.find(R"(
waiters for one lock  released, p50     p99  session closed, p50  killed, timeout  slowest  hand-overs  woken  order of arrival
100                          280 us  700 us               330 us          1000 ms  1050 ms         100    100               yes
)"),
            std::string::npos)
      << table;
  for (const char* aim : {"hand-over, 100 waiters, p50 at most 1.3 L* + 25 us = 285 us",
                          "in the order of arrival", "+ 100 ms"}) {
    const size_t at = table.find(aim);
    ASSERT_NE(at, std::string::npos) << table;
    EXPECT_EQ(table.substr(table.find('\n', at) - 5, 5), "  met") << table;
  }
  EXPECT_NE(table.find("330 us  missed"), std::string::npos) << table;  // above 1.5 * 200 + 25
  report.waiters[0].woken = 101;
  report.waiters[0].killed_ms.push_back(1'101);
  table = as_table(report);
  EXPECT_NE(table.find("1.01  missed"), std::string::npos) << table;
  EXPECT_NE(table.find("101 ms  missed"), std::string::npos) << table;
  EXPECT_NE(as_json(report).find(R"("waiters": [{"waiters": 100, "released_p50_us": 280.0, )"),
            std::string::npos);
}

TEST(Report, ARestartIsShownBesideABareScan) {
  Report report;
  report.restart = Restarts{1'000'000, {1.5, 1.2, 9}, {0.2, 0.3, 0.1}};
  const std::string table = as_table(report);
  EXPECT_NE(table.find(R"(
restart of a server with 1,000,000 nodes  to its first read  bare scan
round 1                                              1.50 s     0.20 s
)"),
            std::string::npos)
      << table;
  EXPECT_NE(table.find("7.5 x  missed"), std::string::npos) << table;
  report.restart->restarts.front() = 1.4;
  EXPECT_NE(as_table(report).find("7.0 x  met"), std::string::npos) << as_table(report);
  EXPECT_NE(as_json(report).find(
                R"("restart": {"nodes": 1000000, "ratio": 7.00, "rounds": [{"restart_s": 1.400, )"),
            std::string::npos)
      << as_json(report);
}

TEST(Report, WhatWasNotMeasuredIsLeftOut) {
  const std::string table = as_table(Report{});
  EXPECT_EQ(table.find("floor:"), std::string::npos);
  EXPECT_EQ(table.find("failover"), std::string::npos);
  EXPECT_EQ(table.find("aim:"), std::string::npos);
}

}  // namespace
}  // namespace quorate::bench
