#include "server/shell/peer_transport.h"

#include <fmt/format.h>

#include <set>
#include <utility>

#include <boost/asio/post.hpp>

#include "base/check.h"
#include "server/shell/clock.h"
#include "server/shell/log.h"
#include "server/shell/peer_connections.h"

namespace quorate::server {

// Connections refer to it without owning it: stop() ends them before it goes, and their handlers look at
// themselves first.
struct PeerTransport::Impl final : PeerHub, std::enable_shared_from_this<PeerTransport::Impl> {
  Impl(boost::asio::io_context& loop, const PeerTransportOptions& options, uint64_t seed)
      : loop_(loop),
        options_(options),
        random_(seed),
        lookups_([&loop](std::function<void()> task) { boost::asio::post(loop, std::move(task)); }) {}

  boost::asio::io_context& loop() override { return loop_; }
  const PeerTransportOptions& options() const override { return options_; }
  const PeerIdentity& identity() const override { return identity_; }
  PeerCodec& codec() override { return codec_; }
  Random& random() override { return random_; }
  LogRepeats& repeats() override { return repeats_; }
  NameLookups& lookups() override { return lookups_; }
  void lost(ServerId peer) override {
    if (!stopped_) events_.lost(peer);
  }
  void received(PeerMessage message) override {
    if (!stopped_) events_.received(std::move(message));
  }
  std::string objection(const Handshake& handshake, ServerId expected) const override;
  void introduced(const Handshake& handshake, const std::shared_ptr<PeerInbound>& connection) override;
  void closed(const std::shared_ptr<PeerInbound>& connection) override;
  void heard_address(ServerId peer, const std::string& client_address) override {
    if (!stopped_) events_.heard_address(peer, client_address);
  }
  void accept();
  void set_peers(const std::vector<PlannedMember>& peers);

  boost::asio::io_context& loop_;
  const PeerTransportOptions options_;
  Random random_;
  NameLookups lookups_;
  LogRepeats repeats_;
  PeerIdentity identity_;
  Events events_;
  PeerCodec codec_;
  bool stopped_ = true;
  std::unique_ptr<Acceptor> acceptor_;
  std::unique_ptr<Timer> accept_again_;
  std::map<ServerId, std::shared_ptr<PeerOutbound>> outbound_;
  std::map<ServerId, std::shared_ptr<PeerInbound>> inbound_;
  std::set<std::shared_ptr<PeerInbound>> strangers_;
};

std::string PeerTransport::Impl::objection(const Handshake& handshake, ServerId expected) const {
  if (handshake.protocol_version != kPeerProtocolVersion) {
    return fmt::format("it speaks version {} of the peer protocol, this server speaks {}",
                       handshake.protocol_version, kPeerProtocolVersion);
  }
  const bool both_formed = handshake.cluster != ClusterId() && identity_.cluster != ClusterId();
  if (both_formed && handshake.cluster != identity_.cluster) {
    return fmt::format("it belongs to cluster {:016x}, this server to {:016x}", handshake.cluster.value(),
                       identity_.cluster.value());
  }
  if (expected != ServerId() && handshake.from != expected) {
    return fmt::format("it is server {}, not {}: the address belongs to another server",
                       handshake.from.value(), expected.value());
  }
  if (handshake.to != identity_.id) {
    return fmt::format("it looks for server {}, this is server {}", handshake.to.value(),
                       identity_.id.value());
  }
  if (!outbound_.contains(handshake.from)) {
    return fmt::format("it says it is server {}, which is no other member of this cluster",
                       handshake.from.value());
  }
  const auto known = expected == ServerId() ? inbound_.find(handshake.from) : inbound_.end();
  if (known != inbound_.end() && known->second->boot() != handshake.boot &&
      monotonic_now() - known->second->heard_at() < options_.alive_within) {
    return fmt::format("it says it is server {}, which is alive at {}: do two servers have that --id?",
                       handshake.from.value(), host_of(known->second->name()));
  }
  return {};
}

void PeerTransport::Impl::introduced(const Handshake& handshake,
                                     const std::shared_ptr<PeerInbound>& connection) {
  strangers_.erase(connection);
  bool restarted = outbound_.at(handshake.from)->dial_soon(handshake.boot);
  const auto earlier = inbound_.find(handshake.from);
  if (earlier != inbound_.end()) {
    const std::shared_ptr<PeerInbound> old = earlier->second;
    if (old->boot() != handshake.boot) {
      restarted = true;
      const std::string line = repeats_.admit(
          fmt::format("two of server {}", handshake.from.value()),
          fmt::format("server {} came again from {} before its connection from {} had ended: its machine was "
                      "started again, or two servers have that --id",
                      handshake.from.value(), connection->name(), old->name()),
          monotonic_now());
      if (!line.empty()) log(LogLevel::kWarning, line);
    }
    old->close();
  }
  inbound_[handshake.from] = connection;
  if (restarted) lost(handshake.from);
}

void PeerTransport::Impl::closed(const std::shared_ptr<PeerInbound>& connection) {
  strangers_.erase(connection);
  const auto known = inbound_.find(connection->peer());
  if (known != inbound_.end() && known->second == connection) inbound_.erase(known);
}

void PeerTransport::Impl::accept() {
  acceptor_->async_accept([this, self = shared_from_this()](const boost::system::error_code& error,
                                                            Socket socket) {
    if (stopped_) return;
    if (error) {
      // Out of descriptors, most likely: not at once again, or the loop would spin.
      const std::string line = repeats_.admit(
          "accept", fmt::format("a peer could not be accepted: {}", error.message()), monotonic_now());
      if (!line.empty()) log(LogLevel::kWarning, line);
      accept_again_->expires_after(std::chrono::milliseconds(100));
      accept_again_->async_wait([this, self](const boost::system::error_code& cancelled) {
        if (!cancelled && !stopped_) accept();
      });
      return;
    }
    if (strangers_.size() >= options_.strangers_max) {
      const std::string line =
          repeats_.admit("strangers",
                         fmt::format("peer connection from {} refused: {} others have not said who they are",
                                     remote_name(socket), strangers_.size()),
                         monotonic_now());
      if (!line.empty()) log(LogLevel::kWarning, line);
    } else {
      auto connection = std::make_shared<PeerInbound>(*this, std::move(socket));
      strangers_.insert(connection);
      connection->start();
    }
    accept();
  });
}

void PeerTransport::Impl::set_peers(const std::vector<PlannedMember>& peers) {
  std::map<ServerId, std::shared_ptr<PeerOutbound>> kept;
  for (const PlannedMember& peer : peers) {
    if (peer.id == identity_.id) continue;
    const auto known = outbound_.find(peer.id);
    if (known != outbound_.end() && known->second->address() == peer.address) {
      kept[peer.id] = known->second;
      outbound_.erase(known);
    } else {
      kept[peer.id] = std::make_shared<PeerOutbound>(*this, peer.id, peer.address);
      kept[peer.id]->dial();
    }
  }
  for (auto& [id, gone] : outbound_) gone->stop();
  outbound_ = std::move(kept);
  std::vector<std::shared_ptr<PeerInbound>> strangers;
  for (auto& [id, connection] : inbound_) {
    if (!outbound_.contains(id)) strangers.push_back(connection);
  }
  for (const auto& connection : strangers) connection->close();
}

PeerTransport::PeerTransport(boost::asio::io_context& loop, const PeerTransportOptions& options,
                             uint64_t seed)
    : impl_(std::make_shared<Impl>(loop, options, seed)) {}

PeerTransport::~PeerTransport() { stop(); }

Status PeerTransport::listen(const Address& address) {
  auto acceptor = listen_on(impl_->loop_, address, "peer port");
  if (!acceptor.ok()) return acceptor.error();
  impl_->acceptor_ = std::move(*acceptor);
  impl_->accept_again_ = std::make_unique<Timer>(impl_->loop_.get_executor());
  return {};
}

uint16_t PeerTransport::port() const {
  return impl_->acceptor_ ? impl_->acceptor_->local_endpoint().port() : uint16_t{0};
}

void PeerTransport::start(PeerIdentity identity, const std::vector<PlannedMember>& peers, Events events) {
  CHECK(impl_->stopped_);
  impl_->stopped_ = false;
  impl_->identity_ = std::move(identity);
  impl_->events_ = std::move(events);
  impl_->set_peers(peers);
  if (impl_->acceptor_) impl_->accept();
}

void PeerTransport::set_cluster(ClusterId cluster) {
  impl_->identity_.cluster = cluster;
  for (auto& [id, peer] : impl_->outbound_) peer->send_handshake();
}

void PeerTransport::set_peers(const std::vector<PlannedMember>& peers) { impl_->set_peers(peers); }

void PeerTransport::send(const PeerMessage& message) {
  const auto peer = impl_->outbound_.find(message.to);
  if (peer != impl_->outbound_.end()) peer->second->send(message);
}

void PeerTransport::flush() {
  for (auto& [id, peer] : impl_->outbound_) peer->flush();
}

bool PeerTransport::connected(ServerId peer) const {
  const auto known = impl_->outbound_.find(peer);
  return known != impl_->outbound_.end() && known->second->connected();
}

void PeerTransport::stop() {
  if (impl_->stopped_) return;
  impl_->stopped_ = true;
  boost::system::error_code ignored;
  if (impl_->acceptor_) impl_->acceptor_->close(ignored);
  if (impl_->accept_again_) impl_->accept_again_->cancel();
  for (auto& [id, peer] : impl_->outbound_) peer->stop();
  const auto inbound = impl_->inbound_;
  for (const auto& [id, connection] : inbound) connection->close();
  const auto strangers = impl_->strangers_;
  for (const auto& connection : strangers) connection->close();
}

}  // namespace quorate::server
