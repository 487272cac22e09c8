#include "proto/zookeeper_codec.h"

#include <utility>

#include "base/check.h"
#include "proto/zookeeper_fields.h"

namespace quorate::zookeeper {

QUORATE_ONE_OF_MEMBERS(RequestBody)
QUORATE_ONE_OF_MEMBERS(ReplyBody)

namespace {

constexpr size_t kLengthBytes = 4;

Error malformed(const char* what) {
  return {quorate::ErrorCode::kMalformed, std::string("it does not speak ZooKeeper's protocol: ") + what};
}

// The end of a multi is a header that says so; the number of its parts is nowhere.
const MultiHeader kMultiEnd{-1, true, -1};

// An empty body of the alternative that an operation has, or Unknown.
RequestBody empty_body(int32_t op) {
  switch (static_cast<OpCode>(op)) {
    case OpCode::kCreate:
    case OpCode::kCreate2:
    case OpCode::kCreateContainer:
    case OpCode::kCreateTtl:
      return Create{static_cast<OpCode>(op), {}, {}, {}, 0, 0};
    case OpCode::kDelete:
      return Delete{};
    case OpCode::kExists:
      return Exists{};
    case OpCode::kGetData:
      return GetData{};
    case OpCode::kSetData:
      return SetData{};
    case OpCode::kGetAcl:
      return GetAcl{};
    case OpCode::kSetAcl:
      return SetAcl{};
    case OpCode::kGetChildren:
      return GetChildren{};
    case OpCode::kGetChildren2:
      return GetChildren{{}, false, true};
    case OpCode::kSync:
      return Sync{};
    case OpCode::kPing:
      return Ping{};
    case OpCode::kCheck:
      return Check{};
    case OpCode::kMulti:
      return Multi{};
    case OpCode::kMultiRead:
      return MultiRead{};
    case OpCode::kReconfig:
      return Reconfig{};
    case OpCode::kCheckWatches:
      return CheckWatches{};
    case OpCode::kRemoveWatches:
      return RemoveWatches{};
    case OpCode::kAddWatch:
      return AddWatch{};
    case OpCode::kAuth:
      return Auth{};
    case OpCode::kSasl:
      return Sasl{};
    case OpCode::kSetWatches:
      return SetWatches{};
    case OpCode::kSetWatches2: {
      SetWatches second;
      second.second = true;
      return second;
    }
    case OpCode::kGetEphemerals:
      return GetEphemerals{};
    case OpCode::kGetAllChildrenNumber:
      return GetAllChildrenNumber{};
    case OpCode::kWhoAmI:
      return WhoAmI{};
    case OpCode::kCloseSession:
      return CloseSession{};
    case OpCode::kNotification:
    case OpCode::kDeleteContainer:
    case OpCode::kError:
      break;
  }
  return Unknown{op};
}

template <class Part>
struct EmptyPart;
template <class... Bodies>
struct EmptyPart<std::variant<Bodies...>> {
  // The part that the operation has in a multi of this kind; false where it can have none.
  static bool make(int32_t op, std::variant<Bodies...>& part) {
    RequestBody body = empty_body(op);
    return (take<Bodies>(body, part) || ...);
  }

 private:
  template <class Body>
  static bool take(RequestBody& body, std::variant<Bodies...>& part) {
    if (!std::holds_alternative<Body>(body)) return false;
    part = std::move(std::get<Body>(body));
    return true;
  }
};

// False: the whole is malformed.
template <class Many>
bool read_parts(WireReader& in, Many& many) {
  while (true) {
    MultiHeader header;
    fields(in, header);
    if (in.failed()) return false;
    if (header.done) return true;
    auto& part = many.parts.emplace_back();
    if (!EmptyPart<typename Many::Part>::make(header.op, part)) return false;
    std::visit([&in](auto& body) { fields(in, body); }, part);
  }
}

template <class Many>
void write_parts(WireWriter& out, const Many& many) {
  for (const auto& part : many.parts) {
    const RequestBody body = std::visit([](const auto& each) { return RequestBody(each); }, part);
    fields(out, MultiHeader{static_cast<int32_t>(op_of(body)), false, -1});
    std::visit([&out](const auto& each) { fields(out, each); }, part);
  }
  fields(out, kMultiEnd);
}

bool read_body(WireReader& in, RequestBody& body) {
  return std::visit(
      [&in](auto& each) {
        using Body = std::decay_t<decltype(each)>;
        if constexpr (std::is_same_v<Body, Multi> || std::is_same_v<Body, MultiRead>) {
          return read_parts(in, each);
        } else {
          fields(in, each);
          return !in.failed();
        }
      },
      body);
}

}  // namespace

OpCode op_of(const RequestBody& body) {
  struct Codes {
    OpCode operator()(const Create& m) const { return m.op; }
    OpCode operator()(const Delete&) const { return OpCode::kDelete; }
    OpCode operator()(const Exists&) const { return OpCode::kExists; }
    OpCode operator()(const GetData&) const { return OpCode::kGetData; }
    OpCode operator()(const SetData&) const { return OpCode::kSetData; }
    OpCode operator()(const GetAcl&) const { return OpCode::kGetAcl; }
    OpCode operator()(const SetAcl&) const { return OpCode::kSetAcl; }
    OpCode operator()(const GetChildren& m) const {
      return m.with_stat ? OpCode::kGetChildren2 : OpCode::kGetChildren;
    }
    OpCode operator()(const Sync&) const { return OpCode::kSync; }
    OpCode operator()(const Ping&) const { return OpCode::kPing; }
    OpCode operator()(const Check&) const { return OpCode::kCheck; }
    OpCode operator()(const Multi&) const { return OpCode::kMulti; }
    OpCode operator()(const MultiRead&) const { return OpCode::kMultiRead; }
    OpCode operator()(const Reconfig&) const { return OpCode::kReconfig; }
    OpCode operator()(const CheckWatches&) const { return OpCode::kCheckWatches; }
    OpCode operator()(const RemoveWatches&) const { return OpCode::kRemoveWatches; }
    OpCode operator()(const AddWatch&) const { return OpCode::kAddWatch; }
    OpCode operator()(const Auth&) const { return OpCode::kAuth; }
    OpCode operator()(const Sasl&) const { return OpCode::kSasl; }
    OpCode operator()(const SetWatches& m) const {
      return m.second ? OpCode::kSetWatches2 : OpCode::kSetWatches;
    }
    OpCode operator()(const GetEphemerals&) const { return OpCode::kGetEphemerals; }
    OpCode operator()(const GetAllChildrenNumber&) const { return OpCode::kGetAllChildrenNumber; }
    OpCode operator()(const WhoAmI&) const { return OpCode::kWhoAmI; }
    OpCode operator()(const CloseSession&) const { return OpCode::kCloseSession; }
    OpCode operator()(const Unknown& m) const { return static_cast<OpCode>(m.op); }
  };
  return std::visit(Codes(), body);
}

Result<size_t> frame_size(std::string_view bytes, size_t bytes_max) {
  if (bytes.size() < kLengthBytes) return size_t{0};
  int32_t size = 0;
  WireReader(bytes.substr(0, kLengthBytes)).number(size);
  if (size <= 0) return malformed("a frame without a length");
  if (static_cast<size_t>(size) > bytes_max) {
    return Error{quorate::ErrorCode::kTooLarge,
                 "a frame of " + std::to_string(size) + " bytes; the limit is " + std::to_string(bytes_max)};
  }
  return kLengthBytes + static_cast<size_t>(size);
}

// ---- reading

Result<ConnectRequest> decode_connect_request(std::string_view frame) {
  WireReader in(frame);
  ConnectRequest request;
  fields(in, request);
  if (in.remaining() > 0) in.boolean(request.read_only.emplace());
  if (in.failed()) return malformed("a connect request that is cut short");
  return request;
}

Result<ConnectReply> decode_connect_reply(std::string_view frame) {
  WireReader in(frame);
  ConnectReply reply;
  fields(in, reply);
  if (in.remaining() > 0) in.boolean(reply.read_only.emplace());
  if (in.failed()) return malformed("an answer to a connect request that is cut short");
  return reply;
}

Result<Request> decode_request(std::string_view frame) {
  WireReader in(frame);
  Request request;
  int32_t op = 0;
  in.number(request.xid);
  in.number(op);
  if (in.failed()) return malformed("a request without a header");
  request.body = empty_body(op);
  if (!read_body(in, request.body)) return malformed("a request that does not parse");
  return request;
}

// ---- writing

void append_connect_request(std::string& bytes, const ConnectRequest& request) {
  append_frame(bytes, [&request](WireWriter& out) {
    fields(out, request);
    if (request.read_only) out.boolean(*request.read_only);
  });
}

void append_connect_reply(std::string& bytes, const ConnectReply& reply) {
  append_frame(bytes, [&reply](WireWriter& out) {
    fields(out, reply);
    if (reply.read_only) out.boolean(*reply.read_only);
  });
}

void append_request(std::string& bytes, const Request& request) {
  append_frame(bytes, [&request](WireWriter& out) {
    out.number(request.xid);
    out.enumeration(op_of(request.body));
    std::visit(
        [&out](const auto& each) {
          using Body = std::decay_t<decltype(each)>;
          if constexpr (std::is_same_v<Body, Multi> || std::is_same_v<Body, MultiRead>) {
            write_parts(out, each);
          } else {
            fields(out, each);
          }
        },
        request.body);
  });
}

}  // namespace quorate::zookeeper
