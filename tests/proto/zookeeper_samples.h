// Messages of ZooKeeper's protocol, drawn at random: every kind, with lists and strings of all sizes that
// make a difference, null and empty ones among them.
#pragma once

#include "base/random.h"
#include "proto/zookeeper.h"

namespace quorate::zookeeper::test {

Request random_request(Random& random);
// A reply to a request of that kind.
Reply random_reply(Random& random, OpCode op);
ConnectRequest random_connect_request(Random& random);
ConnectReply random_connect_reply(Random& random);
Event random_event(Random& random);

}  // namespace quorate::zookeeper::test
