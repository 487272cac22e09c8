// Where a server is, as it is typed.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace quorate::client {

struct HostPort {
  std::string host, port;
};
// "host:port" or "[ipv6]:port". Errors: kInvalidArgument.
Result<HostPort> parse_endpoint(std::string_view endpoint);

}  // namespace quorate::client
