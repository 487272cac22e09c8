// The lock recipe of ZooKeeper's clients, by the book, in the queues in which native clients stand: an
// ephemeral sequential child, a list of the children, a watch on the one right before; again when that has
// gone; deleted to release. In the form of Curator's mutex (every child counts, "_c_<id>-lock-") and of
// kazoo's (its own names count, "<id>__lock__"). A create whose answer was lost is looked for by its id.
//
// Its own view of the queue is held to that of the committed entries (place_history.h), what it does while it
// may rely on its session to what others do (lock_history.h). A session that it relies on has answered a sign
// of life in two thirds of its timeout, as ZooKeeper's clients have it.
//
// Thread safety: none.
#pragma once

#include <cstdint>
#include <string>

#include "tests/sim/foreign_queue.h"
#include "tests/sim/zookeeper_session.h"

namespace quorate::sim {

class ZookeeperLockClient final : public ZookeeperSession {
 public:
  ZookeeperLockClient(Context& context, Connections& connections, uint32_t number, uint32_t servers,
                      Histories& histories);

  bool lease_valid() const override { return heard_in_time(); }
  bool idle() const override { return state_ == State::kIdle && ZookeeperSession::idle(); }

 private:
  enum class State : uint8_t {
    kIdle,
    kTaking,    // a create is under way
    kFinding,   // its answer was lost: is it there?
    kLooking,   // where in the queue it stands
    kWatching,  // the watch on who stands before it is asked for
    kWaiting,
    kHolding,
    kLeaving
  };

  void act() override;
  void on_ready(bool fresh) override;
  void on_answer(const zookeeper::RequestBody& body, const zookeeper::Reply& reply) override;
  void on_unanswered(const zookeeper::RequestBody& body) override;
  void on_event(const kv::WatchEvent& event) override;
  void on_session_over() override;

  void take();
  void taken(const zookeeper::Create& create, const zookeeper::Reply& reply);
  void find();
  void found(const zookeeper::Reply& reply);
  void look();
  void looked(const zookeeper::Reply& reply);
  void watch(const std::string& before);
  void watched(const std::string& path, const zookeeper::Reply& reply);
  void at_place();
  void stop_waiting(uint64_t round);
  void hold();
  void work(uint64_t round, uint32_t left);
  void leave();
  void over();

  Histories& histories_;
  const bool kazoo_;
  ForeignQueue queue_;

  State state_ = State::kIdle;
  uint64_t round_ = 0;  // so that timers of an earlier one do nothing
  std::string lock_, id_, node_;
  std::string before_;  // the name of who stands right before it
  Token token_;
  bool gives_up_ = false;
};

}  // namespace quorate::sim
