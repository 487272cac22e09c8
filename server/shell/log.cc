#include "server/shell/log.h"

#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/dist_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <memory>
#include <utility>

namespace quorate::server {

namespace {

spdlog::level::level_enum to_spdlog(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return spdlog::level::debug;
    case LogLevel::kInfo:
      return spdlog::level::info;
    case LogLevel::kWarning:
      return spdlog::level::warn;
    case LogLevel::kError:
      return spdlog::level::err;
  }
  return spdlog::level::info;
}

std::string path;  // of the log file, if it is one
// Holds the one sink, which another may replace while lines are written.
std::shared_ptr<spdlog::sinks::dist_sink_mt> destination;

Status open_destination() {
  std::shared_ptr<spdlog::sinks::sink> sink;
  try {
    if (path.empty()) {
      sink = std::make_shared<spdlog::sinks::stderr_sink_mt>();
    } else {
      sink = std::make_shared<spdlog::sinks::basic_file_sink_mt>(path);
    }
  } catch (const spdlog::spdlog_ex& error) {
    return Error{ErrorCode::kIo, std::string("the log file cannot be opened: ") + error.what()};
  }
  sink->set_formatter(std::make_unique<spdlog::pattern_formatter>("%Y-%m-%dT%H:%M:%S.%eZ %l %v",
                                                                  spdlog::pattern_time_type::utc));
  destination->set_sinks({std::move(sink)});
  return {};
}

}  // namespace

Status set_up_log(LogLevel least, const std::string& file) {
  path = file;
  destination = std::make_shared<spdlog::sinks::dist_sink_mt>();
  if (Status opened = open_destination(); !opened.ok()) return opened;
  auto logger = std::make_shared<spdlog::logger>("quorated", destination);
  logger->set_level(to_spdlog(least));
  logger->flush_on(spdlog::level::debug);
  spdlog::set_default_logger(std::move(logger));
  return {};
}

Status reopen_log() { return path.empty() ? Status() : open_destination(); }

void log(LogLevel level, std::string_view text) { spdlog::log(to_spdlog(level), "{}", text); }

}  // namespace quorate::server
