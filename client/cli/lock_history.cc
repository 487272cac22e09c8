// lock history: who stood in a lock's queue, and when.
#include "client/cli/lock_history.h"

#include <nlohmann/json.hpp>

#include "client/cli/lock_text.h"

namespace quorate::cli {

namespace {

using client::LockHistory;
using client::PastPlace;
using client::PlaceState;

std::string state_text(PlaceState state) {
  switch (state) {
    case PlaceState::kHolds:
      return "holds";
    case PlaceState::kWaits:
      return "waits";
    case PlaceState::kLeft:
      return "left";
    case PlaceState::kExpired:
      return "expired";
    case PlaceState::kKept:
      break;
  }
  return "kept";
}

std::string number_text(uint64_t number) { return number == 0 ? "-" : std::to_string(number); }

nlohmann::json place_json(const PastPlace& place) {
  const auto number = [](uint64_t value) { return value == 0 ? nlohmann::json() : nlohmann::json(value); };
  nlohmann::json out{{"node", place.node},
                     {"token", number(place.token.value())},
                     {"first", number(place.first.value())},
                     {"from_before", place.from_before},
                     {"until", number(place.until.value())},
                     {"first_ms", place.first_ms == 0 ? nlohmann::json() : nlohmann::json(place.first_ms)},
                     {"until_ms", place.until_ms == 0 ? nlohmann::json() : nlohmann::json(place.until_ms)},
                     {"state", state_text(place.state)},
                     {"contender", nullptr}};
  if (place.contender) out["contender"] = contender_json(*place.contender);
  return out;
}

std::vector<std::string> place_row(const PastPlace& place) {
  std::vector<std::string> row{number_text(place.token.value()),
                               place.from_before ? "before" : number_text(place.first.value()),
                               number_text(place.until.value()), state_text(place.state)};
  const client::Contender who = place.contender.value_or(client::Contender());
  row.insert(row.end(),
             {place.contender ? mode_text(who) : "-",
              who.session == SessionId() ? "-" : hex_id(who.session.value()), time_text(who.since_ms),
              time_text(place.first_ms), time_text(place.until_ms), place.contender ? who.name : "-"});
  return row;
}

std::string reach_text(const LockHistory& history) {
  return history.since == Zxid()
             ? "the history is whole, up to zxid " + std::to_string(history.complete.value())
             : "the history reaches back to zxid " + std::to_string(history.since.value());
}

}  // namespace

int lock_history(const Globals& globals, const std::string& path) {
  const CommandClient client(globals);
  const Result<LockHistory> history = client->lock_history(path);
  if (!history.ok()) return report(path, history.error());
  if (history->places.empty() && !globals.json)
    return fail(kAnswerIsNo, path + ": nobody is known to have taken this lock: " + reach_text(*history));
  if (globals.json) {
    nlohmann::json places = nlohmann::json::array();
    for (const PastPlace& place : history->places) places.push_back(place_json(place));
    print_json({{"path", path},
                {"since", history->since.value()},
                {"complete", history->complete.value()},
                {"places", places}});
    return history->places.empty() ? kAnswerIsNo : kDone;
  }
  print_line(reach_text(*history));
  std::vector<std::vector<std::string>> rows{
      {"TOKEN", "FIRST", "UNTIL", "STATE", "MODE", "SESSION", "CAME-AT", "FIRST-AT", "LEFT-AT", "NAME"}};
  for (const PastPlace& place : history->places) rows.push_back(place_row(place));
  print_table(rows);
  return kDone;
}

}  // namespace quorate::cli
