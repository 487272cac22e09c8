#include "server/shell/zoo_cfg.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <string>

namespace quorate::server {
namespace {

constexpr const char* kThree =
    "tickTime=2000\ninitLimit=10\nsyncLimit=5\ndataDir=/var/lib/zookeeper\nclientPort=2181\n"
    "server.1=zk1:2888:3888\nserver.2=zk2:2888:3888\nserver.3=zk3:2888:3888\n";

std::map<std::string, std::string> settings(const ZooCfg& cfg) {
  std::map<std::string, std::string> found;
  for (const ConfigFileValue& value : cfg.values) found[value.key] = value.text;
  return found;
}

std::map<std::string, std::string> settings(const std::string& text,
                                            const std::optional<std::string>& myid = "1\n") {
  const auto cfg = parse_zoo_cfg(text, myid);
  EXPECT_TRUE(cfg.ok()) << cfg.error().message;
  return cfg.ok() ? settings(*cfg) : std::map<std::string, std::string>();
}

void expect_refused(const std::string& text, const std::optional<std::string>& myid, const std::string& why) {
  const auto cfg = parse_zoo_cfg(text, myid);
  ASSERT_FALSE(cfg.ok()) << text;
  EXPECT_EQ(cfg.error().code, ErrorCode::kBadConfiguration);
  EXPECT_NE(cfg.error().message.find(why), std::string::npos) << cfg.error().message;
}

TEST(ZooCfg, AnEnsembleBecomesACluster) {
  const auto found = settings(kThree, "2\n");
  EXPECT_EQ(found.at("id"), "2");
  EXPECT_EQ(found.at("cluster"), "1=zk1:2888,2=zk2:2888,3=zk3:2888");
  EXPECT_EQ(found.at("data"), "/var/lib/zookeeper/quorate");
  EXPECT_EQ(found.at("client"), "0.0.0.0:2181");
  EXPECT_EQ(found.at("advertise-client"), "zk2:2181");
  EXPECT_EQ(found.at("session-timeout-min"), "4000ms");
  EXPECT_EQ(found.at("session-timeout-max"), "40000ms");
}

TEST(ZooCfg, AServerAloneNeedsNoMyid) {
  const auto found = settings("dataDir = /d\nclientPort = 2181\n", std::nullopt);
  EXPECT_FALSE(found.contains("cluster"));
  EXPECT_FALSE(found.contains("id"));
  EXPECT_EQ(found.at("client"), "0.0.0.0:2181");
  EXPECT_EQ(found.at("session-timeout-min"), "6000ms");
  EXPECT_FALSE(settings("dataDir=/d\nclientPort=1\nserver.1=a:2:3\n", std::nullopt).contains("cluster"));
}

TEST(ZooCfg, AServerLineMaySayWhereItsClientsGo) {
  const std::string text =
      "dataDir=/d\nserver.1=10.0.0.1:2888:3888:participant;2181\nserver.2=10.0.0.2:2888:3888;10.0.0.2:2182\n";
  EXPECT_EQ(settings(text, "1").at("client"), "0.0.0.0:2181");
  EXPECT_EQ(settings(text, "1").at("advertise-client"), "10.0.0.1:2181");
  EXPECT_EQ(settings(text, "2").at("client"), "10.0.0.2:2182");
  EXPECT_FALSE(settings(text, "2").contains("advertise-client"));
  EXPECT_EQ(settings("dataDir=/d\nclientPort=5\nserver.1=[::1]:2:3\nserver.2=[::2]:2:3\n", "1").at("cluster"),
            "1=[::1]:2,2=[::2]:2");
}

TEST(ZooCfg, LimitsAreTakenOver) {
  const auto found = settings(
      "dataDir=/"
      "d\nclientPort=1\nclientPortAddress=::1\nminSessionTimeout=1000\nmaxSessionTimeout=-1\ntickTime=100\n"
      "maxClientCnxns=60\nmaxCnxns=500\n4lw.commands.whitelist=srvr, mntr\n");
  EXPECT_EQ(found.at("client"), "[::1]:1");
  EXPECT_EQ(found.at("session-timeout-min"), "1000ms");
  EXPECT_EQ(found.at("session-timeout-max"), "2000ms");
  EXPECT_EQ(found.at("client-connections-per-address-max"), "60");
  EXPECT_EQ(found.at("client-connections-max"), "500");
  EXPECT_EQ(found.at("four-letter-words"), "srvr,mntr");
  // 0 is "no limit" there.
  EXPECT_FALSE(settings("dataDir=/d\nclientPort=1\nmaxClientCnxns=0\n")
                   .contains("client-connections-per-address-max"));
}

TEST(ZooCfg, WhatHasNoEffectIsNamedWithTheReason) {
  const auto cfg =
      parse_zoo_cfg(std::string(kThree) + "# a comment\n\nautopurge.purgeInterval=1\nfoo.bar=7\r\n", "1");
  ASSERT_TRUE(cfg.ok()) << cfg.error().message;
  ASSERT_EQ(cfg->ignored.size(), 4u);
  EXPECT_EQ(cfg->ignored[0].substr(0, 14), "initLimit=10: ");
  EXPECT_EQ(cfg->ignored[1].substr(0, 13), "syncLimit=5: ");
  EXPECT_EQ(cfg->ignored[2].substr(0, 27), "autopurge.purgeInterval=1: ");
  EXPECT_EQ(cfg->ignored[3], "foo.bar=7: there is no such setting here");
}

// What ZooKeeper says with these is said with a flag here.
TEST(ZooCfg, WhatHasAFlagOfItsOwnPointsToIt) {
  const auto cfg = parse_zoo_cfg(
      "dataDir=/d\nclientPort=1\nauthProvider.1=org.x.SASLAuthenticationProvider\n"
      "jaasLoginRenew=3600000\nreadonlymode.enabled=true\n",
      std::nullopt);
  ASSERT_TRUE(cfg.ok()) << cfg.error().message;
  ASSERT_EQ(cfg->ignored.size(), 3u);
  for (const size_t i : {0U, 1U}) {
    EXPECT_NE(cfg->ignored[i].find("--sasl-users"), std::string::npos) << cfg->ignored[i];
    EXPECT_NE(cfg->ignored[i].find("a JAAS file is not read"), std::string::npos) << cfg->ignored[i];
  }
  EXPECT_NE(cfg->ignored[2].find("--read-only-mode on"), std::string::npos) << cfg->ignored[2];
}

TEST(ZooCfg, MistakesNameTheLineAndTheRemedy) {
  expect_refused("clientPort=1\n", std::nullopt, "dataDir is missing");
  expect_refused("dataDir=/d\n", std::nullopt, "clientPort is missing");
  expect_refused("dataDir=/d\nnonsense\n", std::nullopt, "line 2: 'nonsense' is no KEY=VALUE");
  expect_refused("dataDir=/d\nclientPort=1\ntickTime=x\n", std::nullopt,
                 "line 3: tickTime: 'x' is no number");
  expect_refused("server.1=a\n", "1", "line 1: server.1: write server.N=");
  expect_refused("server.1=a:1\n", "1", "server.1: write server.N=");
  expect_refused("server.1=a:1:2:king\n", "1", "server.1: write server.N=");
  expect_refused("server.1=a:1:2;x\n", "1", "server.1: write server.N=");
  expect_refused("server.300=a:1:2\n", "1", "ids go from 1 to 255");
  expect_refused("server.1=a:1:2:observer\n", "1", "observers are not supported");
  expect_refused("server.1=a:1:2|b:1:2\n", "1", "several addresses");
  expect_refused(kThree, std::nullopt, "myid is missing");
  expect_refused(kThree, "one", "holds no number");
  expect_refused(kThree, "4", "there is no line server.4");
}

class ZooCfgFiles : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::path(testing::TempDir()) / ("zoo-cfg-" + std::to_string(::getpid()));
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::string write(const std::string& name, const std::string& text) {
    std::ofstream(folder_ / name) << text;
    return (folder_ / name).string();
  }
  std::filesystem::path folder_;
};

TEST_F(ZooCfgFiles, MyidAndTheDynamicConfigurationAreReadFromTheirFiles) {
  write("myid", "2\n");
  const std::string dynamic =
      write("zoo.dynamic",
            "server.1=a:1:2:participant;3\nserver.2=b:1:2:participant;4\nserver.3=c:1:2:participant;5\n");
  const std::string path =
      write("zoo.cfg", "dataDir=" + folder_.string() + "\ndynamicConfigFile=" + dynamic + "\n");
  const auto cfg = read_zoo_cfg(path);
  ASSERT_TRUE(cfg.ok()) << cfg.error().message;
  EXPECT_EQ(settings(*cfg).at("id"), "2");
  EXPECT_EQ(settings(*cfg).at("client"), "0.0.0.0:4");
}

TEST_F(ZooCfgFiles, AFileThatCannotBeReadIsNamed) {
  EXPECT_NE(read_zoo_cfg("/no/such/zoo.cfg").error().message.find("/no/such/zoo.cfg: cannot be read"),
            std::string::npos);
  const std::string path = write("zoo.cfg", "dataDir=/d\nclientPort=1\ndynamicConfigFile=/no/such/dynamic\n");
  const auto cfg = read_zoo_cfg(path);
  ASSERT_FALSE(cfg.ok());
  EXPECT_NE(cfg.error().message.find("/no/such/dynamic: cannot be read"), std::string::npos)
      << cfg.error().message;
}

}  // namespace
}  // namespace quorate::server
