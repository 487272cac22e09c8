#include "kv/acl.h"

#include <algorithm>
#include <limits>

#include "base/sha1.h"
#include "kv/ip_network.h"
#include "kv/text.h"

namespace quorate::kv {
namespace {

constexpr std::string_view kWorld = "world";
constexpr std::string_view kAnyone = "anyone";
constexpr std::string_view kAuth = "auth";
constexpr std::string_view kDigest = "digest";
constexpr std::string_view kX509 = "x509";
constexpr std::string_view kSasl = "sasl";

// As ZooKeeper: two parts around one colon, the second not empty.
bool is_digest_id(std::string_view id) {
  const size_t colon = id.find(':');
  return colon != std::string_view::npos && colon == id.rfind(':') && colon + 1 < id.size();
}

// As ZooKeeper: a name, or a Kerberos principal, name@realm or name/host@realm.
bool is_sasl_id(std::string_view id) {
  const size_t at = id.find('@');
  if (at == std::string_view::npos) return !id.empty();
  const size_t slash = id.find('/');
  return at == id.rfind('@') && (slash == std::string_view::npos || (slash == id.rfind('/') && slash < at));
}

// Why an id cannot stand in a list, or "".
std::string_view id_problem(std::string_view scheme, std::string_view id) {
  if (id.size() > kAclIdBytesMax) return "is longer than 1024 bytes";
  if (scheme == kWorld) return id == kAnyone ? "" : R"(must be "anyone")";
  if (scheme == kAuth) return "";
  if (scheme == kDigest) return is_digest_id(id) ? "" : "must be user:base64(sha1(user:password))";
  if (scheme == kAddressScheme)
    return IpNetwork::parse(id).has_value() ? "" : "must be an IP address, or one with /bits";
  if (scheme == kX509) return id.empty() ? "must be a distinguished name" : "";
  if (scheme == kSasl) return is_sasl_id(id) ? "" : "must be a user, or a Kerberos principal";
  return "cannot be, because the scheme is unknown; use world, auth, digest, ip, x509 or sasl";
}

std::string problem_text(std::string_view scheme, std::string_view id, std::string_view problem) {
  std::string text = "the id " + shown(id) + " of scheme " + shown(scheme) + " ";
  return text.append(problem);
}

// Whether a credential is proof of who it is, and not only of where it comes from.
bool authenticated(const Credential& credential) {
  return credential.scheme == kDigest || credential.scheme == kX509 || credential.scheme == kSasl;
}

bool matches(const AclEntry& entry, const Credential& credential) {
  if (entry.scheme != credential.scheme) return false;
  if (entry.scheme != kAddressScheme) return authenticated(credential) && entry.id == credential.id;
  const auto network = IpNetwork::parse(entry.id);
  const auto address = IpNetwork::parse(credential.id);
  return network.has_value() && address.has_value() && network->contains(*address);
}

void add_once(Acl& acl, AclEntry entry) {
  if (std::find(acl.begin(), acl.end(), entry) == acl.end()) acl.push_back(std::move(entry));
}

Error too_many(size_t count) {
  return {ErrorCode::kInvalidAcl, "the ACL has " + std::to_string(count) + " entries; at most " +
                                      std::to_string(kAclEntriesMax) + " are allowed"};
}

std::string_view doing(uint32_t permission) {
  switch (permission) {
    case kRead:
      return "read it";
    case kWrite:
      return "set it";
    case kCreate:
      return "create below it";
    case kDelete:
      return "delete below it";
    default:
      return "administer it";
  }
}

}  // namespace

const Acl& open_acl() {
  static const Acl kOpen = {{kAllPermissions, std::string(kWorld), std::string(kAnyone)}};
  return kOpen;
}

Status validate_acl(const Acl& acl) {
  if (acl.empty()) {
    return {ErrorCode::kInvalidAcl, "the ACL has no entries, so nobody could do anything; name somebody"};
  }
  if (acl.size() > kAclEntriesMax) return too_many(acl.size());
  for (const AclEntry& entry : acl) {
    if (entry.permissions > kAllPermissions) {
      return {ErrorCode::kInvalidAcl, "the ACL has permissions " + std::to_string(entry.permissions) +
                                          "; the bits are read 1, write 2, create 4, delete 8 and admin 16"};
    }
    if (const std::string_view problem = id_problem(entry.scheme, entry.id); !problem.empty()) {
      return {ErrorCode::kInvalidAcl, problem_text(entry.scheme, entry.id, problem)};
    }
  }
  return {};
}

bool has_auth(const Acl& acl) {
  return std::any_of(acl.begin(), acl.end(), [](const AclEntry& entry) { return entry.scheme == kAuth; });
}

Result<Acl> expand_acl(const Acl& acl, const Credentials& credentials) {
  Acl expanded;
  uint32_t done = 0;  // permissions with which "auth" was replaced, a bit for each: again adds nothing
  static_assert(kAllPermissions < 32);
  for (const AclEntry& entry : acl) {
    if (entry.scheme != kAuth) {
      add_once(expanded, entry);
      continue;
    }
    const uint32_t with = uint32_t{1} << entry.permissions;
    if ((done & with) != 0) continue;
    done |= with;
    bool known = false;
    for (const Credential& credential : credentials) {
      if (!authenticated(credential)) continue;
      known = true;
      add_once(expanded, {entry.permissions, credential.scheme, credential.id});
    }
    if (!known) {
      return {ErrorCode::kInvalidAcl,
              R"(the ACL says "auth", but this session has not proved who it is; add a credential first)"};
    }
  }
  if (expanded.size() > kAclEntriesMax) return too_many(expanded.size());
  return expanded;
}

bool is_super(const Credentials& credentials) {
  return std::any_of(credentials.begin(), credentials.end(),
                     [](const Credential& credential) { return credential.scheme == kSuperScheme; });
}

bool permits(const Acl& acl, const Credentials& credentials, uint32_t permissions) {
  if (is_super(credentials)) return true;
  for (const AclEntry& entry : acl) {
    if ((entry.permissions & permissions) == 0) continue;
    if (entry.scheme == kWorld && entry.id == kAnyone) return true;
    for (const Credential& credential : credentials) {
      if (matches(entry, credential)) return true;
    }
  }
  return false;
}

Error denied(std::string_view path, uint32_t permission) {
  std::string text = "the ACL of " + shown(path) + " does not allow this session to ";
  text.append(doing(permission)).append("; add a credential that it names, or ask who administers it");
  return {ErrorCode::kDenied, std::move(text)};
}

Acl without_secrets(Acl acl) {
  for (AclEntry& entry : acl) {
    if (entry.scheme == kDigest) entry.id = entry.id.substr(0, entry.id.find(':')) + ":x";
  }
  return acl;
}

Result<std::string> digest_id(std::string_view user_and_password) {
  const size_t colon = user_and_password.find(':');
  if (colon == std::string_view::npos || colon == 0 || colon > kAclIdBytesMax - 32) {
    return {ErrorCode::kInvalidArgument, "a digest credential is user:password, with a user of at most " +
                                             std::to_string(kAclIdBytesMax - 32) + " bytes"};
  }
  const auto digest = sha1(user_and_password);
  std::string id(user_and_password.substr(0, colon + 1));
  return id + base64({reinterpret_cast<const char*>(digest.data()), digest.size()});
}

Status validate_credential(const Credential& credential) {
  if (credential.scheme == kSuperScheme && credential.id.empty()) return {};
  std::string_view problem = "cannot be: a session has credentials of scheme digest, ip, x509 or sasl";
  if (authenticated(credential)) {
    problem = id_problem(credential.scheme, credential.id);
  } else if (credential.scheme == kAddressScheme) {
    const auto address = IpNetwork::parse(credential.id);
    problem = address.has_value() && address->is_address() ? "" : "must be an IP address";
  }
  if (problem.empty()) return {};
  return {ErrorCode::kInvalidArgument, problem_text(credential.scheme, credential.id, problem)};
}

void append_acl(std::string& bytes, const Acl& acl) {
  ByteWriter out(bytes);
  out.varint(acl.size());
  for (const AclEntry& entry : acl) {
    out.varint(entry.permissions);
    out.string(entry.scheme);
    out.string(entry.id);
  }
}

Acl read_acl(ByteReader& in) {
  Acl acl;
  const uint64_t count = in.varint();
  // Each takes three bytes at least, so a count beyond what is left is a lie, and nothing is reserved for it.
  if (count > in.remaining()) in.fail();
  for (uint64_t i = 0; i < count && !in.failed(); ++i) {
    const uint64_t permissions = in.varint();
    if (permissions > std::numeric_limits<uint32_t>::max()) in.fail();
    const std::string_view scheme = in.string();
    const std::string_view id = in.string();
    acl.push_back({static_cast<uint32_t>(permissions), std::string(scheme), std::string(id)});
  }
  return in.failed() ? Acl{} : acl;
}

void append_credentials(std::string& bytes, const Credentials& credentials) {
  ByteWriter out(bytes);
  out.varint(credentials.size());
  for (const Credential& credential : credentials) {
    out.string(credential.scheme);
    out.string(credential.id);
  }
}

Credentials read_credentials(ByteReader& in) {
  Credentials credentials;
  const uint64_t count = in.varint();
  if (count > in.remaining()) in.fail();
  for (uint64_t i = 0; i < count && !in.failed(); ++i) {
    const std::string_view scheme = in.string();
    const std::string_view id = in.string();
    credentials.push_back({std::string(scheme), std::string(id)});
  }
  return in.failed() ? Credentials{} : credentials;
}

}  // namespace quorate::kv
