#include "server/replica_session_clocks.h"

namespace quorate::server {

void SessionClocks::restart(const std::vector<kv::SessionView>& sessions, Instant now) {
  stop();
  for (const kv::SessionView& session : sessions) add(session.id, session.timeout_ms, now);
}

void SessionClocks::stop() {
  clocks_.clear();
  due_ = {};
}

void SessionClocks::add(SessionId session, uint32_t timeout_ms, Instant now) {
  const Duration timeout = std::chrono::milliseconds(timeout_ms);
  const auto [at, added] = clocks_.insert({session, {}});
  const bool expiring = !added && at->second.expiring;
  at->second = {timeout, now + timeout, expiring};
  if (added) due_.push({now + timeout, session});
}

void SessionClocks::forget(SessionId session) { clocks_.erase(session); }

bool SessionClocks::touch(SessionId session, Instant now) {
  const auto at = clocks_.find(session);
  if (at == clocks_.end() || at->second.expiring) return false;
  at->second.deadline = now + at->second.timeout;
  return true;
}

bool SessionClocks::any_overdue(Instant now) {
  settle(now);
  return !due_.empty() && due_.top().first <= now;
}

std::vector<SessionId> SessionClocks::take_overdue(Instant now) {
  std::vector<SessionId> overdue;
  while (any_overdue(now)) {
    const SessionId session = due_.top().second;
    due_.pop();
    clocks_.at(session).expiring = true;
    overdue.push_back(session);
  }
  return overdue;
}

Instant SessionClocks::deadline() const { return due_.empty() ? kNever : due_.top().first; }

void SessionClocks::settle(Instant now) {
  while (!due_.empty() && due_.top().first <= now) {
    const SessionId session = due_.top().second;
    const auto at = clocks_.find(session);
    if (at != clocks_.end() && !at->second.expiring && at->second.deadline <= now) return;
    due_.pop();
    if (at != clocks_.end() && !at->second.expiring) due_.push({at->second.deadline, session});
  }
}

}  // namespace quorate::server
