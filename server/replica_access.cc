// Who may, and how much: credentials, lists of permissions and quotas as clients ask for them, and the limits
// of the whole service. What a session may do to the tree is decided in apply (kv/operations.h).
#include <algorithm>
#include <string>
#include <utility>

#include "kv/path.h"
#include "kv/text.h"
#include "lock/service.h"
#include "server/replica_impl.h"

namespace quorate::server {
namespace {

// Locks in one answer.
constexpr size_t kLocksMax = 1'000;
// Between two lines about soft limits that were gone beyond.
constexpr Duration kQuotaWarningInterval = std::chrono::seconds(10);

// What an operation may add at most. Less where it is refused; parents that are made are not counted ahead.
struct Growth {
  size_t nodes = 0;
  uint64_t bytes = 0;
};

Growth growth_of(const kv::OperationView& op, const kv::StateMachine& state) {
  switch (op.kind) {
    case kv::OperationKind::kCreate:
    case kv::OperationKind::kAcquire:
      return {1, op.data.size()};
    case kv::OperationKind::kSet: {
      const auto node = state.get(op.path);
      const size_t before = node.ok() ? node->data.size() : op.data.size();
      return {0, op.data.size() - std::min(before, op.data.size())};
    }
    case kv::OperationKind::kAcquireMany:
    case kv::OperationKind::kMulti: {
      Growth sum;
      for (const kv::OperationView& part : op.operations) {
        const Growth one = growth_of(part, state);
        sum.nodes += one.nodes;
        sum.bytes += one.bytes;
      }
      return sum;
    }
    default:
      return {};
  }
}

Error reached(const char* limit, uint64_t value, const char* what) {
  return {ErrorCode::kLimitReached,
          std::string(limit) + " = " + std::to_string(value) + " is reached; " + what};
}

}  // namespace

// ---- locks

void Replica::Impl::keep_recipes_apart(kv::Operation& operation) const {
  if (!options.refuse_mixed_locks) return;
  if (auto* create = std::get_if<kv::CreateOp>(&operation)) create->one_recipe = true;
  if (auto* multi = std::get_if<kv::MultiOp>(&operation)) {
    for (kv::MultiOp::Part& part : multi->operations)
      if (auto* create = std::get_if<kv::CreateOp>(&part)) create->one_recipe = true;
  }
}

// ---- limits of the whole

Status Replica::Impl::admit(const kv::OperationView& operation) const {
  const bool far_off = state.node_count() + kv::kMultiOperationsMax <= options.nodes_max &&
                       state.data_bytes() + kv::kMultiBytesMax <= options.data_bytes_max;
  if (far_off) return {};
  const Growth growth = growth_of(operation, state);
  if (growth.nodes > 0 && state.node_count() + growth.nodes > options.nodes_max) {
    return reached("nodes-max", options.nodes_max, "delete some nodes, or give the servers a higher limit");
  }
  if (growth.bytes > 0 && state.data_bytes() + growth.bytes > options.data_bytes_max) {
    return reached("data-bytes-max", options.data_bytes_max,
                   "delete some data, or give the servers a higher limit");
  }
  return {};
}

Status Replica::Impl::admit_session() const {
  if (state.session_count() < options.sessions_max) return {};
  return reached("sessions-max", options.sessions_max, "close some, or give the servers a higher limit");
}

// ---- credentials

void Replica::Impl::add_credential(const Asker& asker, AddCredentialRequest request) {
  if (request.scheme != "digest") {
    return refuse(asker, ErrorCode::kInvalidArgument,
                  "a credential of this scheme cannot be added; use digest, with user:password");
  }
  Result<std::string> id = kv::digest_id(request.proof);
  if (!id.ok()) return refuse(asker, id.code(), id.error().message);
  const bool super = !options.super_digest.empty() && *id == options.super_digest;
  write(asker, {request.number, request.acked_below,
                kv::AddCredentialOp{{std::move(request.scheme), std::move(*id)}, super}});
}

// ---- reads

void Replica::Impl::serve_acl(const WaitingRead& read, const GetAclRequest& request) {
  auto acl = view_of(read.session).acl(request.path);
  if (!acl.ok()) return refuse(read.asker, acl.code(), acl.error().message);
  reply(read.asker, std::move(*acl));
}

void Replica::Impl::serve_quota(const WaitingRead& read, const QuotaRequest& request) {
  auto quota = view_of(read.session).quota(request.path);
  if (!quota.ok()) return refuse(read.asker, quota.code(), quota.error().message);
  reply(read.asker, *quota);
}

// Whose place it is may always ask for it: an acquire needs no permission to read.
void Replica::Impl::serve_place(const WaitingRead& read, const LockPlaceRequest& request) {
  const auto node = state.get(request.node);
  const bool own = node.ok() && read.session != SessionId() && node->stat.ephemeral_owner == read.session;
  const kv::View view = own ? kv::View::everything(state, &looked_at) : view_of(read.session);
  auto place = lock::place_of(view, request.node);
  if (!place.ok()) return refuse(read.asker, place.code(), place.error().message);
  reply(read.asker, *place);
}

void Replica::Impl::serve_verify(const WaitingRead& read, const LockVerifyRequest& request) {
  const Status held = lock::verify(view_of(read.session), request.path, request.token);
  if (!held.ok()) return refuse(read.asker, held.code(), held.error().message);
  reply(read.asker, std::monostate());
}

void Replica::Impl::serve_lock(const WaitingRead& read, const LockShowRequest& request) {
  auto view = lock::show(view_of(read.session), request.path, options.reply_bytes_max);
  if (!view.ok()) return refuse(read.asker, view.code(), view.error().message);
  count_reply(connections.at(read.asker.connection), lock::bytes_of(*view));
  reply(read.asker, std::move(*view));
}

void Replica::Impl::serve_locks(const WaitingRead& read, const LockListRequest& request) {
  if (Status valid = kv::validate_path(request.root); !valid.ok())
    return refuse(read.asker, valid.code(), valid.error().message);
  lock::LockPage page =
      lock::list(view_of(read.session), request.root,
                 {request.after, std::min(request.max, kLocksMax), options.reply_bytes_max});
  size_t bytes = 0;
  for (const lock::LockView& view : page.locks) bytes += lock::bytes_of(view);
  count_reply(connections.at(read.asker.connection), bytes);
  reply(read.asker, LockListReply{std::move(page.locks), std::move(page.next)});
}

// ---- snapshots for clients

// All that there is, passwords of sessions and digests of lists included: no list of permissions can give
// that.
Status Replica::Impl::may_save(SessionId session) const {
  if (kv::is_super(state.credentials(session))) return {};
  if (options.super_digest.empty()) {
    return Error{
        ErrorCode::kDenied,
        "only a super user may save a snapshot, and there is none: start the servers with --super-digest "
        "USER:DIGEST, or save from a stopped server's folder (--data DIR)"};
  }
  return Error{
      ErrorCode::kDenied,
      "only a super user may save a snapshot: give the user and password of --super-digest (--credentials "
      "FILE)"};
}

// What was acknowledged to anybody before this was asked is applied here by now.
void Replica::Impl::begin_backup(const WaitingRead& read) {
  if (Status may = may_save(read.session); !may.ok())
    return refuse(read.asker, may.code(), may.error().message);
  auto begun = backups.begin(state.applied(), now.instant);
  if (!begun.ok()) return refuse(read.asker, begun.code(), begun.error().message);
  reply(read.asker, std::move(*begun));
}

void Replica::Impl::read_backup(const Asker& asker, const SnapshotPartRequest& request) {
  if (Status may = may_save(connections[asker.connection].session); !may.ok())
    return refuse(asker, may.code(), may.error().message);
  backups.ask(asker, request, now.instant);
}

void Replica::Impl::answer_backups() {
  for (auto& [asker, answer] : backups.take_answers()) {
    if (auto* part = std::get_if<SnapshotPartReply>(&answer)) {
      reply(asker, std::move(*part));
    } else {
      refuse(asker, std::get<Error>(answer).code, std::get<Error>(answer).message);
    }
  }
}

// ---- quotas

// One line for many: a soft limit is gone beyond by every write from there on.
void Replica::Impl::note_quota_warnings(const kv::Applied& applied) {
  if (applied.quota_warnings.empty()) return;
  quota_warnings += applied.quota_warnings.size();
  if (now.instant < next_quota_warning) return;
  log(LogLevel::kWarning, "the soft quota of " + kv::shown(applied.quota_warnings.front()) +
                              " is exceeded (" + std::to_string(quota_warnings) +
                              " writes beyond soft quotas since the last such line)");
  quota_warnings = 0;
  next_quota_warning = now.instant + kQuotaWarningInterval;
}

}  // namespace quorate::server
