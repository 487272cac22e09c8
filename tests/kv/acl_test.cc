#include "kv/acl.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "kv/acl_table.h"
#include "kv/ip_network.h"

namespace quorate::kv {
namespace {

const Credentials kNobody;
const Credential kAlice{"digest", "alice:secret"};
const Credential kBob{"digest", "bob:secret"};
const Credential kHost{"ip", "10.1.2.3"};
const Credential kSuper{"super", ""};

Acl one(uint32_t permissions, std::string scheme, std::string id) {
  return {{permissions, std::move(scheme), std::move(id)}};
}

// ---- which lists there are

TEST(ValidateAcl, TakesEveryScheme) {
  for (const AclEntry& entry : std::vector<AclEntry>{{31, "world", "anyone"},
                                                     {1, "auth", ""},
                                                     {1, "auth", "whatever"},
                                                     {1, "digest", "alice:c2VjcmV0"},
                                                     {1, "digest", ":c2VjcmV0"},
                                                     {1, "ip", "10.0.0.0/8"},
                                                     {1, "ip", "2001:db8::1"},
                                                     {1, "x509", "CN=alice"},
                                                     {1, "sasl", "alice"},
                                                     {1, "sasl", "alice@REALM"},
                                                     {1, "sasl", "alice/host@REALM"},
                                                     {0, "world", "anyone"}}) {
    EXPECT_TRUE(validate_acl({entry}).ok()) << entry.scheme << " " << entry.id;
  }
}

TEST(ValidateAcl, RefusesWhatNoSchemeAllows) {
  for (const AclEntry& entry : std::vector<AclEntry>{{31, "world", "everyone"},
                                                     {31, "world", ""},
                                                     {1, "digest", "alice"},
                                                     {1, "digest", "alice:"},
                                                     {1, "digest", "alice:b:c"},
                                                     {1, "ip", "10.0.0"},
                                                     {1, "ip", ""},
                                                     {1, "x509", ""},
                                                     {1, "super", ""},
                                                     {1, "sasl", ""},
                                                     {1, "sasl", "alice@REALM@REALM"},
                                                     {1, "sasl", "alice/a/b@REALM"},
                                                     {1, "sasl", "alice@REALM/host"},
                                                     {1, "kerberos", "alice"},
                                                     {1, "", "anyone"},
                                                     {32, "world", "anyone"},
                                                     {0xffffffff, "world", "anyone"},
                                                     {1, "x509", std::string(kAclIdBytesMax + 1, 'x')}}) {
    const Status status = validate_acl({{31, "world", "anyone"}, entry});
    EXPECT_EQ(status.code(), ErrorCode::kInvalidAcl) << entry.scheme << " " << entry.id;
    EXPECT_FALSE(status.error().message.empty());
  }
}

TEST(ValidateAcl, RefusesAListWithoutEntriesOrWithTooMany) {
  EXPECT_EQ(validate_acl({}).code(), ErrorCode::kInvalidAcl);
  Acl acl(kAclEntriesMax, AclEntry{1, "world", "anyone"});
  EXPECT_TRUE(validate_acl(acl).ok());
  acl.push_back(acl.front());
  EXPECT_EQ(validate_acl(acl).code(), ErrorCode::kInvalidAcl);
}

// ---- what is stored

TEST(ExpandAcl, PutsInWhoIsAskingForAuth) {
  const Result<Acl> acl =
      expand_acl({{3, "auth", "x"}, {1, "world", "anyone"}}, {kHost, kAlice, kBob, kSuper});
  ASSERT_TRUE(acl.ok());
  const Acl expected = {{3, "digest", kAlice.id}, {3, "digest", kBob.id}, {1, "world", "anyone"}};
  EXPECT_EQ(*acl, expected);
}

TEST(ExpandAcl, RefusesAuthOfSomebodyUnknown) {
  for (const Credentials& credentials : {kNobody, Credentials{kHost}, Credentials{kSuper}}) {
    EXPECT_EQ(expand_acl(one(31, "auth", ""), credentials).code(), ErrorCode::kInvalidAcl);
  }
}

TEST(ExpandAcl, KeepsRepeatedEntriesOnceAndTheOrder) {
  const Acl expected = {{3, "digest", kBob.id}, {1, "world", "anyone"}, {3, "digest", kAlice.id}};
  EXPECT_EQ(expand_acl({expected[0], expected[1], expected[0], {3, "auth", ""}}, {kAlice}).value(), expected);
  const Acl both = {{3, "digest", kBob.id}, {3, "digest", kAlice.id}, {1, "digest", kAlice.id}};
  EXPECT_EQ(
      expand_acl({both[0], {3, "auth", ""}, {3, "auth", "x"}, {1, "auth", ""}, {3, "auth", ""}}, {kAlice})
          .value(),
      both);
}

TEST(ExpandAcl, RefusesAListThatGrowsTooLong) {
  Acl acl;
  for (size_t i = 0; i < kAclEntriesMax; ++i) acl.push_back({1, "x509", "CN=" + std::to_string(i)});
  acl.back() = {1, "auth", ""};
  EXPECT_TRUE(expand_acl(acl, {kAlice}).ok());
  EXPECT_EQ(expand_acl(acl, {kAlice, kBob}).code(), ErrorCode::kInvalidAcl);
}

// ---- who may

TEST(Permits, IsNoUnlessTheListSaysYes) {
  for (uint32_t permission = 1; permission <= kAdmin; permission <<= 1) {
    for (uint32_t given = 0; given <= kAllPermissions; ++given) {
      const bool yes = (given & permission) != 0;
      EXPECT_EQ(permits(one(given, "world", "anyone"), kNobody, permission), yes);
      EXPECT_EQ(permits(one(given, "digest", kAlice.id), {kAlice}, permission), yes);
      EXPECT_FALSE(permits(one(given, "digest", kAlice.id), {kBob}, permission));
      EXPECT_FALSE(permits(one(given, "digest", kAlice.id), kNobody, permission));
      EXPECT_TRUE(permits(one(given, "digest", kAlice.id), {kBob, kSuper}, permission));
    }
    EXPECT_FALSE(permits({}, {kAlice, kHost}, permission));
  }
}

TEST(Permits, TakesAnyOfSeveralPermissions) {
  EXPECT_TRUE(permits(one(kAdmin, "world", "anyone"), kNobody, kRead | kAdmin));
  EXPECT_FALSE(permits(one(kWrite, "world", "anyone"), kNobody, kRead | kAdmin));
}

TEST(Permits, NeedsTheSameScheme) {
  EXPECT_FALSE(permits(one(1, "digest", "same"), {{"x509", "same"}}, kRead));
  EXPECT_TRUE(permits(one(1, "x509", "same"), {{"x509", "same"}}, kRead));
  EXPECT_FALSE(permits(one(1, "x509", "same"), {{"sasl", "same"}}, kRead));
  EXPECT_TRUE(permits(one(1, "sasl", "same"), {{"sasl", "same"}}, kRead));
  EXPECT_FALSE(permits(one(1, "sasl", "same"), {{"sasl", "other"}}, kRead));
}

TEST(Permits, TakesAddressesOfANetwork) {
  EXPECT_TRUE(permits(one(1, "ip", "10.1.2.3"), {kHost}, kRead));
  EXPECT_TRUE(permits(one(1, "ip", "10.0.0.0/8"), {kHost}, kRead));
  EXPECT_FALSE(permits(one(1, "ip", "10.1.2.4"), {kHost}, kRead));
  EXPECT_FALSE(permits(one(1, "ip", "11.0.0.0/8"), {kHost}, kRead));
}

TEST(WithoutSecrets, HidesDigestsAndNothingElse) {
  const Acl acl = {{31, "digest", "alice:secret"}, {1, "world", "anyone"}, {1, "x509", "CN=a:b"}};
  const Acl shown = {{31, "digest", "alice:x"}, {1, "world", "anyone"}, {1, "x509", "CN=a:b"}};
  EXPECT_EQ(without_secrets(acl), shown);
}

// ---- addresses

TEST(IpNetwork, ReadsAddressesAndPrefixes) {
  for (const char* text :
       {"0.0.0.0", "255.255.255.255", "1.2.3.4/0", "1.2.3.4/32", "::", "::1", "1::", "2001:db8::/32",
        "1:2:3:4:5:6:7:8", "::/0", "::/128", "::ffff:1.2.3.4", "1:2:3:4:5:6:1.2.3.4", "ABCD::ef"}) {
    EXPECT_TRUE(IpNetwork::parse(text).has_value()) << text;
  }
}

TEST(IpNetwork, RefusesEverythingElse) {
  for (const char* text : {"",
                           "/",
                           "/8",
                           "1.2.3",
                           "1.2.3.4.5",
                           "1.2.3.256",
                           "1.2.3.04",
                           "1.2.3.",
                           ".1.2.3",
                           "1.2.3.4/",
                           "1.2.3.4/33",
                           "1.2.3.4/-1",
                           "1.2.3.4/8/8",
                           " 1.2.3.4",
                           "a.b.c.d",
                           "localhost",
                           ":",
                           ":::",
                           "1:",
                           ":1",
                           "1::2::3",
                           "1:2:3:4:5:6:7",
                           "1:2:3:4:5:6:7:8:9",
                           "1:2:3:4:5:6:7:8::",
                           "::12345",
                           "::g",
                           "::/129",
                           "1.2.3.4::",
                           "1:2:3:4:5:6:7:1.2.3.4"}) {
    EXPECT_FALSE(IpNetwork::parse(text).has_value()) << text;
  }
}

bool contains(const char* network, const char* address) {
  return IpNetwork::parse(network).value().contains(IpNetwork::parse(address).value());
}

TEST(IpNetwork, ComparesAsManyBitsAsItSays) {
  EXPECT_TRUE(contains("10.1.2.128/25", "10.1.2.200"));
  EXPECT_FALSE(contains("10.1.2.128/25", "10.1.2.100"));
  EXPECT_TRUE(contains("10.1.2.3/0", "200.1.1.1"));
  EXPECT_FALSE(contains("0.0.0.0/0", "::1"));
  EXPECT_TRUE(contains("2001:db8::/33", "2001:db8:7fff::1"));
  EXPECT_FALSE(contains("2001:db8::/33", "2001:db8:8000::1"));
  EXPECT_TRUE(contains("1:2::7:8", "1:2:0:0:0:0:7:8"));
}

TEST(IpNetwork, TakesAnAddressThatCameOverV6AsTheV4ThatItIs) {
  EXPECT_TRUE(contains("10.0.0.0/8", "::ffff:10.1.2.3"));
  EXPECT_TRUE(contains("::ffff:10.0.0.0/104", "10.1.2.3"));
  EXPECT_FALSE(contains("::/0", "10.1.2.3"));
}

// ---- credentials

// `echo -n super:test | openssl sha1 -binary | base64`
TEST(DigestId, IsWhatZooKeeperWrites) {
  EXPECT_EQ(digest_id("super:test").value(), "super:D/InIHSb7yEEbrWz8b9l71RjZJU=");
}

TEST(DigestId, NeedsAUser) {
  for (const std::string& text : {std::string(), std::string("alice"), std::string(":secret"),
                                  std::string(kAclIdBytesMax, 'u') + ":secret"}) {
    EXPECT_EQ(digest_id(text).code(), ErrorCode::kInvalidArgument);
  }
  EXPECT_TRUE(digest_id("alice:").ok());
  EXPECT_TRUE(digest_id("alice:with:colons").ok());
}

TEST(DigestId, IsAnIdThatAListMayName) {
  EXPECT_TRUE(validate_acl(one(31, "digest", digest_id("alice:with:colons").value())).ok());
}

TEST(ValidateCredential, TakesWhatASessionCanHave) {
  for (const Credential& credential :
       {kAlice, kHost, kSuper, Credential{"x509", "CN=a"}, Credential{"sasl", "a"}}) {
    EXPECT_TRUE(validate_credential(credential).ok()) << credential.scheme;
  }
  for (const Credential& credential :
       {Credential{"world", "anyone"}, Credential{"auth", ""}, Credential{"sasl", ""},
        Credential{"ip", "10.0.0.0/8"}, Credential{"ip", "host"}, Credential{"digest", "alice"},
        Credential{"super", "x"}, Credential{"x509", ""}}) {
    EXPECT_EQ(validate_credential(credential).code(), ErrorCode::kInvalidArgument) << credential.scheme;
  }
}

// ---- bytes

RC_GTEST_PROP(AclBytes, AreReadAsTheyWereWritten, ()) {
  Acl acl;
  Credentials credentials;
  for (int i = *rc::gen::inRange(0, 6); i > 0; --i) {
    acl.push_back({*rc::gen::arbitrary<uint32_t>(), *rc::gen::arbitrary<std::string>(),
                   *rc::gen::arbitrary<std::string>()});
    credentials.push_back({acl.back().scheme, acl.back().id});
  }
  std::string bytes;
  append_acl(bytes, acl);
  append_credentials(bytes, credentials);
  ByteReader in(bytes);
  RC_ASSERT(read_acl(in) == acl);
  RC_ASSERT(read_credentials(in) == credentials);
  RC_ASSERT(in.done());
  ByteReader shorter(std::string_view(bytes).substr(0, bytes.size() - 1));
  read_acl(shorter);
  read_credentials(shorter);
  RC_ASSERT(shorter.failed());
}

TEST(AclBytes, WithACountBeyondTheirEndFail) {
  const std::string bytes = "\xff\xff\xff\xff\x0f";
  ByteReader in(bytes);
  EXPECT_TRUE(read_acl(in).empty());
  EXPECT_TRUE(in.failed());
}

// ---- the table

RC_GTEST_PROP(AclTable, CountsReferencesLikeAListOfThem, ()) {
  AclTable table;
  std::vector<std::pair<Acl, uint32_t>> held;
  for (int step = *rc::gen::inRange(0, 60); step > 0; --step) {
    if (*rc::gen::inRange(0, 3) > 0) {
      const auto permissions = static_cast<uint32_t>(*rc::gen::inRange(28, 32));
      const Acl acl = one(permissions, "world", "anyone");
      const uint32_t id = table.acquire(acl);
      RC_ASSERT((id == AclTable::kOpen) == (acl == open_acl()));
      held.emplace_back(acl, id);
    } else if (!held.empty()) {
      const auto at = *rc::gen::inRange<size_t>(0, held.size());
      table.release(held[at].second);
      held.erase(held.begin() + static_cast<std::ptrdiff_t>(at));
    }
    std::map<uint32_t, uint64_t> counts;
    for (const auto& [acl, id] : held) {
      RC_ASSERT(table.get(id) == acl);
      if (id != AclTable::kOpen) ++counts[id];
    }
    RC_ASSERT(table.size() == counts.size() + 1);
    for (const auto& [id, count] : counts) RC_ASSERT(table.references(id) == count);
  }
}

TEST(AclTable, HashesTheBytesAndNotTheId) {
  AclTable a;
  AclTable b;
  b.acquire(one(1, "x509", "CN=other"));
  const uint32_t in_a = a.acquire(one(1, "digest", kAlice.id));
  const uint32_t in_b = b.acquire(one(1, "digest", kAlice.id));
  EXPECT_NE(in_a, in_b);
  EXPECT_EQ(a.hash(in_a), b.hash(in_b));
  EXPECT_EQ(a.hash(AclTable::kOpen), 0U);
}

TEST(AclTable, KeepsAListReadableForWhoeverSharesIt) {
  AclTable table;
  const uint32_t id = table.acquire(one(1, "digest", kAlice.id));
  const std::shared_ptr<const Acl> shared = table.share(id);
  table.release(id);
  EXPECT_FALSE(table.used(id));
  EXPECT_EQ(*shared, one(1, "digest", kAlice.id));
}

}  // namespace
}  // namespace quorate::kv
