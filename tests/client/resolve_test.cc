// Names of servers are looked up again at each attempt: a server that moved is found where it is now.
#include <gtest/gtest.h>

#include <atomic>
#include <future>

#include <boost/asio/ip/address.hpp>

#include "client/thread_loop.h"
#include "tests/client/fake_server.h"

namespace quorate::client {
namespace {

namespace asio = boost::asio;

EngineOptions options_for(const std::string& endpoint) {
  EngineOptions options;
  options.endpoints = {endpoint};
  options.request_timeout = std::chrono::minutes(10);
  options.password = std::string(16, 'p');
  return options;
}

ErrorCode get(ThreadLoop& loop) {
  std::promise<ErrorCode> answered;
  loop.post([&](Engine& engine, Instant now) {
    api::ClientFrame frame;
    frame.mutable_get()->set_path("/a");
    engine.read(now, frame,
                [&](Instant, const Result<api::Reply>& reply) { answered.set_value(reply.code()); });
  });
  return answered.get_future().get();
}

Addresses address_of(const FakeServer& server) {
  const std::string endpoint = server.endpoint();
  return {{asio::ip::make_address("127.0.0.1"),
           static_cast<uint16_t>(std::stoi(endpoint.substr(endpoint.find(':') + 1)))}};
}

TEST(Resolving, BeginsWithTheNextOfSeveralAddresses) {
  // It takes connections, and is of no use: on the third one it says so.
  int asked = 0;
  FakeServer useless([&](const api::ClientFrame& frame) {
    FakeServer::Answer answer = friendly(frame);
    answer.drop = ++asked < 3;
    answer.frames[0].mutable_reply()->set_code(static_cast<uint32_t>(ErrorCode::kNoNode));
    return answer;
  });
  FakeServer useful(friendly);
  const Resolve resolve = [&](const HostPort&, const OnResolved& found) {
    found(Addresses{address_of(useless)[0], address_of(useful)[0]});
    return [] {};
  };
  ThreadLoop loop(options_for("quorate.example:2181"), {{"quorate.example", "2181"}}, resolve);
  EXPECT_EQ(get(loop), ErrorCode::kOk);
}

TEST(Resolving, AsksForTheNameAtEachAttempt) {
  FakeServer before([](const api::ClientFrame& frame) {
    FakeServer::Answer answer = friendly(frame);
    answer.drop = true;
    return answer;
  });
  FakeServer after(friendly);
  std::vector<std::string> asked;
  // Unknown at first, then the server that drops every connection, then the one that has taken its place.
  const Resolve resolve = [&](const HostPort& where, const OnResolved& found) {
    asked.push_back(where.host + " " + where.port);
    if (asked.size() == 1)
      found(Error{ErrorCode::kNoNode, "no such name"});
    else
      found(address_of(asked.size() == 2 ? before : after));
    return [] {};
  };
  ThreadLoop loop(options_for("quorate.example:2181"), {{"quorate.example", "2181"}}, resolve);
  EXPECT_EQ(get(loop), ErrorCode::kOk);
  loop.stop();
  EXPECT_EQ(asked, std::vector<std::string>(3, "quorate.example 2181"));
}

TEST(Resolving, AnAddressIsNoName) {
  FakeServer server(friendly);
  const Addresses address = address_of(server);
  const Resolve resolve = [](const HostPort&, const OnResolved&) {
    ADD_FAILURE() << "an address was looked up";
    return [] {};
  };
  ThreadLoop loop(options_for(server.endpoint()), {{"127.0.0.1", std::to_string(address[0].port())}},
                  resolve);
  EXPECT_EQ(get(loop), ErrorCode::kOk);
  loop.stop();
}

TEST(Resolving, ALookUpThatNeverEndsIsGivenUp) {
  std::atomic<int> asked = 0, given_up = 0;
  // The first is never answered, and held for ever.
  std::vector<OnResolved> held;
  FakeServer server(friendly);
  const Resolve resolve = [&](const HostPort&, const OnResolved& found) -> std::function<void()> {
    if (++asked == 1)
      held.push_back(found);
    else
      found(address_of(server));
    return [&] { ++given_up; };
  };
  ThreadLoop loop(options_for("quorate.example:2181"), {{"quorate.example", "2181"}}, resolve);
  EXPECT_EQ(get(loop), ErrorCode::kOk);
  loop.stop();
  EXPECT_EQ(asked, 2);
  EXPECT_EQ(given_up, 2) << "the one that hung, and the one that was done, when its connection was closed";
  held.clear();
}

TEST(Resolving, TheSystemIsAskedWhereNobodyElseIs) {
  FakeServer server(friendly);
  const std::string port = std::to_string(address_of(server)[0].port());
  ThreadLoop loop(options_for("localhost:" + port), {{"localhost", port}});
  EXPECT_EQ(get(loop), ErrorCode::kOk);
}

}  // namespace
}  // namespace quorate::client
