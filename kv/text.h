// Text for people in refusals, and the suffix of sequential names.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace quorate::kv {

// A path as a message shows it: in quotes, printable ASCII (other bytes as \xNN), cut after 100 bytes. A
// message that holds it is always valid UTF-8 and small, whatever the client sent.
std::string shown(std::string_view path);

// "%010d" as ZooKeeper writes it. REQUIRES: value <= kSequenceMax (path.h).
void append_sequence(std::string& out, uint64_t value);

}  // namespace quorate::kv
