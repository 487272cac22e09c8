#include "server/shell/driver.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "base/check.h"
#include "server/shell/clock.h"
#include "server/shell/log.h"
#include "server/shell/log_repeats.h"
#include "server/shell/log_writer.h"
#include "server/shell/net.h"
#include "server/shell/store_thread.h"

namespace quorate::server {

// Handlers run before the replica's output is taken: what one look at the sockets finds ready, and no endless
// stream of it.
constexpr int kHandlersPerTurn = 512;

namespace {
bool answers_zookeeper(const std::vector<ClientMessage>& messages) {
  return std::any_of(messages.begin(), messages.end(), [](const ClientMessage& message) {
    return std::holds_alternative<zookeeper::Reply>(message.body);
  });
}
}  // namespace

struct Driver::Impl {
  Impl(boost::asio::io_context& io, DriverOptions opts, ReplicaRecovered recovered, std::unique_ptr<Wal> wal,
       std::unique_ptr<StateFolder> state, CreateLog create, Founded founded, PeerTransport& peer_transport,
       ClientListener& client_listener);

  bool run_once();
  void stop();
  void step(Input input);
  void process();
  Output take_output();
  void dispatch(Output& output);
  void write(const Output& output);
  StoreThread::Handlers store_handlers();
  void send_to_clients(std::vector<ClientMessage>& messages);
  bool create_log(ClusterId cluster);
  void durable(Ticket ticket);
  void fail(const std::string& what);
  LogRepeats repeats;
  void arm_timer();
  void note_slow(const char* what, Duration took);

  boost::asio::io_context& loop;
  const DriverOptions options;
  const CreateLog create;
  const Founded founded;
  PeerTransport& peers;
  ClientListener& clients;
  Replica replica;
  LogWriter log_writer;
  Timer timer, stop_timer;
  Instant timer_at = kNever;  // kNever: not armed
  ClusterId founding;         // whose founding entry is being written; 0: none
  bool disk_full = false;
  bool has_input = true;      // the first output tells the members
  bool stopping = false;
  bool done = false;
  int exit_code = 0;
  StoreThread store;  // last: its handlers use all the others
};

Driver::Impl::Impl(boost::asio::io_context& io, DriverOptions opts, ReplicaRecovered recovered,
                   std::unique_ptr<Wal> wal, std::unique_ptr<StateFolder> state, CreateLog create_function,
                   Founded founded_function, PeerTransport& peer_transport, ClientListener& client_listener)
    : loop(io),
      options(std::move(opts)),
      create(std::move(create_function)),
      founded(std::move(founded_function)),
      peers(peer_transport),
      clients(client_listener),
      replica(options.replica, std::move(recovered), options.seed, sample_now()),
      log_writer(io, std::move(wal), options.slow_sync, options.no_space_retry,
                 [this](Ticket ticket) { durable(ticket); }),
      timer(io.get_executor()),
      stop_timer(io.get_executor()),
      store(io, std::move(state), options.no_space_retry, store_handlers()) {
  const raft::Options& self = options.replica.raft;
  peers.start(PeerIdentity{self.id, self.incarnation, self.boot, options.cluster, options.client_address},
              options.replica.plan,
              {[this](PeerMessage message) { step(PeerReceived{std::move(message)}); },
               [this](ServerId peer) { step(PeerLost{peer}); },
               [this](ServerId peer, std::string client_address) {
                 step(AddressHeard{peer, std::move(client_address)});
               }});
  step(AddressHeard{self.id, options.client_address});
  clients.start({[this](ClientRequest request) { step(ClientReceived{std::move(request)}); },
                 [this](ZookeeperRequest request) { step(ZookeeperReceived{std::move(request)}); },
                 [this](ConnectionId connection) { step(ClientLost{connection}); },
                 [this](ConnectionId connection) { step(ClientDrained{connection}); }});
}

StoreThread::Handlers Driver::Impl::store_handlers() {
  return {[this](StoreDone job) { step(std::move(job)); },
          [this](const Error& error) {
            fail(fmt::format("the state cannot be kept, the server ends: {}", error.message));
          },
          [](const LogLine& line) { log(line.level, line.text); }};
}

void Driver::Impl::note_slow(const char* what, Duration took) {
  if (took < options.slow_step) return;
  const std::string line =
      repeats.admit(what, fmt::format("slow {}: {} ms", what, to_ms(took)), monotonic_now());
  if (!line.empty()) log(LogLevel::kWarning, line);
}

void Driver::Impl::step(Input input) {
  if (done) return;
  const Now now = sample_now();
  replica.step(now, std::move(input));
  has_input = true;
  note_slow("step", monotonic_now() - now.instant);
}

Output Driver::Impl::take_output() {
  const Instant before = monotonic_now();
  Output output = replica.take_output();
  note_slow("apply", monotonic_now() - before);
  return output;
}

// The clock is asked again only after everything that was ready has been handed in: a session is not expired
// while a sign of its life waits in a socket.
void Driver::Impl::process() {
  if (!done && replica.deadline() <= monotonic_now()) step(Tick{});
  const bool full = log_writer.is_full() || store.is_full();
  if (full != std::exchange(disk_full, full)) step(DiskRoom{full});
  // Ends when nothing is left to write: "durable" is an input, and what follows from it is an output of the
  // same turn.
  while (has_input && !done) {
    has_input = false;
    Output output = take_output();
    dispatch(output);
    if (!done) write(output);
    for (StoreJob& job : output.store) store.run(std::move(job));
  }
  peers.flush();
  clients.flush();
}

void Driver::Impl::write(const Output& output) {
  Status written;
  if (output.cut) written = log_writer.cut(output.cut->index, output.cut->term);
  if (written.ok() && output.ticket != Ticket()) {
    written = log_writer.write(output.hard_state, output.entries, output.ticket);
  }
  if (!written.ok()) fail(fmt::format("the log failed, the server ends: {}", written.error().message));
}

void Driver::Impl::dispatch(Output& output) {
  for (const LogLine& line : output.log) log(line.level, line.text);
  if (output.create_log && !create_log(*output.create_log)) return;
  if (output.configuration) {
    std::vector<PlannedMember> members;
    for (const raft::Member& member : output.configuration->members)
      members.push_back({member.id, member.address});
    peers.set_peers(members);
  }
  for (const PeerMessage& message : output.peers) peers.send(message);
  // Before a write the peers go first: their disks work beside ours. With nothing to write the answers do:
  // what is left to say to the peers (a commit index) keeps nobody waiting. But a client of ZooKeeper's that
  // is answered may tell another, and that one reads at a follower, which should know by then.
  const bool answers_first = output.ticket == Ticket() && !answers_zookeeper(output.clients);
  send_to_clients(output.clients);
  for (const ConnectionId connection : output.crowded) clients.crowded(connection);
  if (answers_first) clients.flush();
  if (!output.peers.empty()) peers.flush();
  for (const ConnectionId connection : output.close) clients.close(connection);
  for (const Output::Dropped& dropped : output.drop) clients.drop(dropped.connection, dropped.why);
  if (output.stopped) done = true;
  if (!output.failed.empty()) fail(output.failed);
}

void Driver::Impl::fail(const std::string& what) {
  log(LogLevel::kError, what);
  exit_code = 1;
  done = true;
}

// The folder must know that it is a member's before the server acts as one.
void Driver::Impl::durable(Ticket ticket) {
  if (founding != ClusterId()) {
    if (const Status remembered = founded(founding); !remembered.ok()) {
      return fail(fmt::format("the folder cannot be marked as a member's, the server ends: {}",
                              remembered.error().message));
    }
    founding = ClusterId();
  }
  step(Persisted{ticket});
}

bool Driver::Impl::create_log(ClusterId cluster) {
  auto wal = create(cluster);
  if (!wal.ok()) {
    fail(fmt::format("the log cannot be made, the server ends: {}", wal.error().message));
    return false;
  }
  founding = cluster;
  log_writer.set_wal(std::move(*wal));
  peers.set_cluster(cluster);
  log(LogLevel::kInfo, fmt::format("cluster={:016x} log created", cluster.value()));
  return true;
}

void Driver::Impl::send_to_clients(std::vector<ClientMessage>& messages) {
  for (ClientMessage& message : messages) {
    if (auto* reply = std::get_if<ClientReply>(&message.body)) {
      if (auto* status = std::get_if<ServerStatus>(&reply->body)) status->connections = clients.connections();
    }
    clients.send(message);
  }
}

// The timer is moved only when it must ring earlier: while the deadline moves ahead with every message, it
// rings once too early now and then instead of costing a system call each time.
void Driver::Impl::arm_timer() {
  const Instant deadline = replica.deadline();
  if (deadline == kNever || timer_at <= deadline) return;
  timer_at = deadline;
  timer.expires_after(std::max(Duration::zero(), deadline - monotonic_now()));
  timer.async_wait([this](const boost::system::error_code& error) {
    if (!error) timer_at = kNever;
  });
}

bool Driver::Impl::run_once() {
  if (!has_input && !done) {
    arm_timer();
    loop.restart();
    loop.run_one();
    for (int i = 1; i < kHandlersPerTurn && !done && loop.poll_one() > 0; ++i) {
    }
  }
  process();
  return !done;
}

void Driver::Impl::stop() {
  if (stopping) return;
  stopping = true;
  log(LogLevel::kInfo, "stopping");
  step(Stop{});
  stop_timer.expires_after(options.stop_timeout);
  stop_timer.async_wait([this](const boost::system::error_code& error) {
    if (error) return;
    log(LogLevel::kWarning, "leadership could not be handed over in time; stopping without");
    done = true;
  });
}

Driver::Driver(boost::asio::io_context& loop, DriverOptions options, ReplicaRecovered recovered,
               std::unique_ptr<Wal> wal, std::unique_ptr<StateFolder> state, CreateLog create_log,
               Founded founded, PeerTransport& peers, ClientListener& clients)
    : impl_(std::make_unique<Impl>(loop, std::move(options), std::move(recovered), std::move(wal),
                                   std::move(state), std::move(create_log), std::move(founded), peers,
                                   clients)) {}

Driver::~Driver() {
  impl_->done = true;
  impl_->clients.stop();
  impl_->peers.stop();
}

int Driver::run() {
  while (impl_->run_once()) {
  }
  impl_->clients.stop();
  impl_->peers.stop();
  if (impl_->exit_code == 0) impl_->log_writer.finish();
  return impl_->exit_code;
}

bool Driver::run_once() { return impl_->run_once(); }
void Driver::stop() { impl_->stop(); }
const Replica& Driver::replica() const { return impl_->replica; }

}  // namespace quorate::server
