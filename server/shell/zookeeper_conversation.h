// ZooKeeper's protocol on one connection: its first frame is a connect request, all others are requests. The
// bytes are proto/zookeeper_codec.h's.
//
// Thread safety: none.
#pragma once

#include <memory>

#include "server/shell/conversation.h"

namespace quorate::server {

std::unique_ptr<Conversation> zookeeper_conversation(const ConversationOptions& options);

}  // namespace quorate::server
