// The completion tokens of Boost.Asio, against a scripted server on a real socket.
#include "client/quorate/asio.h"

#include <gtest/gtest.h>

#include <thread>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>

#include "client/quorate/async.h"
#include "tests/client/fake_server.h"

namespace quorate::client {
namespace {

namespace asio = boost::asio;

// /taken is held by somebody else.
FakeServer::Answer one_is_taken(const api::ClientFrame& frame) {
  FakeServer::Answer answer = friendly(frame);
  if (frame.write().acquire().path() == "/taken")
    answer.frames[0].mutable_reply()->mutable_outcome()->set_held(false);
  return answer;
}

class Asio : public testing::Test {
 protected:
  Options options() const {
    Options options;
    options.endpoints = {server.endpoint()};
    return options;
  }
  // Until the io_context has no work: a call that did not count as work would be cut off.
  template <class F>
  void run(F coroutine) {
    asio::co_spawn(io, std::move(coroutine), asio::detached);
    io.run();
  }

  FakeServer server{one_is_taken};
  asio::io_context io{1};
  Client client{options()};
};

TEST_F(Asio, ACoroutineAwaitsOnItsOwnThread) {
  bool done = false;
  run([&]() -> asio::awaitable<void> {
    const Result<Node> node = co_await async_begin(client.async().get("/a"), asio::use_awaitable);
    EXPECT_EQ(node->data, "hello");
    Result<Lock> lock = co_await async_begin(client.async().acquire("/l"), asio::use_awaitable);
    EXPECT_EQ(lock->token(), Token(41));
    Multi multi;
    multi.check_held("/l", lock->token()).set("/a", "x");
    EXPECT_TRUE((co_await async_begin(client.async().run(multi), asio::use_awaitable)).ok());
    EXPECT_TRUE((co_await async_begin(lock->async_release(), asio::use_awaitable)).ok());
    const Result<Node> wrong = co_await async_begin(client.async().get("wrong"), asio::use_awaitable);
    EXPECT_EQ(wrong.code(), ErrorCode::kBadPath) << "a value, not an exception";
    EXPECT_TRUE(io.get_executor().running_in_this_thread());
    done = true;
  });
  EXPECT_TRUE(done);
}

TEST_F(Asio, AHandlerRunsOnItsExecutor) {
  std::thread::id thread;
  async_begin(client.async().get("/a"),
              asio::bind_executor(io, [&](const Result<Node>&) { thread = std::this_thread::get_id(); }));
  EXPECT_EQ(thread, std::thread::id());
  io.run();
  EXPECT_EQ(thread, std::this_thread::get_id());
}

TEST_F(Asio, AFutureIsOneOfAsio) {
  std::future<Result<Node>> node = async_begin(client.async().get("/a"), asio::use_future);
  EXPECT_EQ(node.get()->data, "hello");
}

TEST_F(Asio, ATimerThatWinsGivesUpTheLock) {
  using namespace asio::experimental::awaitable_operators;
  asio::steady_timer timer(io, asio::steady_timer::time_point::max());
  std::thread trigger([&] {
    server.wait_for([](const auto& f) { return f.write().has_acquire(); });
    asio::post(io, [&] { timer.cancel(); });
  });
  size_t first = 2;
  run([&]() -> asio::awaitable<void> {
    auto waited = [&]() -> asio::awaitable<void> {
      boost::system::error_code error;
      co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, error));
    };
    const auto won =
        co_await (async_begin(client.async().acquire("/taken"), asio::use_awaitable) || waited());
    first = won.index();
  });
  trigger.join();
  EXPECT_EQ(first, 1U);
  const auto release = server.wait_for([](const auto& f) { return f.write().has_release(); });
  EXPECT_EQ(release.write().release().node(), "/taken/lock-0000000001");
}

TEST_F(Asio, TheEndOfTheClientIsAnOutcome) {
  ErrorCode code = ErrorCode::kOk;
  std::thread closer([&] {
    server.wait_for([](const auto& f) { return f.write().has_acquire(); });
    client.close();
  });
  run([&]() -> asio::awaitable<void> {
    code = (co_await async_begin(client.async().acquire("/taken"), asio::use_awaitable)).code();
  });
  closer.join();
  EXPECT_EQ(code, ErrorCode::kShuttingDown);
}

}  // namespace
}  // namespace quorate::client
