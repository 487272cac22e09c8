// What the library needs of the machine that it runs on: time, chance, threads and how they wait, and a loop
// for the engine of each Client. There is the real one; the simulator (tests/sim) has others, on which a
// recipe waits in virtual time. No other file of the library reads a clock, draws random bytes, begins a
// thread or waits.
//
// Thread safety: all members, of the real one. It outlives its Clients.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "client/loop.h"
#include "client/quorate/client.h"

namespace quorate::client {

// Longer than anybody waits: who says more waits for ever. Beyond, the sum with a time now might not fit.
inline constexpr auto kForEver = std::chrono::hours(24 * 365 * 100);

class Host {
 public:
  virtual ~Host() = default;

  static Host& real();
  // The one that a Client was made on.
  static Host& of(const Client& client);
  static Client make_client(Options options, Host& host);

  // Of a clock that goes on while the machine sleeps.
  virtual Instant now() const = 0;
  // Since 1970, for people to read.
  virtual int64_t wall_ms() const = 0;
  virtual std::string random_bytes(size_t size) = 0;
  // Waits until `ready`, or until then; says whether it is. `ready` is looked at with the lock held, which
  // `lock` holds before and after, and again whenever `changed` is notified.
  virtual bool wait(std::unique_lock<std::mutex>& lock, std::condition_variable& changed, Instant until,
                    const std::function<bool()>& ready) = 0;
  // What is returned joins it.
  using Join = std::function<void()>;
  virtual Join start_thread(std::function<void()> run) = 0;
  // Errors: kLimitReached where the system has no descriptors or no thread left.
  virtual Result<std::unique_ptr<Loop>> start_loop(EngineOptions options, std::vector<HostPort> places) = 0;

  uint64_t random_number();
  // So much later than now; no time means never.
  Instant in(std::optional<milliseconds> wait) const;
};

}  // namespace quorate::client
