#include "server/shell/net.h"

#include <fmt/format.h>

namespace quorate::server {

Result<std::unique_ptr<Acceptor>> listen_on(boost::asio::io_context& loop, const Address& address,
                                            const char* what) {
  boost::system::error_code error;
  Resolver resolver(loop);
  const auto found =
      resolver.resolve(address.host, std::to_string(address.port), Tcp::resolver::passive, error);
  if (error || found.empty()) {
    return Error{ErrorCode::kBadConfiguration,
                 fmt::format("the {} {} cannot be used: the host is not known ({})", what, to_string(address),
                             error.message())};
  }
  const Tcp::endpoint endpoint = found.begin()->endpoint();
  auto acceptor = std::make_unique<Acceptor>(loop.get_executor());
  acceptor->open(endpoint.protocol(), error);
  if (!error) acceptor->set_option(Acceptor::reuse_address(true), error);
  if (!error) acceptor->bind(endpoint, error);
  if (!error) acceptor->listen(boost::asio::socket_base::max_listen_connections, error);
  if (!error) acceptor->non_blocking(true, error);
  if (error == boost::asio::error::address_in_use) {
    return Error{ErrorCode::kInUse,
                 fmt::format("the {} {} is in use by another process: stop it or choose another port", what,
                             to_string(address))};
  }
  if (error) {
    return Error{ErrorCode::kBadConfiguration,
                 fmt::format("the {} {} cannot be used: {}", what, to_string(address), error.message())};
  }
  return acceptor;
}

std::string remote_name(const Socket& socket) {
  boost::system::error_code error;
  const Tcp::endpoint endpoint = socket.remote_endpoint(error);
  return error ? "an unknown address" : fmt::format("{}:{}", endpoint.address().to_string(), endpoint.port());
}

std::string remote_ip(const Socket& socket) {
  boost::system::error_code error;
  const Tcp::endpoint endpoint = socket.remote_endpoint(error);
  if (error) return {};
  if (!endpoint.address().is_v6()) return endpoint.address().to_string();
  boost::asio::ip::address_v6 address = endpoint.address().to_v6();
  address.scope_id(0);  // names an interface of this machine, nothing that a list of the cluster could mean
  return address.to_string();
}

}  // namespace quorate::server
