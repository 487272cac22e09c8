// A call that has not begun. It holds all that is asked, and is begun once, in one of these ways:
//
//   client.async().get("/a").begin([](Result<Node> node) { ... });        // called back
//   std::future<Result<Node>> node = client.async().get("/a").future();   // waited for later
//   Result<Node> node = client.async().get("/a").wait();                  // what client.get("/a") does
//
// and with the completion tokens of Boost.Asio through client/quorate/asio.h. One that is dropped asks
// nothing.
//
// Whoever is to be told is told exactly once, whatever happens: the outcome, or why there is none. That
// comes within Options::request_timeout, and as much again for each of Options::credentials that is proved
// first. It takes longer only for what is read page by page (as much for each page), and for a lock: as
// AcquireOptions::wait says, and to change one, as the session lives. When the client is closed or destroyed,
// whatever is still under way ends before that returns, with kShuttingDown (kOutcomeUnknown for a write that
// was sent).
//
// A handler runs on the client's own thread, one at a time, and what it holds is gone when it has returned.
// It may begin calls, drop locks and watches, and is to be short: heartbeats wait for it. It must not throw,
// not close or destroy the client (that ends the program), and not wait for a call: wait() and the calls of
// Client answer kInvalidArgument there, and to wait for a future never ends. Only where there is no such
// thread, of a client that was closed or has a wrong option, it is called on the caller's, before begin()
// returns.
//
// Order: the writes (acquire and release are some) that one thread begins are applied in that order. A read
// sees every write whose outcome was told before it was begun; whether it sees those under way is open.
//
// Thread safety: none, one owner; calls of one client may be begun on any threads.
#pragma once

#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <stop_token>
#include <type_traits>
#include <utility>

namespace quorate::client {

// How a call is begun; the library's own.
struct How {
  std::stop_token stop;
  bool waits = false;  // whoever begins it has the outcome when that returns
};

// A function that is called once, and need not be copyable; the library's own.
template <class R>
class Handler {
 public:
  template <class F>
  requires(!std::is_same_v<F, Handler>) explicit Handler(F function)
      : held_(std::make_shared<Held<F>>(std::move(function))) {}
  void operator()(R outcome) const { held_->call(std::move(outcome)); }

 private:
  struct Base {
    virtual ~Base() = default;
    virtual void call(R outcome) = 0;
  };
  template <class F>
  struct Held : Base {
    explicit Held(F f) : function(std::move(f)) {}
    void call(R outcome) override {
      F once = std::move(function);
      once(std::move(outcome));
    }
    F function;
  };
  std::shared_ptr<Base> held_;
};

// R: what the call answers with, Result<Node> for example.
//
// `stop`: a lock that is waited for is given up when stop is requested: the answer is kTimeout, and its place
// in the queue goes; or it is the lock, if that was granted first. Other calls do not look at it.
template <class R>
class [[nodiscard]] Call {
 public:
  using Outcome = R;
  using Start = std::function<void(Handler<R>, const How&)>;
  explicit Call(Start start) : start_(std::move(start)) {}  // the library's own

  Call(Call&&) noexcept = default;
  Call& operator=(Call&&) noexcept = default;

  template <class F>
  void begin(F handler, std::stop_token stop = {}) && {
    static_assert(std::is_invocable_v<F&, R>, "a handler takes the outcome of the call");
    std::exchange(start_, nullptr)(Handler<R>(std::move(handler)), How{std::move(stop), false});
  }
  std::future<R> future(std::stop_token stop = {}) && {
    std::promise<R> promise;
    std::future<R> future = promise.get_future();
    std::exchange(start_, nullptr)(Handler<R>([promise = std::move(promise)](R outcome) mutable {
                                     promise.set_value(std::move(outcome));
                                   }),
                                   How{std::move(stop), false});
    return future;
  }
  R wait(std::stop_token stop = {}) && {
    std::optional<R> told;
    std::exchange(start_, nullptr)(Handler<R>([&told](R outcome) { told.emplace(std::move(outcome)); }),
                                   How{std::move(stop), true});
    return std::move(*told);
  }

 private:
  Start start_;
};

}  // namespace quorate::client
