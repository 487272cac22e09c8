// A connection that speaks ZooKeeper's protocol, as the Replica keeps it.
//
// Its requests stand in one queue and are answered from the front, so that answers leave in the order of the
// requests (ZooKeeper's FIFO order). Writes are numbered and sent to the leader as soon as they come; a read
// is served when it reaches the front, which is within the apply step of the write before it: so it sees
// exactly that write, and none that its session asked for later. Others' requests hold nothing up. For the
// same reason no write is sent behind a sync, or a read, that the leader has still to confirm. (Only a client
// that does not read its answers, so that they wait for room, may be shown a later write of its own.)
//
// While there is no quorum, and if that is switched on, a client that asked for it gets a session that only
// this server knows, reads what this server has, and is refused everything else. The connection ends when
// there is a leader again, so that the client looks for a session that can do more.
//
// A write acknowledges every outcome before its own number: the only server that wants the outcomes is this
// one, which reads them off its own apply step, and over a lost connection nobody could ask for them again.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>

#include "base/ids.h"
#include "base/time.h"
#include "proto/zookeeper.h"
#include "server/client_message.h"

namespace quorate::server {

// Requests of one connection that wait, and pings; beyond, no more of them are read until some are answered.
inline constexpr size_t kZookeeperQueueMax = 4096;
// The same in bytes, as they came.
inline constexpr size_t kZookeeperQueueBytesMax = 4 << 20;

struct ZookeeperClient {
  enum class Phase : uint8_t { kConnecting, kOpen, kEnded };

  struct Waiting {
    zookeeper::Request request;
    Instant asked;
    // A read: nothing is in its way but the requests before it. Others: never.
    bool ready = false;
    std::optional<zookeeper::Reply> reply{};
    size_t bytes = 0;
  };

  Phase phase = Phase::kConnecting;
  ZookeeperConnect connect;
  uint32_t timeout_ms = 0;
  uint64_t next_number = 1;  // of the session's next write
  Instant last_sign{};       // when a sign of life was last sent on
  size_t pings = 0;          // that the leader was asked about; they stand in no queue
  bool held_back = false;    // no more is read from it for the moment
  // What it may ask for while there is no quorum; its session is this server's alone.
  bool read_only = false;
  // One exchange a connection: a challenge is answered once.
  enum class Sasl : uint8_t { kNone, kChallenged, kDone };
  Sasl sasl = Sasl::kNone;

  // Invariant: the request known to the rest of the replica as `front + i` is queue[i].
  std::deque<Waiting> queue;
  uint64_t front = 1;
  uint64_t next_start = 1;  // the first request that nothing was done about yet
  size_t queue_bytes = 0;
  size_t unconfirmed = 0;  // syncs, and reads, that the leader was asked about
  ZookeeperConnectionFigures figures;

  Waiting* find(uint64_t id) {
    return id >= front && id - front < queue.size() ? &queue[id - front] : nullptr;
  }
};

// Numbers of requests that stand in no queue.
inline constexpr uint64_t kZookeeperConnectId = 0;
inline constexpr uint64_t kZookeeperPingId = UINT64_MAX;  // the client asked
inline constexpr uint64_t kZookeeperSignId =
    UINT64_MAX - 1;  // it did something else, which shows that it lives
inline constexpr uint64_t kZookeeperCatchUpId = UINT64_MAX - 2;  // is the client really ahead of the cluster?

}  // namespace quorate::server
