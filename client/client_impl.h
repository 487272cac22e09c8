// What a Client, its Locks and its Watches share. Not public.
#pragma once

#include <condition_variable>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "client/loop.h"
#include "client/quorate/client.h"
#include "kv/command.h"

namespace quorate::client {

struct Client::Impl {
  explicit Impl(Options options);

  // Waits on this thread for what `start` brings about on the loop's; `start` gets a function to answer with,
  // once.
  template <class T>
  Result<T> wait_for(std::function<void(Engine&, Instant, std::function<void(Result<T>)>)> start);
  Result<api::Reply> read(api::ClientFrame frame, Watch* watch);
  Result<api::Reply> write(api::Write operation);
  // As write(), without proving first.
  Result<api::Reply> submit(WriteQueue::Request request);
  Result<api::Reply> add_credential(const Credential& credential);
  // Options::credentials go before all else that is asked.
  Status prove();
  // Errors: as Client::acquire().
  Result<std::shared_ptr<LockState>> acquire(const kv::AcquireOp& lock, const AcquireOptions& wait,
                                             std::shared_ptr<Impl> self);
  Result<api::Reply> ask(std::string_view endpoint, api::ClientFrame frame);
  Status arm(Watch* watch, uint64_t& id);

  const Options options;
  Status usable;               // why not, if not
  std::unique_ptr<Loop> loop;  // none when not usable

  std::mutex prove_mutex;
  size_t proven = 0;  // guarded by prove_mutex

  std::mutex mutex;
  uint64_t last_watch = 0;                         // guarded by mutex
  std::vector<std::weak_ptr<WatchState>> watches;  // guarded by mutex; to be told of the end
};

struct WatchState {
  std::mutex mutex;
  std::condition_variable changed;
  std::function<void(const Event&)> on_event;
  std::optional<Event> event;
  bool armed = false, ended = false;
  uint64_t id = 0;
  std::weak_ptr<Client::Impl> client;
};

struct LockState {
  std::string path, node;
  Token token;
  SessionId session;
  uint64_t id = 0;
  std::weak_ptr<Client::Impl> client;

  std::mutex mutex;
  bool lost = false, released = false;           // guarded by mutex
  std::vector<std::function<void()>> callbacks;  // guarded by mutex
  std::stop_source stop;

  void set_lost();
};

template <class T>
Result<T> Client::Impl::wait_for(
    std::function<void(Engine&, Instant, std::function<void(Result<T>)>)> start) {
  if (!usable.ok()) return usable.error();
  if (loop->on_this_thread())
    return Error{ErrorCode::kInvalidArgument,
                 "a callback of the client must not wait for the client: do it on another thread"};
  auto promise = std::make_shared<std::promise<Result<T>>>();
  std::future<Result<T>> future = promise->get_future();
  const bool posted = loop->post([promise, start = std::move(start)](Engine& engine, Instant now) {
    start(engine, now, [promise](Result<T> result) { promise->set_value(std::move(result)); });
  });
  if (!posted) return Error{ErrorCode::kShuttingDown, "the client was closed"};
  try {
    return future.get();
  } catch (const std::future_error&) {  // dropped with the loop
    return Error{ErrorCode::kShuttingDown, "the client was closed"};
  }
}

}  // namespace quorate::client
