// SHA-1 and Base64, as ZooKeeper's digest scheme uses them: an id is "user:" and
// Base64(SHA-1("user:password")).
//
// Written here because what is pure links no cryptographic library, and because this one use needs no speed
// and no constant time. SHA-1 is broken as a signature (collisions); that a password cannot be found from its
// digest still holds as far as the password is strong. Use it for nothing else.
//
// Thread safety: pure functions.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace quorate {

// FIPS 180-4.
std::array<uint8_t, 20> sha1(std::string_view bytes);

// RFC 4648, section 4, with padding.
std::string base64(std::string_view bytes);

}  // namespace quorate
