#include "server/shell/sasl_users.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace quorate::server {
namespace {

TEST(SaslUsers, ALineIsAUser) {
  const auto users = parse_sasl_users("# who may\n\nanna:secret\r\nben:a:b \nlast:one");
  ASSERT_TRUE(users.ok()) << users.error().message;
  ASSERT_EQ(users->size(), 3U);
  EXPECT_EQ(users->at("anna"), sasl_secret(kZookeeperSasl, "anna", "secret"));
  EXPECT_EQ(users->at("ben"), sasl_secret(kZookeeperSasl, "ben", "a:b "));
  EXPECT_EQ(users->at("last"), sasl_secret(kZookeeperSasl, "last", "one"));
}

TEST(SaslUsers, MistakesNameTheLineAndNoPassword) {
  for (const char* text : {"anna:secret\nben\n", "anna:secret\nben:\n", "anna:secret\n:secret\n",
                           "anna:secret\na@b@c:secret\n", "anna:secret\nanna:secret\n"}) {
    const auto users = parse_sasl_users(text);
    ASSERT_FALSE(users.ok()) << text;
    EXPECT_EQ(users.code(), ErrorCode::kBadConfiguration);
    EXPECT_TRUE(users.error().message.starts_with("line 2: ")) << users.error().message;
    EXPECT_EQ(users.error().message.find("secret"), std::string::npos) << users.error().message;
  }
  EXPECT_EQ(parse_sasl_users("# nobody\n").code(), ErrorCode::kBadConfiguration);
}

TEST(SaslUsers, AFileIsNamedInWhatIsWrongWithIt) {
  const std::string path =
      (std::filesystem::path(testing::TempDir()) / ("sasl-users-" + std::to_string(::getpid()))).string();
  EXPECT_TRUE(read_sasl_users(path).error().message.starts_with(path + ": cannot be read"));
  std::ofstream(path) << "anna:secret\n";
  EXPECT_TRUE(read_sasl_users(path).ok());
  std::ofstream(path) << "anna\n";
  EXPECT_TRUE(read_sasl_users(path).error().message.starts_with(path + ": line 1: "));
  std::filesystem::remove(path);
}

}  // namespace
}  // namespace quorate::server
