// How the commands about locks write who stands in a queue.
//
// Thread safety: pure functions.
#pragma once

#include <string>

#include <nlohmann/json.hpp>

#include "client/cli/command.h"

namespace quorate::cli {

// "exclusive", "shared", "permit of 3".
std::string mode_text(const client::Contender& contender);
nlohmann::json contender_json(const client::Contender& contender);

}  // namespace quorate::cli
