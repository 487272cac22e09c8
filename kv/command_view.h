// Commands as views into the bytes of an entry, so that apply copies nothing it does not keep. The only
// decoder there is: decode_command() is this and a copy.
//
// Thread safety: plain values; a view lives as long as the bytes it came from.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/codec.h"
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
  kCloseSession = 6,
  kSetAcl = 7,
  kMulti = 8,
  kCheck = 9,
  kCheckAbsent = 10,
  kCheckHeld = 11,
  kSetQuota = 12,
  kAddCredential = 13,
  kAcquireAs = 14,  // in bytes only: a kAcquire of another mode than the plain exclusive one
  kAcquireMany = 15,
  kUpgrade = 16,
  kDowngrade = 17,
  kBreak = 18,
  kSetNull = 19  // in bytes only: a kSet of a node that has no data then
};

// All operations in one; fields that an operation does not have keep their defaults.
struct OperationView {
  OperationKind kind = OperationKind::kCreate;
  std::string_view path;  // of a release, an upgrade and a downgrade: the node
  std::string_view data;
  bool ephemeral = false;
  bool sequential = false;
  bool parents = false;
  bool container = false;
  bool one_recipe = false;
  bool recursive = false;
  bool null_data = false;
  int32_t version = -1;
  Token token;
  PlaceMode place;
  bool wait = false;
  std::optional<int64_t> ttl_ms;
  Acl acl;
  QuotaLimits limits;
  std::string_view scheme, id;  // of a credential
  bool super = false;
  std::vector<OperationView> operations;  // of a multi; of an acquire of several locks
};

struct RequestView {
  SessionId session;
  uint32_t epoch = 0;
  uint64_t number = 0;
  uint64_t acked_below = 0;
  OperationView operation;
};

using CommandView = std::variant<OpenSession, AttachSession, ExpireSessions, ReapNodes, RequestView>;

// Errors: as decode_command().
Result<CommandView> decode_command_view(std::string_view bytes);

// The path that a command will look for first, without decoding the rest; "" where it has none, or several,
// or where the bytes are no command. A hint: nothing is promised of it.
std::string_view path_in(std::string_view command);

OperationView view_of(const Operation& operation);
Operation operation_of(const OperationView& view);

void append_operation(std::string& out, const OperationView& operation);
// Fails the reader for bytes that append_operation cannot have made.
OperationView read_operation(ByteReader& in);

// Whether it only makes room: deletes, releases, closes, and several of these at once; expiries, reaping, and
// taking over a session. What these ask for goes on when a limit is reached.
bool only_frees(const OperationView& operation);
bool only_frees(const CommandView& command);

// The part of validate() that is about an operation. Of a multi it looks at the limits of the whole; each of
// its operations has an error of its own (validate() looks at them, too).
Status validate_operation(const OperationView& operation);
// The part of validate() that is about a request's numbers.
Status validate_numbers(uint64_t number, uint64_t acked_below);

}  // namespace quorate::kv
