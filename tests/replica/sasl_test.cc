#include "server/replica_sasl.h"

#include <gtest/gtest.h>

namespace quorate::server {
namespace {

// The example of RFC 2831, section 4: an exchange with an IMAP server.
constexpr SaslService kImap{"elwood.innosoft.com", "imap/elwood.innosoft.com"};
constexpr std::string_view kNonce = "OA6MG9tEQGm2hh";
constexpr std::string_view kResponse =
    "charset=utf-8,username=\"chris\",realm=\"elwood.innosoft.com\",nonce=\"OA6MG9tEQGm2hh\",nc=00000001,"
    "cnonce=\"OA6MHXh6VqTrRk\",digest-uri=\"imap/elwood.innosoft.com\","
    "response=d388dad90d4bbd760a152321f2143af7,qop=auth";

SaslUsers users_of(std::string_view user, std::string_view password) {
  return {{std::string(user), sasl_secret(kImap, user, password)}};
}

std::string with(std::string text, std::string_view from, std::string_view to) {
  const size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

void expect_refused(const std::string& response, std::string_view why) {
  const auto proof = check_sasl(kImap, kNonce, response, users_of("chris", "secret"));
  ASSERT_FALSE(proof.ok()) << response;
  EXPECT_EQ(proof.code(), ErrorCode::kBadCredentials);
  EXPECT_NE(proof.error().message.find(why), std::string::npos) << proof.error().message;
}

TEST(Sasl, TheExampleOfTheRfcIsAccepted) {
  const auto proof = check_sasl(kImap, kNonce, kResponse, users_of("chris", "secret"));
  ASSERT_TRUE(proof.ok()) << proof.error().message;
  EXPECT_EQ(proof->user, "chris");
  EXPECT_EQ(proof->token, "rspauth=ea40f60335c427b5527b84dbabcdfffd");
}

TEST(Sasl, TheChallengeNamesRealmAndNonce) {
  EXPECT_EQ(sasl_challenge(kZookeeperSasl, "abc"),
            "realm=\"zk-sasl-md5\",nonce=\"abc\",qop=\"auth\",charset=utf-8,algorithm=md5-sess");
}

TEST(Sasl, AnotherPasswordOrUserIsRefusedInTheSameWords) {
  const auto wrong = check_sasl(kImap, kNonce, kResponse, users_of("chris", "Secret"));
  const auto unknown = check_sasl(kImap, kNonce, kResponse, users_of("anna", "secret"));
  ASSERT_FALSE(wrong.ok());
  ASSERT_FALSE(unknown.ok());
  EXPECT_EQ(wrong.error().message, unknown.error().message);
}

// A user that is not known is none whose secret is zeros, either.
TEST(Sasl, NobodyIsKnownWithoutUsers) { EXPECT_FALSE(check_sasl(kImap, kNonce, kResponse, {}).ok()); }

TEST(Sasl, WhatIsOfAnotherExchangeIsRefused) {
  const std::string response(kResponse);
  expect_refused(with(response, "nonce=\"OA6MG9tEQGm2hh\"", "nonce=\"OA6MG9tEQGm2hi\""), "another challenge");
  expect_refused(with(response, "nc=00000001", "nc=00000002"), "used before");
  expect_refused(with(response, "realm=\"elwood", "realm=\"jake"), "another realm");
  expect_refused(with(response, "uri=\"imap", "uri=\"smtp"), "another service");
  expect_refused(with(response, "qop=auth", "qop=auth-int"), "neither signed nor sealed");
  expect_refused(response + ",authzid=\"root\"", "somebody else");
  expect_refused(with(response, "d388", "d389"), "password is another");
  // What is proved covers the other name, though it is the same.
  expect_refused(response + ",authzid=\"chris\"", "password is another");
}

TEST(Sasl, AnIncompleteAnswerNamesWhatItLacks) {
  const std::string response(kResponse);
  for (const char* key : {"username", "cnonce", "nc", "digest-uri", "response"}) {
    const size_t at = response.find("," + std::string(key) + "=");
    ASSERT_NE(at, std::string::npos) << key;
    const size_t end = std::min(response.find(',', at + 1), response.size());
    expect_refused(response.substr(0, at) + response.substr(end), std::string("has no ") + key);
  }
}

TEST(Sasl, WhatIsNoListIsRefused) {
  const std::string response(kResponse);
  expect_refused("", "has no username");
  expect_refused("chris", "cannot be read");
  expect_refused("=chris", "cannot be read");
  expect_refused("username=\"chris", "cannot be read");
  expect_refused("username=\"chris\\", "cannot be read");
  expect_refused(response + ",nc=00000001", "cannot be read");
  expect_refused(std::string(kSaslTokenBytesMax + 1, ','), "too long");
}

// However it ends early, it is refused and nothing is read beyond it.
TEST(Sasl, EveryCutIsRefused) {
  const std::string response(kResponse);
  const size_t whole = response.find(",qop=auth");
  for (size_t size = 0; size < whole; ++size) {
    const auto proof =
        check_sasl(kImap, kNonce, std::string(response.substr(0, size)), users_of("chris", "secret"));
    EXPECT_FALSE(proof.ok()) << size;
  }
}

TEST(Sasl, SpacesAndQuotesAreReadAsTheRfcHasThem) {
  std::string response(kResponse);
  response = with(response, ",nc=00000001", " , nc = \"00000001\" ,,");
  response = with(response, "username=\"chris\"", "username=\"ch\\ris\"");
  EXPECT_TRUE(check_sasl(kImap, kNonce, response, users_of("chris", "secret")).ok());
}

// Section 2.1.2.1: what ISO 8859-1 can say is hashed so, whatever else the pair has.
TEST(Sasl, NamesOfLatin1AreHashedAsLatin1) {
  const auto plain = [](std::string_view text) { return md5(text); };
  EXPECT_EQ(sasl_secret(kImap, "J\xc3\xb6rg",
                        "stra\xc3\x9f"
                        "e"),
            plain("J\xf6rg:elwood.innosoft.com:stra\xdf"
                  "e"));
  EXPECT_EQ(sasl_secret(kImap, "anna", "\xe2\x82\xac"), plain("anna:elwood.innosoft.com:\xe2\x82\xac"));
  EXPECT_EQ(sasl_secret(kImap, "\xc3", "x"), plain("\xc3:elwood.innosoft.com:x"));
}

}  // namespace
}  // namespace quorate::server
