// The byte formats of commands and outcomes: what is written comes back, what could not have been written is
// refused.
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include "kv/command.h"
#include "kv/path.h"

namespace quorate::kv {
namespace {

using rc::gen::arbitrary;

Acl any_acl() {
  Acl acl;
  for (int entries = *rc::gen::inRange(0, 4); entries > 0; --entries) {
    acl.push_back({*arbitrary<uint32_t>(), *arbitrary<std::string>(), *arbitrary<std::string>()});
  }
  return acl;
}

MultiOp::Part any_part() {
  const auto path = *arbitrary<std::string>();
  const bool null_data = *rc::gen::inRange(0, 4) == 0;
  const auto data = null_data ? std::string() : *arbitrary<std::string>();
  switch (*rc::gen::inRange(0, 7)) {
    case 0:
      return CreateOp{path,
                      data,
                      *arbitrary<bool>(),
                      *arbitrary<bool>(),
                      *arbitrary<bool>(),
                      *arbitrary<bool>(),
                      *arbitrary<bool>() ? std::optional(*arbitrary<int64_t>()) : std::nullopt,
                      any_acl(),
                      *arbitrary<bool>(),
                      null_data};
    case 1:
      return SetOp{path, data, *arbitrary<int32_t>(), null_data};
    case 2:
      return DeleteOp{path, *arbitrary<int32_t>(), *arbitrary<bool>()};
    case 3:
      return SetAclOp{path, any_acl(), *arbitrary<int32_t>()};
    case 4:
      return CheckOp{path, *arbitrary<int32_t>()};
    case 5:
      return CheckAbsentOp{path};
    default:
      return CheckHeldOp{path, Token(*arbitrary<uint64_t>())};
  }
}

Operation any_operation() {
  const auto path = *arbitrary<std::string>();
  const auto mode = [] {
    return PlaceMode{*rc::gen::element(Mode::kExclusive, Mode::kShared, Mode::kPermit),
                     *arbitrary<uint32_t>(), *arbitrary<uint32_t>()};
  };
  switch (*rc::gen::inRange(0, 12)) {
    case 8:
      return AcquireOp{path, *arbitrary<std::string>(), mode()};
    case 9: {
      AcquireManyOp many;
      many.wait = *arbitrary<bool>();
      for (int locks = *rc::gen::inRange(0, 4); locks > 0; --locks)
        many.locks.push_back({*arbitrary<std::string>(), *arbitrary<std::string>(),
                              *arbitrary<bool>() ? mode() : PlaceMode()});
      return many;
    }
    case 10:
      if (*arbitrary<bool>()) return UpgradeOp{path};
      return DowngradeOp{path};
    case 11:
      return BreakOp{path, Token(*arbitrary<uint64_t>())};
    case 6:
      return SetQuotaOp{
          path, {*arbitrary<int64_t>(), *arbitrary<int64_t>(), *arbitrary<int64_t>(), *arbitrary<int64_t>()}};
    case 7:
      return AddCredentialOp{{path, *arbitrary<std::string>()}, *arbitrary<bool>()};
    case 0:
      return AcquireOp{path, *arbitrary<std::string>()};
    case 1:
      return ReleaseOp{path};
    case 2:
      return CloseSessionOp{};
    case 3: {
      MultiOp multi;
      for (int parts = *rc::gen::inRange(0, 5); parts > 0; --parts) multi.operations.push_back(any_part());
      return multi;
    }
    default:
      break;
  }
  // What may stand in a multi may stand alone, but for conditions.
  const MultiOp::Part part = any_part();
  if (const auto* create = std::get_if<CreateOp>(&part)) return *create;
  if (const auto* set = std::get_if<SetOp>(&part)) return *set;
  if (const auto* set_acl = std::get_if<SetAclOp>(&part)) return *set_acl;
  return DeleteOp{path, *arbitrary<int32_t>(), *arbitrary<bool>()};
}

Command any_command() {
  const auto number = [] { return *arbitrary<uint64_t>(); };
  const auto small = [] { return *arbitrary<uint32_t>(); };
  const Origin origin{ServerId(small()), BootNonce(number()), number()};
  SessionPassword password{};
  for (uint8_t& byte : password) byte = *arbitrary<uint8_t>();
  switch (*rc::gen::inRange(0, 6)) {
    case 0:
      return OpenSession{origin, small(), password, *arbitrary<std::string>()};
    case 1:
      return AttachSession{origin, SessionId(number()), password, *arbitrary<std::string>(), number()};
    case 2: {
      ExpireSessions expire;
      for (const uint64_t id : *arbitrary<std::vector<uint64_t>>()) expire.sessions.emplace_back(id);
      return expire;
    }
    case 3:
      return ReapNodes{*arbitrary<std::vector<std::string>>()};
    default:
      return SessionRequest{SessionId(number()), small(), number(), number(), any_operation()};
  }
}

Outcome any_outcome() {
  Outcome o;
  const auto maybe = [](auto& field, auto value) {
    if (*arbitrary<bool>()) field = value;
  };
  o.code = static_cast<ErrorCode>(*arbitrary<uint16_t>());
  maybe(o.message, *arbitrary<std::string>());
  maybe(o.zxid, Zxid(*arbitrary<uint64_t>()));
  maybe(o.path, *arbitrary<std::string>());
  maybe(o.stat.czxid, Zxid(*arbitrary<uint64_t>()));
  maybe(o.stat.pzxid, Zxid(*arbitrary<uint64_t>()));
  maybe(o.stat.mtime_ms, *arbitrary<int64_t>());
  maybe(o.stat.version, *arbitrary<int32_t>());
  maybe(o.stat.ephemeral_owner, SessionId(*arbitrary<uint64_t>()));
  maybe(o.stat.num_children, *arbitrary<int32_t>());
  maybe(o.held, *arbitrary<bool>());
  maybe(o.token, Token(*arbitrary<uint64_t>()));
  maybe(o.session, SessionId(*arbitrary<uint64_t>()));
  maybe(o.epoch, *arbitrary<uint32_t>());
  maybe(o.timeout_ms, *arbitrary<uint32_t>());
  maybe(o.next_number, *arbitrary<uint64_t>());
  for (int results = *rc::gen::inRange(0, 4); results > 0; --results) {
    OperationResult& result = o.results.emplace_back();
    result.code = static_cast<ErrorCode>(*arbitrary<uint16_t>());
    maybe(result.message, *arbitrary<std::string>());
    maybe(result.path, *arbitrary<std::string>());
    maybe(result.stat.mzxid, Zxid(*arbitrary<uint64_t>()));
    maybe(result.held, *arbitrary<bool>());
  }
  return o;
}

// Bytes near to a format's: those of something written, with a few changed, taken out or put in.
std::string near_miss(std::string bytes) {
  for (int changes = *rc::gen::inRange(1, 4); changes > 0; --changes) {
    const size_t at = *rc::gen::inRange<size_t>(0, bytes.size() + 1);
    const char byte = *rc::gen::element('\0', '\1', '\2', '\x7f', '\x80', '\xff', *arbitrary<char>());
    switch (*rc::gen::inRange(0, 3)) {
      case 0:
        bytes.insert(at, 1, byte);
        break;
      case 1:
        bytes.erase(at, 1);
        break;
      default:
        if (at < bytes.size()) bytes[at] = byte;
    }
  }
  return bytes;
}

RC_GTEST_PROP(KvCodec, CommandsComeBack, ()) {
  const std::string bytes = encode_command(any_command());
  const Result<Command> decoded = decode_command(bytes);
  RC_ASSERT(decoded.ok());
  RC_ASSERT(encode_command(*decoded) == bytes);
}

RC_GTEST_PROP(KvCodec, TruncatedCommandsAreRefused, ()) {
  const std::string bytes = encode_command(any_command());
  for (size_t size = 0; size < bytes.size(); ++size) {
    RC_ASSERT(decode_command(std::string_view(bytes).substr(0, size)).code() == ErrorCode::kMalformed);
  }
}

// Whatever is accepted is what encoding makes of it: equal commands have equal bytes.
RC_GTEST_PROP(KvCodec, CommandsHaveOneForm, ()) {
  const std::string bytes = near_miss(encode_command(any_command()));
  const Result<Command> decoded = decode_command(bytes);
  if (decoded.ok()) RC_ASSERT(encode_command(*decoded) == bytes);
  const std::string noise = "\x01" + *arbitrary<std::string>();
  const Result<Command> from_noise = decode_command(noise);
  if (from_noise.ok()) RC_ASSERT(encode_command(*from_noise) == noise);
  RC_CLASSIFY(decoded.ok(), "accepted");
}

RC_GTEST_PROP(KvCodec, OutcomesComeBack, ()) {
  const Outcome outcome = any_outcome();
  const std::string bytes = encode_outcome(outcome);
  const Result<Outcome> decoded = decode_outcome(bytes);
  RC_ASSERT(decoded.ok());
  RC_ASSERT(*decoded == outcome);
}

RC_GTEST_PROP(KvCodec, TruncatedOutcomesAreRefused, ()) {
  const std::string bytes = encode_outcome(any_outcome());
  for (size_t size = 0; size < bytes.size(); ++size) {
    RC_ASSERT(decode_outcome(std::string_view(bytes).substr(0, size)).code() == ErrorCode::kMalformed);
  }
}

RC_GTEST_PROP(KvCodec, OutcomesHaveOneForm, ()) {
  const std::string bytes = near_miss(encode_outcome(any_outcome()));
  const Result<Outcome> decoded = decode_outcome(bytes);
  if (decoded.ok()) RC_ASSERT(encode_outcome(*decoded) == bytes);
}

// The rule for paths, told a second time: component by component, character by character.
bool plainly_valid(const std::string& path) {
  if (path == "/") return true;
  if (path.empty() || path.front() != '/' || path.back() == '/') return false;
  std::string component;
  for (size_t i = 1; i <= path.size(); ++i) {
    if (i < path.size() && path[i] != '/') {
      component.push_back(path[i]);
      continue;
    }
    if (component.empty() || component == "." || component == "..") return false;
    component.clear();
  }
  for (const char c : path) {
    if (c < 0x20 || c == 0x7f) return false;
  }
  return true;
}

RC_GTEST_PROP(KvPath, AsciiPathsFollowTheRule, ()) {
  const auto path = *rc::gen::container<std::string>(
      rc::gen::element('/', '/', '.', '.', 'a', 'b', ' ', '\x1f', '\x7f', '~'));
  RC_ASSERT(validate_path(path).ok() == plainly_valid(path));
  if (validate_path(path).ok() && path != "/") RC_ASSERT(join_path(parent_of(path), name_of(path)) == path);
}

RC_GTEST_PROP(KvPath, AnyBytesAreAnswered, ()) {
  const auto path = *arbitrary<std::string>();
  const Status plain = validate_path("/" + path);
  const Status sequential = validate_path("/" + path, true);
  // A suffix can only mend an empty last component.
  if (plain.ok()) RC_ASSERT(sequential.ok());
}

}  // namespace
}  // namespace quorate::kv
