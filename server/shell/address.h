// "HOST:PORT" as operators write it: a name, an IPv4 address, or an IPv6 address in brackets.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace quorate::server {

struct Address {
  std::string host;
  uint16_t port = 0;
};

// Errors: kBadConfiguration with what is missing.
Result<Address> parse_address(std::string_view text);
std::string to_string(const Address& address);

}  // namespace quorate::server
