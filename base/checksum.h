// 64-bit checksums (XXH3): against damage, not against an adversary.
#pragma once

#include <cstdint>
#include <string_view>

namespace quorate {

uint64_t checksum64(std::string_view bytes, uint64_t seed = 0);

}  // namespace quorate
