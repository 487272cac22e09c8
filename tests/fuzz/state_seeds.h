// Well-formed states, for the targets that read checkpoints, snapshots and backups.
//
// Thread safety: functions without state.
#pragma once

#include <string>
#include <vector>

#include "server/store_job.h"

namespace quorate::fuzz {

// Runs of records, as kv::append_record() makes them: of an empty state, and of one with a record of every
// kind.
std::vector<std::string> state_seeds();

// The same with the record of the state's name in front, as a store holds it.
struct NamedState {
  server::StateName name;
  std::string records;
};
std::vector<NamedState> named_state_seeds();

}  // namespace quorate::fuzz
