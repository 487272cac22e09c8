#include "tests/sim/zookeeper_client.h"

#include <utility>

#include "tests/sim/describe.h"
#include "tests/sim/tree_clients.h"

namespace quorate::sim {

namespace zk = zookeeper;
using std::chrono::milliseconds;

namespace {

const zk::Acl kOpen = {{31, "world", "anyone"}};

Zxid zxid_of(int64_t number) { return Zxid(static_cast<uint64_t>(number)); }

kv::Stat stat_of(const zk::Stat& stat) {
  return {zxid_of(stat.czxid), zxid_of(stat.mzxid), zxid_of(stat.pzxid),
          stat.ctime_ms,       stat.mtime_ms,       stat.version,
          stat.cversion,       stat.aversion,       SessionId(static_cast<uint64_t>(stat.ephemeral_owner)),
          stat.data_length,    stat.num_children};
}

bool is_write(const zk::RequestBody& body) {
  return std::holds_alternative<zk::Create>(body) || std::holds_alternative<zk::SetData>(body) ||
         std::holds_alternative<zk::CloseSession>(body);
}

}  // namespace

ZookeeperClient::ZookeeperClient(Context& context, Connections& connections, uint32_t number,
                                 uint32_t servers, Histories&)
    : ClientMachine(context, connections, number, servers),
      own_("/z" + std::to_string(number)),
      watches_(context, kTreeParent),
      timeout_ms_(static_cast<uint32_t>(random_.between(int64_t{1500}, int64_t{8000}))) {}

void ZookeeperClient::violate(const std::string& what) const { throw Violation(name() + ": " + what); }

// ---- the connection

void ZookeeperClient::start() {
  in(random_.between(milliseconds(0), milliseconds(500)), [this] { connect(); });
}

void ZookeeperClient::connect() {
  ++context_.statistics.reconnects;
  ++generation_;
  phase_ = Phase::kConnecting;
  server_ = any_server();
  connection_ = connections_.connect(node(), server_);
  context_.say(name(), [&] {
    return "connects to " + std::to_string(server_.value()) + " as connection " +
           std::to_string(connection_.value());
  });
  last_heard_ = local_now();
  watchdog();
}

void ZookeeperClient::disconnect(std::string_view why) {
  if (phase_ == Phase::kDisconnected) return;
  context_.say(name(),
               [&] { return "leaves server " + std::to_string(server_.value()) + ": " + std::string(why); });
  connections_.client_close(connection_);
  connection_ = ConnectionId();
  phase_ = Phase::kDisconnected;
  for (const Asked& asked : queue_) {
    ++context_.statistics.operations_unknown;
    const auto* set = std::get_if<zk::SetData>(&asked.body);
    const auto* create = std::get_if<zk::Create>(&asked.body);
    if (set != nullptr && set->path == own_) ++version_max_;
    if (create != nullptr && create->path == own_) maybe_created_ = true;
  }
  queue_.clear();
  watches_.disconnected();
  in(random_.between(milliseconds(5), milliseconds(150)), [this, generation = ++generation_] {
    if (generation == generation_) connect();
  });
}

void ZookeeperClient::connected(ConnectionId id) {
  when_awake([this, id] {
    if (id != connection_ || phase_ != Phase::kConnecting) return;
    phase_ = Phase::kGreeting;
    last_heard_ = local_now();
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

void ZookeeperClient::lost(ConnectionId id) {
  when_awake([this, id] {
    if (id == connection_) disconnect("the connection is lost");
  });
}

void ZookeeperClient::watchdog() {
  in(patience() / 2, [this, generation = generation_] {
    if (generation != generation_) return;
    if (local_now() - last_heard_ > patience()) return disconnect("nothing heard in time");
    watchdog();
  });
}

void ZookeeperClient::ping() {
  connections_.client_send(connection_, zk::Request{zk::kPingXid, zk::Ping{}});
  in(patience() / 3, [this, generation = generation_] {
    if (generation == generation_ && phase_ == Phase::kReady) ping();
  });
}

void ZookeeperClient::received(const server::ClientMessage& message) {
  when_awake([this, message] {
    if (message.connection != connection_) return;
    last_heard_ = local_now();
    if (const auto* welcome = std::get_if<zk::ConnectReply>(&message.body)) {
      welcomed(*welcome);
    } else if (const auto* event = std::get_if<kv::WatchEvent>(&message.body)) {
      if (const Verdict wrong = watches_.event(*event)) violate(*wrong);
    } else if (const auto* reply = std::get_if<zk::Reply>(&message.body)) {
      if (reply->xid != zk::kPingXid) answered(*reply);
    } else {
      violate("is told something that its protocol has no words for");
    }
  });
}

// ---- the session

void ZookeeperClient::welcomed(const zk::ConnectReply& reply) {
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
  phase_ = Phase::kReady;
  ping();
  if (fresh) {
    ask(zk::AddWatch{kTreeParent, 1});
  } else {
    zk::SetWatches again = watches_.again();
    again.relative_zxid = shown_;
    ask(std::move(again));
  }
  act_soon();
}

void ZookeeperClient::session_over(std::string_view why) {
  context_.say(name(),
               [&] { return "its session " + std::to_string(session_) + " is over: " + std::string(why); });
  ++context_.statistics.sessions_ended;
  session_ = 0;
  shown_ = 0;
  watches_.clear();
}

// ---- requests

void ZookeeperClient::act_soon() {
  if (std::exchange(acting_, true)) return;
  in(random_.between(milliseconds(1), context_.plan.think_max), [this] {
    acting_ = false;
    if (winding_down()) return;
    if (phase_ == Phase::kReady) act();
    act_soon();
  });
}

void ZookeeperClient::act() {
  const uint64_t dice = random_.below(200);
  if (dice == 0) return disconnect("it moves on");
  if (dice == 1 && queue_.empty()) return ask(zk::CloseSession{});
  // Often several at once, so that reads stand behind writes that are still under way.
  for (uint64_t several = dice < 100 ? 1 : 1 + random_.below(6); several > 0; --several) {
    if (queue_.size() >= kOutstandingMax) return;
    one();
  }
}

std::string ZookeeperClient::key() {
  return key_path(static_cast<uint32_t>(random_.below(context_.plan.keys)));
}

void ZookeeperClient::one() {
  const uint64_t dice = random_.below(100);
  if (dice < 30) return set_own();
  if (dice < 50) return ask(zk::GetData{own_, false});
  if (dice < 70) return ask(zk::GetData{key(), random_.chance(0.5)});
  if (dice < 80) return ask(zk::Exists{key(), random_.chance(0.7)});
  if (dice < 88) return ask(zk::GetChildren{kTreeParent, false, true});
  ask(zk::Sync{own_});
}

// Made by whichever is the first to find that it is not there.
void ZookeeperClient::set_own() {
  std::string value = name() + "." + std::to_string(next_value_++);
  if (version_max_ < 0) return ask(zk::Create{zk::OpCode::kCreate2, own_, std::move(value), kOpen, 0, 0});
  ask(zk::SetData{own_, std::move(value), -1});
}

void ZookeeperClient::ask(zk::RequestBody body) {
  int32_t xid = next_xid_++;
  if (std::holds_alternative<zk::SetWatches>(body)) xid = zk::kSetWatchesXid;
  connections_.client_send(connection_, zk::Request{xid, body});
  queue_.push_back({xid, std::move(body)});
}

// ---- answers

void ZookeeperClient::answered(const zk::Reply& reply) {
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
  check(asked.body, reply);
  reply.error == zk::ErrorCode::kOk ? ++context_.statistics.operations_ok
                                    : ++context_.statistics.operations_refused;
  done_one();
  if (std::holds_alternative<zk::CloseSession>(asked.body)) {
    session_over("it closed it");
    disconnect("the session is closed");
  }
}

// As a read at that zxid must be answered; `stat` is null where there is no node.
void ZookeeperClient::check_read(const std::string& path, bool with_data, const zk::Reply& reply,
                                 const kv::Stat* stat, const std::string& data) {
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

void ZookeeperClient::own_is(int32_t version) {
  if (version < version_min_ || version > version_max_) {
    violate("version " + std::to_string(version) + " of " + own_ + " can only be " +
            std::to_string(version_min_) + " to " + std::to_string(version_max_));
  }
  version_min_ = version_max_ = version;
}

void ZookeeperClient::check(const zk::RequestBody& body, const zk::Reply& reply) {
  const bool ok = reply.error == zk::ErrorCode::kOk;
  if (const auto* set = std::get_if<zk::SetData>(&body)) {
    ++context_.statistics.writes_checked;
    if (!ok) return check_read(set->path, false, reply, nullptr, "");
    const kv::Stat stat = stat_of(std::get<zk::StatReply>(reply.body).stat);
    check_read(set->path, true, reply, &stat, set->data);
    if (set->path != own_) return;
    ++version_min_;
    ++version_max_;
    return own_is(stat.version);
  }
  if (const auto* create = std::get_if<zk::Create>(&body)) {
    ++context_.statistics.writes_checked;
    if (!ok && reply.error != zk::ErrorCode::kNodeExists) violate("may not make its own node");
    if (!ok) {
      if (!maybe_created_) violate("finds its own node, which it has not made");
      version_min_ = version_max_ = 0;
      return;
    }
    const kv::Stat stat = stat_of(*std::get<zk::CreateReply>(reply.body).stat);
    check_read(create->path, true, reply, &stat, create->data);
    maybe_created_ = true;
    version_min_ = version_max_ = 0;
    return;
  }
  const auto* get = std::get_if<zk::GetData>(&body);
  const auto* exists = std::get_if<zk::Exists>(&body);
  if (get != nullptr || exists != nullptr) {
    ++context_.statistics.reads_checked;
    const std::string& path = get != nullptr ? get->path : exists->path;
    if (!ok && reply.error != zk::ErrorCode::kNoNode) violate("a read of " + path + " is refused");
    kv::Stat stat;
    if (ok && get != nullptr) stat = stat_of(std::get<zk::DataReply>(reply.body).stat);
    if (ok && get == nullptr) stat = stat_of(std::get<zk::StatReply>(reply.body).stat);
    const std::string data = ok && get != nullptr ? std::get<zk::DataReply>(reply.body).data : "";
    check_read(path, get != nullptr, reply, ok ? &stat : nullptr, data);
    if (path == own_) {
      if (ok && version_max_ >= 0) own_is(stat.version);
      return;
    }
    const bool watch = get != nullptr ? get->watch && ok : exists->watch;
    if (const Verdict wrong = watches_.read(path, {zxid_of(reply.zxid), ok, stat.czxid, stat.mzxid}, watch))
      violate(*wrong);
    return;
  }
  if (const auto* list = std::get_if<zk::GetChildren>(&body)) {
    ++context_.statistics.reads_checked;
    server::ClientReply told;
    told.zxid = zxid_of(reply.zxid);
    if (ok) {
      const auto& children = std::get<zk::ChildrenReply>(reply.body);
      told.body = server::ChildrenReply{children.names, stat_of(*children.stat)};
    } else {
      told.error = Error{ErrorCode::kNoNode, {}};
    }
    if (const Verdict wrong = context_.model.check_read(server::ChildrenRequest{list->path}, told))
      violate(*wrong);
  }
}

}  // namespace quorate::sim
