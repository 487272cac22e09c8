// Raft's messages and changes as short lines of prose, for traces and failures.
#pragma once

#include <string>

#include "raft/raft.h"

namespace quorate::raft::testing {

std::string describe(const Body& body);
// "1->2 term 3: append after 4^2, 1 entry, commit 3"
std::string describe(const Message& message);
// "follower of 2 in term 3: heard from the leader of term 3"
std::string describe(const RoleChange& change);

}  // namespace quorate::raft::testing
