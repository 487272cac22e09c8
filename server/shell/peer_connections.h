// The two kinds of connection of the peer transport: the one we dialled, to send on, and the one we accepted,
// to receive from. For peer_transport.cc and its two parts only.
//
// Thread safety: none. Lifetime: every pending operation holds a reference, so that a closed connection stays
// until its last handler has run; closed() is asked first in each.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/name_lookups.h"
#include "base/random.h"
#include "server/shell/input_buffer.h"
#include "server/shell/log_repeats.h"
#include "server/shell/net.h"
#include "server/shell/output_queue.h"
#include "server/shell/peer_transport.h"

namespace quorate::server {

// What both kinds ask of the transport.
class PeerHub {
 public:
  virtual ~PeerHub() = default;
  virtual boost::asio::io_context& loop() = 0;
  virtual const PeerTransportOptions& options() const = 0;
  virtual const PeerIdentity& identity() const = 0;
  virtual PeerCodec& codec() = 0;
  virtual Random& random() = 0;
  virtual LogRepeats& repeats() = 0;
  virtual NameLookups& lookups() = 0;
  virtual void lost(ServerId peer) = 0;
  virtual void received(PeerMessage message) = 0;
  // Why this handshake is refused, or nothing. `expected`: whom we dialled; 0 for one who dialled us, and has
  // not been introduced.
  virtual std::string objection(const Handshake& handshake, ServerId expected) const = 0;
  // An accepted connection said who it is: it replaces an earlier one of the same peer.
  virtual void introduced(const Handshake& handshake,
                          const std::shared_ptr<class PeerInbound>& connection) = 0;
  virtual void closed(const std::shared_ptr<class PeerInbound>& connection) = 0;
  virtual void heard_address(ServerId peer, const std::string& client_address) = 0;
};

// Ends a connection whose other end is gone without a word.
void limit_silence(Socket& socket, const PeerTransportOptions& options);

// Dials one peer for as long as it is a member, and sends.
class PeerOutbound : public std::enable_shared_from_this<PeerOutbound> {
 public:
  PeerOutbound(PeerHub& hub, ServerId peer, std::string address);

  void dial();
  // The peer lives (it has just dialled us), in this run of it: no need to wait out the back-off. A
  // connection to an earlier run is at an end, whether or not the network has said so. True: there was one.
  bool dial_soon(BootNonce boot);
  void send(const PeerMessage& message);
  void send_handshake();
  void flush();
  void stop();

  bool connected() const { return state_ == State::kConnected; }
  const std::string& address() const { return address_; }

 private:
  enum class State { kWaiting, kResolving, kConnecting, kShakingHands, kConnected, kStopped };
  void resolve();
  void connect(const Tcp::endpoint& endpoint);
  void shake_hands();
  void read();
  void handle_input();
  void fail(const std::string& reason, bool is_lost);
  void wait_for_space();
  void arm(Duration after, bool gives_up);
  void log_once(const std::string& reason);

  PeerHub& hub_;
  const ServerId peer_;
  const std::string address_;
  State state_ = State::kWaiting;
  // Grows with each attempt: handlers of an earlier one find it changed and do nothing.
  uint64_t attempt_ = 0;
  std::unique_ptr<Socket> socket_;
  uint64_t asked_ = 0;  // for its address
  Timer timer_;
  Duration backoff_;
  InputBuffer input_;
  OutputQueue output_;
  bool waiting_for_space_ = false;
  bool dropping_ = false;
  BootNonce boot_;  // the run that answered; while connected
  std::string logged_;
  Instant connected_at_;
  bool flapping_ = false;  // the last connection was no sooner there than gone
};

// One accepted connection: handshake, then messages.
class PeerInbound : public std::enable_shared_from_this<PeerInbound> {
 public:
  PeerInbound(PeerHub& hub, Socket socket);

  void start();
  // Unread data is dropped.
  void close();
  ServerId peer() const { return handshake_.from; }
  BootNonce boot() const { return handshake_.boot; }
  const std::string& name() const { return name_; }
  Instant heard_at() const { return heard_at_; }

 private:
  void read();
  void handle_input();
  bool handle_frame(std::string_view frame);
  bool handle_handshake(const Handshake& handshake);
  bool may_receive(const PeerMessage& message) const;
  void fail(const std::string& reason, bool is_lost);

  PeerHub& hub_;
  Socket socket_;
  const std::string name_;
  Timer timer_;
  bool open_ = true;
  bool known_ = false;
  Handshake handshake_;
  Instant heard_at_;
  InputBuffer input_;
};

}  // namespace quorate::server
