#include "kv/command.h"

#include <limits>

#include "base/check.h"
#include "base/codec.h"
#include "kv/command_view.h"

namespace quorate::kv {
namespace {

// The values are part of the log's format: never renumber one.
enum class CommandKind : uint8_t {
  kOpenSession = 1,
  kAttachSession = 2,
  kExpireSessions = 3,
  kRequest = 4,
  kReapNodes = 5
};

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

Origin get_origin(ByteReader& in) {
  Origin origin;
  origin.server = ServerId(in.varint32());
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

ExpireSessions get_expire(ByteReader& in) {
  ExpireSessions expire;
  const uint64_t count = in.varint();
  // Each takes a byte at least, so a count beyond what is left is a lie, and nothing is reserved for it.
  if (count > in.remaining()) in.fail();
  for (uint64_t i = 0; i < count && !in.failed(); ++i) expire.sessions.emplace_back(in.varint());
  return expire;
}

ReapNodes get_reap(ByteReader& in) {
  ReapNodes reap;
  const uint64_t count = in.varint();
  if (count > in.remaining()) in.fail();
  for (uint64_t i = 0; i < count && !in.failed(); ++i) reap.paths.emplace_back(in.string());
  return reap;
}

RequestView get_request(ByteReader& in) {
  RequestView request;
  request.session = SessionId(in.varint());
  request.epoch = in.varint32();
  request.number = in.varint();
  request.acked_below = in.varint();
  request.operation = read_operation(in);
  return request;
}

}  // namespace

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
                   out.varint(attach.attempt);
                 },
                 [&](const ExpireSessions& expire) {
                   kind(CommandKind::kExpireSessions);
                   out.varint(expire.sessions.size());
                   for (const SessionId id : expire.sessions) out.varint(id.value());
                 },
                 [&](const ReapNodes& reap) {
                   kind(CommandKind::kReapNodes);
                   out.varint(reap.paths.size());
                   for (const std::string& path : reap.paths) out.string(path);
                 },
                 [&](const SessionRequest& request) {
                   kind(CommandKind::kRequest);
                   out.varint(request.session.value());
                   out.varint(request.epoch);
                   out.varint(request.number);
                   out.varint(request.acked_below);
                   append_operation(bytes, view_of(request.operation));
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
      open.timeout_ms = in.varint32();
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
      attach.attempt = in.varint();
      command = attach;
      break;
    }
    case CommandKind::kExpireSessions:
      command = get_expire(in);
      break;
    case CommandKind::kReapNodes:
      command = get_reap(in);
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

std::string_view path_in(std::string_view command) {
  ByteReader in(command);
  const uint8_t version = in.u8();
  if (version == 0 || version > kCommandVersion) return {};
  if (static_cast<CommandKind>(in.u8()) != CommandKind::kRequest) return {};
  for (int numbers = 0; numbers < 4; ++numbers) in.varint();  // session, epoch, number, acknowledged
  switch (static_cast<OperationKind>(in.u8())) {
    case OperationKind::kMulti:
    case OperationKind::kAcquireMany:
    case OperationKind::kCloseSession:
    case OperationKind::kAddCredential:
      return {};
    default:
      return in.string();
  }
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
