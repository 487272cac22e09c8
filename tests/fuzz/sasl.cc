// check_sasl: what a client that has proved nothing yet says of itself. A search would not find the proof by
// itself, so some inputs are answers that are given the right one.
#include "server/replica_sasl.h"

#include <algorithm>

#include "base/check.h"
#include "tests/fuzz/target.h"

namespace quorate::fuzz {
namespace {

using server::kZookeeperSasl;

constexpr std::string_view kNonce = "OA6MG9tEQGm2hh";
constexpr std::string_view kProof = "@proof@";  // in an input: where the right one is to stand

const server::SaslUsers& users() {
  static const server::SaslUsers all = {{"anna", server::sasl_secret(kZookeeperSasl, "anna", "secret")},
                                        {"b\"\\,", server::sasl_secret(kZookeeperSasl, "b\"\\,", "")}};
  return all;
}

std::string hex_md5(std::string_view text) { return hex_digits(quorate::bytes_of(md5(text))); }

// RFC 2831, section 2.1.2.1, for anna and a cnonce that is "c".
std::string proof() {
  std::string a1(quorate::bytes_of(users().at("anna")));
  a1.append(":").append(kNonce).append(":c");
  const std::string a2 = "AUTHENTICATE:" + std::string(kZookeeperSasl.digest_uri);
  return hex_md5(hex_md5(a1) + ":" + std::string(kNonce) + ":00000001:c:auth:" + hex_md5(a2));
}

void run(std::string_view bytes) {
  std::string token(bytes);
  const size_t at = token.find(kProof);
  if (at != std::string::npos) token.replace(at, kProof.size(), proof());
  const auto done = server::check_sasl(kZookeeperSasl, kNonce, token, users());
  if (!done.ok()) {
    CHECK(done.code() == ErrorCode::kBadCredentials);
    return;
  }
  CHECK(users().contains(done->user));
  CHECK(done->token.starts_with("rspauth="));
  // Nobody proves a password without having said who it is, to this challenge.
  CHECK(token.size() <= server::kSaslTokenBytesMax);
  CHECK(token.find("nonce") != std::string::npos && token.find(kNonce) != std::string::npos);
  CHECK(!server::check_sasl(kZookeeperSasl, "another", token, users()).ok());
  CHECK(!server::check_sasl(kZookeeperSasl, kNonce, token, {}).ok());
}

std::vector<std::string> seeds() {
  const std::string answer = "charset=utf-8,username=\"anna\",realm=\"zk-sasl-md5\",nonce=\"" +
                             std::string(kNonce) +
                             "\",nc=00000001,cnonce=\"c\",digest-uri=\"zookeeper/zk-sasl-md5\",maxbuf=65536,";
  CHECK(
      server::check_sasl(kZookeeperSasl, kNonce, answer + "response=" + proof() + ",qop=auth", users()).ok());
  return {answer + "response=" + std::string(kProof) + ",qop=auth",
          answer + "response=d388dad90d4bbd760a152321f2143af7,qop=auth",
          answer + "authzid=\"anna\",response=" + std::string(kProof),
          "username = \"b\\\"\\\\,\" , a=b,,c=\"\"",
          "username=\"anna",
          std::string(server::kSaslTokenBytesMax + 1, ','),
          "="};
}

const Target kTarget("sasl", run, seeds);

}  // namespace
}  // namespace quorate::fuzz
