#include "tests/fuzz/command_seeds.h"

#include "kv/command.h"

namespace quorate::fuzz {

std::vector<std::string> command_seeds() {
  using namespace kv;
  const Origin origin{ServerId(2), BootNonce(77), 5};
  const SessionPassword password{1, 2, 3};
  std::vector<Command> commands = {OpenSession{origin, 10'000, password},
                                   AttachSession{origin, SessionId(9), password},
                                   ExpireSessions{{SessionId(9), SessionId(11)}}};
  const std::vector<Operation> operations = {CreateOp{"/a/b", "data", true, true, true},
                                             SetOp{"/a", "data", 3},
                                             DeleteOp{"/a/b", -1},
                                             AcquireOp{"/lock", "me"},
                                             ReleaseOp{"/lock/lock-0000000001"},
                                             CloseSessionOp{}};
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
