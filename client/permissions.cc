// The calls about who may and how much: lists of permissions, quotas.
#include <utility>

#include "client/client_impl.h"
#include "client/operations.h"
#include "kv/command.h"
#include "kv/path.h"
#include "kv/quotas.h"

namespace quorate::client {

Call<Result<Stat>> AsyncClient::set_acl(std::string_view path, const Acl& acl, int32_t version) {
  if (Status status = kv::validate_path(path); !status.ok())
    return refused_call<Result<Stat>>(impl_, status.error());
  api::Write operation;
  operation.mutable_set_acl()->set_path(std::string(path));
  operation.mutable_set_acl()->set_version(version);
  put_acl(acl, *operation.mutable_set_acl()->mutable_acl());
  return write_call<Result<Stat>>(impl_, std::move(operation), stat_in);
}

Call<Result<NodeAcl>> AsyncClient::get_acl(std::string_view path) {
  if (Status status = kv::validate_path(path); !status.ok())
    return refused_call<Result<NodeAcl>>(impl_, status.error());
  api::ClientFrame frame;
  frame.mutable_get_acl()->set_path(std::string(path));
  return read_call<Result<NodeAcl>>(impl_, std::move(frame), [](Outcome& reply) -> Result<NodeAcl> {
    if (!reply.ok()) return reply.error();
    NodeAcl out;
    for (const api::AclEntry& entry : reply->acl().entries())
      out.acl.push_back({entry.permissions(), entry.scheme(), entry.id()});
    out.stat = stat_of(reply->acl().stat());
    return out;
  });
}

Call<Status> AsyncClient::set_quota(std::string_view path, const QuotaLimits& limits) {
  if (Status status = kv::validate_path(path); !status.ok())
    return refused_call<Status>(impl_, status.error());
  const kv::QuotaLimits asked{limits.count_soft.value_or(-1), limits.count_hard.value_or(-1),
                              limits.bytes_soft.value_or(-1), limits.bytes_hard.value_or(-1)};
  if (Status status = kv::validate_quota(asked); !status.ok())
    return refused_call<Status>(impl_, status.error());
  api::Write operation;
  operation.mutable_set_quota()->set_path(std::string(path));
  api::QuotaLimits& out = *operation.mutable_set_quota()->mutable_limits();
  out.set_count_soft(asked.count_soft);
  out.set_count_hard(asked.count_hard);
  out.set_bytes_soft(asked.bytes_soft);
  out.set_bytes_hard(asked.bytes_hard);
  return write_call<Status>(impl_, std::move(operation), status_in);
}

Call<Result<std::optional<Quota>>> AsyncClient::get_quota(std::string_view path) {
  using Found = std::optional<Quota>;
  if (Status status = kv::validate_path(path); !status.ok())
    return refused_call<Result<Found>>(impl_, status.error());
  api::ClientFrame frame;
  frame.mutable_get_quota()->set_path(std::string(path));
  return read_call<Result<Found>>(impl_, std::move(frame), [](Outcome& reply) -> Result<Found> {
    if (reply.code() == ErrorCode::kNoNode) return Found();
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
    return Found(out);
  });
}

}  // namespace quorate::client
