#include "server/shell/config.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <vector>

namespace quorate::server {
namespace {

CommandLine parse(std::vector<const char*> arguments) {
  arguments.insert(arguments.begin(), "quorated");
  return parse_command_line(static_cast<int>(arguments.size()), arguments.data());
}

// Refused with one line that contains `what`, and exit code 2.
void expect_mistake(std::vector<const char*> arguments, const std::string& what) {
  const CommandLine line = parse(std::move(arguments));
  ASSERT_FALSE(line.config.has_value());
  EXPECT_EQ(line.exit_code, 2);
  EXPECT_NE(line.text.find(what), std::string::npos) << line.text;
  EXPECT_EQ(std::count(line.text.begin(), line.text.end(), '\n'), 1) << line.text;
}

class ConfigFile : public testing::Test {
 protected:
  const char* write(const std::string& text) {
    path_ = testing::TempDir() + "quorated-config-" +
            std::to_string(::testing::UnitTest::GetInstance()->random_seed()) + ".toml";
    std::ofstream(path_) << text;
    return path_.c_str();
  }
  void TearDown() override { std::filesystem::remove(path_); }
  std::string path_;
};

constexpr const char* kThree = "1=127.0.0.1:7001,2=127.0.0.1:7002,3=127.0.0.1:7003";

TEST(CommandLine, WithoutFlagsIsOneServerAlone) {
  const CommandLine line = parse({});
  ASSERT_TRUE(line.config.has_value()) << line.text;
  EXPECT_EQ(line.config->id, ServerId(1));
  EXPECT_EQ(line.config->data, "./quorate-data");
  EXPECT_EQ(to_string(line.config->listen_client), "127.0.0.1:2181");
  EXPECT_EQ(line.config->cluster.size(), 1u);
  EXPECT_FALSE(line.config->listen_peer.has_value());
}

TEST(CommandLine, AMemberListensOnItsOwnAddressUnlessToldOtherwise) {
  const CommandLine line = parse({"--id", "2", "--cluster", kThree});
  ASSERT_TRUE(line.config.has_value()) << line.text;
  EXPECT_EQ(to_string(*line.config->listen_peer), "127.0.0.1:7002");
  const CommandLine other = parse({"--id", "2", "--cluster", kThree, "--listen-peer", "0.0.0.0:9"});
  ASSERT_TRUE(other.config.has_value()) << other.text;
  EXPECT_EQ(to_string(*other.config->listen_peer), "0.0.0.0:9");
}

TEST(CommandLine, ValuesArriveWithTheirUnits) {
  const CommandLine line = parse({"--election-timeout", "1s", "--heartbeat", "50ms", "--segment-bytes",
                                  "8MiB", "--session-timeout-max", "2m", "--client-connections-max", "5"});
  ASSERT_TRUE(line.config.has_value()) << line.text;
  EXPECT_EQ(line.config->raft.election_timeout_min, std::chrono::seconds(1));
  EXPECT_EQ(line.config->raft.election_timeout_max, std::chrono::seconds(2));
  EXPECT_EQ(line.config->raft.heartbeat_interval, std::chrono::milliseconds(50));
  EXPECT_EQ(line.config->raft.lease, std::chrono::milliseconds(150));
  EXPECT_EQ(line.config->wal.segment_bytes, 8u << 20);
  EXPECT_EQ(line.config->session_timeout_max_ms, 120'000u);
  EXPECT_EQ(line.config->clients.connections_max, 5u);
}

TEST(CommandLine, CheckpointsLimitsAndTheSuperUserArrive) {
  const std::string digest = "super:D/InIHSb7yEEbrWz8b9l71RjZJU=";
  const CommandLine line = parse({"--checkpoint-dirty-bytes",
                                  "3MiB",
                                  "--checkpoint-log-bytes",
                                  "5MiB",
                                  "--log-kept-bytes",
                                  "7MiB",
                                  "--history-bytes-max",
                                  "9KiB",
                                  "--uncommitted-bytes-max",
                                  "11MiB",
                                  "--super-digest",
                                  digest.c_str(),
                                  "--mixed-locks",
                                  "refuse",
                                  "--nodes-max",
                                  "1000",
                                  "--data-bytes-max",
                                  "2GiB",
                                  "--sessions-max",
                                  "17",
                                  "--session-timeout-min",
                                  "500ms",
                                  "--log-file",
                                  "events.log",
                                  "--rebuild-state"});
  ASSERT_TRUE(line.config.has_value()) << line.text;
  const ServerConfig& config = *line.config;
  EXPECT_EQ(config.checkpoint_dirty_bytes, 3u << 20);
  EXPECT_EQ(config.checkpoint_log_bytes, 5u << 20);
  EXPECT_EQ(config.log_kept_bytes, 7u << 20);
  EXPECT_EQ(config.kv.history_bytes_max, 9u << 10);
  EXPECT_EQ(config.raft.uncommitted_bytes_max, 11u << 20);
  EXPECT_EQ(config.super_digest, digest);
  EXPECT_TRUE(config.refuse_mixed_locks);
  EXPECT_EQ(config.nodes_max, 1'000u);
  EXPECT_EQ(config.data_bytes_max, uint64_t{2} << 30);
  EXPECT_EQ(config.sessions_max, 17u);
  EXPECT_EQ(config.session_timeout_min_ms, 500u);
  EXPECT_EQ(config.log_file, "events.log");
  EXPECT_TRUE(config.rebuild_state);
}

TEST(CommandLine, WithoutThemTheyAreTheReplicasOwn) {
  const CommandLine line = parse({});
  ASSERT_TRUE(line.config.has_value()) << line.text;
  const ReplicaOptions own;
  EXPECT_EQ(line.config->checkpoint_dirty_bytes, own.checkpoint_dirty_bytes);
  EXPECT_EQ(line.config->checkpoint_log_bytes, own.checkpoint_log_bytes);
  EXPECT_EQ(line.config->log_kept_bytes, own.log_kept_bytes);
  EXPECT_EQ(line.config->kv.history_bytes_max, own.kv.history_bytes_max);
  EXPECT_EQ(line.config->nodes_max, own.nodes_max);
  EXPECT_EQ(line.config->data_bytes_max, own.data_bytes_max);
  EXPECT_EQ(line.config->sessions_max, own.sessions_max);
  EXPECT_EQ(line.config->session_timeout_min_ms, own.session_timeout_min_ms);
  EXPECT_EQ(line.config->session_timeout_max_ms, own.session_timeout_max_ms);
  EXPECT_EQ(line.config->super_digest, "") << "nobody";
  EXPECT_FALSE(line.config->refuse_mixed_locks);
  EXPECT_FALSE(line.config->rebuild_state);
}

TEST(CommandLine, ALimitOfNothingOrWithoutItsUnitIsNamed) {
  for (const char* flag : {"--checkpoint-dirty-bytes", "--checkpoint-log-bytes", "--log-kept-bytes",
                           "--history-bytes-max", "--uncommitted-bytes-max", "--data-bytes-max"}) {
    expect_mistake({flag, "0B"}, flag);
    expect_mistake({flag, "64"}, flag);
    expect_mistake({flag, "many"}, flag);
  }
  for (const char* flag : {"--nodes-max", "--sessions-max"}) {
    expect_mistake({flag, "0"}, flag);
    expect_mistake({flag, "-1"}, flag);
    expect_mistake({flag, "99999999999"}, flag);
    expect_mistake({flag, "1k"}, flag);
  }
  for (const char* flag : {"--session-timeout-min", "--session-timeout-max"}) {
    expect_mistake({flag, "0s"}, flag);
    expect_mistake({flag, "5"}, flag);
  }
  expect_mistake({"--mixed-locks", "yes"}, "--mixed-locks");
  for (const char* digest : {"", "super", "super:password", "super:D/InIHSb7yEEbrWz8b9l71RjZJU"}) {
    expect_mistake({"--super-digest", digest}, "--super-digest");
  }
}

TEST(CommandLine, MistakesAreOneLineThatNamesTheThing) {
  expect_mistake({"--nonsense", "1"}, "--nonsense");
  expect_mistake({"stray"}, "stray");
  expect_mistake({"--id"}, "--id");
  expect_mistake({"--id", "0"}, "--id");
  expect_mistake({"--id", "256"}, "--id");
  expect_mistake({"--id", "4", "--cluster", kThree}, "--id 4 is not in --cluster");
  expect_mistake({"--cluster", kThree}, "--id is missing");
  expect_mistake({"--id", "1", "--cluster", "1=a:1,1=b:1"}, "id 1 stands twice");
  expect_mistake({"--id", "1", "--cluster", "1=a:1,2=a:1"}, "the same address");
  expect_mistake({"--id", "1", "--cluster", "1=a"}, "the port is missing");
  expect_mistake({"--id", "1", "--cluster", "1=a:1,"}, "is no member");
  expect_mistake({"--id", "1", "--cluster", ""}, "--cluster");
  expect_mistake({"--client", "localhost"}, "--client");
  expect_mistake({"--client", "localhost:70000"}, "65535");
  expect_mistake({"--data", ""}, "--data");
  expect_mistake({"--heartbeat", "10"}, "--heartbeat");
  expect_mistake({"--heartbeat", "100ms"}, "--election-timeout");
  expect_mistake({"--segment-bytes", "64M"}, "--segment-bytes");
  expect_mistake({"--segment-bytes", "1KiB"}, "--segment-bytes");
  expect_mistake({"--client-frame-bytes-max", "15MiB"}, "--client-frame-bytes-max");
  expect_mistake({"--client-frame-bytes-max", "4MiB", "--segment-bytes", "4MiB"}, "--segment-bytes");
  expect_mistake({"--peer-frame-bytes-max", "4MiB"}, "--peer-frame-bytes-max");
  expect_mistake({"--session-timeout-min", "10s", "--session-timeout-max", "1s"}, "--session-timeout-min");
  expect_mistake({"--log-level", "loud"}, "--log-level");
  expect_mistake({"--listen-peer", "a:1"}, "--listen-peer");
  expect_mistake({"--config", "/nowhere/at/all.toml"}, "/nowhere/at/all.toml");
}

// Without a leader no read is linearizable.
TEST(CommandLine, ReadOnlyModeGoesWithLocalReadsAlone) {
  expect_mistake({"--zookeeper-reads", "sometimes"}, "--zookeeper-reads");
  expect_mistake({"--read-only-mode", "on", "--zookeeper-reads", "linearizable"},
                 "--read-only-mode needs --zookeeper-reads local");
  EXPECT_TRUE(parse({"--read-only-mode", "on", "--zookeeper-reads", "local"}).config.has_value());
  EXPECT_FALSE(parse({"--zookeeper-reads", "local"}).config->zookeeper_linearizable_reads);
  EXPECT_TRUE(parse({"--zookeeper-reads", "linearizable"}).config->zookeeper_linearizable_reads);
}

TEST(CommandLine, HelpAndVersionEndWell) {
  EXPECT_EQ(parse({"--help"}).exit_code, 0);
  EXPECT_NE(parse({"--help"}).text.find("--advertise-client"), std::string::npos);
  EXPECT_EQ(parse({"--version"}).text, "quorated " QUORATE_VERSION "\n");
}

TEST_F(ConfigFile, HasTheSameNamesAndFlagsWin) {
  const char* path = write("id = 2\ncluster = \"1=127.0.0.1:7001,2=127.0.0.1:7002\"\ndata = \"d\"\n");
  const CommandLine line = parse({"--config", path, "--data", "other"});
  ASSERT_TRUE(line.config.has_value()) << line.text;
  EXPECT_EQ(line.config->id, ServerId(2));
  EXPECT_EQ(line.config->cluster.size(), 2u);
  EXPECT_EQ(line.config->data, "other");
}

TEST_F(ConfigFile, AnUnknownNameIsRefusedWithItsLine) {
  expect_mistake({"--config", write("id = 1\nelection_timeout = \"1s\"\n")},
                 ":2: 'election_timeout' is no setting");
}

TEST_F(ConfigFile, AnUnreadableLineIsRefusedWithItsLine) {
  const char* path = write("id = 1\nthis is no toml\n");
  expect_mistake({"--config", path}, ".toml:2");
}

TEST_F(ConfigFile, AValueOfAnotherKindIsRefused) {
  expect_mistake({"--config", write("id = [1]\n")}, "'id' must be a string or a whole number");
}

// They are outside the bounds of the parser itself.
TEST_F(ConfigFile, LettersBeyondAsciiBelongIntoQuotes) {
  const char* path = write("\xef\xbb\xbf# \xca\xb1\nid = 1 # \xca\xb1\ndata = \"\xca\xb1 \\\"#\"\n");
  const CommandLine line = parse({"--config", path});
  ASSERT_TRUE(line.config.has_value()) << line.text;
  EXPECT_EQ(line.config->data, "\xca\xb1 \"#");
  expect_mistake({"--config", write("id = 1\n[1\xca\xb1"
                                    "2\n")},
                 ".toml:2: letters beyond ASCII");
  expect_mistake({"--config", write("data = 'x' \xca\xb1\n")}, ".toml:1: letters beyond ASCII");
  expect_mistake({"--config", write("data = \"\"\"x\n\"\"\"\n")}, ".toml:1: a string ends in the line");
}

TEST_F(ConfigFile, AFolderIsNone) {
  const char* file = write("id = 1\n");
  expect_mistake({"--config", std::filesystem::path(file).parent_path().c_str()}, "is a folder");
}

TEST_F(ConfigFile, AValueThatCannotBeIsRefusedWithItsLine) {
  expect_mistake({"--config", write("log-level = \"info\"\nid = \"x\"\n")}, ".toml:2: id: 'x' is no number");
}

TEST(CommandLine, AFlagTwiceOrWithoutItsValueIsNamed) {
  expect_mistake({"--id", "1", "--id", "2"}, "--id: give it exactly one value");
  expect_mistake({"--id"}, "--id: give it exactly one value");
  expect_mistake({"start"}, "'start' is no flag");
}

TEST(Address, BracketsAndErrors) {
  EXPECT_EQ(to_string(*parse_address("[::1]:80")), "[::1]:80");
  EXPECT_EQ(parse_address("[::1]:80")->host, "::1");
  for (const char* text : {"", ":", "a:", ":1", "a:b", "::1:80", "a:-1", "a: 1", "a:1x"}) {
    EXPECT_EQ(parse_address(text).code(), ErrorCode::kBadConfiguration) << text;
  }
}

TEST_F(ConfigFile, AZooCfgIsReadAsTheSettingsThatItMeans) {
  const char* path = write("dataDir=/d\nclientPort=2190\nsyncLimit=5\n");
  const CommandLine line = parse({"--zoo-cfg", path});
  ASSERT_TRUE(line.config.has_value()) << line.text;
  EXPECT_EQ(line.config->data, "/d/quorate");
  EXPECT_EQ(to_string(line.config->listen_client), "0.0.0.0:2190");
  EXPECT_EQ(line.config->session_timeout_min_ms, 6'000u);
  ASSERT_EQ(line.config->notices.size(), 1u);
  EXPECT_NE(line.config->notices[0].find("without effect: syncLimit=5: "), std::string::npos);
  const CommandLine other = parse({"--zoo-cfg", path, "--client", "127.0.0.1:1"});
  ASSERT_TRUE(other.config.has_value()) << other.text;
  EXPECT_EQ(to_string(other.config->listen_client), "127.0.0.1:1");
}

TEST_F(ConfigFile, AWhitelistOfWordsThatAreNotAnsweredIsNoMistake) {
  const std::string rest = "dataDir=/d\nclientPort=1\n4lw.commands.whitelist=";
  const CommandLine some = parse({"--zoo-cfg", write(rest + "stat, hash, ruok,\n")});
  ASSERT_TRUE(some.config.has_value()) << some.text;
  EXPECT_EQ(some.config->clients.words, (std::set<std::string>{"stat", "ruok"}));
  ASSERT_EQ(some.config->notices.size(), 1U);
  EXPECT_NE(some.config->notices.front().find("'hash'"), std::string::npos) << some.config->notices.front();
  const CommandLine none = parse({"--zoo-cfg", write(rest + "stmk\n")});
  ASSERT_TRUE(none.config.has_value()) << none.text;
  EXPECT_EQ(none.config->clients.words, parse({}).config->clients.words);
  const CommandLine all = parse({"--zoo-cfg", write(rest + "*\n")});
  EXPECT_TRUE(all.config->clients.words.contains("wchc"));
}

TEST_F(ConfigFile, AMistakeInAZooCfgNamesItsLine) {
  expect_mistake({"--zoo-cfg", write("dataDir=/d\nclientPort=port\n")}, ":2: client: ");
  expect_mistake({"--zoo-cfg", write("clientPort=1\n")}, "dataDir is missing");
  expect_mistake({"--zoo-cfg", "a", "--config", "b"}, "give one of them");
}

}  // namespace
}  // namespace quorate::server
