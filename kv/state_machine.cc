#include "kv/state_machine.h"

#include <algorithm>
#include <array>

#include "base/check.h"
#include "kv/operations.h"
#include "kv/path.h"
#include "kv/state_machine_impl.h"
#include "kv/text.h"

namespace quorate::kv {

namespace {

Outcome refusal(ErrorCode code, Zxid zxid, std::string message) {
  Outcome outcome;
  outcome.code = code;
  outcome.zxid = zxid;
  outcome.message = std::move(message);
  return outcome;
}

// What became of a request before its operation was looked at: nothing yet, or an outcome.
struct Admission {
  std::optional<Outcome> outcome;
  bool repeated = false;
};

// The rules that make a request apply once, in this order. Only the acknowledgement changes the session, and
// only when the request is from its present connection and leaves no gap.
Admission admit(Sessions& sessions, Session* session, const RequestView& request, Zxid zxid) {
  const auto refuse = [&](ErrorCode code, std::string message) {
    return Admission{refusal(code, zxid, std::move(message)), false};
  };
  if (session == nullptr) {
    return refuse(ErrorCode::kSessionExpired, "there is no such session any more; open a new one");
  }
  if (request.epoch != session->epoch) {
    return refuse(ErrorCode::kSessionMoved, "another connection has attached to this session since");
  }
  if (Status status = validate_numbers(request.number, request.acked_below); !status.ok()) {
    return refuse(status.code(), status.error().message);
  }
  if (request.number > session->next) {
    return refuse(ErrorCode::kRequestGap,
                  "number " + std::to_string(session->next) + " has not been applied yet; send it first");
  }
  sessions.acknowledge(*session, request.acked_below);
  if (request.number < session->floor) {
    return refuse(ErrorCode::kRequestForgotten,
                  "the outcome of this number was acknowledged and is forgotten");
  }
  if (request.number < session->next) return {sessions.kept(*session, request.number), true};
  // A close leaves nothing to keep, and must always get through.
  if (request.operation.kind != OperationKind::kCloseSession && !sessions.has_room(*session)) {
    return refuse(ErrorCode::kTooManyResults,
                  "too many outcomes are not acknowledged; acknowledge some and send it again");
  }
  return {};
}

}  // namespace

void StateMachine::Impl::answer_attached(const Origin& origin, const Sessions::Attached& attached,
                                         Applied& applied) {
  const Session& session = *attached.session;
  Outcome outcome;
  outcome.zxid = session.attached_at;
  outcome.session = session.id;
  outcome.epoch = session.epoch;
  outcome.timeout_ms = session.timeout_ms;
  outcome.next_number = session.next;
  if (!attached.repeated) applied.sessions_attached.push_back(session.id);
  applied.origin_outcomes.push_back({origin, std::move(outcome)});
}

void StateMachine::Impl::apply_command(const OpenSession& open, Applied& applied) {
  answer_attached(open.origin, sessions.open(open, zxid()), applied);
}

void StateMachine::Impl::apply_command(const AttachSession& attach, Applied& applied) {
  const Result<Sessions::Attached> attached = sessions.attach(attach, zxid());
  if (attached.ok()) {
    answer_attached(attach.origin, *attached, applied);
  } else {
    applied.origin_outcomes.push_back(
        {attach.origin, refusal(attached.code(), zxid(), attached.error().message)});
  }
}

void StateMachine::Impl::apply_command(const ExpireSessions& expire, Applied& applied) {
  for (const SessionId id : expire.sessions) {
    if (sessions.find(id) != nullptr) end_session(id, true, applied);
  }
}

void StateMachine::Impl::end_session(SessionId id, bool expired, Applied& applied) {
  remove_owned(context(id, nobody, applied), expired);
  sessions.end(id);
  applied.sessions_ended.push_back({id, expired});
}

void StateMachine::Impl::apply_command(const ReapNodes& nodes, Applied& applied) {
  reap(context(SessionId(), nobody, applied), nodes.paths);
}

Outcome StateMachine::Impl::add_credential(Session& session, const OperationView& op) {
  Status status = validate_operation(op);
  Credentials added = {{std::string(op.scheme), std::string(op.id)}};
  if (op.super) added.push_back({std::string(kSuperScheme), {}});
  if (status.ok()) status = sessions.add_credentials(session, added);
  return status.ok() ? refusal(ErrorCode::kOk, zxid(), {})
                     : refusal(status.code(), zxid(), status.error().message);
}

void StateMachine::Impl::apply_command(const RequestView& request, Applied& applied) {
  Session* const session = sessions.find(request.session);
  Admission admission = admit(sessions, session, request, zxid());
  Outcome outcome;
  if (admission.outcome.has_value()) {
    outcome = std::move(*admission.outcome);
  } else if (request.operation.kind == OperationKind::kCloseSession) {
    end_session(request.session, false, applied);
    outcome.zxid = zxid();
  } else {
    outcome = request.operation.kind == OperationKind::kAddCredential
                  ? add_credential(*session, request.operation)
                  : execute(context(request.session, session->credentials, applied), request.operation);
    sessions.keep(*session, outcome);
  }
  applied.outcomes.push_back(
      {request.session, request.number, request.epoch, std::move(outcome), admission.repeated});
}

Result<Ref> StateMachine::Impl::find(std::string_view path) const {
  // What is found has a valid path, so only a miss asks why.
  if (const Place place = tree.find(path); place.ref != kNone) return place.ref;
  if (Status status = validate_path(path); !status.ok()) return status.error();
  return {ErrorCode::kNoNode, "there is no node at " + shown(path)};
}

StateMachine::StateMachine(const Limits& limits) : impl_(std::make_unique<Impl>(limits)) {}
StateMachine::~StateMachine() = default;
StateMachine::StateMachine(StateMachine&&) noexcept = default;
StateMachine& StateMachine::operator=(StateMachine&&) noexcept = default;

Applied StateMachine::apply(Index index, std::string_view payload) {
  skip(index);
  CHECK_MSG(payload.size() >= kStampBytes,
            "an entry is too short for its stamp; this log is not for this server");
  const Stamp stamp = read_stamp(payload);
  const Result<CommandView> command = decode_command_view(payload.substr(kStampBytes));
  CHECK_MSG(command.ok(), "an entry cannot be applied: " + command.error().message);
  impl_->stamp.wall_ms = std::max(impl_->stamp.wall_ms, stamp.wall_ms);
  impl_->stamp.cluster_ms = std::max(impl_->stamp.cluster_ms, stamp.cluster_ms);
  Applied applied;
  applied.zxid = impl_->zxid();
  std::visit([&](const auto& c) { impl_->apply_command(c, applied); }, *command);
  impl_->history.add(applied.zxid, applied.changes);
  return applied;
}

void StateMachine::prefetch_paths(std::span<const std::string_view> paths) const {
  impl_->tree.prefetch(paths);
}

void StateMachine::prefetch_entries(std::span<const std::string_view> payloads) const {
  std::array<std::string_view, kPrefetchMax> paths;
  size_t count = 0;
  for (const std::string_view payload : payloads) {
    if (payload.size() <= kStampBytes) continue;
    paths[count] = path_in(payload.substr(kStampBytes));
    if (!paths[count].empty()) ++count;
    if (count < paths.size()) continue;
    impl_->tree.prefetch(paths);
    count = 0;
  }
  impl_->tree.prefetch({paths.data(), count});
}

void StateMachine::skip(Index index) {
  CHECK_MSG(index == impl_->index.next(),
            "entries are applied one after the other, none twice, none left out");
  impl_->index = index;
}

Index StateMachine::applied() const { return impl_->index; }
Zxid StateMachine::zxid() const { return impl_->zxid(); }
Stamp StateMachine::last_stamp() const { return impl_->stamp; }
uint64_t StateMachine::state_hash() const { return impl_->hash(); }

Result<NodeView> StateMachine::get(std::string_view path) const {
  const Result<Ref> ref = impl_->find(path);
  if (!ref.ok()) return ref.error();
  const Node& node = impl_->tree.node(*ref);
  return NodeView{node.data(),
                  impl_->tree.stat(*ref),
                  node.sequential(),
                  impl_->tree.kind(*ref),
                  impl_->tree.rare(*ref).ttl_ms,
                  node.acl == AclTable::kOpen ? nullptr : &impl_->tree.acls().get(node.acl),
                  node.null_data};
}

bool StateMachine::contains(std::string_view path) const { return impl_->tree.find(path).ref != kNone; }

Result<std::vector<Child>> StateMachine::children(std::string_view path) const {
  const Result<Ref> ref = impl_->find(path);
  if (!ref.ok()) return ref.error();
  return impl_->tree.children(*ref);
}

Result<ChildPage> StateMachine::children_page(std::string_view path, const ChildPageOptions& options) const {
  const Result<Ref> ref = impl_->find(path);
  if (!ref.ok()) return ref.error();
  return impl_->tree.children_page(*ref, options);
}

std::optional<int64_t> StateMachine::next_reap() const { return impl_->tree.next_due(); }

std::vector<std::string> StateMachine::reapable(int64_t cluster_ms, size_t max, size_t bytes_max) const {
  std::vector<std::string> paths;
  size_t bytes = 0;
  for (const Ref ref : impl_->tree.due_nodes(cluster_ms, max)) {
    paths.push_back(impl_->tree.path(ref));
    bytes += paths.back().size();
    if (bytes >= bytes_max) break;
  }
  return paths;
}

std::optional<Child> StateMachine::first_queued(std::string_view path) const {
  const Ref ref = impl_->tree.find(path).ref;
  const Ref first = ref == kNone ? kNone : impl_->tree.first_queued(ref);
  if (first == kNone) return std::nullopt;
  return impl_->tree.child(first);
}

std::vector<Child> StateMachine::holders(std::string_view path) const {
  std::vector<Child> children;
  const Tree& tree = impl_->tree;
  if (const Ref ref = tree.find(path).ref; ref != kNone)
    tree.for_each_holder(ref, [&](Ref holder) { children.push_back(tree.child(holder)); });
  return children;
}

bool StateMachine::holds(std::string_view node, size_t* looked_at) const {
  const Ref ref = impl_->tree.find(node).ref;
  return ref != kNone && impl_->tree.node(ref).queued() && impl_->tree.holds(ref, looked_at);
}

size_t StateMachine::kept_places(std::string_view path) const {
  const Ref ref = impl_->tree.find(path).ref;
  return ref == kNone ? 0 : impl_->tree.queue_modes(ref).gone.size();
}

std::optional<SessionView> StateMachine::session(SessionId id) const {
  const Session* session = std::as_const(impl_->sessions).find(id);
  if (session == nullptr) return std::nullopt;
  return SessionView{id, session->epoch, session->timeout_ms, session->next, impl_->tree.owned_count(id)};
}

std::vector<SessionView> StateMachine::sessions(SessionId after, size_t max) const {
  std::vector<SessionView> views;
  for (const SessionId id : impl_->sessions.ids(after, max)) views.push_back(*session(id));
  return views;
}

const Credentials& StateMachine::credentials(SessionId id) const {
  const Session* session = std::as_const(impl_->sessions).find(id);
  return session == nullptr ? impl_->nobody : session->credentials;
}

size_t StateMachine::session_count() const { return impl_->sessions.size(); }

bool StateMachine::has_password(SessionId id, const SessionPassword& password) const {
  const Session* session = std::as_const(impl_->sessions).find(id);
  return session != nullptr && Sessions::has_password(*session, password);
}

std::vector<std::string> StateMachine::ephemerals(SessionId id) const {
  std::vector<std::string> paths;
  const Tree& tree = impl_->tree;
  for (Ref ref = tree.first_owned(id); ref != kNone; ref = tree.next_owned(ref))
    paths.push_back(tree.path(ref));
  return paths;
}

size_t StateMachine::node_count() const { return impl_->tree.size(); }
size_t StateMachine::ephemeral_count() const { return impl_->tree.ephemeral_count(); }
uint64_t StateMachine::data_bytes() const { return impl_->tree.data_bytes(); }

std::optional<Quota> StateMachine::quota(std::string_view path) const {
  const Quota* quota = impl_->tree.quotas().find(path);
  return quota == nullptr ? std::nullopt : std::optional<Quota>(*quota);
}

size_t StateMachine::quota_count() const { return impl_->tree.quotas().size(); }
std::vector<std::string> StateMachine::quotas() const { return impl_->tree.quotas().paths(); }

size_t StateMachine::tree_bytes() const { return impl_->tree.bytes(); }

size_t StateMachine::queue_count() const { return impl_->tree.queues().size(); }

std::vector<std::string> StateMachine::queues(std::string_view root, size_t max, std::string_view after,
                                              const MayRead& may_read) const {
  const Tree& tree = impl_->tree;
  const auto readable = [&](Ref ref) {
    const uint32_t acl = tree.node(ref).acl;
    return !may_read || may_read(acl == AclTable::kOpen ? nullptr : &tree.acls().get(acl));
  };
  if (max == 0) return {};
  std::vector<std::string> least;  // a heap: the greatest is in front
  const std::string below = root == "/" ? "/" : std::string(root) + "/";
  std::string path;
  for (const Ref ref : tree.queues()) {
    tree.path(ref, path);
    if (path <= after || (path != root && !path.starts_with(below))) continue;
    const bool full = least.size() == max;
    if ((full && path >= least.front()) || !readable(ref)) continue;
    if (full) {
      std::pop_heap(least.begin(), least.end());
      least.back().swap(path);
    } else {
      least.push_back(path);
    }
    std::push_heap(least.begin(), least.end());
  }
  std::sort_heap(least.begin(), least.end());
  return least;
}

std::optional<std::string> StateMachine::check_consistency() const {
  if (auto wrong = impl_->tree.check()) return wrong;
  if (auto wrong = impl_->sessions.check()) return wrong;
  size_t owners = 0;
  for (const SessionId id : impl_->sessions.ids()) owners += impl_->tree.owned_count(id) > 0 ? 1 : 0;
  if (owners != impl_->tree.owner_count()) return "a session that is gone still owns nodes";
  return std::nullopt;
}

}  // namespace quorate::kv
