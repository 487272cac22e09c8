// What a Client, its calls, its Locks and its Watches share. Not public.
//
// One way leads to the engine, whoever asks and however the answer is waited for: begin(). What it starts
// runs on the loop's thread, behind the proof of who is asking; the outcome is told behind the engine's step.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "client/host.h"
#include "client/loop.h"
#include "client/quorate/async.h"
#include "client/quorate/client.h"
#include "kv/command.h"

namespace quorate::client {

using Outcome = Result<api::Reply>;
// Called once, behind the engine's step, or on the caller's thread where there is no loop.
using Done = std::function<void(Outcome&)>;
// On the loop's thread.
using Start = std::function<void(Engine&, Instant, const std::stop_token&, Done)>;
enum class Proof { kFirst, kNotNeeded };
// Whether a call is refused while Options::outstanding_calls_max are under way.
enum class Room { kLimited, kAlways };
// Looks at the answer of a read, which may be an error, and says in the frame what is to be asked next;
// false: that was the last, and it is told as it is left here.
using Take = std::function<bool(Outcome& reply, api::ClientFrame& next)>;

// One who waits for what is told once. Shared by both.
class Told {
 public:
  void tell() {
    const std::lock_guard lock(mutex_);
    told_ = true;
    changed_.notify_all();
  }
  // False: not until then.
  bool wait(Host& host, Instant until) {
    std::unique_lock lock(mutex_);
    return host.wait(lock, changed_, until, [this] { return told_; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool told_ = false;  // guarded by mutex_
};

struct Client::Impl : std::enable_shared_from_this<Client::Impl> {
  Impl(Options options, Host& host);

  // Tells `done` what `start` brings about, or why it was not started; if `how` says so, before it returns.
  void begin(Proof proof, const How& how, Start start, Done done, Room room = Room::kLimited);
  // Why a call cannot even be begun on this thread.
  Status refusal(const How& how) const;
  // A read, waited for.
  Outcome read(api::ClientFrame frame);
  // As start_exchange(), waited for: `take` runs on the caller's thread.
  Outcome exchange(api::ClientFrame frame, const Take& take);

  const Options options;
  Host& host;
  Status usable;               // why not, if not
  std::unique_ptr<Loop> loop;  // none when not usable
  std::atomic<size_t> outstanding = 0;

  std::mutex mutex;
  uint64_t last_watch = 0;                         // guarded by mutex
  std::vector<std::weak_ptr<WatchState>> watches;  // guarded by mutex; to be told of the end

 private:
  void begin_at_once(Proof proof, const How& how, Start start, Done done, Room room);
  // Options::credentials go before all else that is asked. On the loop's thread, as all below.
  using Proven = std::function<void(Engine&, Instant, const Status&)>;
  void prove(Engine& engine, Instant now);
  void on_proof(Engine& engine, Instant now, const Status& proof);
  bool is_proven() const { return proven_ == options.credentials.size(); }

  size_t proven_ = 0;
  std::vector<Proven> unproven_;  // what waits for the proof, which is under way if anything does
};

// An answer leaves the engine as all that it tells: in the order in which it came.
OnReply behind_step(Engine& engine, Done done);
// What is started.
Start start_read(std::shared_ptr<Client::Impl> impl, api::ClientFrame frame,
                 std::shared_ptr<WatchState> watch = nullptr);
Start start_write(WriteQueue::Request request);
// Several reads, one after the other's answer, each with the patience of a call. `take` runs on the loop's
// thread.
Start start_exchange(std::shared_ptr<Client::Impl> impl, api::ClientFrame first, Take take);
// The same, where `take` adds an answer to `all`: what is told is that, or the first error.
using TakePage = std::function<bool(const api::Reply& page, api::ClientFrame& next, api::Reply& all)>;
Start start_pages(std::shared_ptr<Client::Impl> impl, api::ClientFrame first, TakePage take);

// What tells a handler the outcome that `parse` makes of a reply.
template <class R, class Parse>
Done told_to(Client::Impl& impl, Handler<R> handler, Parse parse) {
  return [&impl, handler = std::move(handler), parse = std::move(parse)](Outcome& outcome) mutable {
    // Before, so that the handler may begin another one.
    impl.outstanding.fetch_sub(1);
    handler(parse(outcome));
  };
}

template <class R, class Parse>
Call<R> make_call(std::shared_ptr<Client::Impl> impl, Start start, Parse parse, Proof proof = Proof::kFirst) {
  return Call<R>([impl = std::move(impl), start = std::move(start), parse = std::move(parse), proof](
                     Handler<R> handler, const How& how) mutable {
    impl->begin(proof, how, std::move(start), told_to(*impl, std::move(handler), std::move(parse)));
  });
}
// What is refused before anything is asked.
template <class R>
Call<R> refused_call(std::shared_ptr<Client::Impl> impl, Error error) {
  Start start = [error = std::move(error)](Engine& engine, Instant, const std::stop_token&, Done done) {
    engine.tell([error, done = std::move(done)] {
      Outcome outcome(error);
      done(outcome);
    });
  };
  const auto parse = [](Outcome& outcome) {
    if constexpr (std::is_aggregate_v<R>)
      return R{outcome.error(), {}};
    else
      return R(outcome.error());
  };
  return make_call<R>(std::move(impl), std::move(start), parse, Proof::kNotNeeded);
}
template <class R, class Parse>
Call<R> read_call(std::shared_ptr<Client::Impl> impl, api::ClientFrame frame, Parse parse,
                  std::shared_ptr<WatchState> watch = nullptr) {
  Start start = start_read(impl, std::move(frame), std::move(watch));
  return make_call<R>(std::move(impl), std::move(start), std::move(parse));
}
template <class R, class Parse>
Call<R> write_call(std::shared_ptr<Client::Impl> impl, WriteQueue::Request request, Parse parse,
                   Proof proof = Proof::kFirst) {
  return make_call<R>(std::move(impl), start_write(std::move(request)), std::move(parse), proof);
}
template <class R, class Parse>
Call<R> pages_call(std::shared_ptr<Client::Impl> impl, api::ClientFrame first, TakePage take, Parse parse) {
  Start start = start_pages(impl, std::move(first), std::move(take));
  return make_call<R>(std::move(impl), std::move(start), std::move(parse));
}
// The usual ones of `parse`.
inline Status status_in(Outcome& reply) { return reply.ok() ? Status() : Status(reply.error()); }
inline Result<Stat> stat_in(Outcome& reply) {
  if (!reply.ok()) return reply.error();
  return stat_of(reply->outcome().stat());
}

struct WatchState {
  std::mutex mutex;
  std::condition_variable changed;
  std::function<void(const Event&)> on_event;
  std::optional<Event> event;
  bool armed = false, ended = false;
  bool dropped = false;  // by its owner
  uint64_t id = 0;
  std::weak_ptr<Client::Impl> client;
};

// One place in a queue, and all guards of it. Locked behind a guard's own mutex, never before it.
struct HeldPlace {
  std::mutex mutex;
  size_t guards = 1;                           // that were not released
  std::vector<std::weak_ptr<LockState>> more;  // all but the first
  bool lost = false;
  bool changing = false;  // to another place
};

// A guard.
struct LockState {
  std::string path, node;
  Token token;
  SessionId session;
  uint64_t id = 0;
  std::weak_ptr<Client::Impl> client;
  std::shared_ptr<HeldPlace> place = std::make_shared<HeldPlace>();

  std::mutex mutex;
  bool lost = false, released = false;           // guarded by mutex
  std::vector<std::function<void()>> callbacks;  // guarded by mutex
  std::stop_source stop;

  void take(const GrantedLock& granted);
  // Of all guards of the place.
  void set_lost();
  void tell_lost();
};

}  // namespace quorate::client
