// quorate-sim: runs the servers, their disks, their network and their clients in virtual time, breaks all of
// them on a schedule drawn from a seed, and checks what everybody saw. docs/simulator.md says what is
// simulated and what is checked.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>

#include "tests/sim/runner.h"

namespace {

constexpr const char* kUsage =
    "usage: quorate-sim [--first-seed A] [--seeds N] [--jobs J] [--seconds S] [--counts]   run many seeds\n"
    "       quorate-sim --seed N [--trace FILE] [--quiet]                                  replay one, with "
    "its trace\n"
    "       quorate-sim --link-graphs 3|5 [--first-seed A] [--count N | --seed N]          graphs of one-way "
    "links between servers\n"
    "       quorate-sim --plan N                                                           what a seed will "
    "be like\n";

struct Arguments {
  quorate::sim::RunnerOptions runner;
  bool one = false, quiet = false, plan = false;
  uint64_t seed = 0;
  std::string trace;
};

bool number(const char* text, uint64_t& out) {
  char* end = nullptr;
  out = std::strtoull(text, &end, 10);
  return *text >= '0' && *text <= '9' && *end == '\0';
}

bool parse(int argc, char** argv, Arguments& out) {
  for (int i = 1; i < argc; ++i) {
    const std::string flag = argv[i];
    if (flag == "--quiet" || flag == "--counts") {
      (flag == "--quiet" ? out.quiet : out.runner.counts) = true;
      continue;
    }
    if (i + 1 == argc) return false;
    const char* value = argv[++i];
    uint64_t n = 0;
    if (flag == "--trace") {
      out.trace = value;
      continue;
    }
    if (!number(value, n)) return false;
    if (flag == "--seed" || flag == "--plan") {
      (flag == "--seed" ? out.one : out.plan) = true;
      out.seed = n;
    } else if (flag == "--first-seed") {
      out.runner.first_seed = n;
    } else if (flag == "--link-graphs" && (n == 3 || n == 5)) {
      out.runner.link_graphs = static_cast<uint32_t>(n);
    } else if (flag == "--seeds" || flag == "--count") {
      out.runner.seeds = n;
    } else if (flag == "--jobs" && n > 0 && n < 1000) {
      out.runner.jobs = static_cast<unsigned>(n);
    } else if (flag == "--seconds") {
      out.runner.seconds_max = static_cast<double>(n);
    } else {
      return false;
    }
  }
  return true;
}

int replay(const Arguments& arguments) {
  std::FILE* file = arguments.quiet ? nullptr : stdout;
  if (!arguments.trace.empty()) {
    file = std::fopen(arguments.trace.c_str(), "w");
    if (file == nullptr) {
      std::fprintf(stderr, "quorate-sim: cannot write %s: %s\n", arguments.trace.c_str(),
                   std::strerror(errno));
      return 2;
    }
  }
  const quorate::sim::RunResult result =
      quorate::sim::run_seed(arguments.seed, quorate::sim::Trace(file), arguments.runner.link_graphs);
  if (!arguments.trace.empty()) std::fclose(file);
  std::printf("seed %llu: %s, trace hash %016llx\n", static_cast<unsigned long long>(arguments.seed),
              result.failure ? result.failure->c_str() : "passed",
              static_cast<unsigned long long>(result.trace_hash));
  return result.failure ? 1 : 0;
}

}  // namespace

int main(int argc, char** argv) {
  Arguments arguments;
  arguments.runner.jobs = std::max(1u, std::thread::hardware_concurrency());
  if (!parse(argc, argv, arguments)) {
    std::fprintf(stderr, "%s", kUsage);
    return 2;
  }
  if (arguments.plan) {
    std::printf("%s\n", quorate::sim::describe(quorate::sim::draw_plan(arguments.seed)).c_str());
    return 0;
  }
  if (arguments.one) return replay(arguments);
  return quorate::sim::run_seeds(arguments.runner, argv[0]);
}
