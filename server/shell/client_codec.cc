#include "server/shell/client_codec.h"

#include <google/protobuf/arena.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <string>
#include <utility>

#include "base/check.h"
#include "base/codec.h"
#include "kv/path.h"
#include "kv/queue.h"
#include "proto/client.pb.h"
#include "server/shell/client_requests.h"

namespace quorate::server {

namespace {

constexpr size_t kLengthBytes = 4;

// ---- replies and events

void put(const kv::Stat& stat, api::Stat& out) {
  out.set_czxid(stat.czxid.value());
  out.set_mzxid(stat.mzxid.value());
  out.set_pzxid(stat.pzxid.value());
  out.set_ctime_ms(stat.ctime_ms);
  out.set_mtime_ms(stat.mtime_ms);
  out.set_version(stat.version);
  out.set_cversion(stat.cversion);
  out.set_aversion(stat.aversion);
  out.set_ephemeral_owner(stat.ephemeral_owner.value());
  out.set_data_length(static_cast<uint32_t>(stat.data_length));
  out.set_num_children(static_cast<uint32_t>(stat.num_children));
}

void put(const NodeReply& node, api::Node& out) {
  out.set_data(node.data);
  put(node.stat, *out.mutable_stat());
}

void put(const ChildrenReply& children, api::ChildrenList& out) {
  for (const std::string& name : children.names) out.add_names(name);
  put(children.stat, *out.mutable_stat());
}

void put(const lock::Contender& contender, api::Contender& out) {
  out.set_node(contender.node);
  out.set_session(contender.session.value());
  out.set_token(contender.token.value());
  out.set_data(contender.data);
  out.set_since_ms(contender.since_ms);
  out.set_mode(static_cast<uint32_t>(contender.mode.mode));
  out.set_permits(contender.mode.permits);
  out.set_delay_ms(contender.mode.delay_ms);
}

void put(const lock::LockView& view, api::Lock& out) {
  out.set_path(view.path);
  if (view.holder) put(*view.holder, *out.mutable_holder());
  for (const lock::Contender& holder : view.sharing) put(holder, *out.add_sharing());
  for (const lock::Contender& waiter : view.waiters) put(waiter, *out.add_waiters());
  out.set_kept(view.kept);
  out.set_mixed(view.mixed);
  out.set_unknown(view.unknown);
  out.set_more(view.more);
}

void put(const SessionInfo& session, api::SessionInfo& out) {
  out.set_id(session.id.value());
  out.set_timeout_ms(session.timeout_ms);
  out.set_ephemerals(session.ephemerals);
  for (const std::string& path : session.paths) out.add_paths(path);
  for (const kv::Credential& credential : session.who) {
    api::Who& who = *out.add_who();
    who.set_scheme(credential.scheme);
    who.set_name(credential.id);
  }
}

void put(const RequestFigures& figures, api::RequestFigures& out) {
  out.set_at_ms(static_cast<uint64_t>(to_ms(figures.at.time_since_epoch())));
  const auto put_all = [](const LatencyBuckets& buckets, auto& to) {
    for (const LatencyBuckets::Bucket& bucket : buckets.filled()) {
      api::LatencyBucket& each = *to.Add();
      each.set_up_to_us(bucket.up_to_us);
      each.set_count(bucket.count);
    }
  };
  put_all(figures.reads, *out.mutable_reads());
  put_all(figures.writes, *out.mutable_writes());
}

void put(const MemberStatus& member, api::MemberStatus& out) {
  out.set_id(member.id.value());
  out.set_role(static_cast<uint32_t>(member.role));
  out.set_peer_address(member.peer_address);
  out.set_client_address(member.client_address);
  out.set_has_match(member.match.has_value());
  if (member.match) out.set_match(member.match->value());
}

void put(const kv::StateMachine::PastChange& change, api::Change& out) {
  // One numbering for all that is told of changes.
  switch (change.kind) {
    case kv::Change::Kind::kCreated:
      out.set_kind(static_cast<uint32_t>(kv::EventKind::kCreated));
      break;
    case kv::Change::Kind::kDeleted:
      out.set_kind(static_cast<uint32_t>(kv::EventKind::kDeleted));
      break;
    case kv::Change::Kind::kDataSet:
      out.set_kind(static_cast<uint32_t>(kv::EventKind::kDataChanged));
      break;
  }
  out.set_path(change.path);
  out.set_zxid(change.zxid.value());
  if (change.left == nullptr) return;
  const kv::LeftPlace& left = *change.left;
  lock::Contender whose{{}, left.session, Token(left.czxid.value()), left.name, left.since_ms, left.mode};
  if (kv::is_foreign_reader(kv::name_of(change.path))) whose.mode.mode = kv::Mode::kShared;
  put(whose, *out.mutable_left());
  out.set_left_ms(left.left_ms);
}

struct ReplyEncoder {
  api::Reply& reply;

  void operator()(const std::monostate&) const {}
  void operator()(const kv::Outcome& outcome) const {
    auto& out = *reply.mutable_outcome();
    // One place for a refusal, whoever refused.
    if (reply.code() == 0 && outcome.code != ErrorCode::kOk) {
      reply.set_code(static_cast<uint32_t>(outcome.code));
      reply.set_message(outcome.message);
    }
    out.set_zxid(outcome.zxid.value());
    out.set_path(outcome.path);
    if (outcome.stat.czxid != Zxid()) put(outcome.stat, *out.mutable_stat());
    out.set_held(outcome.held);
    out.set_token(outcome.token.value());
    out.set_session(outcome.session.value());
    out.set_epoch(outcome.epoch);
    out.set_timeout_ms(outcome.timeout_ms);
    out.set_next_number(outcome.next_number);
    for (const kv::OperationResult& result : outcome.results) {
      api::OperationResult& each = *out.add_results();
      each.set_code(static_cast<uint32_t>(result.code));
      if (!result.message.empty()) each.set_message(result.message);
      each.set_path(result.path);
      each.set_held(result.held);
      if (result.stat.czxid != Zxid()) put(result.stat, *each.mutable_stat());
    }
  }
  void operator()(const NodeReply& node) const { put(node, *reply.mutable_node()); }
  void operator()(const ChildrenReply& children) const { put(children, *reply.mutable_children()); }
  void operator()(const ChildrenPageReply& page) const {
    auto& out = *reply.mutable_children_page();
    for (const std::string& name : page.names) out.add_names(name);
    if (!page.next) return;
    out.mutable_next()->set_czxid(page.next->czxid.value());
    out.mutable_next()->set_order(page.next->order);
    out.mutable_next()->set_name(page.next->name);
  }
  void operator()(const MultiReadReply& multi) const {
    for (const ReadResult& result : multi.results) {
      api::ReadResult& each = *reply.mutable_multi_read()->add_results();
      each.set_code(static_cast<uint32_t>(result.error.code));
      if (!result.error.message.empty()) each.set_message(result.error.message);
      if (const auto* node = std::get_if<NodeReply>(&result.body)) put(*node, *each.mutable_node());
      if (const auto* children = std::get_if<ChildrenReply>(&result.body))
        put(*children, *each.mutable_children());
    }
  }
  void operator()(const kv::View::AclView& acl) const {
    auto& out = *reply.mutable_acl();
    for (const kv::AclEntry& entry : acl.acl) {
      auto& to = *out.add_entries();
      to.set_permissions(entry.permissions);
      to.set_scheme(entry.scheme);
      to.set_id(entry.id);
    }
    put(acl.stat, *out.mutable_stat());
  }
  void operator()(const kv::Quota& quota) const {
    auto& limits = *reply.mutable_quota()->mutable_limits();
    limits.set_count_soft(quota.limits.count_soft);
    limits.set_count_hard(quota.limits.count_hard);
    limits.set_bytes_soft(quota.limits.bytes_soft);
    limits.set_bytes_hard(quota.limits.bytes_hard);
    reply.mutable_quota()->set_used_count(quota.used.count);
    reply.mutable_quota()->set_used_bytes(quota.used.bytes);
  }
  void operator()(const SnapshotPartReply& part) const {
    auto& out = *reply.mutable_snapshot_part();
    out.set_snapshot(part.snapshot);
    out.set_name(part.name);
    out.set_records(std::string(part.records.view()));
    out.set_checksum(part.checksum);
    out.set_last_key(part.last_key);
    out.set_complete(part.complete);
  }
  void operator()(const lock::Place& place) const {
    reply.mutable_place()->set_held(place.held);
    reply.mutable_place()->set_token(place.token.value());
  }
  void operator()(const lock::LockView& view) const { put(view, *reply.mutable_lock()); }
  void operator()(const LockListReply& list) const {
    auto& out = *reply.mutable_locks();
    for (const lock::LockView& view : list.locks) put(view, *out.add_locks());
    out.set_next(list.next);
  }
  void operator()(const SessionListReply& list) const {
    auto& out = *reply.mutable_sessions();
    for (const SessionInfo& session : list.sessions) put(session, *out.add_sessions());
    out.set_next(list.next.value());
  }
  void operator()(const HotPathsReply& hot) const {
    auto& out = *reply.mutable_hot_paths();
    for (const HotPathsReply::Hot& path : hot.paths) {
      api::HotPath& each = *out.add_paths();
      each.set_path(path.path);
      each.set_count(path.count);
      each.set_surplus(path.surplus);
    }
    out.set_window_ms(static_cast<uint64_t>(to_ms(hot.window)));
    out.set_hidden(static_cast<uint32_t>(hot.hidden));
  }
  void operator()(const ChangesReply& changes) const {
    auto& out = *reply.mutable_changes();
    for (const auto& change : changes.changes) put(change, *out.add_changes());
    out.set_up_to(changes.up_to.value());
    out.set_live(changes.live);
    out.set_floor(changes.floor.value());
  }
  void operator()(const ServerStatus& status) const {
    auto& out = *reply.mutable_status();
    out.set_id(status.id.value());
    out.set_cluster(status.cluster.value());
    out.set_role(static_cast<uint32_t>(status.role));
    out.set_may_vote(status.may_vote);
    out.set_receiving(status.receiving);
    out.set_disk_full(status.disk_full);
    out.set_stuck(status.stuck);
    out.set_checkpoint(status.checkpoint.value());
    out.set_checkpointing(status.checkpointing);
    out.set_term(status.term.value());
    out.set_leader(status.leader.value());
    out.set_last_index(status.last_index.value());
    out.set_committed(status.committed.value());
    out.set_applied(status.applied.value());
    out.set_zxid(status.zxid.value());
    out.set_nodes(status.nodes);
    out.set_sessions(status.sessions);
    out.set_connections(status.connections);
    out.set_watches(status.watches);
    out.set_state_hash(status.state_hash);
    for (const MemberStatus& member : status.members) put(member, *out.add_members());
    if (status.served) put(*status.served, *out.mutable_served());
  }
};

struct MessageEncoder {
  api::ServerFrame& frame;

  void operator()(const ClientReply& reply) const {
    auto& out = *frame.mutable_reply();
    out.set_id(reply.id);
    out.set_code(static_cast<uint32_t>(reply.error.code));
    if (!reply.error.message.empty()) out.set_message(reply.error.message);
    out.set_zxid(reply.zxid.value());
    std::visit(ReplyEncoder{out}, reply.body);
  }
  void operator()(const kv::WatchEvent& event) const {
    auto& out = *frame.mutable_watch_event();
    out.set_watch(event.watch);
    out.set_kind(static_cast<uint32_t>(event.kind));
    out.set_path(event.path);
    out.set_zxid(event.zxid.value());
  }
  void operator()(const kv::FeedBatch& batch) const {
    auto& out = *frame.mutable_feed_batch();
    out.set_watch(batch.watch);
    for (const auto& change : batch.changes) put(change, *out.add_changes());
    out.set_zxid(batch.zxid.value());
  }
  void operator()(const ProgressEvent& event) const {
    frame.mutable_progress()->set_zxid(event.zxid.value());
  }
  void operator()(const zookeeper::ConnectReply&) const { CHECK(false); }
  void operator()(const zookeeper::Reply&) const { CHECK(false); }
  void operator()(const GrantEvent& event) const {
    auto& out = *frame.mutable_granted();
    out.set_node(event.grant.node);
    out.set_token(event.grant.token.value());
    out.set_zxid(event.grant.zxid.value());
  }
  void operator()(const LossEvent& event) const {
    frame.mutable_lost()->set_node(event.loss.node);
    frame.mutable_lost()->set_zxid(event.loss.zxid.value());
  }
  void operator()(const SessionEndEvent& event) const {
    frame.mutable_session_end()->set_session(event.session.value());
    frame.mutable_session_end()->set_code(static_cast<uint32_t>(event.code));
  }
};

}  // namespace

// Frames are built and parsed in one arena whose first block stays: no allocation for the small ones.
struct ClientCodec::Impl {
  Impl() : arena(options(memory)) {}
  static google::protobuf::ArenaOptions options(std::array<char, 8192>& memory) {
    google::protobuf::ArenaOptions options;
    options.initial_block = memory.data();
    options.initial_block_size = memory.size();
    return options;
  }
  template <class T>
  T& fresh() {
    arena.Reset();
    return *google::protobuf::Arena::CreateMessage<T>(&arena);
  }

  alignas(16) std::array<char, 8192> memory{};
  google::protobuf::Arena arena;
  std::string bytes;
};

ClientCodec::ClientCodec() : impl_(std::make_unique<Impl>()) {}
ClientCodec::~ClientCodec() = default;

Result<ClientRequest> ClientCodec::decode(ConnectionId connection, std::string_view frame, uint64_t& id) {
  auto& parsed = impl_->fresh<api::ClientFrame>();
  if (!parsed.ParseFromArray(frame.data(), static_cast<int>(frame.size()))) {
    return Error{ErrorCode::kMalformed, "a frame that does not parse"};
  }
  id = parsed.id();
  auto body = request_of(parsed);
  if (!body.ok()) return body.error();
  return ClientRequest{connection, parsed.id(), std::move(*body)};
}

void ClientCodec::encode(const ClientMessage& message, OutputQueue& out) {
  auto& frame = impl_->fresh<api::ServerFrame>();
  std::visit(MessageEncoder{frame}, message.body);
  std::string& bytes = impl_->bytes;
  bytes.clear();
  const size_t size = frame.ByteSizeLong();
  CHECK(size <= UINT32_MAX);
  bytes.resize(kLengthBytes + size);
  const uint32_t length = static_cast<uint32_t>(size);
  std::memcpy(bytes.data(), &length, sizeof(length));
  frame.SerializeWithCachedSizesToArray(reinterpret_cast<uint8_t*>(bytes.data()) + kLengthBytes);
  out.copy(bytes);
  if (bytes.capacity() > (256 << 10)) bytes = {};
}

Result<size_t> client_frame_size(std::string_view bytes, size_t bytes_max) {
  if (bytes.size() < kLengthBytes) return size_t{0};
  const uint32_t size = ByteReader(bytes).u32();
  if (size > bytes_max) {
    return Error{ErrorCode::kTooLarge,
                 "a frame of " + std::to_string(size) + " bytes; the limit is " + std::to_string(bytes_max)};
  }
  return kLengthBytes + size;
}

}  // namespace quorate::server
