#include "client/quorate/client.h"

#include <string>
#include <utility>

#include "base/check.h"
#include "client/client_impl.h"

namespace quorate::client {

namespace {
// How long the end of a session is waited for.
constexpr milliseconds kAnswerMax(1'000);
}  // namespace

Client::Impl::Impl(Options the_options, Host& the_host) : options(std::move(the_options)), host(the_host) {
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
  engine.on_endpoint = options.on_endpoint;
  engine.password = host.random_bytes(16);
  engine.seed = host.random_number();
  Result<std::unique_ptr<Loop>> started = host.start_loop(std::move(engine), std::move(places));
  if (started.ok()) loop = std::move(*started);
  usable = started.ok() ? Status() : Status(started.error());
}

Client::Client(Options options) : impl_(std::make_shared<Impl>(std::move(options), Host::real())) {}

Client::~Client() { close(); }

void Client::close() {
  if (impl_->loop) {
    CHECK_MSG(!impl_->loop->on_this_thread(),
              "a Client was closed or destroyed by one of its own callbacks: do that on another thread");
    const auto closed = std::make_shared<Told>();
    const bool posted = impl_->loop->post([closed](Engine& engine, Instant now) {
      engine.close(now, [closed](Instant, const Result<api::Reply>&) { closed->tell(); });
    });
    if (posted) closed->wait(impl_->host, impl_->host.in(kAnswerMax));
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

AsyncClient Client::async() { return AsyncClient(impl_); }

std::optional<SessionId> Client::session() const {
  if (!impl_->loop || impl_->loop->session() == SessionId()) return std::nullopt;
  return impl_->loop->session();
}

bool Client::session_lost() const { return impl_->loop && impl_->loop->session_lost(); }

}  // namespace quorate::client
