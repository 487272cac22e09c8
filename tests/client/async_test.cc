// Calls that are not waited for, against a scripted server on a real socket.
#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <thread>

#include "client/quorate/async.h"
#include "tests/client/fake_server.h"

namespace quorate::client {
namespace {

Options options_for(const FakeServer& server) {
  Options options;
  options.endpoints = {server.endpoint()};
  return options;
}

// Answers nothing that has to do with /silent; /taken is held by somebody else.
FakeServer::Answer sometimes_silent(const api::ClientFrame& frame) {
  const api::Write& write = frame.write();
  if (frame.get().path() == "/silent" || write.set().path() == "/silent") return {};
  FakeServer::Answer answer = friendly(frame);
  if (write.acquire().path() == "/taken")
    answer.frames[0].mutable_reply()->mutable_outcome()->set_held(false);
  for (const api::Acquire& lock : write.acquire_many().locks())
    answer.frames[0].mutable_reply()->mutable_outcome()->add_results()->set_path(lock.path() + "/lock-1");
  return answer;
}

// Counts how often each handler was called, and with what.
class Told {
 public:
  template <class R>
  auto handler() {
    const size_t index = calls_++;
    return [this, index](R outcome) {
      const std::lock_guard lock(mutex_);
      codes_.resize(std::max(codes_.size(), index + 1));
      codes_[index].push_back(outcome.code());
    };
  }
  // Of the handlers in the order in which they were made. REQUIRES: each was called once.
  std::vector<ErrorCode> codes() {
    const std::lock_guard lock(mutex_);
    std::vector<ErrorCode> out;
    EXPECT_EQ(codes_.size(), calls_);
    for (const std::vector<ErrorCode>& each : codes_) {
      EXPECT_EQ(each.size(), 1U);
      out.push_back(each.empty() ? ErrorCode::kOk : each[0]);
    }
    return out;
  }

 private:
  size_t calls_ = 0;
  std::mutex mutex_;
  std::vector<std::vector<ErrorCode>> codes_;  // guarded by mutex_
};

api::ServerFrame session_end() {
  api::ServerFrame end;
  end.mutable_session_end()->set_session(77);
  end.mutable_session_end()->set_code(static_cast<uint32_t>(ErrorCode::kSessionExpired));
  return end;
}

TEST(Async, AHandlerIsCalledOnTheClientsThread) {
  FakeServer server(friendly);
  Client client(options_for(server));
  std::promise<std::pair<std::thread::id, std::string>> told, told_again;
  client.async().get("/a").begin([&](Result<Node> node) {
    told.set_value({std::this_thread::get_id(), node->data});
  });
  client.async().get("nonsense").begin([&](Result<Node> node) {
    told_again.set_value({std::this_thread::get_id(), std::string(error_name(node.code()))});
  });
  const auto [thread, data] = told.get_future().get();
  EXPECT_EQ(data, "hello");
  EXPECT_NE(thread, std::this_thread::get_id());
  const auto [same_thread, error] = told_again.get_future().get();
  EXPECT_EQ(error, "bad-path");
  EXPECT_EQ(same_thread, thread) << "also what is refused before anything is asked";
}

TEST(Async, AHandlerNeedNotBeCopyable) {
  FakeServer server(friendly);
  Client client(options_for(server));
  auto promise = std::make_unique<std::promise<Result<Lock>>>();
  std::future<Result<Lock>> lock = promise->get_future();
  client.async().acquire("/l").begin(
      [promise = std::move(promise)](Result<Lock> held) { promise->set_value(std::move(held)); });
  EXPECT_EQ(lock.get()->token(), Token(41));
}

TEST(Async, WritesAreAppliedInTheOrderInWhichTheyWereBegun) {
  FakeServer server(friendly);
  Client client(options_for(server));
  std::vector<std::future<Result<Stat>>> sets;
  for (int i = 0; i < 500; ++i) sets.push_back(client.async().set("/a", std::to_string(i)).future());
  for (int i = 0; i < 500; ++i) EXPECT_EQ(sets[static_cast<size_t>(i)].get()->version, i + 1);
  const api::ClientFrame last = server.wait_for([](const auto& f) { return f.write().number() == 500; });
  EXPECT_EQ(last.write().set().data(), "499");
}

// Locks /a to /e and sessions 1 to 5, two a page; of a page that begins behind `silent` nothing is heard, and
// the connection breaks once where one begins behind `breaks`.
FakeServer::Script in_pages(std::string silent, std::shared_ptr<std::string> breaks) {
  return [silent = std::move(silent), breaks = std::move(breaks)](const api::ClientFrame& frame) {
    FakeServer::Answer answer;
    const bool sessions = frame.has_session_list();
    if (!sessions && !frame.has_lock_list()) return friendly(frame);
    const int after = sessions
                          ? static_cast<int>(frame.session_list().after())
                          : (frame.lock_list().after().empty() ? 0 : frame.lock_list().after()[1] - 'a' + 1);
    const std::string name(1, static_cast<char>('0' + after));
    if (name == silent) return answer;
    if (name == *breaks) {
      breaks->clear();
      answer.drop = true;
      return answer;
    }
    api::ServerFrame out = ok(frame);
    for (int i = after + 1; i <= std::min(after + 2, 5); ++i) {
      if (sessions) {
        out.mutable_reply()->mutable_sessions()->add_sessions()->set_id(static_cast<uint64_t>(i));
        if (i == after + 2 && i < 5)
          out.mutable_reply()->mutable_sessions()->set_next(static_cast<uint64_t>(i));
      } else {
        const std::string path = std::string("/") + static_cast<char>('a' + i - 1);
        out.mutable_reply()->mutable_locks()->add_locks()->set_path(path);
        if (i == after + 2 && i < 5) out.mutable_reply()->mutable_locks()->set_next(path);
      }
    }
    answer.frames = {out};
    return answer;
  };
}

TEST(Async, PagesAreAskedForOneAfterTheOther) {
  FakeServer server(in_pages("", std::make_shared<std::string>("2")));
  Client client(options_for(server));
  const auto list = client.lock_list("/");
  ASSERT_TRUE(list.ok()) << "over a connection that breaks, too";
  std::string paths;
  for (const LockInfo& lock : *list) paths += lock.path;
  EXPECT_EQ(paths, "/a/b/c/d/e");
  EXPECT_EQ(client.lock_list("/", 3)->size(), 3U);
  EXPECT_EQ(client.lock_list("/", 0)->size(), 0U);
  EXPECT_TRUE(client.lock_graph("/")->waits.empty());
  EXPECT_EQ(client.async().lock_list("no-slash").future().get().code(), ErrorCode::kBadPath);
  // Begun on the client's own thread, where nothing may wait.
  std::promise<size_t> sessions;
  client.async().get("/a").begin([&](const Result<Node>&) {
    client.async().session_list().begin(
        [&](const Result<std::vector<SessionInfo>>& all) { sessions.set_value(all.ok() ? all->size() : 0); });
  });
  EXPECT_EQ(sessions.get_future().get(), 5U);
}

TEST(Async, PagesEndWithTheClient) {
  FakeServer server(in_pages("4", std::make_shared<std::string>()));
  Told told;
  {
    Client client(options_for(server));
    client.async().lock_list().begin(told.handler<Result<std::vector<LockInfo>>>());
    client.async().lock_graph().begin(told.handler<Result<LockGraph>>());
    client.async().session_list().begin(told.handler<Result<std::vector<SessionInfo>>>());
    for (const bool sessions : {false, true})
      server.wait_for([sessions](const auto& f) {
        return sessions ? f.session_list().after() == 4 : f.lock_list().after() == "/d";
      });
  }
  EXPECT_EQ(told.codes(), std::vector<ErrorCode>(3, ErrorCode::kShuttingDown));
}

// Children a to e, two a page; a page behind one that begins with "silent" is never answered.
FakeServer::Script children_in_pages(std::string silent = "") {
  return [silent = std::move(silent)](const api::ClientFrame& frame) {
    if (!frame.has_children_page()) return friendly(frame);
    FakeServer::Answer answer;
    const std::string& after = frame.children_page().after().name();
    if (!silent.empty() && after == silent) return answer;
    api::ServerFrame out = ok(frame);
    api::ChildrenPageReply& page = *out.mutable_reply()->mutable_children_page();
    const char first = after.empty() ? 'a' : static_cast<char>(after[0] + 1);
    for (char name = first; name < first + 2 && name <= 'e'; ++name) page.add_names(std::string(1, name));
    if (first < 'e') page.mutable_next()->set_name(page.names(page.names_size() - 1));
    answer.frames = {out};
    return answer;
  };
}

TEST(Async, ChildrenAreHandedOnPageByPageUntilNoMoreAreWanted) {
  FakeServer server(children_in_pages());
  Client client(options_for(server));
  const auto until = [&client](char last) {
    std::string names;
    std::thread::id visited;
    std::promise<std::thread::id> told;
    client.async()
        .for_each_child("/p",
                        [&, last](const std::string& name) {
                          visited = std::this_thread::get_id();
                          names += name;
                          return name[0] != last;
                        })
        .begin([&](const Status& done) {
          EXPECT_TRUE(done.ok());
          told.set_value(std::this_thread::get_id());
        });
    EXPECT_EQ(told.get_future().get(), visited) << "on the client's thread";
    return names;
  };
  EXPECT_EQ(until('z'), "abcde");
  EXPECT_EQ(until('c'), "abc");
  EXPECT_EQ(server.count([](const auto& f) { return f.children_page().after().name() == "d"; }), 1U);
  EXPECT_EQ(client.async().for_each_child("nonsense", [](const std::string&) { return true; }).wait().code(),
            ErrorCode::kBadPath);
  // The one that waits hands on where it waits, and asks again from there.
  std::string names;
  const Status done = client.for_each_child("/p", [&](const std::string& name) {
    EXPECT_TRUE(client.get("/a").ok());
    names += name;
    return true;
  });
  EXPECT_TRUE(done.ok());
  EXPECT_EQ(names, "abcde");
}

TEST(Async, PartsEndWithTheClientToo) {
  FakeServer server(children_in_pages("d"));
  Told told;
  {
    Client client(options_for(server));
    client.async()
        .for_each_child("/p", [](const std::string&) { return true; })
        .begin(told.handler<Status>());
    server.wait_for([](const auto& f) { return f.children_page().after().name() == "d"; });
  }
  EXPECT_EQ(told.codes(), std::vector<ErrorCode>{ErrorCode::kShuttingDown});
}

// A lock that was released twice, of whose history `gone` beginnings are forgotten before they are read.
FakeServer::Script past_lock(std::shared_ptr<std::atomic<int>> gone) {
  return [gone = std::move(gone)](const api::ClientFrame& frame) {
    const api::WatchSince& asked = frame.watch_since();
    if (!frame.has_watch_since() && !frame.has_lock_show()) return friendly(frame);
    api::ServerFrame out = ok(frame);
    const bool read = asked.since() != 0;
    const bool forgotten = read && (*gone)-- > 0;
    if (frame.has_lock_show()) out.mutable_reply()->set_code(static_cast<uint32_t>(ErrorCode::kNoNode));
    if (forgotten) out.mutable_reply()->set_code(static_cast<uint32_t>(ErrorCode::kHistoryGone));
    if (frame.has_lock_show() || forgotten) return FakeServer::Answer{{out}, "", false};
    api::Changes& changes = *out.mutable_reply()->mutable_changes();
    changes.set_floor(5);
    changes.set_up_to(read ? asked.since() + 10 : 24);
    if (read && asked.past()) {
      api::Change& left = *changes.add_changes();
      left.set_kind(static_cast<uint32_t>(EventKind::kDeleted));
      left.set_path("/l/lock-" + std::to_string(asked.since()));
      left.set_zxid(asked.since() + 9);
      left.mutable_left()->set_session(77);
      left.set_left_ms(1'000);
    }
    return FakeServer::Answer{{out}, "", false};
  };
}

TEST(Async, TheHistoryOfALockIsReadAnewWhereItIsForgotten) {
  const auto gone = std::make_shared<std::atomic<int>>(2);
  FakeServer server(past_lock(gone));
  Client client(options_for(server));
  const Result<LockHistory> history = client.async().lock_history("/l").future().get();
  ASSERT_TRUE(history.ok()) << history.error().message;
  EXPECT_EQ(history->since, Zxid(5));
  EXPECT_EQ(history->complete, Zxid(24));
  ASSERT_EQ(history->places.size(), 2U);
  EXPECT_EQ(history->places[1].node, "/l/lock-15");
  EXPECT_EQ(history->places[1].until, Zxid(24));
  EXPECT_EQ(history->places[1].contender->session, SessionId(77));
  EXPECT_EQ(server.count([](const auto& f) { return f.has_lock_show(); }), 3U);
  *gone = 1'000;
  EXPECT_EQ(client.lock_history("/l").code(), ErrorCode::kHistoryGone);
  EXPECT_EQ(client.async().lock_history("l").wait().code(), ErrorCode::kBadPath);
}

TEST(Async, ManyThreadsHaveManyUnderWay) {
  FakeServer server(friendly);
  Client client(options_for(server));
  std::atomic<int> good = 0, left = 8 * 400;
  std::promise<void> done;
  const auto count = [&](bool ok) {
    good += ok ? 1 : 0;
    if (--left == 0) done.set_value();
  };
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&] {
      AsyncClient async = client.async();
      for (int i = 0; i < 200; ++i) {
        async.set("/a", "x").begin([&](const Result<Stat>& set) { count(set.ok()); });
        async.get("/a").begin([&](const Result<Node>& node) { count(node.ok() && node->data == "hello"); });
      }
    });
  }
  for (std::thread& each : threads) each.join();
  done.get_future().wait();
  EXPECT_EQ(good, 8 * 400);
}

TEST(Async, AHandlerMayBeginCallsAndMustNotWait) {
  FakeServer server(friendly);
  Client client(options_for(server));
  std::promise<int> done;
  std::atomic<int> refused = 0;
  std::function<void(int)> again = [&](int depth) {
    client.async().set("/a", "x").begin([&, depth](const Result<Stat>&) {
      refused += client.get("/a").code() == ErrorCode::kInvalidArgument ? 1 : 0;
      refused += client.async().get("/a").wait().code() == ErrorCode::kInvalidArgument ? 1 : 0;
      depth == 0 ? done.set_value(depth) : again(depth - 1);
    });
  };
  again(50);
  done.get_future().wait();
  EXPECT_EQ(refused, 102);
}

TEST(Async, AReleaseThatIsRefusedToACallbackLeavesTheLockHeld) {
  FakeServer server(friendly);
  Client client(options_for(server));
  std::promise<ErrorCode> told;
  client.async().acquire("/l").begin([&](Result<Lock> lock) { told.set_value(lock->release().code()); });
  EXPECT_EQ(told.get_future().get(), ErrorCode::kInvalidArgument);
  server.wait_for([](const auto& f) { return f.write().has_release(); });  // with the guard
}

TEST(Async, ALockIsReleasedOnce) {
  FakeServer server(friendly);
  Client client(options_for(server));
  Result<Lock> lock = client.acquire("/l");
  std::future<Status> first = lock->async_release().future(), second = lock->async_release().future();
  EXPECT_TRUE(first.get().ok());
  EXPECT_EQ(second.get().code(), ErrorCode::kNoNode);
  EXPECT_EQ(server.count([](const auto& f) { return f.write().has_release(); }), 1U);
}

TEST(Async, ACallThatIsDroppedAsksNothing) {
  FakeServer server(friendly);
  Client client(options_for(server));
  (void)client.async().set("/a", "x");
  EXPECT_TRUE(client.get("/a").ok());
  EXPECT_EQ(server.count([](const auto& f) { return f.has_write(); }), 0U);
}

TEST(Async, MoreThanTheLimitAtOnceAreRefused) {
  FakeServer server(sometimes_silent);
  Options options = options_for(server);
  options.outstanding_calls_max = 2;
  Client client(options);
  std::future<Result<Node>> first = client.async().get("/silent").future();
  std::future<Result<Node>> second = client.async().get("/silent").future();
  const Result<Node> third = client.get("/a");
  EXPECT_EQ(third.code(), ErrorCode::kLimitReached);
  EXPECT_NE(third.error().message.find("more than 2 calls"), std::string::npos) << third.error().message;
  server.push(ok(server.wait_for([](const auto& f) { return f.get().path() == "/silent"; })));
  EXPECT_TRUE(first.get().ok());
  EXPECT_TRUE(client.get("/a").ok()) << "there is room again";
  client.close();
  EXPECT_EQ(second.get().code(), ErrorCode::kShuttingDown);
}

TEST(Async, AVeryLongWaitForALockIsOneForEver) {
  FakeServer server(sometimes_silent);
  Client client(options_for(server));
  for (const milliseconds wait : {milliseconds::max(), milliseconds(std::chrono::hours(2'600'000))}) {
    std::stop_source stop;
    std::future<Result<Lock>> lock =
        client.async().acquire("/taken", {.wait = wait}).future(stop.get_token());
    // Behind its answer, which says that somebody else holds the lock.
    ASSERT_TRUE(client.set("/a", "x").ok());
    ASSERT_TRUE(client.get("/a").ok());
    EXPECT_EQ(lock.wait_for(milliseconds(0)), std::future_status::timeout) << "it was given up at once";
    stop.request_stop();
    EXPECT_EQ(lock.get().code(), ErrorCode::kTimeout);
  }
}

TEST(Async, AReleaseIsNeverOneTooMany) {
  FakeServer server(sometimes_silent);
  Options options = options_for(server);
  options.outstanding_calls_max = 1;
  Client client(options);
  Result<Lock> lock = client.acquire("/l");
  ASSERT_TRUE(lock.ok());
  std::future<Result<Lock>> waits = client.async().acquire("/taken").future();
  EXPECT_EQ(client.get("/a").code(), ErrorCode::kLimitReached);
  EXPECT_TRUE(lock->release().ok());
  EXPECT_EQ(server.count([](const auto& f) { return f.write().has_release(); }), 1U);
  client.close();
  EXPECT_EQ(waits.get().code(), ErrorCode::kShuttingDown);
}

TEST(Async, EveryHandlerIsCalledOnceWhenTheClientGoes) {
  FakeServer server(sometimes_silent);
  Told told;
  auto client = std::make_unique<Client>(options_for(server));
  AsyncClient async = client->async();
  async.get("/silent").begin(told.handler<Result<Node>>());
  async.set("/silent", "x").begin(told.handler<Result<Stat>>());
  async.acquire("/taken").begin(told.handler<Result<Lock>>());
  async.acquire_all({"/silent", "/taken"}).begin(told.handler<Result<std::vector<Lock>>>());
  FakeServer mute([](const api::ClientFrame&) { return FakeServer::Answer{}; });
  async.status(mute.endpoint()).begin(told.handler<Result<ServerStatus>>());
  server.wait_for([](const auto& f) { return f.get().path() == "/silent"; });
  server.wait_for([](const auto& f) { return f.write().has_acquire_many(); });
  mute.wait_for([](const auto& f) { return f.has_status(); });
  client.reset();
  const std::vector<ErrorCode> codes = told.codes();
  ASSERT_EQ(codes.size(), 5U);
  EXPECT_EQ(codes[0], ErrorCode::kShuttingDown);
  EXPECT_EQ(codes[1], ErrorCode::kOutcomeUnknown);
  EXPECT_EQ(codes[2], ErrorCode::kShuttingDown);
  EXPECT_EQ(codes[3], ErrorCode::kShuttingDown);
  EXPECT_EQ(codes[4], ErrorCode::kShuttingDown);

  std::thread::id thread;
  async.get("/a").begin([&](const Result<Node>& node) {
    EXPECT_EQ(node.code(), ErrorCode::kShuttingDown);
    thread = std::this_thread::get_id();
  });
  EXPECT_EQ(thread, std::this_thread::get_id()) << "there is no other one any more";
  EXPECT_EQ(async.set("/a", "x").wait().code(), ErrorCode::kShuttingDown);
}

TEST(Async, ALostSessionAnswersEachOnce) {
  FakeServer server(sometimes_silent);
  Told told;
  std::promise<void> lost;
  Options options = options_for(server);
  options.on_session_lost = [&] { lost.set_value(); };
  Client client(options);
  client.async().set("/silent", "x").begin(told.handler<Result<Stat>>());
  client.async().acquire("/taken").begin(told.handler<Result<Lock>>());
  server.wait_for([](const auto& f) { return f.write().has_acquire(); });
  server.push(session_end());
  lost.get_future().wait();
  EXPECT_EQ(client.async().set("/a", "x").future().get().code(), ErrorCode::kSessionExpired);
  client.close();
  EXPECT_EQ(told.codes(), (std::vector{ErrorCode::kOutcomeUnknown, ErrorCode::kSessionExpired}));
}

TEST(Async, WhatWasUnderWayOnALostConnectionIsAskedAgain) {
  std::atomic<bool> silent = true;
  FakeServer server([&](const api::ClientFrame& frame) {
    return silent && (frame.has_write() || frame.has_get()) ? FakeServer::Answer{} : friendly(frame);
  });
  Told told;
  Client client(options_for(server));
  for (int i = 0; i < 40; ++i) {
    client.async().set("/a", std::to_string(i)).begin(told.handler<Result<Stat>>());
    client.async().get("/a").begin(told.handler<Result<Node>>());
  }
  server.wait_for([](const auto& f) { return f.has_get(); });
  server.wait_for([](const auto& f) { return f.write().number() == 32; });
  silent = false;
  server.drop_connections();
  EXPECT_EQ(client.set("/a", "last")->version, 41) << "behind the others, each of which is done once";
  EXPECT_TRUE(client.get("/a").ok());
  client.close();
  EXPECT_EQ(told.codes(), std::vector<ErrorCode>(80, ErrorCode::kOk));
}

TEST(Async, AWaitForALockIsGivenUp) {
  FakeServer server(sometimes_silent);
  Client client(options_for(server));
  std::stop_source stop;
  std::future<Result<Lock>> lock = client.async().acquire("/taken").future(stop.get_token());
  server.wait_for([](const auto& f) { return f.write().has_acquire(); });
  stop.request_stop();
  const Result<Lock> given_up = lock.get();
  EXPECT_EQ(given_up.code(), ErrorCode::kTimeout);
  EXPECT_NE(given_up.error().message.find("given up"), std::string::npos) << given_up.error().message;
  const auto release = server.wait_for([](const auto& f) { return f.write().has_release(); });
  EXPECT_EQ(release.write().release().node(), "/taken/lock-0000000001");
  EXPECT_EQ(client.async().acquire("/taken").wait(stop.get_token()).code(), ErrorCode::kTimeout)
      << "given up before it began";
}

TEST(Async, AStopBehindTheGrantChangesNothing) {
  FakeServer server(friendly);
  Client client(options_for(server));
  std::stop_source stop;
  const Result<Lock> lock = client.async().acquire("/l").wait(stop.get_token());
  stop.request_stop();
  EXPECT_TRUE(client.get("/a").ok()) << "what the stop began is over";
  EXPECT_FALSE(lock->lost());
  EXPECT_EQ(server.count([](const auto& f) { return f.write().has_release(); }), 0U);
}

TEST(Async, WhoIsAskingIsProvedOnceAndBeforeAllElse) {
  FakeServer server(friendly);
  Options options = options_for(server);
  options.credentials = {{"digest", "me:secret"}, {"digest", "and:me"}};
  Client client(options);
  std::vector<std::future<Result<Node>>> reads;
  for (int i = 0; i < 20; ++i) reads.push_back(client.async().get("/a").future());
  for (auto& each : reads) EXPECT_TRUE(each.get().ok());
  std::vector<std::string> proofs;
  EXPECT_EQ(server.count([&](const auto& f) {
    if (f.has_add_credential()) proofs.push_back(f.add_credential().proof());
    if (f.has_get()) {
      EXPECT_EQ(proofs.size(), 2U) << "a read before the proof";
    }
    return f.has_get();
  }),
            20U);
  EXPECT_EQ(proofs, (std::vector<std::string>{"me:secret", "and:me"}));
}

TEST(Async, AnErrorOfTheProofIsTheAnswerOfAllThatWaitForIt) {
  FakeServer server(friendly);
  Options options = options_for(server);
  options.credentials = {{"password", "secret"}};
  Client client(options);
  std::future<Result<Node>> first = client.async().get("/a").future();
  std::future<Result<Stat>> second = client.async().set("/a", "x").future();
  EXPECT_EQ(first.get().code(), ErrorCode::kInvalidArgument);
  EXPECT_EQ(second.get().code(), ErrorCode::kInvalidArgument);
}

TEST(Async, WhoWaitsForAWatchIsWokenWhenItsReadFails) {
  FakeServer server(sometimes_silent);
  Client client(options_for(server));
  Watch watch;
  std::future<Result<Node>> node = client.async().get("/silent", &watch).future();
  const api::ClientFrame asked = server.wait_for([](const auto& f) { return f.has_get(); });
  std::future<ErrorCode> waits = std::async(std::launch::async, [&] { return watch.wait().code(); });
  for (int i = 0; i < 50; ++i) ASSERT_TRUE(client.get("/a").ok());  // by now it waits
  api::ServerFrame denied = ok(asked);
  denied.mutable_reply()->set_code(static_cast<uint32_t>(ErrorCode::kDenied));
  server.push(denied);
  EXPECT_EQ(node.get().code(), ErrorCode::kDenied);
  EXPECT_EQ(waits.wait_for(std::chrono::seconds(20)), std::future_status::ready) << "it waits for ever";
  client.close();
  EXPECT_EQ(waits.get(), ErrorCode::kInvalidArgument);
}

TEST(Async, AWatchThatIsDroppedMeanwhileIsNotSet) {
  FakeServer server(friendly);
  Client client(options_for(server));
  Watch kept;
  auto dropped = std::make_unique<Watch>();
  Call<Result<Node>> with_dropped = client.async().get("/a", dropped.get());
  dropped.reset();
  EXPECT_TRUE(std::move(with_dropped).wait().ok());
  EXPECT_TRUE(client.async().get("/a", &kept).future().get().ok());
  EXPECT_TRUE(kept.armed());
  EXPECT_EQ(server.count([](const auto& f) { return f.get().watch() != 0; }), 1U);
}

TEST(AsyncDeath, ACallbackMustNotCloseTheClient) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_DEATH(
      {
        FakeServer server(friendly);
        Client client(options_for(server));
        client.async().get("/a").begin([&](const Result<Node>&) { client.close(); });
        std::promise<void>().get_future().wait();
      },
      "closed or destroyed by one of its own callbacks");
}

TEST(Async, AGuardThatGoesWhileItsLockIsChangedTakesTheLockWithIt) {
  // The guard goes in the moment in which the answer is here and was not told yet.
  api::ServerFrame held_back;
  FakeServer server([&](const api::ClientFrame& frame) {
    FakeServer::Answer answer = friendly(frame);
    if (frame.write().has_set()) {
      held_back = answer.frames[0];
      return FakeServer::Answer{};
    }
    if (frame.write().has_downgrade()) {
      answer.frames[0].mutable_reply()->mutable_outcome()->set_path(frame.write().downgrade().node());
      answer.frames.insert(answer.frames.begin(), held_back);
    }
    return answer;
  });
  Client client(options_for(server));
  std::optional<Lock> lock = std::move(*client.acquire("/l"));
  client.async().set("/a", "x").begin([&](const Result<Stat>&) { lock.reset(); });
  const Result<SharedLock> changed = lock->async_downgrade().future().get();
  EXPECT_EQ(changed.code(), ErrorCode::kNoNode) << "its place was given up";
  server.wait_for([](const auto& f) { return f.write().has_release(); });
}

}  // namespace
}  // namespace quorate::client
