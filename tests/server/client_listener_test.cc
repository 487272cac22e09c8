// The client port over real loopback sockets, with the test in the replica's place.
#include "server/shell/client_listener.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "proto/client.pb.h"
#include "proto/zookeeper_codec.h"
#include "tests/server/loop_fixture.h"

namespace quorate::server {
namespace {

std::string framed(const std::string& body) {
  std::string bytes(4, '\0');
  const uint32_t size = static_cast<uint32_t>(body.size());
  std::copy_n(reinterpret_cast<const char*>(&size), 4, bytes.data());
  return bytes + body;
}

std::string get_frame(uint64_t id, const std::string& path = "/x") {
  api::ClientFrame frame;
  frame.set_id(id);
  frame.mutable_get()->set_path(path);
  return framed(frame.SerializeAsString());
}

class ClientListenerTest : public testing::Test {
 protected:
  void start(const ClientListenerOptions& options = {}) {
    listener_ = std::make_unique<ClientListener>(loop_, options);
    ASSERT_TRUE(listener_->listen({"127.0.0.1", 0}).ok());
    listener_->start({[this](ClientRequest request) { requests_.push_back(std::move(request)); },
                      [this](ZookeeperRequest request) { zookeeper_.push_back(std::move(request)); },
                      [this](ConnectionId connection) { lost_.push_back(connection); },
                      [this](ConnectionId connection) { drained_.push_back(connection); }});
  }
  std::unique_ptr<RawPeer> connect(const std::string& first = {}) {
    auto client = std::make_unique<RawPeer>(loop_, listener_->port());
    client->read();
    if (!first.empty()) client->send(first);
    return client;
  }
  bool run(const std::function<bool()>& condition) { return run_until(loop_, condition); }
  // These bytes end that connection; one beside it goes on.
  void expect_closed_by(const std::string& bytes) {
    if (!listener_) start();
    auto good = connect(std::string(kClientMagic));
    auto bad = connect(bytes);
    EXPECT_TRUE(run([&] { return bad->closed(); }));
    const size_t before = requests_.size();
    good->send(get_frame(1));
    EXPECT_TRUE(run([&] { return requests_.size() == before + 1; }));
    EXPECT_FALSE(good->closed());
  }
  ClientMessage reply(ConnectionId connection, uint64_t id, const std::string& data = {}) const {
    return {connection, ClientReply{id, {}, Zxid(1), NodeReply{data, {}}}};
  }

  boost::asio::io_context loop_;
  std::unique_ptr<ClientListener> listener_;
  std::vector<ClientRequest> requests_;
  std::vector<ZookeeperRequest> zookeeper_;
  std::vector<ConnectionId> lost_, drained_;
};

TEST_F(ClientListenerTest, PipelinedRequestsArriveInOrderHoweverTheyAreCut) {
  start();
  std::string stream(kClientMagic);
  for (uint64_t id = 1; id <= 20; ++id) stream += get_frame(id, "/" + std::string(id * 40, 'p'));
  auto client = connect();
  for (const char byte : stream) client->send(std::string_view(&byte, 1));
  ASSERT_TRUE(run([&] { return requests_.size() == 20; }));
  for (uint64_t id = 1; id <= 20; ++id) EXPECT_EQ(requests_[id - 1].id, id);
  EXPECT_EQ(std::get<GetRequest>(requests_[19].body).path.size(), 801u);
}

TEST_F(ClientListenerTest, AnswersOfATurnLeaveTogether) {
  start();
  auto client = connect(std::string(kClientMagic) + get_frame(1) + get_frame(2));
  ASSERT_TRUE(run([&] { return requests_.size() == 2; }));
  listener_->send(reply(requests_[0].connection, 1));
  listener_->send(reply(requests_[0].connection, 2));
  EXPECT_TRUE(client->heard().empty());
  listener_->flush();
  api::ServerFrame one;
  one.mutable_reply()->set_id(1);
  ASSERT_TRUE(run([&] { return client->heard().size() > 8; }));
  // Each frame has the same size: two of them came.
  const size_t size = *client_frame_size(client->heard(), 1000);
  EXPECT_EQ(client->heard().size(), 2 * size);
}

TEST_F(ClientListenerTest, AClientThatLeavesIsReportedOnce) {
  start();
  auto client = connect(std::string(kClientMagic) + get_frame(1));
  ASSERT_TRUE(run([&] { return requests_.size() == 1; }));
  client->close();
  ASSERT_TRUE(run([&] { return !lost_.empty(); }));
  EXPECT_EQ(lost_, std::vector<ConnectionId>{requests_[0].connection});
  listener_->send(reply(requests_[0].connection, 1));
  listener_->flush();
  EXPECT_EQ(listener_->connections(), 0u);
}

TEST_F(ClientListenerTest, AWrongMagicIsRefusedAtItsFirstWrongByte) {
  expect_closed_by("QUORX");
  expect_closed_by("GET / HTTP/1.1\r\n\r\n");
}

// Its answer is made of what that one word has asked for.
TEST_F(ClientListenerTest, NothingCountsBehindAFourLetterWord) {
  start();
  auto client = connect("ruokstat\n");
  ASSERT_TRUE(run([&] { return !requests_.empty(); }));
  ASSERT_EQ(requests_.size(), 1u);
  listener_->send({requests_[0].connection, ClientReply{0, {}, Zxid(), ServerStatus{}}});
  listener_->flush();
  ASSERT_TRUE(run([&] { return client->closed(); }));
  EXPECT_EQ(client->heard(), "imok");
}

// As ncat and nc -N do behind the end of what they were given.
TEST_F(ClientListenerTest, WhoeverEndsItsSideBehindAFourLetterWordIsAnswered) {
  start();
  auto client = connect("ruok");
  client->socket().shutdown(boost::asio::ip::tcp::socket::shutdown_send);
  ASSERT_TRUE(run([&] { return !requests_.empty(); }));
  // Nobody else is waited for meanwhile: its end has been read when this one is through.
  auto other = connect(std::string(kClientMagic) + get_frame(1));
  ASSERT_TRUE(run([&] { return requests_.size() == 2; }));
  EXPECT_TRUE(lost_.empty());
  listener_->send({requests_[0].connection, ClientReply{0, {}, Zxid(), ServerStatus{}}});
  listener_->flush();
  ASSERT_TRUE(run([&] { return client->closed(); }));
  EXPECT_EQ(client->heard(), "imok");
}

// Both protocols on one port, however their bytes are cut.
TEST_F(ClientListenerTest, ZooKeepersClientsAreToldByTheirFirstBytes) {
  start();
  std::string stream;
  zookeeper::append_connect_request(stream, {0, 5, 4000, 0, {}, true});
  zookeeper::append_request(stream, {1, zookeeper::GetData{"/x", true}});
  auto client = connect();
  auto native = connect(std::string(kClientMagic) + get_frame(7));
  for (const char byte : stream) client->send(std::string_view(&byte, 1));
  ASSERT_TRUE(run([&] { return zookeeper_.size() == 2 && requests_.size() == 1; }));
  const auto& hello = std::get<ZookeeperConnect>(zookeeper_[0].body);
  EXPECT_EQ(hello.request.last_zxid_seen, 5);
  EXPECT_EQ(hello.address, "127.0.0.1");
  EXPECT_NE(hello.fresh, kv::SessionPassword());
  EXPECT_EQ(std::get<zookeeper::Request>(zookeeper_[1].body),
            (zookeeper::Request{1, zookeeper::GetData{"/x", true}}));
  const ConnectionId id = zookeeper_[0].connection;
  listener_->send({id, zookeeper::ConnectReply{0, 4000, 9, {}, false}});
  listener_->send({id, kv::WatchEvent{id, 0, kv::EventKind::kDeleted, "/x", Zxid()}});
  listener_->send({id, zookeeper::Reply{1, 8, zookeeper::ErrorCode::kNoNode, {}}});
  listener_->flush();
  std::string expected;
  zookeeper::append_connect_reply(expected, {0, 4000, 9, {}, false});
  zookeeper::append_event(expected, {-1, zookeeper::EventType::kDeleted, zookeeper::kConnectedState, "/x"});
  zookeeper::append_reply(expected, {1, 8, zookeeper::ErrorCode::kNoNode, {}});
  ASSERT_TRUE(run([&] { return client->heard().size() >= expected.size(); }));
  EXPECT_EQ(client->heard(), expected);
}

// Lengths that lie, before a session is open and after.
TEST_F(ClientListenerTest, ZooKeepersFramesAreBounded) {
  using namespace std::string_literals;
  expect_closed_by("\xff\xff\xff\xff"s);
  expect_closed_by("\0\0\0\0"s);
  expect_closed_by("\x7f\xff\xff\xff"s);
  expect_closed_by("\0\0\0\x41"s);  // longer than a connect request can be
  std::string open;
  zookeeper::append_connect_request(open, {0, 0, 4000, 0, {}, true});
  expect_closed_by(open + "\x7f\xff\xff\xff"s);
  expect_closed_by(open + "\xff\xff\xff\xff"s);
  expect_closed_by(open + "\0\0\0\x04\0\0\0\x01"s);  // no operation
  // Lists that claim 2^31 - 1 items: a create's permissions, a setWatches' paths.
  expect_closed_by(open + "\0\0\0\x14\0\0\0\1\0\0\0\1\0\0\0\0\0\0\0\0\x7f\xff\xff\xff"s);
  expect_closed_by(open + "\0\0\0\x14\0\0\0\1\0\0\0\x65\0\0\0\0\0\0\0\0\x7f\xff\xff\xff"s);
}

// However little of a connect request has come.
TEST_F(ClientListenerTest, HalfAConnectRequestOfZooKeepersIsNotWaitedForForEver) {
  ClientListenerOptions options;
  options.magic_timeout = options.frame_timeout = std::chrono::milliseconds(40);
  start(options);
  std::string open;
  zookeeper::append_connect_request(open, {0, 0, 4000, 0, {}, true});
  auto good = connect(open);
  ASSERT_TRUE(run([&] { return zookeeper_.size() == 1; }));
  std::vector<std::unique_ptr<RawPeer>> halves;
  for (size_t size = 0; size < open.size(); ++size) halves.push_back(connect(open.substr(0, size)));
  for (const auto& half : halves) EXPECT_TRUE(run([&] { return half->closed(); }));
  // Nor is the rest of a request behind it; a session that is silent is the cluster's to end.
  std::string request;
  zookeeper::append_request(request, {1, zookeeper::GetData{"/x", true}});
  auto later = connect(open + request.substr(0, request.size() - 1));
  EXPECT_TRUE(run([&] { return later->closed(); }));
  EXPECT_FALSE(good->closed());
  EXPECT_EQ(zookeeper_.size(), 2U);
}

TEST_F(ClientListenerTest, AClientOfZooKeepersThatNeverReadsIsDropped) {
  ClientListenerOptions options;
  options.output_bytes_max = 1 << 20;
  start(options);
  auto deaf = std::make_unique<RawPeer>(loop_, listener_->port());
  std::string open;
  zookeeper::append_connect_request(open, {0, 0, 4000, 0, {}, true});
  deaf->send(open);
  ASSERT_TRUE(run([&] { return zookeeper_.size() == 1; }));
  const std::string data(1 << 20, 'd');
  for (int i = 0; i < 64 && lost_.empty(); ++i) {
    listener_->send({zookeeper_[0].connection,
                     zookeeper::Reply{i, 1, zookeeper::ErrorCode::kOk, zookeeper::DataReply{data, {}}}});
    listener_->flush();
  }
  EXPECT_EQ(lost_.size(), 1U);
}

TEST_F(ClientListenerTest, AFrameOverTheLimitIsRefused) {
  expect_closed_by(std::string(kClientMagic) + std::string("\xff\xff\xff\x7f", 4));
}

TEST_F(ClientListenerTest, AFrameThatDoesNotParseIsRefused) {
  expect_closed_by(std::string(kClientMagic) + framed("\xff\xff\xff"));
}

TEST_F(ClientListenerTest, AFrameThatIsCutEndsOnlyItsOwnConnection) {
  start();
  auto good = connect(std::string(kClientMagic));
  auto bad = connect(std::string(kClientMagic) + get_frame(1).substr(0, 6));
  ASSERT_TRUE(run([&] { return listener_->connections() == 2; }));
  bad->close();
  ASSERT_TRUE(run([&] { return lost_.size() == 1; }));
  good->send(get_frame(2));
  ASSERT_TRUE(run([&] { return requests_.size() == 1; }));
  EXPECT_EQ(requests_[0].id, 2u);
}

TEST_F(ClientListenerTest, AnUnknownRequestIsAnsweredAndTheConnectionGoesOn) {
  start();
  api::ClientFrame unknown;
  unknown.set_id(4);
  auto client = connect(std::string(kClientMagic) + framed(unknown.SerializeAsString()) + get_frame(5));
  ASSERT_TRUE(run([&] { return requests_.size() == 1; }));
  listener_->flush();
  ASSERT_TRUE(run([&] { return client->heard().size() > 4; }));
  api::ServerFrame answer;
  ASSERT_TRUE(answer.ParseFromString(client->heard().substr(4)));
  EXPECT_EQ(answer.reply().id(), 4u);
  EXPECT_EQ(answer.reply().code(), static_cast<uint32_t>(ErrorCode::kUnsupported));
}

TEST_F(ClientListenerTest, ASilentConnectionIsClosedInTimeAndOneThatSpokeIsNot) {
  ClientListenerOptions options;
  options.magic_timeout = std::chrono::milliseconds(20);
  start(options);
  auto spoke = connect(std::string(kClientMagic) + get_frame(1));
  ASSERT_TRUE(run([&] { return requests_.size() == 1; }));
  auto silent = connect("QUO");
  EXPECT_TRUE(run([&] { return silent->closed(); }));
  EXPECT_FALSE(spoke->closed());
}

class ClientListenerLimits : public ClientListenerTest {
 protected:
  // With room for one connection: the second is turned away, and the third let in when the first is gone.
  void expect_room_for_one(const ClientListenerOptions& options) {
    start(options);
    auto first = connect(std::string(kClientMagic) + get_frame(1));
    ASSERT_TRUE(run([&] { return requests_.size() == 1; }));
    auto second = connect(std::string(kClientMagic));
    EXPECT_TRUE(run([&] { return second->closed(); }));
    first->close();
    ASSERT_TRUE(run([&] { return listener_->connections() == 0; }));
    auto third = connect(std::string(kClientMagic) + get_frame(3));
    EXPECT_TRUE(run([&] { return requests_.size() == 2; }));
  }
};

TEST_F(ClientListenerLimits, ConnectionsBeyondTheLimitAreTurnedAway) {
  ClientListenerOptions options;
  options.connections_max = 1;
  expect_room_for_one(options);
}

TEST_F(ClientListenerLimits, OneAddressMayHaveALimitOfItsOwn) {
  ClientListenerOptions options;
  options.connections_per_address_max = 1;
  expect_room_for_one(options);
}

TEST_F(ClientListenerTest, AClientThatNeverReadsIsDropped) {
  ClientListenerOptions options;
  options.output_bytes_max = 1 << 20;
  start(options);
  auto deaf = std::make_unique<RawPeer>(loop_, listener_->port());
  deaf->send(std::string(kClientMagic) + get_frame(1));
  ASSERT_TRUE(run([&] { return requests_.size() == 1; }));
  const std::string data(1 << 20, 'd');
  for (int i = 0; i < 64 && lost_.empty(); ++i) {
    listener_->send(reply(requests_[0].connection, 1, data));
    listener_->flush();
  }
  EXPECT_EQ(lost_.size(), 1u);
}

TEST_F(ClientListenerTest, WhatNobodyReadsIsLimitedOfAllTogetherAndTheSlowestGoesFirst) {
  ClientListenerOptions options;
  options.output_bytes_max = 64 << 20;
  options.output_bytes_all_max = 90 << 20;
  start(options);
  std::vector<std::unique_ptr<RawPeer>> deaf;
  for (uint64_t i = 0; i < 5; ++i) {
    deaf.push_back(std::make_unique<RawPeer>(loop_, listener_->port()));
    deaf.back()->send(std::string(kClientMagic) + get_frame(i));
    ASSERT_TRUE(run([&] { return requests_.size() == i + 1; }));
  }
  // Each below what one may have; together, whatever the sockets took, beyond what all may; and the largest
  // makes room enough.
  const std::string data(28 << 20, 'd');
  for (size_t i = 0; i < 4; ++i)
    listener_->send(reply(requests_[i].connection, 1, i == 2 ? data + data.substr(0, 4 << 20) : data));
  listener_->flush();
  EXPECT_EQ(lost_, std::vector<ConnectionId>{requests_[2].connection});
  listener_->flush();
  EXPECT_EQ(listener_->connections(), 4U);
  // What one reads is room for others.
  deaf[0]->read();
  EXPECT_TRUE(run([&] { return deaf[0]->heard().size() > data.size(); }));
  listener_->send(reply(requests_[4].connection, 1, data));
  listener_->flush();
  EXPECT_EQ(listener_->connections(), 4U);
}

// What was queued for it would otherwise be waited for: for as long as it reads nothing.
TEST_F(ClientListenerTest, WhoIsDroppedIsGoneAtOnceWhateverIsUnsent) {
  start();
  auto deaf = std::make_unique<RawPeer>(loop_, listener_->port());
  deaf->send(std::string(kClientMagic) + get_frame(1));
  ASSERT_TRUE(run([&] { return requests_.size() == 1; }));
  const ConnectionId connection = requests_[0].connection;
  listener_->send(reply(connection, 1, std::string(7 << 20, 'd')));
  listener_->close(connection);
  listener_->flush();
  ASSERT_TRUE(lost_.empty()) << "its socket took all of it";
  listener_->drop(connection, "it does not read its answers");
  EXPECT_EQ(lost_, std::vector<ConnectionId>{connection});
  EXPECT_EQ(listener_->connections(), 0U);
}

TEST_F(ClientListenerTest, ASlowReaderGetsEverythingBelowTheLimit) {
  ClientListenerOptions options;
  options.output_bytes_max = 32 << 20;
  start(options);
  auto client = std::make_unique<RawPeer>(loop_, listener_->port());
  client->send(std::string(kClientMagic) + get_frame(1));
  ASSERT_TRUE(run([&] { return requests_.size() == 1; }));
  const std::string data(16 << 20, 'd');
  listener_->send(reply(requests_[0].connection, 1, data));
  listener_->flush();
  client->read();
  EXPECT_TRUE(run([&] { return client->heard().size() > data.size(); }));
  EXPECT_TRUE(lost_.empty());
}

// Room is told once what was queued is sent, and until then no more requests are read.
TEST_F(ClientListenerTest, ACrowdedConnectionIsNotReadUntilItsOutputIsSent) {
  start();
  auto client = std::make_unique<RawPeer>(loop_, listener_->port());
  client->send(std::string(kClientMagic) + get_frame(1));
  ASSERT_TRUE(run([&] { return requests_.size() == 1; }));
  const ConnectionId connection = requests_[0].connection;
  const std::string data(6 << 20, 'd');
  listener_->send(reply(connection, 1, data));
  listener_->crowded(connection);
  listener_->flush();
  client->send(get_frame(2));
  auto other = connect(std::string(kClientMagic) + get_frame(3));
  // The other's request comes behind that one, which is at most read once more.
  ASSERT_TRUE(run([&] { return !requests_.empty() && requests_.back().id == 3; }));
  EXPECT_TRUE(drained_.empty());
  client->read();
  ASSERT_TRUE(run([&] { return client->heard().size() > data.size(); }));
  ASSERT_TRUE(run([&] { return !drained_.empty(); }));
  EXPECT_EQ(drained_, std::vector<ConnectionId>{connection});
  client->send(get_frame(4));
  ASSERT_TRUE(run([&] { return requests_.back().id == 4; }));
  EXPECT_TRUE(lost_.empty());
}

// Who waits for something else than room: there is nothing to send, and still no more is read.
TEST_F(ClientListenerTest, AConnectionThatIsHeldBackIsReadAgainBehindAnAnswer) {
  start();
  auto client = connect(std::string(kClientMagic) + get_frame(1));
  ASSERT_TRUE(run([&] { return requests_.size() == 1; }));
  const ConnectionId connection = requests_[0].connection;
  listener_->crowded(connection);
  listener_->flush();
  // The read that was under way still counts.
  client->send(get_frame(2));
  ASSERT_TRUE(run([&] { return requests_.size() == 2; }));
  client->send(get_frame(3));
  auto other = connect(std::string(kClientMagic) + get_frame(4));
  ASSERT_TRUE(run([&] { return requests_.size() == 3; }));
  EXPECT_EQ(requests_.back().id, 4u);
  EXPECT_TRUE(drained_.empty());
  listener_->send(reply(connection, 1));
  listener_->flush();
  ASSERT_TRUE(run([&] { return requests_.size() == 4; }));
  EXPECT_EQ(requests_.back().id, 3u);
  EXPECT_EQ(drained_, std::vector<ConnectionId>{connection});
}

TEST_F(ClientListenerTest, AConnectionWithRoomIsToldSoInATurnOfItsOwn) {
  start();
  auto client = connect(std::string(kClientMagic) + get_frame(1));
  ASSERT_TRUE(run([&] { return requests_.size() == 1; }));
  listener_->send(reply(requests_[0].connection, 1));
  listener_->crowded(requests_[0].connection);
  listener_->flush();
  EXPECT_TRUE(drained_.empty());
  EXPECT_TRUE(run([&] { return drained_.size() == 1; }));
}

TEST_F(ClientListenerTest, AFrameThatDoesNotEndIsNotWaitedForForEver) {
  ClientListenerOptions options;
  options.frame_timeout = std::chrono::milliseconds(40);
  start(options);
  auto good = connect(std::string(kClientMagic) + get_frame(1));
  ASSERT_TRUE(run([&] { return requests_.size() == 1; }));
  auto half = connect(std::string(kClientMagic) + get_frame(2).substr(0, 6));
  EXPECT_TRUE(run([&] { return half->closed(); }));
  EXPECT_FALSE(good->closed());
  EXPECT_EQ(requests_.size(), 1u);
}

TEST_F(ClientListenerTest, ACloseComesBehindWhatWasQueued) {
  start();
  auto client = connect(std::string(kClientMagic) + get_frame(1));
  ASSERT_TRUE(run([&] { return requests_.size() == 1; }));
  listener_->send({requests_[0].connection, SessionEndEvent{SessionId(3), ErrorCode::kSessionMoved}});
  listener_->close(requests_[0].connection);
  listener_->flush();
  ASSERT_TRUE(run([&] { return client->closed(); }));
  EXPECT_GT(client->heard().size(), 4u);
}

TEST_F(ClientListenerTest, APortInUseIsNamed) {
  start();
  ClientListener second(loop_, {});
  const Status bound = second.listen({"127.0.0.1", listener_->port()});
  EXPECT_EQ(bound.code(), ErrorCode::kInUse);
  EXPECT_NE(bound.error().message.find("client port"), std::string::npos);
}

}  // namespace
}  // namespace quorate::server
