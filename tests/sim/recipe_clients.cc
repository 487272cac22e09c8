#include "tests/sim/recipe_clients.h"

#include "base/check.h"
#include "client/quorate/counter.h"
#include "tests/sim/library_client.h"
#include "tests/sim/workloads.h"

namespace quorate::sim {
namespace {

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
  virtual void act(client::Client& client) = 0;
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

}  // namespace

std::unique_ptr<ClientMachine> make_recipe_client(Recipe recipe, Context& context, Connections& connections,
                                                  uint32_t number, uint32_t servers, Histories& histories) {
  const auto make = [&]<class Kind>(Kind*) -> std::unique_ptr<ClientMachine> {
    return std::make_unique<Kind>(context, connections, number, servers, histories);
  };
  switch (recipe) {
    case Recipe::kCounter:
      return make(static_cast<CounterClient*>(nullptr));
    case Recipe::kCount:
      break;
  }
  CHECK_MSG(false, "a recipe without a program");
}

}  // namespace quorate::sim
