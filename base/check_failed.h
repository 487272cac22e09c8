// What a failed check does: the process says so in a sentence and ends. base/check.h has the macros that lead
// here; this header has none, so that public headers can use it without naming a CHECK that a program may
// have of its own.
#pragma once

#include <string>
#include <string_view>

namespace quorate {

// Called with the whole sentence before the process ends; the simulator prints its seed there, a test may
// throw.
using CheckFailureHook = void (*)(const std::string& what);
// Thread safety: set it once, before other threads start.
void set_check_failure_hook(CheckFailureHook hook);

[[noreturn]] void check_failed(const char* file, int line, const char* condition, std::string_view message);

}  // namespace quorate
