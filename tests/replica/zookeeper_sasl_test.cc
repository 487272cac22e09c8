// ZooKeeper's clients that prove by SASL who they are.
#include <gtest/gtest.h>

#include "tests/replica/zookeeper_fixture.h"

namespace quorate::server::test {
namespace {

const zk::Acl kAnnas = {{31, "sasl", "anna"}};

std::string value_of(const std::string& challenge, const std::string& key) {
  const size_t begin = challenge.find(key + "=\"") + key.size() + 2;
  return challenge.substr(begin, challenge.find('"', begin) - begin);
}

// What a client answers (RFC 2831, section 2.1.2).
std::string answer_to(const std::string& challenge, const std::string& user, const std::string& password) {
  const auto digest = [](std::string_view text) { return hex_digits(bytes_of(md5(text))); };
  const std::string nonce = value_of(challenge, "nonce"), realm = value_of(challenge, "realm");
  const std::string uri = "zookeeper/" + realm;
  const std::string a1 =
      std::string(bytes_of(md5(user + ":" + realm + ":" + password))) + ":" + nonce + ":cafe";
  const std::string response =
      digest(digest(a1) + ":" + nonce + ":00000001:cafe:auth:" + digest("AUTHENTICATE:" + uri));
  return "username=\"" + user + "\",realm=\"" + realm + "\",nonce=\"" + nonce +
         "\",cnonce=\"cafe\",nc=00000001,qop=auth,digest-uri=\"" + uri + "\",response=" + response;
}

class ReplicaSasl : public ReplicaZookeeper {
 protected:
  void form_with_users() {
    ReplicaOptions options;
    options.sasl_users = {{"anna", sasl_secret(kZookeeperSasl, "anna", "secret")}};
    form(3, options);
  }
  std::string token_of(const zk::Reply& reply) {
    const auto* sasl = std::get_if<zk::SaslReply>(&reply.body);
    return sasl == nullptr ? "none" : sasl->token;
  }
  zk::Reply prove(ServerId server, ConnectionId connection, const std::string& password) {
    const std::string challenge = token_of(call(server, connection, zk::Sasl{}));
    return call(server, connection, zk::Sasl{answer_to(challenge, "anna", password)});
  }
};

TEST_F(ReplicaSasl, WhoProvesItHasWhatTheUserMayDo) {
  form_with_users();
  open(follower, kOne);
  open(follower, kTwo);
  const zk::Reply proved = prove(follower, kOne, "secret");
  EXPECT_EQ(proved.error, zk::ErrorCode::kOk);
  EXPECT_TRUE(token_of(proved).starts_with("rspauth=")) << token_of(proved);
  zk::Create node = create("/a", "x");
  node.acl = kAnnas;
  ASSERT_EQ(call(follower, kOne, node).error, zk::ErrorCode::kOk);
  EXPECT_EQ(data_of(call(follower, kOne, zk::GetData{"/a", false})), "x");
  EXPECT_EQ(call(follower, kTwo, zk::GetData{"/a", false}).error, zk::ErrorCode::kNoAuth);
  const auto who = call(follower, kOne, zk::WhoAmI{});
  EXPECT_EQ(std::get<zk::WhoAmIReply>(who.body).who.back(), (zk::WhoAmIReply::Who{"sasl", "anna"}));
}

TEST_F(ReplicaSasl, WhatIsAskedBehindTheProofIsAskedByTheUser) {
  form_with_users();
  open(leader, kOne);
  ASSERT_EQ(prove(leader, kOne, "secret").error, zk::ErrorCode::kOk);
  zk::Create node = create("/a", "x");
  node.acl = kAnnas;
  ASSERT_EQ(call(leader, kOne, node).error, zk::ErrorCode::kOk);
  open(follower, kTwo);
  const std::string challenge = token_of(call(follower, kTwo, zk::Sasl{}));
  ask(follower, kTwo, 1, zk::Sasl{answer_to(challenge, "anna", "secret")});
  ask(follower, kTwo, 2, zk::GetData{"/a", false});
  cluster->advance(50 * kMs);
  const auto all = replies(follower, kTwo);
  ASSERT_EQ(all.size(), 3U);
  EXPECT_EQ(data_of(all[2]), "x");
}

TEST_F(ReplicaSasl, AWrongPasswordEndsTheConnection) {
  form_with_users();
  open(follower, kOne);
  EXPECT_EQ(prove(follower, kOne, "wrong").error, zk::ErrorCode::kAuthFailed);
  EXPECT_TRUE(closed(follower, kOne));
}

TEST_F(ReplicaSasl, AChallengeIsAnsweredOnce) {
  form_with_users();
  open(follower, kOne);
  ASSERT_EQ(prove(follower, kOne, "secret").error, zk::ErrorCode::kOk);
  EXPECT_EQ(call(follower, kOne, zk::Sasl{}).error, zk::ErrorCode::kAuthFailed);
  EXPECT_TRUE(closed(follower, kOne));
}

// Another connection's challenge, and its answer, are worth nothing on this one.
TEST_F(ReplicaSasl, AnAnswerFromAnotherConnectionProvesNothing) {
  form_with_users();
  open(follower, kOne);
  open(follower, kTwo);
  const std::string heard = token_of(call(follower, kOne, zk::Sasl{}));
  ASSERT_NE(token_of(call(follower, kTwo, zk::Sasl{})), heard);
  EXPECT_EQ(call(follower, kTwo, zk::Sasl{answer_to(heard, "anna", "secret")}).error,
            zk::ErrorCode::kAuthFailed);
}

TEST_F(ReplicaSasl, WithoutUsersThereIsNone) {
  form();
  open(follower, kOne);
  EXPECT_EQ(call(follower, kOne, zk::Sasl{}).error, zk::ErrorCode::kUnimplemented);
  EXPECT_FALSE(closed(follower, kOne));
}

}  // namespace
}  // namespace quorate::server::test
