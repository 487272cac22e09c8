#include "base/error.h"

namespace quorate {

std::string_view error_name(ErrorCode code) {
  switch (code) {
    case ErrorCode::kOk: return "ok";
    case ErrorCode::kNoNode: return "no-node";
    case ErrorCode::kNodeExists: return "node-exists";
    case ErrorCode::kBadVersion: return "bad-version";
    case ErrorCode::kNotEmpty: return "not-empty";
    case ErrorCode::kNoChildrenForEphemerals: return "no-children-for-ephemerals";
    case ErrorCode::kBadPath: return "bad-path";
    case ErrorCode::kTooLarge: return "too-large";
    case ErrorCode::kNotHolder: return "not-holder";
    case ErrorCode::kBadQueue: return "bad-queue";
    case ErrorCode::kInvalidArgument: return "invalid-argument";
    case ErrorCode::kHistoryGone: return "history-gone";
    case ErrorCode::kTooManyNodes: return "too-many-nodes";
    case ErrorCode::kNotAttempted: return "not-attempted";
    case ErrorCode::kInvalidTtl: return "invalid-ttl";
    case ErrorCode::kSequenceExhausted: return "sequence-exhausted";
    case ErrorCode::kSnapshotGone: return "snapshot-gone";
    case ErrorCode::kSessionExpired: return "session-expired";
    case ErrorCode::kSessionMoved: return "session-moved";
    case ErrorCode::kBadCredentials: return "bad-credentials";
    case ErrorCode::kRequestGap: return "request-gap";
    case ErrorCode::kRequestForgotten: return "request-forgotten";
    case ErrorCode::kTooManyResults: return "too-many-results";
    case ErrorCode::kSessionRequired: return "session-required";
    case ErrorCode::kNoQuorum: return "no-quorum";
    case ErrorCode::kNotLeader: return "not-leader";
    case ErrorCode::kOverloaded: return "overloaded";
    case ErrorCode::kOutcomeUnknown: return "outcome-unknown";
    case ErrorCode::kTimeout: return "timeout";
    case ErrorCode::kUnavailable: return "unavailable";
    case ErrorCode::kShuttingDown: return "shutting-down";
    case ErrorCode::kNotMember: return "not-member";
    case ErrorCode::kUnsupported: return "unsupported";
    case ErrorCode::kIo: return "io";
    case ErrorCode::kNoSpace: return "no-space";
    case ErrorCode::kCorruption: return "corruption";
    case ErrorCode::kWrongCluster: return "wrong-cluster";
    case ErrorCode::kWrongServer: return "wrong-server";
    case ErrorCode::kInUse: return "in-use";
    case ErrorCode::kBadConfiguration: return "bad-configuration";
    case ErrorCode::kMalformed: return "malformed";
    case ErrorCode::kDenied: return "denied";
    case ErrorCode::kInvalidAcl: return "invalid-acl";
    case ErrorCode::kQuotaExceeded: return "quota-exceeded";
    case ErrorCode::kLimitReached: return "limit-reached";
  }
  return "unknown";
}

}  // namespace quorate
