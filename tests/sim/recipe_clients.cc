#include "tests/sim/recipe_clients.h"

#include "base/check.h"
#include "client/quorate/barrier.h"
#include "client/quorate/counter.h"
#include "tests/sim/library_client.h"
#include "tests/sim/workloads.h"

namespace quorate::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr milliseconds kLongPatience(15'000);
constexpr Duration kSeenIn = seconds(8);

class RecipeClient : public LibraryClient {
 public:
  RecipeClient(Context& context, Connections& connections, uint32_t number, uint32_t servers,
               Histories& histories)
      : LibraryClient(context, connections, number, servers),
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
  milliseconds patience() {
    return context_.healed ? kLongPatience : milliseconds(random_.between(int64_t{100}, int64_t{8'000}));
  }
  // What was so ever since had time enough to be seen. None: it was broken meanwhile, or not waited for long.
  std::optional<Zxid> able_since(Duration asked) const {
    const Duration since = context_.now() - kSeenIn;
    if (!context_.healed || asked > since) return std::nullopt;
    return past_.by(since);
  }
  // A number that no other operation of this run has.
  int64_t unique() { return static_cast<int64_t>(number()) * 1'000'000 + ++last_unique_; }

  RecipeHistories& histories_;
  const TreePast& past_;

 private:
  int64_t last_unique_ = 0;
};

// ---- counter

class CounterClient final : public RecipeClient {
 public:
  using RecipeClient::RecipeClient;

 private:
  void act(client::Client& client) override {
    client::Counter counter(client, kCounterPath);
    const uint64_t dice = random_.below(10);
    if (dice < 2) {
      const Zxid from = past_.now();
      const Result<int64_t> value = counter.get();
      if (served(value)) check(histories_.counter.is(from, *value));
      known_ = value.ok() ? *value : known_;
    } else if (dice < 7) {
      add(counter);
    } else {
      compare_and_set(counter);
    }
  }

  void add(client::Counter& counter) {
    const int64_t difference = unique() * (random_.chance(0.3) ? -1 : 1);
    histories_.counter.begin_change(difference);
    const Result<int64_t> sum = counter.add(difference);
    if (served(sum)) {
      ++context_.statistics.counter_changes;
      check(histories_.counter.changed(difference, *sum));
      known_ = *sum;
    } else {
      check(histories_.counter.not_changed(difference, sum.code() == ErrorCode::kOutcomeUnknown));
    }
  }

  void compare_and_set(client::Counter& counter) {
    const int64_t difference = unique();
    const Zxid from = past_.now();
    histories_.counter.begin_change(difference);
    const Result<bool> set = counter.compare_and_set(known_, known_ + difference);
    if (served(set) && *set) {
      ++context_.statistics.counter_changes;
      check(histories_.counter.changed(difference, known_ + difference));
      known_ += difference;
    } else {
      check(histories_.counter.not_changed(difference, set.code() == ErrorCode::kOutcomeUnknown));
      if (set.ok()) check(histories_.counter.is_not(from, known_));
    }
  }

  int64_t known_ = 0;
};

// ---- barriers

class BarrierClient final : public RecipeClient {
 public:
  using RecipeClient::RecipeClient;

 private:
  void act(client::Client& client) override {
    client::Barrier barrier(client, kBarrierPath);
    const Zxid from = past_.now();
    const uint64_t dice = random_.below(10);
    if (dice < 5) {
      const Duration asked = context_.now();
      const Status passed = barrier.wait(patience());
      if (served(passed)) {
        ++context_.statistics.barriers_passed;
        check(histories_.barrier.passes(from));
      } else if (passed.code() == ErrorCode::kTimeout) {
        done_one();
        if (const auto able = able_since(asked)) check(histories_.barrier.gives_up(*able));
      }
    } else {
      const bool open = dice < 8;
      const Result<bool> changed = open ? barrier.open() : barrier.close();
      if (served(changed)) check(histories_.barrier.told(from, open, *changed));
    }
  }
};

class DoubleBarrierClient final : public RecipeClient {
 public:
  using RecipeClient::RecipeClient;

 private:
  void live(client::Client& client) override {
    client::DoubleBarrier barrier(client, kDoubleBarrierPath, kDoubleBarrierCount);
    DoubleBarrierHistory& history = histories_.double_barrier;
    while (goes_on(client)) {
      think();
      const Zxid from = past_.now();
      const Status entered = barrier.enter(patience());
      const SessionId session = client.session().value_or(SessionId());
      if (entered.code() == ErrorCode::kTimeout && goes_on(client)) check(history.too_late(session));
      if (!served(entered)) {
        if (entered.code() == ErrorCode::kTimeout) continue;
        // Nobody knows whether it is there: its session's end takes it away.
        return;
      }
      if (!goes_on(client)) return;
      ++context_.statistics.double_barriers_entered;
      check(history.enters(session, from));
      think();
      const Status left = barrier.leave(patience());
      if (killed() || client.session_lost()) ++context_.statistics.double_barriers_died_in;
      if (!goes_on(client)) return;
      if (left.code() == ErrorCode::kTimeout) check(history.too_late(session));
      if (served(left)) {
        ++context_.statistics.double_barriers_left;
        check(history.goes_on(session));
      } else if (left.code() != ErrorCode::kTimeout) {
        return;
      }
    }
  }
};

}  // namespace

std::unique_ptr<ClientMachine> make_recipe_client(Recipe recipe, Context& context, Connections& connections,
                                                  uint32_t number, uint32_t servers, Histories& histories) {
  const auto make = [&]<class Kind>(Kind*) -> std::unique_ptr<ClientMachine> {
    return std::make_unique<Kind>(context, connections, number, servers, histories);
  };
  switch (recipe) {
    case Recipe::kCounter:
      return make(static_cast<CounterClient*>(nullptr));
    case Recipe::kBarrier:
      return make(static_cast<BarrierClient*>(nullptr));
    case Recipe::kDoubleBarrier:
      return make(static_cast<DoubleBarrierClient*>(nullptr));
    case Recipe::kCount:
      break;
  }
  CHECK_MSG(false, "a recipe without a program");
}

}  // namespace quorate::sim
