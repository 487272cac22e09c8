// Who ZooKeeper's clients are: what an auth or an exchange of SASL proves. What is proved is replicated with
// the session; the proofs themselves stay here.
#include <string>
#include <string_view>
#include <utility>

#include "base/sha1.h"
#include "server/replica_impl.h"

namespace quorate::server {

namespace zk = zookeeper;

namespace {

// Between two lines about proofs that failed.
constexpr Duration kProofWarningInterval = std::chrono::seconds(10);

// As ZooKeeper makes it, of whatever it is given: the user is what stands before the first colon, if there is
// one, and the digest is of all.
std::string digest_id_of(std::string_view proof) {
  const auto digest = sha1(proof);
  return std::string(proof.substr(0, proof.find(':'))) + ":" +
         base64({reinterpret_cast<const char*>(digest.data()), digest.size()});
}

// Nothing where there is nothing to replicate: the address is known.
Result<std::optional<kv::AddCredentialOp>> credential_of(const zk::Auth& auth,
                                                         const std::string& super_digest) {
  if (auth.scheme == kv::kAddressScheme) return std::optional<kv::AddCredentialOp>();
  if (auth.scheme != "digest")
    return {ErrorCode::kBadCredentials, "a credential of this scheme cannot be added; use digest"};
  kv::Credential credential{auth.scheme, digest_id_of(auth.proof)};
  if (Status valid = kv::validate_credential(credential); !valid.ok())
    return Error{ErrorCode::kBadCredentials, valid.error().message};
  const bool super = !super_digest.empty() && credential.id == super_digest;
  return std::optional(kv::AddCredentialOp{std::move(credential), super});
}

}  // namespace

// Nothing, and a reply: a step on the way. Nothing without a reply: there is nothing more to prove.
Result<std::optional<kv::AddCredentialOp>> Replica::Impl::zookeeper_prove(ZookeeperClient& client,
                                                                          ZookeeperClient::Waiting& waiting) {
  if (const auto* auth = std::get_if<zk::Auth>(&waiting.request.body))
    return credential_of(*auth, options.super_digest);
  auto& sasl = std::get<zk::Sasl>(waiting.request.body);
  const auto& drawn = client.connect.nonce;
  const std::string nonce = hex_digits({reinterpret_cast<const char*>(drawn.data()), drawn.size()});
  if (client.sasl == ZookeeperClient::Sasl::kNone) {
    client.sasl = ZookeeperClient::Sasl::kChallenged;
    waiting.reply = zk::Reply{waiting.request.xid, 0, zk::ErrorCode::kOk,
                              zk::SaslReply{sasl_challenge(kZookeeperSasl, nonce)}};
    return std::optional<kv::AddCredentialOp>();
  }
  Result<SaslProof> proof =
      client.sasl == ZookeeperClient::Sasl::kChallenged
          ? check_sasl(kZookeeperSasl, nonce, sasl.token, options.sasl_users)
          : Error{ErrorCode::kBadCredentials, "SASL: the exchange of this connection is over"};
  client.sasl = ZookeeperClient::Sasl::kDone;
  if (!proof.ok()) {
    if (now.instant >= next_proof_warning) {
      next_proof_warning = now.instant + kProofWarningInterval;
      log(LogLevel::kWarning,
          "a client at " + client.connect.address + " was refused: " + proof.error().message);
    }
    return proof.error();
  }
  sasl.token = std::move(proof->token);  // what it is answered, once its credential is replicated
  return std::optional(kv::AddCredentialOp{{"sasl", std::move(proof->user)}, false});
}

}  // namespace quorate::server
