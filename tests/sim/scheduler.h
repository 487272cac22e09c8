// Virtual time: things that will happen, in the order of their time and, within one instant, in the order in
// which they were asked for. Nothing else decides an order, so a seed gives the same run everywhere. Time
// that stands still is a broken rule: somebody asks to be woken again and again and has nothing to do.
//
// Thread safety: none.
#pragma once

#include <cstdint>
#include <functional>
#include <queue>
#include <vector>

#include "base/check.h"
#include "base/time.h"

namespace quorate::sim {

// Virtual time since the start of the run. No server and no client ever sees it: each has a clock of its own.
using SimTime = Duration;

class Scheduler {
 public:
  using Action = std::function<void()>;

  SimTime now() const { return now_; }
  // A time in the past means now.
  void at(SimTime when, Action action) {
    size_t slot;
    if (free_.empty()) {
      slot = actions_.size();
      actions_.push_back(std::move(action));
    } else {
      slot = free_.back();
      free_.pop_back();
      actions_[slot] = std::move(action);
    }
    queue_.push(Item{when < now_ ? now_ : when, next_sequence_++, slot});
  }
  void after(Duration delay, Action action) { at(now_ + delay, std::move(action)); }

  bool empty() const { return queue_.empty(); }
  SimTime next_time() const { return queue_.top().when; }
  // REQUIRES: !empty().
  void run_one() {
    const Item item = queue_.top();
    queue_.pop();
    CHECK(item.when >= now_);
    at_one_instant_ = item.when == now_ ? at_one_instant_ + 1 : 0;
    CHECK_MSG(at_one_instant_ < kEventsPerInstant,
              "time stands still: a server or a client works and never waits");
    now_ = item.when;
    Action action = std::move(actions_[item.slot]);
    actions_[item.slot] = nullptr;
    free_.push_back(item.slot);
    action();
  }
  uint64_t events() const { return next_sequence_; }

 private:
  // A hundred times what the busiest instant of 1,000 seeds has.
  static constexpr uint64_t kEventsPerInstant = 100'000;

  struct Item {
    SimTime when;
    uint64_t sequence;
    size_t slot;
    friend bool operator<(const Item& a, const Item& b) {
      return a.when != b.when ? a.when > b.when : a.sequence > b.sequence;
    }
  };

  SimTime now_{0};
  uint64_t at_one_instant_ = 0;
  uint64_t next_sequence_ = 0;
  std::priority_queue<Item> queue_;
  std::vector<Action> actions_;
  std::vector<size_t> free_;
};

}  // namespace quorate::sim
