#include "server/peer_message.h"

namespace quorate::server {

QUORATE_ONE_OF_MEMBERS(PeerBody)

}  // namespace quorate::server
