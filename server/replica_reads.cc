// Answers from the own tree, once a barrier has shown that it is new enough, and the watches that reads set.
//
// Answers of one connection are put out a little at a time: the shell says when there is room for more. A
// client that asks for a thousand large nodes at once is so served as fast as it reads, and no faster.
#include <algorithm>
#include <array>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "base/check.h"
#include "kv/path.h"
#include "lock/service.h"
#include "server/replica_impl.h"

namespace quorate::server {
namespace {

// What a name or a change takes in an answer beside its bytes, and an answer beside those.
constexpr size_t kItemBytes = 32;
constexpr size_t kReplyBytes = 256;
// What was gone through takes as long as so many bytes of an answer, though nothing of it be told.
constexpr size_t kLookedAtBytes = 32;

// Changes of the history that are looked at for one answer.
constexpr size_t kChangesLookedAtMax = 2'000;
// Of who left a place in a queue, beside the name.
constexpr size_t kLeftBytes = 48;
constexpr size_t kPageChildrenMax = 10'000;

size_t bytes_of(const NodeReply& node) { return node.data.size(); }
size_t bytes_of(const ChildrenReply& children) {
  size_t bytes = 0;
  for (const std::string& name : children.names) bytes += name.size() + kItemBytes;
  return bytes;
}

// Of kv::Change and kv::StateMachine::PastChange.
size_t bytes_of(const auto& change) {
  return change.path.size() + kItemBytes +
         (change.left == nullptr ? 0 : kLeftBytes + change.left->name.size());
}

// Keeps whole entries from the front, as many as have room; the zxid of the last is in `up_to`. False: not
// even the first has room.
bool cut_to(size_t bytes_max, std::vector<kv::StateMachine::PastChange>& changes, Zxid& up_to) {
  size_t bytes = 0;
  size_t whole = 0;  // changes of entries that have room
  for (size_t i = 0; i < changes.size(); ++i) {
    if (i > 0 && changes[i].zxid != changes[i - 1].zxid) whole = i;
    bytes += bytes_of(changes[i]);
    if (bytes <= bytes_max) continue;
    if (whole == 0) return false;
    changes.resize(whole);
    up_to = changes.back().zxid;
    return true;
  }
  return true;
}

void forget_who_left(std::vector<kv::StateMachine::PastChange>& changes) {
  for (auto& change : changes) change.left = nullptr;
}

// Of an entry that took so many places that only what it did has room.
bool cut_without_who_left(size_t bytes_max, std::vector<kv::StateMachine::PastChange>& changes, Zxid& up_to) {
  for (auto& change : changes)
    if (change.zxid == changes.front().zxid) change.left = nullptr;
  return cut_to(bytes_max, changes, up_to);
}

}  // namespace

void Replica::Impl::serve_ready_reads() {
  serve_drained();
  for (Barriers::Served& served : barriers.take_applied(raft->applied_index())) {
    for (size_t i = 0; i < served.reads.size(); ++i) {
      if (i % kv::StateMachine::kPrefetchMax == 0) prefetch_reads(std::span(served.reads).subspan(i));
      WaitingRead& read = served.reads[i];
      if (!listens(read.asker.connection)) continue;
      if (std::holds_alternative<PingRequest>(read.body)) {
        serve_ping(read, served.gone.contains(read.session));
      } else if (std::holds_alternative<SyncRequest>(read.body)) {
        reply(read.asker, std::monostate());
      } else {
        serve_when_room(std::move(read));
      }
    }
  }
}

// Of the first kPrefetchMax.
void Replica::Impl::prefetch_reads(std::span<const WaitingRead> reads) const {
  std::array<std::string_view, kv::StateMachine::kPrefetchMax> paths;
  size_t count = 0;
  for (const WaitingRead& read : reads.first(std::min(reads.size(), paths.size()))) {
    if (const auto* get = std::get_if<GetRequest>(&read.body)) paths[count++] = get->path;
  }
  if (count > 1) state.prefetch_paths({paths.data(), count});
}

void Replica::Impl::serve_drained() {
  for (const ConnectionId id : std::exchange(drained, {})) {
    const auto at = connections.find(id);
    if (at == connections.end() || at->second.closing) continue;
    at->second.crowded = false;
    for (WaitingRead& read : take_deferred(id, at->second)) serve_when_room(std::move(read));
    if (at->second.zookeeper) {
      at->second.zookeeper->held_back = false;
      zookeeper_advance(id, at->second);
    }
  }
}

std::vector<WaitingRead> Replica::Impl::take_deferred(ConnectionId id, Connection& connection) {
  std::vector<WaitingRead> deferred = std::exchange(connection.deferred, {});
  if (deferred.empty()) return deferred;
  deferring.erase({connection.deferring_since, id});
  for (const WaitingRead& read : deferred) deferred_bytes -= read.bytes;
  return deferred;
}

// Who reads no answers keeps others' reads from being taken.
void Replica::Impl::drop_unread() {
  CHECK(deferring.size() <= connections.size());
  while (!deferring.empty() && deferred_bytes >= options.waiting_reads_bytes_max / 2) {
    const auto [since, id] = *deferring.begin();
    if (since + options.unread_max > now.instant) return;
    drop(id, connections.at(id), "it does not read its answers, and others' reads need the room");
  }
}

// Nothing that is queued for it is waited for.
void Replica::Impl::drop(ConnectionId id, Connection& connection, std::string why) {
  (void)take_deferred(id, connection);
  connection.closing = true;
  output.drop.push_back({id, std::move(why)});
}

// REQUIRES: the connection is there.
void Replica::Impl::serve_when_room(WaitingRead read) {
  Connection& connection = connections.at(read.asker.connection);
  if (!connection.crowded && all_turn_bytes >= options.turn_bytes_max) {
    connection.crowded = true;
    ++reads_put_off;
    put_off.push_back(read.asker.connection);
  }
  if (connection.crowded) {
    deferred_bytes += read.bytes;
    if (connection.deferred.empty()) {
      connection.deferring_since = now.instant;
      deferring.emplace(now.instant, read.asker.connection);
    }
    connection.deferred.push_back(std::move(read));
    return;
  }
  serve(read);
}

void Replica::Impl::count_reply(Connection& connection, size_t bytes) {
  if (connection.turn != turn) connection.turn_bytes = 0;
  connection.turn = turn;
  const size_t taken = std::max(bytes, std::exchange(looked_at, 0) * kLookedAtBytes) + kReplyBytes;
  connection.turn_bytes += taken;
  // What ZooKeeper's clients read has its turn before the others' reads, which would get nothing of it.
  if (!connection.zookeeper) all_turn_bytes += taken;
}

void Replica::Impl::serve(const WaitingRead& read) {
  looked_at = 0;
  const size_t before = output.clients.size();
  request_figures.reads.add(now.instant - read.asked);
  std::visit(
      [&](const auto& body) {
        using Body = std::decay_t<decltype(body)>;
        if constexpr (requires { body.path; }) note_hot(body.path);
        if constexpr (std::is_same_v<Body, GetRequest>) {
          serve_node(read, body);
        } else if constexpr (std::is_same_v<Body, ChildrenRequest>) {
          serve_children(read, body);
        } else if constexpr (std::is_same_v<Body, ChildrenPageRequest>) {
          serve_page(read, body);
        } else if constexpr (std::is_same_v<Body, MultiReadRequest>) {
          serve_many(read, body);
        } else if constexpr (std::is_same_v<Body, ResumeWatchRequest>) {
          resume_watch(read, body);
        } else if constexpr (std::is_same_v<Body, WatchSinceRequest>) {
          watch_since(read, body);
        } else if constexpr (std::is_same_v<Body, LockPlaceRequest>) {
          serve_place(read, body);
        } else if constexpr (std::is_same_v<Body, LockVerifyRequest>) {
          serve_verify(read, body);
        } else if constexpr (std::is_same_v<Body, SnapshotPartRequest>) {
          begin_backup(read);
        } else if constexpr (std::is_same_v<Body, GetAclRequest>) {
          serve_acl(read, body);
        } else if constexpr (std::is_same_v<Body, QuotaRequest>) {
          serve_quota(read, body);
        } else if constexpr (std::is_same_v<Body, LockShowRequest>) {
          serve_lock(read, body);
        } else if constexpr (std::is_same_v<Body, LockListRequest>) {
          serve_locks(read, body);
        } else if constexpr (std::is_same_v<Body, SessionListRequest>) {
          serve_sessions(read, body);
        } else if constexpr (std::is_same_v<Body, EndSessionRequest>) {
          end_session(read, body.session);
        } else if constexpr (std::is_same_v<Body, HotPathsRequest>) {
          serve_hot_paths(read, body);
        } else {
          refuse(read.asker, ErrorCode::kUnsupported, "this server does not know that request");
        }
      },
      read.body);
  Connection& connection = connections.at(read.asker.connection);
  if (output.clients.size() > before) count_reply(connection, 0);
  if (connection.turn_bytes < options.turn_reply_bytes_max || connection.crowded) return;
  connection.crowded = true;
  output.crowded.push_back(read.asker.connection);
}

void Replica::Impl::serve_ping(const WaitingRead& read, bool session_gone) {
  // The tree is at least as new as the sign of life: an expiry that came before it shows.
  if (session_gone || !state.session(read.session))
    return refuse(read.asker, ErrorCode::kSessionExpired, "the session has expired: open a new one");
  reply(read.asker, std::monostate());
}

Result<NodeReply> Replica::Impl::read_node(SessionId session, const GetRequest& request) const {
  // Whether it exists may be asked by everybody; see kv/view.h.
  auto node = request.with_data ? view_of(session).get(request.path) : state.get(request.path);
  if (!node.ok()) return node.error();
  return NodeReply{request.with_data ? std::string(node->data) : std::string(), node->stat};
}

Result<ChildrenReply> Replica::Impl::read_children(SessionId session, const ChildrenRequest& request) const {
  const auto node = view_of(session).get(request.path);
  if (!node.ok()) return node.error();
  const auto count = static_cast<size_t>(node->stat.num_children);
  const auto too_many = [count] {
    return Error{ErrorCode::kTooLarge, "the node has " + std::to_string(count) +
                                           " children, too many for one answer: list them in pages"};
  };
  if (count * kItemBytes > options.reply_bytes_max) return too_many();
  looked_at += count;
  const auto children = state.children(request.path);
  if (!children.ok()) return children.error();
  ChildrenReply names{{}, node->stat};
  size_t bytes = 0;
  for (const kv::Child& child : *children) bytes += child.name.size() + kItemBytes;
  if (bytes > options.reply_bytes_max) return too_many();
  names.names.reserve(children->size());
  for (const kv::Child& child : *children) names.names.emplace_back(child.name);
  return names;
}

void Replica::Impl::serve_node(const WaitingRead& read, const GetRequest& request) {
  auto node = read_node(read.session, request);
  const bool watchable = node.ok() || node.code() == ErrorCode::kNoNode;
  if (request.watch != 0 && watchable) {
    const Status added =
        watches.add(read.asker.connection, request.watch, kv::WatchKind::kData, request.path);
    if (!added.ok()) return refuse(read.asker, added.code(), added.error().message);
  }
  if (!node.ok()) return refuse(read.asker, node.code(), node.error().message);
  count_reply(connections.at(read.asker.connection), bytes_of(*node));
  reply(read.asker, std::move(*node));
}

void Replica::Impl::serve_children(const WaitingRead& read, const ChildrenRequest& request) {
  auto children = read_children(read.session, request);
  if (!children.ok()) return refuse(read.asker, children.code(), children.error().message);
  if (request.watch != 0) {
    const Status added =
        watches.add(read.asker.connection, request.watch, kv::WatchKind::kChildren, request.path);
    if (!added.ok()) return refuse(read.asker, added.code(), added.error().message);
  }
  count_reply(connections.at(read.asker.connection), bytes_of(*children));
  reply(read.asker, std::move(*children));
}

void Replica::Impl::serve_page(const WaitingRead& read, const ChildrenPageRequest& request) {
  kv::ChildPageOptions wanted;
  wanted.after = request.after;
  wanted.count_max = std::min(request.max, kPageChildrenMax);
  wanted.prefix = request.prefix;
  auto page = view_of(read.session).children_page(request.path, wanted);
  if (!page.ok()) return refuse(read.asker, page.code(), page.error().message);
  ChildrenPageReply answer;
  size_t bytes = 0;
  for (const kv::Child& child : page->children) {
    answer.names.emplace_back(child.name);
    bytes += child.name.size() + kItemBytes;
  }
  answer.next = std::move(page->next);
  count_reply(connections.at(read.asker.connection), bytes);
  reply(read.asker, std::move(answer));
}

void Replica::Impl::serve_many(const WaitingRead& read, const MultiReadRequest& request) {
  if (request.parts.size() > kMultiReadPartsMax) {
    return refuse(read.asker, ErrorCode::kTooLarge,
                  "at most " + std::to_string(kMultiReadPartsMax) + " reads can be asked for at once");
  }
  MultiReadReply answer;
  size_t bytes = 0;
  for (const auto& part : request.parts) {
    ReadResult& result = answer.results.emplace_back();
    const auto take = [&](auto one) {
      if (one.ok()) {
        bytes += bytes_of(*one);
        result.body = std::move(*one);
      } else {
        result.error = one.error();
      }
    };
    note_hot(std::visit([](const auto& body) { return std::string_view(body.path); }, part));
    if (const auto* get = std::get_if<GetRequest>(&part)) {
      take(read_node(read.session, *get));
    } else {
      take(read_children(read.session, std::get<ChildrenRequest>(part)));
    }
    bytes += kReplyBytes;
    // Lists that are refused count, too: nobody else is served while they are gone through.
    if (std::max(bytes, looked_at * kItemBytes) > options.reply_bytes_max) {
      return refuse(read.asker, ErrorCode::kTooLarge,
                    "the answers have more than " + std::to_string(options.reply_bytes_max) +
                        " bytes together: ask for fewer at once");
    }
  }
  count_reply(connections.at(read.asker.connection), bytes);
  reply(read.asker, std::move(answer));
}

// ---- watches

void Replica::Impl::resume_watch(const WaitingRead& read, const ResumeWatchRequest& request) {
  if (Status valid = kv::validate_path(request.path); !valid.ok()) {
    return refuse(read.asker, valid.code(), valid.error().message);
  }
  const ConnectionId connection = read.asker.connection;
  // What may not be read is not told of, but watched from here on.
  const bool denied = view_of(read.session).get(request.path).code() == ErrorCode::kDenied;
  const auto missed =
      denied ? std::nullopt
             : kv::missed_since(state, request.path, request.kind, request.seen, request.existed);
  if (missed) {
    output.clients.push_back(
        {connection, kv::WatchEvent{connection, request.watch, *missed, request.path, state.zxid()}});
  } else if (Status added = watches.add(connection, request.watch, request.kind, request.path); !added.ok()) {
    return refuse(read.asker, added.code(), added.error().message);
  }
  reply(read.asker, std::monostate());
}

void Replica::Impl::watch_since(const WaitingRead& read, const WatchSinceRequest& request) {
  if (Status valid = kv::validate_path(request.root); !valid.ok()) {
    return refuse(read.asker, valid.code(), valid.error().message);
  }
  // The answer comes from a state that is at least as new as all that any client has seen.
  if (request.since > state.zxid()) {
    return refuse(read.asker, ErrorCode::kInvalidArgument,
                  "zxid " + std::to_string(request.since.value()) +
                      " is ahead of this cluster: is it another one's? Read the state again");
  }
  const kv::WatchKind kind = request.recursive ? kv::WatchKind::kTreeFeed : kv::WatchKind::kNodeFeed;
  ChangesReply answer;
  answer.up_to = state.zxid();
  answer.floor = state.history_floor();
  if (request.since != Zxid()) {
    auto past = view_of(read.session)
                    .changes_since(request.root, request.since, kChangesLookedAtMax, request.recursive);
    if (!past.ok()) return refuse(read.asker, past.code(), past.error().message);
    answer.up_to = past->up_to;
    if (!request.past) forget_who_left(past->changes);
    if (!cut_to(options.reply_bytes_max, past->changes, answer.up_to) &&
        !cut_without_who_left(options.reply_bytes_max, past->changes, answer.up_to)) {
      return refuse(read.asker, ErrorCode::kHistoryGone,
                    "the change of zxid " + std::to_string(past->changes.front().zxid.value()) +
                        " is too large to be told: read again");
    }
    answer.changes = std::move(past->changes);
  }
  if (answer.up_to >= state.zxid() && !request.past) {
    const Status added = watches.add(read.asker.connection, request.watch, kind, request.root);
    if (!added.ok()) return refuse(read.asker, added.code(), added.error().message);
    answer.live = true;
  }
  size_t bytes = 0;
  for (const auto& change : answer.changes) bytes += bytes_of(change);
  count_reply(connections.at(read.asker.connection), bytes);
  reply(read.asker, std::move(answer));
}

// Told eight times while the history turns over once. Behind what the entry fired.
void Replica::Impl::tell_progress(const kv::Applied& applied) {
  for (const kv::Change& change : applied.changes) untold_history_bytes += bytes_of(change);
  if (untold_history_bytes < options.kv.history_bytes_max / 8) return;
  untold_history_bytes = 0;
  for (const ConnectionId connection : watches.fed())
    output.clients.push_back({connection, ProgressEvent{applied.zxid}});
}

}  // namespace quorate::server
