// Do the servers have the same state? Each tells the others its state's hash at the same places of the log;
// who differs from a majority must not serve any longer, and where all differ nobody may.
//
// Thread safety: none.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>

#include "base/ids.h"
#include "server/peer_message.h"

namespace quorate::server {

// After every entry whose index is a multiple of this the hash is told.
inline constexpr uint64_t kStateHashStep = 1024;
// Of how the hash is made (kv::StateMachine::state_hash): those of different formats are not compared.
inline constexpr uint32_t kStateHashFormat = 1;
// Places of the log that are remembered, for servers that lag.
inline constexpr size_t kStateHashesMax = 256;

class Agreement {
 public:
  enum class Verdict : uint8_t {
    kOpen,        // not enough is known, or a majority has what we have
    kMinority,    // a majority of the voters has another state than we
    kNoMajority,  // all voters have told theirs, and no majority has the same
  };

  explicit Agreement(ServerId self) : self_(self) {}

  // Both judge what is known about that place.
  Verdict own(const StateHash& hash, std::span<const ServerId> voters);
  Verdict told(ServerId from, const StateHash& hash, std::span<const ServerId> voters);
  // The state was replaced: what we told before is taken back.
  void forget_own();

  size_t places() const { return places_.size(); }

 private:
  Verdict note(ServerId server, const StateHash& hash, std::span<const ServerId> voters);

  ServerId self_;
  std::map<Index, std::map<ServerId, uint64_t>> places_;
};

}  // namespace quorate::server
