// Who has a session, for people who look after the cluster.
#include <algorithm>
#include <utility>

#include "server/replica_impl.h"

namespace quorate::server {
namespace {

constexpr size_t kSessionsMax = 1'000;
// What a session takes in an answer beside its paths.
constexpr size_t kSessionBytes = 64;

// Who a session is said to be: of a digest the user alone.
kv::Credentials without_secrets(kv::Credentials credentials) {
  for (kv::Credential& credential : credentials)
    if (credential.scheme == "digest") credential.id = credential.id.substr(0, credential.id.find(':'));
  return credentials;
}

}  // namespace

// That a session is there and what nodes it owns may be known to everybody, as stat says it. Who it is may
// not.
void Replica::Impl::serve_sessions(const WaitingRead& read, const SessionListRequest& request) {
  const bool super = kv::is_super(state.credentials(read.session));
  SessionListReply list;
  size_t bytes = 0;
  const size_t max = std::clamp<size_t>(request.max, 1, kSessionsMax);
  looked_at += state.session_count();
  // One more than asked for shows whether there is a next page.
  for (const kv::SessionView& session : state.sessions(request.after, max + 1)) {
    if (list.sessions.size() >= max || bytes >= options.reply_bytes_max) {
      list.next = list.sessions.back().id;
      break;
    }
    SessionInfo& info = list.sessions.emplace_back();
    info.id = session.id;
    info.timeout_ms = session.timeout_ms;
    info.ephemerals = session.ephemerals;
    bytes += kSessionBytes;
    if (super || session.id == read.session) info.who = without_secrets(state.credentials(session.id));
    if (!request.paths) continue;
    looked_at += session.ephemerals;
    for (std::string& path : state.ephemerals(session.id)) {
      if (bytes >= options.reply_bytes_max) break;
      bytes += path.size();
      info.paths.push_back(std::move(path));
    }
  }
  count_reply(connections.at(read.asker.connection), bytes);
  reply(read.asker, std::move(list));
}

// Through the clocks, so that it is decided where and as an expiry is: a lock's delay is kept, and the client
// is told.
void Replica::Impl::end_session(const WaitingRead& read, SessionId session) {
  if (!kv::is_super(state.credentials(read.session))) {
    return refuse(
        read.asker, ErrorCode::kDenied,
        "only a super user may close the session of another: start the servers with --super-digest, "
        "and give its user and password (--credentials FILE)");
  }
  if (!leads()) {
    return refuse(read.asker, ErrorCode::kNotLeader,
                  "sessions are closed by the leader: name all servers in --endpoints");
  }
  if (!state.session(session)) return reply(read.asker, std::monostate());
  endings[session].push_back(read.asker);
  clocks.end(session, now.instant);
}

void Replica::Impl::settle_endings(SessionId session) {
  const auto at = endings.find(session);
  if (at == endings.end()) return;
  for (const Asker& asker : at->second) reply(asker, std::monostate());
  endings.erase(at);
}

}  // namespace quorate::server
