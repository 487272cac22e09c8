#include "base/md5.h"

#include <gtest/gtest.h>

namespace quorate {
namespace {

std::string digest_of(std::string_view bytes) { return hex_digits(bytes_of(md5(bytes))); }

// RFC 1321, section A.5.
TEST(Md5, GivesThePublishedDigests) {
  EXPECT_EQ(digest_of(""), "d41d8cd98f00b204e9800998ecf8427e");
  EXPECT_EQ(digest_of("a"), "0cc175b9c0f1b6a831c399e269772661");
  EXPECT_EQ(digest_of("abc"), "900150983cd24fb0d6963f7d28e17f72");
  EXPECT_EQ(digest_of("message digest"), "f96b697d7cb7938d525a2f31aaf161d0");
  EXPECT_EQ(digest_of("abcdefghijklmnopqrstuvwxyz"), "c3fcd3d76192e4007dfb496cca67e13b");
  EXPECT_EQ(digest_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"),
            "d174ab98d277d9f5a5611c2c9f419d9f");
  EXPECT_EQ(digest_of("12345678901234567890123456789012345678901234567890123456789012345678901234567890"),
            "57edf4a22be3c955ac49da2e2107b67a");
}

// The padding takes a second block from 56 left over bytes on.
TEST(Md5, PadsAtEveryLengthAroundABlock) {
  EXPECT_EQ(digest_of(std::string(55, 'a')), "ef1772b6dff9a122358552954ad0df65");
  EXPECT_EQ(digest_of(std::string(56, 'a')), "3b0c8ac703f828b04c6c197006d17218");
  EXPECT_EQ(digest_of(std::string(63, 'a')), "b06521f39153d618550606be297466d5");
  EXPECT_EQ(digest_of(std::string(64, 'a')), "014842d480b571495a4a0363793f7367");
  EXPECT_EQ(digest_of(std::string(65, 'a')), "c743a45e0d2e6a95cb859adae0248435");
  EXPECT_EQ(digest_of(std::string(1'000'000, 'a')), "7707d6ae4e027c70eea2a935c2296f21");
}

TEST(Md5, DigitsAreLowerCaseAndTwoAByte) {
  EXPECT_EQ(hex_digits(std::string("\0\x0f\xa0\xff", 4)), "000fa0ff");
}

}  // namespace
}  // namespace quorate
