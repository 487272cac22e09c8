// The same random session histories against two servers of ZooKeeper's protocol: replies, Stats, errors and
// events must be the same. differential.py starts the two, ZooKeeper itself on the left.
//
//   zookeeper_differential LEFT_PORTS RIGHT_PORTS SEED OPERATIONS [local | linearizable]
//
// Ports are separated by commas: several are servers of one cluster, between which the clients move; where
// the reads of the right are linearizable, no client asks for a sync when it was somebody else who asked
// last. Says what differed, with the requests before it, and a table of how often each operation was answered
// how. The exit code is 1 if anything differed, or if an answer came so seldom that it shows little.
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "tests/zookeeper/differential/run.h"

namespace {

// Each kind of answer comes once in so many operations at least.
constexpr uint64_t kOperationsForEach = 1'000;

std::vector<uint16_t> ports_of(const char* text) {
  std::vector<uint16_t> ports;
  for (char* end = nullptr; *text != '\0'; text = *end == ',' ? end + 1 : end) {
    ports.push_back(static_cast<uint16_t>(std::strtoul(text, &end, 10)));
    if (end == text) break;
  }
  return ports;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view reads = argc == 6 ? argv[5] : "local";
  if (argc < 5 || argc > 6 || (reads != "local" && reads != "linearizable")) {
    std::fprintf(
        stderr,
        "usage: zookeeper_differential LEFT_PORTS RIGHT_PORTS SEED OPERATIONS [local | linearizable]\n");
    return 2;
  }
  const uint64_t operations = std::strtoull(argv[4], nullptr, 10);
  const size_t often = operations / kOperationsForEach;
  quorate::differential::Run run(ports_of(argv[1]), ports_of(argv[2]), std::strtoull(argv[3], nullptr, 10),
                                 reads == "linearizable");
  const size_t differences = run(operations, often);
  run.answers().print();
  const size_t rare = run.answers().rare(often);
  std::printf("%zu kinds of answers, %zu of them fewer than %zu times\n", run.answers().kinds(), rare, often);
  std::printf("%zu differences that are meant\n%zu differences\n", run.explained(), differences);
  return differences == 0 && rare == 0 ? 0 : 1;
}
