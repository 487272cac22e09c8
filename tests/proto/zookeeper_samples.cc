#include "tests/proto/zookeeper_samples.h"

#include <string>
#include <vector>

namespace quorate::zookeeper::test {
namespace {

int32_t number32(Random& random) {
  switch (random.below(4)) {
    case 0:
      return -1;
    case 1:
      return static_cast<int32_t>(random.below(8));
    default:
      return static_cast<int32_t>(random.next());
  }
}

int64_t number64(Random& random) { return static_cast<int64_t>(random.next()) >> random.below(64); }

std::string text(Random& random) {
  std::string out(random.below(3) == 0 ? 0 : random.below(40), '\0');
  for (char& c : out) c = static_cast<char>(random.next());
  return out;
}

std::vector<std::string> texts(Random& random) {
  std::vector<std::string> out(random.below(5));
  for (std::string& each : out) each = text(random);
  return out;
}

Acl acl(Random& random) {
  Acl out(random.below(4));
  for (AclEntry& entry : out) entry = {number32(random), text(random), text(random)};
  return out;
}

Stat stat(Random& random) {
  return {number64(random), number64(random), number64(random), number64(random),
          number32(random), number32(random), number32(random), number64(random),
          number32(random), number32(random), number64(random)};
}

std::optional<Stat> stat_if(Random& random, bool wanted) {
  return wanted ? std::optional(stat(random)) : std::nullopt;
}

SetData set_data(Random& random) {
  const bool null = random.below(4) == 0;
  return {text(random), null ? "" : text(random), number32(random), null};
}

DataReply data_reply(Random& random) {
  const bool null = random.below(4) == 0;
  return {null ? "" : text(random), stat(random), null};
}

Create create(Random& random) {
  constexpr OpCode kOps[] = {OpCode::kCreate, OpCode::kCreate2, OpCode::kCreateContainer, OpCode::kCreateTtl};
  const OpCode op = kOps[random.below(4)];
  const int64_t ttl = op == OpCode::kCreateTtl ? number64(random) : 0;
  const bool null = random.below(4) == 0;
  return {op, text(random), null ? "" : text(random), acl(random), number32(random), ttl, null};
}

Multi::Part part(Random& random) {
  switch (random.below(4)) {
    case 0:
      return create(random);
    case 1:
      return Delete{text(random), number32(random)};
    case 2:
      return set_data(random);
    default:
      return Check{text(random), number32(random)};
  }
}

SetWatches set_watches(Random& random) {
  SetWatches m;
  m.second = random.below(2) == 0;
  m.relative_zxid = number64(random);
  m.data = texts(random);
  m.exists = texts(random);
  m.children = texts(random);
  if (m.second) m.persistent = texts(random);
  if (m.second) m.recursive = texts(random);
  return m;
}

RequestBody body(Random& random, uint64_t which) {
  const bool flag = random.below(2) == 0;
  switch (which) {
    case 0:
      return create(random);
    case 1:
      return Delete{text(random), number32(random)};
    case 2:
      return Exists{text(random), flag};
    case 3:
      return GetData{text(random), flag};
    case 4:
      return set_data(random);
    case 5:
      return GetAcl{text(random)};
    case 6:
      return SetAcl{text(random), acl(random), number32(random)};
    case 7:
      return GetChildren{text(random), flag, random.below(2) == 0};
    case 8:
      return Sync{text(random)};
    case 9:
      return Ping{};
    case 10: {
      Multi multi;
      for (uint64_t i = random.below(5); i > 0; --i) multi.parts.push_back(part(random));
      return multi;
    }
    case 11: {
      MultiRead many;
      for (uint64_t i = random.below(5); i > 0; --i) {
        if (random.below(2) == 0) {
          many.parts.emplace_back(GetData{text(random), flag});
        } else {
          many.parts.emplace_back(GetChildren{text(random), flag, random.below(2) == 0});
        }
      }
      return many;
    }
    case 12:
      return Reconfig{text(random), text(random), text(random), number64(random)};
    case 13:
      return CheckWatches{text(random), number32(random)};
    case 14:
      return RemoveWatches{text(random), number32(random)};
    case 15:
      return AddWatch{text(random), number32(random)};
    case 16:
      return Auth{number32(random), text(random), text(random)};
    case 17:
      return Sasl{text(random)};
    case 18:
      return set_watches(random);
    case 19:
      return GetEphemerals{text(random)};
    case 20:
      return GetAllChildrenNumber{text(random)};
    case 21:
      return WhoAmI{};
    case 22:
      return CloseSession{};
    case 23:
      return Unknown{static_cast<int32_t>(1000 + random.below(1000))};
    default:
      return Check{text(random), number32(random)};
  }
}

MultiResult result(Random& random) {
  switch (random.below(8)) {
    case 0:
      return {OpCode::kError, static_cast<ErrorCode>(number32(random)), {}};
    case 1:
      return {OpCode::kCreate, ErrorCode::kOk, CreateReply{text(random), std::nullopt}};
    case 2:
      return {OpCode::kCreate2, ErrorCode::kOk, CreateReply{text(random), stat(random)}};
    case 3:
      return {OpCode::kSetData, ErrorCode::kOk, StatReply{stat(random)}};
    case 4:
      return {OpCode::kGetData, ErrorCode::kOk, data_reply(random)};
    case 5:
      return {OpCode::kGetChildren, ErrorCode::kOk, ChildrenReply{texts(random), std::nullopt}};
    case 6:
      return {OpCode::kDelete, ErrorCode::kOk, {}};
    default:
      return {OpCode::kCheck, ErrorCode::kOk, {}};
  }
}

ReplyBody reply_body(Random& random, OpCode op) {
  switch (op) {
    case OpCode::kCreate:
    case OpCode::kCreate2:
    case OpCode::kCreateContainer:
    case OpCode::kCreateTtl:
      return CreateReply{text(random), stat_if(random, op != OpCode::kCreate)};
    case OpCode::kExists:
    case OpCode::kSetData:
    case OpCode::kSetAcl:
      return StatReply{stat(random)};
    case OpCode::kGetData:
    case OpCode::kReconfig:
      return data_reply(random);
    case OpCode::kGetAcl:
      return AclReply{acl(random), stat(random)};
    case OpCode::kGetChildren:
    case OpCode::kGetChildren2:
      return ChildrenReply{texts(random), stat_if(random, op == OpCode::kGetChildren2)};
    case OpCode::kSync:
      return PathReply{text(random)};
    case OpCode::kMulti:
    case OpCode::kMultiRead: {
      MultiReply many;
      for (uint64_t i = random.below(5); i > 0; --i) many.results.push_back(result(random));
      return many;
    }
    case OpCode::kGetEphemerals:
      return EphemeralsReply{texts(random)};
    case OpCode::kGetAllChildrenNumber:
    case OpCode::kAddWatch:
      return CountReply{number32(random)};
    case OpCode::kWhoAmI: {
      WhoAmIReply reply;
      for (uint64_t i = random.below(4); i > 0; --i) reply.who.push_back({text(random), text(random)});
      return reply;
    }
    case OpCode::kSasl:
      return SaslReply{text(random)};
    default:
      return std::monostate();
  }
}

Password password(Random& random) {
  Password out{};
  for (uint8_t& byte : out) byte = static_cast<uint8_t>(random.next());
  return out;
}

std::optional<bool> read_only(Random& random) {
  return random.below(3) == 0 ? std::nullopt : std::optional(random.below(2) == 0);
}

}  // namespace

Request random_request(Random& random) {
  const int32_t xid = number32(random);
  const uint64_t which = random.below(25);
  return {xid, body(random, which)};
}

Reply random_reply(Random& random, OpCode op) {
  Reply reply{number32(random), number64(random), ErrorCode::kOk, {}};
  if (random.below(4) == 0) {
    reply.error = ErrorCode::kNoNode;
  } else {
    reply.body = reply_body(random, op);
  }
  return reply;
}

ConnectRequest random_connect_request(Random& random) {
  return {number32(random), number64(random), number32(random),
          number64(random), password(random), read_only(random)};
}

ConnectReply random_connect_reply(Random& random) {
  return {number32(random), number32(random), number64(random), password(random), read_only(random)};
}

Event random_event(Random& random) {
  return {number64(random), static_cast<EventType>(random.below(4) + 1), number32(random), text(random)};
}

}  // namespace quorate::zookeeper::test
