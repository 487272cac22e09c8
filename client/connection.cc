#include "client/connection.h"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <utility>

#include <boost/asio/error.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/write.hpp>

namespace quorate::client {

namespace asio = boost::asio;
using boost::asio::ip::tcp;
using boost::system::error_code;

namespace {

tcp::endpoint endpoint_of(const asio::ip::address& address, const HostPort& where) {
  return {address, static_cast<uint16_t>(std::stoi(where.port))};
}

}  // namespace

Resolve resolve_by(NameLookups& lookups) {
  return [&lookups](const HostPort& where, OnResolved found) -> std::function<void()> {
    const uint64_t asked = lookups.ask(
        where.host, [where, found = std::move(found)](const Result<NameLookups::Addresses>& numbers) {
          if (!numbers.ok()) return found(numbers.error());
          Addresses addresses;
          for (const std::string& number : *numbers)
            addresses.push_back(endpoint_of(asio::ip::make_address(number), where));
          found(std::move(addresses));
        });
    return [&lookups, asked] { lookups.give_up(asked); };
  };
}

Connection::Connection(asio::io_context& io, Handler handler, Resolve resolve)
    : resolve_(std::move(resolve)), socket_(io), handler_(std::move(handler)) {}

void Connection::connect(const HostPort& where, size_t first) {
  error_code no_address;
  const auto address = asio::ip::make_address(where.host, no_address);
  if (!no_address) return try_addresses({endpoint_of(address, where)});
  // Behind this call, whoever looks it up: a failure is told to an owner that has us.
  give_up_ = resolve_(where, [self = shared_from_this(), first](Result<Addresses> found) {
    asio::post(self->socket_.get_executor(), [self, first, found = std::move(found)]() mutable {
      if (!self->open_) return;
      if (!found.ok()) return self->fail("the name cannot be resolved: " + found.error().message);
      if (!found->empty())
        std::rotate(found->begin(), found->begin() + static_cast<ptrdiff_t>(first % found->size()),
                    found->end());
      self->try_addresses(std::move(*found));
    });
  });
}

void Connection::try_addresses(Addresses addresses) {
  if (addresses.empty()) return fail(error_code(asio::error::not_found).message());
  try_address(std::make_shared<Addresses>(std::move(addresses)), 0);
}

// Not async_connect() of all of them: each program that is started meanwhile would have the sockets that it
// opens, and with one the session and whoever it is.
void Connection::try_address(const std::shared_ptr<const Addresses>& all, size_t at) {
  const tcp::endpoint& address = (*all)[at];
  const auto failed = [&](const error_code& error) {
    if (at + 1 < all->size()) return try_address(all, at + 1);
    fail(error.message());
  };
  error_code error;
  socket_.close(error);
  const int fd = ::socket(address.protocol().family(), SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return failed(error_code(errno, boost::system::system_category()));
  socket_.assign(address.protocol(), fd, error);
  if (error) {
    ::close(fd);
    return failed(error);
  }
  socket_.async_connect(address, [self = shared_from_this(), all, at](error_code refused) {
    if (!self->open_) return;
    if (refused && at + 1 < all->size()) return self->try_address(all, at + 1);
    if (refused) return self->fail(refused.message());
    self->socket_.set_option(tcp::no_delay(true), refused);
    self->connected_ = true;
    self->to_send_.insert(0, kMagic);
    self->write();
    self->read();
    self->handler_.connected();
  });
}

void Connection::send(const std::vector<api::ClientFrame>& frames) {
  for (const api::ClientFrame& frame : frames) append_frame(to_send_, frame);
  write();
}

void Connection::write() {
  if (writing_ || to_send_.empty() || !open_ || !connected_) return;
  // Most of the time the socket takes it all at once, which saves a turn of the loop.
  error_code error;
  socket_.non_blocking(true, error);
  size_t sent = socket_.write_some(asio::buffer(to_send_), error);
  if (error == asio::error::would_block || error == asio::error::try_again) {
    error.clear();
    sent = 0;
  }
  if (error) return;  // the read will tell
  sending_.assign(to_send_, sent);
  to_send_.clear();
  if (sending_.empty()) return;
  writing_ = true;
  asio::async_write(socket_, asio::buffer(sending_), [self = shared_from_this()](error_code failed, size_t) {
    self->writing_ = false;
    if (!self->open_ || failed) return;
    self->write();
  });
}

void Connection::read() {
  socket_.async_read_some(asio::buffer(buffer_), [self = shared_from_this()](error_code error, size_t size) {
    if (!self->open_) return;
    if (error == asio::error::eof) return self->fail("the server closed the connection");
    if (error) return self->fail(error.message());
    self->reader_.append(self->buffer_.data(), size);
    std::vector<api::ServerFrame> frames;
    while (true) {
      Result<std::optional<api::ServerFrame>> frame = self->reader_.next();
      if (!frame.ok()) return self->fail(frame.error().message);
      if (!*frame) break;
      frames.push_back(std::move(**frame));
    }
    if (!frames.empty()) self->handler_.received(std::move(frames));
    if (self->open_) self->read();
  });
}

void Connection::fail(const std::string& reason) {
  if (!open_) return;
  const auto closed = std::exchange(handler_.closed, nullptr);
  close();
  closed(reason);
}

void Connection::close() {
  open_ = false;
  if (auto give_up = std::exchange(give_up_, nullptr)) give_up();
  error_code ignored;
  socket_.close(ignored);
}

}  // namespace quorate::client
