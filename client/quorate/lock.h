// A held lock. It is held until release() or the end of the guard, or until it is lost: when the session may
// have expired, or somebody deleted the node that holds it.
//
//   Result<Lock> lock = client.acquire("/jobs/nightly");
//   if (!lock.ok()) return lock.error();
//   storage.write(lock->token(), ...);   // the storage refuses a token lower than one it has seen
//
// Lost is known *before* anybody else can be granted the lock: the client counts its session's time from the
// sending of the last heartbeat that was answered, less 10 % for clocks that run at different speeds. That
// holds for a program that runs. One that is stopped (a suspended machine, a debugger, a long stall) knows
// nothing until it runs again: against its late writes only the token helps.
//
// A client that acquires a path a second time takes a second place, and waits for the first: two threads that
// share a Client exclude each other as two programs do. Who holds the lock and needs it again further down
// hands on the guard: guard.again() gives another one of the same place. The place is given up with the last.
//
// Thread safety: all members.
#pragma once

#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <utility>

#include "client/quorate/types.h"

namespace quorate::client {

struct LockState;
template <class R>
class Call;  // client/quorate/call.h

// What all kinds of held locks have.
class HeldLock {
 public:
  ~HeldLock();  // releases, without waiting for the answer
  HeldLock(HeldLock&&) noexcept;
  HeldLock& operator=(HeldLock&&) noexcept;

  // Grows along a path with every place that is taken, across leaders and restarts. A resource that remembers
  // the highest one is safe for exclusive holders; for the others docs/locks.md says how.
  Token token() const;
  SessionId session() const;
  const std::string& path() const;
  // Its place in the queue, "/path/lock-0000000007".
  const std::string& node() const;

  // Not held any more, without our doing. Looks at the clock, so it is right at once when the program was
  // stopped.
  bool lost() const;
  // How long it stays certain that nobody else can have been granted it: what lost() leaves of
  // Options::lost_margin, which the servers' choice of a shorter timeout makes shorter. 0 when that time is
  // over, and at once when the cluster ended the session or somebody deleted the node.
  milliseconds time_left() const;
  // Called once, on the client's own thread, when the lock is lost; at once, on this thread, if it is lost
  // already. It must not wait for the client.
  void on_lost(std::function<void()> callback);
  // Stop is requested when the lock is lost.
  std::stop_token stop_token() const;

  // Gives it up and waits for the answer; where there are other guards of the place (again()), only this
  // guard. Errors: kOutcomeUnknown (it goes at the latest with the session);
  // kSessionExpired and kNoNode when it was lost before.
  Status release();
  // The same without waiting. The guard may be dropped meanwhile.
  Call<Status> async_release();

 protected:
  explicit HeldLock(std::shared_ptr<LockState> state);
  // The state of another guard of the same place.
  Result<std::shared_ptr<LockState>> another() const;
  // What becomes of the lock belongs to the guard that is given back; this one counts as released.
  template <class Guard>
  Call<Result<Guard>> change(bool upgrade);

 private:
  std::shared_ptr<LockState> state_;
};

class SharedLock;

class Lock : public HeldLock {
 public:
  // Another guard of what this one holds: the same place and token, callbacks and a stop token of its own.
  // Asks nobody and waits for nobody. The lock is held until the last of them is released. Errors: kNoNode
  // when this one was released, is lost, or is just being downgraded.
  Result<Lock> again() const;
  // Lets others share it from now on: place and token stay. This guard is released then; after an error it
  // holds what it held. Callbacks and stop tokens are those of the new guard. Errors: kContended while there
  // are other guards of the place; kNoNode when this one was released meanwhile, and the lock with it.
  Result<SharedLock> downgrade();
  Call<Result<SharedLock>> async_downgrade();

 private:
  friend class AsyncClient;
  friend class HeldLock;
  explicit Lock(std::shared_ptr<LockState> state) : HeldLock(std::move(state)) {}
};

class SharedLock : public HeldLock {
 public:
  // As Lock::again(). Another acquire_shared() would wait behind an exclusive one that waits for this.
  Result<SharedLock> again() const;
  // Holds it exclusively from now on, with a new token: only where nobody else holds the lock or waits for
  // it, and there is no other guard of the place. Errors: kContended, then it stays shared. Guards as with
  // downgrade().
  Result<Lock> upgrade();
  Call<Result<Lock>> async_upgrade();

 private:
  friend class AsyncClient;
  friend class HeldLock;
  explicit SharedLock(std::shared_ptr<LockState> state) : HeldLock(std::move(state)) {}
};

// One of a semaphore's permits.
class Permit : public HeldLock {
 private:
  friend class AsyncClient;
  explicit Permit(std::shared_ptr<LockState> state) : HeldLock(std::move(state)) {}
};

}  // namespace quorate::client
