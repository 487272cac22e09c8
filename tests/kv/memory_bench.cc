// What a large tree takes in memory, and how long it takes to load from its records.
//
//   memory-bench [NODES]    default 1,000,000: paths of 40 bytes, 100 bytes of data, 1,000 parents
//
// The tree is loaded in a process that did nothing before, as a restarted server's.
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <string>

#include "base/checksum.h"
#include "base/codec.h"
#include "tests/kv/bench.h"
#include "tests/kv/checkpoints.h"
#include "tests/kv/machine.h"

namespace quorate::kv {
namespace {

constexpr size_t kDataBytes = 100;
constexpr double kMegabyte = 1e6;

// Of this process on its core, so that others on the machine do not count.
double seconds_since(std::clock_t begin) {
  return static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC;
}

void run(Machine& machine, SessionId session, Operation operation) {
  const Outcome outcome = machine.run(session, std::move(operation));
  if (outcome.code == ErrorCode::kOk) return;
  std::fprintf(stderr, "%s\n", outcome.message.c_str());
  std::exit(1);
}

// A capture in slices, as a server makes it; returns how many bytes, and prints the slowest slice.
size_t capture(Machine& machine, Store& store) {
  size_t bytes = 0;
  double slowest = 0;
  const auto begin = std::clock();
  machine.state.begin_capture();
  double taken = seconds_since(begin);
  slowest = taken;
  for (bool complete = false; !complete;) {
    RecordList records;
    const auto slice = std::clock();
    complete = machine.state.capture(64 << 10, records);
    const double of_slice = seconds_since(slice);
    taken += of_slice;
    slowest = std::max(slowest, of_slice);
    for (const RecordView& record : records)
      bytes += record.key.size() + (record.value ? record.value->size() : 0);
    write(store, records);
  }
  std::printf("%-34s %9.3f s in all, the slowest slice of 64 kB %.3f ms\n", "  taken", taken, slowest * 1e3);
  return bytes;
}

std::string read_all(int descriptor) {
  std::string all;
  std::string part(1 << 20, '\0');
  for (ssize_t size = 0; (size = read(descriptor, part.data(), part.size())) > 0;)
    all.append(part, 0, static_cast<size_t>(size));
  return all;
}

void measure_load(const std::string& records) {
  const size_t before = resident_bytes();
  auto begin = std::clock();
  StateLoader loader;
  ByteReader in(records);
  while (in.remaining() > 0) {
    const std::string_view key = in.string();
    if (Status status = loader.add(key, in.string()); !status.ok()) {
      std::fprintf(stderr, "%s\n", status.error().message.c_str());
      std::exit(1);
    }
  }
  const Result<StateMachine> state = loader.finish();
  if (!state.ok()) {
    std::fprintf(stderr, "%s\n", state.error().message.c_str());
    std::exit(1);
  }
  const double loading = seconds_since(begin);
  begin = std::clock();
  uint64_t sum = 0;
  ByteReader again(records);
  while (again.remaining() > 0) sum += checksum64(again.string()) + checksum64(again.string());
  const double walking = seconds_since(begin);
  std::printf("%-34s %9.3f s (walking the same records: %.3f s, sum %llx)\n", "loaded from records", loading,
              walking, static_cast<unsigned long long>(sum));
  std::printf("%-34s %9.1f MB, of which history at most 8.4\n", "resident growth, loaded",
              static_cast<double>(resident_bytes() - before) / kMegabyte);
  std::fflush(stdout);
}

std::string bench(uint64_t nodes) {
  const size_t before = resident_bytes();
  Machine machine;
  const SessionId session = machine.open();
  run(machine, session, create("/bench"));
  for (int i = 0; i < 1'000; ++i) run(machine, session, create("/bench/" + std::to_string(i)));
  for (uint64_t i = 0; i < nodes; ++i)
    run(machine, session, create(path_of(i), std::string(kDataBytes, 'x')));
  std::printf("%-34s %9.1f MB, before any capture\n", "resident growth, made",
              static_cast<double>(resident_bytes() - before) / kMegabyte);
  Store store;
  const size_t all = capture(machine, store);
  std::printf("%-34s %9.1f MB\n", "a capture of everything", static_cast<double>(all) / kMegabyte);
  size_t changed = 0;
  for (uint64_t i = 0; i < 1'000; ++i) {
    const std::string path = path_of(i * 7'919 % nodes);
    run(machine, session, SetOp{path, std::string(kDataBytes, 'y'), -1});
    changed += path.size() + kDataBytes;
  }
  const size_t after = capture(machine, store);
  std::printf("%-34s %9.1f kB; their paths and data: %.1f kB\n", "a capture after 1,000 sets",
              static_cast<double>(after) / 1e3, static_cast<double>(changed) / 1e3);
  std::string records;
  for (const auto& [key, value] : store) append_record(records, key, value);
  return records;
}

}  // namespace
}  // namespace quorate::kv

int main(int argc, char** argv) {
  const uint64_t nodes = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 1'000'000;
  if (nodes < 1'000) {
    std::fprintf(stderr, "usage: memory-bench [NODES], at least 1,000\n");
    return 2;
  }
  int ends[2];
  if (pipe(ends) != 0) return 1;
  const pid_t child = fork();
  if (child < 0) return 1;
  if (child == 0) {
    close(ends[1]);
    quorate::kv::measure_load(quorate::kv::read_all(ends[0]));
    return 0;
  }
  close(ends[0]);
  const std::string records = quorate::kv::bench(nodes);
  std::fflush(stdout);
  for (size_t sent = 0; sent < records.size();) {
    const ssize_t more = write(ends[1], records.data() + sent, records.size() - sent);
    if (more <= 0) return 1;
    sent += static_cast<size_t>(more);
  }
  close(ends[1]);
  int status = 0;
  return waitpid(child, &status, 0) == child && status == 0 ? 0 : 1;
}
