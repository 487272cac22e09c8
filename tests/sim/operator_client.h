// Who looks after the cluster: a super user that lists the sessions and now and then closes the session of
// another. Once it was told that one is over it is, for everybody: no list of sessions has it, and no read
// shows what it owned.
//
// Thread safety: none.
#pragma once

#include <optional>
#include <set>

#include "tests/sim/workloads.h"

namespace quorate::sim {

class OperatorClient final : public PeriodicClient {
 public:
  using PeriodicClient::PeriodicClient;

 private:
  void on_ready(bool fresh) override;
  void act() override;
  void look(bool choose);
  void end(const server::SessionInfo& target);
  void ended(const server::SessionInfo& target);

  SessionId super_;                            // the session that has proved who it is, or none
  std::optional<server::SessionInfo> target_;  // to be ended, and not known to be over
  bool asked_ = false;                         // and its ending is asked for, not answered
  std::set<SessionId> over_;
};

}  // namespace quorate::sim
