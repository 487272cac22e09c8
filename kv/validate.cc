#include "kv/acl.h"
#include "kv/command_view.h"
#include "kv/path.h"

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

}  // namespace

Status validate_operation(const OperationView& op) {
  if (op.kind == OperationKind::kCloseSession) return {};
  if (Status status = validate_path(op.path, op.sequential); !status.ok()) return status;
  if (Status status = validate_data(op.data); !status.ok()) return status;
  if (op.kind == OperationKind::kDelete && op.path == "/") {
    return {ErrorCode::kInvalidArgument, "the root cannot be deleted; name a node below it"};
  }
  if (op.kind == OperationKind::kAcquire &&
      op.path.size() + kQueueNameBytes + kSequenceDigits > kPathBytesMax) {
    return {ErrorCode::kTooLarge, "the lock's path leaves no room for its queue; at most " +
                                      std::to_string(kPathBytesMax - kQueueNameBytes - kSequenceDigits) +
                                      " bytes are allowed"};
  }
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
  return validate_operation(view_of(request->operation));
}

}  // namespace quorate::kv
