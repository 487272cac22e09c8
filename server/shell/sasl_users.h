// The file of --sasl-users: a user a line, as name:password; empty lines and those that begin with # are
// passed over. A password may have colons, a name not. Passwords are forgotten when the file was read.
//
// Thread safety: none needed.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "server/replica_sasl.h"

namespace quorate::server {

// Errors: kBadConfiguration, naming the line, never what stands in it.
Result<SaslUsers> parse_sasl_users(std::string_view text);
// Errors: as above, and where the file cannot be read.
Result<SaslUsers> read_sasl_users(const std::string& path);

}  // namespace quorate::server
