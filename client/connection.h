// One TCP connection to one server: looks the name up, connects, says the magic, then frames both ways.
//
// Thread safety: none; used and called back on the thread that runs its io_context. After close() no callback
// comes.
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>

#include "base/name_lookups.h"
#include "client/endpoint.h"
#include "client/wire.h"

namespace quorate::client {

// Looks up where a server is. `found` is called once, on the thread of the connection, or not at all behind
// what is returned: that gives up.
using Addresses = std::vector<boost::asio::ip::tcp::endpoint>;
using OnResolved = std::function<void(Result<Addresses>)>;
using Resolve = std::function<std::function<void()>(const HostPort& where, OnResolved found)>;
// `lookups` outlives it, and what it returns.
Resolve resolve_by(NameLookups& lookups);

class Connection : public std::enable_shared_from_this<Connection> {
 public:
  struct Handler {
    std::function<void()> connected;
    // All frames that one read brought.
    std::function<void(std::vector<api::ServerFrame>)> received;
    // Called once, instead of or after `connected`; a sentence for people.
    std::function<void(std::string reason)> closed;
  };

  // `resolve` is asked by each connect() to a name.
  Connection(boost::asio::io_context& io, Handler handler, Resolve resolve);
  // Where the name has several addresses, they are tried in turn, beginning with that of number `first`.
  void connect(const HostPort& where, size_t first = 0);
  // Sent in order, several at once where they wait for the socket.
  void send(const std::vector<api::ClientFrame>& frames);
  void close();

 private:
  using tcp = boost::asio::ip::tcp;
  void try_addresses(Addresses addresses);
  void try_address(const std::shared_ptr<const Addresses>& all, size_t at);
  void read();
  void write();
  void fail(const std::string& reason);

  const Resolve resolve_;
  std::function<void()> give_up_;  // looking it up
  tcp::socket socket_;
  Handler handler_;
  bool open_ = true, connected_ = false, writing_ = false;
  std::string to_send_, sending_;
  FrameReader reader_;
  std::array<char, 64 << 10> buffer_;
};

}  // namespace quorate::client
