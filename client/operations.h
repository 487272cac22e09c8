// The library's values as the schema has them.
//
// Thread safety: plain functions.
#pragma once

#include <string_view>
#include <utility>

#include "client/quorate/types.h"
#include "kv/command.h"
#include "proto/client.pb.h"

namespace quorate::client {

// The servers' own rules, so that what they would refuse costs neither a round trip nor a number.
inline Status validate(const kv::Operation& operation) {
  kv::SessionRequest request;
  request.number = 1;
  request.operation = operation;
  return kv::validate(kv::Command(std::move(request)));
}

inline void put_acl(const Acl& acl, google::protobuf::RepeatedPtrField<api::AclEntry>& out) {
  for (const AclEntry& entry : acl) {
    api::AclEntry& each = *out.Add();
    each.set_permissions(entry.permissions);
    each.set_scheme(entry.scheme);
    each.set_id(entry.id);
  }
}

inline void put_create(std::string_view path, std::string_view data, const CreateOptions& options,
                       api::Create& out) {
  out.set_path(std::string(path));
  out.set_data(std::string(data));
  out.set_ephemeral(options.ephemeral);
  out.set_sequential(options.sequential);
  out.set_parents(options.parents);
  out.set_container(options.container);
  if (options.ttl) out.set_ttl_ms(options.ttl->count());
  put_acl(options.acl, *out.mutable_acl());
}

}  // namespace quorate::client
