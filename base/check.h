// Checks of what must be true. They stay on in release builds: a server that finds itself wrong stops.
//
//   CHECK(applied_ <= committed_);
//   CHECK_MSG(frame.size() <= limit, "a frame over the limit reached the encoder");
#pragma once

#include <string>
#include <string_view>

namespace quorate {

// Called with the whole sentence before the process ends; the simulator prints its seed there, a test may throw.
using CheckFailureHook = void (*)(const std::string& what);
// Thread safety: set it once, before other threads start.
void set_check_failure_hook(CheckFailureHook hook);

[[noreturn]] void check_failed(const char* file, int line, const char* condition, std::string_view message);

}  // namespace quorate

#define CHECK(condition)                                                              \
  do {                                                                                \
    if (!(condition)) [[unlikely]]                                                    \
      ::quorate::check_failed(__FILE__, __LINE__, #condition, {});                    \
  } while (false)

#define CHECK_MSG(condition, message)                                                 \
  do {                                                                                \
    if (!(condition)) [[unlikely]]                                                    \
      ::quorate::check_failed(__FILE__, __LINE__, #condition, (message));             \
  } while (false)
