// The calls about who may and how much: credentials, lists of permissions, quotas.
#include <utility>

#include "client/client_impl.h"
#include "client/operations.h"
#include "kv/acl.h"
#include "kv/command.h"
#include "kv/path.h"
#include "kv/quotas.h"

namespace quorate::client {

Result<api::Reply> Client::Impl::add_credential(const Credential& credential) {
  if (credential.scheme != "digest") {
    return Error{ErrorCode::kInvalidArgument, "a credential of scheme '" + credential.scheme +
                                                  "' cannot be given; use digest, with user:password"};
  }
  // What no server would take, before it crosses the network.
  if (const Result<std::string> id = kv::digest_id(credential.proof); !id.ok()) return id.error();
  api::AddCredential added;
  added.set_scheme(credential.scheme);
  added.set_proof(credential.proof);
  return submit(std::move(added));
}

Status Client::Impl::prove() {
  const std::lock_guard lock(prove_mutex);
  while (proven < options.credentials.size()) {
    const Result<api::Reply> reply = add_credential(options.credentials[proven]);
    if (!reply.ok()) return reply.error();
    ++proven;
  }
  return {};
}

Status Client::add_credential(const Credential& credential) {
  const Result<api::Reply> reply = impl_->add_credential(credential);
  if (!reply.ok()) return reply.error();
  return {};
}

Result<Stat> Client::set_acl(std::string_view path, const Acl& acl, int32_t version) {
  if (Status status = kv::validate_path(path); !status.ok()) return status.error();
  api::Write operation;
  operation.mutable_set_acl()->set_path(std::string(path));
  operation.mutable_set_acl()->set_version(version);
  put_acl(acl, *operation.mutable_set_acl()->mutable_acl());
  const Result<api::Reply> reply = impl_->write(std::move(operation));
  if (!reply.ok()) return reply.error();
  return stat_of(reply->outcome().stat());
}

Result<NodeAcl> Client::get_acl(std::string_view path) {
  if (Status status = kv::validate_path(path); !status.ok()) return status.error();
  api::ClientFrame frame;
  frame.mutable_get_acl()->set_path(std::string(path));
  const Result<api::Reply> reply = impl_->read(std::move(frame), nullptr);
  if (!reply.ok()) return reply.error();
  NodeAcl out;
  for (const api::AclEntry& entry : reply->acl().entries())
    out.acl.push_back({entry.permissions(), entry.scheme(), entry.id()});
  out.stat = stat_of(reply->acl().stat());
  return out;
}

Status Client::set_quota(std::string_view path, const QuotaLimits& limits) {
  if (Status status = kv::validate_path(path); !status.ok()) return status;
  const kv::QuotaLimits asked{limits.count_soft.value_or(-1), limits.count_hard.value_or(-1),
                              limits.bytes_soft.value_or(-1), limits.bytes_hard.value_or(-1)};
  if (Status status = kv::validate_quota(asked); !status.ok()) return status;
  api::Write operation;
  operation.mutable_set_quota()->set_path(std::string(path));
  api::QuotaLimits& out = *operation.mutable_set_quota()->mutable_limits();
  out.set_count_soft(asked.count_soft);
  out.set_count_hard(asked.count_hard);
  out.set_bytes_soft(asked.bytes_soft);
  out.set_bytes_hard(asked.bytes_hard);
  const Result<api::Reply> reply = impl_->write(std::move(operation));
  if (!reply.ok()) return reply.error();
  return {};
}

Result<std::optional<Quota>> Client::get_quota(std::string_view path) {
  if (Status status = kv::validate_path(path); !status.ok()) return status.error();
  api::ClientFrame frame;
  frame.mutable_get_quota()->set_path(std::string(path));
  const Result<api::Reply> reply = impl_->read(std::move(frame), nullptr);
  if (reply.code() == ErrorCode::kNoNode) return std::optional<Quota>();
  if (!reply.ok()) return reply.error();
  const auto limit = [](int64_t value) {
    return value < 0 ? std::optional<int64_t>() : std::optional<int64_t>(value);
  };
  const api::QuotaLimits& limits = reply->quota().limits();
  Quota out;
  out.limits = {limit(limits.count_soft()), limit(limits.count_hard()), limit(limits.bytes_soft()),
                limit(limits.bytes_hard())};
  out.used_count = reply->quota().used_count();
  out.used_bytes = reply->quota().used_bytes();
  return std::optional<Quota>(out);
}

}  // namespace quorate::client
