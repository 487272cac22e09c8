// What each operation of a session does to the tree, and when it refuses. All or nothing: a refusal leaves
// the tree as it was.
//
// Thread safety: none.
#pragma once

#include <vector>

#include "kv/command_view.h"
#include "kv/state_machine.h"
#include "kv/tree.h"

namespace quorate::kv {

// By whom and when operations are executed, and where.
struct Context {
  Tree& tree;
  const Limits& limits;
  SessionId session;
  Tree::Cause cause;
  const Credentials& credentials;            // what the session's requests are matched against
  std::vector<Change>& changes;              // what was done is appended, in order
  std::vector<std::string>& quota_warnings;  // and the paths of quotas whose soft limit that went beyond
};

// REQUIRES: not a close; that one is about the session.
Outcome execute(const Context& context, const OperationView& operation);

// Removes what the session owns, in the order of creation. Where it `expired`, the places in queues that held
// and have a delay (PlaceMode::delay_ms) are kept for so long.
void remove_owned(const Context& context, bool expired);

// Removes those of the nodes that are due by the cause's cluster time.
void reap(const Context& context, const std::vector<std::string>& paths);

}  // namespace quorate::kv
