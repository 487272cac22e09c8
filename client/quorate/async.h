// The calls of a Client for those who do not wait for them: each gives a Call, which is begun with a handler,
// a future or a completion token. client/quorate/call.h says on which thread handlers run, what they may do,
// in which order calls are done and what becomes of them when the client goes. The calls that wait are these
// and a wait: what is promised of them, their errors and their limits are those of client/quorate/client.h.
//
//   client.async().set("/a", "new").begin([](Result<Stat> set) { if (!set.ok()) complain(set.error()); });
//
// More than Options::outstanding_calls_max at once: kLimitReached.
//
// Thread safety: all members. A copy is cheap; after the end of the client its calls answer kShuttingDown.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "client/quorate/call.h"
#include "client/quorate/client.h"

namespace quorate::client {

class AsyncClient {
 public:
  Call<Result<Created>> create(std::string_view path, std::string_view data = {},
                               const CreateOptions& options = {});
  // A Watch may be dropped and moved while the read is under way; it can be waited for when that is answered.
  Call<Result<Node>> get(std::string_view path, Watch* watch = nullptr);
  Call<Result<std::optional<Stat>>> exists(std::string_view path, Watch* watch = nullptr);
  Call<Result<std::vector<std::string>>> children(std::string_view path, Watch* watch = nullptr);
  Call<Result<ChildrenPage>> children_page(std::string_view path, const ChildrenPageOptions& options = {});
  Call<Result<std::vector<ReadResult>>> read_many(const std::vector<ReadRequest>& reads);
  Call<Result<Stat>> set(std::string_view path, std::string_view data, int32_t version = kAnyVersion);
  Call<Status> remove(std::string_view path, int32_t version = kAnyVersion);
  Call<Status> remove_all(std::string_view path);
  Call<MultiResult> run(const Multi& multi);

  Call<Result<Stat>> set_acl(std::string_view path, const Acl& acl, int32_t version = kAnyVersion);
  Call<Result<NodeAcl>> get_acl(std::string_view path);
  Call<Status> add_credential(const Credential& credential);
  Call<Status> set_quota(std::string_view path, const QuotaLimits& limits);
  Call<Result<std::optional<Quota>>> get_quota(std::string_view path);

  Call<Result<ChangeFeed>> watch_changes(std::string_view root, WatchChangesOptions options,
                                         OnChanges on_changes);

  // HeldLock::async_release() and the like are with the guards: client/quorate/lock.h.
  Call<Result<Lock>> acquire(std::string_view path, const AcquireOptions& options = {});
  Call<Result<SharedLock>> acquire_shared(std::string_view path, const AcquireOptions& options = {});
  Call<Result<Permit>> acquire_permit(std::string_view path, uint32_t permits,
                                      const AcquireOptions& options = {});
  Call<Result<std::vector<Lock>>> acquire_all(const std::vector<std::string>& paths,
                                              const AcquireOptions& options = {});
  Call<Status> verify_lock(std::string_view path, Token token);
  Call<Status> break_lock(std::string_view path, Token token);
  Call<Result<LockInfo>> lock_show(std::string_view path);
  // These ask part by part, and for each part as long as one call may take. What for_each_child() and
  // read_snapshot() hand on is handed on on the client's own thread, as handlers are called: it is to be
  // short, too. (Those of Client do it on the thread that waits.)
  Call<Status> for_each_child(std::string_view path, std::function<bool(const std::string&)> visit);
  Call<Status> read_snapshot(OnSnapshotPart take);
  Call<Result<LockHistory>> lock_history(std::string_view path);
  Call<Result<std::vector<LockInfo>>> lock_list(std::string_view root = "/", size_t max = SIZE_MAX);
  Call<Result<LockGraph>> lock_graph(std::string_view root = "/");
  Call<Result<std::vector<SessionInfo>>> session_list();

  Call<Result<std::optional<SessionInfo>>> session_show(SessionId id);
  Call<Status> end_session(SessionId id);
  Call<Result<HotPaths>> hot_paths(uint32_t max = 20);
  Call<Result<ServerStatus>> status(std::string_view endpoint);
  Call<Status> transfer(std::string_view endpoint, ServerId target = {});

 private:
  friend class Client;
  explicit AsyncClient(std::shared_ptr<Client::Impl> impl) : impl_(std::move(impl)) {}
  std::shared_ptr<Client::Impl> impl_;
};

}  // namespace quorate::client
