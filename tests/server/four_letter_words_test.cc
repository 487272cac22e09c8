// The texts of four-letter words, line by line as ZooKeeper 3.8 has them.
#include "server/shell/four_letter_words.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace quorate::server {
namespace {

class FourLetterWords : public testing::Test {
 protected:
  FourLetterWords() {
    status_.id = ServerId(2);
    status_.leader = ServerId(2);
    status_.role = raft::RoleName::kLeader;
    status_.zxid = Zxid(0x2a);
    status_.nodes = 4;
    status_.connections = 2;
    for (uint32_t id = 1; id <= 3; ++id) {
      status_.members.push_back({ServerId(id), raft::MemberRole::kVoter,
                                 "10.0.0." + std::to_string(id) + ":7001",
                                 "10.0.0." + std::to_string(id) + ":2181", Index(10)});
    }
    status_.committed = Index(10);
    figures_.address = "0.0.0.0:2181";
    figures_.received = 7;
    figures_.sent = 8;
    figures_.connections[ConnectionId(1)] = std::make_shared<ListenerFigures::Connection>(
        ListenerFigures::Connection{"10.1.1.1:4000", 1700, 5, 6});
    figures_.connections[ConnectionId(2)] = std::make_shared<ListenerFigures::Connection>(
        ListenerFigures::Connection{"10.1.1.2:4001", 1701, 1, 0});
    facts_ = {"/no/such/wal", "/no/such/state", 4000, 40000, 60};
    detail_.connections.push_back({ConnectionId(1), SessionId(0x51), 4000, 3, {}});
    ZookeeperConnectionFigures& last = detail_.connections[0].figures;
    last.last_operation = "GETD";
    last.last_xid = 0x1f;
    last.last_zxid = 0x2a;
    last.last_answer_ms = 99;
    for (const uint64_t ms : {1U, 2U, 6U}) last.latency.add(ms);
    status_.zookeeper.latency = last.latency;
  }
  std::string answer(std::string_view word) {
    status_.detail = std::make_shared<const StatusDetail>(detail_);
    return answer_word(word, status_, figures_, facts_);
  }

  ServerStatus status_;
  ListenerFigures figures_;
  ServerFacts facts_;
  StatusDetail detail_;
};

std::string without_first_line(const std::string& text) { return text.substr(text.find('\n') + 1); }

TEST_F(FourLetterWords, Srvr) {
  const std::string text = answer("srvr");
  EXPECT_TRUE(text.starts_with("Zookeeper version: 3.8.0-quorate-")) << text;
  EXPECT_NE(text.find(", built on "), std::string::npos);
  EXPECT_EQ(without_first_line(text),
            "Latency min/avg/max: 1/3.0/6\nReceived: 7\nSent: 8\nConnections: 2\nOutstanding: 0\nZxid: 0x2a\n"
            "Mode: leader\nNode count: 7\nProposal sizes last/min/max: -1/-1/-1\n");
}

TEST_F(FourLetterWords, AnAverageIsWrittenAsJavaWritesIt) {
  for (const auto& [sum, text] : std::vector<std::pair<uint64_t, std::string>>{
           {0, "1/0.0/6"}, {1, "1/0.3333/6"}, {3, "1/1.0/6"}, {30, "1/10.0/6"}, {31, "1/10.3333/6"}}) {
    status_.zookeeper.latency.sum_ms = sum;
    EXPECT_NE(answer("srvr").find("max: " + text + "\n"), std::string::npos) << answer("srvr");
  }
}

TEST_F(FourLetterWords, StatListsTheClientsAndSrvrDoesNot) {
  EXPECT_EQ(without_first_line(answer("stat")),
            "Clients:\n /10.1.1.1:4000[1](queued=3,recved=5,sent=6)\n"
            " /10.1.1.2:4001[0](queued=0,recved=1,sent=0)\n\n" +
                without_first_line(answer("srvr")));
}

TEST_F(FourLetterWords, ConsTellsOfEachSession) {
  EXPECT_EQ(answer("cons"),
            " /10.1.1.1:4000[1](queued=3,recved=5,sent=6,sid=0x51,lop=GETD,est=1700,to=4000,lcxid=0x1f,"
            "lzxid=0x2a,lresp=99,llat=6,minlat=1,avglat=3,maxlat=6)\n"
            " /10.1.1.2:4001[0](queued=0,recved=1,sent=0)\n\n");
  detail_.connections[0].figures = {};
  EXPECT_EQ(answer("cons").substr(0, answer("cons").find('\n')),
            " /10.1.1.1:4000[1](queued=3,recved=5,sent=6,sid=0x51,lop=NA,est=1700,to=4000,lzxid=0x0,lresp=0,"
            "llat=0,minlat=0,avglat=0,maxlat=0)");
}

TEST_F(FourLetterWords, Watches) {
  detail_.watches = {{SessionId(1), "/a"}, {SessionId(1), "/b"}, {SessionId(2), "/a"}};
  EXPECT_EQ(answer("wchs"), "2 connections watching 2 paths\nTotal watches:3\n");
  EXPECT_EQ(answer("wchc"), "0x1\n\t/a\n\t/b\n0x2\n\t/a\n\n");
  EXPECT_EQ(answer("wchp"), "/a\n\t0x1\n\t0x2\n/b\n\t0x1\n\n");
  detail_.cut = true;
  EXPECT_TRUE(answer("wchp").ends_with("... there is more than is listed here\n"));
  EXPECT_EQ(answer("wchs"),
            "2 connections watching 2 paths\nTotal watches:3\n... there is more than is listed here\n");
}

TEST_F(FourLetterWords, DumpTellsSessionsAndWhatIsTheirs) {
  detail_.sessions = {{SessionId(1), 4000, {"/e", "/f"}}, {SessionId(2), 5000, {}}};
  EXPECT_EQ(answer("dump"),
            "SessionTracker dump:\nGlobal Sessions(2):\n0x1\t4000ms\n0x2\t5000ms\n"
            "ephemeral nodes dump:\nSessions with Ephemerals (1):\n0x1:\n\t/e\n\t/f\n"
            "Connections dump:\n\tip: /10.1.1.1:4000 sessionId: 0x51\n\tip: /10.1.1.2:4001 sessionId: 0x0\n");
}

TEST_F(FourLetterWords, ConfNamesTheServerAndTheOthers) {
  EXPECT_EQ(
      answer("conf"),
      "clientPort=2181\nsecureClientPort=-1\ndataDir=/no/such/state\ndataDirSize=0\n"
      "dataLogDir=/no/such/wal\ndataLogSize=0\ntickTime=2000\nmaxClientCnxns=60\nminSessionTimeout=4000\n"
      "maxSessionTimeout=40000\nclientPortListenBacklog=-1\nserverId=2\nelectionPort=7001\n"
      "quorumPort=7001\npeerType=0\nmembership: \n"
      "server.1=10.0.0.1:7001:7002:participant;10.0.0.1:2181\n"
      "server.2=10.0.0.2:7001:7002:participant;10.0.0.2:2181\n"
      "server.3=10.0.0.3:7001:7002:participant;10.0.0.3:2181\nversion=0\n");
  status_.members.resize(1);
  EXPECT_TRUE(answer("conf").ends_with("serverId=2\n"));
}

TEST_F(FourLetterWords, TheSmallOnes) {
  EXPECT_EQ(answer("ruok"), "imok");
  EXPECT_EQ(answer("isro"), "rw");
  EXPECT_EQ(answer("crst"), "Connection stats reset.\n");
  EXPECT_EQ(answer("srst"), "Server stats reset.\n");
  EXPECT_EQ(answer("dirs"), "datadir_size: 0\nlogdir_size: 0\n");
  EXPECT_TRUE(answer("envi").starts_with("Environment:\nzookeeper.version=3.8.0-"));
}

TEST_F(FourLetterWords, MntrHasWhatAgentsRead) {
  const std::string text = answer("mntr");
  for (const char* line :
       {"zk_server_state\tleader\n", "zk_avg_latency\t3.0\n", "zk_max_latency\t6\n", "zk_min_latency\t1\n",
        "zk_packets_received\t7\n", "zk_packets_sent\t8\n", "zk_num_alive_connections\t2\n",
        "zk_outstanding_requests\t0\n", "zk_znode_count\t7\n", "zk_watch_count\t0\n",
        "zk_ephemerals_count\t0\n", "zk_approximate_data_size\t0\n", "zk_learners\t2\n", "zk_followers\t2\n",
        "zk_synced_followers\t2\n", "zk_synced_non_voting_followers\t0\n", "zk_synced_observers\t0\n",
        "zk_pending_syncs\t0\n", "zk_quorum_size\t3\n"}) {
    EXPECT_NE(text.find(line), std::string::npos) << line;
  }
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), std::count(text.begin(), text.end(), '\t'));
}

TEST_F(FourLetterWords, WithoutAQuorumOnlyTheProcessAnswers) {
  status_.leader = ServerId();
  status_.role = raft::RoleName::kCandidate;
  EXPECT_EQ(answer("ruok"), "imok");
  EXPECT_EQ(answer("isro"), "null");
  for (const char* word : {"srvr", "stat", "mntr", "cons", "conf", "dump", "wchs", "wchc", "wchp", "dirs"})
    EXPECT_EQ(answer(word), "This ZooKeeper instance is not currently serving requests\n") << word;
  status_.read_only = true;
  EXPECT_EQ(answer("isro"), "ro");
  const std::string text = answer("srvr");
  EXPECT_TRUE(
      without_first_line(text).starts_with("READ-ONLY mode; serving only read-only clients\nLatency"));
  EXPECT_NE(text.find("Mode: read-only\n"), std::string::npos);
}

TEST(FourLetterWordList, KnowsItsWords) {
  EXPECT_EQ(parse_four_letter_words("*")->size(), 16U);
  EXPECT_EQ(*parse_four_letter_words("ruok,cons"), (std::set<std::string>{"cons", "ruok"}));
  const auto wrong = parse_four_letter_words("ruok,what");
  EXPECT_EQ(wrong.code(), ErrorCode::kBadConfiguration);
  EXPECT_NE(wrong.error().message.find("'what'"), std::string::npos);
}

TEST(FourLetterWordList, AWordAsksForNoMoreThanItTells) {
  const auto words = parse_four_letter_words("*");
  for (const std::string& word : *words) {
    const StatusRequest request = status_for(word);
    EXPECT_EQ(request.reset != StatusRequest::Reset::kNone, word == "srst" || word == "crst") << word;
  }
  EXPECT_EQ(status_for("mntr").detail, StatusRequest::Detail::kNone);
  EXPECT_EQ(status_for("dump").detail, StatusRequest::Detail::kSessions);
}

}  // namespace
}  // namespace quorate::server
