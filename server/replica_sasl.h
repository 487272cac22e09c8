// The server's side of SASL DIGEST-MD5 (RFC 2831), as ZooKeeper's clients speak it: they begin with an empty
// token, are given a challenge, prove that they know a user's password without saying it, and are given
// proof that the server knows it too.
//
// Only authentication: a connection is neither signed nor sealed by it (quality of protection "auth"). What
// MD5 is worth is said in base/md5.h.
//
// Thread safety: pure functions.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "base/md5.h"
#include "base/result.h"

namespace quorate::server {

// Who is asked for what: both stand in every exchange.
struct SaslService {
  std::string_view realm;
  std::string_view digest_uri;
};
// ZooKeeper's, the same for all of its servers whatever their names are.
inline constexpr SaslService kZookeeperSasl{"zk-sasl-md5", "zookeeper/zk-sasl-md5"};

// Of each user, by name, what stands for the password: sasl_secret().
using SaslUsers = std::map<std::string, Md5Digest, std::less<>>;

// RFC 2831, section 2.1.2.1: H(user:realm:password). Names and passwords are UTF-8; one that has only
// characters of ISO 8859-1 is hashed as such.
Md5Digest sasl_secret(const SaslService& service, std::string_view user, std::string_view password);

// `nonce`: random, of visible characters without quotes, and never used again.
std::string sasl_challenge(const SaslService& service, std::string_view nonce);

inline constexpr size_t kSaslTokenBytesMax = 4096;

// Who has answered the challenge, and what this is answered.
struct SaslProof {
  std::string user;
  std::string token;
};
// Errors: kBadCredentials, with the reason for the log; the client is told no more than that it failed.
Result<SaslProof> check_sasl(const SaslService& service, std::string_view nonce, std::string_view token,
                             const SaslUsers& users);

}  // namespace quorate::server
