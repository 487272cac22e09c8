#include "client/wire.h"

#include <cstring>

namespace quorate::client {

void append_frame(std::string& out, const google::protobuf::MessageLite& message) {
  const auto size = static_cast<uint32_t>(message.ByteSizeLong());
  const size_t at = out.size();
  out.resize(at + sizeof(size) + size);
  for (size_t i = 0; i < sizeof(size); ++i) out[at + i] = static_cast<char>(size >> (8 * i));
  message.SerializeWithCachedSizesToArray(reinterpret_cast<uint8_t*>(out.data() + at + sizeof(size)));
}

Result<std::optional<api::ServerFrame>> FrameReader::next() {
  const std::string_view rest = std::string_view(buffer_).substr(used_);
  uint32_t size = 0;
  if (rest.size() >= sizeof(size)) {
    for (size_t i = 0; i < sizeof(size); ++i)
      size |= static_cast<uint32_t>(static_cast<uint8_t>(rest[i])) << (8 * i);
    if (size > kFrameBytesMax)
      return Error{ErrorCode::kTooLarge,
                   "the server sent a frame of " + std::to_string(size) + " bytes: is it a Quorate server?"};
    if (rest.size() - sizeof(size) >= size) {
      api::ServerFrame frame;
      if (!frame.ParseFromArray(rest.data() + sizeof(size), static_cast<int>(size)))
        return Error{ErrorCode::kMalformed,
                     "the server sent bytes that do not parse: is it a Quorate server?"};
      used_ += sizeof(size) + size;
      return std::optional<api::ServerFrame>(std::move(frame));
    }
  }
  // What is left moves to the front once for all the frames that were taken.
  buffer_.erase(0, used_);
  used_ = 0;
  return std::optional<api::ServerFrame>();
}

Verdict judge(ErrorCode code) {
  switch (code) {
    case ErrorCode::kRequestGap:
    case ErrorCode::kOverloaded:
    case ErrorCode::kTooManyResults:
    case ErrorCode::kTimeout:
    case ErrorCode::kOutcomeUnknown:
    case ErrorCode::kNoSpace:
      return Verdict::kRetryHere;
    case ErrorCode::kNoQuorum:
    case ErrorCode::kNotLeader:
    case ErrorCode::kUnavailable:
    case ErrorCode::kShuttingDown:
    case ErrorCode::kNotMember:
      return Verdict::kRetryElsewhere;
    case ErrorCode::kSessionMoved:
    case ErrorCode::kSessionRequired:
      return Verdict::kReattach;
    case ErrorCode::kSessionExpired:
    case ErrorCode::kBadCredentials:
      return Verdict::kSessionLost;
    default:
      return Verdict::kFinal;
  }
}

Error error_of(const api::Reply& reply) {
  const auto code = static_cast<ErrorCode>(reply.code());
  if (reply.code() > UINT16_MAX || (error_name(code) == "unknown"))
    return {ErrorCode::kUnsupported, "the server answered with code " + std::to_string(reply.code()) +
                                         ", which this version does not know: " + reply.message()};
  std::string message = reply.message();
  if (message.empty() && code != ErrorCode::kOk) message = error_name(code);
  return {code, std::move(message)};
}

Stat stat_of(const api::Stat& stat) {
  Stat out;
  out.czxid = Zxid(stat.czxid());
  out.mzxid = Zxid(stat.mzxid());
  out.pzxid = Zxid(stat.pzxid());
  out.ctime_ms = stat.ctime_ms();
  out.mtime_ms = stat.mtime_ms();
  out.version = stat.version();
  out.cversion = stat.cversion();
  out.aversion = stat.aversion();
  out.ephemeral_owner = SessionId(stat.ephemeral_owner());
  out.data_bytes = stat.data_length();
  out.children = stat.num_children();
  return out;
}

namespace {}  // namespace

Contender contender_of(const api::Contender& contender) {
  Contender out{contender.node(), SessionId(contender.session()), Token(contender.token()), contender.data(),
                contender.since_ms()};
  if (contender.mode() <= static_cast<uint32_t>(LockMode::kPermit))
    out.mode = static_cast<LockMode>(contender.mode());
  out.permits = contender.permits();
  out.delay = milliseconds(contender.delay_ms());
  return out;
}

LockInfo lock_of(const api::Lock& lock) {
  LockInfo out;
  out.path = lock.path();
  if (lock.has_holder()) out.holder = contender_of(lock.holder());
  for (const api::Contender& holder : lock.sharing()) out.sharing.push_back(contender_of(holder));
  out.kept = lock.kept();
  for (const api::Contender& waiter : lock.waiters()) out.waiters.push_back(contender_of(waiter));
  out.more = lock.more();
  out.mixed = lock.mixed();
  out.unknown = lock.unknown();
  return out;
}

ServerStatus status_of(const api::ServerStatus& status) {
  ServerStatus out;
  out.id = ServerId(status.id());
  out.cluster = ClusterId(status.cluster());
  out.role = status.role() <= 3 ? static_cast<Role>(status.role()) : Role::kFollower;
  out.may_vote = status.may_vote();
  out.receiving = status.receiving();
  out.disk_full = status.disk_full();
  out.stuck = status.stuck();
  out.checkpoint = Index(status.checkpoint());
  out.checkpointing = status.checkpointing();
  out.term = Term(status.term());
  out.leader = ServerId(status.leader());
  out.last_index = Index(status.last_index());
  out.committed = Index(status.committed());
  out.applied = Index(status.applied());
  out.zxid = Zxid(status.zxid());
  out.nodes = status.nodes();
  out.sessions = status.sessions();
  out.connections = status.connections();
  out.watches = status.watches();
  out.state_hash = status.state_hash();
  for (const api::MemberStatus& member : status.members()) {
    MemberStatus m;
    m.id = ServerId(member.id());
    m.learner = member.role() == 2;
    m.peer_address = member.peer_address();
    m.client_address = member.client_address();
    if (member.has_match()) m.match = Index(member.match());
    out.members.push_back(std::move(m));
  }
  if (status.has_served()) {
    const auto buckets = [](const auto& all) {
      std::vector<LatencyBucket> to;
      for (const api::LatencyBucket& each : all)
        to.push_back({std::chrono::microseconds(each.up_to_us()), each.count()});
      return to;
    };
    out.served = {milliseconds(status.served().at_ms()), buckets(status.served().reads()),
                  buckets(status.served().writes())};
  }
  return out;
}

}  // namespace quorate::client
