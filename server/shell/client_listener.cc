#include "server/shell/client_listener.h"

#include <fmt/format.h>

#include <boost/asio/post.hpp>

#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/check.h"
#include "server/shell/clock.h"
#include "server/shell/conversation.h"
#include "server/shell/four_letter_words.h"
#include "server/shell/input_buffer.h"
#include "server/shell/log.h"
#include "server/shell/log_repeats.h"
#include "server/shell/net.h"

namespace quorate::server {

namespace {

class ClientConnection;

// What a connection asks of the listener.
class ClientHub {
 public:
  virtual ~ClientHub() = default;
  virtual const ClientListenerOptions& options() const = 0;
  virtual ClientCodec& codec() = 0;
  virtual LogRepeats& repeats() = 0;
  virtual ListenerFigures& figures() = 0;
  virtual void received(ClientRequest request) = 0;
  virtual void received(ZookeeperRequest request) = 0;
  virtual void closed(ConnectionId id) = 0;
  virtual void drained(ConnectionId id) = 0;
  // A frame has begun and is not whole: its end is due.
  virtual void arm_sweep() = 0;
  virtual void has_output(const std::shared_ptr<ClientConnection>& connection) = 0;
  // So many bytes of a connection wait for its socket, where there were `before`.
  virtual void unsent(size_t before, size_t now) = 0;
};

class ClientConnection : public std::enable_shared_from_this<ClientConnection> {
 public:
  ClientConnection(ClientHub& hub, ConnectionId id, Socket socket,
                   std::shared_ptr<ListenerFigures::Connection> figures)
      : hub_(hub),
        id_(id),
        socket_(std::move(socket)),
        figures_(std::move(figures)),
        accepted_(std::chrono::steady_clock::now()) {}

  void start() {
    boost::system::error_code ignored;
    socket_.set_option(Tcp::no_delay(true), ignored);
    socket_.set_option(Socket::keep_alive(true), ignored);
    socket_.non_blocking(true, ignored);
    read();
  }
  void send(const ClientMessage& message);
  void close_after_output();
  void flush();
  void fail(const std::string& reason);
  void close();
  void crowded() {
    crowded_ = true;
    answer_due_ = output_.empty();
  }

  // Why it has kept us waiting for too long, if it has.
  const char* overdue(std::chrono::steady_clock::time_point now) const;
  // Something is due from it.
  bool owes() const { return !conversation_ || frame_begun_.has_value(); }
  // What it sends from here on counts for nothing; its answer may be still to come.
  bool asked_its_last() const { return conversation_ && conversation_->ended(); }
  // What its socket did not take at the last flush.
  size_t unsent() const { return unsent_; }

  ConnectionId id() const { return id_; }

 private:
  void read();
  void handle_input();
  bool handle_frame(std::string_view frame);
  bool handle_greeting();
  void announce_output();
  void wait_for_space();
  void count_unsent(size_t bytes) { hub_.unsent(std::exchange(unsent_, bytes), bytes); }

  ClientHub& hub_;
  const ConnectionId id_;
  Socket socket_;
  const std::shared_ptr<ListenerFigures::Connection> figures_;
  const std::chrono::steady_clock::time_point accepted_;
  bool open_ = true;
  std::unique_ptr<Conversation> conversation_;  // null until its first bytes have told which it is
  bool closing_ = false;
  bool announced_ = false;
  bool waiting_for_space_ = false;
  bool crowded_ = false;      // the replica waits for room
  bool answer_due_ = false;   // there is room, and nothing is read until an answer has left
  bool not_reading_ = false;  // there is too much unsent
  std::optional<std::chrono::steady_clock::time_point> frame_begun_;
  InputBuffer input_;
  OutputQueue output_;
  size_t unsent_ = 0;
};

const char* ClientConnection::overdue(std::chrono::steady_clock::time_point now) const {
  if (!conversation_ && now - accepted_ >= hub_.options().magic_timeout) return "it said nothing in time";
  if (frame_begun_ && !not_reading_ && now - *frame_begun_ >= hub_.options().frame_timeout)
    return "it did not end a frame in time";
  return nullptr;
}

void ClientConnection::read() {
  not_reading_ = crowded_ || output_.bytes() > hub_.options().output_bytes_crowded;
  if (not_reading_) return;
  const std::span<char> space = input_.space();
  socket_.async_read_some(boost::asio::buffer(space.data(), space.size()),
                          [self = shared_from_this()](const boost::system::error_code& error, size_t count) {
                            if (!self->open_) return;
                            // It says no more, and still listens.
                            if (error == boost::asio::error::eof && self->asked_its_last()) return;
                            if (error) {
                              if (!self->input_.bytes().empty()) {
                                self->fail("it ended within a frame");
                              } else {
                                self->close();
                              }
                              return;
                            }
                            self->input_.filled(count);
                            self->handle_input();
                          });
}

bool ClientConnection::handle_greeting() {
  const ClientListenerOptions& options = hub_.options();
  auto greeting = greet(input_.bytes(),
                        {id_, options.frame_bytes_max, remote_ip(socket_), &options.words, &options.facts},
                        hub_.codec(), hub_.figures());
  if (!greeting.ok()) {
    fail(greeting.error().message);
    return false;
  }
  conversation_ = std::move(greeting->conversation);
  input_.consume(greeting->consumed);
  return true;
}

void ClientConnection::handle_input() {
  if (!conversation_ && !handle_greeting()) return;
  while (conversation_ && !closing_ && !asked_its_last()) {
    const auto size = conversation_->frame_size(input_.bytes());
    if (!size.ok()) return fail(size.error().message);
    if (*size == 0 || *size > input_.bytes().size()) break;
    if (!handle_frame(input_.bytes().substr(0, *size))) return;
    input_.consume(*size);
    frame_begun_.reset();
  }
  if (closing_ || asked_its_last()) input_.consume(input_.bytes().size());
  const bool begun = conversation_ && !input_.bytes().empty();
  if (!begun) frame_begun_.reset();
  if (begun && !frame_begun_) {
    frame_begun_ = std::chrono::steady_clock::now();
    hub_.arm_sweep();
  }
  read();
}

bool ClientConnection::handle_frame(std::string_view frame) {
  ++hub_.figures().received;
  ++figures_->received;
  auto taken = conversation_->take(frame);
  if (!taken.ok()) {
    fail(taken.error().message);
    return false;
  }
  if (auto* request = std::get_if<ClientRequest>(&*taken)) {
    hub_.received(std::move(*request));
  } else if (auto* zookeeper = std::get_if<ZookeeperRequest>(&*taken)) {
    hub_.received(std::move(*zookeeper));
  } else {
    send(std::get<ClientMessage>(*taken));
  }
  return open_;
}

void ClientConnection::send(const ClientMessage& message) {
  if (!open_ || closing_ || !conversation_) return;
  ++hub_.figures().sent;
  ++figures_->sent;
  answer_due_ = false;
  conversation_->encode(message, output_);
  if (conversation_->ended()) closing_ = true;
  announce_output();
}

void ClientConnection::announce_output() {
  if (announced_) return;
  announced_ = true;
  hub_.has_output(shared_from_this());
}

void ClientConnection::close_after_output() {
  closing_ = true;
  announce_output();
}

void ClientConnection::flush() {
  announced_ = false;
  if (!open_) return;
  if (!waiting_for_space_) {
    if (const int error = send_some(socket_.native_handle(), output_); error != 0) return close();
  }
  if (output_.bytes() > hub_.options().output_bytes_max) {
    return fail(fmt::format("it does not read its answers: {} bytes are unsent", output_.bytes()));
  }
  count_unsent(output_.bytes());
  if (output_.bytes() <= hub_.options().output_bytes_crowded) {
    if (!answer_due_ && std::exchange(crowded_, false)) hub_.drained(id_);
    if (not_reading_) {
      if (frame_begun_) frame_begun_ = std::chrono::steady_clock::now();
      read();
    }
  }
  if (!output_.empty()) {
    wait_for_space();
  } else if (closing_) {
    close();
  }
}

void ClientConnection::wait_for_space() {
  if (waiting_for_space_) return;
  waiting_for_space_ = true;
  socket_.async_wait(Socket::wait_write, [self = shared_from_this()](const boost::system::error_code& error) {
    self->waiting_for_space_ = false;
    if (!error) self->flush();
  });
}

void ClientConnection::fail(const std::string& reason) {
  if (!open_) return;
  const std::string from = remote_name(socket_);
  const std::string line = hub_.repeats().admit(
      host_of(from) + reason,
      fmt::format("client connection {} from {} closed: {}", id_.value(), from, reason), monotonic_now());
  if (!line.empty()) log(LogLevel::kWarning, line);
  close();
}

void ClientConnection::close() {
  if (!open_) return;
  open_ = false;
  count_unsent(0);
  output_.clear();
  boost::system::error_code ignored;
  socket_.shutdown(Socket::shutdown_both, ignored);
  socket_.close(ignored);
  hub_.closed(id_);
}

}  // namespace

struct ClientListener::Impl final : ClientHub, std::enable_shared_from_this<ClientListener::Impl> {
  Impl(boost::asio::io_context& loop, const ClientListenerOptions& options)
      : loop_(loop), options_(options), sweep_(loop.get_executor()), accept_again_(loop.get_executor()) {}

  const ClientListenerOptions& options() const override { return options_; }
  ClientCodec& codec() override { return codec_; }
  LogRepeats& repeats() override { return repeats_; }
  ListenerFigures& figures() override { return figures_; }
  void received(ClientRequest request) override {
    if (!stopped_) events_.received(std::move(request));
  }
  void received(ZookeeperRequest request) override {
    if (!stopped_) events_.received_zookeeper(std::move(request));
  }
  void closed(ConnectionId id) override {
    connections_.erase(id);
    figures_.connections.erase(id);
    if (const auto address = addresses_.extract(id)) {
      if (--per_address_[address.mapped()] == 0) per_address_.erase(address.mapped());
    }
    if (!stopped_) events_.lost(id);
  }
  // In a turn of its own: the replica is not called from within what it asked for.
  void drained(ConnectionId id) override {
    boost::asio::post(loop_, [self = shared_from_this(), id] {
      if (!self->stopped_ && self->connections_.contains(id)) self->events_.drained(id);
    });
  }
  void has_output(const std::shared_ptr<ClientConnection>& connection) override {
    with_output_.push_back(connection);
  }
  void unsent(size_t before, size_t now) override { unsent_ += now - before; }

  void accept();
  void admit(Socket socket);
  void refuse(const Socket& socket, size_t limit, const char* setting);
  void arm_sweep() override;
  void sweep();
  void flush();
  void drop_slowest();

  boost::asio::io_context& loop_;
  const ClientListenerOptions options_;
  Events events_;
  ClientCodec codec_;
  LogRepeats repeats_;
  ListenerFigures figures_;
  bool stopped_ = true;
  std::unique_ptr<Acceptor> acceptor_;
  Timer sweep_, accept_again_;
  bool sweeping_ = false;
  bool refusing_ = false;
  ConnectionId last_id_;
  size_t unsent_ = 0;  // of all connections
  std::unordered_map<ConnectionId, std::shared_ptr<ClientConnection>> connections_;
  // Only where there is a limit for each address.
  std::unordered_map<ConnectionId, std::string> addresses_;
  std::unordered_map<std::string, size_t> per_address_;
  std::vector<std::shared_ptr<ClientConnection>> with_output_, flushing_;
};

void ClientListener::Impl::accept() {
  acceptor_->async_accept(
      [this, self = shared_from_this()](const boost::system::error_code& error, Socket socket) {
        if (stopped_) return;
        if (error) {
          // Out of descriptors, most likely: not at once again, or the loop would spin.
          const std::string line = repeats_.admit(
              "accept", fmt::format("a client could not be accepted: {}", error.message()), monotonic_now());
          if (!line.empty()) log(LogLevel::kWarning, line);
          accept_again_.expires_after(std::chrono::milliseconds(100));
          accept_again_.async_wait([this, self](const boost::system::error_code& cancelled) {
            if (!cancelled && !stopped_) accept();
          });
          return;
        }
        admit(std::move(socket));
        accept();
      });
}

// Said once for each time that a limit is reached: who storms the port does not fill the log.
void ClientListener::Impl::refuse(const Socket& socket, size_t limit, const char* setting) {
  if (!refusing_) {
    log(LogLevel::kWarning,
        fmt::format("client connection from {} refused: {} connections are the limit ({})",
                    remote_name(socket), limit, setting));
  }
  refusing_ = true;
}

void ClientListener::Impl::admit(Socket socket) {
  if (connections_.size() >= options_.connections_max)
    return refuse(socket, options_.connections_max, "client-connections-max");
  const std::string address = options_.connections_per_address_max > 0 ? remote_ip(socket) : std::string();
  if (!address.empty()) {
    const auto found = per_address_.find(address);
    if (found != per_address_.end() && found->second >= options_.connections_per_address_max)
      return refuse(socket, options_.connections_per_address_max, "client-connections-per-address-max");
  }
  refusing_ = false;
  last_id_ = last_id_.next();
  auto figures = std::make_shared<ListenerFigures::Connection>();
  figures->address = remote_name(socket);
  figures->since_ms = sample_now().wall_ms;
  figures_.connections[last_id_] = figures;
  auto connection =
      std::make_shared<ClientConnection>(*this, last_id_, std::move(socket), std::move(figures));
  connections_[last_id_] = connection;
  if (!address.empty()) {
    addresses_[last_id_] = address;
    ++per_address_[address];
  }
  connection->start();
  arm_sweep();
}

// Looks for connections that owe a magic or the end of a frame, and only while there may be some: an idle
// server has no such timer.
void ClientListener::Impl::arm_sweep() {
  if (sweeping_) return;
  sweeping_ = true;
  sweep_.expires_after(
      std::min<Duration>({std::chrono::seconds(1), options_.magic_timeout / 4, options_.frame_timeout / 4}));
  sweep_.async_wait([this, self = shared_from_this()](const boost::system::error_code& error) {
    sweeping_ = false;
    if (!error && !stopped_) sweep();
  });
}

void ClientListener::Impl::sweep() {
  std::vector<std::pair<std::shared_ptr<ClientConnection>, const char*>> late;
  bool more = false;
  const auto now = std::chrono::steady_clock::now();
  for (const auto& [id, connection] : connections_) {
    if (const char* reason = connection->overdue(now); reason != nullptr) {
      late.emplace_back(connection, reason);
    } else {
      more = more || connection->owes();
    }
  }
  for (const auto& [connection, reason] : late) connection->fail(reason);
  if (more) arm_sweep();
}

void ClientListener::Impl::flush() {
  flushing_.swap(with_output_);
  for (const auto& connection : flushing_) connection->flush();
  flushing_.clear();
  while (unsent_ > options_.output_bytes_all_max) drop_slowest();
}

void ClientListener::Impl::drop_slowest() {
  std::shared_ptr<ClientConnection> slowest;
  for (const auto& [id, connection] : connections_) {
    if (!slowest || connection->unsent() > slowest->unsent()) slowest = connection;
  }
  slowest->fail(fmt::format("clients do not read their answers, and {} bytes of it are the most unsent",
                            slowest->unsent()));
}

ClientListener::ClientListener(boost::asio::io_context& loop, const ClientListenerOptions& options)
    : impl_(std::make_shared<Impl>(loop, options)) {}

ClientListener::~ClientListener() { stop(); }

Status ClientListener::listen(const Address& address) {
  auto acceptor = listen_on(impl_->loop_, address, "client port");
  if (!acceptor.ok()) return acceptor.error();
  impl_->acceptor_ = std::move(*acceptor);
  impl_->figures_.address = to_string(address);
  return {};
}

uint16_t ClientListener::port() const {
  return impl_->acceptor_ ? impl_->acceptor_->local_endpoint().port() : uint16_t{0};
}

void ClientListener::start(Events events) {
  CHECK(impl_->stopped_ && impl_->acceptor_ != nullptr);
  impl_->stopped_ = false;
  impl_->events_ = std::move(events);
  impl_->accept();
}

void ClientListener::send(const ClientMessage& message) {
  const auto connection = impl_->connections_.find(message.connection);
  if (connection != impl_->connections_.end()) connection->second->send(message);
}

void ClientListener::close(ConnectionId connection) {
  const auto known = impl_->connections_.find(connection);
  if (known != impl_->connections_.end()) known->second->close_after_output();
}

void ClientListener::drop(ConnectionId connection, const std::string& why) {
  const auto known = impl_->connections_.find(connection);
  if (known == impl_->connections_.end()) return;
  const auto dropped = known->second;  // the map forgets it
  dropped->fail(why);
}

void ClientListener::crowded(ConnectionId connection) {
  const auto known = impl_->connections_.find(connection);
  if (known == impl_->connections_.end()) return;
  known->second->crowded();
  impl_->has_output(known->second);
}

void ClientListener::flush() { impl_->flush(); }

size_t ClientListener::connections() const { return impl_->connections_.size(); }

void ClientListener::stop() {
  if (impl_->stopped_) return;
  impl_->flush();
  impl_->stopped_ = true;
  boost::system::error_code ignored;
  if (impl_->acceptor_) impl_->acceptor_->close(ignored);
  impl_->sweep_.cancel();
  impl_->accept_again_.cancel();
  const auto connections = impl_->connections_;
  for (const auto& [id, connection] : connections) connection->close();
  impl_->with_output_.clear();
}

}  // namespace quorate::server
