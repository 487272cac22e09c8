// Points where programs on several machines wait for each other.
//
// Thread safety: Barrier: all members. DoubleBarrier: one thread. Neither must outlive its Client.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "client/quorate/client.h"

namespace quorate::client {

// Closed while its node is there.
class Barrier {
 public:
  Barrier(Client& client, std::string path) : client_(client), path_(std::move(path)) {}

  // Whether it was open before.
  Result<bool> close();
  // Whether it was closed before.
  Result<bool> open();
  // Until it is open. Errors: kTimeout.
  Status wait(std::optional<milliseconds> wait = {});

 private:
  Client& client_;
  const std::string path_;
};

// Nobody begins before `count` have come, nobody goes on before all have left. It can be used again: who
// comes while the others still leave waits for the next round. Who dies meanwhile counts as one that has
// left.
//
// Below its path: `members`, with an ephemeral node for each (who comes sets its data, too, so that its
// version counts them), and `ready` from when enough have come until all have left.
class DoubleBarrier {
 public:
  // `count` from 1 on, the same for all.
  DoubleBarrier(Client& client, std::string path, uint32_t count)
      : client_(client), path_(std::move(path)), count_(count) {}

  // Until `count` are there. Errors: kTimeout (then it is not among them), kInvalidArgument when it has
  // entered already; kOutcomeUnknown: it may be among them, until leave() or the end of its session.
  Status enter(std::optional<milliseconds> wait = {});
  // Until all have left. Errors: kTimeout (it has left all the same), kInvalidArgument when it has not
  // entered; after those of reads and writes it can be called again.
  Status leave(std::optional<milliseconds> wait = {});

 private:
  Result<std::optional<bool>> come();
  Result<std::optional<bool>> look_for_ready();
  Result<bool> forget_finished_round();

  Client& client_;
  const std::string path_;
  const uint32_t count_;
  std::string mine_;  // our node, or ""
};

}  // namespace quorate::client
