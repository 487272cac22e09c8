#include "raft/message.h"

namespace quorate::raft {

QUORATE_ONE_OF_MEMBERS(Body)

}  // namespace quorate::raft
