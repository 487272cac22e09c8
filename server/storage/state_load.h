// A checkpoint out of a store, as a state in memory.
//
// Thread safety: as the store's.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "kv/state_machine.h"
#include "server/storage/state_store.h"
#include "server/store_job.h"

namespace quorate::server {

// Nothing if the store is empty. Errors: kCorruption when what is there is not a state, or not the one that
// it says (index and hash are compared); kUnsupported for a later version; the store's own.
Result<std::optional<ReceivedState>> load_state(StateStore& store, const kv::Limits& limits);

// The name of the state in a snapshot; nothing if it is empty. Errors: as above.
Result<std::optional<StateName>> read_state_name(StateSnapshot& snapshot);

// Hands each of the records (kv/record.h) to `take`, until that fails. Errors: kCorruption where the bytes
// are not records, and those of `take`.
using TakeRecord = std::function<Status(std::string_view key, std::string_view value)>;
Status split_records(std::string_view records, const TakeRecord& take);

}  // namespace quorate::server
