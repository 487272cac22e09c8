// One of several leads, and all can see who.
//
//   election HOST:PORT,...
#include <quorate/election.h>

#include <iostream>
#include <optional>
#include <thread>

#include <arguments.h>

using namespace quorate::client;

int main(int argc, char** argv) {
  Client here({.endpoints = endpoints(argc, argv)}), there({.endpoints = endpoints(argc, argv)});
  Election election(here, "/example/leader"), seen_from_there(there, "/example/leader");

  quorate::Result<Leadership> leading = election.campaign("10.0.0.7:9000");
  if (!leading.ok()) return failed("the campaign", leading.error());
  const auto leader = seen_from_there.leader();
  if (!leader.ok()) return failed("the leader", leader.error());
  std::cout << "leads: " << (*leader)->value << ", token " << (*leader)->token << "\n";

  std::thread next([&] {
    const auto second = seen_from_there.campaign("10.0.0.8:9000", milliseconds(10'000));
    std::cout << (second.ok() ? "and then: 10.0.0.8:9000\n" : second.error().message + "\n");
  });
  leading->release();
  next.join();
  return 0;
}
