// Replies and events; requests are in zookeeper_codec.cc.
#include <utility>

#include "proto/zookeeper_codec.h"
#include "proto/zookeeper_fields.h"

namespace quorate::zookeeper {
namespace {

Error malformed(const char* what) {
  return {quorate::ErrorCode::kMalformed,
          std::string("the server does not speak ZooKeeper's protocol: ") + what};
}

using ResultBody = decltype(MultiResult::body);

// What the result of an operation of a multi looks like; false where there is none of that kind.
bool empty_result(OpCode op, ResultBody& body) {
  switch (op) {
    case OpCode::kCreate:
      body = CreateReply{};
      return true;
    case OpCode::kCreate2:
    case OpCode::kCreateContainer:
    case OpCode::kCreateTtl:
      body = CreateReply{{}, Stat{}};
      return true;
    case OpCode::kSetData:
      body = StatReply{};
      return true;
    case OpCode::kGetData:
      body = DataReply{};
      return true;
    case OpCode::kGetChildren:
      body = ChildrenReply{};
      return true;
    case OpCode::kGetChildren2:
      body = ChildrenReply{{}, Stat{}};
      return true;
    case OpCode::kDelete:
    case OpCode::kCheck:
    case OpCode::kError:
      body = std::monostate();
      return true;
    default:
      return false;
  }
}

template <class Io, class Body>
void body_fields(Io& io, Body& body) {
  std::visit(
      [&io](auto& each) {
        if constexpr (!std::is_same_v<std::decay_t<decltype(each)>, std::monostate>) fields(io, each);
      },
      body);
}

void write_results(WireWriter& out, const MultiReply& reply) {
  for (const MultiResult& result : reply.results) {
    const auto error = static_cast<int32_t>(result.error);
    fields(out, MultiHeader{static_cast<int32_t>(result.op), false, error});
    if (result.op == OpCode::kError) {
      out.number(error);
    } else {
      body_fields(out, result.body);
    }
  }
  fields(out, MultiHeader{-1, true, -1});
}

void read_results(WireReader& in, MultiReply& reply) {
  while (true) {
    MultiHeader header;
    fields(in, header);
    if (in.failed() || header.done) return;
    MultiResult& result = reply.results.emplace_back();
    result.op = static_cast<OpCode>(header.op);
    result.error = static_cast<ErrorCode>(header.error);
    if (!empty_result(result.op, result.body)) return in.fail();
    if (result.op == OpCode::kError) {
      in.enumeration(result.error);
    } else {
      body_fields(in, result.body);
    }
  }
}

ReplyBody empty_reply(OpCode op) {
  switch (op) {
    case OpCode::kCreate:
      return CreateReply{};
    case OpCode::kCreate2:
    case OpCode::kCreateContainer:
    case OpCode::kCreateTtl:
      return CreateReply{{}, Stat{}};
    case OpCode::kExists:
    case OpCode::kSetData:
    case OpCode::kSetAcl:
      return StatReply{};
    case OpCode::kGetData:
    case OpCode::kReconfig:
      return DataReply{};
    case OpCode::kGetAcl:
      return AclReply{};
    case OpCode::kGetChildren:
      return ChildrenReply{};
    case OpCode::kGetChildren2:
      return ChildrenReply{{}, Stat{}};
    case OpCode::kSync:
      return PathReply{};
    case OpCode::kMulti:
    case OpCode::kMultiRead:
      return MultiReply{};
    case OpCode::kGetEphemerals:
      return EphemeralsReply{};
    case OpCode::kGetAllChildrenNumber:
    case OpCode::kAddWatch:
      return CountReply{};
    case OpCode::kWhoAmI:
      return WhoAmIReply{};
    case OpCode::kSasl:
      return SaslReply{};
    default:
      return std::monostate();
  }
}

struct ReplyHeader {
  int32_t xid = 0;
  int64_t zxid = 0;
  ErrorCode error = ErrorCode::kOk;
};
template <class Io>
void fields(Io& io, Of<Io, ReplyHeader>& m) {
  io.number(m.xid);
  io.number(m.zxid);
  io.enumeration(m.error);
}

}  // namespace

Result<int32_t> reply_xid(std::string_view frame) {
  WireReader in(frame);
  int32_t xid = 0;
  in.number(xid);
  if (in.failed()) return malformed("an answer without a header");
  return xid;
}

Result<Reply> decode_reply(std::string_view frame, OpCode op) {
  WireReader in(frame);
  ReplyHeader header;
  fields(in, header);
  Reply reply{header.xid, header.zxid, header.error, {}};
  if (header.error == ErrorCode::kOk) {
    reply.body = empty_reply(op);
    if (auto* multi = std::get_if<MultiReply>(&reply.body)) {
      read_results(in, *multi);
    } else {
      std::visit(
          [&in](auto& each) {
            using Body = std::decay_t<decltype(each)>;
            if constexpr (!std::is_same_v<Body, std::monostate> && !std::is_same_v<Body, MultiReply>)
              fields(in, each);
          },
          reply.body);
    }
  }
  if (in.failed()) return malformed("an answer that is cut short");
  return reply;
}

Result<Event> decode_event(std::string_view frame) {
  WireReader in(frame);
  ReplyHeader header;
  fields(in, header);
  Event event;
  event.zxid = header.zxid;
  in.enumeration(event.type);
  in.number(event.state);
  in.string(event.path);
  if (in.failed()) return malformed("an event that is cut short");
  return event;
}

void append_reply(std::string& bytes, const Reply& reply) {
  append_frame(bytes, [&reply](WireWriter& out) {
    fields(out, ReplyHeader{reply.xid, reply.zxid, reply.error});
    if (reply.error != ErrorCode::kOk) return;
    std::visit(
        [&out](const auto& each) {
          using Body = std::decay_t<decltype(each)>;
          if constexpr (std::is_same_v<Body, MultiReply>) {
            write_results(out, each);
          } else if constexpr (!std::is_same_v<Body, std::monostate>) {
            fields(out, each);
          }
        },
        reply.body);
  });
}

void append_event(std::string& bytes, const Event& event) {
  append_frame(bytes, [&event](WireWriter& out) {
    fields(out, ReplyHeader{kNotificationXid, event.zxid, ErrorCode::kOk});
    out.enumeration(event.type);
    out.number(event.state);
    out.string(event.path);
  });
}

}  // namespace quorate::zookeeper
