// Scenarios as text: a file of commands, each followed by the trace that it must leave.
//
//   # why this scenario is told
//   > tick 2 300ms
//     2 is pre-candidate in term 1: heard from no leader for an election timeout
//
// Lines that begin with '>' are commands, with '#' comments; every other line is golden text.
//
// Commands (servers are numbers, a link is FROM->TO, durations have a unit, ms or s):
//   cluster VOTERS [LEARNERS]      the first command; one entry goes into one message
//   tick ID [BY] | timeout ID | advance BY | wait BY
//   deliver LINK [COUNT] | drop LINK | duplicate LINK | cut LINK | isolate ID | heal
//   persist ID [COUNT] | stall ID | unstall ID | settle
//   crash ID | restart ID | wipe ID | disk ID TERM VOTE [INDEX^TERM ...]
//   propose ID TEXT | read ID CONTEXT | transfer ID TO | unreachable ID PEER
//   compact ID INDEX | installed ID INDEX
//   status                         a line for each server
#pragma once

#include <string>

namespace quorate::raft::testing {

// Runs the commands of `text` and returns it with the golden text as it is. Throws std::runtime_error for a
// command that is unknown or malformed, and for a broken invariant.
std::string run_scenario(const std::string& text);

}  // namespace quorate::raft::testing
