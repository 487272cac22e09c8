// A coroutine of Boost.Asio that takes a lock, writes under its token, and does not wait longer than it
// wants.
//
//   async HOST:PORT,...
#include <quorate/asio.h>
#include <quorate/async.h>

#include <iostream>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>

#include <arguments.h>

using namespace quorate::client;
using boost::asio::use_awaitable;

boost::asio::awaitable<int> work(AsyncClient quorate) {
  quorate::Result<Lock> lock = co_await async_begin(quorate.acquire("/example/jobs/hourly"), use_awaitable);
  if (!lock.ok()) co_return failed("the lock", lock.error());
  std::cout << "held with token " << lock->token() << "\n";

  // Somebody else would wait; after a second he has had enough, and leaves the queue.
  using namespace boost::asio::experimental::awaitable_operators;
  boost::asio::steady_timer patience(co_await boost::asio::this_coro::executor, std::chrono::seconds(1));
  const auto first = co_await (async_begin(quorate.acquire("/example/jobs/hourly"), use_awaitable) ||
                               patience.async_wait(use_awaitable));
  if (first.index() != 1) {
    std::cerr << "a lock that is held was granted again\n";
    co_return 1;
  }
  std::cout << "given up\n";

  (void)co_await async_begin(quorate.create("/example/hourly-result", "none"), use_awaitable);
  Multi multi;
  multi.check_held(lock->path(), lock->token()).set("/example/hourly-result", "done");
  const MultiResult done = co_await async_begin(quorate.run(multi), use_awaitable);
  if (!done.ok()) co_return failed("the write", done.error);
  std::cout << "written under the token\n";

  const quorate::Status released = co_await async_begin(lock->async_release(), use_awaitable);
  co_return released.ok() ? 0 : failed("the release", released.error());
}

int main(int argc, char** argv) {
  boost::asio::io_context io;  // before the client, whose thread posts to it
  Client client({.endpoints = endpoints(argc, argv), .name = "example"});
  std::future<int> code = boost::asio::co_spawn(io, work(client.async()), boost::asio::use_future);
  io.run();
  return code.get();
}
