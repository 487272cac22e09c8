// Who has a session, and the end of one.
#include <utility>

#include "client/client_impl.h"

namespace quorate::client {

namespace {

SessionInfo session_of(api::SessionInfo& session) {
  SessionInfo out;
  out.id = SessionId(session.id());
  out.timeout = milliseconds(session.timeout_ms());
  out.ephemerals = session.ephemerals();
  out.paths.assign(session.paths().begin(), session.paths().end());
  for (const api::Who& who : session.who()) out.who.emplace_back(who.scheme(), who.name());
  return out;
}

}  // namespace

Result<std::vector<SessionInfo>> Client::session_list() {
  std::vector<SessionInfo> sessions;
  uint64_t after = 0;
  while (true) {
    api::ClientFrame frame;
    frame.mutable_session_list()->set_after(after);
    Result<api::Reply> reply = impl_->read(std::move(frame));
    if (!reply.ok()) return reply.error();
    for (api::SessionInfo& session : *reply->mutable_sessions()->mutable_sessions())
      sessions.push_back(session_of(session));
    after = reply->sessions().next();
    if (after == 0) return sessions;
  }
}

Call<Result<std::optional<SessionInfo>>> AsyncClient::session_show(SessionId id) {
  using Found = std::optional<SessionInfo>;
  api::ClientFrame frame;
  frame.mutable_session_list()->set_after(id.value() - 1);  // of 0: behind all
  frame.mutable_session_list()->set_max(1);
  frame.mutable_session_list()->set_paths(true);
  return read_call<Result<Found>>(impl_, std::move(frame), [id](Outcome& reply) -> Result<Found> {
    if (!reply.ok()) return reply.error();
    auto& found = *reply->mutable_sessions()->mutable_sessions();
    if (found.empty() || found[0].id() != id.value()) return Found();
    return Found(session_of(found[0]));
  });
}

Call<Status> AsyncClient::end_session(SessionId id) {
  api::ClientFrame frame;
  frame.mutable_end_session()->set_session(id.value());
  return read_call<Status>(impl_, std::move(frame), status_in);
}

}  // namespace quorate::client
