#include <fmt/format.h>

#include "server/shell/clock.h"
#include "server/shell/log.h"
#include "server/shell/peer_connections.h"

namespace quorate::server {

PeerInbound::PeerInbound(PeerHub& hub, Socket socket)
    : hub_(hub), socket_(std::move(socket)), name_(remote_name(socket_)), timer_(hub.loop().get_executor()) {}

void PeerInbound::start() {
  boost::system::error_code ignored;
  socket_.set_option(Tcp::no_delay(true), ignored);
  socket_.non_blocking(true, ignored);
  // A peer that vanishes without a word (its machine is off) is noticed by the kernel's probes; Raft notices
  // much earlier.
  limit_silence(socket_, hub_.options());
  timer_.expires_after(hub_.options().handshake_timeout);
  timer_.async_wait([self = shared_from_this()](const boost::system::error_code& error) {
    if (!error && !self->known_) self->fail("no handshake in time", false);
  });
  read();
}

void PeerInbound::read() {
  const std::span<char> space = input_.space();
  socket_.async_read_some(boost::asio::buffer(space.data(), space.size()),
                          [self = shared_from_this()](const boost::system::error_code& error, size_t count) {
                            if (!self->open_) return;
                            if (error) {
                              const bool cut = !self->input_.bytes().empty();
                              self->fail(cut ? "it ended within a frame" : error.message(), self->known_);
                              return;
                            }
                            self->heard_at_ = monotonic_now();
                            self->input_.filled(count);
                            self->handle_input();
                          });
}

void PeerInbound::handle_input() {
  while (open_) {
    const size_t limit = known_ ? hub_.options().frame_bytes_max : kPeerHandshakeBytesMax;
    const auto size = peer_frame_size(input_.bytes(), limit);
    if (!size.ok()) return fail(size.error().message, false);
    if (*size == 0 || *size > input_.bytes().size()) break;
    if (!handle_frame(input_.bytes().substr(4, *size - 4))) return;
    input_.consume(*size);
  }
  if (open_) read();
}

bool PeerInbound::handle_frame(std::string_view frame) {
  auto decoded = hub_.codec().decode(frame, {handshake_.from, handshake_.to, handshake_.boot});
  if (!decoded.ok()) {
    fail(decoded.error().message, false);
    return false;
  }
  if (const auto* handshake = std::get_if<Handshake>(&*decoded)) return handle_handshake(*handshake);
  auto& message = std::get<PeerMessage>(*decoded);
  if (!known_) {
    fail("a message before the handshake", false);
    return false;
  }
  if (!may_receive(message)) {
    fail("a message of consensus from a server that belongs to no cluster", false);
    return false;
  }
  hub_.received(std::move(message));
  return open_;
}

// Before it has a log a server speaks only of forming one.
bool PeerInbound::may_receive(const PeerMessage& message) const {
  if (handshake_.cluster != ClusterId() || hub_.identity().cluster == ClusterId()) return true;
  return std::holds_alternative<Probe>(message.body) || std::holds_alternative<ProbeReply>(message.body) ||
         std::holds_alternative<Founding>(message.body);
}

bool PeerInbound::handle_handshake(const Handshake& handshake) {
  std::string objection = hub_.objection(handshake, ServerId());
  if (known_ && (handshake.from != handshake_.from || handshake.boot != handshake_.boot)) {
    objection = "it changed its name within a connection";
  }
  // Answered also when it is refused, so that the other end can say why.
  const PeerIdentity& own = hub_.identity();
  OutputQueue answer;
  hub_.codec().encode(Handshake{kPeerProtocolVersion, own.id, handshake.from, own.cluster, own.incarnation,
                                own.boot, own.client_address},
                      answer);
  send_some(socket_.native_handle(), answer);
  if (!objection.empty()) {
    fail(objection, false);
    return false;
  }
  handshake_ = handshake;
  hub_.heard_address(handshake.from, handshake.client_address);
  if (!known_) {
    known_ = true;
    timer_.cancel();
    hub_.introduced(handshake, shared_from_this());
  }
  return open_;
}

void PeerInbound::fail(const std::string& reason, bool is_lost) {
  if (!open_) return;
  const std::string who = known_ ? fmt::format("server {} ({})", handshake_.from.value(), name_) : name_;
  std::string line = fmt::format("peer connection from {} closed: {}", who, reason);
  // Whoever it is may well try again every second.
  const std::string kind =
      (known_ ? fmt::format("server {}", handshake_.from.value()) : host_of(name_)) + reason;
  line = hub_.repeats().admit(kind, std::move(line), monotonic_now());
  if (!line.empty()) log(LogLevel::kWarning, line);
  close();
  if (is_lost) hub_.lost(handshake_.from);
}

void PeerInbound::close() {
  if (!open_) return;
  open_ = false;
  timer_.cancel();
  boost::system::error_code ignored;
  socket_.shutdown(Socket::shutdown_both, ignored);
  socket_.close(ignored);
  hub_.closed(shared_from_this());
}

}  // namespace quorate::server
