// The process's log: one line an event on standard error (or in a file), with an ISO time in UTC and a level.
//
// Thread safety: log() may be called from anywhere once set_up_log() has returned.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "server/replica.h"

namespace quorate::server {

// `file` empty: standard error. Errors: kIo when the file cannot be opened.
Status set_up_log(LogLevel least, const std::string& file);
// The file that is there now under the name, for who has moved the old one away; without a file, nothing.
// Errors: kIo, and the log goes on where it went.
Status reopen_log();
void log(LogLevel level, std::string_view text);

}  // namespace quorate::server
