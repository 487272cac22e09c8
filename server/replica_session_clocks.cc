#include "server/replica_session_clocks.h"

#include <algorithm>

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
  Clock& clock = clocks_[session];
  if (clock.ended) return;
  clock.timeout = std::chrono::milliseconds(timeout_ms);
  clock.deadline = now + clock.timeout;
  if (clock.deadline < clock.queued) queue(session, clock);
}

void SessionClocks::queue(SessionId session, Clock& clock) {
  clock.queued = clock.deadline;
  due_.push({clock.deadline, session});
}

void SessionClocks::forget(SessionId session) { clocks_.erase(session); }

bool SessionClocks::touch(SessionId session, Instant now) {
  const auto at = clocks_.find(session);
  if (at == clocks_.end() || at->second.expiring || at->second.ended) return false;
  at->second.deadline = now + at->second.timeout;
  return true;
}

bool SessionClocks::is_ending(SessionId session) const {
  const auto at = clocks_.find(session);
  return at != clocks_.end() && (at->second.expiring || at->second.ended);
}

void SessionClocks::end(SessionId session, Instant now) {
  const auto at = clocks_.find(session);
  if (at == clocks_.end() || at->second.expiring || at->second.ended) return;
  at->second.ended = true;
  at->second.deadline = std::min(at->second.deadline, now);
  queue(session, at->second);
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

void SessionClocks::put_off(SessionId session, Instant until) {
  const auto at = clocks_.find(session);
  if (at == clocks_.end()) return;
  at->second.expiring = false;
  at->second.deadline = until;
  queue(session, at->second);
}

Instant SessionClocks::deadline() const { return due_.empty() ? kNever : due_.top().first; }

void SessionClocks::settle(Instant now) {
  while (!due_.empty() && due_.top().first <= now) {
    const auto [at, session] = due_.top();
    const auto found = clocks_.find(session);
    const bool counts = found != clocks_.end() && found->second.queued == at && !found->second.expiring;
    if (counts && found->second.deadline <= now) return;
    due_.pop();
    if (counts) queue(session, found->second);
  }
}

}  // namespace quorate::server
