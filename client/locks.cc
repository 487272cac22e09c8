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
  return {std::string(path), options.data.value_or(name), {mode, permits, static_cast<uint32_t>(delay), false}};
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
  return options.wait ? std::optional<Duration>(*options.wait) : std::nullopt;
}

void fill(const GrantedLock& granted, LockState& state) {
  state.id = granted.id;
  state.path = granted.path;
  state.node = granted.node;
  state.token = granted.token;
  state.session = granted.session;
}

}  // namespace

Result<std::shared_ptr<LockState>> Client::Impl::acquire(const kv::AcquireOp& lock,
                                                         const AcquireOptions& wait,
                                                         std::shared_ptr<Impl> self) {
  if (Status status = validate_options(wait); !status.ok()) return status.error();
  if (Status status = validate(lock); !status.ok()) return status.error();
  if (Status status = prove(); !status.ok()) return status.error();
  auto state = std::make_shared<LockState>();
  state->client = std::move(self);
  api::Acquire request;
  put(lock, request);
  const Result<GrantedLock> granted =
      wait_for<GrantedLock>([state, request, time = wait_of(wait)](Engine& engine, Instant now, auto done) {
        engine.acquire(now, request, time, done, [state] { state->set_lost(); });
      });
  if (!granted.ok()) return granted.error();
  fill(*granted, *state);
  return state;
}

Result<Lock> Client::acquire(std::string_view path, AcquireOptions options) {
  auto state =
      impl_->acquire(asked(path, impl_->options.name, kv::Mode::kExclusive, 0, options), options, impl_);
  if (!state.ok()) return state.error();
  return Lock(std::move(*state));
}

Result<SharedLock> Client::acquire_shared(std::string_view path, AcquireOptions options) {
  auto state =
      impl_->acquire(asked(path, impl_->options.name, kv::Mode::kShared, 0, options), options, impl_);
  if (!state.ok()) return state.error();
  return SharedLock(std::move(*state));
}

Result<Permit> Client::acquire_permit(std::string_view path, uint32_t permits, AcquireOptions options) {
  auto state =
      impl_->acquire(asked(path, impl_->options.name, kv::Mode::kPermit, permits, options), options, impl_);
  if (!state.ok()) return state.error();
  return Permit(std::move(*state));
}

Result<std::vector<Lock>> Client::acquire_all(const std::vector<std::string>& paths, AcquireOptions options) {
  if (Status status = validate_options(options); !status.ok()) return status.error();
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
  if (Status status = validate(many); !status.ok()) return status.error();
  if (Status status = impl_->prove(); !status.ok()) return status.error();
  const auto granted = impl_->wait_for<std::vector<GrantedLock>>(
      [states, request, time = wait_of(options)](Engine& engine, Instant now, auto done) {
        engine.acquire_many(now, request, time, done, [states](size_t lock) { states[lock]->set_lost(); });
      });
  if (!granted.ok()) return granted.error();
  std::vector<Lock> locks;
  for (size_t i = 0; i < states.size(); ++i) {
    fill((*granted)[i], *states[i]);
    locks.push_back(Lock(states[i]));
  }
  return locks;
}

Status Client::verify_lock(std::string_view path, Token token) {
  if (Status status = kv::validate_path(path); !status.ok()) return status;
  api::ClientFrame frame;
  frame.mutable_lock_verify()->set_path(std::string(path));
  frame.mutable_lock_verify()->set_token(token.value());
  const Result<api::Reply> reply = impl_->read(std::move(frame), nullptr);
  if (!reply.ok()) return reply.error();
  return {};
}

Status Client::break_lock(std::string_view path, Token token) {
  if (Status status = validate(kv::BreakOp{std::string(path), token}); !status.ok()) return status;
  api::Write operation;
  operation.mutable_break_()->set_path(std::string(path));
  operation.mutable_break_()->set_token(token.value());
  const Result<api::Reply> reply = impl_->write(std::move(operation));
  if (!reply.ok()) return reply.error();
  return {};
}

Result<LockInfo> Client::lock_show(std::string_view path) {
  if (Status status = kv::validate_path(path); !status.ok()) return status.error();
  api::ClientFrame frame;
  frame.mutable_lock_show()->set_path(std::string(path));
  const Result<api::Reply> reply = impl_->read(std::move(frame), nullptr);
  if (!reply.ok()) return reply.error();
  return lock_of(reply->lock());
}

Result<std::vector<LockInfo>> Client::lock_list(std::string_view root, size_t max) {
  if (Status status = kv::validate_path(root); !status.ok()) return status.error();
  std::vector<LockInfo> locks;
  std::string after;
  while (locks.size() < max) {
    api::ClientFrame frame;
    frame.mutable_lock_list()->set_root(std::string(root));
    frame.mutable_lock_list()->set_max(
        static_cast<uint32_t>(std::min<size_t>(max - locks.size(), UINT32_MAX)));
    frame.mutable_lock_list()->set_after(after);
    const Result<api::Reply> reply = impl_->read(std::move(frame), nullptr);
    if (!reply.ok()) return reply.error();
    for (const api::Lock& lock : reply->locks().locks()) locks.push_back(lock_of(lock));
    after = reply->locks().next();
    if (after.empty()) break;
  }
  return locks;
}

Result<LockGraph> Client::lock_graph(std::string_view root) {
  const Result<std::vector<LockInfo>> locks = lock_list(root);
  if (!locks.ok()) return locks.error();
  return graph_of(*locks);
}

}  // namespace quorate::client
