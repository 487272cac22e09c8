// How the commands about locks write who stands in a queue.
//
// Thread safety: pure functions; lock_history() waits for the network.
#pragma once

#include <string>

#include <nlohmann/json.hpp>

#include "client/cli/command.h"

namespace quorate::cli {

// "exclusive", "shared", "permit of 3".
std::string mode_text(const client::Contender& contender);
nlohmann::json contender_json(const client::Contender& contender);

// The command `lock history`. Returns the exit code.
int lock_history(const Globals& globals, const std::string& path);

}  // namespace quorate::cli
