// The library as a program uses it, against a scripted server on a real socket.
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <atomic>
#include <future>

#include "base/check.h"
#include "client/quorate/async.h"
#include "client/quorate/client.h"
#include "tests/client/fake_server.h"

namespace quorate::client {
namespace {

Options options_for(std::vector<std::string> endpoints) {
  Options options;
  options.endpoints = std::move(endpoints);
  return options;
}

// A port that nobody listens on.
std::string dead_endpoint() {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  CHECK(bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0);
  socklen_t size = sizeof(address);
  CHECK(getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) == 0);
  close(fd);
  return "127.0.0.1:" + std::to_string(ntohs(address.sin_port));
}

TEST(Library, GetsAndSets) {
  FakeServer server(friendly);
  Client client(options_for({server.endpoint()}));
  EXPECT_FALSE(client.session());
  const Result<Node> node = client.get("/a");
  ASSERT_TRUE(node.ok()) << node.error().message;
  EXPECT_EQ(node->data, "hello");
  EXPECT_FALSE(client.session()) << "reads need none";
  const Result<Stat> stat = client.set("/a", "x");
  ASSERT_TRUE(stat.ok()) << stat.error().message;
  EXPECT_EQ(stat->version, 1);
  EXPECT_EQ(client.session(), SessionId(77));
  EXPECT_FALSE(client.session_lost());
}

TEST(Library, WhoHasNoDescriptorsLeftIsToldByEveryCall) {
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  const rlimit none{.rlim_cur = 0, .rlim_max = before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
  Client client(options_for({"127.0.0.1:1"}));
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
  for (int i = 0; i < 2; ++i) {
    const Result<Node> node = client.get("/a");
    EXPECT_EQ(node.code(), ErrorCode::kLimitReached);
    EXPECT_EQ(node.error().message,
              "the client cannot start its thread (Too many open files): raise the limits of the process "
              "(ulimit -n, ulimit -u)");
  }
  EXPECT_EQ(client.set("/a", "x").code(), ErrorCode::kLimitReached);
  // Not before: poll() of another thread would fail where no descriptor is allowed.
  FakeServer server(friendly);
  EXPECT_TRUE(Client(options_for({server.endpoint()})).get("/a").ok());
}

TEST(Library, AWriteWhoseAnswerWasLostHasTheOutcomeOfItsNumber) {
  std::atomic<int> drops = 2;
  FakeServer server([&](const api::ClientFrame& frame) {
    FakeServer::Answer answer = friendly(frame);
    if (frame.has_write() && frame.write().has_create() && drops-- > 0) answer.drop = true;
    return answer;
  });
  Client client(options_for({server.endpoint()}));
  const Result<Created> made = client.create("/a", "x");
  ASSERT_TRUE(made.ok()) << made.error().message;
  EXPECT_EQ(made->stat.version, 1) << "the outcome of number 1";
  EXPECT_EQ(server.count([](const auto& f) { return f.has_write() && f.write().number() == 1; }), 3U);
  EXPECT_EQ(server.count([](const auto& f) { return f.has_open_session(); }), 1U);
  EXPECT_EQ(server.count([](const auto& f) { return f.has_attach_session(); }), 2U);
}

TEST(Library, SkipsAnEndpointThatCannotBeReached) {
  FakeServer server(friendly);
  Client client(options_for({dead_endpoint(), "no-such-host.invalid:2181", server.endpoint()}));
  EXPECT_TRUE(client.get("/a").ok());
}

TEST(Library, NamesWhatItCouldNotReach) {
  Options options = options_for({dead_endpoint()});
  options.request_timeout = milliseconds(200);
  Client client(options);
  const Result<Node> node = client.get("/a");
  ASSERT_FALSE(node.ok());
  EXPECT_EQ(node.code(), ErrorCode::kUnavailable);
  EXPECT_NE(node.error().message.find(options.endpoints[0]), std::string::npos) << node.error().message;
}

TEST(Library, AServerThatSpeaksSomethingElseIsUnavailable) {
  FakeServer server([](const api::ClientFrame&) {
    return FakeServer::Answer{{}, "HTTP/1.1 400 Bad Request\r\n\r\n", false};
  });
  std::promise<Error> told;
  Options options = options_for({server.endpoint()});
  options.on_endpoint = [&told](const std::string&, const Error& trouble) { told.set_value(trouble); };
  Client client(options);
  const auto node = client.async().get("/a").future();
  const Error trouble = told.get_future().get();
  EXPECT_EQ(trouble.code, ErrorCode::kUnavailable);
  EXPECT_NE(trouble.message.find("is it a Quorate server"), std::string::npos) << trouble.message;
}

TEST(Library, AnUnansweredWriteIsOutcomeUnknown) {
  FakeServer server([](const api::ClientFrame& frame) {
    return frame.has_write() ? FakeServer::Answer{} : friendly(frame);
  });
  Options options = options_for({server.endpoint()});
  options.request_timeout = milliseconds(2'000);
  Client client(options);
  EXPECT_EQ(client.set("/a", "x").code(), ErrorCode::kOutcomeUnknown);
}

TEST(Library, RefusesWhatTheServersWouldRefuseWithoutAskingThem) {
  Client client(options_for({dead_endpoint()}));
  EXPECT_EQ(client.get("no-slash").code(), ErrorCode::kBadPath);
  EXPECT_EQ(client.create("/a//b").code(), ErrorCode::kBadPath);
  EXPECT_EQ(client.set("/a", std::string((1 << 20) + 1, 'x')).code(), ErrorCode::kTooLarge);
  EXPECT_EQ(client.acquire("/l", {.wait = milliseconds(-1)}).code(), ErrorCode::kInvalidArgument);
}

TEST(Library, AWrongOptionIsTheAnswerOfEveryCall) {
  for (const char* endpoint : {"", "host", "host:", ":1", "host:0", "host:65536", "::1:2181", "host:21x"}) {
    Client client(options_for({endpoint}));
    EXPECT_EQ(client.get("/a").code(), ErrorCode::kInvalidArgument) << endpoint;
    EXPECT_EQ(client.set("/a", "").code(), ErrorCode::kInvalidArgument) << endpoint;
  }
  Client none(options_for({}));
  EXPECT_EQ(none.get("/a").code(), ErrorCode::kInvalidArgument);
}

TEST(Library, AWatchIsWaitedFor) {
  FakeServer server(friendly);
  Client client(options_for({server.endpoint()}));
  Watch watch;
  EXPECT_EQ(watch.wait().code(), ErrorCode::kInvalidArgument) << "no read has set it";
  ASSERT_TRUE(client.get("/a", &watch).ok());
  EXPECT_TRUE(watch.armed());
  EXPECT_EQ(watch.wait(milliseconds(1)).code(), ErrorCode::kTimeout);
  EXPECT_EQ(client.get("/a", &watch).code(), ErrorCode::kInvalidArgument) << "it is set already";
  const api::ClientFrame set = server.wait_for([](const auto& f) { return f.has_get(); });
  api::ServerFrame event;
  event.mutable_watch_event()->set_watch(set.get().watch());
  event.mutable_watch_event()->set_kind(2);
  event.mutable_watch_event()->set_path("/a");
  server.push(event);
  const Result<Event> fired = watch.wait();
  ASSERT_TRUE(fired.ok());
  EXPECT_EQ(fired->kind, EventKind::kDeleted);
  EXPECT_FALSE(watch.armed());
}

TEST(Library, AWatchIsResumedOverANewConnection) {
  FakeServer server([](const api::ClientFrame& frame) {
    FakeServer::Answer answer = friendly(frame);
    if (frame.has_resume_watch()) {
      api::ServerFrame event;
      event.mutable_watch_event()->set_watch(frame.resume_watch().watch());
      event.mutable_watch_event()->set_kind(3);
      event.mutable_watch_event()->set_zxid(frame.resume_watch().seen() + 1);
      answer.frames.push_back(event);
    }
    return answer;
  });
  Client client(options_for({server.endpoint()}));
  std::promise<Event> told;
  Watch watch([&](const Event& event) { told.set_value(event); });
  ASSERT_TRUE(client.get("/a", &watch).ok());
  server.drop_connections();
  const Event event = told.get_future().get();
  EXPECT_EQ(event.kind, EventKind::kDataChanged);
  EXPECT_EQ(event.zxid, Zxid(10)) << "it had seen 9";
}

TEST(Library, ACallbackThatWaitsIsRefused) {
  FakeServer server(friendly);
  Client client(options_for({server.endpoint()}));
  std::promise<ErrorCode> told;
  Watch watch([&](const Event&) { told.set_value(client.get("/a").code()); });
  ASSERT_TRUE(client.get("/a", &watch).ok());
  const api::ClientFrame set = server.wait_for([](const auto& f) { return f.has_get(); });
  api::ServerFrame event;
  event.mutable_watch_event()->set_watch(set.get().watch());
  event.mutable_watch_event()->set_kind(3);
  server.push(event);
  EXPECT_EQ(told.get_future().get(), ErrorCode::kInvalidArgument);
}

TEST(Library, ADroppedWatchIsRemoved) {
  FakeServer server(friendly);
  Client client(options_for({server.endpoint()}));
  {
    Watch watch;
    ASSERT_TRUE(client.get("/a", &watch).ok());
  }
  EXPECT_EQ(server.wait_for([](const auto& f) { return f.has_remove_watch(); }).remove_watch().watch(), 1U);
}

TEST(Library, ALockIsReleasedWithItsGuard) {
  FakeServer server(friendly);
  Options options = options_for({server.endpoint()});
  options.name = "the test";
  Client client(options);
  {
    const Result<Lock> lock = client.acquire("/l");
    ASSERT_TRUE(lock.ok()) << lock.error().message;
    EXPECT_EQ(lock->token(), Token(41));
    EXPECT_EQ(lock->path(), "/l");
    EXPECT_EQ(lock->session(), SessionId(77));
    EXPECT_FALSE(lock->lost());
    EXPECT_EQ(server.count([](const auto& f) { return f.write().has_release(); }), 0U);
  }
  const api::ClientFrame release = server.wait_for([](const auto& f) { return f.write().has_release(); });
  EXPECT_EQ(release.write().release().node(), "/l/lock-0000000001");
  EXPECT_EQ(server.wait_for([](const auto& f) { return f.write().has_acquire(); }).write().acquire().data(),
            "the test");
}

TEST(Library, ALockTellsThatItIsLostInEveryWay) {
  FakeServer server(friendly);
  Client client(options_for({server.endpoint()}));
  Result<Lock> lock = client.acquire("/l");
  ASSERT_TRUE(lock.ok());
  std::promise<void> told;
  lock->on_lost([&] { told.set_value(); });
  api::ServerFrame end;
  end.mutable_session_end()->set_session(77);
  end.mutable_session_end()->set_code(static_cast<uint32_t>(ErrorCode::kSessionExpired));
  server.push(end);
  told.get_future().wait();
  EXPECT_TRUE(lock->lost());
  EXPECT_TRUE(lock->stop_token().stop_requested());
  EXPECT_TRUE(client.session_lost());
  bool again = false;
  lock->on_lost([&] { again = true; });
  EXPECT_TRUE(again) << "told at once when it is lost already";
  EXPECT_EQ(lock->release().code(), ErrorCode::kNoNode);
  EXPECT_EQ(client.acquire("/l").code(), ErrorCode::kSessionExpired);
}

TEST(Library, TheEndOfAClientClosesItsSessionAndEndsWhatWaits) {
  FakeServer server([](const api::ClientFrame& frame) {
    FakeServer::Answer answer = friendly(frame);
    if (frame.write().has_acquire() && frame.write().acquire().path() == "/taken")
      answer.frames[0].mutable_reply()->mutable_outcome()->set_held(false);
    return answer;
  });
  auto client = std::make_unique<Client>(options_for({server.endpoint()}));
  Result<Lock> lock = client->acquire("/l");
  ASSERT_TRUE(lock.ok());
  Watch watch;
  ASSERT_TRUE(client->get("/a", &watch).ok());
  std::future<ErrorCode> waiting =
      std::async(std::launch::async, [&] { return client->acquire("/taken").code(); });
  server.wait_for([](const auto& f) { return f.write().acquire().path() == "/taken"; });
  client->close();
  EXPECT_EQ(waiting.get(), ErrorCode::kShuttingDown);
  EXPECT_EQ(client->get("/a").code(), ErrorCode::kShuttingDown);
  EXPECT_TRUE(lock->lost());
  EXPECT_EQ(watch.wait().code(), ErrorCode::kShuttingDown);
  EXPECT_EQ(server.count([](const auto& f) { return f.write().has_close_session(); }), 1U);
  client.reset();
  EXPECT_TRUE(lock->lost());
}

TEST(Library, AsksOneServerForItsStatus) {
  FakeServer server(friendly);
  Client client(options_for({dead_endpoint()}));
  const Result<ServerStatus> status = client.status(server.endpoint());
  ASSERT_TRUE(status.ok()) << status.error().message;
  EXPECT_EQ(status->id, ServerId(3));
  EXPECT_EQ(status->role, Role::kLeader);
  EXPECT_EQ(client.status(dead_endpoint()).code(), ErrorCode::kUnavailable);
  EXPECT_EQ(client.status("nonsense").code(), ErrorCode::kInvalidArgument);
}

TEST(Library, ManyThreadsShareAClient) {
  FakeServer server(friendly);
  Client client(options_for({server.endpoint()}));
  std::vector<std::future<int>> threads;
  for (int t = 0; t < 8; ++t) {
    threads.push_back(std::async(std::launch::async, [&] {
      int good = 0;
      for (int i = 0; i < 50; ++i) good += client.set("/a", "x").ok() && client.get("/a").ok() ? 1 : 0;
      return good;
    }));
  }
  for (auto& each : threads) EXPECT_EQ(each.get(), 50);
  EXPECT_EQ(server.count([](const auto& f) { return f.has_write(); }), 400U);
}

TEST(Library, AFeedIsCompleteUpToWhereItBegan) {
  // Nothing has changed behind that.
  FakeServer server([](const api::ClientFrame& frame) {
    FakeServer::Answer answer = friendly(frame);
    api::Changes& changes = *answer.frames[0].mutable_reply()->mutable_changes();
    changes.set_up_to(frame.watch_since().since());
    changes.set_live(true);
    return answer;
  });
  Client client(options_for({server.endpoint()}));
  const auto feed = client.watch_changes("/a", {.since = Zxid(9)}, [](const Result<Changes>&) {});
  ASSERT_TRUE(feed.ok()) << feed.error().message;
  EXPECT_EQ(feed->complete(), Zxid(9)) << "who goes on from 0 would miss what comes now";
}

}  // namespace
}  // namespace quorate::client
