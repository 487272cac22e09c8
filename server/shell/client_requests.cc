#include "server/shell/client_requests.h"

#include <cstring>
#include <string>
#include <utility>

namespace quorate::server {

namespace {

Error refused(const char* what) { return {ErrorCode::kInvalidArgument, what}; }

Result<kv::SessionPassword> password_of(const std::string& bytes) {
  kv::SessionPassword password{};
  if (bytes.size() != password.size()) return refused("a session's password has 16 bytes");
  std::memcpy(password.data(), bytes.data(), password.size());
  return password;
}

Result<RequestBody> open_session(const api::OpenSession& in) {
  auto password = password_of(in.password());
  if (!password.ok()) return password.error();
  return RequestBody(OpenSessionRequest{in.timeout_ms(), *password});
}

Result<RequestBody> attach_session(const api::AttachSession& in) {
  auto password = password_of(in.password());
  if (!password.ok()) return password.error();
  return RequestBody(AttachSessionRequest{SessionId(in.session()), *password, {}, in.attempt()});
}

// ---- operations

kv::Acl acl_of(google::protobuf::RepeatedPtrField<api::AclEntry>& in) {
  kv::Acl acl;
  for (api::AclEntry& entry : in)
    acl.push_back({entry.permissions(), std::move(*entry.mutable_scheme()), std::move(*entry.mutable_id())});
  return acl;
}

kv::CreateOp create_of(api::Create& in) {
  kv::CreateOp op;
  op.path = std::move(*in.mutable_path());
  op.data = std::move(*in.mutable_data());
  op.ephemeral = in.ephemeral();
  op.sequential = in.sequential();
  op.parents = in.parents();
  op.container = in.container();
  if (in.has_ttl_ms()) op.ttl_ms = in.ttl_ms();
  op.acl = acl_of(*in.mutable_acl());
  return op;
}
kv::SetOp set_of(api::Set& in) {
  return {std::move(*in.mutable_path()), std::move(*in.mutable_data()), in.version()};
}
kv::DeleteOp delete_of(api::Delete& in) {
  return {std::move(*in.mutable_path()), in.version(), in.recursive()};
}
kv::SetAclOp set_acl_of(api::SetAcl& in) {
  return {std::move(*in.mutable_path()), acl_of(*in.mutable_acl()), in.version()};
}

Error unknown_operation() {
  return {ErrorCode::kUnsupported,
          "this server does not know that operation: it may be older than the client"};
}

Result<kv::MultiOp> multi_of(api::Multi& in) {
  kv::MultiOp multi;
  multi.operations.reserve(static_cast<size_t>(in.operations_size()));
  for (api::MultiOperation& part : *in.mutable_operations()) {
    switch (part.operation_case()) {
      case api::MultiOperation::kCreate:
        multi.operations.emplace_back(create_of(*part.mutable_create()));
        break;
      case api::MultiOperation::kSet:
        multi.operations.emplace_back(set_of(*part.mutable_set()));
        break;
      case api::MultiOperation::kDelete:
        multi.operations.emplace_back(delete_of(*part.mutable_delete_()));
        break;
      case api::MultiOperation::kSetAcl:
        multi.operations.emplace_back(set_acl_of(*part.mutable_set_acl()));
        break;
      case api::MultiOperation::kCheck:
        multi.operations.emplace_back(
            kv::CheckOp{std::move(*part.mutable_check()->mutable_path()), part.check().version()});
        break;
      case api::MultiOperation::kCheckAbsent:
        multi.operations.emplace_back(
            kv::CheckAbsentOp{std::move(*part.mutable_check_absent()->mutable_path())});
        break;
      case api::MultiOperation::kCheckHeld:
        multi.operations.emplace_back(kv::CheckHeldOp{std::move(*part.mutable_check_held()->mutable_path()),
                                                      Token(part.check_held().token())});
        break;
      case api::MultiOperation::OPERATION_NOT_SET:
        return unknown_operation();
    }
  }
  return multi;
}

Result<kv::AcquireOp> acquire_of(api::Acquire& in) {
  if (in.mode() > static_cast<uint32_t>(kv::Mode::kPermit))
    return refused("a lock is acquired in mode 0 (exclusive), 1 (shared) or 2 (a permit)");
  kv::AcquireOp op{std::move(*in.mutable_path()), std::move(*in.mutable_data())};
  op.mode.mode = static_cast<kv::Mode>(in.mode());
  op.mode.permits = in.permits();
  op.mode.delay_ms = in.delay_ms();
  return op;
}

Result<kv::AcquireManyOp> acquire_many_of(api::AcquireMany& in) {
  kv::AcquireManyOp many;
  many.wait = in.wait();
  if (static_cast<size_t>(in.locks_size()) > kv::kLocksAtOnceMax) return refused("too many locks at once");
  for (api::Acquire& lock : *in.mutable_locks()) {
    auto op = acquire_of(lock);
    if (!op.ok()) return op.error();
    many.locks.push_back(std::move(*op));
  }
  return many;
}

Result<RequestBody> write(api::Write& in) {
  WriteRequest out;
  out.number = in.number();
  out.acked_below = in.acked_below();
  switch (in.operation_case()) {
    case api::Write::kCreate:
      out.operation = create_of(*in.mutable_create());
      break;
    case api::Write::kSet:
      out.operation = set_of(*in.mutable_set());
      break;
    case api::Write::kDelete:
      out.operation = delete_of(*in.mutable_delete_());
      break;
    case api::Write::kSetAcl:
      out.operation = set_acl_of(*in.mutable_set_acl());
      break;
    case api::Write::kMulti: {
      auto multi = multi_of(*in.mutable_multi());
      if (!multi.ok()) return multi.error();
      out.operation = std::move(*multi);
      break;
    }
    case api::Write::kAcquire: {
      auto op = acquire_of(*in.mutable_acquire());
      if (!op.ok()) return op.error();
      out.operation = std::move(*op);
      break;
    }
    case api::Write::kAcquireMany: {
      auto many = acquire_many_of(*in.mutable_acquire_many());
      if (!many.ok()) return many.error();
      out.operation = std::move(*many);
      break;
    }
    case api::Write::kUpgrade:
      out.operation = kv::UpgradeOp{std::move(*in.mutable_upgrade()->mutable_node())};
      break;
    case api::Write::kDowngrade:
      out.operation = kv::DowngradeOp{std::move(*in.mutable_downgrade()->mutable_node())};
      break;
    case api::Write::kBreak:
      out.operation =
          kv::BreakOp{std::move(*in.mutable_break_()->mutable_path()), Token(in.break_().token())};
      break;
    case api::Write::kRelease:
      out.operation = kv::ReleaseOp{std::move(*in.mutable_release()->mutable_node())};
      break;
    case api::Write::kCloseSession:
      out.operation = kv::CloseSessionOp{};
      break;
    case api::Write::kSetQuota: {
      auto& op = *in.mutable_set_quota();
      const api::QuotaLimits& limits = op.limits();
      out.operation = kv::SetQuotaOp{
          std::move(*op.mutable_path()),
          {limits.count_soft(), limits.count_hard(), limits.bytes_soft(), limits.bytes_hard()}};
      break;
    }
    case api::Write::OPERATION_NOT_SET:
      return unknown_operation();
  }
  return RequestBody(std::move(out));
}

// ---- reads

Result<RequestBody> multi_read(api::MultiRead& in) {
  // More of them would wait in memory only to be refused.
  if (static_cast<size_t>(in.parts_size()) > kMultiReadPartsMax) {
    return Error{ErrorCode::kTooLarge,
                 "at most " + std::to_string(kMultiReadPartsMax) + " reads can be asked for at once"};
  }
  MultiReadRequest out;
  for (api::MultiReadPart& part : *in.mutable_parts()) {
    switch (part.read_case()) {
      case api::MultiReadPart::kGet:
        out.parts.emplace_back(
            GetRequest{std::move(*part.mutable_get()->mutable_path()), part.get().with_data(), 0});
        break;
      case api::MultiReadPart::kChildren:
        out.parts.emplace_back(ChildrenRequest{std::move(*part.mutable_children()->mutable_path()), 0});
        break;
      case api::MultiReadPart::READ_NOT_SET:
        return unknown_operation();
    }
  }
  return RequestBody(std::move(out));
}

RequestBody children_page(api::ChildrenPage& in) {
  ChildrenPageRequest out;
  out.path = std::move(*in.mutable_path());
  out.prefix = std::move(*in.mutable_prefix());
  if (in.max() > 0) out.max = in.max();
  if (in.has_after())
    out.after = kv::ChildCursor{Zxid(in.after().czxid()), in.after().order(),
                                std::move(*in.mutable_after()->mutable_name())};
  return out;
}

Result<RequestBody> resume_watch(api::ResumeWatch& in) {
  if (in.kind() != static_cast<uint32_t>(kv::WatchKind::kData) &&
      in.kind() != static_cast<uint32_t>(kv::WatchKind::kChildren)) {
    return refused("a watch is of kind 1 (data) or 2 (children)");
  }
  return RequestBody(ResumeWatchRequest{in.watch(), static_cast<kv::WatchKind>(in.kind()),
                                        std::move(*in.mutable_path()), Zxid(in.seen()), in.existed()});
}

RequestBody lock_list(api::LockList& in) {
  LockListRequest out;
  if (!in.root().empty()) out.root = std::move(*in.mutable_root());
  if (in.max() > 0) out.max = in.max();
  out.after = std::move(*in.mutable_after());
  return out;
}

}  // namespace

Result<RequestBody> request_of(api::ClientFrame& in) {
  using Frame = api::ClientFrame;
  switch (in.body_case()) {
    case Frame::kOpenSession:
      return open_session(in.open_session());
    case Frame::kAttachSession:
      return attach_session(in.attach_session());
    case Frame::kPing:
      return RequestBody(PingRequest{});
    case Frame::kWrite:
      return write(*in.mutable_write());
    case Frame::kGet: {
      auto& get = *in.mutable_get();
      return RequestBody(GetRequest{std::move(*get.mutable_path()), get.with_data(), get.watch()});
    }
    case Frame::kChildren: {
      auto& children = *in.mutable_children();
      return RequestBody(ChildrenRequest{std::move(*children.mutable_path()), children.watch()});
    }
    case Frame::kResumeWatch:
      return resume_watch(*in.mutable_resume_watch());
    case Frame::kWatchSince: {
      auto& watch = *in.mutable_watch_since();
      return RequestBody(WatchSinceRequest{watch.watch(), std::move(*watch.mutable_root()),
                                           Zxid(watch.since()), watch.recursive(), watch.past()});
    }
    case Frame::kRemoveWatch:
      return RequestBody(RemoveWatchRequest{in.remove_watch().watch()});
    case Frame::kLockPlace:
      return RequestBody(LockPlaceRequest{std::move(*in.mutable_lock_place()->mutable_node())});
    case Frame::kLockVerify:
      return RequestBody(LockVerifyRequest{std::move(*in.mutable_lock_verify()->mutable_path()),
                                           Token(in.lock_verify().token())});
    case Frame::kLockShow:
      return RequestBody(LockShowRequest{std::move(*in.mutable_lock_show()->mutable_path())});
    case Frame::kLockList:
      return lock_list(*in.mutable_lock_list());
    case Frame::kSessionList: {
      SessionListRequest list{SessionId(in.session_list().after()), SessionListRequest().max,
                              in.session_list().paths()};
      if (in.session_list().max() > 0) list.max = in.session_list().max();
      return RequestBody(list);
    }
    case Frame::kEndSession:
      return RequestBody(EndSessionRequest{SessionId(in.end_session().session())});
    case Frame::kHotPaths: {
      HotPathsRequest hot;
      if (in.hot_paths().max() > 0) hot.max = in.hot_paths().max();
      return RequestBody(hot);
    }
    case Frame::kMultiRead:
      return multi_read(*in.mutable_multi_read());
    case Frame::kChildrenPage:
      return children_page(*in.mutable_children_page());
    case Frame::kStatus:
      return RequestBody(StatusRequest{});
    case Frame::kTransfer:
      return RequestBody(TransferRequest{ServerId(in.transfer().target())});
    case Frame::kGetAcl:
      return RequestBody(GetAclRequest{std::move(*in.mutable_get_acl()->mutable_path())});
    case Frame::kGetQuota:
      return RequestBody(QuotaRequest{std::move(*in.mutable_get_quota()->mutable_path())});
    case Frame::kAddCredential: {
      auto& added = *in.mutable_add_credential();
      return RequestBody(AddCredentialRequest{added.number(), added.acked_below(),
                                              std::move(*added.mutable_scheme()),
                                              std::move(*added.mutable_proof())});
    }
    case Frame::kReadSnapshot: {
      auto& read = *in.mutable_read_snapshot();
      return RequestBody(SnapshotPartRequest{read.snapshot(), std::move(*read.mutable_after())});
    }
    case Frame::BODY_NOT_SET:
      break;
  }
  return Error{ErrorCode::kUnsupported,
               "this server does not know that request: it may be older than the client"};
}

}  // namespace quorate::server
