// What quorate top makes of two looks at a cluster.
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <algorithm>

#include "client/cli/top_report.h"

namespace quorate::cli {
namespace {

using client::LatencyBucket;
using std::chrono::microseconds;

ServerView server(milliseconds at, std::vector<LatencyBucket> reads, std::vector<LatencyBucket> writes = {}) {
  ServerView view;
  view.address = "127.0.0.1:2181";
  client::ServerStatus& status = view.status.emplace();
  status.role = client::Role::kFollower;
  status.connections = 3;
  status.served = client::RequestFigures{at, std::move(reads), std::move(writes)};
  return view;
}

TopLook look(ServerView one) {
  TopLook look;
  look.cluster.servers[ServerId(1)] = std::move(one);
  return look;
}

TEST(TopReport, RatesAreDifferencesByTheServersOwnClock) {
  const TopLook before = look(server(milliseconds(1'000), {{microseconds(10), 100}, {microseconds(99), 4}}));
  const TopLook now = look(server(milliseconds(3'000), {{microseconds(10), 196}, {microseconds(99), 8}},
                                  {{microseconds(500), 50}}));
  const TopReport report = top_report(before, now);
  ASSERT_EQ(report.servers.size(), 1U);
  const Load& load = *report.servers[0].load;
  EXPECT_DOUBLE_EQ(load.reads_per_second, 50);
  EXPECT_DOUBLE_EQ(load.writes_per_second, 25);
  EXPECT_EQ(load.read->p50, microseconds(10));
  EXPECT_EQ(load.read->p99, microseconds(99));
  EXPECT_EQ(load.write->p50, microseconds(500));
  EXPECT_FALSE(top_report(now, now).servers[0].load) << "no time went by";
}

TEST(TopReport, AServerThatWasStartedAnewHasNoRatesYet) {
  const TopLook before = look(server(milliseconds(1'000), {{microseconds(10), 100}}));
  const TopLook now = look(server(milliseconds(2'000), {{microseconds(10), 99}}));
  EXPECT_FALSE(top_report(before, now).servers[0].load);
  EXPECT_FALSE(top_report(std::nullopt, now).servers[0].load) << "the first look";
}

TEST(TopReport, WhatIsWrongWithAServerIsNoted) {
  ServerView full = server(milliseconds(0), {});
  full.problem = "its disk is full";
  const TopReport report = top_report(std::nullopt, look(std::move(full)));
  EXPECT_EQ(std::count(report.notes.begin(), report.notes.end(), "server 1: its disk is full"), 1);
}

TEST(TopReport, AllIsTheSumWithTheLatenciesOfAll) {
  TopLook before = look(server(milliseconds(0), {}));
  before.cluster.servers[ServerId(2)] = server(milliseconds(0), {});
  TopLook now = look(server(milliseconds(1'000), {{microseconds(10), 90}}));
  now.cluster.servers[ServerId(2)] = server(milliseconds(1'000), {{microseconds(7'000), 10}});
  const TopReport report = top_report(before, now);
  EXPECT_DOUBLE_EQ(report.all.reads_per_second, 100);
  EXPECT_EQ(report.all.read->p50, microseconds(10));
  EXPECT_EQ(report.all.read->p99, microseconds(7'000));
  EXPECT_FALSE(report.all.write);
  const auto lines = top_lines(report);
  EXPECT_TRUE(std::any_of(lines.begin(), lines.end(), [](const TopLine& line) {
    return line.text.starts_with("all") && line.text.find("7.0ms") != std::string::npos;
  }));
}

TEST(TopReport, AnOlderServerIsSaidToBeOne) {
  ServerView old = server(milliseconds(0), {});
  old.status->served.reset();
  const TopReport report = top_report(look(old), look(old));
  EXPECT_FALSE(report.servers[0].load);
  ASSERT_EQ(report.notes.size(), 1U);
  EXPECT_EQ(report.notes[0], "server 1 does not tell its figures: it is older than this program");
}

TEST(TopReport, PathsOfAllServersAddUpTheHottestFirst) {
  TopLook now = look(server(milliseconds(0), {}));
  now.hot[ServerId(1)] = {{{"/a", 30, 0}, {"/b", 25, 0}}, milliseconds(10'000), 0};
  now.hot[ServerId(2)] = {{{"/b", 10, 0}}, milliseconds(5'000), 2};
  const TopReport report = top_report(std::nullopt, now);
  ASSERT_EQ(report.paths.size(), 2U);
  EXPECT_EQ(report.paths[0].path, "/b");
  EXPECT_DOUBLE_EQ(report.paths[0].requests_per_second, 4.5);
  EXPECT_DOUBLE_EQ(report.paths[1].requests_per_second, 3);
  EXPECT_EQ(report.hidden_paths, 2U);
  EXPECT_EQ(report.notes.back(), "hotter paths are not shown: you may not read them (--credentials)");
}

TEST(TopReport, LocksThatMostWaitForComeFirst) {
  TopLook now = look(server(milliseconds(0), {}));
  client::LockInfo lock;
  for (const auto& [path, waiters] : std::map<std::string, size_t>{{"/free", 0}, {"/one", 1}, {"/two", 2}}) {
    lock.path = path;
    lock.waiters.resize(waiters);
    now.locks.push_back(lock);
  }
  lock.path = "/many";
  lock.more = 1'000;
  now.locks.push_back(lock);
  const nlohmann::json json = top_json(top_report(std::nullopt, now));
  ASSERT_EQ(json["locks"].size(), 3U) << json.dump();
  EXPECT_EQ(json["locks"][0]["path"], "/many");
  EXPECT_EQ(json["locks"][0]["waiters"], 1'002);
  EXPECT_EQ(json["locks"][2]["path"], "/one");
}

TEST(TopReport, NoMoreIsShownThanFits) {
  TopLook now = look(server(milliseconds(0), {}));
  client::HotPaths hot;
  hot.window = milliseconds(1'000);
  for (uint64_t i = 0; i < 50; ++i) hot.paths.push_back({"/" + std::to_string(i), 100 + i, 0});
  now.hot[ServerId(1)] = hot;
  client::LockInfo lock;
  lock.waiters.resize(1);
  now.locks.assign(50, lock);
  const TopReport report = top_report(std::nullopt, now);
  EXPECT_EQ(report.paths.size(), kTopPaths);
  EXPECT_EQ(report.paths[0].path, "/49");
  EXPECT_EQ(report.locks.size(), kTopLocks);
}

}  // namespace
}  // namespace quorate::cli
