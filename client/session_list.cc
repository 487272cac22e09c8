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

Call<Result<std::vector<SessionInfo>>> AsyncClient::session_list() {
  using Sessions = Result<std::vector<SessionInfo>>;
  api::ClientFrame frame;
  frame.mutable_session_list();
  const auto take = [](const api::Reply& page, api::ClientFrame& next, api::Reply& all) {
    all.mutable_sessions()->MergeFrom(page.sessions());
    next.mutable_session_list()->set_after(page.sessions().next());
    return page.sessions().next() != 0;
  };
  return pages_call<Sessions>(impl_, std::move(frame), take, [](Outcome& reply) -> Sessions {
    if (!reply.ok()) return reply.error();
    std::vector<SessionInfo> sessions;
    for (api::SessionInfo& session : *reply->mutable_sessions()->mutable_sessions())
      sessions.push_back(session_of(session));
    return sessions;
  });
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
