// What a check of a service asks.
#include <gtest/gtest.h>

#include "client/cli/service_check.h"

namespace quorate::cli {
namespace {

std::string host_line(const std::string& what) {
  const std::string request = check_request(what).value();
  const size_t at = request.find("Host: ");
  return request.substr(at, request.find('\r', at) - at);
}

TEST(Check, NamesItsHostAsHttpWantsIt) {
  EXPECT_EQ(host_line("http://web:8080/health"), "Host: web:8080");
  EXPECT_EQ(host_line("http://10.0.0.1"), "Host: 10.0.0.1:80");
  EXPECT_EQ(host_line("http://[::1]:80/"), "Host: [::1]:80");
  EXPECT_EQ(host_line("http://[fe80::1]"), "Host: [fe80::1]:80");
  EXPECT_TRUE(check_request("http://[fe80::1]/a")->starts_with("GET /a HTTP/1.1\r\n"));
  EXPECT_TRUE(check_request("tcp://web:1")->empty());
  EXPECT_EQ(check_request("ftp://web").code(), ErrorCode::kInvalidArgument);
}

}  // namespace
}  // namespace quorate::cli
