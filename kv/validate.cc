#include <algorithm>
#include <vector>

#include "kv/acl.h"
#include "kv/command_view.h"
#include "kv/path.h"
#include "kv/place_mode.h"
#include "kv/text.h"

namespace quorate::kv {
namespace {

// "/" and the longest name that an acquire gives: 32 hexadecimal digits and "__lock__". The suffix comes on
// top.
constexpr size_t kQueueNameBytes = 1 + 32 + 8;

Status validate_data(std::string_view data) {
  if (data.size() <= kDataBytesMax) return {};
  return {ErrorCode::kTooLarge, "the data has " + std::to_string(data.size()) + " bytes; at most " +
                                    std::to_string(kDataBytesMax) + " are allowed"};
}

Status validate_address(const std::string& address) {
  if (address.empty()) return {};
  return validate_credential({std::string(kAddressScheme), address});
}

// An address comes with each attach, and "super" is not asked for.
Status validate_added(const OperationView& op) {
  if (op.scheme == kAddressScheme || op.scheme == kSuperScheme) {
    return {ErrorCode::kInvalidArgument, "a session cannot ask for a credential of scheme " +
                                             shown(op.scheme) +
                                             "; give a user and a password, by scheme digest"};
  }
  return validate_credential({std::string(op.scheme), std::string(op.id)});
}

Status validate_create(const OperationView& op) {
  if (op.ephemeral + op.container + op.ttl_ms.has_value() > 1) {
    return {ErrorCode::kInvalidArgument,
            "a node is ephemeral, a container or has a time to live; ask for one of these"};
  }
  if (op.container && op.sequential) {
    return {ErrorCode::kInvalidArgument, "a container cannot be sequential; give it a name of its own"};
  }
  if (op.ttl_ms && (*op.ttl_ms <= 0 || *op.ttl_ms > kTtlMsMax)) {
    return {ErrorCode::kInvalidTtl, "a time to live of " + std::to_string(*op.ttl_ms) +
                                        " ms; it must be from 1 to " + std::to_string(kTtlMsMax)};
  }
  return op.acl.empty() ? Status() : validate_acl(op.acl);
}

Status validate_place(const OperationView& op) {
  const PlaceMode& place = op.place;
  if (place.gone || (place.mode == Mode::kPermit) != (place.permits > 0) || place.permits > kPermitsMax) {
    return {ErrorCode::kInvalidArgument,
            "a semaphore has from 1 to " + std::to_string(kPermitsMax) + " permits, another lock none"};
  }
  if (place.delay_ms > kLockDelayMsMax) {
    return {ErrorCode::kInvalidArgument,
            "a lock's delay is at most " + std::to_string(kLockDelayMsMax) + " ms"};
  }
  if (read_place(op.data).marked) {
    return {ErrorCode::kInvalidArgument,
            "a name that reads as the data of a place in a lock's queue (quorate:...); take another"};
  }
  return validate_data(write_place(place, op.data));
}

Status validate_acquire(const OperationView& op) {
  if (op.path.size() + kQueueNameBytes + kSequenceDigits > kPathBytesMax) {
    return {ErrorCode::kTooLarge, "the lock's path leaves no room for its queue; at most " +
                                      std::to_string(kPathBytesMax - kQueueNameBytes - kSequenceDigits) +
                                      " bytes are allowed"};
  }
  return validate_place(op);
}

Status validate_many(const OperationView& many) {
  size_t bytes = 0;
  std::vector<std::string_view> paths;
  for (const OperationView& lock : many.operations) {
    bytes += lock.path.size();
    paths.push_back(lock.path);
  }
  if (paths.empty() || paths.size() > kLocksAtOnceMax || bytes > kLocksAtOnceBytesMax) {
    return {ErrorCode::kTooLarge, std::to_string(paths.size()) + " locks with " + std::to_string(bytes) +
                                      " bytes of paths; from 1 to " + std::to_string(kLocksAtOnceMax) +
                                      " with at most " + std::to_string(kLocksAtOnceBytesMax) +
                                      " can be acquired at once"};
  }
  std::sort(paths.begin(), paths.end());
  const auto twice = std::adjacent_find(paths.begin(), paths.end());
  if (twice == paths.end()) return {};
  return {ErrorCode::kInvalidArgument,
          "the lock " + shown(*twice) + " is named twice; it would wait for itself"};
}

Status validate_multi(const OperationView& multi) {
  if (multi.operations.size() > kMultiOperationsMax) {
    return {ErrorCode::kTooLarge, "the multi has " + std::to_string(multi.operations.size()) +
                                      " operations; at most " + std::to_string(kMultiOperationsMax) +
                                      " are allowed"};
  }
  size_t bytes = 0;
  for (const OperationView& op : multi.operations) bytes += op.path.size() + op.data.size();
  if (bytes <= kMultiBytesMax) return {};
  return {ErrorCode::kTooLarge, "the multi has " + std::to_string(bytes) +
                                    " bytes of paths and data; at most " + std::to_string(kMultiBytesMax) +
                                    " are allowed"};
}

}  // namespace

Status validate_operation(const OperationView& op) {
  if (op.kind == OperationKind::kCloseSession) return {};
  if (op.kind == OperationKind::kMulti) return validate_multi(op);
  if (op.kind == OperationKind::kAcquireMany) return validate_many(op);
  if (op.kind == OperationKind::kAddCredential) return validate_added(op);
  if (Status status = validate_path(op.path, op.sequential); !status.ok()) return status;
  if (Status status = validate_data(op.data); !status.ok()) return status;
  if (op.kind == OperationKind::kCreate) return validate_create(op);
  if (op.kind == OperationKind::kSetAcl) return validate_acl(op.acl);
  if (op.kind == OperationKind::kSetQuota) return validate_quota(op.limits);
  if (op.kind == OperationKind::kDelete && op.path == "/") {
    return {ErrorCode::kInvalidArgument, "the root cannot be deleted; name a node below it"};
  }
  if (op.kind == OperationKind::kAcquire) return validate_acquire(op);
  return {};
}

Status validate_numbers(uint64_t number, uint64_t acked_below) {
  if (number == 0) return {ErrorCode::kInvalidArgument, "requests are numbered from 1"};
  if (acked_below > number) {
    return {ErrorCode::kInvalidArgument, "a request cannot acknowledge its own outcome or a later one"};
  }
  return {};
}

Status validate(const Command& command) {
  if (const auto* open = std::get_if<OpenSession>(&command)) return validate_address(open->address);
  if (const auto* attach = std::get_if<AttachSession>(&command)) return validate_address(attach->address);
  const auto* request = std::get_if<SessionRequest>(&command);
  if (request == nullptr) return {};
  if (Status status = validate_numbers(request->number, request->acked_below); !status.ok()) return status;
  const OperationView operation = view_of(request->operation);
  if (Status status = validate_operation(operation); !status.ok()) return status;
  for (const OperationView& part : operation.operations) {
    if (Status status = validate_operation(part); !status.ok()) return status;
  }
  return {};
}

bool only_frees(const OperationView& op) {
  switch (op.kind) {
    case OperationKind::kDelete:
    case OperationKind::kRelease:
    case OperationKind::kBreak:
    case OperationKind::kCloseSession:
    case OperationKind::kCheck:
    case OperationKind::kCheckAbsent:
    case OperationKind::kCheckHeld:
      return true;
    case OperationKind::kMulti:
      return std::all_of(op.operations.begin(), op.operations.end(),
                         [](const OperationView& part) { return only_frees(part); });
    case OperationKind::kCreate:
    case OperationKind::kSet:
    case OperationKind::kAcquire:
    case OperationKind::kAcquireAs:
    case OperationKind::kSetNull:
    case OperationKind::kAcquireMany:
    case OperationKind::kUpgrade:
    case OperationKind::kDowngrade:
    case OperationKind::kSetAcl:
    case OperationKind::kSetQuota:
    case OperationKind::kAddCredential:
      break;
  }
  return false;
}

bool only_frees(const CommandView& command) {
  if (const auto* request = std::get_if<RequestView>(&command)) return only_frees(request->operation);
  return !std::holds_alternative<OpenSession>(command);
}

}  // namespace quorate::kv
