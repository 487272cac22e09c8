// A store of records to write tests with, and all that can be seen of a state in one text.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "kv/checkpoint.h"
#include "kv/path.h"
#include "kv/queue.h"
#include "kv/state_machine.h"

namespace quorate::kv {

using Store = std::map<std::string, std::string>;

inline void write(Store& store, const RecordList& records) {
  for (const RecordView& record : records) {
    if (record.value) {
      store[std::string(record.key)] = *record.value;
    } else {
      store.erase(std::string(record.key));
    }
  }
}

// The value of a record with one change.
inline std::string encode_changes(const ChangeRecord& change) {
  std::string value;
  append_change(value, change);
  return value;
}

// A whole capture at once.
inline RecordList capture_all(StateMachine& state) {
  RecordList records;
  state.begin_capture();
  while (!state.capture(1 << 20, records)) continue;
  return records;
}

inline Result<StateMachine> load(const Store& store, const Limits& limits = {}) {
  StateLoader loader(limits);
  for (const auto& [key, value] : store) {
    if (Status status = loader.add(key, value); !status.ok()) return status.error();
  }
  return loader.finish();
}

namespace described {

inline void number(std::string& out, uint64_t value) { out.append(std::to_string(value)).push_back(' '); }

inline void stat(std::string& out, const Stat& s) {
  for (const Zxid zxid : {s.czxid, s.mzxid, s.pzxid}) number(out, zxid.value());
  for (const int64_t ms : {s.ctime_ms, s.mtime_ms}) number(out, static_cast<uint64_t>(ms));
  for (const int32_t n : {s.version, s.cversion, s.aversion, s.data_length, s.num_children})
    number(out, static_cast<uint32_t>(n));
  number(out, s.ephemeral_owner.value());
}

inline void node(std::string& out, const StateMachine& state, const std::string& path) {
  const NodeView view = state.get(path).value();
  out.append(path).append(" = ").append(view.data).append(": ");
  stat(out, view.stat);
  number(out, view.sequential);
  number(out, static_cast<uint64_t>(view.kind));
  number(out, static_cast<uint64_t>(view.ttl_ms));
  const std::vector<Child> children = state.children(path).value();
  out.append(" children:");
  for (const Child& child : children) {
    out.append(" ").append(child.name).append(" ");
    number(out, child.order);
  }
  const std::optional<Child> first = state.first_queued(path);
  out.append(" first: ").append(first ? first->name : "").append("\n");
  for (const Child& child : children) node(out, state, join_path(path, child.name));
}

inline const char* kind(Change::Kind kind) {
  switch (kind) {
    case Change::Kind::kCreated:
      return "+";
    case Change::Kind::kDeleted:
      return "-";
    case Change::Kind::kDataSet:
      return "=";
  }
  return "?";
}

}  // namespace described

// Everything but what the hash alone sees.
inline std::string describe(const StateMachine& state) {
  using described::number;
  std::string out;
  for (const uint64_t value : {state.applied().value(), state.zxid().value(), state.state_hash(),
                               static_cast<uint64_t>(state.last_stamp().wall_ms),
                               static_cast<uint64_t>(state.last_stamp().cluster_ms), state.node_count()}) {
    number(out, value);
  }
  out.append("\n");
  described::node(out, state, "/");
  for (const std::string& path : state.queues("/", SIZE_MAX)) out.append("queue ").append(path).append("\n");
  for (const SessionView& session : state.sessions()) {
    out.append("session ");
    for (const uint64_t value : {session.id.value(), uint64_t{session.epoch}, uint64_t{session.timeout_ms},
                                 session.next_number, uint64_t{session.ephemerals}}) {
      number(out, value);
    }
    for (const std::string& path : state.ephemerals(session.id)) out.append(path).append(" ");
    for (const Credential& credential : state.credentials(session.id))
      out.append(credential.scheme).append(":").append(credential.id).append(" ");
    out.append("\n");
  }
  out.append("history from ");
  number(out, state.history_floor().value());
  const StateMachine::PastChanges past = state.changes_since("/", state.history_floor(), SIZE_MAX).value();
  for (const StateMachine::PastChange& change : past.changes) {
    out.append(described::kind(change.kind));
    number(out, change.zxid.value());
    out.append(change.path);
    for (const auto& acl : {change.acl, change.parent_acl}) {
      out.push_back('|');
      if (acl != nullptr) append_acl(out, *acl);
    }
    if (change.left != nullptr) out.append("|").append(encode_left_place(*change.left));
    out.append("\n");
  }
  number(out, past.up_to.value());
  return out;
}

}  // namespace quorate::kv
