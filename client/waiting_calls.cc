// The calls that wait: each is the one that does not, waited for. Those that hand on what they read part by
// part stand beside their twins (nodes.cc, snapshot.cc): they do it on the thread that waits.
#include <utility>

#include "client/quorate/async.h"

namespace quorate::client {

Result<Created> Client::create(std::string_view path, std::string_view data, CreateOptions options) {
  return async().create(path, data, options).wait();
}
Result<Node> Client::get(std::string_view path, Watch* watch) { return async().get(path, watch).wait(); }
Result<std::optional<Stat>> Client::exists(std::string_view path, Watch* watch) {
  return async().exists(path, watch).wait();
}
Result<std::vector<std::string>> Client::children(std::string_view path, Watch* watch) {
  return async().children(path, watch).wait();
}
Result<ChildrenPage> Client::children_page(std::string_view path, const ChildrenPageOptions& options) {
  return async().children_page(path, options).wait();
}
Result<std::vector<ReadResult>> Client::read_many(const std::vector<ReadRequest>& reads) {
  return async().read_many(reads).wait();
}
Result<Stat> Client::set(std::string_view path, std::string_view data, int32_t version) {
  return async().set(path, data, version).wait();
}
Status Client::remove(std::string_view path, int32_t version) { return async().remove(path, version).wait(); }
Status Client::remove_all(std::string_view path) { return async().remove_all(path).wait(); }
MultiResult Client::run(const Multi& multi) { return async().run(multi).wait(); }

Result<Stat> Client::set_acl(std::string_view path, const Acl& acl, int32_t version) {
  return async().set_acl(path, acl, version).wait();
}
Result<NodeAcl> Client::get_acl(std::string_view path) { return async().get_acl(path).wait(); }
Status Client::add_credential(const Credential& credential) {
  return async().add_credential(credential).wait();
}
Status Client::set_quota(std::string_view path, const QuotaLimits& limits) {
  return async().set_quota(path, limits).wait();
}
Result<std::optional<Quota>> Client::get_quota(std::string_view path) {
  return async().get_quota(path).wait();
}

Result<ChangeFeed> Client::watch_changes(std::string_view root, WatchChangesOptions options,
                                         OnChanges on_changes) {
  return async().watch_changes(root, options, std::move(on_changes)).wait();
}

Result<Lock> Client::acquire(std::string_view path, AcquireOptions options) {
  return async().acquire(path, options).wait();
}
Result<SharedLock> Client::acquire_shared(std::string_view path, AcquireOptions options) {
  return async().acquire_shared(path, options).wait();
}
Result<Permit> Client::acquire_permit(std::string_view path, uint32_t permits, AcquireOptions options) {
  return async().acquire_permit(path, permits, options).wait();
}
Result<std::vector<Lock>> Client::acquire_all(const std::vector<std::string>& paths, AcquireOptions options) {
  return async().acquire_all(paths, options).wait();
}
Status Client::verify_lock(std::string_view path, Token token) {
  return async().verify_lock(path, token).wait();
}
Status Client::break_lock(std::string_view path, Token token) {
  return async().break_lock(path, token).wait();
}
Result<LockInfo> Client::lock_show(std::string_view path) { return async().lock_show(path).wait(); }

Result<std::vector<LockInfo>> Client::lock_list(std::string_view root, size_t max) {
  return async().lock_list(root, max).wait();
}
Result<LockHistory> Client::lock_history(std::string_view path) { return async().lock_history(path).wait(); }
Result<LockGraph> Client::lock_graph(std::string_view root) { return async().lock_graph(root).wait(); }

Result<HotPaths> Client::hot_paths(uint32_t max) { return async().hot_paths(max).wait(); }

Result<std::vector<SessionInfo>> Client::session_list() { return async().session_list().wait(); }
Result<std::optional<SessionInfo>> Client::session_show(SessionId id) {
  return async().session_show(id).wait();
}
Status Client::end_session(SessionId id) { return async().end_session(id).wait(); }
Result<ServerStatus> Client::status(std::string_view endpoint) { return async().status(endpoint).wait(); }
Status Client::transfer(std::string_view endpoint, ServerId target) {
  return async().transfer(endpoint, target).wait();
}

}  // namespace quorate::client
