// Several operations, all or none of them, in one entry of the log:
//
//   Multi multi;
//   multi.check_held("/locks/a", token).set("/data/a", "new").remove("/data/b");
//   MultiResult done = client.run(multi);
//   if (!done.ok()) ... done.error, and what became of each operation in done.results
//
// Each operation sees what those before it did.
//
// Thread safety: plain values.
#pragma once

#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "client/quorate/types.h"

namespace quorate::client {

class Multi {
 public:
  Multi& create(std::string_view path, std::string_view data = {}, CreateOptions options = {});
  Multi& set(std::string_view path, std::string_view data, int32_t version = kAnyVersion);
  Multi& remove(std::string_view path, int32_t version = kAnyVersion);
  // With all that is below.
  Multi& remove_all(std::string_view path);
  Multi& set_acl(std::string_view path, Acl acl, int32_t version = kAnyVersion);
  // Conditions. The node is there, with this version.
  Multi& check(std::string_view path, int32_t version = kAnyVersion);
  Multi& check_absent(std::string_view path);
  // The lock is held with this token, by whoever.
  Multi& check_held(std::string_view path, Token token);

  struct Create {
    std::string path, data;
    CreateOptions options;
  };
  struct Set {
    std::string path, data;
    int32_t version = kAnyVersion;
  };
  struct Remove {
    std::string path;
    int32_t version = kAnyVersion;
    bool recursive = false;
  };
  struct SetAcl {
    std::string path;
    Acl acl;
    int32_t version = kAnyVersion;
  };
  struct Check {
    std::string path;
    int32_t version = kAnyVersion;
  };
  struct CheckAbsent {
    std::string path;
  };
  struct CheckHeld {
    std::string path;
    Token token;
  };
  using Operation = std::variant<Create, Set, Remove, SetAcl, Check, CheckAbsent, CheckHeld>;
  const std::vector<Operation>& operations() const { return operations_; }

 private:
  std::vector<Operation> operations_;
};

// What became of one operation. Of a multi that was refused: kOk before the operation that was refused, its
// own error, kNotAttempted behind it; nothing was done.
struct OperationResult {
  Error error;
  std::string path;  // the node made
  Stat stat;         // create, set, set_acl
};

struct MultiResult {
  Error error;  // of the first operation that was refused, or why the multi as a whole was not done
  std::vector<OperationResult> results;

  bool ok() const { return error.ok(); }
};

}  // namespace quorate::client
