#include "client/cli/command.h"

#include <unistd.h>
#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <iostream>
#include <utility>

#include <fcntl.h>
#include <nlohmann/json.hpp>

#include "client/cli/endpoints.h"
#include "client/cli/progress.h"
#include "client/cli/signals.h"
#include "kv/acl.h"
#include "kv/command.h"

namespace quorate::cli {

client::Options Globals::client_options(std::shared_ptr<Endpoints> told) const {
  client::Options options;
  if (!told && !quiet) told = std::make_shared<Endpoints>(endpoints.size(), Endpoints::Tell::kAtOnce);
  if (told)
    options.on_endpoint = [told](const std::string& endpoint, const Error& trouble) {
      told->changed(endpoint, trouble);
    };
  options.endpoints = endpoints;
  options.session_timeout = session_timeout;
  options.request_timeout = request_timeout;
  options.credentials = credentials;
  std::array<char, 256> host{};
  gethostname(host.data(), host.size() - 1);
  options.name = std::string(host.data()) + " pid " + std::to_string(getpid());
  return options;
}

int exit_code(ErrorCode code) {
  switch (code) {
    case ErrorCode::kOk:
      return kDone;
    case ErrorCode::kBadPath:
    case ErrorCode::kTooLarge:
    case ErrorCode::kInvalidArgument:
    case ErrorCode::kInvalidTtl:
    case ErrorCode::kInvalidAcl:
    case ErrorCode::kIo:
      return kWrongUsage;
    case ErrorCode::kSessionExpired:
    case ErrorCode::kSessionMoved:
    case ErrorCode::kNoQuorum:
    case ErrorCode::kNotLeader:
    case ErrorCode::kOverloaded:
    case ErrorCode::kTimeout:
    case ErrorCode::kUnavailable:
    case ErrorCode::kShuttingDown:
    case ErrorCode::kNotMember:
    case ErrorCode::kNoSpace:
      return kNoService;
    case ErrorCode::kOutcomeUnknown:
      return kUnknownOutcome;
    case ErrorCode::kBadCredentials:
    case ErrorCode::kDenied:
      return kDeniedAccess;
    default:
      return kAnswerIsNo;
  }
}

Result<milliseconds> parse_duration(std::string_view text) {
  int64_t count = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
  const std::string_view unit = text.substr(static_cast<size_t>(end - text.data()));
  if (error == std::errc() && count >= 0 && count <= 1'000'000'000) {
    if (unit == "ms" || (unit.empty() && count == 0)) return milliseconds(count);
    if (unit == "s") return milliseconds(std::chrono::seconds(count));
    if (unit == "m") return milliseconds(std::chrono::minutes(count));
    if (unit == "h") return milliseconds(std::chrono::hours(count));
  }
  return Error{
      ErrorCode::kInvalidArgument,
      "'" + std::string(text) + "' is no duration: write a number with a unit, 500ms, 10s, 2m or 1h"};
}

Result<std::string> read_data(const std::string& argument) {
  if (argument.empty() || (argument != "-" && argument[0] != '@')) return argument;
  if (argument == "@") return Error{ErrorCode::kInvalidArgument, "write the file's name behind the @"};
  const std::string name = argument == "-" ? "standard input" : argument.substr(1);
  const int fd = argument == "-" ? STDIN_FILENO : open(name.c_str(), O_RDONLY | O_CLOEXEC);
  std::string data;
  std::array<char, 64 << 10> buffer;
  ssize_t got = -1;
  while (fd >= 0) {
    if (fd == STDIN_FILENO) wait_for_input(fd);
    got = read(fd, buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    data.append(buffer.data(), static_cast<size_t>(got));
    if (data.size() > kv::kDataBytesMax) break;
  }
  const int error = errno;
  if (fd > STDIN_FILENO) close(fd);
  if (got < 0) return Error{ErrorCode::kIo, "cannot read " + name + ": " + std::strerror(error)};
  if (data.size() > kv::kDataBytesMax)
    return Error{ErrorCode::kTooLarge, name + " has more than the " + std::to_string(kv::kDataBytesMax) +
                                           " bytes that a node can hold"};
  return data;
}

std::vector<std::string> split_list(const std::string& list) {
  std::vector<std::string> parts(1);
  for (const char c : list) {
    if (c == ',')
      parts.emplace_back();
    else
      parts.back() += c;
  }
  return parts;
}

Result<std::vector<client::Credential>> read_credentials(const std::string& file) {
  const Result<std::string> text = read_data("@" + file);
  if (!text.ok()) return text.error();
  std::vector<client::Credential> credentials;
  size_t number = 0;
  for (size_t at = 0; at < text->size();) {
    const size_t end = std::min(text->find('\n', at), text->size());
    std::string line = text->substr(at, end - at);
    at = end + 1;
    ++number;
    if (line.ends_with('\r')) line.pop_back();
    if (line.empty() || line[0] == '#') continue;
    if (!kv::digest_id(line).ok())
      return Error{ErrorCode::kInvalidArgument,
                   file + ": line " + std::to_string(number) + " is no USER:PASSWORD"};
    credentials.push_back({"digest", std::move(line)});
  }
  if (credentials.empty()) return Error{ErrorCode::kInvalidArgument, file + ": no line has a USER:PASSWORD"};
  return credentials;
}

namespace {

std::atomic<bool> errors_as_json = false;

// Of a failure that has no code of its own.
std::string_view name_of_exit(int code) {
  switch (code) {
    case kAnswerIsNo:
      return "answer-is-no";
    case kWrongUsage:
      return "wrong-usage";
    case kNoService:
      return "no-service";
    case kUnknownOutcome:
      return error_name(ErrorCode::kOutcomeUnknown);
    case kDeniedAccess:
      return error_name(ErrorCode::kDenied);
    case kExitNotObtained:
      return "not-obtained";
    case kExitLockFailed:
      return "lock-lost";
    case kExitCannotRun:
      return "cannot-run";
    case kExitNotFound:
      return "not-found";
    default:
      return code > kExitSignal ? "interrupted" : "failed";
  }
}

std::string one_line(const nlohmann::json& value) {
  return value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

void write_error(const std::string& line) {
  const auto ours = clear_progress();
  std::cout.flush();
  std::cerr << line + "\n" << std::flush;
}

std::string escaped(std::string_view text, size_t bytes_max);

// One line, whatever a path or a server's sentence has in it.
std::string for_people(std::string_view sentence) {
  std::string line = "quorate: " + std::string(sentence);
  std::replace_if(
      line.begin(), line.end(), [](char c) { return c == '\n' || c == '\r' || c == '\t'; }, ' ');
  return escaped(line, line.size());
}

int fail_as(int code, std::string_view name, std::string_view sentence) {
  if (errors_as_json) {
    print_json_beside({{"error", {{"code", name}, {"exit_code", code}, {"message", sentence}}}});
    return code;
  }
  const std::string line = for_people(sentence);
  write_error(in_colour(STDERR_FILENO) ? "\033[31m" + line + "\033[0m" : line);
  return code;
}

}  // namespace

ErrorForm::ErrorForm(bool json) : before_(errors_as_json.exchange(json)) {}
ErrorForm::~ErrorForm() { errors_as_json = before_; }

int fail(int code, std::string_view sentence) { return fail_as(code, name_of_exit(code), sentence); }
int fail_with(int code, std::string_view sentence) {
  return fail_as(code, code >= kAnswerIsNo && code <= kDeniedAccess ? name_of_exit(code) : "failed",
                 sentence);
}
int fail(int code, ErrorCode error, std::string_view sentence) {
  return fail_as(code, error_name(error), sentence);
}

int fail_left_out(const Globals& globals, const std::vector<std::string>& denied) {
  if (globals.json) return kDeniedAccess;
  return fail(kDeniedAccess, ErrorCode::kDenied,
              denied.front() + (denied.size() == 1
                                    ? ": what is below it may not be listed, and was left out"
                                    : " and " + std::to_string(denied.size() - 1) +
                                          " more: what is below them may not be listed, and was left out"));
}

void print_json_beside(const nlohmann::json& value) { write_error(one_line(value)); }

void note(std::string_view sentence) {
  if (errors_as_json)
    print_json_beside({{"notice", {{"message", sentence}}}});
  else
    write_error(for_people(sentence));
}

int report(std::string_view subject, const Error& error) {
  const std::string what(subject);
  switch (error.code) {
    case ErrorCode::kNoNode:
      return fail(kAnswerIsNo, error.code,
                  what + ": no such node (create it with: quorate create " + what + ")");
    case ErrorCode::kNodeExists:
      return fail(kAnswerIsNo, error.code,
                  what + ": the node exists already (change it with: quorate set " + what + " DATA)");
    case ErrorCode::kBadVersion:
      return fail(kAnswerIsNo, error.code,
                  what + ": the node has another version (see it with: quorate stat " + what + ")");
    case ErrorCode::kNotEmpty:
      return fail(kAnswerIsNo, error.code,
                  what + ": the node has children (delete them too with: quorate deleteall " + what + ")");
    default:
      return fail(exit_code(error.code), error.code, (what.empty() ? "" : what + ": ") + error.message);
  }
}

void print_line(std::string_view line) {
  const auto ours = clear_progress();
  std::cout << line << '\n' << std::flush;
}

void print_json(const nlohmann::json& value) { print_line(one_line(value)); }
int print_nothing(std::string_view sentence) {
  if (isatty(STDOUT_FILENO) != 0) print_line(sentence);
  return kDone;
}
bool output_fails() { return !std::cout; }

bool in_colour(int descriptor) {
  const char* const refused = std::getenv("NO_COLOR");
  const char* const terminal = std::getenv("TERM");
  return isatty(descriptor) != 0 && (refused == nullptr || *refused == '\0') && terminal != nullptr &&
         std::string_view(terminal) != "dumb";
}

namespace {

// Of a character in UTF-8 that begins there; 0: none does.
size_t character_bytes(std::string_view rest) {
  const auto lead = static_cast<uint8_t>(rest[0]);
  if (lead < 0x80) return 1;
  const size_t size = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || rest.size() < size) return 0;
  for (size_t i = 1; i < size; ++i)
    if ((static_cast<uint8_t>(rest[i]) & 0xc0) != 0x80) return 0;
  // Longer than it need be, half of a pair, or beyond the last.
  const auto second = static_cast<uint8_t>(rest[1]);
  if ((lead == 0xe0 && second < 0xa0) || (lead == 0xed && second >= 0xa0)) return 0;
  if ((lead == 0xf0 && second < 0x90) || (lead == 0xf4 && second >= 0x90)) return 0;
  return size;
}

// What a terminal takes for an order and not for text: C0, DEL, and C1 (U+0080 to U+009F).
bool is_control(std::string_view character) {
  const auto first = static_cast<uint8_t>(character[0]);
  return first < 0x20 || first == 0x7f || (first == 0xc2 && static_cast<uint8_t>(character[1]) < 0xa0);
}

std::string escaped(std::string_view text, size_t bytes_max) {
  static constexpr std::string_view kDigits = "0123456789abcdef";
  std::string out;
  for (size_t at = 0; at < text.size();) {
    if (at >= bytes_max) return out + "...";
    const size_t size = character_bytes(text.substr(at));
    const std::string_view character = text.substr(at, std::max<size_t>(size, 1));
    at += character.size();
    if (size != 0 && !is_control(character)) {
      out += character;
      continue;
    }
    for (const char c : character) {
      const auto byte = static_cast<uint8_t>(c);
      out += "\\x";
      out += kDigits[byte >> 4];
      out += kDigits[byte & 15];
    }
  }
  return out;
}

}  // namespace

std::string visible(std::string_view text) { return escaped(text, kShownBytesMax); }

std::vector<std::string> table_lines(const std::vector<std::vector<std::string>>& told) {
  std::vector<std::vector<std::string>> rows = told;
  for (auto& row : rows)
    for (std::string& cell : row) cell = visible(cell);
  std::vector<size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::vector<std::string> lines;
  for (const auto& row : rows) {
    std::string& line = lines.emplace_back();
    for (size_t i = 0; i < row.size(); ++i) {
      line += row[i];
      if (i + 1 < row.size()) line.append(widths[i] - row[i].size() + 2, ' ');
    }
    line.erase(line.find_last_not_of(' ') + 1);
  }
  return lines;
}

namespace {

void print_rows(const std::vector<std::vector<std::string>>& rows, bool bold_heading) {
  bool bold = bold_heading;
  for (const std::string& line : table_lines(rows))
    print_line(std::exchange(bold, false) ? "\033[1m" + line + "\033[0m" : line);
}

}  // namespace

void print_table(const std::vector<std::vector<std::string>>& rows) {
  print_rows(rows, in_colour(STDOUT_FILENO));
}
void print_pairs(const std::vector<std::vector<std::string>>& rows) { print_rows(rows, false); }

namespace {

std::string base64(std::string_view bytes) {
  static constexpr std::string_view kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (size_t i = 0; i < bytes.size(); i += 3) {
    const size_t have = std::min<size_t>(3, bytes.size() - i);
    uint32_t group = 0;
    for (size_t k = 0; k < 3; ++k) group = group << 8 | (k < have ? static_cast<uint8_t>(bytes[i + k]) : 0);
    for (size_t k = 0; k < 4; ++k) out += k <= have ? kDigits[group >> (18 - 6 * k) & 63] : '=';
  }
  return out;
}

}  // namespace

bool is_utf8(const std::string& text) {
  try {
    (void)nlohmann::json(text).dump();
    return true;
  } catch (const nlohmann::json::exception&) {
    return false;
  }
}

void put_data(nlohmann::json& object, const std::string& data) {
  if (is_utf8(data))
    object["data"] = data;
  else
    object["data_base64"] = base64(data);
}

nlohmann::json stat_json(const client::Stat& stat) {
  return {{"czxid", stat.czxid.value()},
          {"mzxid", stat.mzxid.value()},
          {"pzxid", stat.pzxid.value()},
          {"ctime_ms", stat.ctime_ms},
          {"mtime_ms", stat.mtime_ms},
          {"version", stat.version},
          {"cversion", stat.cversion},
          {"aversion", stat.aversion},
          {"ephemeral_owner", hex_id(stat.ephemeral_owner.value())},
          {"data_bytes", stat.data_bytes},
          {"children", stat.children}};
}

std::string age_text(int64_t since_ms) {
  const int64_t now_ms =
      std::chrono::duration_cast<milliseconds>(std::chrono::system_clock::now().time_since_epoch()).count();
  const int64_t seconds = std::max<int64_t>(0, now_ms - since_ms) / 1000;
  if (seconds < 60) return std::to_string(seconds) + "s";
  if (seconds < 3600) return std::to_string(seconds / 60) + "m" + std::to_string(seconds % 60) + "s";
  return std::to_string(seconds / 3600) + "h" + std::to_string(seconds / 60 % 60) + "m";
}

std::string time_text(int64_t ms) {
  if (ms == 0) return "-";
  const auto seconds = static_cast<time_t>(ms / 1000);
  std::tm utc{};
  std::array<char, 40> text{};
  if (gmtime_r(&seconds, &utc) == nullptr ||
      std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &utc) == 0)
    return std::to_string(ms);
  return text.data();
}

std::string hex_id(uint64_t id) {
  std::array<char, 20> text{};
  std::snprintf(text.data(), text.size(), "0x%llx", static_cast<unsigned long long>(id));
  return text.data();
}

}  // namespace quorate::cli
