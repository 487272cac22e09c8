#include "base/check.h"

#include <cstdio>
#include <cstdlib>

namespace quorate {
namespace {
CheckFailureHook g_hook = nullptr;
}

void set_check_failure_hook(CheckFailureHook hook) { g_hook = hook; }

void check_failed(const char* file, int line, const char* condition, std::string_view message) {
  std::string what = std::string("check failed: ") + condition;
  if (!message.empty()) what.append(" (").append(message).append(")");
  what.append(" at ").append(file).append(":").append(std::to_string(line));
  if (g_hook != nullptr) g_hook(what);
  std::fprintf(stderr, "%s\n", what.c_str());
  std::fflush(stderr);
  std::abort();
}

}  // namespace quorate
