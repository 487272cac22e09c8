// The few Asio types and helpers that the peer transport and the client listener share. Included by their
// sources only: Asio is slow to compile.
//
// Thread safety: none; everything belongs to the one thread of the loop.
#pragma once

#include <utility>  // Asio of Boost 1.81 forgets it

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <memory>
#include <string>

#include "base/result.h"
#include "server/shell/address.h"

namespace quorate::server {

// With the loop's own executor type: the default, any_io_executor, costs an indirect call and a count for
// each operation.
using LoopExecutor = boost::asio::io_context::executor_type;
using Tcp = boost::asio::ip::tcp;
using Socket = boost::asio::basic_stream_socket<Tcp, LoopExecutor>;
using Acceptor = boost::asio::basic_socket_acceptor<Tcp, LoopExecutor>;
using Resolver = boost::asio::ip::basic_resolver<Tcp, LoopExecutor>;
using Timer =
    boost::asio::basic_waitable_timer<std::chrono::steady_clock,
                                      boost::asio::wait_traits<std::chrono::steady_clock>, LoopExecutor>;

// Bound and listening. Errors: kInUse, kBadConfiguration (a name that is not found, an address that is not
// ours), naming `what`
// ("client port") and the address.
Result<std::unique_ptr<Acceptor>> listen_on(boost::asio::io_context& loop, const Address& address,
                                            const char* what);

// "10.0.0.1:4711" of the other end, for logs.
std::string remote_name(const Socket& socket);
// What remote_name() gave, without the port.
inline std::string host_of(const std::string& name) { return name.substr(0, name.rfind(':')); }
// The address alone, without a port or zone, as ACLs compare it; empty when the connection is gone.
std::string remote_ip(const Socket& socket);

}  // namespace quorate::server
