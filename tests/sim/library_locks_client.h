// A program that takes locks of all kinds through the client library, by its guards: exclusive and shared
// ones, a semaphore's permits, several locks at once; it hands guards on (again()), upgrades and downgrades,
// writes under them, inside the tree and outside, and takes locks away from others. It stands in the queues
// of LockKindsClient, which speaks the protocol itself.
//
// What the guards say is compared with what the committed entries make of the queues
// (tests/sim/place_history.h), and what the program believes with what others believe at the same time
// (tests/sim/lock_history.h).
//
// Thread safety: none.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "client/quorate/lock.h"
#include "tests/sim/recipe_client.h"

namespace quorate::sim {

class LibraryLocksClient final : public RecipeClient {
 public:
  using RecipeClient::RecipeClient;

 private:
  struct Asked {
    std::string lock;  // if it is one
    Zxid from;
    Duration at;
  };
  // What a guard's callback was told.
  struct Heard {
    uint64_t losses = 0;
    bool released = false;
    bool too_late = false;
  };
  // A guard that may be relied upon, and how.
  template <class Guard>
  struct Held {
    Guard guard;
    kv::PlaceMode mode;
    std::shared_ptr<Heard> heard;
  };

  void act(client::Client& client) override;
  void take_shared_lock(client::Client& client);
  void take_permit(client::Client& client);
  void take_several(client::Client& client);
  void take_from_somebody(client::Client& client);

  client::AcquireOptions draw_options();
  template <class R>
  bool obtained(client::Client& client, const R& result, const Asked& asked);
  template <class Guard>
  void use_if_obtained(client::Client& client, Result<Guard> got, kv::PlaceMode mode, const Asked& asked);
  template <class Guard>
  Held<Guard> listen(Guard guard, kv::PlaceMode mode);
  template <class Guard>
  bool begins(const Held<Guard>& held, Zxid from);
  template <class Guard>
  void use(client::Client& client, Held<Guard> held, uint64_t left);
  void work(client::Client& client, const client::HeldLock& guard, bool outside);
  template <class Guard>
  void hand_on(Held<Guard>& held);
  void upgrade(client::Client& client, Held<client::SharedLock> held, uint64_t left);
  void downgrade(client::Client& client, Held<client::Lock> held, uint64_t left);
  template <class Guard>
  void let_go(client::Client& client, Held<Guard> held);

  void verify(client::Client& client, const client::HeldLock& guard);
  void write_inside(client::Client& client, const client::HeldLock& guard);
  void must_be_lost(client::Client& client, const client::HeldLock& guard);
  void told_held(client::Client& client, const client::HeldLock& guard, bool held, Zxid from);
  void look_at_heard();

  std::vector<std::shared_ptr<Heard>> heard_;  // of the guards since it last looked
};

}  // namespace quorate::sim
