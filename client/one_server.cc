// What one server is asked, over a connection of its own.
#include <utility>

#include "client/client_impl.h"

namespace quorate::client {

namespace {

template <class R, class Parse>
Call<R> ask_call(std::shared_ptr<Client::Impl> impl, std::string_view endpoint, api::ClientFrame frame,
                 Parse parse) {
  const Result<HostPort> place = parse_endpoint(endpoint);
  if (!place.ok()) return refused_call<R>(std::move(impl), place.error());
  Start start = [loop = impl->loop.get(), place = *place, frame = std::move(frame),
                 timeout = impl->options.request_timeout](Engine&, Instant, const std::stop_token&,
                                                          const Done& done) {
    loop->ask(place, frame, timeout, [done](Outcome reply) { done(reply); });
  };
  return make_call<R>(std::move(impl), std::move(start), std::move(parse), Proof::kNotNeeded);
}

}  // namespace

Call<Result<ServerStatus>> AsyncClient::status(std::string_view endpoint) {
  api::ClientFrame frame;
  frame.mutable_status();
  return ask_call<Result<ServerStatus>>(impl_, endpoint, std::move(frame),
                                        [](Outcome& reply) -> Result<ServerStatus> {
                                          if (!reply.ok()) return reply.error();
                                          return status_of(reply->status());
                                        });
}

Call<Status> AsyncClient::transfer(std::string_view endpoint, ServerId target) {
  api::ClientFrame frame;
  frame.mutable_transfer()->set_target(target.value());
  return ask_call<Status>(impl_, endpoint, std::move(frame), status_in);
}

}  // namespace quorate::client
