// A client of a Quorate cluster.
//
//   quorate::client::Client client({.endpoints = {"10.0.0.1:2181", "10.0.0.2:2181", "10.0.0.3:2181"}});
//   auto made = client.create("/services/a", "10.0.0.7:80", {.ephemeral = true});
//   if (!made.ok()) std::cerr << made.error().message << "\n";
//
// Every call answers with a value or an Error (a code and a sentence that says what to do). Reads are
// linearizable. A write is applied once, however often the connection breaks: it is sent again under the same
// number, and the servers keep its outcome. If no answer comes in time, the code is kOutcomeUnknown: it may
// or may not have been applied, or may yet be.
//
// The session is opened by the first write or acquire, and kept alive in the background; a client that only
// reads has none. When it is lost, its ephemeral nodes and locks are gone, writes answer kSessionExpired, and
// it is not replaced behind the caller's back: make a new Client. Reads and watches go on.
//
// Thread safety: all members. One thread in the background does all the waiting and runs the callbacks; a
// callback must not make a call that waits (it would answer kInvalidArgument), and must not close or destroy
// the client (that ends the program).
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "client/quorate/changes.h"
#include "client/quorate/lock.h"
#include "client/quorate/multi.h"
#include "client/quorate/snapshot.h"
#include "client/quorate/types.h"
#include "client/quorate/watch.h"

namespace quorate::client {

struct Options {
  // HOST:PORT, tried in this order, beginning with the first; names are looked up again at every attempt,
  // which begins with the next of several addresses. IPv6: [ADDRESS]:PORT.
  std::vector<std::string> endpoints{"127.0.0.1:2181"};
  // What the cluster may refuse or adjust. Locks are lost, and ephemeral nodes go, when no server was reached
  // for this long.
  milliseconds session_timeout{10'000};
  // How long a call looks for an answer, over as many servers as it takes.
  milliseconds request_timeout{5'000};
  // Locks count as lost this much earlier than they must: time to stop what they protect.
  milliseconds lost_margin{0};
  // Written into the queues of locks, for people: who we are.
  std::string name;
  // Who is asking: given to the cluster before all else that is asked, reads too, so that even a client that
  // only reads has a session. An error of one is the answer of the call.
  std::vector<Credential> credentials{};
  // Called once, on the background thread, when the session is lost: by time-out or because the cluster ended
  // it.
  std::function<void()> on_session_lost;
  // Called on the background thread with an endpoint (as it stands above) that turns out not to work, and
  // why: no connection, or no answer, or a server that refuses to serve. Another is tried, and this one again
  // in its turn; it is told once, until it works again. That is told with kOk, and so is the first one that
  // works. Not told: a server that has no quorum, and what status() and transfer() find.
  std::function<void(const std::string& endpoint, const Error& trouble)> on_endpoint{};
  // How many calls may be under way at once, those that wait for a lock too; one more: kLimitReached. A
  // release is never refused so.
  size_t outstanding_calls_max = 10'000;
};

struct AcquireOptions {
  // How long to wait for the lock. 0: not at all. None: until it is held.
  std::optional<milliseconds> wait{};
  // When the session of the holder expires, the lock is kept for nobody for so long: time for what the holder
  // began to come to an end. Not when it is released, nor when its client closes the session. Looked at about
  // once a second.
  milliseconds delay{0};
  // Written into the queue in place of Options::name.
  std::optional<std::string> data{};
};

class AsyncClient;  // client/quorate/async.h

class Client {
 public:
  // Starts the background thread; connects when there is something to ask. A wrong option is the answer of
  // every call, as is kLimitReached where the process has no descriptors or no thread left for it.
  explicit Client(Options options);
  // Closes the session (locks and ephemeral nodes go at once), waiting for its answer a second at most.
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;
  // What the destructor does. Calls that wait on other threads end, as later ones do, with kShuttingDown
  // (kOutcomeUnknown for a write that was sent).
  void close();

  // The same calls for those who do not wait: with handlers, futures, or the completion tokens of Boost.Asio.
  AsyncClient async();

  // Errors of all calls: kUnavailable (no server reachable), kNoQuorum, kTimeout: nothing was changed;
  // kBadPath, kTooLarge, kLimitReached. Errors of writes: kOutcomeUnknown, kSessionExpired.

  // Errors: kNodeExists; kNoNode when the parent does not exist; kNoChildrenForEphemerals; kInvalidTtl,
  // kInvalidAcl.
  Result<Created> create(std::string_view path, std::string_view data = {}, CreateOptions options = {});
  // Errors: kNoNode.
  Result<Node> get(std::string_view path, Watch* watch = nullptr);
  // None: there is no such node.
  Result<std::optional<Stat>> exists(std::string_view path, Watch* watch = nullptr);
  // Errors: kNoNode, kBadVersion.
  Result<Stat> set(std::string_view path, std::string_view data, int32_t version = kAnyVersion);
  // Errors: kNoNode, kBadVersion, kNotEmpty.
  Status remove(std::string_view path, int32_t version = kAnyVersion);
  // With all that is below, in one step. Errors: kNoNode; kTooManyNodes above 50,000 nodes, with the count.
  Status remove_all(std::string_view path);
  // All or nothing.
  MultiResult run(const Multi& multi);
  // Errors: kNoNode, kBadVersion (of the list: Stat::aversion), kInvalidAcl.
  Result<Stat> set_acl(std::string_view path, const Acl& acl, int32_t version = kAnyVersion);
  // Errors: kNoNode; kDenied without the permission to read or to administer. Digests are hidden from whoever
  // may not administer.
  Result<NodeAcl> get_acl(std::string_view path);
  // Proves who is asking, from here on, for the session: it lasts as long as that. Errors: kInvalidArgument.
  Status add_credential(const Credential& credential);
  // Replaces the limits of a path, which need not exist; without any the quota is removed. Needs the
  // permission to administer the parent. Errors: kDenied, kLimitReached for too many quotas.
  Status set_quota(std::string_view path, const QuotaLimits& limits);
  // None: there is no quota at that path. Errors: kDenied.
  Result<std::optional<Quota>> get_quota(std::string_view path);
  // Several reads of one state, each with its own error. Errors: kTooLarge above 1,000 reads or 4 MiB of
  // answers.
  Result<std::vector<ReadResult>> read_many(const std::vector<ReadRequest>& reads);
  // Part of the children, in the order of creation. A child that is there from the first page to the last is
  // in one of them, and in no other. Errors: kNoNode.
  Result<ChildrenPage> children_page(std::string_view path, const ChildrenPageOptions& options = {});
  // All of them, page by page, until `visit` returns false. It runs on the caller's thread and may ask the
  // client.
  Status for_each_child(std::string_view path, const std::function<bool(const std::string&)>& visit);
  // Names, not paths, in byte order. Errors: kTooLarge where they are too many for one answer: ask for pages.
  // The watch tells of children made and deleted, and of the node's own end. Errors: kNoNode (a watch is not
  // set then).
  Result<std::vector<std::string>> children(std::string_view path, Watch* watch = nullptr);

  // Every change at `root` and below it, each once, also over changes of server: client/quorate/changes.h.
  // Waits for the first answer; changes may be told before it returns. Errors: kHistoryGone: the history does
  // not reach back to options.since, read the state again; kInvalidArgument: it is ahead of this cluster.
  Result<ChangeFeed> watch_changes(std::string_view root, WatchChangesOptions options, OnChanges on_changes);

  // An exclusive lock. Makes the path where it is missing. Errors: kTimeout when it was not obtained in time
  // (it is then not in the queue any more, or leaves it as soon as a server is reached), kBadQueue,
  // kSessionExpired; kNoNode when somebody took the place away before it was told to hold.
  Result<Lock> acquire(std::string_view path, AcquireOptions options = {});
  // Shared with all others that ask for it so; in the order of arrival, so that a later one does not overtake
  // an exclusive one that waits. Clients of ZooKeeper's recipes take it for exclusive. Errors: as above.
  Result<SharedLock> acquire_shared(std::string_view path, AcquireOptions options = {});
  // One of `permits` permits of a semaphore; whoever asks for one says how many there are. Errors: as above;
  // kBadQueue where others hold or wait with another number.
  Result<Permit> acquire_permit(std::string_view path, uint32_t permits, AcquireOptions options = {});
  // All of these, exclusively, or none. Whoever acquires several so joins all queues in one step: no two
  // clients can wait for each other. Errors: as above; kContended without a wait; kTooLarge for more than 32
  // paths, or 1,500 bytes of them.
  Result<std::vector<Lock>> acquire_all(const std::vector<std::string>& paths, AcquireOptions options = {});
  // Whether the lock is held with that token, by whoever, shared and permits too. Errors: kNotHolder,
  // kNoNode.
  Status verify_lock(std::string_view path, Token token);
  // Takes the lock away from whoever holds it with that token, and tells him. Needs the permission to
  // administer the path. Errors: kNotHolder, kNoNode, kDenied.
  Status break_lock(std::string_view path, Token token);
  // Errors: kNoNode.
  Result<LockInfo> lock_show(std::string_view path);
  // The locks at `root` and below it that somebody holds, by path; asked for in pages, each true of its own
  // instant. At most `max` of them.
  Result<std::vector<LockInfo>> lock_list(std::string_view root = "/", size_t max = SIZE_MAX);

  // Who waits for whom at the locks of `root` and below it. Asked for in pages, as lock_list() does: what
  // changes meanwhile may be seen half.
  Result<LockGraph> lock_graph(std::string_view root = "/");

  // Who stood in the queue of a lock, and when, as far back as the cluster's bounded history of changes
  // reaches. Places are told by their names: docs/locks.md. Errors: kTimeout, kHistoryGone when it is
  // overwritten faster than it can be read; kDenied. A path that nobody ever took is no error: its history is
  // empty.
  Result<LockHistory> lock_history(std::string_view path);

  // The paths that the server was asked for most which answers this, the first of Options::endpoints that
  // does; those that the asker may not read are left out. Errors: kUnsupported: the server is older.
  Result<HotPaths> hot_paths(uint32_t max = 20);

  // All open sessions, by id; asked for in pages, each true of its own instant.
  Result<std::vector<SessionInfo>> session_list();
  // One of them, with the paths of its ephemeral nodes. None: it is over, or there never was one.
  Result<std::optional<SessionInfo>> session_show(SessionId id);

  // Ends the session of somebody else, as if it had run out: its client is told, its ephemeral nodes and
  // locks go (those acquired with a delay stay as long). Done as well where it is over already. Only for a
  // super user, and by the leader, which must be one of Options::endpoints. Errors: kDenied; kOutcomeUnknown,
  // as of a write: ask again.
  Status end_session(SessionId id);

  // The whole state, part by part: client/quorate/snapshot.h. A connection that breaks costs the part that
  // was under way. Errors: kDenied unless a super user asks; kLimitReached when the server makes as many as
  // it may; kTimeout, kCorruption; those of `take`, which runs on the
  // caller's thread.
  Status read_snapshot(const OnSnapshotPart& take);

  // What this server sees, over a connection of its own. Errors: kUnavailable, kTimeout.
  Result<ServerStatus> status(std::string_view endpoint);
  // Asks that server, which must be the leader, to hand its leadership to `target` (0: the most advanced),
  // and waits until it has moved.
  Status transfer(std::string_view endpoint, ServerId target = {});

  // The session, if one is open.
  std::optional<SessionId> session() const;
  // There was a session and it is over.
  bool session_lost() const;

  struct Impl;

 private:
  friend class Host;  // client/host.h, the library's own
  explicit Client(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
  std::shared_ptr<Impl> impl_;
};

}  // namespace quorate::client
