#include "client/quorate/client.h"

#include <sys/random.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <future>
#include <utility>

#include "base/check.h"
#include "client/client_impl.h"
#include "client/operations.h"
#include "kv/command.h"
#include "kv/path.h"

namespace quorate::client {

namespace {

std::string random_bytes(size_t size) {
  std::string bytes(size, '\0');
  size_t have = 0;
  while (have < size) {
    const ssize_t got = getrandom(bytes.data() + have, size - have, 0);
    CHECK_MSG(got > 0 || errno == EINTR, "no random bytes from the system");
    if (got > 0) have += static_cast<size_t>(got);
  }
  return bytes;
}

}  // namespace

Client::Impl::Impl(Options the_options) : options(std::move(the_options)) {
  std::vector<HostPort> places;
  for (const std::string& endpoint : options.endpoints) {
    Result<HostPort> place = parse_endpoint(endpoint);
    if (!place.ok()) {
      usable = place.error();
      return;
    }
    places.push_back(*place);
  }
  if (places.empty())
    usable = Error{ErrorCode::kInvalidArgument, "no endpoint was given: name at least one HOST:PORT"};
  for (const milliseconds each : {options.session_timeout, options.request_timeout}) {
    if (each < milliseconds(10) || each > std::chrono::hours(24))
      usable = Error{ErrorCode::kInvalidArgument, "a time-out must be between 10 ms and 24 h"};
  }
  if (options.lost_margin < milliseconds(0) || options.lost_margin > options.session_timeout / 2)
    usable = Error{ErrorCode::kInvalidArgument, "lost_margin must be between 0 and half of session_timeout"};
  if (!usable.ok()) return;
  EngineOptions engine;
  engine.endpoints = options.endpoints;
  engine.session_timeout = options.session_timeout;
  engine.request_timeout = options.request_timeout;
  engine.lost_margin = options.lost_margin;
  engine.on_session_lost = options.on_session_lost;
  engine.password = random_bytes(16);
  std::memcpy(&engine.seed, random_bytes(sizeof(engine.seed)).data(), sizeof(engine.seed));
  loop = std::make_unique<Loop>(std::move(engine), std::move(places));
}

Result<api::Reply> Client::Impl::read(api::ClientFrame frame, Watch* watch) {
  if (Status status = prove(); !status.ok()) return status.error();
  Engine::OnEvent on_event;
  uint64_t id = 0;
  if (watch != nullptr) {
    if (Status status = arm(watch, id); !status.ok()) return status.error();
    (frame.has_get() ? frame.mutable_get()->set_watch(id) : frame.mutable_children()->set_watch(id));
    on_event = [state = watch->state_](Event event) {
      std::function<void(const Event&)> callback;
      {
        const std::lock_guard lock(state->mutex);
        state->armed = false;
        state->event = event;
        callback = std::exchange(state->on_event, nullptr);
        state->changed.notify_all();
      }
      if (callback) callback(event);
    };
  }
  // The answer leaves the engine as all that it tells: in the order in which it came.
  Result<api::Reply> reply = wait_for<api::Reply>([frame, on_event](Engine& engine, Instant now, auto done) {
    engine.read(
        now, frame, [done](Instant, Result<api::Reply> result) { done(std::move(result)); }, on_event);
  });
  const bool armed = reply.ok() || (reply.code() == ErrorCode::kNoNode && frame.has_get());
  if (watch != nullptr && !armed) {
    const std::lock_guard lock(watch->state_->mutex);
    watch->state_->armed = false;
  }
  return reply;
}

Status Client::Impl::arm(Watch* watch, uint64_t& id) {
  const std::lock_guard lock(mutex);
  const std::lock_guard watch_lock(watch->state_->mutex);
  if (watch->state_->armed)
    return Error{ErrorCode::kInvalidArgument,
                 "this watch is set already: use another, or wait until it has fired"};
  id = ++last_watch;
  watch->state_->id = id;
  watch->state_->armed = true;
  watch->state_->event.reset();
  watch->state_->client = loop ? watch->state_->client : std::weak_ptr<Impl>();
  watches.erase(
      std::remove_if(watches.begin(), watches.end(), [](const auto& each) { return each.expired(); }),
      watches.end());
  watches.push_back(watch->state_);
  return {};
}

Result<api::Reply> Client::Impl::write(api::Write operation) {
  if (Status status = prove(); !status.ok()) return status.error();
  return submit(std::move(operation));
}

Result<api::Reply> Client::Impl::submit(WriteQueue::Request request) {
  return wait_for<api::Reply>([request](Engine& engine, Instant now, auto done) {
    engine.write(now, request, [done](Instant, Result<api::Reply> result) { done(std::move(result)); });
  });
}

Result<api::Reply> Client::Impl::ask(std::string_view endpoint, api::ClientFrame frame) {
  if (!usable.ok()) return usable.error();
  const Result<HostPort> place = parse_endpoint(endpoint);
  if (!place.ok()) return place.error();
  return wait_for<api::Reply>([this, place = *place, frame](Engine&, Instant, auto done) {
    loop->ask(place, frame, options.request_timeout, done);
  });
}

// ---- the calls

Client::Client(Options options) : impl_(std::make_shared<Impl>(std::move(options))) {}

Client::~Client() { close(); }

void Client::close() {
  if (impl_->loop) {
    auto closed = std::make_shared<std::promise<void>>();
    std::future<void> answered = closed->get_future();
    const bool posted = impl_->loop->post([closed](Engine& engine, Instant now) {
      engine.close(now, [closed](Instant, const Result<api::Reply>&) { closed->set_value(); });
    });
    if (posted) answered.wait_for(std::chrono::seconds(1));
    impl_->loop->stop();
  }
  const std::lock_guard lock(impl_->mutex);
  for (const std::weak_ptr<WatchState>& each : impl_->watches) {
    const std::shared_ptr<WatchState> watch = each.lock();
    if (!watch) continue;
    const std::lock_guard watch_lock(watch->mutex);
    watch->ended = true;
    watch->armed = false;
    watch->changed.notify_all();
  }
}

Result<Created> Client::create(std::string_view path, std::string_view data, CreateOptions options) {
  kv::CreateOp asked;
  asked.path = path;
  asked.data = data;
  asked.ephemeral = options.ephemeral;
  asked.sequential = options.sequential;
  asked.parents = options.parents;
  asked.container = options.container;
  if (options.ttl) asked.ttl_ms = options.ttl->count();
  for (const AclEntry& entry : options.acl) asked.acl.push_back({entry.permissions, entry.scheme, entry.id});
  if (Status status = validate(asked); !status.ok()) return status.error();
  api::Write operation;
  put_create(path, data, options, *operation.mutable_create());
  const Result<api::Reply> reply = impl_->write(std::move(operation));
  if (!reply.ok()) return reply.error();
  return Created{reply->outcome().path(), stat_of(reply->outcome().stat())};
}

Result<Node> Client::get(std::string_view path, Watch* watch) {
  if (Status status = kv::validate_path(path); !status.ok()) return status.error();
  if (watch != nullptr) watch->state_->client = impl_;
  api::ClientFrame frame;
  frame.mutable_get()->set_path(std::string(path));
  frame.mutable_get()->set_with_data(true);
  Result<api::Reply> reply = impl_->read(std::move(frame), watch);
  if (!reply.ok()) return reply.error();
  return Node{std::move(*reply->mutable_node()->mutable_data()), stat_of(reply->node().stat())};
}

Result<std::optional<Stat>> Client::exists(std::string_view path, Watch* watch) {
  if (Status status = kv::validate_path(path); !status.ok()) return status.error();
  if (watch != nullptr) watch->state_->client = impl_;
  api::ClientFrame frame;
  frame.mutable_get()->set_path(std::string(path));
  const Result<api::Reply> reply = impl_->read(std::move(frame), watch);
  if (reply.code() == ErrorCode::kNoNode) return std::optional<Stat>();
  if (!reply.ok()) return reply.error();
  return std::optional<Stat>(stat_of(reply->node().stat()));
}

Result<Stat> Client::set(std::string_view path, std::string_view data, int32_t version) {
  if (Status status = validate(kv::SetOp{std::string(path), std::string(data), version}); !status.ok())
    return status.error();
  api::Write operation;
  operation.mutable_set()->set_path(std::string(path));
  operation.mutable_set()->set_data(std::string(data));
  operation.mutable_set()->set_version(version);
  const Result<api::Reply> reply = impl_->write(std::move(operation));
  if (!reply.ok()) return reply.error();
  return stat_of(reply->outcome().stat());
}

Status Client::remove(std::string_view path, int32_t version) {
  if (Status status = validate(kv::DeleteOp{std::string(path), version}); !status.ok()) return status;
  api::Write operation;
  operation.mutable_delete_()->set_path(std::string(path));
  operation.mutable_delete_()->set_version(version);
  const Result<api::Reply> reply = impl_->write(std::move(operation));
  if (!reply.ok()) return reply.error();
  return {};
}

Result<std::vector<std::string>> Client::children(std::string_view path, Watch* watch) {
  if (Status status = kv::validate_path(path); !status.ok()) return status.error();
  if (watch != nullptr) watch->state_->client = impl_;
  api::ClientFrame frame;
  frame.mutable_children()->set_path(std::string(path));
  const Result<api::Reply> reply = impl_->read(std::move(frame), watch);
  if (!reply.ok()) return reply.error();
  std::vector<std::string> names(reply->children().names().begin(), reply->children().names().end());
  std::sort(names.begin(), names.end());
  return names;
}

Result<ServerStatus> Client::status(std::string_view endpoint) {
  api::ClientFrame frame;
  frame.mutable_status();
  const Result<api::Reply> reply = impl_->ask(endpoint, std::move(frame));
  if (!reply.ok()) return reply.error();
  return status_of(reply->status());
}

Status Client::transfer(std::string_view endpoint, ServerId target) {
  api::ClientFrame frame;
  frame.mutable_transfer()->set_target(target.value());
  const Result<api::Reply> reply = impl_->ask(endpoint, std::move(frame));
  if (!reply.ok()) return reply.error();
  return {};
}

std::optional<SessionId> Client::session() const {
  if (!impl_->loop || impl_->loop->session() == SessionId()) return std::nullopt;
  return impl_->loop->session();
}

bool Client::session_lost() const { return impl_->loop && impl_->loop->session_lost(); }

}  // namespace quorate::client
