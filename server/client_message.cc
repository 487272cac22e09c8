#include "server/client_message.h"

namespace quorate::server {

QUORATE_ONE_OF_MEMBERS(RequestBody)
QUORATE_ONE_OF_MEMBERS(ReplyBody)
QUORATE_ONE_OF_MEMBERS(MessageBody)

}  // namespace quorate::server
