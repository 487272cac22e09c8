// An instance of a service is registered, and found by others.
//
//   service HOST:PORT,...
#include <quorate/service.h>

#include <iostream>

#include <arguments.h>

using namespace quorate::client;

int main(int argc, char** argv) {
  Client offers({.endpoints = endpoints(argc, argv)}), asks({.endpoints = endpoints(argc, argv)});
  Registry registry(offers), seen(asks);
  quorate::Result<Registration> here =
      registry.add({.name = "example", .address = "10.0.0.7", .port = 8080, .tags = {"fast"}});
  if (!here.ok()) return failed("the registration", here.error());

  ServiceCache cache(seen, "example");
  if (const quorate::Status known = cache.wait_until_seen(milliseconds(10'000)); !known.ok())
    return failed("the service", known.error());
  const std::optional<ServiceInstance> one = cache.pick(Pick::kWeighted, "fast");
  std::cout << "found: " << (one ? one->address + ":" + std::to_string(*one->port) : "none") << "\n";
  return one ? 0 : 1;
}
