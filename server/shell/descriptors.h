// Files and sockets that this process may have open. Clients must not take what the log and the checkpoints
// need: a server that cannot open a file of its own ends.
//
// Thread safety: none; asked once, at the start.
#pragma once

#include <cstddef>
#include <cstdint>

namespace quorate::server {

// For the server's own: two stores of checkpoints (LevelDbOptions::files_open_max of each), the log, peers.
inline constexpr uint64_t kOwnDescriptors = 640;

// Lets nothing of ours have the number of a standard stream that is closed: what is printed would go there.
// Called before anything is opened.
void occupy_closed_streams();

// Asks the system for room for so many clients beside our own. What it allows then (ulimit -n).
uint64_t raise_descriptor_limit(size_t clients);

// How many of `clients` have room within `limit`: behind our own, or in half of it where it is too low for
// these.
size_t clients_with_room(size_t clients, uint64_t limit);

}  // namespace quorate::server
