// The state machine's records (record.h) in bytes: keys, and values that are versioned and canonical, so that
// equal states have equal records. A field that most nodes do not have costs those nothing.
//
// Thread safety: plain values; views live as long as the bytes they came from.
//
// Errors of all decoders: kCorruption for bytes that no encoder here can have made; kUnsupported for a later
// version.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "kv/quotas.h"
#include "kv/record_list.h"
#include "kv/sessions.h"
#include "kv/state_machine.h"

namespace quorate::kv {

inline constexpr char kMetaKey = 'm';
inline constexpr char kNodeKey = 'n';
inline constexpr char kSessionKey = 's';
inline constexpr char kChangeKey = 'c';
inline constexpr char kQuotaKey = 'q';

// What the state machine knows of itself.
struct MetaRecord {
  Index index;
  uint64_t zxid_base = 0;
  Stamp stamp;
  uint64_t state_hash = 0;
  Zxid history_floor;
  // How many records of each kind belong to it.
  uint64_t nodes = 0;
  uint64_t sessions = 0;
  uint64_t quotas = 0;
  uint64_t changes = 0;

  // Of the last entry.
  Zxid zxid() const { return Zxid(index.value() + zxid_base); }

  friend bool operator==(const MetaRecord&, const MetaRecord&) = default;
};

// A node without its path. What follows from other nodes (its children, its place in lists) is not in it.
struct NodeRecord {
  Zxid czxid, mzxid;
  int64_t ctime_ms = 0, mtime_ms = 0;
  int32_t version = 0;
  SessionId owner;  // of an ephemeral node
  bool sequential = false;
  uint64_t creates = 0;  // children ever made
  Zxid pzxid;            // if creates > 0
  bool container = false;
  int64_t ttl_ms = 0;  // 0: none, and then no due_ms
  int64_t due_ms = 0;
  int32_t aversion = 0;
  uint32_t order = 0;
  std::string_view acl;  // canonical bytes (acl.h); none: open to all
  std::string_view data;
  bool null_data = false;  // then it is empty

  friend bool operator==(const NodeRecord&, const NodeRecord&) = default;
};

// One of the changes that a record holds, one behind the other. The key is that of the first.
struct ChangeRecord {
  Change::Kind kind = Change::Kind::kCreated;
  std::string_view path;
  // Canonical bytes (acl.h) of the lists that Change has; none: open to all.
  std::string_view acl{};
  std::string_view parent_acl{};
  std::string_view left{};  // bytes of Change::left (left_place.h), of a deletion; none: it was no place
  uint64_t distance =
      0;  // of its zxid from the one before it in the record; 0: of the same entry, or the first
};

std::string meta_key();
std::string node_key(std::string_view path);
std::string session_key(SessionId id);
std::string change_key(Zxid zxid, uint32_t place);
std::string quota_key(std::string_view path);

std::string encode_meta(const MetaRecord& meta);
Result<MetaRecord> decode_meta(std::string_view bytes);

std::string encode_node(const NodeRecord& node);
Result<NodeRecord> decode_node(std::string_view bytes);

std::string encode_session(const Session& session);
// Its id is in the key.
Result<Session> decode_session(SessionId id, std::string_view bytes);

// `value` is empty before the first.
void append_change(std::string& value, const ChangeRecord& change);
// At least one.
Result<std::vector<ChangeRecord>> decode_changes(std::string_view bytes);

std::string encode_quota(const QuotaLimits& limits);
Result<QuotaLimits> decode_quota(std::string_view bytes);

// The numbers in a key, behind its first byte.
Result<SessionId> decode_session_key(std::string_view key);
struct ChangeKey {
  Zxid zxid;
  uint32_t place = 0;
};
Result<ChangeKey> decode_change_key(std::string_view key);

// What one call of capture() may still append.
class Slice {
 public:
  Slice(size_t bytes_max, RecordList& out) : bytes_max_(bytes_max), out_(out) {}

  bool full() const { return bytes_ >= bytes_max_; }
  size_t room() const { return full() ? 0 : bytes_max_ - bytes_; }
  void put(const Record& record) {
    bytes_ += record.key.size() + (record.value ? record.value->size() : 0);
    out_.push_back(record);
  }
  // Moves all of them, however many. Those were copied in time, so their memory is used already.
  void put_all(RecordList& records) {
    bytes_ += records.bytes();
    out_.take(records);
  }

 private:
  const size_t bytes_max_;
  size_t bytes_ = 0;
  RecordList& out_;
};

}  // namespace quorate::kv
