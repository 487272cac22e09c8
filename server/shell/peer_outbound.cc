#include <fmt/format.h>
#include <netinet/tcp.h>

#include <algorithm>

#include "server/shell/clock.h"
#include "server/shell/log.h"
#include "server/shell/peer_connections.h"

namespace quorate::server {

// Unanswered probes count as unacknowledged bytes.
void limit_silence(Socket& socket, const PeerTransportOptions& options) {
  const int fd = socket.native_handle();
  const unsigned limit_ms = static_cast<unsigned>(to_ms(options.unacknowledged_max));
  ::setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &limit_ms, sizeof(limit_ms));
  const int probe_s = std::max(1, static_cast<int>(to_ms(options.idle_probe) / 1000));
  const int between_s = std::max(1, static_cast<int>(limit_ms / 1000));
  ::setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &probe_s, sizeof(probe_s));
  ::setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &between_s, sizeof(between_s));
  boost::system::error_code ignored;
  socket.set_option(Socket::keep_alive(true), ignored);
}

PeerOutbound::PeerOutbound(PeerHub& hub, ServerId peer, std::string address)
    : hub_(hub),
      peer_(peer),
      address_(std::move(address)),
      timer_(hub.loop().get_executor()),
      backoff_(hub.options().reconnect_min) {}

// One timer serves the back-off and the limit of an attempt: never both at once.
void PeerOutbound::arm(Duration after, bool gives_up) {
  timer_.expires_after(after);
  timer_.async_wait(
      [self = shared_from_this(), attempt = attempt_, gives_up](const boost::system::error_code& error) {
        if (error || attempt != self->attempt_ || self->state_ == State::kStopped) return;
        if (gives_up) {
          self->fail("it does not answer", false);
        } else {
          self->dial();
        }
      });
}

void PeerOutbound::dial() {
  if (state_ == State::kStopped) return;
  ++attempt_;
  arm(hub_.options().connect_timeout, true);
  resolve();
}

bool PeerOutbound::dial_soon(BootNonce boot) {
  // What would be sent to it first, such as a question for a vote, would only bring the answer that it is
  // over.
  const bool restarted = state_ == State::kConnected && boot_ != boot;
  if (restarted) fail("it was started again", false);
  backoff_ = hub_.options().reconnect_min;
  if (state_ == State::kWaiting) dial();
  return restarted;
}

void PeerOutbound::resolve() {
  state_ = State::kResolving;
  auto address = parse_address(address_);
  if (!address.ok()) {
    fail(address.error().message, false);
    return;
  }
  boost::system::error_code error;
  const auto numeric = boost::asio::ip::make_address(address->host, error);
  if (!error) {
    connect({numeric, address->port});
    return;
  }
  // A name: looked up each time, because it may have moved.
  asked_ = hub_.lookups().ask(address->host, [self = shared_from_this(), attempt = attempt_,
                                              port = address->port](
                                                 const Result<NameLookups::Addresses>& found) {
    if (attempt != self->attempt_ || self->state_ != State::kResolving) return;
    if (!found.ok()) return self->fail("its name is not found: " + found.error().message, false);
    // A random one of several addresses: over some attempts each gets its turn.
    self->connect({boost::asio::ip::make_address((*found)[self->hub_.random().below(found->size())]), port});
  });
}

void PeerOutbound::connect(const Tcp::endpoint& endpoint) {
  state_ = State::kConnecting;
  socket_ = std::make_unique<Socket>(hub_.loop().get_executor());
  socket_->async_connect(
      endpoint, [self = shared_from_this(), attempt = attempt_](const boost::system::error_code& error) {
        if (attempt != self->attempt_ || self->state_ != State::kConnecting) return;
        if (error) {
          self->fail(error.message(), error == boost::asio::error::connection_refused);
          return;
        }
        self->shake_hands();
      });
}

void PeerOutbound::shake_hands() {
  state_ = State::kShakingHands;
  boost::system::error_code ignored;
  socket_->set_option(Tcp::no_delay(true), ignored);
  socket_->non_blocking(true, ignored);
  limit_silence(*socket_, hub_.options());
  input_ = {};
  output_.clear();
  send_handshake();
  flush();
  if (state_ == State::kShakingHands) read();
}

void PeerOutbound::send_handshake() {
  if (state_ != State::kShakingHands && state_ != State::kConnected) return;
  const PeerIdentity& own = hub_.identity();
  hub_.codec().encode(Handshake{kPeerProtocolVersion, own.id, peer_, own.cluster, own.incarnation, own.boot,
                                own.client_address},
                      output_);
}

void PeerOutbound::send(const PeerMessage& message) {
  if (state_ != State::kConnected) return;
  if (output_.bytes() > hub_.options().output_bytes_max) {
    if (!dropping_) {
      log(LogLevel::kWarning,
          fmt::format("server {} reads too slowly: {} bytes are unsent, messages to it are dropped",
                      peer_.value(), output_.bytes()));
    }
    dropping_ = true;
    return;
  }
  dropping_ = false;
  hub_.codec().encode(message, output_);
}

void PeerOutbound::flush() {
  if (waiting_for_space_ || output_.empty() ||
      (state_ != State::kShakingHands && state_ != State::kConnected))
    return;
  if (const int error = send_some(socket_->native_handle(), output_); error != 0) {
    fail(boost::system::error_code(error, boost::system::system_category()).message(), true);
    return;
  }
  if (!output_.empty()) wait_for_space();
}

void PeerOutbound::wait_for_space() {
  waiting_for_space_ = true;
  socket_->async_wait(Socket::wait_write, [self = shared_from_this(),
                                           attempt = attempt_](const boost::system::error_code& error) {
    if (attempt != self->attempt_) return;
    self->waiting_for_space_ = false;
    if (!error) self->flush();
  });
}

// Only the other end's handshake comes this way, and the news that it has gone.
void PeerOutbound::read() {
  const std::span<char> space = input_.space();
  socket_->async_read_some(
      boost::asio::buffer(space.data(), space.size()),
      [self = shared_from_this(), attempt = attempt_](const boost::system::error_code& error, size_t count) {
        if (attempt != self->attempt_ || self->state_ == State::kStopped) return;
        if (error) {
          const bool shaking = self->state_ == State::kShakingHands;
          self->fail(shaking ? "it closed the connection in the handshake" : error.message(), !shaking);
          return;
        }
        self->input_.filled(count);
        self->handle_input();
      });
}

void PeerOutbound::handle_input() {
  while (true) {
    const auto size = peer_frame_size(input_.bytes(), kPeerHandshakeBytesMax);
    if (!size.ok()) return fail(size.error().message, false);
    if (*size == 0 || *size > input_.bytes().size()) break;
    auto frame = hub_.codec().decode(input_.bytes().substr(4, *size - 4), {});
    input_.consume(*size);
    if (!frame.ok()) return fail(frame.error().message, false);
    const auto* handshake = std::get_if<Handshake>(&*frame);
    if (handshake == nullptr) return fail("it sent a message on our connection", false);
    const std::string objection = hub_.objection(*handshake, peer_);
    if (!objection.empty()) return fail(objection, false);
    hub_.heard_address(peer_, handshake->client_address);
    boot_ = handshake->boot;
    if (state_ == State::kShakingHands) {
      timer_.cancel();
      state_ = State::kConnected;
      connected_at_ = monotonic_now();
      std::string line = fmt::format("connected to server {} at {}", peer_.value(), address_);
      if (flapping_) line = hub_.repeats().admit("connected to " + address_, std::move(line), connected_at_);
      if (!line.empty()) log(LogLevel::kInfo, line);
    }
  }
  read();
}

void PeerOutbound::fail(const std::string& reason, bool is_lost) {
  if (state_ == State::kStopped || state_ == State::kWaiting) return;
  const bool was_connected = state_ == State::kConnected;
  state_ = State::kWaiting;
  ++attempt_;
  waiting_for_space_ = false;
  hub_.lookups().give_up(asked_);
  if (socket_) {
    boost::system::error_code ignored;
    socket_->close(ignored);
  }
  output_.clear();
  if (was_connected) {
    flapping_ = monotonic_now() - connected_at_ < hub_.options().steady_after;
    if (!flapping_) {
      backoff_ = hub_.options().reconnect_min;
      logged_.clear();
    }
  }
  if (was_connected && flapping_) {
    log_once("it was no sooner connected than it ended that (" + reason + "): its log may say why");
  } else {
    log_once(was_connected ? "the connection ended: " + reason : reason);
  }
  // Between half of the back-off and all of it, so that servers that lost each other do not dial in step.
  arm(hub_.random().between(backoff_ / 2, backoff_), false);
  backoff_ = std::min(backoff_ * 2, hub_.options().reconnect_max);
  if (is_lost) hub_.lost(peer_);
}

void PeerOutbound::log_once(const std::string& reason) {
  if (reason == logged_) return;
  logged_ = reason;
  log(LogLevel::kWarning,
      fmt::format("no connection to server {} at {}: {}; trying again", peer_.value(), address_, reason));
}

void PeerOutbound::stop() {
  if (state_ == State::kConnected) flush();
  state_ = State::kStopped;
  ++attempt_;
  timer_.cancel();
  hub_.lookups().give_up(asked_);
  if (socket_) {
    boost::system::error_code ignored;
    socket_->close(ignored);
  }
}

}  // namespace quorate::server
