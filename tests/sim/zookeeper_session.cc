#include "tests/sim/zookeeper_session.h"

#include <utility>

namespace quorate::sim {

namespace zk = zookeeper;
using std::chrono::milliseconds;

namespace {

bool is_write(const zk::RequestBody& body) {
  return std::holds_alternative<zk::Create>(body) || std::holds_alternative<zk::SetData>(body) ||
         std::holds_alternative<zk::CloseSession>(body);
}

}  // namespace

Zxid zxid_of(int64_t number) { return Zxid(static_cast<uint64_t>(number)); }

kv::Stat stat_of(const zk::Stat& stat) {
  return {zxid_of(stat.czxid), zxid_of(stat.mzxid), zxid_of(stat.pzxid),
          stat.ctime_ms,       stat.mtime_ms,       stat.version,
          stat.cversion,       stat.aversion,       SessionId(static_cast<uint64_t>(stat.ephemeral_owner)),
          stat.data_length,    stat.num_children};
}

ZookeeperSession::ZookeeperSession(Context& context, Connections& connections, uint32_t number,
                                   uint32_t servers, std::string watched_root)
    : ClientMachine(context, connections, number, servers),
      watches_(context, std::move(watched_root)),
      timeout_ms_(static_cast<uint32_t>(random_.between(int64_t{1500}, int64_t{8000}))) {}

void ZookeeperSession::violate(const std::string& what) const { throw Violation(name() + ": " + what); }

// ---- the connection

void ZookeeperSession::start() {
  in(random_.between(milliseconds(0), milliseconds(500)), [this] { connect(); });
}

void ZookeeperSession::connect() {
  ++generation_;
  phase_ = Phase::kConnecting;
  server_ = any_server();
  connection_ = connect_to(server_);
  last_heard_ = local_now();
  watchdog();
}

void ZookeeperSession::disconnect(std::string_view why, Duration away) {
  if (phase_ == Phase::kDisconnected) return;
  leave(connection_, server_, why);
  connection_ = ConnectionId();
  phase_ = Phase::kDisconnected;
  for (const Asked& asked : queue_) {
    ++context_.statistics.operations_unknown;
    on_unanswered(asked.body);
  }
  queue_.clear();
  pings_.clear();
  watches_.disconnected();
  in(away + random_.between(milliseconds(5), milliseconds(150)), [this, generation = ++generation_] {
    if (generation == generation_) connect();
  });
}

void ZookeeperSession::connected(ConnectionId id) {
  when_awake([this, id] {
    if (id != connection_ || phase_ != Phase::kConnecting) return;
    phase_ = Phase::kGreeting;
    last_heard_ = greeted_ = local_now();
    server::ZookeeperConnect connect;
    connect.request.timeout_ms = static_cast<int32_t>(timeout_ms_);
    connect.request.session = session_;
    connect.request.password = password_;
    connect.request.last_zxid_seen = shown_;
    connect.address = "10.0.0.1";
    for (uint8_t& byte : connect.fresh) byte = static_cast<uint8_t>(random_.below(256));
    connections_.client_send(connection_, std::move(connect));
  });
}

void ZookeeperSession::lost(ConnectionId id) {
  when_awake([this, id] {
    if (id == connection_) disconnect("the connection is lost");
  });
}

void ZookeeperSession::watchdog() {
  in(patience() / 2, [this, generation = generation_] {
    if (generation != generation_) return;
    if (local_now() - last_heard_ > patience()) return disconnect("nothing heard in time");
    watchdog();
  });
}

void ZookeeperSession::alive(Instant sent) {
  lease_end_ = std::max(lease_end_, sent + milliseconds(timeout_ms_) * 2 / 3);
}

void ZookeeperSession::ping() {
  pings_.push_back(local_now());
  connections_.client_send(connection_, zk::Request{zk::kPingXid, zk::Ping{}});
  in(patience() / 3, [this, generation = generation_] {
    if (generation == generation_ && phase_ == Phase::kReady) ping();
  });
}

void ZookeeperSession::received(const server::ClientMessage& message) {
  when_awake([this, message] {
    if (message.connection != connection_) return;
    last_heard_ = local_now();
    if (const auto* welcome = std::get_if<zk::ConnectReply>(&message.body)) {
      welcomed(*welcome);
    } else if (const auto* event = std::get_if<kv::WatchEvent>(&message.body)) {
      if (const Verdict wrong = watches_.event(*event)) violate(*wrong);
      on_event(*event);
    } else if (const auto* reply = std::get_if<zk::Reply>(&message.body)) {
      if (reply->xid != zk::kPingXid) return answered(*reply);
      if (pings_.empty()) violate("is answered a ping that it did not send");
      alive(pings_.front());
      pings_.pop_front();
    } else {
      violate("is told something that its protocol has no words for");
    }
  });
}

// ---- the session

void ZookeeperSession::welcomed(const zk::ConnectReply& reply) {
  if (reply.timeout_ms == 0) {
    if (context_.model.state().session(session())) violate("is told that its session is over, and it is not");
    session_over("it has expired");
    return disconnect("to open a new session");
  }
  const bool fresh = session_ == 0;
  if (!fresh && reply.session != session_) violate("asked for its session and was given another one");
  if (fresh) ++context_.statistics.sessions_opened;
  session_ = reply.session;
  password_ = reply.password;
  timeout_ms_ = static_cast<uint32_t>(reply.timeout_ms);
  alive(greeted_);
  phase_ = Phase::kReady;
  ping();
  if (!fresh) {
    zk::SetWatches again = watches_.again();
    again.relative_zxid = shown_;
    ask(std::move(again));
  }
  on_ready(fresh);
  act_soon();
}

void ZookeeperSession::session_over(std::string_view why) {
  context_.say(name(),
               [&] { return "its session " + std::to_string(session_) + " is over: " + std::string(why); });
  ++context_.statistics.sessions_ended;
  session_ = 0;
  shown_ = 0;
  lease_end_ = Instant();
  watches_.clear();
  on_session_over();
}

// ---- requests

void ZookeeperSession::act_soon() {
  if (std::exchange(acting_, true)) return;
  in(random_.between(milliseconds(1), context_.plan.think_max), [this] {
    acting_ = false;
    if (winding_down()) return;
    if (phase_ == Phase::kReady) act();
    act_soon();
  });
}

void ZookeeperSession::ask(zk::RequestBody body) {
  int32_t xid = next_xid_++;
  if (std::holds_alternative<zk::SetWatches>(body)) xid = zk::kSetWatchesXid;
  connections_.client_send(connection_, zk::Request{xid, body});
  queue_.push_back({xid, std::move(body)});
}

// ---- answers

void ZookeeperSession::answered(const zk::Reply& reply) {
  if (queue_.empty() || reply.xid != queue_.front().xid)
    violate("is answered " + std::to_string(reply.xid) + " out of the order of its requests");
  const Asked asked = std::move(queue_.front());
  queue_.pop_front();
  if (reply.zxid > static_cast<int64_t>(context_.model.state().zxid().value()))
    violate("is shown zxid " + std::to_string(reply.zxid) + ", which is not committed");
  const bool wrote = reply.error == zk::ErrorCode::kOk && is_write(asked.body);
  // An own write comes behind all that was shown before it was answered.
  if (reply.zxid < shown_ || (wrote && reply.zxid == shown_)) {
    violate("is answered with zxid " + std::to_string(reply.zxid) + " after it was shown " +
            std::to_string(shown_));
  }
  shown_ = reply.zxid;
  if (std::holds_alternative<zk::AddWatch>(asked.body)) {
    watches_.watched(zxid_of(reply.zxid));
  } else if (std::holds_alternative<zk::SetWatches>(asked.body)) {
    require(watches_.resumed(zxid_of(reply.zxid)));
  } else {
    require(watches_.shown(zxid_of(reply.zxid)));
  }
  on_answer(asked.body, reply);
  reply.error == zk::ErrorCode::kOk ? ++context_.statistics.operations_ok
                                    : ++context_.statistics.operations_refused;
  done_one();
  if (std::holds_alternative<zk::CloseSession>(asked.body)) {
    session_over("it closed it");
    disconnect("the session is closed");
  }
}

// As a read at that zxid must be answered; `stat` is null where there is no node.
void ZookeeperSession::check_read(const std::string& path, bool with_data, const zk::Reply& reply,
                                  const kv::Stat* stat, const std::string& data) const {
  server::ClientReply told;
  told.zxid = zxid_of(reply.zxid);
  if (stat == nullptr) {
    told.error = Error{ErrorCode::kNoNode, {}};
  } else {
    told.body = server::NodeReply{data, *stat};
  }
  if (const Verdict wrong = context_.model.check_read(server::GetRequest{path, with_data, 0}, told))
    violate(*wrong);
}

void ZookeeperSession::check_list(const std::string& path, const zk::Reply& reply) const {
  server::ClientReply told;
  told.zxid = zxid_of(reply.zxid);
  if (reply.error == zk::ErrorCode::kOk) {
    const auto& children = std::get<zk::ChildrenReply>(reply.body);
    told.body = server::ChildrenReply{children.names, stat_of(*children.stat)};
  } else {
    told.error = Error{ErrorCode::kNoNode, {}};
  }
  if (const Verdict wrong = context_.model.check_read(server::ChildrenRequest{path}, told)) violate(*wrong);
}

}  // namespace quorate::sim
