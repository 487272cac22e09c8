// Commands as views into the bytes of an entry, so that apply copies nothing it does not keep. The only
// decoder there is: decode_command() is this and a copy.
//
// Thread safety: plain values; a view lives as long as the bytes it came from.
#pragma once

#include <cstdint>
#include <string_view>
#include <variant>

#include "base/result.h"
#include "kv/command.h"

namespace quorate::kv {

// The values are part of the log's format: never renumber one.
enum class OperationKind : uint8_t {
  kCreate = 1,
  kSet = 2,
  kDelete = 3,
  kAcquire = 4,
  kRelease = 5,
  kCloseSession = 6
};

// All operations in one; fields that an operation does not have keep their defaults.
struct OperationView {
  OperationKind kind = OperationKind::kCreate;
  std::string_view path;  // of a release: its node
  std::string_view data;
  bool ephemeral = false;
  bool sequential = false;
  bool parents = false;
  int32_t version = -1;
};

struct RequestView {
  SessionId session;
  uint32_t epoch = 0;
  uint64_t number = 0;
  uint64_t acked_below = 0;
  OperationView operation;
};

using CommandView = std::variant<OpenSession, AttachSession, ExpireSessions, RequestView>;

// Errors: as decode_command().
Result<CommandView> decode_command_view(std::string_view bytes);

OperationView view_of(const Operation& operation);
// The part of validate() that is about an operation.
Status validate_operation(const OperationView& operation);
// The part of validate() that is about a request's numbers.
Status validate_numbers(uint64_t number, uint64_t acked_below);

}  // namespace quorate::kv
