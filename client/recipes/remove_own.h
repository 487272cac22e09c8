// How recipes take away what a guard of theirs stands for. Not public.
#pragma once

#include <string>

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

}  // namespace quorate::client
