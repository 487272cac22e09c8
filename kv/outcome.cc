// The canonical bytes of an Outcome: a byte of flags tells which groups of fields follow; a group whose
// fields all have their defaults is left out, and must be.
#include <limits>

#include "base/codec.h"
#include "kv/command.h"

namespace quorate::kv {
namespace {

constexpr uint8_t kOutcomeVersion = 1;

constexpr uint8_t kMessageGroup = 1;
constexpr uint8_t kPathGroup = 2;
constexpr uint8_t kStatGroup = 4;
constexpr uint8_t kLockGroup = 8;
constexpr uint8_t kSessionGroup = 16;
constexpr uint8_t kResultsGroup = 32;
constexpr uint8_t kAllGroups = 63;
constexpr uint8_t kAllGroupsOfResult = kMessageGroup | kPathGroup | kStatGroup | kLockGroup;

bool has_lock(const Outcome& o) { return o.held || o.token.value() != 0; }
bool has_session(const Outcome& o) {
  return o.session.value() != 0 || o.epoch != 0 || o.timeout_ms != 0 || o.next_number != 0;
}

uint8_t groups_of(const Outcome& o) {
  return static_cast<uint8_t>((o.message.empty() ? 0 : kMessageGroup) | (o.path.empty() ? 0 : kPathGroup) |
                              (o.stat == Stat{} ? 0 : kStatGroup) | (has_lock(o) ? kLockGroup : 0) |
                              (has_session(o) ? kSessionGroup : 0) | (o.results.empty() ? 0 : kResultsGroup));
}

uint8_t groups_of(const OperationResult& r) {
  return static_cast<uint8_t>((r.message.empty() ? 0 : kMessageGroup) | (r.path.empty() ? 0 : kPathGroup) |
                              (r.stat == Stat{} ? 0 : kStatGroup) | (r.held ? kLockGroup : 0));
}

void put_stat(ByteWriter& out, const Stat& stat) {
  out.varint(stat.czxid.value());
  out.varint(stat.mzxid.value());
  out.varint(stat.pzxid.value());
  out.i64(stat.ctime_ms);
  out.i64(stat.mtime_ms);
  out.i32(stat.version);
  out.i32(stat.cversion);
  out.i32(stat.aversion);
  out.varint(stat.ephemeral_owner.value());
  out.i32(stat.data_length);
  out.i32(stat.num_children);
}

Stat get_stat(ByteReader& in) {
  Stat stat;
  stat.czxid = Zxid(in.varint());
  stat.mzxid = Zxid(in.varint());
  stat.pzxid = Zxid(in.varint());
  stat.ctime_ms = in.i64();
  stat.mtime_ms = in.i64();
  stat.version = in.i32();
  stat.cversion = in.i32();
  stat.aversion = in.i32();
  stat.ephemeral_owner = SessionId(in.varint());
  stat.data_length = in.i32();
  stat.num_children = in.i32();
  return stat;
}

void put_result(ByteWriter& out, const OperationResult& r) {
  const uint8_t groups = groups_of(r);
  out.u8(groups);
  out.u16(static_cast<uint16_t>(r.code));
  if (groups & kMessageGroup) out.string(r.message);
  if (groups & kPathGroup) out.string(r.path);
  if (groups & kStatGroup) put_stat(out, r.stat);
}

OperationResult get_result(ByteReader& in) {
  OperationResult r;
  const uint8_t groups = in.u8();
  r.code = static_cast<ErrorCode>(in.u16());
  if (groups & kMessageGroup) r.message = in.string();
  if (groups & kPathGroup) r.path = in.string();
  if (groups & kStatGroup) r.stat = get_stat(in);
  r.held = (groups & kLockGroup) != 0;
  if (groups > kAllGroupsOfResult || groups != groups_of(r)) in.fail();
  return r;
}

}  // namespace

std::string encode_outcome(const Outcome& o) {
  std::string bytes;
  append_outcome(bytes, o);
  return bytes;
}

void append_outcome(std::string& bytes, const Outcome& o) {
  ByteWriter out(bytes);
  const uint8_t groups = groups_of(o);
  out.u8(kOutcomeVersion);
  out.u8(groups);
  out.u16(static_cast<uint16_t>(o.code));
  out.varint(o.zxid.value());
  if (groups & kMessageGroup) out.string(o.message);
  if (groups & kPathGroup) out.string(o.path);
  if (groups & kStatGroup) put_stat(out, o.stat);
  if (groups & kLockGroup) {
    out.u8(o.held ? 1 : 0);
    out.varint(o.token.value());
  }
  if (groups & kSessionGroup) {
    out.varint(o.session.value());
    out.varint(o.epoch);
    out.varint(o.timeout_ms);
    out.varint(o.next_number);
  }
  if (groups & kResultsGroup) {
    out.varint(o.results.size());
    for (const OperationResult& result : o.results) put_result(out, result);
  }
}

Result<Outcome> decode_outcome(std::string_view bytes) {
  ByteReader in(bytes);
  const uint8_t version = in.u8();
  if (version > kOutcomeVersion) {
    return {ErrorCode::kUnsupported, "an outcome of version " + std::to_string(version) +
                                         ", but this program knows up to " + std::to_string(kOutcomeVersion) +
                                         "; update it"};
  }
  if (version == 0) in.fail();
  Outcome o;
  const uint8_t groups = in.u8();
  if (groups > kAllGroups) in.fail();
  o.code = static_cast<ErrorCode>(in.u16());
  o.zxid = Zxid(in.varint());
  if (groups & kMessageGroup) o.message = in.string();
  if (groups & kPathGroup) o.path = in.string();
  if (groups & kStatGroup) o.stat = get_stat(in);
  if (groups & kLockGroup) {
    o.held = in.flag();
    o.token = Token(in.varint());
  }
  if (groups & kSessionGroup) {
    o.session = SessionId(in.varint());
    o.epoch = in.varint32();
    o.timeout_ms = in.varint32();
    o.next_number = in.varint();
  }
  if (groups & kResultsGroup) {
    const uint64_t count = in.varint();
    // Each takes three bytes at least, so a count beyond what is left is a lie.
    if (count > in.remaining()) in.fail();
    while (o.results.size() < count && !in.failed()) o.results.push_back(get_result(in));
  }
  if (!in.done() || groups != groups_of(o)) return {ErrorCode::kMalformed, "the bytes are not an outcome"};
  return o;
}

}  // namespace quorate::kv
