// What the programs that run the client library's recipes have in common.
//
// Thread safety: none.
#pragma once

#include <algorithm>
#include <optional>
#include <string>

#include "tests/sim/library_client.h"
#include "tests/sim/workloads.h"

namespace quorate::sim {

inline constexpr std::chrono::milliseconds kLongPatience(10'000);
inline constexpr Duration kSeenIn = std::chrono::seconds(6);

class RecipeClient : public LibraryClient {
 public:
  RecipeClient(Context& context, Connections& connections, uint32_t number, uint32_t servers,
               Histories& histories)
      : LibraryClient(context, connections, number, servers),
        all_(histories),
        histories_(histories.recipes),
        past_(histories_.past) {}

 protected:
  void live(client::Client& client) override {
    while (goes_on(client)) {
      think();
      act(client);
    }
  }
  // Once, of a program that does one thing after the other.
  virtual void act(client::Client&) {}
  // How long it waits for others: when all is healed, longer than anything takes.
  std::chrono::milliseconds patience() {
    return context_.healed ? kLongPatience
                           : std::chrono::milliseconds(random_.between(int64_t{100}, int64_t{8'000}));
  }
  // What was so ever since had time enough to be seen. None: it was broken meanwhile, or not waited for long.
  std::optional<Zxid> able_since(Duration asked) const {
    const Duration since = context_.now() - kSeenIn;
    if (!context_.healed || since < std::max(asked, context_.healed_at)) return std::nullopt;
    return past_.by(since);
  }
  // To what the lock protects. As programs do, it comes a little later than the look whether the lock is
  // held.
  void write_outside(const std::string& lock, Token token) {
    sleep(random_.between(std::chrono::milliseconds(0), std::chrono::milliseconds(20)));
    const bool accepted = all_.resources[lock].write(token);
    if (!accepted) ++context_.statistics.stale_tokens_refused;
    check(all_.locks.resource_written(lock, number(), token, accepted));
  }
  // A number that no other operation of this run has.
  int64_t unique() { return static_cast<int64_t>(number()) * 1'000'000 + ++last_unique_; }

  Histories& all_;
  RecipeHistories& histories_;
  const TreePast& past_;

 private:
  int64_t last_unique_ = 0;
};

}  // namespace quorate::sim
