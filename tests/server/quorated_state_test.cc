// Real servers whose state is larger than what they are told to keep in the log.
#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "tests/server/server_process.h"

namespace quorate::server {
namespace {

namespace fs = std::filesystem;

const std::vector<std::string> kOften = {
    "--checkpoint-dirty-bytes", "64KiB", "--checkpoint-log-bytes", "64KiB", "--log-kept-bytes", "16KiB"};

std::vector<std::string> with(std::vector<std::string> arguments, const std::vector<std::string>& more) {
  arguments.insert(arguments.end(), more.begin(), more.end());
  return arguments;
}

std::string path_of(int i) { return "/node-" + std::to_string(i); }
std::string data_of(int i) { return std::string(2'000, static_cast<char>('a' + i % 26)); }

// A checkpoint was made: MEMBERS is written before the first.
bool has_checkpoint(const std::string& folder) { return fs::exists(folder + "/state/MEMBERS"); }

class AloneTest : public testing::Test {
 protected:
  std::vector<std::string> arguments() const {
    return with({"--data", data_, "--client", "127.0.0.1:" + std::to_string(ports_[0])}, kOften);
  }
  // Creates nodes until there is a checkpoint, and then some.
  void fill() {
    ASSERT_TRUE(eventually([&] { return TestClient(ports_[0]).open_session(); }));
    TestClient writer(ports_[0]);
    ASSERT_TRUE(writer.open_session());
    ASSERT_TRUE(eventually([&] {
      // Enough of them for another checkpoint each time.
      for (int i = 0; i < 100 && writer.create(path_of(nodes_), data_of(nodes_)) == 0; ++i) ++nodes_;
      return has_checkpoint(data_) && nodes_ >= 200;
    }));
  }
  void expect_all() {
    ASSERT_TRUE(eventually([&] { return TestClient(ports_[0]).open_session(); }));
    TestClient reader(ports_[0]);
    ASSERT_TRUE(reader.open_session());
    for (int i = 0; i < nodes_; ++i) ASSERT_EQ(reader.get(path_of(i)), data_of(i)) << i;
  }

  TemporaryFolder folder_;
  const std::vector<uint16_t> ports_ = free_ports(1);
  const std::string data_ = folder_.path() + "/data";
  int nodes_ = 0;
};

TEST_F(AloneTest, AKilledServerGoesOnFromItsCheckpoint) {
  for (int times = 0; times < 3; ++times) {
    ServerProcess server(arguments());
    ASSERT_NO_FATAL_FAILURE(expect_all()) << server.said();
    ASSERT_NO_FATAL_FAILURE(fill()) << server.said();
    if (times > 0) {
      EXPECT_NE(server.said().find("the state of entry"), std::string::npos) << server.said();
    }
    server.signal(times == 1 ? SIGTERM : SIGKILL);
    EXPECT_EQ(server.wait(), times == 1 ? 0 : 128 + SIGKILL);
  }
}

TEST_F(AloneTest, ADamagedStateIsRefusedInOneLine) {
  {
    ServerProcess server(arguments());
    ASSERT_NO_FATAL_FAILURE(fill()) << server.said();
    server.signal(SIGKILL);
    server.wait();
  }
  for (const auto& entry : fs::recursive_directory_iterator(data_ + "/state")) {
    if (!entry.is_regular_file() || entry.file_size() < 1'000) continue;
    std::fstream file(entry.path(), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(300);
    file.write("damage", 6);
  }
  ServerProcess server(arguments());
  EXPECT_EQ(server.wait(), 1);
  const std::string said = server.said();
  EXPECT_NE(said.find(data_ + "/state"), std::string::npos) << said;
  EXPECT_NE(said.find("--rebuild-state"), std::string::npos) << said;
  EXPECT_EQ(std::count(said.begin(), said.end(), '\n'), 1) << said;
}

TEST(QuoratedState, AStateThatWasThrownAwayComesFromTheOthers) {
  TestCluster cluster(kOften);
  const auto leader = cluster.leader();
  ASSERT_TRUE(leader.has_value());
  const size_t victim = (*leader + 1) % 3;
  TestClient client(cluster.client_port(*leader));
  ASSERT_TRUE(client.open_session());
  int nodes = 0;
  ASSERT_TRUE(eventually([&] {
    if (client.create(path_of(nodes), data_of(nodes)) == 0) ++nodes;
    return nodes >= 200 && has_checkpoint(cluster.folder(victim)) && has_checkpoint(cluster.folder(*leader));
  }));
  EXPECT_EQ(cluster.terminate(victim), 0);
  {
    ServerProcess rebuild({"--data", cluster.folder(victim), "--rebuild-state"});
    EXPECT_EQ(rebuild.wait(), 0) << rebuild.said();
  }
  cluster.start(victim);
  EXPECT_TRUE(eventually([&] {
    TestClient reader(cluster.client_port(victim));
    return reader.open_session() && reader.get(path_of(nodes - 1)) == data_of(nodes - 1);
  })) << cluster.process(victim).said();
  TestClient reader(cluster.client_port(victim));
  ASSERT_TRUE(reader.open_session());
  for (int i = 0; i < nodes; ++i) ASSERT_EQ(reader.get(path_of(i)), data_of(i)) << i;
}

}  // namespace
}  // namespace quorate::server
