// How recipes take away what a guard of theirs stands for. Not public.
#pragma once

#include <string>

#include "client/quorate/async.h"
#include "client/quorate/client.h"

namespace quorate::client {

// Removes the node, and forgets the client where it is gone, or goes by itself: with what was sent, or with
// the session. Else nothing was done, and who asks again gets an answer.
inline Status remove_own(Client*& client, const std::string& node) {
  const Status removed = client->remove(node);
  switch (removed.code()) {
    case ErrorCode::kOk:
    case ErrorCode::kNoNode:
    case ErrorCode::kOutcomeUnknown:
    case ErrorCode::kSessionExpired:
    case ErrorCode::kShuttingDown:
      client = nullptr;
      break;
    default:
      break;
  }
  return removed;
}

// For destructors: one that runs in a callback of the client's may not wait, so the removal is begun alone.
inline void give_up_own(Client*& client, const std::string& node) {
  if (client == nullptr) return;
  if (remove_own(client, node).code() == ErrorCode::kInvalidArgument)
    client->async().remove(node).begin([](const Status&) {});
  client = nullptr;
}

}  // namespace quorate::client
