// The engine's locks.
#include <algorithm>
#include <utility>

#include "client/engine.h"

namespace quorate::client {

uint64_t Engine::acquire(Instant now, const api::Acquire& request, std::optional<Duration> wait,
                         OnAcquired on_acquired, std::function<void()> on_lost) {
  begin(now);
  api::Write operation;
  *operation.mutable_acquire() = request;
  LockEntry entry;
  entry.path = request.path();
  entry.on_acquired = std::move(on_acquired);
  entry.on_lost = std::move(on_lost);
  return join(now, std::move(operation), std::move(entry), wait);
}

uint64_t Engine::acquire_many(Instant now, const api::AcquireMany& request, std::optional<Duration> wait,
                              OnAllAcquired on_acquired, std::function<void(size_t)> on_lost) {
  begin(now);
  api::Write operation;
  *operation.mutable_acquire_many() = request;
  LockEntry entry;
  entry.group = std::make_shared<Group>();
  entry.group->on_acquired = std::move(on_acquired);
  entry.group->granted.resize(static_cast<size_t>(request.locks_size()));
  entry.group->on_lost = std::move(on_lost);
  for (const api::Acquire& lock : request.locks())
    entry.path += (entry.path.empty() ? "" : ", ") + std::string(lock.path());
  return join(now, std::move(operation), std::move(entry), wait);
}

uint64_t Engine::join(Instant now, api::Write operation, LockEntry joining, std::optional<Duration> wait) {
  const uint64_t lock = ++last_lock_;
  LockEntry& entry = locks_[lock] = std::move(joining);
  entry.acquire = lock;
  entry.wait = wait;
  entry.started = now;
  // To join the queue takes no longer than other requests; then the wait for the lock itself begins.
  const bool short_wait = wait && *wait > Duration(0) && *wait < options_.request_timeout;
  entry.deadline = now + (short_wait ? *wait : options_.request_timeout);
  entry.asked_link = next_link();
  if (session_state_ == SessionState::kLost || session_state_ == SessionState::kClosed) {
    answer_acquire(entry, session_over());
    locks_.erase(lock);
    return lock;
  }
  entry.write =
      writes_.add(ids_, std::move(operation), kNever, options_.request_timeout,
                  [this, lock](Instant at, const Result<api::Reply>& reply) { on_joined(at, lock, reply); });
  pump(now);
  return lock;
}

void Engine::on_joined(Instant now, uint64_t lock, const Result<api::Reply>& reply) {
  const auto it = locks_.find(lock);
  if (it == locks_.end()) return;  // the session is over, and everything was told
  LockEntry& entry = it->second;
  // Of several locks the refusal comes with what became of each.
  const Error error = reply.ok() ? error_of(*reply) : reply.error();
  if (!error.ok()) {
    answer_acquire(entry, error);
    locks_.erase(it);
    return;
  }
  if (entry.group) {
    const LockEntry joining = std::move(entry);
    locks_.erase(it);
    return on_joined_many(now, joining, reply->outcome());
  }
  entry.node = reply->outcome().path();
  // An outcome of an earlier connection is as old as that: a grant, or the loss, may have been told since.
  if (!entry.on_acquired) return leave_queue(now, it, nullptr);
  if (reply->outcome().held()) {
    grant(it, Token(reply->outcome().token()));
    if (entry.asked_link != link_number_) ask_place(now, lock);
    return;
  }
  if (entry.wait && *entry.wait == Duration(0)) {
    answer_acquire(entry, Error{ErrorCode::kTimeout, "the lock " + entry.path + " is held by somebody else"});
    return leave_queue(now, it, nullptr);
  }
  entry.state = LockState::kWaiting;
  entry.deadline = entry.wait ? entry.started + *entry.wait : kNever;
  if (entry.asked_link != link_number_) ask_place(now, lock);
}

// From here on each is a lock by itself; the group is answered with the last that is granted.
void Engine::on_joined_many(Instant now, const LockEntry& joining, const api::Outcome& outcome) {
  Group& group = *joining.group;
  if (!group.on_acquired) {
    for (const api::OperationResult& result : outcome.results()) send_release(now, result.path(), nullptr);
    return;
  }
  group.missing = static_cast<size_t>(outcome.results_size());
  if (group.missing == 0 || group.missing != group.granted.size()) {
    LockEntry failed = joining;
    return answer_acquire(failed,
                          Error{ErrorCode::kUnsupported, "the server told of other locks than asked"});
  }
  std::vector<uint64_t> held;
  for (size_t i = 0; i < group.granted.size(); ++i) {
    const api::OperationResult& result = outcome.results(static_cast<int>(i));
    const uint64_t lock = ++last_lock_;
    LockEntry& entry = locks_[lock];
    entry.state = LockState::kWaiting;
    entry.node = result.path();
    entry.path = entry.node.substr(0, entry.node.rfind('/'));
    entry.acquire = joining.acquire;
    entry.wait = joining.wait;
    entry.started = joining.started;
    entry.deadline = joining.wait && *joining.wait > Duration(0) ? joining.started + *joining.wait : kNever;
    entry.group = joining.group;
    entry.index = i;
    entry.on_lost = [told = joining.group->on_lost, i] { told(i); };
    if (result.held()) held.push_back(lock);
    if (joining.asked_link != link_number_) ask_place(now, lock);
  }
  for (const uint64_t lock : held) grant(locks_.find(lock), Token(outcome.token()));
}

void Engine::change(Instant now, uint64_t lock, api::Write operation, OnAcquired on_done,
                    std::function<void()> on_lost) {
  begin(now);
  const auto it = locks_.find(lock);
  if (it == locks_.end() || it->second.state != LockState::kHeld || it->second.changing) {
    sink_.completions.push_back([on_done] {
      on_done(Error{ErrorCode::kNoNode, "the lock was not held any more, or is being changed"});
    });
    return;
  }
  it->second.changing = true;
  it->second.asked_link = next_link();
  it->second.write = writes_.add(ids_, std::move(operation), kNever, options_.request_timeout,
                                 [this, lock, on_done, on_lost](Instant at, const Result<api::Reply>& reply) {
                                   on_changed(at, lock, reply, on_done, on_lost);
                                 });
  pump(now);
}

void Engine::on_changed(Instant now, uint64_t lock, const Result<api::Reply>& reply,
                        const OnAcquired& on_done, std::function<void()> on_lost) {
  const auto it = locks_.find(lock);
  const auto answer = [&](Result<GrantedLock> result) {
    sink_.completions.push_back([on_done, result = std::move(result)] { on_done(result); });
  };
  if (!reply.ok()) {
    answer(reply.error());
    if (it == locks_.end()) return;
    it->second.changing = false;
    // While it was changing, nothing was made of what became of the place.
    if (session_state_ == SessionState::kLive) ask_place(now, lock);
    return;
  }
  if (it == locks_.end()) {
    // It was released meanwhile, by the name that it had.
    answer(Error{ErrorCode::kNoNode, "the lock was released while it was being changed"});
    if (session_state_ == SessionState::kLive) send_release(now, reply->outcome().path(), nullptr);
    return;
  }
  LockEntry& entry = it->second;
  entry.changing = false;
  entry.node = reply->outcome().path();
  entry.token = Token(reply->outcome().token());
  entry.on_lost = std::move(on_lost);
  answer(GrantedLock{lock, entry.path, entry.node, entry.token, session_});
  // As old as the connection that it was asked over.
  if (entry.asked_link != link_number_) ask_place(now, lock);
}

void Engine::ask_places(Instant now) {
  if (session_state_ != SessionState::kLive) return;
  for (const auto& [lock, entry] : locks_)
    if (entry.state != LockState::kJoining) ask_place(now, lock);
}

void Engine::ask_place(Instant now, uint64_t lock) {
  api::ClientFrame frame;
  frame.mutable_lock_place()->set_node(locks_.at(lock).node);
  ask(
      now, std::move(frame), kNever,
      [this, lock](Instant at, const Result<api::Reply>& reply) { on_place(at, lock, reply); }, true);
}

void Engine::on_place(Instant, uint64_t lock, const Result<api::Reply>& reply) {
  const auto it = locks_.find(lock);
  if (it == locks_.end()) return;
  LockEntry& entry = it->second;
  if (reply.ok()) {
    if (entry.state == LockState::kWaiting && reply->place().held()) grant(it, Token(reply->place().token()));
    return;
  }
  if (reply.code() != ErrorCode::kNoNode && reply.code() != ErrorCode::kBadQueue) return;
  place_gone(it);
}

void Engine::on_lost_place(const std::string& node) {
  for (auto it = locks_.begin(); it != locks_.end(); ++it) {
    if (it->second.state == LockState::kJoining || it->second.node != node) continue;
    return place_gone(it);
  }
}

// Whoever deleted it has let the next one in. Of one that is changing, the answer to that will tell.
void Engine::place_gone(std::map<uint64_t, LockEntry>::iterator it) {
  LockEntry& entry = it->second;
  if (entry.changing) return;
  if (entry.state == LockState::kHeld) tell_lost(entry);
  answer_acquire(entry, Error{ErrorCode::kNoNode,
                              "the place in the queue, " + entry.node + ", was deleted by somebody else"});
  locks_.erase(it);
}

void Engine::grant(std::map<uint64_t, LockEntry>::iterator it, Token token) {
  LockEntry& entry = it->second;
  entry.state = LockState::kHeld;
  entry.deadline = kNever;
  entry.token = token;
  answer_acquire(entry, GrantedLock{it->first, entry.path, entry.node, token, session_});
}

// The caller's patience is over. What may be in a queue leaves it: at once, or when the answer shows where it
// is.
void Engine::give_up_waiting(Instant now, std::map<uint64_t, LockEntry>::iterator it, bool cancelled) {
  LockEntry& entry = it->second;
  const Error given_up{ErrorCode::kTimeout, "the wait for the lock " + entry.path + " was given up"};
  entry.deadline = kNever;
  const bool sent = entry.state == LockState::kWaiting || !writes_.withdraw(entry.write);
  if (!sent) {
    Error error = not_done(now, entry.started);
    // Not to have been asked is another thing than not to have been granted.
    if (error.code == ErrorCode::kTimeout) error.code = ErrorCode::kUnavailable;
    answer_acquire(entry, cancelled ? given_up : std::move(error));
    locks_.erase(it);
    return;
  }
  answer_acquire(entry, cancelled
                            ? given_up
                            : Error{ErrorCode::kTimeout, "the lock " + entry.path + " was not obtained in " +
                                                             seconds_text(now - entry.started)});
  if (entry.state == LockState::kWaiting) leave_queue(now, it, nullptr);
}

void Engine::cancel_acquire(Instant now, uint64_t acquire) {
  begin(now);
  const auto waits = [acquire](const auto& lock) {
    const LockEntry& entry = lock.second;
    const bool waited_for = entry.group ? bool(entry.group->on_acquired) : bool(entry.on_acquired);
    return entry.acquire == acquire && waited_for;
  };
  const auto it = std::find_if(locks_.begin(), locks_.end(), waits);
  if (it == locks_.end()) return;
  give_up_waiting(now, it, true);
  pump(now);
}

void Engine::release(Instant now, uint64_t lock, OnReply on_reply) {
  begin(now);
  const auto it = locks_.find(lock);
  if (it == locks_.end() || it->second.state != LockState::kHeld) {
    on_reply(now, Error{ErrorCode::kNoNode, "the lock was not held any more"});
    return;
  }
  leave_queue(now, it, std::move(on_reply));
  pump(now);
}

void Engine::leave_queue(Instant now, std::map<uint64_t, LockEntry>::iterator it, OnReply on_reply) {
  const std::string node = it->second.node;
  locks_.erase(it);
  send_release(now, node, std::move(on_reply));
}

void Engine::send_release(Instant now, const std::string& node, OnReply on_reply) {
  api::Write operation;
  operation.mutable_release()->set_node(node);
  const Instant deadline = on_reply ? now + options_.request_timeout : kNever;
  if (!on_reply) on_reply = [](Instant, const Result<api::Reply>&) {};
  // Nobody could do it later: the entry is gone, and the session stays alive.
  writes_.add(ids_, std::move(operation), deadline, options_.request_timeout, std::move(on_reply),
              WriteQueue::IfLate::kSendStill);
}

void Engine::fail_locks(const Error& error) {
  std::map<uint64_t, LockEntry> all = std::exchange(locks_, {});
  for (auto& [lock, entry] : all) {
    if (entry.state == LockState::kHeld) tell_lost(entry);
    answer_acquire(entry, error);
  }
}

// What a group got before one of its locks could not be had. At the end of the step, where nobody walks along
// the locks.
void Engine::give_back_failed(Instant now) {
  group_failed_ = false;
  for (auto it = locks_.begin(); it != locks_.end();) {
    const auto lock = it++;
    const LockEntry& entry = lock->second;
    if (entry.group && entry.group->failed && entry.state != LockState::kJoining)
      leave_queue(now, lock, nullptr);
  }
}

void Engine::answer_acquire(LockEntry& entry, Result<GrantedLock> result) {
  if (entry.group) {
    Group& group = *entry.group;
    if (!group.on_acquired) return;
    if (result.ok()) {
      group.granted[entry.index] = std::move(*result);
      if (--group.missing > 0) return;
    }
    std::vector<GrantedLock> all;
    for (std::optional<GrantedLock>& each : group.granted)
      if (result.ok() && each) all.push_back(std::move(*each));
    group_failed_ = group.failed = !result.ok();
    sink_.completions.push_back([on_acquired = std::exchange(group.on_acquired, nullptr),
                                 error = result.ok() ? Error() : result.error(), all = std::move(all)] {
      error.ok() ? on_acquired(all) : on_acquired(error);
    });
    return;
  }
  if (!entry.on_acquired) return;
  sink_.completions.push_back([on_acquired = std::exchange(entry.on_acquired, nullptr),
                               result = std::move(result)] { on_acquired(result); });
}

void Engine::tell_lost(LockEntry& entry) {
  if (entry.on_lost) sink_.completions.push_back(std::exchange(entry.on_lost, nullptr));
}

}  // namespace quorate::client
