// Random histories of commands. RapidCheck draws plain numbers, so that it can shrink them; here they become
// commands, by looking at what there is: existing sessions and nodes, requests that were sent before.
#pragma once

#include <rapidcheck.h>
#include <array>
#include <vector>

#include "kv/state_machine.h"
#include "tests/kv/machine.h"

namespace quorate::kv {

using Step = std::array<uint8_t, 6>;

// Up to some 400 steps. The bytes do not grow with RapidCheck's size: a short history has all that a long one
// has.
inline rc::Gen<std::vector<Step>> histories() {
  const auto byte = rc::gen::resize(rc::kNominalSize, rc::gen::inRange<uint8_t>(0, 255));
  return rc::gen::scale(4.0, rc::gen::container<std::vector<Step>>(rc::gen::container<Step>(byte)));
}

class History {
 public:
  explicit History(const StateMachine& state) : state_(state) {}

  Command command(const Step& step);
  Stamp stamp(const Step& step);

 private:
  SessionId session(uint8_t pick) const;
  std::string path(uint8_t pick) const;
  std::string any_path(uint8_t pick) const;
  Operation operation(const Step& step) const;
  static Acl any_acl(uint8_t pick);
  CreateOp any_create(const Step& step) const;
  static PlaceMode any_mode(uint8_t pick);
  Operation lock_operation(const Step& step) const;
  MultiOp multi(const Step& step) const;
  MultiOp::Part part(const Step& step) const;
  std::vector<std::string> all_paths() const;
  Command request(const Step& step);
  static Origin origin(uint8_t pick);

  const StateMachine& state_;
  std::vector<SessionRequest> sent_;
  Stamp stamp_{kFirstWallMs, 0};
};

}  // namespace quorate::kv
