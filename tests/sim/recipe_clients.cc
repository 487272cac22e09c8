#include "tests/sim/recipe_clients.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "base/check.h"
#include "client/quorate/barrier.h"
#include "client/quorate/cache.h"
#include "client/quorate/counter.h"
#include "client/quorate/election.h"
#include "client/quorate/group.h"
#include "client/quorate/queue.h"
#include "client/quorate/service.h"
#include "tests/sim/library_locks_client.h"
#include "tests/sim/library_watches_client.h"
#include "tests/sim/recipe_client.h"

namespace quorate::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

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

// ---- election

class ElectionClient final : public RecipeClient {
 public:
  using RecipeClient::RecipeClient;

 private:
  using Leader = std::optional<client::Candidate>;

  static ElectionHistory::Candidate seen(const client::Candidate& candidate) {
    return {candidate.value, candidate.token, candidate.session, candidate.node};
  }
  static std::optional<ElectionHistory::Candidate> seen(const Leader& leader) {
    return leader ? std::optional(seen(*leader)) : std::nullopt;
  }

  void act(client::Client& client) override {
    client::Election election(client, kElectionPath);
    const uint64_t dice = random_.below(10);
    if (dice < 5) return campaign(client, election);
    const Zxid from = past_.now();
    if (dice < 7) {
      const Result<std::vector<client::Candidate>> told = election.candidates();
      if (!served(told)) return;
      std::vector<ElectionHistory::Candidate> candidates;
      for (const client::Candidate& each : *told) candidates.push_back(seen(each));
      check(histories_.election.candidates_are(from, candidates));
    } else {
      const Result<Leader> told = election.leader();
      if (!served(told)) return;
      check(histories_.election.leader_is(from, seen(*told)));
      if (goes_on(client)) wait_for_next(election, *told);
    }
  }

  void wait_for_next(client::Election& election, const Leader& known) {
    const Zxid from = past_.now();
    const Duration asked = context_.now();
    const Result<Leader> next = election.next_leader(known, patience());
    if (served(next)) {
      check(histories_.election.leader_is(from, seen(*next)));
      if (*next == known) check(std::string("was told of the leader that it knew"));
    } else if (next.code() == ErrorCode::kTimeout) {
      done_one();
      if (const auto able = able_since(asked)) check(histories_.election.gives_up(*able, seen(known)));
    }
  }

  void campaign(client::Client& client, client::Election& election) {
    const Zxid from = past_.now();
    Result<client::Leadership> won = election.campaign("v" + std::to_string(unique()), patience());
    if (won.code() == ErrorCode::kTimeout) done_one();
    if (!served(won) || !goes_on(client) || won->lost()) return;
    client::Leadership leading = std::move(*won);
    ++context_.statistics.leaders;
    check(histories_.election.leads(from, leading.session(), leading.node(), leading.token()));
    check(all_.locks.hold_begins(kElectionPath, number(), leading.node(), leading.token()));
    lead(client, leading);
    if (leading.lost()) ++context_.statistics.leaders_deposed;
    all_.locks.hold_ends(kElectionPath, number());
    // Or the end of the guard does.
    if (!random_.chance(0.5)) return;
    const Status released = leading.release();
    if (released.code() != ErrorCode::kNoNode) served(released);
  }

  void lead(client::Client& client, client::Leadership& leading) {
    for (uint64_t left = random_.below(4); left > 0 && goes_on(client) && !leading.lost(); --left) {
      think();
      // As programs do: first one looks whether it leads, then one works.
      if (leading.lost()) return;
      if (random_.chance(0.5)) {
        write_outside(kElectionPath, leading.token());
      } else {
        proclaim(leading);
      }
    }
  }

  void proclaim(client::Leadership& leading) {
    const Zxid from = past_.now();
    const std::string value = "v" + std::to_string(unique());
    const Status done = leading.proclaim(value);
    if (done.code() == ErrorCode::kNotHolder || done.code() == ErrorCode::kNoNode) {
      check(histories_.election.not_leading(from, leading.node()));
    } else if (served(done)) {
      check(histories_.election.proclaimed(from, leading.node(), value));
    }
  }
};

// ---- group, and a copy of its subtree

class GroupClient final : public RecipeClient {
 public:
  using RecipeClient::RecipeClient;

 private:
  using Members = std::vector<client::Member>;

  static ViewHistory::View seen(const Members& members) {
    ViewHistory::View view;
    for (const client::Member& each : members) view[each.id] = {each.data, each.session};
    return view;
  }

  void live(client::Client& client) override {
    client::TreeCache copy(client, kGroupPath);
    CopyHistory::Seen shown;
    std::optional<client::Membership> membership;
    client::Group group(client, kGroupPath);
    while (goes_on(client)) {
      think();
      look_at_copy(copy, shown);
      if (random_.chance(0.5)) {
        look(client, group);
      } else {
        change(group, membership);
      }
    }
  }

  void change(client::Group& group, std::optional<client::Membership>& membership) {
    const std::string data = "d" + std::to_string(unique()) + ".";
    if (!membership) {
      Result<client::Membership> joined = group.join("g" + std::to_string(number()), data);
      // Its last session is not over yet.
      if (joined.code() == ErrorCode::kNodeExists || !served(joined)) return;
      ++context_.statistics.members_joined;
      membership.emplace(std::move(*joined));
    } else if (random_.chance(0.7)) {
      const Status set = membership->set_data(data);
      if (set.code() != ErrorCode::kNoNode) served(set);
    } else if (random_.chance(0.5)) {
      const Status left = membership->leave();
      if (left.code() != ErrorCode::kNoNode) served(left);
      membership.reset();
    } else {
      membership.reset();
    }
  }

  void look(client::Client& client, client::Group& group) {
    Zxid from = past_.now();
    const Result<Members> members = group.members();
    if (!served(members)) return;
    ++context_.statistics.views_checked;
    check(histories_.group.shows(from, seen(*members)));
    if (!goes_on(client) || !random_.chance(0.5)) return;
    from = past_.now();
    const Duration asked = context_.now();
    const Result<Members> next = group.next_members(*members, patience());
    if (served(next)) {
      check(histories_.group.shows(from, seen(*next)));
      if (*next == *members) check(std::string("was told of the members that it knew"));
    } else if (next.code() == ErrorCode::kTimeout) {
      done_one();
      if (const auto able = able_since(asked)) check(histories_.group.gives_up(*able, seen(*members)));
    }
  }

  void look_at_copy(const client::TreeCache& copy, CopyHistory::Seen& shown) {
    ++context_.statistics.copies_checked;
    std::map<std::string, CopyHistory::Shown> nodes;
    for (const std::string& name : copy.children(kGroupPath)) {
      const std::string path = std::string(kGroupPath) + "/" + name;
      if (const std::optional<client::Node> node = copy.get(path))
        nodes[path] = {node->data, node->stat.czxid, node->stat.version};
    }
    check(histories_.copy.shows(copy.complete(), nodes, shown));
  }
};

// ---- services

class RegistryClient final : public RecipeClient {
 public:
  using RecipeClient::RecipeClient;

 private:
  using Instances = std::vector<client::ServiceInstance>;

  static ViewHistory::View seen(const Instances& instances) {
    ViewHistory::View view;
    for (const client::ServiceInstance& each : instances) view[each.id] = {each.address, SessionId()};
    return view;
  }

  void live(client::Client& client) override {
    client::Registry registry(client, kServicesPath);
    client::ServiceCache cache(registry, kService, milliseconds(1'000));
    std::optional<client::Registration> here;
    const Duration began = context_.now();
    while (goes_on(client)) {
      think();
      look_at_cache(cache, began);
      if (random_.chance(0.5)) {
        look(client, registry);
      } else if (here) {
        const Status removed = here->remove();
        if (removed.code() != ErrorCode::kNoNode) served(removed);
        here.reset();
      } else {
        Result<client::Registration> added =
            registry.add({.name = kService,
                          .id = random_.chance(0.5) ? "i" + std::to_string(number()) : "",
                          .address = "a" + std::to_string(unique()) + "."});
        // Its last session is not over yet.
        if (added.code() == ErrorCode::kNodeExists || !served(added)) continue;
        ++context_.statistics.members_joined;
        here.emplace(std::move(*added));
      }
    }
  }

  void look(client::Client& client, client::Registry& registry) {
    Zxid from = past_.now();
    const Result<Instances> instances = registry.instances(kService);
    if (!served(instances)) return;
    ++context_.statistics.views_checked;
    check(histories_.services.shows(from, seen(*instances)));
    if (!goes_on(client) || !random_.chance(0.5)) return;
    from = past_.now();
    const Duration asked = context_.now();
    const Result<Instances> next = registry.next_instances(kService, *instances, patience());
    if (served(next)) {
      check(histories_.services.shows(from, seen(*next)));
      if (*next == *instances) check(std::string("was told of the instances that it knew"));
    } else if (next.code() == ErrorCode::kTimeout) {
      done_one();
      if (const auto able = able_since(asked)) check(histories_.services.gives_up(*able, seen(*instances)));
    }
  }

  // While its clock is not far off, its age says what it shows the truth of.
  void look_at_cache(const client::ServiceCache& cache, Duration began) {
    const client::ServiceView view = cache.view();
    if (able_since(began) && view.stale)
      check(std::string("has a cache that is stale, and nothing is broken"));
    if (view.stale || context_.plan.wild_clocks) return;
    ++context_.statistics.caches_checked;
    const Duration age = (Duration(view.age) + milliseconds(1)) * 11 / 10;
    check(histories_.services.shows(past_.by(context_.now() - age), seen(view.instances)));
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
    case Recipe::kQueue:
      return make(static_cast<QueueClient*>(nullptr));
    case Recipe::kElection:
      return make(static_cast<ElectionClient*>(nullptr));
    case Recipe::kGroup:
      return make(static_cast<GroupClient*>(nullptr));
    case Recipe::kRegistry:
      return make(static_cast<RegistryClient*>(nullptr));
    case Recipe::kLocks:
      return make(static_cast<LibraryLocksClient*>(nullptr));
    case Recipe::kWatches:
      return make(static_cast<LibraryWatchesClient*>(nullptr));
    case Recipe::kCount:
      break;
  }
  CHECK_MSG(false, "a recipe without a program");
}

}  // namespace quorate::sim
