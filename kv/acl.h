// Who may do what to a node: access control lists as ZooKeeper has them, and the credentials of a session
// that they are matched against.
//
// | scheme | id in a list                        | matched by                                         |
// |--------|-------------------------------------|----------------------------------------------------|
// | world  | anyone                              | everybody                                          |
// | auth   | any                                 | replaced at a create or setAcl by who is asking    |
// | digest | user:base64(sha1(user:password))    | a session that gave that user's password           |
// | ip     | address or address/bits, v4 or v6   | a session attached from there                      |
// | x509   | a distinguished name                | a session whose certificate says that name         |
// | sasl   | a user, or a Kerberos principal     | a session that proved by SASL to be that user      |
//
// A session with the credential of scheme "super" may do everything; no list can name it.
//
// Thread safety: plain values and pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/codec.h"
#include "base/result.h"

namespace quorate::kv {

// Bits, with ZooKeeper's values. They are part of the log's format and of the client protocol.
enum Permission : uint32_t {
  kRead = 1,    // the data, the children's names, the list itself
  kWrite = 2,   // the data
  kCreate = 4,  // children
  kDelete = 8,  // children
  kAdmin = 16,  // the list
};
inline constexpr uint32_t kAllPermissions = 31;

inline constexpr size_t kAclEntriesMax = 256;
inline constexpr size_t kAclIdBytesMax = 1024;
inline constexpr size_t kCredentialsMax = 16;  // of a session

struct AclEntry {
  uint32_t permissions = 0;  // 0 is allowed, as in ZooKeeper, and gives nothing
  std::string scheme;
  std::string id;

  friend bool operator==(const AclEntry&, const AclEntry&) = default;
};
using Acl = std::vector<AclEntry>;

struct Credential {
  std::string scheme;
  std::string id;

  friend bool operator==(const Credential&, const Credential&) = default;
};
using Credentials = std::vector<Credential>;

inline constexpr std::string_view kSuperScheme = "super";
inline constexpr std::string_view kAddressScheme = "ip";

// Everybody may do everything: the list of a node that was made without one.
const Acl& open_acl();

// What can be said of a list without knowing who gives it. Errors: kInvalidAcl for a list without entries or
// with more than kAclEntriesMax, an unknown scheme, an id that the scheme does not allow or that is longer
// than kAclIdBytesMax, and permissions beyond kAllPermissions.
Status validate_acl(const Acl& acl);

// The list as it is stored: repeated entries once, "auth" replaced by those credentials of whoever asks that
// prove who it is (digest, x509, sasl). REQUIRES: validate_acl(acl). Errors: kInvalidAcl for "auth" without
// such a credential, or if more than kAclEntriesMax come of it.
Result<Acl> expand_acl(const Acl& acl, const Credentials& credentials);

// Whether the list says "auth", so that it may be stored much longer than it was asked for.
bool has_auth(const Acl& acl);

// Whether the list gives one of `permissions` (bits) to one of the credentials. The default is no; "super" is
// always allowed.
bool permits(const Acl& acl, const Credentials& credentials, uint32_t permissions);
// kDenied, with what the session may not do at the path, and what to do.
Error denied(std::string_view path, uint32_t permission);
bool is_super(const Credentials& credentials);

// The list as it may be shown to whoever may read but not administer it: without the digests' secrets, as
// ZooKeeper writes it ("user:x").
Acl without_secrets(Acl acl);

// ---- credentials

// The id of scheme digest for "user:password" (bytes as the client gave them). Errors: kInvalidArgument
// without a user and a colon, or where the id would not be allowed in a list (a user with a colon cannot be
// told apart).
Result<std::string> digest_id(std::string_view user_and_password);

// Errors: kInvalidArgument for a scheme that no session can have ("world", "auth", unknown ones) or an id
// that it does not allow.
Status validate_credential(const Credential& credential);

// ---- bytes

// Canonical: equal lists have equal bytes, and the order of entries is kept, because ZooKeeper's clients see
// it.
void append_acl(std::string& out, const Acl& acl);
// Fails the reader for bytes that append_acl cannot have made; an empty list is readable.
Acl read_acl(ByteReader& in);
void append_credentials(std::string& out, const Credentials& credentials);
Credentials read_credentials(ByteReader& in);

}  // namespace quorate::kv
