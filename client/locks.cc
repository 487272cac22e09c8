// Locks as callers ask for them, and who has them.
#include <algorithm>
#include <utility>

#include "client/client_impl.h"
#include "client/lock_graph.h"
#include "client/operations.h"
#include "kv/path.h"

namespace quorate::client {

namespace {

kv::AcquireOp asked(std::string_view path, const std::string& name, kv::Mode mode, uint32_t permits,
                    const AcquireOptions& options) {
  const auto delay = std::clamp<int64_t>(options.delay.count(), 0, UINT32_MAX);
  return {
      std::string(path), options.data.value_or(name), {mode, permits, static_cast<uint32_t>(delay), false}};
}

void put(const kv::AcquireOp& lock, api::Acquire& out) {
  out.set_path(lock.path);
  out.set_data(lock.data);
  out.set_mode(static_cast<uint32_t>(lock.mode.mode));
  out.set_permits(lock.mode.permits);
  out.set_delay_ms(lock.mode.delay_ms);
}

Status validate_options(const AcquireOptions& options) {
  if (options.delay < milliseconds(0))
    return Error{ErrorCode::kInvalidArgument, "a lock's delay cannot be negative"};
  if (options.wait && *options.wait < milliseconds(0))
    return Error{ErrorCode::kInvalidArgument, "a time to wait cannot be negative"};
  return {};
}

std::optional<Duration> wait_of(const AcquireOptions& options) {
  if (!options.wait || *options.wait >= kForEver) return std::nullopt;
  return Duration(*options.wait);
}

Status validate_all(const kv::Operation& operation, const AcquireOptions& options) {
  if (Status status = validate_options(options); !status.ok()) return status;
  return validate(operation);
}

// Ends an acquire that is waited for, when stop is requested. On the loop's thread, except for the request.
class Canceller {
 public:
  // REQUIRES: not over yet.
  void begin(Loop& loop, const std::stop_token& stop, uint64_t acquire) {
    if (!stop.stop_possible()) return;
    on_stop_.emplace(stop, [&loop, acquire] {
      loop.post([acquire](Engine& engine, Instant now) { engine.cancel_acquire(now, acquire); });
    });
  }
  void end() { on_stop_.reset(); }

 private:
  std::optional<std::stop_callback<std::function<void()>>> on_stop_;
};

template <class Guard>
Call<Result<Guard>> acquire_call(std::shared_ptr<Client::Impl> impl, const kv::AcquireOp& lock,
                                 const AcquireOptions& options,
                                 std::function<Guard(std::shared_ptr<LockState>)> guard) {
  if (Status status = validate_all(lock, options); !status.ok())
    return refused_call<Result<Guard>>(impl, status.error());
  auto state = std::make_shared<LockState>();
  state->client = impl;
  api::Acquire request;
  put(lock, request);
  Start start = [loop = impl->loop.get(), state, request, wait = wait_of(options)](
                    Engine& engine, Instant now, const std::stop_token& stop, const Done& done) {
    const auto canceller = std::make_shared<Canceller>();
    const auto answered = [state, canceller, done](const Result<GrantedLock>& granted) {
      canceller->end();
      if (granted.ok()) state->take(*granted);
      Outcome outcome = granted.ok() ? Outcome(api::Reply()) : Outcome(granted.error());
      done(outcome);
    };
    const uint64_t id = engine.acquire(now, request, wait, answered, [state] { state->set_lost(); });
    canceller->begin(*loop, stop, id);
  };
  return make_call<Result<Guard>>(std::move(impl), std::move(start),
                                  [state, guard](Outcome& outcome) -> Result<Guard> {
                                    if (!outcome.ok()) return outcome.error();
                                    return guard(state);
                                  });
}

}  // namespace

Call<Result<Lock>> AsyncClient::acquire(std::string_view path, const AcquireOptions& options) {
  return acquire_call<Lock>(impl_, asked(path, impl_->options.name, kv::Mode::kExclusive, 0, options),
                            options, [](std::shared_ptr<LockState> state) { return Lock(std::move(state)); });
}

Call<Result<SharedLock>> AsyncClient::acquire_shared(std::string_view path, const AcquireOptions& options) {
  return acquire_call<SharedLock>(
      impl_, asked(path, impl_->options.name, kv::Mode::kShared, 0, options), options,
      [](std::shared_ptr<LockState> state) { return SharedLock(std::move(state)); });
}

Call<Result<Permit>> AsyncClient::acquire_permit(std::string_view path, uint32_t permits,
                                                 const AcquireOptions& options) {
  return acquire_call<Permit>(impl_, asked(path, impl_->options.name, kv::Mode::kPermit, permits, options),
                              options,
                              [](std::shared_ptr<LockState> state) { return Permit(std::move(state)); });
}

Call<Result<std::vector<Lock>>> AsyncClient::acquire_all(const std::vector<std::string>& paths,
                                                         const AcquireOptions& options) {
  using Locks = std::vector<Lock>;
  kv::AcquireManyOp many;
  many.wait = options.wait != milliseconds(0);
  api::AcquireMany request;
  request.set_wait(many.wait);
  std::vector<std::shared_ptr<LockState>> states;
  for (const std::string& path : paths) {
    many.locks.push_back(asked(path, impl_->options.name, kv::Mode::kExclusive, 0, options));
    put(many.locks.back(), *request.add_locks());
    states.push_back(std::make_shared<LockState>());
    states.back()->client = impl_;
  }
  if (Status status = validate_all(many, options); !status.ok())
    return refused_call<Result<Locks>>(impl_, status.error());
  Start start = [loop = impl_->loop.get(), states, request, wait = wait_of(options)](
                    Engine& engine, Instant now, const std::stop_token& stop, const Done& done) {
    const auto canceller = std::make_shared<Canceller>();
    const auto answered = [states, canceller, done](const Result<std::vector<GrantedLock>>& granted) {
      canceller->end();
      for (size_t i = 0; granted.ok() && i < states.size(); ++i) states[i]->take((*granted)[i]);
      Outcome outcome = granted.ok() ? Outcome(api::Reply()) : Outcome(granted.error());
      done(outcome);
    };
    const auto lost = [states](size_t lock) { states[lock]->set_lost(); };
    canceller->begin(*loop, stop, engine.acquire_many(now, request, wait, answered, lost));
  };
  return make_call<Result<Locks>>(impl_, std::move(start), [states](Outcome& outcome) -> Result<Locks> {
    if (!outcome.ok()) return outcome.error();
    Locks locks;
    for (const std::shared_ptr<LockState>& state : states) locks.push_back(Lock(state));
    return locks;
  });
}

Call<Status> AsyncClient::verify_lock(std::string_view path, Token token) {
  if (Status status = kv::validate_path(path); !status.ok())
    return refused_call<Status>(impl_, status.error());
  api::ClientFrame frame;
  frame.mutable_lock_verify()->set_path(std::string(path));
  frame.mutable_lock_verify()->set_token(token.value());
  return read_call<Status>(impl_, std::move(frame), status_in);
}

Call<Status> AsyncClient::break_lock(std::string_view path, Token token) {
  if (Status status = validate(kv::BreakOp{std::string(path), token}); !status.ok())
    return refused_call<Status>(impl_, status.error());
  api::Write operation;
  operation.mutable_break_()->set_path(std::string(path));
  operation.mutable_break_()->set_token(token.value());
  return write_call<Status>(impl_, std::move(operation), status_in);
}

Call<Result<LockInfo>> AsyncClient::lock_show(std::string_view path) {
  if (Status status = kv::validate_path(path); !status.ok())
    return refused_call<Result<LockInfo>>(impl_, status.error());
  api::ClientFrame frame;
  frame.mutable_lock_show()->set_path(std::string(path));
  return read_call<Result<LockInfo>>(impl_, std::move(frame), [](Outcome& reply) -> Result<LockInfo> {
    if (!reply.ok()) return reply.error();
    return lock_of(reply->lock());
  });
}

namespace {

// The locks of all pages, at most `max`.
template <class R, class Parse>
Call<R> lock_pages(const std::shared_ptr<Client::Impl>& impl, std::string_view root, size_t max,
                   Parse parse) {
  if (Status status = kv::validate_path(root); !status.ok()) return refused_call<R>(impl, status.error());
  const auto wanted = [](size_t count) { return static_cast<uint32_t>(std::min<size_t>(count, UINT32_MAX)); };
  api::ClientFrame frame;
  frame.mutable_lock_list()->set_root(std::string(root));
  frame.mutable_lock_list()->set_max(wanted(std::max<size_t>(max, 1)));  // 0 would be the server's choice
  const auto take = [max, wanted](const api::Reply& page, api::ClientFrame& next, api::Reply& all) {
    all.mutable_locks()->MergeFrom(page.locks());
    const auto have = static_cast<size_t>(all.locks().locks_size());
    if (page.locks().next().empty() || have >= max) return false;
    next.mutable_lock_list()->set_after(page.locks().next());
    next.mutable_lock_list()->set_max(wanted(max - have));
    return true;
  };
  return pages_call<R>(impl, std::move(frame), take, std::move(parse));
}

std::vector<LockInfo> locks_of(const api::Reply& reply) {
  std::vector<LockInfo> locks;
  for (const api::Lock& lock : reply.locks().locks()) locks.push_back(lock_of(lock));
  return locks;
}

}  // namespace

Call<Result<std::vector<LockInfo>>> AsyncClient::lock_list(std::string_view root, size_t max) {
  using Locks = Result<std::vector<LockInfo>>;
  return lock_pages<Locks>(impl_, root, max, [max](Outcome& reply) -> Locks {
    if (!reply.ok()) return reply.error();
    std::vector<LockInfo> locks = locks_of(*reply);
    if (locks.size() > max) locks.resize(max);
    return locks;
  });
}

Call<Result<LockGraph>> AsyncClient::lock_graph(std::string_view root) {
  return lock_pages<Result<LockGraph>>(impl_, root, SIZE_MAX, [](Outcome& reply) -> Result<LockGraph> {
    if (!reply.ok()) return reply.error();
    return graph_of(locks_of(*reply));
  });
}

}  // namespace quorate::client
