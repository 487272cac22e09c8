#include "tests/sim/runner.h"

#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cinttypes>
#include <cstdio>
#include <vector>

#include "base/check.h"
#include "tests/sim/fiber.h"
#include "tests/sim/link_graphs.h"

namespace quorate::sim {
namespace {

uint64_t g_seed = 0;
const char* g_program = "quorate-sim";

void say_failure(uint64_t seed, const std::string& what, uint32_t link_graphs) {
  const std::string mode = link_graphs > 0 ? " --link-graphs " + std::to_string(link_graphs) : "";
  std::printf("seed %" PRIu64 " failed: %s\n  replay: %s%s --seed %" PRIu64 "\n", seed, what.c_str(),
              g_program, mode.c_str(), seed);
  std::fflush(stdout);
}

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

void print_counts(uint64_t seed, const Statistics& s) {
  std::printf("seed %" PRIu64 ": %" PRIu64 " operations (%" PRIu64 " unknown), %" PRIu64
              " leader changes (%" PRIu64 " in flight), %" PRIu64 " grants, %" PRIu64
              " watch events, %" PRIu64 " entries, %" PRIu64 " steps\n",
              seed, s.operations_ok + s.operations_refused, s.operations_unknown, s.leader_changes,
              s.leader_changes_in_flight, s.lock_grants, s.watch_events, s.entries_committed, s.steps);
}

// What a worker sends when it is done: its failures, then its counts.
struct WorkerReport {
  uint64_t failures = 0;
  Statistics statistics;
};

WorkerReport work(const RunnerOptions& options, unsigned job, std::chrono::steady_clock::time_point start) {
  WorkerReport report;
  for (uint64_t i = job; i < options.seeds; i += options.jobs) {
    if (options.seconds_max > 0 && seconds_since(start) > options.seconds_max) break;
    const uint64_t seed = options.first_seed + i;
    const RunResult result = run_seed(seed, Trace(), options.link_graphs);
    report.statistics.add(result.statistics);
    if (options.counts) print_counts(seed, result.statistics);
    if (!result.failure) continue;
    ++report.failures;
    say_failure(seed, *result.failure, options.link_graphs);
  }
  return report;
}

}  // namespace

void fail_run(const std::string& what) {
  if (Fiber* const fiber = Fiber::current()) fiber->fail(what);
  throw Violation(what);
}

RunResult run_seed(uint64_t seed, Trace trace, uint32_t link_graphs) {
  g_seed = seed;
  set_check_failure_hook(fail_run);
  try {
    return link_graphs > 0 ? run_link_graph(link_graphs, seed, trace) : World(seed, trace).run();
  } catch (const std::exception& thrown) {
    RunResult result;
    result.failure = thrown.what();
    result.statistics.seeds = 1;
    return result;
  }
}

int run_seeds(const RunnerOptions& options, const char* program) {
  g_program = program;
  const auto start = std::chrono::steady_clock::now();
  std::fflush(stdout);
  struct Worker {
    pid_t pid;
    int from;
  };
  std::vector<Worker> workers;
  for (unsigned job = 0; job < options.jobs; ++job) {
    int ends[2];
    if (pipe(ends) != 0) return 2;
    const pid_t pid = fork();
    if (pid < 0) return 2;
    if (pid == 0) {
      close(ends[0]);
      const WorkerReport report = work(options, job, start);
      std::fflush(stdout);
      const bool sent = write(ends[1], &report, sizeof(report)) == static_cast<ssize_t>(sizeof(report));
      _exit(sent ? 0 : 1);
    }
    close(ends[1]);
    workers.push_back({pid, ends[0]});
  }
  WorkerReport all;
  bool died = false;
  for (const Worker& worker : workers) {
    WorkerReport report;
    const bool told = read(worker.from, &report, sizeof(report)) == static_cast<ssize_t>(sizeof(report));
    int status = 0;
    waitpid(worker.pid, &status, 0);
    close(worker.from);
    if (!told || status != 0) {
      died = true;
      std::printf("a worker process died; it had printed its seed if a rule was broken\n");
      continue;
    }
    all.failures += report.failures;
    all.statistics.add(report.statistics);
  }
  std::printf("%s", report(all.statistics, seconds_since(start), options.jobs).c_str());
  std::printf("%" PRIu64 " of %" PRIu64 " seeds failed\n", all.failures, all.statistics.seeds);
  return all.failures == 0 && !died ? 0 : 1;
}

}  // namespace quorate::sim
