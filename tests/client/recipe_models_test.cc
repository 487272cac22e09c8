// Random histories of the recipes against a real server, each beside a model that is as plain as it can be.
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <atomic>
#include <deque>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <thread>

#include "client/quorate/barrier.h"
#include "client/quorate/counter.h"
#include "client/quorate/election.h"
#include "client/quorate/group.h"
#include "client/quorate/queue.h"
#include "tests/client/real_server.h"

namespace quorate::client {
namespace {

using RecipeModels = RealServer;

// Candidates that stand, wait in line, say another value, resign, lose it to an operator, and die, against a
// list.
TEST_F(RecipeModels, AnElectionDoesWhatAListDoes) {
  std::set<std::string> done;
  EXPECT_TRUE(rc::check([&] {
    struct Candidacy {
      ~Candidacy() {
        client->close();
        if (waits.joinable()) waits.join();
      }
      std::string value;
      std::unique_ptr<Client> client = std::make_unique<Client>(options());
      std::optional<Leadership> leading;  // to be looked at when `waits` is over
      std::thread waits;
    };
    const std::string here = fresh_path();
    std::list<Candidacy> model;  // the leader first
    Election watching(b, here);
    Token highest;
    const auto followed = [&] {
      if (!model.empty() && model.front().waits.joinable()) model.front().waits.join();
    };
    const auto agrees = [&] {
      const auto all = *watching.candidates();
      RC_ASSERT(all.size() == model.size());
      RC_ASSERT(
          std::equal(all.begin(), all.end(), model.begin(),
                     [](const Candidate& one, const Candidacy& two) { return one.value == two.value; }));
      const auto leader = *watching.leader();
      RC_ASSERT(leader.has_value() == !model.empty());
      if (!leader) return;
      RC_ASSERT(*leader == all.front());
      RC_ASSERT(model.front().leading.has_value());
      RC_ASSERT(model.front().leading->token() == leader->token);
      RC_ASSERT(leader->token >= highest);
      highest = leader->token;
    };
    int next = 0;
    for (const uint8_t dice : *steps<uint8_t>(20)) {
      if (dice % 6 < 3 && model.size() < 4) {
        Candidacy& mine = model.emplace_back();
        mine.value = "v" + std::to_string(next++);
        mine.waits = std::thread([&mine, here] {
          Result<Leadership> won = Election(*mine.client, here).campaign(mine.value, kLong);
          if (won.ok()) mine.leading.emplace(std::move(*won));
        });
        RC_ASSERT(server::eventually([&] { return watching.candidates()->size() == model.size(); }));
        done.insert(model.size() == 1 ? "leads at once" : "waits");
      } else if (dice % 6 == 3 && !model.empty()) {
        Candidacy& leader = model.front();
        leader.value = "v" + std::to_string(next++);
        RC_ASSERT(leader.leading->proclaim(leader.value).ok());
        done.insert("proclaims");
      } else if (dice % 6 == 4 && !model.empty()) {
        const bool broken = dice % 4 == 0;
        const Status gone =
            broken ? a.break_lock(here, model.front().leading->token()) : model.front().leading->release();
        RC_ASSERT(gone.ok());
        done.insert(broken ? "is broken" : "resigns");
        if (broken) RC_ASSERT(model.front().leading->proclaim("late").code() == ErrorCode::kNotHolder);
        model.pop_front();
      } else if (dice % 6 == 5 && !model.empty()) {
        // Whoever it is: the leader, or one that waits in the middle.
        const auto dies = std::next(model.begin(), static_cast<std::ptrdiff_t>(dice % model.size()));
        dies->client->close();
        if (dies->waits.joinable()) dies->waits.join();
        RC_ASSERT(dies->leading.has_value() == (dies == model.begin()));
        done.insert(dies == model.begin() ? "dies leading" : "dies waiting");
        model.erase(dies);
      }
      followed();
      agrees();
    }
  }));
  EXPECT_EQ(done, (std::set<std::string>{"dies leading", "dies waiting", "is broken", "leads at once",
                                         "proclaims", "resigns", "waits"}));
}

TEST_F(RecipeModels, ABarrierDoesWhatAFlagDoes) {
  EXPECT_TRUE(rc::check([&] {
    const std::string here = fresh_path();
    Barrier barriers[] = {Barrier(a, here), Barrier(b, here)};
    bool closed = false;
    for (const uint8_t dice : *steps<uint8_t>(24)) {
      Barrier& barrier = barriers[dice % 2];
      if (dice / 2 % 3 == 0) {
        RC_ASSERT(*barrier.close() == !closed);
        closed = true;
      } else if (dice / 2 % 3 == 1) {
        RC_ASSERT(*barrier.open() == closed);
        closed = false;
      }
      for (Barrier& each : barriers) RC_ASSERT(each.wait(milliseconds(0)).ok() == !closed);
    }
  }));
}

// Who comes, leaves, and dies, in any order, without anybody who waits: against two numbers.
TEST_F(RecipeModels, ADoubleBarrierDoesWhatTwoNumbersDo) {
  std::set<std::string> done;
  EXPECT_TRUE(rc::check([&] {
    constexpr size_t kClients = 4;
    constexpr milliseconds kNow(0);
    const std::string here = fresh_path();
    const auto count = *rc::gen::inRange<uint32_t>(1, 4);
    struct Party {
      std::unique_ptr<Client> client;
      std::unique_ptr<DoubleBarrier> barrier;
      bool inside = false;
    };
    std::vector<Party> parties(kClients);
    const auto born = [&](Party& party) {
      party.client = std::make_unique<Client>(options());
      party.barrier = std::make_unique<DoubleBarrier>(*party.client, here, count);
      party.inside = false;
    };
    for (Party& party : parties) born(party);
    size_t inside = 0;   // who came and has not left
    bool begun = false;  // enough were there, and not all have left
    for (const uint8_t dice : *steps<uint8_t>(40)) {
      Party& party = parties[dice % kClients];
      const uint8_t what = dice / kClients % 5;
      if (what < 2 && !party.inside) {
        // Into a round that goes on, nobody comes; where one may come, it stays if it makes the round full.
        const bool comes = !begun && inside + 1 >= count;
        RC_ASSERT(party.barrier->enter(kNow).ok() == comes);
        done.insert(comes ? "alone" : begun ? "too late" : "too few");
        if (!comes) continue;
        party.inside = begun = true;
        ++inside;
      } else if (what == 2 && !party.inside && !begun && count > 1) {
        // Those of a whole round at once.
        std::vector<std::thread> coming;
        std::vector<Party*> who;
        for (Party& each : parties)
          if (!each.inside && who.size() < count) who.push_back(&each);
        std::atomic<uint32_t> came = 0;
        for (Party* each : who)
          coming.emplace_back([each, &came] { came += each->barrier->enter(kLong).ok() ? 1 : 0; });
        for (std::thread& each : coming) each.join();
        RC_ASSERT(came.load() == count);
        done.insert("together");
        for (Party* each : who) each->inside = true;
        inside += count;
        begun = true;
      } else if (what == 3) {
        const Status left = party.barrier->leave(kNow);
        if (!party.inside) {
          RC_ASSERT(left.code() == ErrorCode::kInvalidArgument);
          continue;
        }
        party.inside = false;
        begun = --inside > 0;
        done.insert(begun ? "leaves the others" : "leaves as the last");
        RC_ASSERT(left.code() == (begun ? ErrorCode::kTimeout : ErrorCode::kOk));
      } else if (what == 4) {
        party.client->close();
        if (party.inside) {
          begun = --inside > 0;
          done.insert(begun ? "dies" : "dies as the last");
        }
        born(party);
      }
      const auto members = a.children(here + "/members");
      RC_ASSERT((members.ok() ? members->size() : 0) == inside);
    }
  }));
  EXPECT_EQ(done, (std::set<std::string>{"alone", "dies", "dies as the last", "leaves as the last",
                                         "leaves the others", "together", "too few", "too late"}));
}

TEST_F(RecipeModels, ACounterDoesWhatANumberDoes) {
  size_t overflows = 0;
  EXPECT_TRUE(rc::check([&] {
    const std::string here = fresh_path();
    Counter counter(a, here);
    int64_t model = 0;
    for (const auto& [difference, compare] : *steps<std::pair<int64_t, bool>>(20)) {
      int64_t sum = 0;
      if (compare) {
        const bool same = difference % 2 == 0;
        RC_ASSERT(*counter.compare_and_set(same ? model : ~model, difference) == same);
        model = same ? difference : model;
      } else if (__builtin_add_overflow(model, difference, &sum)) {
        RC_ASSERT(counter.add(difference).code() == ErrorCode::kInvalidArgument);
        ++overflows;
      } else {
        RC_ASSERT(*counter.add(difference) == sum);
        model = sum;
      }
      RC_ASSERT(*Counter(b, here).get() == model);
    }
  }));
  EXPECT_GT(overflows, 0U);
}

// Pushes, takes, acknowledgements, messages given back and consumers that die, against a list.
TEST_F(RecipeModels, AQueueDoesWhatAListDoes) {
  std::set<std::string> done;
  EXPECT_TRUE(rc::check([&] {
    struct Entry {
      std::string data;
      uint32_t tries = 0;
      bool taken = false;
    };
    const QueueOptions limits{.tries_max = 3};
    const std::string here = fresh_path();
    std::deque<Entry> model;
    size_t dead = 0;
    Queue queue(a, here, limits);
    auto consumer = std::make_unique<Client>(options());
    std::vector<Delivery> deliveries;
    const auto entry_of = [&](const Delivery& delivery) {
      return std::find_if(model.begin(), model.end(),
                          [&](const Entry& entry) { return entry.data == delivery.data(); });
    };
    int next = 0;
    for (const uint8_t dice : *steps<uint8_t>(60)) {
      if (dice % 5 < 2) {
        const std::string data = "m" + std::to_string(next++);
        RC_ASSERT(*queue.push(data));
        model.push_back({data});
      } else if (dice % 5 == 2) {
        for (auto it = model.begin(); it != model.end();) {
          if (it->taken || it->tries < limits.tries_max) {
            if (!it->taken) break;
            ++it;
          } else {
            ++dead;
            it = model.erase(it);
            done.insert("put aside");
          }
        }
        const auto first =
            std::find_if(model.begin(), model.end(), [](const Entry& entry) { return !entry.taken; });
        Result<Delivery> taken = Queue(*consumer, here, limits).take(milliseconds(0));
        RC_ASSERT(taken.ok() == (first != model.end()));
        done.insert(!taken.ok() ? "nothing there" : taken->tries() > 1 ? "taken again" : "taken");
        if (!taken.ok()) continue;
        RC_ASSERT(taken->data() == first->data);
        RC_ASSERT(taken->tries() == ++first->tries);
        first->taken = true;
        deliveries.push_back(std::move(*taken));
      } else if (dice % 5 == 3 && !deliveries.empty()) {
        const auto entry = entry_of(deliveries.back());
        if (dice % 2 == 0) {
          RC_ASSERT(deliveries.back().acknowledge().ok());
          done.insert("acknowledged");
          model.erase(entry);
        } else {
          RC_ASSERT(deliveries.back().give_back().ok());
          done.insert("given back");
          entry->taken = false;
        }
        deliveries.pop_back();
      } else if (dice % 5 == 4 && dice > 200) {
        consumer->close();
        if (!deliveries.empty()) done.insert("consumer died");
        deliveries.clear();
        consumer = std::make_unique<Client>(options());
        for (Entry& entry : model) entry.taken = false;
      }
      RC_ASSERT(*queue.size() == model.size());
      RC_ASSERT(queue.dead()->size() == dead);
    }
    deliveries.clear();
  }));
  EXPECT_EQ(done, (std::set<std::string>{"acknowledged", "consumer died", "given back", "nothing there",
                                         "put aside", "taken", "taken again"}));
}

// Who joins, says something else, leaves, and dies, against a map.
TEST_F(RecipeModels, AGroupDoesWhatAMapDoes) {
  std::set<std::string> done;
  EXPECT_TRUE(rc::check([&] {
    struct Mine {
      std::string data;
      size_t client;
      Membership membership;
    };
    const std::string here = fresh_path();
    Group watching(b, here);
    std::vector<std::unique_ptr<Client>> clients(3);
    for (auto& client : clients) client = std::make_unique<Client>(options());
    std::map<std::string, Mine> model;
    std::vector<Member> known;
    int next = 0;
    for (const auto& [dice, who] : *steps<std::pair<uint8_t, uint8_t>>(30)) {
      const std::string id = "m" + std::to_string(who % 5);
      const std::string data = std::to_string(next++);
      const size_t client = who % clients.size();
      const auto at = model.find(id);
      if (dice % 5 < 2) {
        Result<Membership> joined = Group(*clients[client], here).join(id, data);
        RC_ASSERT(joined.code() == (at == model.end() ? ErrorCode::kOk : ErrorCode::kNodeExists));
        done.insert(joined.ok() ? "joins" : "is there");
        if (joined.ok()) model.emplace(id, Mine{data, client, std::move(*joined)});
      } else if (dice % 5 == 2 && at != model.end()) {
        RC_ASSERT(at->second.membership.set_data(data).ok());
        at->second.data = data;
        done.insert("says");
      } else if (dice % 5 == 3 && at != model.end()) {
        RC_ASSERT(at->second.membership.leave().ok());
        RC_ASSERT(at->second.membership.leave().code() == ErrorCode::kNoNode);
        done.insert("leaves");
        model.erase(at);
      } else if (dice % 5 == 4 && dice % 2 == 0) {
        clients[client]->close();
        if (std::erase_if(model, [client](const auto& each) { return each.second.client == client; }) > 0)
          done.insert("dies");
        clients[client] = std::make_unique<Client>(options());
      }
      std::vector<Member> expected;
      for (const auto& [name, mine] : model)
        expected.push_back({name, mine.data, *clients[mine.client]->session()});
      RC_ASSERT(*watching.members() == expected);
      // Whoever watches is woken exactly when somebody changed.
      const auto now = watching.next_members(known, milliseconds(0));
      RC_ASSERT(now.ok() == (known != expected));
      known = expected;
    }
  }));
  EXPECT_EQ(done, (std::set<std::string>{"dies", "is there", "joins", "leaves", "says"}));
}

}  // namespace
}  // namespace quorate::client
