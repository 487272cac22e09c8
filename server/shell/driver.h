// The server's one loop: it drains what is ready, steps the Replica with each input, sends to the peers,
// writes and syncs the log in place, hands "durable" back in, and flushes the answers of clients, one write
// for each connection. Checkpoints are written by a thread beside it (store_thread.h).
//
// Why the log is synced in place: with two cores the hand-over to a thread costs more than it hides. Measured
// with a thread for syncs that keep 16 requests or more waiting, all inputs taken in meanwhile: 64 clients
// made 17 % more writes, 256 made 6 % fewer, and the p99 at half load went from 2.3 to 3.5 ms.
//
// Thread safety: none. Everything else runs on the thread that calls run().
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/ids.h"
#include "base/result.h"
#include "base/time.h"
#include "server/replica.h"
#include "server/shell/client_listener.h"
#include "server/shell/peer_transport.h"
#include "server/storage/state_folder.h"
#include "server/storage/wal.h"

namespace quorate::server {

struct DriverOptions {
  ReplicaOptions replica;
  uint64_t seed = 0;
  // Where this server's clients reach it, as told to peers and in status replies.
  std::string client_address;
  // The recovered cluster; 0 when there is no log.
  ClusterId cluster;

  // Above these a line in the log says how long it took.
  Duration slow_sync = std::chrono::milliseconds(50);
  Duration slow_step = std::chrono::milliseconds(20);
  // A clean shutdown that takes longer is cut short.
  Duration stop_timeout = std::chrono::seconds(2);
  // While the disk is full, a sync or a checkpoint is tried again this often.
  Duration no_space_retry = std::chrono::seconds(1);
};

class Driver {
 public:
  // Makes the log when the cluster is formed.
  using CreateLog = std::function<Result<std::unique_ptr<Wal>>(ClusterId)>;

  // Told when the founding entry is durable, before anybody else.
  using Founded = std::function<Status(ClusterId)>;

  // `peers` and `clients` are bound and not started; they outlive the driver. `wal` is null when there is no
  // log yet.
  Driver(boost::asio::io_context& loop, DriverOptions options, ReplicaRecovered recovered,
         std::unique_ptr<Wal> wal, std::unique_ptr<StateFolder> state, CreateLog create_log, Founded founded,
         PeerTransport& peers, ClientListener& clients);
  ~Driver();

  // Until stop() has done its work or the log failed. The exit code: 0, or 1 after a failure (which was
  // logged).
  int run();
  // One turn of the loop: waits for something to be ready, handles it. False when run() would return.
  bool run_once();
  // Clean shutdown, as for SIGTERM: hands leadership over first.
  void stop();

  const Replica& replica() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace quorate::server
