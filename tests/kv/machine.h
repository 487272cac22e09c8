// A state machine to write tests with: it numbers entries and requests, and stamps them.
#pragma once

#include <string>
#include <utility>

#include "kv/command.h"
#include "kv/state_machine.h"

namespace quorate::kv {

inline constexpr int64_t kFirstWallMs = 1'700'000'000'000;

inline std::string payload_of(const Command& command, const Stamp& stamp) {
  std::string payload;
  append_stamp(payload, stamp);
  return payload + encode_command(command);
}

// Every entry comes 10 ms after the one before.
class Machine {
 public:
  explicit Machine(const Limits& limits = {}) : state(limits) {}

  Applied apply(const Command& command) {
    stamp.wall_ms += 10;
    stamp.cluster_ms += 10;
    return state.apply(state.applied().next(), payload_of(command, stamp));
  }

  SessionId open(const SessionPassword& password = {}) {
    return apply(OpenSession{{}, 10'000, password}).origin_outcomes.at(0).outcome.session;
  }

  // The session's next request, acknowledging all before it.
  SessionRequest request(SessionId session, Operation operation) const {
    const auto view = state.session(session);
    if (!view) return {session, 1, 1, 1, std::move(operation)};
    return {session, view->epoch, view->next_number, view->next_number, std::move(operation)};
  }
  Applied apply_as(SessionId session, Operation operation) {
    return apply(request(session, std::move(operation)));
  }
  Outcome run(SessionId session, Operation operation) {
    return apply_as(session, std::move(operation)).outcomes.at(0).outcome;
  }

  Stat stat(std::string_view path) const { return state.get(path).value().stat; }
  bool exists(std::string_view path) const { return state.get(path).ok(); }
  std::vector<std::string> names(std::string_view path) const {
    std::vector<std::string> names;
    const std::vector<Child> children = state.children(path).value();
    for (const Child& child : children) names.emplace_back(child.name);
    return names;
  }

  StateMachine state;
  Stamp stamp{kFirstWallMs, 0};
};

// Create operations without the fields that do not matter.
inline CreateOp create(std::string path, std::string data = {}) {
  return {std::move(path), std::move(data), false, false, false};
}
inline CreateOp create_ephemeral(std::string path) { return {std::move(path), {}, true, false, false}; }
inline CreateOp create_sequential(std::string path) { return {std::move(path), {}, false, true, false}; }
inline CreateOp create_queued(std::string path) { return {std::move(path), {}, true, true, false}; }

}  // namespace quorate::kv
