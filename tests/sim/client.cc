#include "tests/sim/client.h"

#include <algorithm>
#include <set>
#include <utility>

#include "base/check.h"
#include "tests/sim/describe.h"

namespace quorate::sim {

using std::chrono::milliseconds;

Client::Client(Context& context, Connections& connections, uint32_t number, uint32_t servers)
    : ClientMachine(context, connections, number, servers),
      wished_timeout_ms_(static_cast<uint32_t>(random_.between(int64_t{1500}, int64_t{8000}))),
      counts_attempts_(random_.chance(0.7)) {}

void Client::start() { connect_soon(random_.between(milliseconds(0), milliseconds(500))); }

Duration Client::patience() const {
  const uint32_t timeout = timeout_ms_ != 0 ? timeout_ms_ : wished_timeout_ms_;
  return milliseconds(timeout / 3);
}

// ---- the connection

void Client::connect_soon(Duration after) {
  phase_ = Phase::kDisconnected;
  in(after, [this, generation = connection_generation_] {
    if (generation == connection_generation_ && phase_ == Phase::kDisconnected) connect();
  });
}

void Client::connect() {
  ++connection_generation_;
  phase_ = Phase::kConnecting;
  server_ = any_server();
  connection_ = connect_to(server_);
  last_heard_ = local_now();
  watchdog();
}

void Client::disconnect(std::string_view why) {
  if (phase_ == Phase::kDisconnected) return;
  leave(connection_, server_, why);
  connection_ = ConnectionId();
  ++connection_generation_;
  asked_.clear();
  std::erase_if(reads_, [](const auto& read) { return read.second.once; });
  connect_soon(random_.between(milliseconds(5), milliseconds(150)));
}

void Client::connected(ConnectionId id) {
  when_awake([this, id] {
    if (id != connection_ || phase_ != Phase::kConnecting) return;
    phase_ = Phase::kGreeting;
    last_heard_ = local_now();
    greet();
  });
}

void Client::lost(ConnectionId id) {
  when_awake([this, id] {
    if (id == connection_) disconnect("the connection is lost");
  });
}

// Nothing heard for a third of the session's timeout although something was asked: another server may be
// better.
void Client::watchdog() {
  in(patience() / 2, [this, generation = connection_generation_] {
    if (generation != connection_generation_) return;
    const Instant now = local_now();
    const bool waiting = !asked_.empty() || phase_ != Phase::kReady;
    Instant since = last_heard_;
    for (const auto& [id, asked] : asked_) since = std::min(since, asked.sent);
    if (waiting && now - since > patience()) {
      disconnect("no answer in time");
      return;
    }
    watchdog();
  });
}

// ---- the session

void Client::greet() {
  if (session_.value() != 0) {
    const uint64_t attempt = counts_attempts_ ? connection_generation_ : 0;
    send(server::AttachSessionRequest{session_, password_, {}, attempt}, {Asked::What::kAttach});
    return;
  }
  for (uint8_t& byte : password_) byte = static_cast<uint8_t>(random_.below(256));
  send(server::OpenSessionRequest{wished_timeout_ms_, password_}, {Asked::What::kOpen});
}

void Client::greeted(const server::ClientReply& reply, const Asked& asked) {
  const auto* outcome = std::get_if<kv::Outcome>(&reply.body);
  const ErrorCode code = reply.error.code != ErrorCode::kOk ? reply.error.code
                         : outcome == nullptr               ? ErrorCode::kOk
                                                            : outcome->code;
  if (asked.what == Asked::What::kAttach && code == ErrorCode::kSessionExpired) {
    session_lost("it has expired");
    disconnect("to open a new session");
    return;
  }
  if (code == ErrorCode::kSessionMoved && counts_attempts_)
    throw Violation(name() + ": its newest attach was taken for a late one");
  if (code == ErrorCode::kBadCredentials) throw Violation(name() + ": its own password was refused");
  if (code != ErrorCode::kOk) {
    disconnect(error_name(code));
    return;
  }
  if (outcome == nullptr) throw Violation(name() + ": an open or attach was answered without an outcome");
  if (asked.over) throw Violation(name() + ": attached to a session that is over");
  const bool fresh = asked.what == Asked::What::kOpen;
  if (fresh) {
    session_ = outcome->session;
    timeout_ms_ = outcome->timeout_ms;
    next_number_ = 1;
    lease_end_ = asked.sent + milliseconds(timeout_ms_) * 9 / 10;
    ++context_.statistics.sessions_opened;
  } else if (outcome->session != session_) {
    throw Violation(name() + ": asked for its session and was given another one");
  }
  if (!fresh && attached_to_ != server_) ++context_.statistics.session_moves;
  attached_to_ = server_;
  phase_ = Phase::kReady;
  if (!fresh && outcome->next_number > next_number_)
    throw Violation(name() + ": numbers were applied that it never sent");
  for (const auto& [number, write] : writes_) send_write(number);
  std::vector<uint64_t> keys;
  for (const auto& [key, read] : reads_) keys.push_back(key);
  ping();
  // Watches are set again before a read can show what they wait for.
  on_ready(fresh);
  for (uint64_t key : keys) send(reads_.at(key).body, {Asked::What::kRead, key});
}

void Client::close_session() {
  write(kv::CloseSessionOp{}, [this](const kv::Outcome* outcome) {
    closing_ = false;
    if (outcome == nullptr) return;
    session_lost("it closed it");
    disconnect("the session is closed");
  });
  closing_ = true;  // nothing is written behind it
}

void Client::session_lost(std::string_view why) {
  context_.say(name(), [&] {
    return "its session " + std::to_string(session_.value()) + " is over: " + std::string(why);
  });
  ++context_.statistics.sessions_ended;
  session_ = SessionId();
  closing_ = false;
  std::map<uint64_t, Write> writes;
  writes.swap(writes_);
  for (auto& [number, write] : writes) {
    ++context_.statistics.operations_unknown;
    write.done(nullptr);
  }
  on_session_lost();
}

void Client::ping() {
  send(server::PingRequest{}, {Asked::What::kPing});
  in(patience() * 3 / 4, [this, generation = connection_generation_] {
    if (generation == connection_generation_ && phase_ == Phase::kReady) ping();
  });
}

// ---- requests

void Client::send(server::RequestBody body, Asked asked) {
  asked.sent = local_now();
  asked.over = context_.endings_answered.contains(session_);
  const uint64_t id = next_request_++;
  asked_[id] = asked;
  connections_.client_send(connection_, id, std::move(body));
}

void Client::write(kv::Operation operation, WriteDone done) {
  CHECK(session_ready());
  const uint64_t number = next_number_++;
  writes_[number] = Write{std::move(operation), std::move(done)};
  send_write(number);
}

// Looked at when it is told, and again before another sending of it can be done. The network of servers is
// TCP: where it doubles what is forwarded, the other copy may be done.
void Client::check_refused(uint64_t number) const {
  if (context_.plan.duplication == 0) require(context_.model.check_refused(session_, number));
}

void Client::send_write(uint64_t number) {
  if (std::exchange(writes_.at(number).refused, false)) check_refused(number);
  const uint64_t acked_below = writes_.begin()->first;
  const auto& what = writes_.at(number).what;
  if (const auto* operation = std::get_if<kv::Operation>(&what)) {
    send(server::WriteRequest{number, acked_below, *operation}, {Asked::What::kWrite, number});
    return;
  }
  const auto& credential = std::get<kv::Credential>(what);
  send(server::AddCredentialRequest{number, acked_below, credential.scheme, credential.id},
       {Asked::What::kWrite, number});
}

void Client::prove(std::string scheme, std::string proof, WriteDone done) {
  CHECK(session_ready());
  const uint64_t number = next_number_++;
  writes_[number] = Write{kv::Credential{std::move(scheme), std::move(proof)}, std::move(done)};
  send_write(number);
}

// A refused number stays this operation's: what was refused is sent again, in order.
void Client::send_writes_again_soon() {
  if (resend_scheduled_) return;
  resend_scheduled_ = true;
  in(random_.between(milliseconds(20), milliseconds(100)), [this] {
    resend_scheduled_ = false;
    if (phase_ != Phase::kReady) return;
    std::set<uint64_t> under_way;
    for (const auto& [id, asked] : asked_) {
      if (asked.what == Asked::What::kWrite) under_way.insert(asked.key);
    }
    for (const auto& [number, write] : writes_) {
      if (!under_way.contains(number)) send_write(number);
    }
  });
}

void Client::read(server::RequestBody body, ReadDone done) {
  const uint64_t key = next_read_++;
  const Read& read = reads_[key] = Read{std::move(body), std::move(done), false};
  if (session_ready()) send(read.body, {Asked::What::kRead, key});
}

void Client::ask_once(server::RequestBody body, ReadDone done) {
  if (!session_ready()) return;
  const uint64_t key = next_read_++;
  const Read& read = reads_[key] = Read{std::move(body), std::move(done), true};
  send(read.body, {Asked::What::kRead, key});
}

// ---- answers

void Client::received(const server::ClientMessage& message) {
  when_awake([this, message] {
    if (message.connection != connection_) return;
    last_heard_ = local_now();
    if (const auto* reply = std::get_if<server::ClientReply>(&message.body)) {
      answered(*reply);
    } else if (const auto* event = std::get_if<kv::WatchEvent>(&message.body)) {
      on_watch(*event);
    } else if (const auto* batch = std::get_if<kv::FeedBatch>(&message.body)) {
      on_feed(*batch);
    } else if (const auto* progress = std::get_if<server::ProgressEvent>(&message.body)) {
      on_progress(progress->zxid);
    } else if (const auto* grant = std::get_if<server::GrantEvent>(&message.body)) {
      on_grant(grant->grant);
    } else if (const auto* loss = std::get_if<server::LossEvent>(&message.body)) {
      on_loss(loss->loss);
    } else if (const auto* end = std::get_if<server::SessionEndEvent>(&message.body)) {
      if (end->session != session_) return;
      // Nobody else knows the password: an attachment of an earlier connection of ours was applied late.
      if (end->code == ErrorCode::kSessionMoved) {
        if (counts_attempts_) throw Violation(name() + ": an older connection took its session");
        disconnect("an older connection has the session");
        return;
      }
      session_lost("it is told so");
      disconnect("the session is over");
    }
  });
}

void Client::answered(const server::ClientReply& reply) {
  const auto found = asked_.find(reply.id);
  if (found == asked_.end()) return;  // asked again meanwhile
  const Asked asked = found->second;
  asked_.erase(found);
  switch (asked.what) {
    case Asked::What::kOpen:
    case Asked::What::kAttach:
      greeted(reply, asked);
      return;
    case Asked::What::kPing:
      if (reply.error.ok()) {
        if (asked.over) throw Violation(name() + ": was promised time for a session that is over");
        lease_end_ = std::max(lease_end_, asked.sent + milliseconds(timeout_ms_) * 9 / 10);
      } else if (reply.error.code == ErrorCode::kSessionExpired) {
        session_lost("a ping was refused");
        disconnect("the session is over");
      } else {
        disconnect(error_name(reply.error.code));
      }
      return;
    case Asked::What::kWrite:
      write_answered(asked.key, reply);
      return;
    case Asked::What::kRead:
      read_answered(asked.key, reply);
      return;
  }
}

void Client::write_answered(uint64_t number, const server::ClientReply& reply) {
  const auto found = writes_.find(number);
  if (found == writes_.end()) return;  // answered on the sending before
  const auto* outcome = std::get_if<kv::Outcome>(&reply.body);
  const ErrorCode code = outcome != nullptr ? outcome->code : reply.error.code;
  switch (code) {
    case ErrorCode::kSessionExpired:
      session_lost("a write was refused");
      disconnect("the session is over");
      return;
    case ErrorCode::kSessionMoved:
      if (counts_attempts_) throw Violation(name() + ": a write was refused as one of an older connection");
      disconnect("a write came by an old connection");
      return;
    case ErrorCode::kRequestForgotten:
      throw Violation(name() + ": write " + std::to_string(number) + " was forgotten unanswered");
    case ErrorCode::kOverloaded:
      found->second.refused = true;
      check_refused(number);
      send_writes_again_soon();
      return;
    case ErrorCode::kRequestGap:
    case ErrorCode::kTooManyResults:
    case ErrorCode::kNoQuorum:
    case ErrorCode::kNotLeader:
    case ErrorCode::kOutcomeUnknown:
    case ErrorCode::kTimeout:
    case ErrorCode::kUnavailable:
    case ErrorCode::kShuttingDown:
      send_writes_again_soon();
      return;
    default:
      break;
  }
  if (outcome == nullptr)
    throw Violation(name() + ": a write was answered without an outcome: " + reply.error.message);
  const WriteDone done = std::move(found->second.done);
  const kv::Outcome answer = *outcome;
  require(context_.model.check_outcome(session_, number, answer));
  ++context_.statistics.outcomes_checked;
  context_.acknowledged = std::max(context_.acknowledged, answer.zxid);
  writes_.erase(found);
  answer.code == ErrorCode::kOk ? ++context_.statistics.operations_ok
                                : ++context_.statistics.operations_refused;
  done_one();
  done(&answer);
}

void Client::read_answered(uint64_t key, const server::ClientReply& reply) {
  const auto found = reads_.find(key);
  if (found == reads_.end()) return;
  switch (reply.error.code) {
    case ErrorCode::kOverloaded:
      if (!found->second.once) {
        in(random_.between(milliseconds(20), milliseconds(100)),
           [this, key, generation = connection_generation_] {
             const auto read = reads_.find(key);
             if (read == reads_.end() || generation != connection_generation_) return;
             send(read->second.body, {Asked::What::kRead, key});
           });
        return;
      }
      break;
    case ErrorCode::kNoQuorum:
    case ErrorCode::kNotLeader:
    case ErrorCode::kUnavailable:
    case ErrorCode::kTimeout:
    case ErrorCode::kShuttingDown:
      if (!found->second.once) {
        disconnect(error_name(reply.error.code));  // asked again there
        return;
      }
      break;
    default:
      break;
  }
  require(context_.model.check_read(found->second.body, reply));
  const ReadDone done = std::move(found->second.done);
  const server::ClientReply answer = reply;
  reads_.erase(found);
  done_one();
  ++context_.statistics.operations_ok;
  done(answer);
}

}  // namespace quorate::sim
