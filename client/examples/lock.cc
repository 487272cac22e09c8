// A lock, its fencing token, and a write that is done only while it is held.
//
//   lock HOST:PORT,...
#include <quorate/client.h>

#include <iostream>

#include <arguments.h>

using namespace quorate::client;

int main(int argc, char** argv) {
  Client client({.endpoints = endpoints(argc, argv), .name = "example"});

  quorate::Result<Lock> lock = client.acquire("/example/jobs/nightly", {.wait = milliseconds(10'000)});
  if (!lock.ok()) return failed("the lock", lock.error());
  lock->on_lost([] { std::cerr << "the lock is lost: stop what you do\n"; });
  std::cout << "held with token " << lock->token() << "\n";

  // What is outside is given the token with every write. What is in Quorate is written under a condition.
  (void)client.create("/example/result", "none");
  Multi multi;
  multi.check_held(lock->path(), lock->token()).set("/example/result", "done");
  if (const MultiResult done = client.run(multi); !done.ok()) return failed("the write", done.error);

  if (const quorate::Status released = lock->release(); !released.ok())
    return failed("the release", released.error());
  if (client.run(multi).error.code != quorate::ErrorCode::kNotHolder) {
    std::cerr << "a write with an old token was not refused\n";
    return 1;
  }
  std::cout << "released; a write with the old token is refused\n";
  return 0;
}
