// Errors are values: a code that programs act on and a sentence that tells a person what to do.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace quorate {

// Codes are part of the log, of stored results and of the client protocol: never renumber one.
enum class ErrorCode : uint16_t {
  kOk = 0,

  // The answer is no. Nothing was changed.
  kNoNode = 1,
  kNodeExists = 2,
  kBadVersion = 3,
  kNotEmpty = 4,
  kNoChildrenForEphemerals = 5,
  kBadPath = 6,
  kTooLarge = 7,
  kNotHolder = 8,  // the lock is held by somebody else, or by nobody
  kBadQueue = 9,   // the path cannot be used as a lock: data, other children, or two dialects
  kInvalidArgument = 10,
  kHistoryGone = 11,  // the history does not reach back so far: read the state again

  kTooManyNodes = 12,  // a recursive delete, or missing parents made, beyond the limit: do it in parts
  kNotAttempted = 13,  // within a multi: an operation before it was refused
  kInvalidTtl = 14,
  kSequenceExhausted = 15,  // the parent's counter has used up its ten digits: use another parent
  kSnapshotGone = 16,       // the server has no such snapshot (any more): begin it anew
  kContended = 17,          // others hold the lock, or wait for it

  // Sessions and numbered requests.
  kSessionExpired = 20,    // no such session (any more)
  kSessionMoved = 21,      // a newer connection has attached to the session
  kBadCredentials = 22,    // wrong session password
  kRequestGap = 23,        // a lower number of this session has not been applied yet: send that one first
  kRequestForgotten = 24,  // below the session's acknowledged floor
  kTooManyResults = 25,    // unacknowledged results at their limit: acknowledge some
  kSessionRequired = 26,   // the connection has not opened or attached to a session

  // The service. Nothing was changed unless it says so.
  kNoQuorum = 40,  // no leader could be confirmed in time
  kNotLeader = 41,
  kOverloaded = 42,      // a limit was reached; not applied; try again
  kOutcomeUnknown = 43,  // it may or may not have been applied
  kTimeout = 44,
  kUnavailable = 45,  // no server reachable
  kShuttingDown = 46,
  kNotMember = 47,  // this server is not part of the cluster (yet)
  kUnsupported = 48,

  // Configuration, files, wires.
  kIo = 60,
  kNoSpace = 61,
  kCorruption = 62,
  kWrongCluster = 63,
  kWrongServer = 64,
  kInUse = 65,
  kBadConfiguration = 66,
  kMalformed = 67,  // bytes that do not parse

  // Permissions and limits. Nothing was changed.
  kDenied = 80,  // the node's ACL gives this session no such permission
  kInvalidAcl = 81,
  kQuotaExceeded = 82,  // a hard quota of a subtree, named in the message
  kLimitReached = 83,   // a limit of the whole service, named in the message: make room first
};

// A short stable name, for example "no-node": what --json prints and logs carry.
std::string_view error_name(ErrorCode code);

struct [[nodiscard]] Error {
  ErrorCode code = ErrorCode::kOk;
  std::string message;

  bool ok() const { return code == ErrorCode::kOk; }
};

}  // namespace quorate
