// An instance of a service as Curator's service discovery writes it: beside write_instance() and
// read_instance(), what is done to the bytes themselves, so that what only others know stays in them.
//
// Thread safety: pure functions.
#pragma once

#include <string>
#include <string_view>

#include "client/quorate/service.h"

namespace quorate::client {

// Levels of arrays and objects within each other. What is nested deeper is refused, as what is no JSON is.
inline constexpr int kJsonDepthMax = 100;

// The instance, drained or not. Errors: kMalformed.
Result<std::string> with_enabled(std::string_view instance, bool enabled);

// The payload as it is written. Errors: kInvalidArgument.
Result<std::string> checked_payload(std::string_view payload);

}  // namespace quorate::client
