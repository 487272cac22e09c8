// What quorated refuses to start with: one line, a code that is not 0, and nothing changed on disk.
#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <list>
#include <map>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include "tests/server/server_process.h"

namespace quorate::server {
namespace {

namespace fs = std::filesystem;

// Every file with its content, but for the lock file, which taking the lock makes.
std::map<std::string, std::string> image(const std::string& folder) {
  std::map<std::string, std::string> files;
  if (!fs::exists(folder)) return files;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (!entry.is_regular_file() || entry.path().filename() == "LOCK") continue;
    std::ostringstream content;
    content << std::ifstream(entry.path(), std::ios::binary).rdbuf();
    files[entry.path()] = content.str();
  }
  return files;
}

class QuoratedStart : public testing::Test {
 protected:
  QuoratedStart() : ports_(free_ports(4)), data_(folder_.path() + "/data") {}

  static std::string at(uint16_t port) { return "127.0.0.1:" + std::to_string(port); }
  std::vector<std::string> alone(std::vector<std::string> more = {}) const {
    std::vector<std::string> arguments = {"--data",          data_, "--client", at(ports_[0]),
                                          "--segment-bytes", "4MiB"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  }
  // Runs a server alone until it has taken a write, and ends it cleanly.
  void leave_a_folder_behind(std::vector<std::string> more = {}) const {
    ServerProcess server(alone(std::move(more)));
    ASSERT_TRUE(eventually([&] {
      TestClient client(ports_[0]);
      return client.open_session() && client.create("/kept", "data") == 0;
    }));
    server.signal(SIGTERM);
    ASSERT_EQ(server.wait(), 0) << server.said();
  }
  void expect_refused(const std::vector<std::string>& arguments, const std::string& what) const {
    const auto before = image(folder_.path());
    ServerProcess server(arguments);
    const int code = server.wait();
    EXPECT_TRUE(code == 1 || code == 2) << code;
    const std::string said = server.said();
    EXPECT_NE(said.find(what), std::string::npos) << said;
    EXPECT_EQ(said.rfind("quorated: ", 0), 0u) << said;
    EXPECT_EQ(std::count(said.begin(), said.end(), '\n'), 1) << said;
    EXPECT_TRUE(image(folder_.path()) == before) << "something on disk was changed";
  }

  TemporaryFolder folder_;
  std::vector<uint16_t> ports_;
  const std::string data_;
};

TEST_F(QuoratedStart, AWrongFlag) {
  expect_refused({"--dta", data_}, "--dta");
  EXPECT_FALSE(fs::exists(data_));
}

TEST_F(QuoratedStart, AnIdThatIsNotInTheList) {
  expect_refused(alone({"--id", "3", "--cluster", "1=127.0.0.1:1,2=127.0.0.1:2"}),
                 "--id 3 is not in --cluster");
  EXPECT_FALSE(fs::exists(data_));
}

TEST_F(QuoratedStart, AClientPortInUseBeforeTheFolderIsTouched) {
  ServerProcess other(
      {"--data", folder_.path() + "/other", "--client", at(ports_[0]), "--segment-bytes", "4MiB"});
  ASSERT_TRUE(eventually([&] { return status_of(ports_[0]).has_value(); }));
  ServerProcess server(alone());
  EXPECT_EQ(server.wait(), 1);
  EXPECT_NE(server.said().find("client port " + at(ports_[0]) + " is in use"), std::string::npos)
      << server.said();
  EXPECT_FALSE(fs::exists(data_));
}

TEST_F(QuoratedStart, APeerPortInUseBeforeTheFolderIsTouched) {
  ServerProcess other(
      {"--data", folder_.path() + "/other", "--client", at(ports_[1]), "--segment-bytes", "4MiB"});
  ASSERT_TRUE(eventually([&] { return status_of(ports_[1]).has_value(); }));
  ServerProcess server(alone({"--id", "1", "--cluster", "1=" + at(ports_[1]) + ",2=" + at(ports_[2])}));
  EXPECT_EQ(server.wait(), 1);
  EXPECT_NE(server.said().find("peer port " + at(ports_[1]) + " is in use"), std::string::npos)
      << server.said();
  EXPECT_FALSE(fs::exists(data_));
}

TEST_F(QuoratedStart, AFolderOfAnotherServer) {
  leave_a_folder_behind();
  expect_refused(alone({"--id", "2"}), data_);
}

TEST_F(QuoratedStart, AFolderOfAnotherCluster) {
  leave_a_folder_behind();
  expect_refused(alone({"--id", "1", "--cluster", "1=" + at(ports_[1]) + ",2=" + at(ports_[2])}),
                 "belongs to a cluster of servers 1, but --cluster names 1,2");
}

TEST_F(QuoratedStart, AFolderThatAnotherProcessHasOpen) {
  ServerProcess other(alone());
  ASSERT_TRUE(eventually([&] { return status_of(ports_[0]).has_value(); }));
  ServerProcess server({"--data", data_, "--client", at(ports_[1])});
  EXPECT_EQ(server.wait(), 1);
  EXPECT_NE(server.said().find(data_), std::string::npos) << server.said();
  EXPECT_TRUE(status_of(ports_[0]).has_value()) << "the first one does not mind";
}

TEST_F(QuoratedStart, ADamagedLog) {
  leave_a_folder_behind();
  // The middle of what was written: the first entry's payload, far before the mark that a clean end leaves.
  bool damaged = false;
  for (const auto& [path, content] : image(data_ + "/wal")) {
    const size_t kept = content.find("/kept");
    if (kept == std::string::npos) continue;
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(static_cast<std::streamoff>(kept));
    file.put('!');
    damaged = true;
  }
  ASSERT_TRUE(damaged);
  expect_refused(alone(), data_ + "/wal");
}

TEST_F(QuoratedStart, AMembersFolderWhoseLogIsGone) {
  leave_a_folder_behind();
  std::filesystem::remove_all(data_ + "/wal");
  expect_refused(alone(), data_ + "/wal holds no log");
}

TEST_F(QuoratedStart, WhatWasAcknowledgedIsThereAfterAKill) {
  {
    ServerProcess server(alone());
    ASSERT_TRUE(eventually([&] {
      TestClient client(ports_[0]);
      return client.open_session() && client.create("/a", "first") == 0 && client.set("/a", "second") == 0;
    }));
    server.signal(SIGKILL);
    server.wait();
  }
  ServerProcess again(alone());
  EXPECT_TRUE(eventually([&] {
    TestClient client(ports_[0]);
    return client.open_session() && client.get("/a") == "second";
  })) << again.said();
}

// Segments of the log and files of checkpoints are opened for as long as it runs.
TEST_F(QuoratedStart, ClientsDoNotTakeTheFilesThatTheServerNeeds) {
  ServerProcess server(alone({"--checkpoint-log-bytes", "1MiB", "--log-kept-bytes", "1MiB"}), 100);
  std::optional<TestClient> client;
  ASSERT_TRUE(eventually([&] { return client.emplace(ports_[0]).open_session(); })) << server.said();
  EXPECT_NE(server.said().find("50 client connections at most, not 10000"), std::string::npos)
      << server.said();
  std::list<TestClient> crowd;
  for (int i = 0; i < 120; ++i) crowd.emplace_back(ports_[0]).send_raw("QUORATE1");
  ASSERT_EQ(client->create("/a", ""), 0);
  for (int i = 0; i < 30; ++i) {
    ASSERT_EQ(client->set("/a", std::string(900'000, static_cast<char>('a' + i % 26))), 0)
        << i << server.said();
  }
  server.signal(SIGTERM);
  EXPECT_EQ(server.wait(), 0) << server.said();
}

TEST_F(QuoratedStart, AHangupOpensTheLogFileAgain) {
  const std::string path = folder_.path() + "/events.log";
  const auto says = [&path](const std::string& what) {
    std::ifstream in(path);
    const std::string text((std::istreambuf_iterator<char>(in)), {});
    return text.find(what) != std::string::npos;
  };
  ServerProcess server(alone({"--log-file", path}));
  ASSERT_TRUE(eventually([&] { return status_of(ports_[0]).has_value(); }));
  for (const char* moved : {".1", ".2"}) {
    fs::rename(path, path + moved);
    server.signal(SIGHUP);
    EXPECT_TRUE(eventually([&] { return says("Z info the log file is opened again"); })) << moved;
  }
  server.signal(SIGTERM);
  EXPECT_EQ(server.wait(), 0);
  EXPECT_TRUE(says("stopped"));
}

TEST_F(QuoratedStart, AHangupWhileTheLogIsReadIsNoEnd) {
  {
    ServerProcess server(alone());
    std::optional<TestClient> client;
    ASSERT_TRUE(eventually([&] {
      client.emplace(ports_[0]);
      return client->open_session() && client->create("/a", "") == 0;
    }));
    for (int i = 0; i < 40; ++i) ASSERT_EQ(client->set("/a", std::string(900'000, 'a')), 0);
    server.signal(SIGKILL);
    server.wait();
  }
  ServerProcess server(alone({"--log-file", folder_.path() + "/events.log"}));
  // Ports are bound before the folder is opened, and nobody is answered until that is through.
  ASSERT_TRUE(eventually([&] { return TestClient(ports_[0]).send_raw("QUORATE1"); }));
  server.signal(SIGHUP);
  EXPECT_TRUE(eventually([&] { return status_of(ports_[0]).has_value(); }));
  server.signal(SIGTERM);
  EXPECT_EQ(server.wait(), 0);
  std::ifstream in(folder_.path() + "/events.log");
  const std::string text((std::istreambuf_iterator<char>(in)), {});
  EXPECT_NE(text.find("the log file is opened again"), std::string::npos) << text;
}

TEST_F(QuoratedStart, AHangupWithoutALogFileIsACleanStop) {
  std::signal(SIGHUP, SIG_DFL);  // a test under nohup would hand on that it is ignored
  ServerProcess server(alone());
  ASSERT_TRUE(eventually([&] { return status_of(ports_[0]).has_value(); }));
  server.signal(SIGHUP);
  EXPECT_EQ(server.wait(), 0);
  EXPECT_NE(server.said().find("stopped"), std::string::npos) << server.said();
}

TEST_F(QuoratedStart, AConfigurationFileDoesWhatFlagsDo) {
  const std::string path = folder_.path() + "/server.toml";
  std::ofstream(path) << "data = \"" << data_ << "\"\nclient = \"" << at(ports_[0])
                      << "\"\nsegment-bytes = \"4MiB\"\n";
  ServerProcess server({"--config", path});
  EXPECT_TRUE(eventually([&] {
    const auto status = status_of(ports_[0]);
    return status && status->leader() == 1;
  })) << server.said();
}

}  // namespace
}  // namespace quorate::server
