// session ls, session show, session close: who is connected, what would go with them, and their end.
#include <charconv>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "client/cli/command.h"

namespace quorate::cli {

namespace {

using client::SessionInfo;

std::string who_text(const SessionInfo& session) {
  std::string text;
  for (const auto& [scheme, name] : session.who) {
    if (!text.empty()) text += " ";
    text += scheme + (name.empty() ? "" : ":" + name);
  }
  return text.empty() ? "-" : text;
}

nlohmann::json session_json(const SessionInfo& session) {
  nlohmann::json who = nlohmann::json::array();
  for (const auto& [scheme, name] : session.who) who.push_back({{"scheme", scheme}, {"name", name}});
  return {{"session", hex_id(session.id.value())},
          {"timeout_ms", session.timeout.count()},
          {"ephemerals", session.ephemerals},
          {"who", who}};
}

int list(const Globals& globals) {
  const CommandClient client(globals);
  const auto sessions = client->session_list();
  if (!sessions.ok()) return report("", sessions.error());
  if (globals.json) {
    nlohmann::json out = nlohmann::json::array();
    for (const SessionInfo& session : *sessions) out.push_back(session_json(session));
    print_json(out);
    return kDone;
  }
  if (sessions->empty()) return print_nothing("no session is open");
  std::vector<std::vector<std::string>> rows{{"SESSION", "TIMEOUT_MS", "EPHEMERALS", "WHO"}};
  for (const SessionInfo& session : *sessions)
    rows.push_back({hex_id(session.id.value()), std::to_string(session.timeout.count()),
                    std::to_string(session.ephemerals), who_text(session)});
  print_table(rows);
  return kDone;
}

Result<SessionId> parse_session(const std::string& text) {
  uint64_t id = 0;
  const char* const end = text.data() + text.size();
  // Digits alone would be another session in another base: nothing is guessed.
  if (text.starts_with("0x")) {
    const auto parsed = std::from_chars(text.data() + 2, end, id, 16);
    if (parsed.ec == std::errc() && parsed.ptr == end) return SessionId(id);
  }
  return Error{
      ErrorCode::kInvalidArgument,
      "'" + text + "' is no session: write it with its 0x, as session ls and stat do, for example 0x1f"};
}

// kDone, or the exit code of what was said about it.
int find_session(const CommandClient& client, const std::string& text, SessionInfo& session) {
  const Result<SessionId> id = parse_session(text);
  if (!id.ok()) return report("", id.error());
  const auto found = client->session_show(*id);
  if (!found.ok()) return report("", found.error());
  if (!*found) return fail(kAnswerIsNo, "there is no session " + text + " (see: quorate session ls)");
  session = **found;
  return kDone;
}

int show(const Globals& globals, const std::string& text) {
  const CommandClient client(globals);
  SessionInfo session;
  if (const int code = find_session(client, text, session); code != kDone) return code;
  if (globals.json) {
    nlohmann::json out = session_json(session);
    out["paths"] = session.paths;
    print_json(out);
    return kDone;
  }
  print_pairs({{"session", hex_id(session.id.value())},
               {"timeout_ms", std::to_string(session.timeout.count())},
               {"ephemerals", std::to_string(session.ephemerals)},
               {"who", who_text(session)}});
  for (const std::string& path : session.paths) print_line(path);
  if (session.paths.size() < session.ephemerals)
    print_line("and " + std::to_string(session.ephemerals - session.paths.size()) + " more");
  return kDone;
}

int close_session(const Globals& globals, const std::string& text) {
  const CommandClient client(globals);
  SessionInfo session;
  if (const int code = find_session(client, text, session); code != kDone) return code;
  if (const Status ended = client->end_session(session.id); !ended.ok()) return report(text, ended.error());
  if (globals.json) print_json({{"session", hex_id(session.id.value())}, {"closed", true}});
  return kDone;
}

}  // namespace

void add_session_commands(CLI::App& app, const Globals& globals, Action& action) {
  CLI::App* session =
      app.add_subcommand("session", "see who has a session and what would go with it, and end it");
  session->require_subcommand(1);
  session->add_subcommand("ls", "all sessions that are open; who they are is told to a super user")
      ->callback([&globals, &action] { action = [&globals] { return list(globals); }; });
  const auto id = std::make_shared<std::string>();
  CLI::App* one = session->add_subcommand("show", "one session, and the paths of its ephemeral nodes");
  one->add_option("SESSION", *id, "as session ls, lock show and stat name it, with its 0x")
      ->required()
      ->type_name("");
  one->callback([&globals, &action, id] { action = [&globals, id] { return show(globals, *id); }; });
  CLI::App* close =
      session->add_subcommand("close", "end a session: its locks and ephemeral nodes go; for a super user");
  close->add_option("SESSION", *id, "as session ls, lock show and stat name it, with its 0x")
      ->required()
      ->type_name("");
  close->callback(
      [&globals, &action, id] { action = [&globals, id] { return close_session(globals, *id); }; });
}

}  // namespace quorate::cli
