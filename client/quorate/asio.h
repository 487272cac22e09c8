// Calls with the completion tokens of Boost.Asio (1.81 or later). This header alone of the library's needs
// Boost, the reader's own; no other includes it.
//
//   Result<Node> node = co_await async_begin(client.async().get("/a"), boost::asio::use_awaitable);
//
// The handler is called with the outcome, a value: nothing is thrown for an error of it. It runs on its
// associated executor, never within async_begin(), and that executor counts the call as work. Cancelling the
// operation through its slot (of any kind; what a parallel_group or `||` does) gives up a lock that is waited
// for, as a stop token does; other calls go on to their outcome.
//
// The executor's context, an io_context for example, must outlive the client, whose thread posts to it:
// declare it before.
#pragma once

#include <stop_token>
#include <utility>

#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/cancellation_type.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>

#include "client/quorate/call.h"

namespace quorate::client {

template <class R, class Token>
auto async_begin(Call<R> call, Token&& token) {
  const auto initiate = [](auto handler, Call<R> begun) {
    auto work = boost::asio::make_work_guard(handler);
    auto slot = boost::asio::get_associated_cancellation_slot(handler);
    std::stop_source stop(std::nostopstate);
    if (slot.is_connected()) {
      stop = std::stop_source();
      slot.assign([stop](boost::asio::cancellation_type) mutable { stop.request_stop(); });
    }
    std::move(begun).begin(
        [handler = std::move(handler), work = std::move(work), slot](R outcome) mutable {
          const auto executor = work.get_executor();
          boost::asio::post(executor, [handler = std::move(handler), work = std::move(work), slot,
                                       outcome = std::move(outcome)]() mutable {
            if (slot.is_connected()) slot.clear();
            work.reset();
            std::move(handler)(std::move(outcome));
          });
        },
        stop.get_token());
  };
  return boost::asio::async_initiate<Token, void(R)>(initiate, token, std::move(call));
}

}  // namespace quorate::client
