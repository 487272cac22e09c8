#include "tests/fuzz/command_seeds.h"

#include "kv/command.h"

namespace quorate::fuzz {

std::vector<std::string> command_seeds() {
  using namespace kv;
  const Origin origin{ServerId(2), BootNonce(77), 5};
  const SessionPassword password{1, 2, 3};
  std::vector<Command> commands = {
      OpenSession{origin, 10'000, password}, AttachSession{origin, SessionId(9), password, {}, 2},
      ExpireSessions{{SessionId(9), SessionId(11)}}, ReapNodes{{"/ttl", "/box"}}};
  CreateOp aging{"/ttl", "data"};
  aging.ttl_ms = 60'000;
  aging.acl = {{kAllPermissions, "world", "anyone"}, {1, "ip", "10.0.0.0/8"}};
  CreateOp container{"/box", ""};
  container.container = true;
  DeleteOp subtree{"/a", -1};
  subtree.recursive = true;
  const MultiOp several{{container, SetOp{"/box", "x", 0}, CheckOp{"/box", 1}, CheckAbsentOp{"/none"},
                         CheckHeldOp{"/lock", Token(3)}, subtree, SetAclOp{"/box", aging.acl, -1}}};
  const std::vector<Operation> operations = {
      CreateOp{"/a/b", "data", true, true, true},
      SetOp{"/a", "data", 3},
      DeleteOp{"/a/b", -1},
      AcquireOp{"/lock", "me"},
      AcquireOp{"/lock", "me", {Mode::kShared}},
      AcquireOp{"/lock", "me", {Mode::kPermit, 3, 5'000}},
      AcquireManyOp{{{"/a", "me"}, {"/b", "me", {Mode::kShared}}}, true},
      UpgradeOp{"/lock/lock-0000000001"},
      DowngradeOp{"/lock/lock-0000000001"},
      BreakOp{"/lock", Token(3)},
      ReleaseOp{"/lock/lock-0000000001"},
      CloseSessionOp{},
      aging,
      subtree,
      SetAclOp{"/a", aging.acl, 0},
      several,
      SetQuotaOp{"/a", {}},
      AddCredentialOp{{"digest", "me:secret"}, false}};
  uint64_t number = 0;
  for (const Operation& operation : operations) {
    ++number;
    commands.push_back(SessionRequest{SessionId(9), 1, number, number, operation});
  }
  std::vector<std::string> seeds;
  for (const Command& command : commands) seeds.push_back(encode_command(command));
  return seeds;
}

}  // namespace quorate::fuzz
