// Two transports, or one and a stranger, over real loopback sockets.
#include "server/shell/peer_transport.h"

#include <gtest/gtest.h>
#include <netinet/tcp.h>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tests/server/loop_fixture.h"

namespace quorate::server {
namespace {

constexpr ClusterId kCluster{42};

struct Server {
  Server(boost::asio::io_context& loop, uint32_t server, PeerTransportOptions options = {}) : id(server) {
    transport = std::make_unique<PeerTransport>(loop, options, server);
  }
  void start(const std::vector<PlannedMember>& peers, ClusterId cluster = kCluster, uint64_t boot = 1) {
    transport->start(
        {id, Incarnation(id.value()), BootNonce(boot), cluster, "client-of-" + std::to_string(id.value())},
        peers,
        {[this](PeerMessage message) { received.push_back(std::move(message)); },
         [this](ServerId peer) { ++lost[peer]; },
         [this](ServerId peer, std::string address) { addresses[peer] = std::move(address); }});
  }
  PeerMessage message(uint32_t to, uint64_t number) const {
    return {id, ServerId(to), BootNonce(1), Probe{Incarnation(1), number}};
  }
  // The numbers that arrived, in order.
  std::vector<uint64_t> numbers() const {
    std::vector<uint64_t> all;
    for (const PeerMessage& m : received) all.push_back(std::get<Probe>(m.body).plan);
    return all;
  }

  ServerId id;
  std::unique_ptr<PeerTransport> transport;
  std::vector<PeerMessage> received;
  std::map<ServerId, int> lost;
  std::map<ServerId, std::string> addresses;
};

class PeerTransportTest : public testing::Test {
 protected:
  static std::string at(uint16_t port) { return "127.0.0.1:" + std::to_string(port); }
  // Binds both and lets them know each other.
  void listen(Server& server) { ASSERT_TRUE(server.transport->listen({"127.0.0.1", 0}).ok()); }
  void connect_both(ClusterId cluster_a = kCluster, ClusterId cluster_b = kCluster) {
    listen(a_);
    listen(b_);
    peers_ = {{a_.id, at(a_.transport->port())}, {b_.id, at(b_.transport->port())}};
    a_.start(peers_, cluster_a);
    b_.start(peers_, cluster_b);
  }
  bool both_connected() { return a_.transport->connected(b_.id) && b_.transport->connected(a_.id); }
  bool run(const std::function<bool()>& condition) { return run_until(loop_, condition); }

  std::string frame(const Handshake& handshake) {
    OutputQueue out;
    codec_.encode(handshake, out);
    return text(out);
  }
  std::string frame(const PeerMessage& message) {
    OutputQueue out;
    codec_.encode(message, out);
    return text(out);
  }
  static std::string text(const OutputQueue& out) {
    iovec pieces[16];
    const size_t count = out.gather(pieces);
    std::string bytes;
    for (size_t i = 0; i < count; ++i)
      bytes.append(static_cast<char*>(pieces[i].iov_base), pieces[i].iov_len);
    return bytes;
  }
  static PeerTransportOptions silent_at_once() {
    PeerTransportOptions options;
    options.alive_within = Duration(0);
    return options;
  }
  // Server 2 as a raw socket, in front of a_ only.
  std::unique_ptr<RawPeer> raw_peer() {
    if (a_.transport->port() == 0) {
      listen(a_);
      // Nobody listens at server 2's address: port 1 on loopback.
      a_.start({{a_.id, at(a_.transport->port())}, {ServerId(2), "127.0.0.1:1"}});
    }
    auto peer = std::make_unique<RawPeer>(loop_, a_.transport->port());
    peer->read();
    return peer;
  }
  Handshake from_b(uint64_t boot = 1) const {
    return {kPeerProtocolVersion, ServerId(2), ServerId(1), kCluster, Incarnation(2), BootNonce(boot), "b"};
  }
  // a_ dials server 2, behind `acceptor`, and is answered so.
  void connect_to(boost::asio::ip::tcp::acceptor& acceptor, boost::asio::ip::tcp::socket& socket,
                  const Handshake& answer) {
    listen(a_);
    a_.start({{a_.id, at(a_.transport->port())}, {ServerId(2), at(acceptor.local_endpoint().port())}});
    bool accepted = false;
    acceptor.async_accept(socket, [&](const boost::system::error_code& error) { accepted = !error; });
    ASSERT_TRUE(run([&] { return accepted; }));
    boost::asio::write(socket, boost::asio::buffer(frame(answer)));
    ASSERT_TRUE(run([&] { return a_.transport->connected(ServerId(2)); }));
  }
  // The descriptor of this process's connection from one port of loopback to another; -1: none.
  static int socket_between(uint16_t own, uint16_t other) {
    for (int fd = 0; fd < 1024; ++fd) {
      sockaddr_in here{}, there{};
      socklen_t here_bytes = sizeof(here), there_bytes = sizeof(there);
      if (::getsockname(fd, reinterpret_cast<sockaddr*>(&here), &here_bytes) == 0 &&
          ::getpeername(fd, reinterpret_cast<sockaddr*>(&there), &there_bytes) == 0 &&
          ntohs(here.sin_port) == own && ntohs(there.sin_port) == other)
        return fd;
    }
    return -1;
  }
  // A frame of this kind ends that connection, and an honest one beside it goes on.
  void expect_closed_by(const std::string& bytes) {
    auto bad = raw_peer();
    bad->send(bytes);
    EXPECT_TRUE(run([&] { return bad->closed(); }));
    auto good = raw_peer();
    const size_t before = a_.received.size();
    good->send(frame(from_b()) +
               frame(PeerMessage{ServerId(2), ServerId(1), BootNonce(1), Probe{Incarnation(1), 7}}));
    EXPECT_TRUE(run([&] { return a_.received.size() == before + 1; }));
    EXPECT_FALSE(good->closed());
  }

  boost::asio::io_context loop_;
  PeerCodec codec_;
  Server a_{loop_, 1}, b_{loop_, 2};
  std::vector<PlannedMember> peers_;
};

TEST_F(PeerTransportTest, MessagesArriveInTheirOrderBothWays) {
  connect_both();
  ASSERT_TRUE(run([&] { return both_connected(); }));
  std::vector<uint64_t> sent;
  for (uint64_t i = 0; i < 1000; ++i) {
    a_.transport->send(a_.message(2, i));
    b_.transport->send(b_.message(1, i));
    sent.push_back(i);
  }
  a_.transport->flush();
  b_.transport->flush();
  ASSERT_TRUE(run([&] { return a_.received.size() == 1000 && b_.received.size() == 1000; }));
  EXPECT_EQ(a_.numbers(), sent);
  EXPECT_EQ(b_.numbers(), sent);
  EXPECT_EQ(a_.received[0].from, b_.id);
  EXPECT_EQ(a_.received[0].to, a_.id);
}

TEST_F(PeerTransportTest, EntriesOfManyMegabytesArriveWhole) {
  connect_both();
  ASSERT_TRUE(run([&] { return both_connected(); }));
  const std::string payload(700'000, 'p');
  std::vector<raft::Proposal> proposals(10, {raft::EntryKind::kCommand, payload});
  raft::AppendRequest append{Index(1), Term(1), Index(1), 1,
                             raft::encode_entries(Term(1), Index(2), proposals)};
  a_.transport->send(
      {a_.id, b_.id, BootNonce(1), raft::Message{a_.id, b_.id, Term(1), BootNonce(1), true, append}});
  a_.transport->flush();
  ASSERT_TRUE(run([&] { return b_.received.size() == 1; }));
  const auto& arrived =
      std::get<raft::AppendRequest>(std::get<raft::Message>(b_.received[0].body).body).entries;
  ASSERT_EQ(arrived.size(), 10u);
  EXPECT_EQ(arrived[9].payload(), payload);
}

TEST_F(PeerTransportTest, TheOthersClientAddressIsKnownFromTheHandshake) {
  connect_both();
  ASSERT_TRUE(run([&] { return both_connected(); }));
  EXPECT_EQ(a_.addresses, (std::map<ServerId, std::string>{{b_.id, "client-of-2"}}));
}

TEST_F(PeerTransportTest, APeerThatEndsIsReportedAndFoundAgain) {
  connect_both();
  ASSERT_TRUE(run([&] { return both_connected(); }));
  const uint16_t port = b_.transport->port();
  b_.transport.reset();
  ASSERT_TRUE(run([&] { return a_.lost[ServerId(2)] > 0 && !a_.transport->connected(ServerId(2)); }));
  Server again(loop_, 2);
  ASSERT_TRUE(again.transport->listen({"127.0.0.1", port}).ok());
  again.start(peers_, kCluster, 2);
  EXPECT_TRUE(run([&] { return a_.transport->connected(ServerId(2)) && again.transport->connected(a_.id); }));
}

TEST_F(PeerTransportTest, ARefusedConnectIsALostPeer) {
  raw_peer();
  EXPECT_TRUE(run([&] { return a_.lost[ServerId(2)] > 0; }));
}

TEST_F(PeerTransportTest, AnAcceptedPeerThatIsResetIsReportedAtOnce) {
  auto peer = raw_peer();
  peer->send(frame(from_b()));
  ASSERT_TRUE(run([&] { return !peer->heard().empty(); }));
  // Refused dials to port 1 count as well: only what follows the reset may be meant.
  const int before = a_.lost[ServerId(2)];
  peer->socket().set_option(boost::asio::socket_base::linger(true, 0));
  peer->close();
  EXPECT_TRUE(run([&] { return a_.lost[ServerId(2)] > before; }));
}

TEST_F(PeerTransportTest, AServerOfAnotherClusterIsRefusedByBoth) {
  connect_both(ClusterId(42), ClusterId(43));
  auto bad = RawPeer(loop_, a_.transport->port());
  bad.read();
  Handshake stranger = from_b();
  stranger.cluster = ClusterId(43);
  bad.send(frame(stranger));
  ASSERT_TRUE(run([&] { return bad.closed(); }));
  EXPECT_FALSE(bad.heard().empty()) << "the answer tells the stranger why";
  EXPECT_FALSE(a_.transport->connected(b_.id));
  EXPECT_FALSE(b_.transport->connected(a_.id));
}

TEST_F(PeerTransportTest, OneWithoutAClusterIsHeardAndTellsWhenItHasOne) {
  connect_both(kCluster, ClusterId());
  ASSERT_TRUE(run([&] { return both_connected(); }));
  b_.transport->set_cluster(kCluster);
  const raft::Message heartbeat{b_.id, a_.id, Term(1), BootNonce(1), true, raft::Heartbeat{}};
  b_.transport->send({b_.id, a_.id, BootNonce(1), heartbeat});
  b_.transport->flush();
  EXPECT_TRUE(run([&] { return a_.received.size() == 1; }));
}

TEST_F(PeerTransportTest, ConsensusFromOneWithoutAClusterIsRefused) {
  Handshake unformed = from_b();
  unformed.cluster = ClusterId();
  const raft::Message heartbeat{ServerId(2), ServerId(1), Term(1), BootNonce(1), true, raft::Heartbeat{}};
  expect_closed_by(frame(unformed) + frame(PeerMessage{ServerId(2), ServerId(1), BootNonce(1), heartbeat}));
  EXPECT_TRUE(std::holds_alternative<Probe>(a_.received[0].body));
}

TEST_F(PeerTransportTest, OneThatLooksForSomebodyElseIsRefused) {
  Handshake handshake = from_b();
  handshake.to = ServerId(3);
  expect_closed_by(frame(handshake));
}

TEST_F(PeerTransportTest, OneThatIsNoMemberIsRefused) {
  Handshake handshake = from_b();
  handshake.from = ServerId(9);
  expect_closed_by(frame(handshake));
}

TEST_F(PeerTransportTest, AnotherProtocolVersionIsRefused) {
  Handshake handshake = from_b();
  handshake.protocol_version = kPeerProtocolVersion + 1;
  expect_closed_by(frame(handshake));
}

TEST_F(PeerTransportTest, AMessageBeforeTheHandshakeIsRefused) {
  expect_closed_by(frame(PeerMessage{ServerId(2), ServerId(1), BootNonce(1), Probe{}}));
}

TEST_F(PeerTransportTest, GarbageIsRefused) {
  expect_closed_by(std::string(64, '\x01') + std::string(64, 'g'));
}

TEST_F(PeerTransportTest, AFrameOverTheLimitIsRefused) {
  expect_closed_by(frame(from_b()) + std::string("\xff\xff\xff\x7f", 4));
}

TEST_F(PeerTransportTest, AHeaderThatDoesNotParseIsRefused) {
  expect_closed_by(frame(from_b()) + std::string("\x04\0\0\0\x04\0\0\0\xff\xff\xff\xff", 12));
}

TEST_F(PeerTransportTest, ADamagedEntryIsRefused) {
  const std::vector<raft::Proposal> proposals = {{raft::EntryKind::kCommand, "payload"}};
  raft::AppendRequest append{Index(1), Term(1), Index(1), 1,
                             raft::encode_entries(Term(1), Index(2), proposals)};
  const raft::Message message{ServerId(2), ServerId(1), Term(1), BootNonce(1), true, append};
  std::string bytes = frame(PeerMessage{ServerId(2), ServerId(1), BootNonce(1), message});
  bytes.back() = static_cast<char>(bytes.back() ^ 1);
  expect_closed_by(frame(from_b()) + bytes);
}

TEST_F(PeerTransportTest, ANewHandshakeOfAPeerThatIsSilentEndsItsOldConnection) {
  a_ = Server(loop_, 1, silent_at_once());
  auto old = raw_peer();
  old->send(frame(from_b(1)));
  ASSERT_TRUE(run([&] { return !old->heard().empty(); }));
  auto fresh = raw_peer();
  fresh->send(frame(from_b(2)));
  EXPECT_TRUE(run([&] { return old->closed(); }));
  const size_t before = a_.received.size();
  fresh->send(frame(PeerMessage{ServerId(2), ServerId(1), BootNonce(2), Probe{}}));
  ASSERT_TRUE(run([&] { return a_.received.size() > before; }));
  EXPECT_EQ(a_.received.back().boot, BootNonce(2));
}

// Somebody started a second server with the number of one that runs.
TEST_F(PeerTransportTest, WhoComesUnderTheNumberOfAServerThatIsAliveIsTurnedAway) {
  PeerTransportOptions options;
  options.alive_within = std::chrono::hours(24);
  a_ = Server(loop_, 1, options);
  auto one = raw_peer();
  one->send(frame(from_b(1)));
  ASSERT_TRUE(run([&] { return !one->heard().empty(); }));
  auto two = raw_peer();
  two->send(frame(from_b(2)));
  EXPECT_TRUE(run([&] { return two->closed(); }));
  EXPECT_FALSE(two->heard().empty()) << "it is answered, and can say who refuses it";
  EXPECT_FALSE(one->closed());
  one->send(frame(PeerMessage{ServerId(2), ServerId(1), BootNonce(1), Probe{}}));
  EXPECT_TRUE(run([&] { return !a_.received.empty(); }));
  // The same run may come again.
  auto again = raw_peer();
  again->send(frame(from_b(1)));
  EXPECT_TRUE(run([&] { return one->closed(); }));
  EXPECT_FALSE(again->closed());
}

// Its machine lost its power: nothing ended the connection to the run before.
TEST_F(PeerTransportTest, APeerThatStartedAgainIsDialledAnewThoughTheOldConnectionStands) {
  a_ = Server(loop_, 1, silent_at_once());
  boost::asio::ip::tcp::acceptor acceptor(loop_, {boost::asio::ip::address_v4::loopback(), 0});
  boost::asio::ip::tcp::socket before(loop_), after(loop_);
  connect_to(acceptor, before, from_b(1));
  RawPeer same(loop_, a_.transport->port());
  same.read();
  same.send(frame(from_b(1)));
  ASSERT_TRUE(run([&] { return !same.heard().empty(); }));
  EXPECT_TRUE(a_.transport->connected(ServerId(2))) << "the run that answered";
  EXPECT_EQ(a_.lost[ServerId(2)], 0);

  bool accepted = false;
  acceptor.async_accept(after, [&](const boost::system::error_code& error) { accepted = !error; });
  RawPeer restarted(loop_, a_.transport->port());
  restarted.send(frame(from_b(2)));
  ASSERT_TRUE(run([&] { return accepted; }));
  EXPECT_EQ(a_.lost[ServerId(2)], 1);
  boost::asio::write(after, boost::asio::buffer(frame(from_b(2))));
  EXPECT_TRUE(run([&] { return a_.transport->connected(ServerId(2)); }));
}

// Between two followers hours may pass without a message, and what is between them may forget the connection.
TEST_F(PeerTransportTest, AnIdleConnectionIsProbedAtBothEnds) {
  boost::asio::ip::tcp::acceptor acceptor(loop_, {boost::asio::ip::address_v4::loopback(), 0});
  boost::asio::ip::tcp::socket peer(loop_);
  connect_to(acceptor, peer, from_b());
  RawPeer dialling(loop_, a_.transport->port());
  dialling.read();
  dialling.send(frame(from_b()));
  ASSERT_TRUE(run([&] { return !dialling.heard().empty(); }));
  for (const uint16_t port : {peer.remote_endpoint().port(), a_.transport->port()}) {
    const uint16_t other = port == a_.transport->port() ? dialling.socket().local_endpoint().port()
                                                        : acceptor.local_endpoint().port();
    const int socket = socket_between(port, other);
    ASSERT_GE(socket, 0);
    int probed = 0, idle_seconds = 0;
    socklen_t size = sizeof(int);
    ASSERT_EQ(::getsockopt(socket, SOL_SOCKET, SO_KEEPALIVE, &probed, &size), 0);
    ASSERT_EQ(::getsockopt(socket, IPPROTO_TCP, TCP_KEEPIDLE, &idle_seconds, &size), 0);
    EXPECT_EQ(probed, 1);
    EXPECT_EQ(std::chrono::seconds(idle_seconds), PeerTransportOptions().idle_probe);
  }
}

TEST_F(PeerTransportTest, ASilentStrangerIsClosedInTime) {
  PeerTransportOptions options;
  options.handshake_timeout = std::chrono::milliseconds(30);
  Server quick(loop_, 1, options);
  listen(quick);
  quick.start({{quick.id, at(quick.transport->port())}});
  RawPeer silent(loop_, quick.transport->port());
  silent.read();
  EXPECT_TRUE(run([&] { return silent.closed(); }));
}

TEST_F(PeerTransportTest, StrangersBeyondTheLimitAreTurnedAway) {
  PeerTransportOptions options;
  options.strangers_max = 2;
  Server small(loop_, 1, options);
  listen(small);
  small.start({{small.id, at(small.transport->port())}});
  std::vector<std::unique_ptr<RawPeer>> strangers;
  for (int i = 0; i < 3; ++i) {
    strangers.push_back(std::make_unique<RawPeer>(loop_, small.transport->port()));
    strangers.back()->read();
  }
  EXPECT_TRUE(run([&] { return strangers[2]->closed(); }));
  EXPECT_FALSE(strangers[0]->closed());
}

TEST_F(PeerTransportTest, MessagesToOneThatReadsNothingAreBounded) {
  // Server 2 shakes hands and then never reads.
  boost::asio::ip::tcp::acceptor acceptor(loop_, {boost::asio::ip::address_v4::loopback(), 0});
  PeerTransportOptions options;
  options.output_bytes_max = 1 << 20;
  Server sender(loop_, 1, options);
  listen(sender);
  sender.start(
      {{sender.id, at(sender.transport->port())}, {ServerId(2), at(acceptor.local_endpoint().port())}});
  boost::asio::ip::tcp::socket deaf(loop_);
  bool accepted = false;
  acceptor.async_accept(deaf, [&](const boost::system::error_code&) { accepted = true; });
  ASSERT_TRUE(run([&] { return accepted; }));
  Handshake answer = from_b();
  const std::string bytes = frame(answer);
  boost::asio::write(deaf, boost::asio::buffer(bytes));
  ASSERT_TRUE(run([&] { return sender.transport->connected(ServerId(2)); }));
  // 64 MiB would be sent if nothing was dropped: what the kernel holds and the limit are far below.
  Forward forward;
  forward.commands.emplace_back(std::string(64 << 10, 'f'));
  size_t sent = 0;
  for (int i = 0; i < 1024; ++i) {
    sender.transport->send({sender.id, ServerId(2), BootNonce(1), forward});
    sender.transport->flush();
    ++sent;
  }
  EXPECT_EQ(sent, 1024u);
  sender.transport->stop();
  size_t arrived = 0;
  std::vector<char> buffer(1 << 20);
  boost::system::error_code error;
  while (!error) arrived += deaf.read_some(boost::asio::buffer(buffer), error);
  EXPECT_LT(arrived, size_t{48} << 20);
}

TEST_F(PeerTransportTest, APortInUseIsNamed) {
  listen(a_);
  const Status bound = b_.transport->listen({"127.0.0.1", a_.transport->port()});
  EXPECT_EQ(bound.code(), ErrorCode::kInUse);
  EXPECT_NE(bound.error().message.find(at(a_.transport->port())), std::string::npos);
}

TEST_F(PeerTransportTest, AnAddressThatIsNotOursIsRefused) {
  EXPECT_EQ(a_.transport->listen({"192.0.2.1", 0}).code(), ErrorCode::kBadConfiguration);
}

}  // namespace
}  // namespace quorate::server
