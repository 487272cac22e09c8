#include "tests/sim/recipe_clients.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "base/check.h"
#include "client/quorate/barrier.h"
#include "client/quorate/counter.h"
#include "client/quorate/queue.h"
#include "tests/sim/library_client.h"
#include "tests/sim/workloads.h"

namespace quorate::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr milliseconds kLongPatience(10'000);
constexpr Duration kSeenIn = seconds(6);

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
    if (!context_.healed || since < std::max(asked, context_.healed_at)) return std::nullopt;
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
    if (dice < (context_.healed ? 2 : 5)) {
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

// ---- queue

class QueueClient final : public RecipeClient {
 public:
  using RecipeClient::RecipeClient;

 private:
  static constexpr size_t kMessagesMax = 8;
  static constexpr uint64_t kIds = 60;

  void live(client::Client& client) override {
    RecipeClient::live(client);
    histories_.queue.ends(number());
  }

  void act(client::Client& client) override {
    client::Queue queue(client, kQueuePath, {.tries_max = kQueueTries});
    const Zxid from = past_.now();
    const Result<size_t> size = queue.size();
    if (served(size)) check(histories_.queue.size_is(from, *size));
    if (size.ok() && *size < kMessagesMax) push(queue);
    take(client, queue);
  }

  void push(client::Queue& queue) {
    const std::string data = "q" + std::to_string(unique());
    client::PushOptions options;
    if (random_.chance(0.5)) options.id = "i" + std::to_string(random_.below(kIds));
    histories_.queue.begin_push(data, options.id);
    const Result<bool> kept = queue.push(data, options);
    if (served(kept)) {
      ++context_.statistics.messages_pushed;
      check(histories_.queue.pushed(data, *kept));
    } else if (kept.code() != ErrorCode::kOutcomeUnknown) {
      check(histories_.queue.not_pushed(data));
    }
  }

  void take(client::Client& client, client::Queue& queue) {
    const Zxid from = past_.now();
    const Duration asked = context_.now();
    Result<client::Delivery> got = queue.take(patience());
    if (!served(got)) {
      if (got.code() != ErrorCode::kTimeout) return;
      done_one();
      if (const auto able = able_since(asked)) check(histories_.queue.gives_up(*able));
      return;
    }
    if (!goes_on(client)) return;
    ++context_.statistics.messages_taken;
    const SessionId session = client.session().value_or(SessionId());
    client::Delivery delivery = std::move(*got);
    check(
        histories_.queue.took(number(), session, from, {delivery.node(), delivery.data(), delivery.tries()}));
    think();
    if (random_.chance(0.6)) {
      acknowledge(session, delivery);
    } else {
      histories_.queue.let_go(number(), delivery.node());
      // Or the end of the guard does.
      if (random_.chance(0.5)) served(gone(delivery.give_back()));
    }
  }

  void acknowledge(SessionId session, client::Delivery& delivery) {
    const std::string item = delivery.node();
    const Zxid from = past_.now();
    histories_.queue.acknowledges(item);
    const Status done = delivery.acknowledge();
    if (done.code() == ErrorCode::kNoNode) check(histories_.queue.not_its_own(session, item, from));
    if (served(gone(done)) && done.ok()) {
      ++context_.statistics.messages_acknowledged;
      check(histories_.queue.acknowledged(item));
    }
    histories_.queue.let_go(number(), item);
  }

  // What is somebody else's by now is gone.
  static Status gone(const Status& status) { return status.code() == ErrorCode::kNoNode ? Status() : status; }
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
    case Recipe::kQueue:
      return make(static_cast<QueueClient*>(nullptr));
    case Recipe::kCount:
      break;
  }
  CHECK_MSG(false, "a recipe without a program");
}

}  // namespace quorate::sim
