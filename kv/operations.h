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

// REQUIRES: not a close; that one is about the session. Appends to `changes` what it did, in order.
Outcome execute(Tree& tree, const OperationView& operation, SessionId session, const Tree::Cause& cause,
                std::vector<Change>& changes);

// Removes what a session owns, in the order of creation.
void remove_owned(Tree& tree, SessionId session, const Tree::Cause& cause, std::vector<Change>& changes);

}  // namespace quorate::kv
