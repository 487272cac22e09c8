// downgraded_lock HOST:PORT PATH: holds the lock, lets others share it from then on, writes its node, and
// gives it back at the end of standard input. For the test of kazoo behind it.
#include <iostream>

#include "client/quorate/client.h"

using namespace quorate::client;

int main(int argc, char** argv) {
  if (argc != 3) {
    std::cerr << "usage: downgraded_lock HOST:PORT PATH\n";
    return 2;
  }
  Client client({.endpoints = {argv[1]}});
  auto lock = client.acquire(argv[2]);
  if (!lock.ok()) {
    std::cerr << lock.error().message << "\n";
    return 1;
  }
  auto shared = lock->downgrade();
  if (!shared.ok()) {
    std::cerr << shared.error().message << "\n";
    return 1;
  }
  std::cout << shared->node() << std::endl;
  while (std::cin.get() != std::istream::traits_type::eof()) {
  }
  return shared->release().ok() ? 0 : 1;
}
