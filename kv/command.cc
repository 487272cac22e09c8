#include "kv/command.h"

#include <limits>

#include "base/check.h"
#include "base/codec.h"
#include "kv/command_view.h"

namespace quorate::kv {
namespace {

// The values are part of the log's format: never renumber one.
enum class CommandKind : uint8_t { kOpenSession = 1, kAttachSession = 2, kExpireSessions = 3, kRequest = 4 };

constexpr uint8_t kEphemeralFlag = 1;
constexpr uint8_t kSequentialFlag = 2;
constexpr uint8_t kParentsFlag = 4;

template <class... Fs>
struct Overloaded : Fs... {
  using Fs::operator()...;
};
template <class... Fs>
Overloaded(Fs...) -> Overloaded<Fs...>;

void put_origin(ByteWriter& out, const Origin& origin) {
  out.varint(origin.server.value());
  out.u64(origin.boot.value());
  out.varint(origin.counter);
}

void put_password(ByteWriter& out, const SessionPassword& password) {
  out.raw({reinterpret_cast<const char*>(password.data()), password.size()});
}

void put_operation(ByteWriter& out, const OperationView& op) {
  out.u8(static_cast<uint8_t>(op.kind));
  if (op.kind == OperationKind::kCloseSession) return;
  out.string(op.path);
  switch (op.kind) {
    case OperationKind::kCreate:
      out.u8(static_cast<uint8_t>((op.ephemeral ? kEphemeralFlag : 0) |
                                  (op.sequential ? kSequentialFlag : 0) | (op.parents ? kParentsFlag : 0)));
      out.string(op.data);
      break;
    case OperationKind::kSet:
      out.i32(op.version);
      out.string(op.data);
      break;
    case OperationKind::kDelete:
      out.i32(op.version);
      break;
    case OperationKind::kAcquire:
      out.string(op.data);
      break;
    case OperationKind::kRelease:
    case OperationKind::kCloseSession:
      break;
  }
}

uint32_t get_u32(ByteReader& in) {
  const uint64_t value = in.varint();
  return static_cast<uint32_t>(value <= std::numeric_limits<uint32_t>::max() ? value : in.fail());
}

Origin get_origin(ByteReader& in) {
  Origin origin;
  origin.server = ServerId(get_u32(in));
  origin.boot = BootNonce(in.u64());
  origin.counter = in.varint();
  return origin;
}

SessionPassword get_password(ByteReader& in) {
  SessionPassword password{};
  const std::string_view bytes = in.raw(password.size());
  if (!in.failed()) std::memcpy(password.data(), bytes.data(), password.size());
  return password;
}

OperationView get_operation(ByteReader& in) {
  OperationView op;
  op.kind = static_cast<OperationKind>(in.u8());
  switch (op.kind) {
    case OperationKind::kCreate: {
      op.path = in.string();
      const uint8_t flags = in.u8();
      if (flags > (kEphemeralFlag | kSequentialFlag | kParentsFlag)) in.fail();
      op.ephemeral = (flags & kEphemeralFlag) != 0;
      op.sequential = (flags & kSequentialFlag) != 0;
      op.parents = (flags & kParentsFlag) != 0;
      op.data = in.string();
      return op;
    }
    case OperationKind::kSet:
      op.path = in.string();
      op.version = in.i32();
      op.data = in.string();
      return op;
    case OperationKind::kDelete:
      op.path = in.string();
      op.version = in.i32();
      return op;
    case OperationKind::kAcquire:
      op.path = in.string();
      op.data = in.string();
      return op;
    case OperationKind::kRelease:
      op.path = in.string();
      return op;
    case OperationKind::kCloseSession:
      return op;
  }
  in.fail();
  return op;
}

ExpireSessions get_expire(ByteReader& in) {
  ExpireSessions expire;
  const uint64_t count = in.varint();
  // Each takes a byte at least, so a count beyond what is left is a lie, and nothing is reserved for it.
  if (count > in.remaining()) in.fail();
  for (uint64_t i = 0; i < count && !in.failed(); ++i) expire.sessions.emplace_back(in.varint());
  return expire;
}

RequestView get_request(ByteReader& in) {
  RequestView request;
  request.session = SessionId(in.varint());
  request.epoch = get_u32(in);
  request.number = in.varint();
  request.acked_below = in.varint();
  request.operation = get_operation(in);
  return request;
}

Operation operation_of(const OperationView& op) {
  switch (op.kind) {
    case OperationKind::kCreate:
      return CreateOp{std::string(op.path), std::string(op.data), op.ephemeral, op.sequential, op.parents};
    case OperationKind::kSet:
      return SetOp{std::string(op.path), std::string(op.data), op.version};
    case OperationKind::kDelete:
      return DeleteOp{std::string(op.path), op.version};
    case OperationKind::kAcquire:
      return AcquireOp{std::string(op.path), std::string(op.data)};
    case OperationKind::kRelease:
      return ReleaseOp{std::string(op.path)};
    case OperationKind::kCloseSession:
      break;
  }
  return CloseSessionOp{};
}

}  // namespace

OperationView view_of(const Operation& operation) {
  OperationView view;
  std::visit(Overloaded{
                 [&](const CreateOp& op) {
                   view.kind = OperationKind::kCreate;
                   view.path = op.path;
                   view.data = op.data;
                   view.ephemeral = op.ephemeral;
                   view.sequential = op.sequential;
                   view.parents = op.parents;
                 },
                 [&](const SetOp& op) {
                   view.kind = OperationKind::kSet;
                   view.path = op.path;
                   view.data = op.data;
                   view.version = op.version;
                 },
                 [&](const DeleteOp& op) {
                   view.kind = OperationKind::kDelete;
                   view.path = op.path;
                   view.version = op.version;
                 },
                 [&](const AcquireOp& op) {
                   view.kind = OperationKind::kAcquire;
                   view.path = op.path;
                   view.data = op.data;
                 },
                 [&](const ReleaseOp& op) {
                   view.kind = OperationKind::kRelease;
                   view.path = op.node;
                 },
                 [&](const CloseSessionOp&) { view.kind = OperationKind::kCloseSession; },
             },
             operation);
  return view;
}

std::string encode_command(const Command& command) {
  std::string bytes;
  ByteWriter out(bytes);
  out.u8(kCommandVersion);
  const auto kind = [&](CommandKind k) { out.u8(static_cast<uint8_t>(k)); };
  std::visit(Overloaded{
                 [&](const OpenSession& open) {
                   kind(CommandKind::kOpenSession);
                   put_origin(out, open.origin);
                   out.varint(open.timeout_ms);
                   put_password(out, open.password);
                   out.string(open.address);
                 },
                 [&](const AttachSession& attach) {
                   kind(CommandKind::kAttachSession);
                   put_origin(out, attach.origin);
                   out.varint(attach.session.value());
                   put_password(out, attach.password);
                   out.string(attach.address);
                 },
                 [&](const ExpireSessions& expire) {
                   kind(CommandKind::kExpireSessions);
                   out.varint(expire.sessions.size());
                   for (const SessionId id : expire.sessions) out.varint(id.value());
                 },
                 [&](const SessionRequest& request) {
                   kind(CommandKind::kRequest);
                   out.varint(request.session.value());
                   out.varint(request.epoch);
                   out.varint(request.number);
                   out.varint(request.acked_below);
                   put_operation(out, view_of(request.operation));
                 },
             },
             command);
  return bytes;
}

Result<CommandView> decode_command_view(std::string_view bytes) {
  ByteReader in(bytes);
  const uint8_t version = in.u8();
  if (version > kCommandVersion) {
    return {ErrorCode::kUnsupported, "a command of version " + std::to_string(version) +
                                         ", but this server knows up to " + std::to_string(kCommandVersion) +
                                         "; update it"};
  }
  if (version == 0) in.fail();
  CommandView command;
  switch (static_cast<CommandKind>(in.u8())) {
    case CommandKind::kOpenSession: {
      OpenSession open;
      open.origin = get_origin(in);
      open.timeout_ms = get_u32(in);
      open.password = get_password(in);
      open.address = in.string();
      command = open;
      break;
    }
    case CommandKind::kAttachSession: {
      AttachSession attach;
      attach.origin = get_origin(in);
      attach.session = SessionId(in.varint());
      attach.password = get_password(in);
      attach.address = in.string();
      command = attach;
      break;
    }
    case CommandKind::kExpireSessions:
      command = get_expire(in);
      break;
    case CommandKind::kRequest:
      command = get_request(in);
      break;
    default:
      in.fail();
  }
  if (!in.done()) return {ErrorCode::kMalformed, "the bytes are not a command"};
  return command;
}

Result<Command> decode_command(std::string_view bytes) {
  Result<CommandView> decoded = decode_command_view(bytes);
  if (!decoded.ok()) return decoded.error();
  return std::visit(Overloaded{
                        [](RequestView& view) -> Command {
                          return SessionRequest{view.session, view.epoch, view.number, view.acked_below,
                                                operation_of(view.operation)};
                        },
                        [](auto& other) -> Command { return std::move(other); },
                    },
                    *decoded);
}

void append_stamp(std::string& out, const Stamp& stamp) {
  ByteWriter writer(out);
  writer.i64(stamp.wall_ms);
  writer.i64(stamp.cluster_ms);
}

Stamp read_stamp(std::string_view payload) {
  ByteReader in(payload);
  Stamp stamp;
  stamp.wall_ms = in.i64();
  stamp.cluster_ms = in.i64();
  CHECK_MSG(!in.failed(), "there is no stamp in so few bytes");
  return stamp;
}

}  // namespace quorate::kv
