#include "kv/checkpoint.h"

#include <algorithm>
#include <limits>

#include "base/check.h"
#include "base/checksum.h"
#include "base/codec.h"

namespace quorate::kv {
namespace {

constexpr uint8_t kMetaVersion = 1;
// A node of version 1 has data, even if it is empty; one of version 2 has none.
constexpr uint8_t kDataNodeVersion = 1;
constexpr uint8_t kNodeVersion = 2;
constexpr uint8_t kSessionVersion = 1;
// Of versions 1 and 2 is one change, without lists and with them: these are read, and not written.
constexpr uint8_t kListsChangeVersion = 2;
// Several changes, none of them with a place that was left: so where no locks are used, an older server reads
// what this one wrote.
constexpr uint8_t kPlainChangesVersion = 3;
constexpr uint8_t kChangesVersion = 4;
// Beside the kind.
constexpr uint8_t kHasLists = 0x80;
constexpr uint8_t kHasLeft = 0x40;
constexpr uint8_t kQuotaVersion = 1;

// Groups of a node's fields: one whose fields all have their defaults is left out, and must be.
constexpr uint64_t kChangedGroup = 1;  // mzxid, mtime, version: set since it was made
constexpr uint64_t kParentGroup = 2;   // creates, pzxid
constexpr uint64_t kOwnerGroup = 4;
constexpr uint64_t kSequentialFlag = 8;
constexpr uint64_t kOrderGroup = 16;
constexpr uint64_t kAclGroup = 32;
constexpr uint64_t kContainerFlag = 64;
constexpr uint64_t kTtlGroup = 128;
constexpr uint64_t kAversionGroup = 256;
constexpr uint64_t kAllNodeGroups = 511;

constexpr uint8_t kAttachedByGroup = 1;
constexpr uint8_t kCredentialsGroup = 2;
constexpr uint8_t kAllSessionGroups = 3;

Error damaged(std::string_view what) {
  return {ErrorCode::kCorruption, "the record of " + std::string(what) + " does not parse"};
}

// Zero if the version is one that this program knows.
Error unknown_version(ByteReader& in, uint8_t known, std::string_view what) {
  const uint8_t version = in.u8();
  if (in.failed() || version == 0) return damaged(what);
  if (version <= known) return {};
  return {ErrorCode::kUnsupported, "the record of " + std::string(what) + " has version " +
                                       std::to_string(version) + ", but this program knows up to " +
                                       std::to_string(known) + "; update it"};
}

// Small values of either sign take few bytes.
void put_signed(ByteWriter& out, int64_t value) {
  out.varint(static_cast<uint64_t>(value) << 1 ^ static_cast<uint64_t>(value >> 63));
}
int64_t get_signed(ByteReader& in) {
  const uint64_t bits = in.varint();
  return static_cast<int64_t>(bits >> 1 ^ (~(bits & 1) + 1));
}

int32_t get_signed32(ByteReader& in) {
  const int64_t value = get_signed(in);
  if (value < std::numeric_limits<int32_t>::min() || value > std::numeric_limits<int32_t>::max()) in.fail();
  return static_cast<int32_t>(value);
}

// A zxid not below `base`, as the distance.
Zxid get_later(ByteReader& in, Zxid base) {
  const uint64_t distance = in.varint();
  if (distance > std::numeric_limits<uint64_t>::max() - base.value()) in.fail();
  return Zxid(base.value() + distance);
}

// Times may be anything; the difference wraps around and back.
int64_t wrapped_minus(int64_t a, int64_t b) {
  return static_cast<int64_t>(static_cast<uint64_t>(a) - static_cast<uint64_t>(b));
}
int64_t wrapped_plus(int64_t a, int64_t b) {
  return static_cast<int64_t>(static_cast<uint64_t>(a) + static_cast<uint64_t>(b));
}

template <class T>
void append_big_endian(std::string& out, T value) {
  for (int shift = 8 * (sizeof(T) - 1); shift >= 0; shift -= 8)
    out.push_back(static_cast<char>(static_cast<uint8_t>(value >> shift)));
}
template <class T>
T read_big_endian(std::string_view bytes) {
  T value = 0;
  for (size_t i = 0; i < sizeof(T); ++i)
    value = static_cast<T>(static_cast<T>(value << 8) | static_cast<uint8_t>(bytes[i]));
  return value;
}

uint64_t groups_of(const NodeRecord& n) {
  const bool changed = n.mzxid != n.czxid || n.mtime_ms != n.ctime_ms || n.version != 0;
  return (changed ? kChangedGroup : 0) | (n.creates != 0 ? kParentGroup : 0) |
         (n.owner.value() != 0 ? kOwnerGroup : 0) | (n.sequential ? kSequentialFlag : 0) |
         (n.order != 0 ? kOrderGroup : 0) | (!n.acl.empty() ? kAclGroup : 0) |
         (n.container ? kContainerFlag : 0) | (n.ttl_ms != 0 ? kTtlGroup : 0) |
         (n.aversion != 0 ? kAversionGroup : 0);
}

uint8_t groups_of(const Session& s) {
  return static_cast<uint8_t>((s.attached_by.server.value() != 0 ? kAttachedByGroup : 0) |
                              (!s.credentials.empty() ? kCredentialsGroup : 0));
}

}  // namespace

// ---- keys

std::string meta_key() { return std::string(1, kMetaKey); }

std::string node_key(std::string_view path) {
  std::string key;
  key.reserve(1 + path.size());
  key.push_back(kNodeKey);
  key.append(path);
  return key;
}

std::string session_key(SessionId id) {
  std::string key(1, kSessionKey);
  append_big_endian(key, id.value());
  return key;
}

std::string change_key(Zxid zxid, uint32_t place) {
  std::string key(1, kChangeKey);
  append_big_endian(key, zxid.value());
  append_big_endian(key, place);
  return key;
}

std::string quota_key(std::string_view path) { return std::string(1, kQuotaKey).append(path); }

Result<SessionId> decode_session_key(std::string_view key) {
  if (key.size() != 1 + sizeof(uint64_t)) return damaged("a session");
  return SessionId(read_big_endian<uint64_t>(key.substr(1)));
}

Result<ChangeKey> decode_change_key(std::string_view key) {
  if (key.size() != 1 + sizeof(uint64_t) + sizeof(uint32_t)) return damaged("a change");
  return ChangeKey{Zxid(read_big_endian<uint64_t>(key.substr(1))),
                   read_big_endian<uint32_t>(key.substr(1 + sizeof(uint64_t)))};
}

// ---- values

std::string encode_meta(const MetaRecord& meta) {
  std::string bytes;
  ByteWriter out(bytes);
  out.u8(kMetaVersion);
  out.varint(meta.index.value());
  out.varint(meta.zxid_base);
  out.i64(meta.stamp.wall_ms);
  out.i64(meta.stamp.cluster_ms);
  out.u64(meta.state_hash);
  out.varint(meta.history_floor.value());
  out.varint(meta.nodes);
  out.varint(meta.sessions);
  out.varint(meta.quotas);
  out.varint(meta.changes);
  out.u64(checksum64(bytes));  // what stands here is in no hash
  return bytes;
}

Result<MetaRecord> decode_meta(std::string_view bytes) {
  ByteReader in(bytes);
  if (Error error = unknown_version(in, kMetaVersion, "the state itself"); !error.ok()) return error;
  MetaRecord meta;
  meta.index = Index(in.varint());
  meta.zxid_base = in.varint();
  meta.stamp.wall_ms = in.i64();
  meta.stamp.cluster_ms = in.i64();
  meta.state_hash = in.u64();
  meta.history_floor = Zxid(in.varint());
  meta.nodes = in.varint();
  meta.sessions = in.varint();
  meta.quotas = in.varint();
  meta.changes = in.varint();
  if (meta.zxid_base > std::numeric_limits<uint64_t>::max() - meta.index.value()) in.fail();
  const std::string_view before = bytes.substr(0, bytes.size() - in.remaining());
  if (in.u64() != checksum64(before)) in.fail();
  if (!in.done()) return damaged("the state itself");
  return meta;
}

std::string encode_node(const NodeRecord& node) {
  std::string bytes;
  bytes.reserve(24 + node.data.size());
  ByteWriter out(bytes);
  const uint64_t groups = groups_of(node);
  out.u8(node.null_data ? kNodeVersion : kDataNodeVersion);
  out.varint(groups);
  out.varint(node.czxid.value());
  put_signed(out, node.ctime_ms);
  if (groups & kChangedGroup) {
    out.varint(node.mzxid - node.czxid);
    put_signed(out, wrapped_minus(node.mtime_ms, node.ctime_ms));
    put_signed(out, node.version);
  }
  if (groups & kParentGroup) {
    out.varint(node.creates);
    out.varint(node.pzxid - node.czxid);
  }
  if (groups & kOwnerGroup) out.varint(node.owner.value());
  if (groups & kOrderGroup) out.varint(node.order);
  if (groups & kAclGroup) out.string(node.acl);
  if (groups & kTtlGroup) {
    put_signed(out, node.ttl_ms);
    put_signed(out, node.due_ms);
  }
  if (groups & kAversionGroup) put_signed(out, node.aversion);
  out.raw(node.data);
  return bytes;
}

Result<NodeRecord> decode_node(std::string_view bytes) {
  ByteReader in(bytes);
  if (Error error = unknown_version(in, kNodeVersion, "a node"); !error.ok()) return error;
  NodeRecord node;
  node.null_data = static_cast<uint8_t>(bytes.front()) == kNodeVersion;
  const uint64_t groups = in.varint();
  if (groups > kAllNodeGroups) in.fail();
  node.czxid = node.mzxid = Zxid(in.varint());
  node.ctime_ms = node.mtime_ms = get_signed(in);
  if (groups & kChangedGroup) {
    node.mzxid = get_later(in, node.czxid);
    node.mtime_ms = wrapped_plus(node.ctime_ms, get_signed(in));
    node.version = get_signed32(in);
  }
  if (groups & kParentGroup) {
    node.creates = in.varint();
    node.pzxid = get_later(in, node.czxid);
  }
  if (groups & kOwnerGroup) node.owner = SessionId(in.varint());
  if (groups & kOrderGroup) node.order = in.varint32();
  if (groups & kAclGroup) node.acl = in.string();
  if (groups & kTtlGroup) {
    node.ttl_ms = get_signed(in);
    node.due_ms = get_signed(in);
  }
  if (groups & kAversionGroup) node.aversion = get_signed32(in);
  node.container = (groups & kContainerFlag) != 0;
  node.sequential = (groups & kSequentialFlag) != 0;
  node.data = in.raw(in.remaining());
  if (!in.done() || groups != groups_of(node) || (node.null_data && !node.data.empty()))
    return damaged("a node");
  return node;
}

std::string encode_session(const Session& session) {
  std::string bytes;
  ByteWriter out(bytes);
  const uint8_t groups = groups_of(session);
  out.u8(kSessionVersion);
  out.u8(groups);
  out.varint(session.epoch);
  out.varint(session.timeout_ms);
  out.raw({reinterpret_cast<const char*>(session.password.data()), session.password.size()});
  out.varint(session.attached_at.value());
  out.varint(session.attempt);
  if (groups & kAttachedByGroup) {
    out.varint(session.attached_by.server.value());
    out.u64(session.attached_by.boot.value());
    out.varint(session.attached_by.counter);
  }
  if (groups & kCredentialsGroup) append_credentials(bytes, session.credentials);
  out.varint(session.floor);
  out.varint(session.result_sizes.size());
  size_t begin = 0;
  for (const uint32_t size : session.result_sizes) {
    out.string(std::string_view(session.results).substr(begin, size));
    begin += size;
  }
  return bytes;
}

Result<Session> decode_session(SessionId id, std::string_view bytes) {
  ByteReader in(bytes);
  if (Error error = unknown_version(in, kSessionVersion, "a session"); !error.ok()) return error;
  Session session;
  session.id = id;
  const uint8_t groups = in.u8();
  if (groups > kAllSessionGroups) in.fail();
  session.epoch = in.varint32();
  session.timeout_ms = in.varint32();
  const std::string_view password = in.raw(session.password.size());
  std::copy(password.begin(), password.end(), session.password.begin());
  session.attached_at = Zxid(in.varint());
  session.attempt = in.varint();
  if (groups & kAttachedByGroup) {
    session.attached_by.server = ServerId(in.varint32());
    session.attached_by.boot = BootNonce(in.u64());
    session.attached_by.counter = in.varint();
  }
  if (groups & kCredentialsGroup) session.credentials = read_credentials(in);
  session.floor = in.varint();
  const uint64_t count = in.varint();
  // An outcome takes more than a byte, so a count beyond the bytes that are left is impossible.
  if (count > in.remaining() || count > std::numeric_limits<uint64_t>::max() - session.floor) in.fail();
  for (uint64_t i = 0; i < count && !in.failed(); ++i) {
    const std::string_view result = in.string();
    if (!decode_outcome(result).ok()) in.fail();
    session.results.append(result);
    session.result_sizes.push_back(static_cast<uint32_t>(result.size()));
  }
  session.next = session.floor + count;
  if (!in.done() || groups != groups_of(session)) return damaged("a session");
  return session;
}

std::string encode_quota(const QuotaLimits& limits) {
  std::string bytes;
  ByteWriter(bytes).u8(kQuotaVersion);
  append_quota(bytes, limits);
  return bytes;
}

Result<QuotaLimits> decode_quota(std::string_view bytes) {
  ByteReader in(bytes);
  if (Error error = unknown_version(in, kQuotaVersion, "a quota"); !error.ok()) return error;
  const QuotaLimits limits = read_quota(in);
  if (!in.done() || limits.none()) return damaged("a quota");
  return limits;
}

void append_change(std::string& value, const ChangeRecord& change) {
  ByteWriter out(value);
  if (value.empty()) {
    CHECK(change.distance == 0);
    out.u8(kPlainChangesVersion);
  }
  if (!change.left.empty()) value.front() = static_cast<char>(kChangesVersion);
  const bool open = change.acl.empty() && change.parent_acl.empty();
  out.varint(change.distance);
  out.u8(static_cast<uint8_t>(static_cast<uint8_t>(change.kind) | (open ? 0 : kHasLists) |
                              (change.left.empty() ? 0 : kHasLeft)));
  if (!open) {
    out.string(change.acl);
    out.string(change.parent_acl);
  }
  if (!change.left.empty()) out.string(change.left);
  out.string(change.path);
}

namespace {

// Kind, lists and who left, behind which the path comes.
ChangeRecord read_change(ByteReader& in, uint8_t kind, bool lists, bool left) {
  if (kind > static_cast<uint8_t>(Change::Kind::kDataSet)) in.fail();
  ChangeRecord change{static_cast<Change::Kind>(kind), {}};
  if (lists) {
    change.acl = in.string();
    change.parent_acl = in.string();
    if (change.acl.empty() && change.parent_acl.empty()) in.fail();
  }
  if (left) {
    change.left = in.string();
    if (change.left.empty() || change.kind != Change::Kind::kDeleted) in.fail();
  }
  return change;
}

}  // namespace

Result<std::vector<ChangeRecord>> decode_changes(std::string_view bytes) {
  ByteReader in(bytes);
  if (Error error = unknown_version(in, kChangesVersion, "changes"); !error.ok()) return error;
  const auto version = static_cast<uint8_t>(bytes.front());
  std::vector<ChangeRecord> changes;
  if (version < kPlainChangesVersion) {
    changes.push_back(read_change(in, in.u8(), version == kListsChangeVersion, false));
    changes.back().path = in.raw(in.remaining());
  }
  bool any_left = false;
  while (!in.failed() && (changes.empty() || in.remaining() > 0)) {
    const uint64_t distance = in.varint();
    const uint8_t what = in.u8();
    const bool left = (what & kHasLeft) != 0;
    ChangeRecord change =
        read_change(in, static_cast<uint8_t>(what & ~(kHasLists | kHasLeft)), (what & kHasLists) != 0, left);
    any_left = any_left || left;
    change.distance = distance;
    change.path = in.string();
    if (changes.empty() && distance != 0) in.fail();
    changes.push_back(change);
  }
  if (!in.done() || any_left != (version == kChangesVersion)) return damaged("changes");
  return changes;
}

}  // namespace quorate::kv
