// Captures of the state, building a state from them, the history of changes, and the scrub.
#include <algorithm>

#include "base/check.h"
#include "kv/checkpoint.h"
#include "kv/operations.h"
#include "kv/path.h"
#include "kv/state_machine_impl.h"
#include "kv/text.h"

namespace quorate::kv {

// ---- captures

size_t StateMachine::dirty_bytes() const {
  return impl_->tree.dirty_bytes() + impl_->sessions.dirty_bytes() + impl_->history.dirty_bytes();
}

void StateMachine::begin_capture() {
  Impl& state = *impl_;
  CHECK_MSG(!state.capturing, "one capture at a time");
  state.capturing = true;
  MetaRecord meta;
  meta.index = state.index;
  meta.zxid_base = state.zxid_base;
  meta.stamp = state.stamp;
  meta.state_hash = state.hash();
  meta.history_floor = state.history.floor();
  meta.nodes = state.tree.size();
  meta.sessions = state.sessions.size();
  meta.quotas = state.tree.quotas().size();
  meta.changes = state.history.size();
  state.capture_first.push_back({meta_key(), encode_meta(meta)});
  for (const std::string& path : state.tree.take_changed_quotas()) {
    const Quota* const quota = state.tree.quotas().find(path);
    Record record{quota_key(path), std::nullopt};
    if (quota != nullptr) record.value = encode_quota(quota->limits);
    state.capture_first.push_back(std::move(record));
  }
  state.tree.begin_capture(state.zxid());
  state.sessions.begin_capture(state.zxid());
  state.history.begin_capture();
}

bool StateMachine::capture(size_t bytes_max, RecordList& out) {
  Impl& state = *impl_;
  CHECK_MSG(state.capturing, "no capture was begun");
  Slice slice(bytes_max, out);
  slice.put_all(state.capture_first);
  // All erasures before the first copy: a key that was erased and came back has a record, too.
  if (!state.tree.capture_erasures(slice) || !state.sessions.capture_erasures(slice) ||
      !state.history.capture_erasures(slice)) {
    return false;
  }
  state.tree.capture_early(slice);
  state.sessions.capture_early(slice);
  state.history.capture_early(slice);
  if (!state.tree.capture_nodes(slice) || !state.sessions.capture_sessions(slice) ||
      !state.history.capture_changes(slice)) {
    return false;
  }
  state.capturing = false;
  return true;
}

void StateMachine::mark_all_changed() {
  CHECK(!impl_->capturing);
  impl_->tree.mark_all_dirty();
  impl_->sessions.mark_all_dirty();
  impl_->history.mark_all_dirty();
}

void StateMachine::begin_anew(uint64_t zxid_base) {
  Impl& state = *impl_;
  CHECK(!state.capturing);
  CHECK_MSG(zxid_base > state.zxid().value(), "a new cluster begins above the old one's zxids");
  state.index = Index();
  state.zxid_base = zxid_base;
  Applied unheard;
  for (const SessionId id : state.sessions.ids()) {
    remove_owned(state.context(id, impl_->nobody, unheard), false);
    state.sessions.end(id);
  }
  state.history.forget_all(state.zxid());
  mark_all_changed();
}

// ---- history

Zxid StateMachine::history_floor() const { return impl_->history.floor(); }

Result<StateMachine::PastChanges> StateMachine::changes_since(std::string_view root, Zxid since,
                                                              size_t max_changes) const {
  return impl_->history.since(root, since, max_changes, impl_->zxid());
}

Result<StateMachine::PastChanges> StateMachine::changes_since(const WantedPath& wanted, Zxid since,
                                                              size_t max_changes) const {
  return impl_->history.since(wanted, since, max_changes, impl_->zxid());
}

// ---- scrub

std::optional<bool> StateMachine::scrub(size_t nodes_max) { return impl_->tree.scrub(nodes_max); }

bool StateMachine::damage_node(std::string_view path) {
  const Place place = impl_->tree.find(path);
  if (place.ref == kNone) return false;
  Node& node = impl_->tree.node_to_damage(place.ref);
  if (node.data_size > 0) {
    node.payload[node.name_size] = static_cast<char>(node.payload[node.name_size] ^ 1);
  } else {
    node.mtime_ms ^= 1;
  }
  return true;
}

// ---- loading

struct StateLoader::Impl {
  explicit Impl(const Limits& l) : limits(l), state(l) {}

  Status add(std::string_view key, std::string_view value);
  Status add_node(std::string_view path, std::string_view value);
  Status add_session(std::string_view key, std::string_view value);
  Status add_change(std::string_view key, std::string_view value);
  Status check_counts() const;

  const Limits limits;
  StateMachine state;
  std::string last_key;
  std::optional<MetaRecord> meta;
  uint64_t nodes = 0, sessions = 0;
  std::vector<std::pair<std::string, QuotaLimits>> quotas;
  bool failed = false;
};

namespace {
Error wrong(std::string what) { return {ErrorCode::kCorruption, std::move(what)}; }
}  // namespace

Status StateLoader::Impl::add_node(std::string_view path, std::string_view value) {
  const Result<NodeRecord> node = decode_node(value);
  if (!node.ok()) return node.error();
  // Its order, and whether its removal needs an erasure, follow from the zxids.
  if (!meta || node->mzxid > meta->zxid() || node->pzxid > meta->zxid()) {
    return wrong("the record of the node at " + shown(path) + " is of a later entry than the last");
  }
  ++nodes;
  return state.impl_->tree.load(path, *node);
}

Status StateLoader::Impl::add_session(std::string_view key, std::string_view value) {
  const Result<SessionId> id = decode_session_key(key);
  if (!id.ok()) return id.error();
  Result<Session> session = decode_session(*id, value);
  if (!session.ok()) return session.error();
  if (!meta || id->value() > meta->zxid().value() || session->attached_at > meta->zxid()) {
    return wrong("the record of session " + std::to_string(id->value()) +
                 " is of a later entry than the last");
  }
  ++sessions;
  return state.impl_->sessions.load(std::move(*session));
}

Status StateLoader::Impl::add_change(std::string_view key, std::string_view value) {
  const Result<ChangeKey> at = decode_change_key(key);
  if (!at.ok()) return at.error();
  const Result<std::vector<ChangeRecord>> changes = decode_changes(value);
  if (!changes.ok()) return changes.error();
  return state.impl_->history.load(*at, *changes);
}

Status StateLoader::Impl::add(std::string_view key, std::string_view value) {
  if (key.empty() || key <= last_key) return wrong("the records are not in the order of their keys");
  last_key = key;
  const std::string_view behind = key.substr(1);
  switch (key.front()) {
    case kMetaKey: {
      if (!behind.empty()) return wrong("a record has an unknown key");
      const Result<MetaRecord> decoded = decode_meta(value);
      if (!decoded.ok()) return decoded.error();
      meta = *decoded;
      state.impl_->tree.reserve(static_cast<size_t>(std::min<uint64_t>(meta->nodes, SIZE_MAX)));
      return {};
    }
    case kNodeKey:
      return add_node(behind, value);
    case kSessionKey:
      return add_session(key, value);
    case kChangeKey:
      return add_change(key, value);
    case kQuotaKey: {
      const Result<QuotaLimits> decoded = decode_quota(value);
      if (!decoded.ok()) return decoded.error();
      if (!validate_path(behind).ok()) return wrong("a quota has a path that none can have");
      if (!validate_quota(*decoded).ok()) return wrong("a quota has limits that none can have");
      if (quotas.size() >= kQuotasMax) return wrong("there are more quotas than there can be");
      quotas.emplace_back(behind, *decoded);
      return {};
    }
    default:
      return {};
  }
}

Status StateLoader::Impl::check_counts() const {
  if (!meta) return wrong("the record of the state itself is missing");
  if (nodes != meta->nodes || sessions != meta->sessions || quotas.size() != meta->quotas) {
    return wrong("records are missing, or there are too many");
  }
  return {};
}

StateLoader::StateLoader(const Limits& limits) : impl_(std::make_unique<Impl>(limits)) {}
StateLoader::~StateLoader() = default;

Status StateLoader::add(std::string_view key, std::string_view value) {
  Status status = impl_->add(key, value);
  impl_->failed = impl_->failed || !status.ok();
  return status;
}

Result<StateMachine> StateLoader::finish() {
  Impl& loader = *impl_;
  StateMachine::Impl& state = *loader.state.impl_;
  if (loader.failed) return wrong("a record before was damaged");
  if (Status counts = loader.check_counts(); !counts.ok()) return counts.error();
  state.index = loader.meta->index;
  state.zxid_base = loader.meta->zxid_base;
  state.stamp = loader.meta->stamp;
  if (Status tree = state.tree.finish_load(state.zxid()); !tree.ok()) return tree.error();
  for (const auto& [path, limits] : loader.quotas) state.tree.set_quota(path, limits);
  (void)state.tree.take_changed_quotas();
  state.sessions.finish_load(state.zxid());
  const MetaRecord& meta = *loader.meta;
  if (Status history = state.history.finish_load(meta.history_floor, meta.changes, state.zxid());
      !history.ok())
    return history.error();
  size_t owners = 0;
  for (const SessionId id : state.sessions.ids()) owners += state.tree.owned_count(id) > 0 ? 1 : 0;
  if (owners != state.tree.owner_count()) return wrong("an ephemeral node belongs to no session");
  if (state.hash() != loader.meta->state_hash) return wrong("the state's hash is not that of its records");
  return std::move(loader.state);
}

}  // namespace quorate::kv
