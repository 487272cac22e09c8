// A client that uses what a lock can do beside being exclusive: it shares one, takes one of a semaphore's
// permits, takes several locks at once, upgrades and downgrades, has its place kept when its session expires,
// writes to the tree under the condition that it holds, and takes locks away from others.
//
// What it is told is compared with what the committed entries make of the queues (tests/sim/place_history.h),
// and what it believes with what the other clients believe at the same time (tests/sim/lock_history.h).
//
// Thread safety: none.
#pragma once

#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "tests/sim/workloads.h"

namespace quorate::sim {

// Where locks of all kinds are.
std::string shared_lock_path();
std::string semaphore_path();
inline constexpr uint32_t kPermits = 2;
std::string one_of_several_path(uint64_t i);
inline constexpr uint64_t kSeveral = 3;
// What is written to the tree while a lock is held.
inline constexpr const char* kWrittenInside = "/inside/n-";

class LockKindsClient final : public PeriodicClient {
 public:
  using PeriodicClient::PeriodicClient;
  bool idle() const override { return state_ == State::kIdle && Client::idle(); }

 private:
  enum class State : uint8_t { kIdle, kAsking, kWaiting, kHolding, kChanging, kReleasing };
  struct Place {
    std::string lock, node;
    kv::PlaceMode mode;
    bool held = false;
  };

  void on_ready(bool fresh) override;
  void on_session_lost() override;
  void on_grant(const lock::Grant& grant) override;
  void on_loss(const lock::Loss& loss) override;
  void act() override;

  void draw_places();
  void ask();
  void asked(const kv::Outcome& outcome);
  // Where do our places stand? If this connection has been there since we knew, what became of them since
  // was told before this answer.
  void ask_places(bool give_up);
  void place_told(const std::string& node, ConnectionId asked_on, const server::ClientReply& reply);
  void hold_if_all_are();
  void perhaps_fall_silent();
  void stop_waiting(uint64_t round);
  void work(uint64_t round, uint32_t left);
  void write_outside(uint64_t round, uint32_t left);
  void write_inside(uint64_t round, uint32_t left);
  void upgrade(uint64_t round, uint32_t left);
  void downgrade(uint64_t round, uint32_t left);
  void go_on(uint64_t round, uint32_t left);
  void lose(const std::string& node);
  void release(uint64_t round);
  void end_holds();
  void take_from_somebody();
  Place* place_of(const std::string& node);
  bool is_current(uint64_t round, State state) const { return round == round_ && state == state_; }

  State state_ = State::kIdle;
  uint64_t round_ = 0;  // of asking, so that timers and answers of an earlier one do nothing
  std::vector<Place> places_;
  Token token_;
  bool patient_ = true;  // several at once: waits for them
  ConnectionId asked_on_;
  ConnectionId known_on_;  // the connection that has been there since we knew where we stand, or none
  std::set<std::string> early_grants_, told_lost_;
};

}  // namespace quorate::sim
