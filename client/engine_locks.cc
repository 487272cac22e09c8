// The engine's watches and locks.
#include <utility>

#include "base/check.h"
#include "client/engine.h"

namespace quorate::client {

// ---- watches

void Engine::on_watch_reply(const Read& read, const api::Reply& reply) {
  const bool is_get = read.frame.has_get();
  const auto it = watches_.find(is_get ? read.frame.get().watch() : read.frame.children().watch());
  if (it == watches_.end()) return;
  const bool exists = reply.code() == 0;
  const bool missing = is_get && static_cast<ErrorCode>(reply.code()) == ErrorCode::kNoNode;
  if (!exists && !missing) {
    watches_.erase(it);
    return;
  }
  it->second.armed = true;
  it->second.resume.set_seen(reply.zxid());
  it->second.resume.set_existed(exists);
}

void Engine::on_watch_event(const api::WatchEvent& event) {
  const auto it = watches_.find(event.watch());
  if (it == watches_.end() || event.kind() < 1 || event.kind() > 4) return;
  OnEvent on_event = std::move(it->second.on_event);
  watches_.erase(it);
  if (!on_event) return;
  sink_.completions.push_back([on_event = std::move(on_event), kind = static_cast<EventKind>(event.kind()),
                               path = event.path(), zxid = Zxid(event.zxid())] {
    on_event({kind, path, zxid});
  });
}

void Engine::remove_watch(Instant now, uint64_t watch) {
  begin(now);
  if (watches_.erase(watch) == 0) return;
  if (link_ == Link::kReady) {
    api::ClientFrame frame;
    frame.mutable_remove_watch()->set_watch(watch);
    ask(
        now, std::move(frame), kNever, [](Instant, const Result<api::Reply>&) {}, true);
  }
  pump(now);
}

void Engine::resume_watches(Instant now) {
  for (const auto& [id, watch] : watches_) {
    if (!watch.armed) continue;
    api::ClientFrame frame;
    *frame.mutable_resume_watch() = watch.resume;
    ask(
        now, std::move(frame), kNever,
        [this, watch_id = id](Instant, const Result<api::Reply>& reply) { on_resumed(watch_id, reply); },
        true);
  }
}

// A server that cannot take the watch over (it has too many) will not tell what happens: the watch fires, and
// whoever reads again is told why it cannot be set.
void Engine::on_resumed(uint64_t id, const Result<api::Reply>& reply) {
  const auto it = watches_.find(id);
  if (reply.ok() || it == watches_.end()) return;
  const bool children = it->second.resume.kind() == 2;
  api::WatchEvent event;
  event.set_watch(id);
  event.set_kind(static_cast<uint32_t>(children ? EventKind::kChildrenChanged : EventKind::kDataChanged));
  event.set_path(it->second.resume.path());
  event.set_zxid(it->second.resume.seen());
  on_watch_event(event);
}

// ---- locks

uint64_t Engine::acquire(Instant now, std::string path, std::string name, std::optional<Duration> wait,
                         OnAcquired on_acquired, std::function<void()> on_lost) {
  begin(now);
  const uint64_t lock = ++last_lock_;
  api::Write operation;
  operation.mutable_acquire()->set_path(path);
  operation.mutable_acquire()->set_data(std::move(name));
  LockEntry& entry = locks_[lock];
  entry.path = std::move(path);
  entry.wait = wait;
  entry.started = now;
  // To join the queue takes no longer than other requests; then the wait for the lock itself begins.
  const bool short_wait = wait && *wait > Duration(0) && *wait < options_.request_timeout;
  entry.deadline = now + (short_wait ? *wait : options_.request_timeout);
  entry.asked_link = link_number_;
  entry.on_acquired = std::move(on_acquired);
  entry.on_lost = std::move(on_lost);
  if (session_state_ == SessionState::kLost || session_state_ == SessionState::kClosed) {
    answer_acquire(entry, Error{ErrorCode::kSessionExpired, lost_why_});
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
  if (!reply.ok()) {
    answer_acquire(entry, reply.error());
    locks_.erase(it);
    return;
  }
  entry.node = reply->outcome().path();
  if (!entry.on_acquired) return leave_queue(now, it, nullptr);
  if (reply->outcome().held()) return grant(it, Token(reply->outcome().token()));
  if (entry.wait && *entry.wait == Duration(0)) {
    answer_acquire(entry, Error{ErrorCode::kTimeout, "the lock " + entry.path + " is held by somebody else"});
    return leave_queue(now, it, nullptr);
  }
  entry.state = LockState::kWaiting;
  entry.deadline = entry.wait ? entry.started + *entry.wait : kNever;
  // An outcome of an earlier connection is as old as that; the grant may have come in between.
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
  // Whoever deleted it has let the next one in.
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
  answer_acquire(entry, GrantedLock{it->first, entry.node, token, session_});
}

// The caller's patience is over. What may be in a queue leaves it: at once, or when the answer shows where it
// is.
void Engine::give_up_waiting(Instant now, std::map<uint64_t, LockEntry>::iterator it) {
  LockEntry& entry = it->second;
  entry.deadline = kNever;
  const bool sent = entry.state == LockState::kWaiting || !writes_.withdraw(entry.write);
  if (!sent) {
    Error error = not_done(now, entry.started);
    // Not to have been asked is another thing than not to have been granted.
    if (error.code == ErrorCode::kTimeout) error.code = ErrorCode::kUnavailable;
    answer_acquire(entry, std::move(error));
    locks_.erase(it);
    return;
  }
  answer_acquire(entry, Error{ErrorCode::kTimeout, "the lock " + entry.path + " was not obtained in " +
                                                       seconds_text(now - entry.started)});
  if (entry.state == LockState::kWaiting) leave_queue(now, it, nullptr);
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
  api::Write operation;
  operation.mutable_release()->set_node(it->second.node);
  locks_.erase(it);
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

void Engine::answer_acquire(LockEntry& entry, Result<GrantedLock> result) {
  if (!entry.on_acquired) return;
  sink_.completions.push_back([on_acquired = std::exchange(entry.on_acquired, nullptr),
                               result = std::move(result)] { on_acquired(result); });
}

void Engine::tell_lost(LockEntry& entry) {
  if (entry.on_lost) sink_.completions.push_back(std::exchange(entry.on_lost, nullptr));
}

}  // namespace quorate::client
