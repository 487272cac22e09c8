// The load generator: a closed loop over N connections with K requests outstanding on each, from one epoll
// loop.
//
// A connection behaves as a client of its own: it reads what is there, answers each finished request with the
// next one at once, and sends all of them in one write. Nothing is batched across connections. An operation's
// time runs from the moment its request is handed to its connection's write until its answer has been read; a
// lock's operation is a pair, acquire and release.
//
// Thread safety: none; a run owns its connections and blocks its caller.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "client/bench/conversation.h"
#include "client/bench/histogram.h"
#include "client/bench/net.h"

namespace quorate::bench {

enum class Work : uint8_t {
  kPrepare,  // creates every key once; ends by itself
  kSweep,    // sets one key after the other, in an order that leaps about
  kSet,
  kGet,
  kMixed,  // 90 % get, 10 % set
  kLock,   // acquire and release one of kKeys locks, counted as a pair
  // All wait for the first lock, and whoever has it gives it back at once: from the moment in which one
  // client knows that it holds to that of the next.
  kHandOver,
};
std::string_view work_name(Work work);

// How `clients` of the command line become connections: up to 256 with one request outstanding each, beyond
// that 64 connections that share them.
struct Shape {
  uint32_t connections = 1;
  uint32_t outstanding = 1;  // on each; at most 64
};
Shape shape_of(uint32_t clients);

struct LoadOptions {
  Connector connect;
  ConversationFactory conversation;
  Shape shape;
  Work work = Work::kSet;
  Duration warm_up{};
  Duration measure{};  // longer if no operation was finished by then
  uint64_t seed = 1;
  uint32_t keys = kKeys;
  // Operations begun a second, over all connections, a few in each millisecond; 0: each connection begins the
  // next when one is done. An operation's time then runs from the millisecond in which it was due, whether or
  // not there was a connection free to carry it; what was due before the end is waited for.
  double rate = 0;
  // The load ends when this is true, too.
  const std::atomic<bool>* stop = nullptr;
  bool keeps_samples = false;
};

struct Sample {
  uint64_t started_ns = 0;
  uint64_t took_ns = 0;
};

struct LoadResult {
  uint64_t operations = 0;  // finished within the measured time; with a given rate those due in it
  double seconds = 0;
  Histogram latency;
  std::vector<Sample> samples;  // of the operations in `latency`, if they are kept
  double rate() const { return seconds > 0 ? static_cast<double>(operations) / seconds : 0; }
};

// Errors: kIo for a connection that cannot be made; kUnavailable for one that breaks; kTimeout when no answer
// comes for 10 s; and the server's own code with its sentence when it refuses a request (a refusal ends the
// run: figures with refusals in them are not comparable).
Result<LoadResult> run_load(const LoadOptions& options);

}  // namespace quorate::bench
