#include "tests/bench/floors.h"

#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cstring>
#include <functional>

#include "client/bench/histogram.h"
#include "client/bench/net.h"
#include "tests/bench/null_cluster.h"
#include "tests/bench/process.h"
#include "tests/bench/zero_file.h"

namespace quorate::bench {
namespace {

constexpr size_t kBytes = 256;
constexpr size_t kFileBytes = 16U << 20;

// Repeats `once` for a while; its median in microseconds. `once` returns false on failure.
Result<double> median_us(Duration time, const std::function<bool(Histogram&)>& once) {
  Histogram times;
  const uint64_t until = now_ns() + static_cast<uint64_t>(time.count());
  while (times.count() < 20 || now_ns() < until) {
    if (!once(times)) return errno_error("a measurement of the machine's floor failed");
  }
  return static_cast<double>(times.percentile(0.5)) / 1000;
}

Result<double> measure_sync(const std::string& folder, Duration time) {
  auto file = ZeroFile::create(folder + "/floor-1", kFileBytes);
  if (!file.ok()) return file.error();
  const std::string bytes(kBytes, 'x');
  return median_us(time, [&](Histogram& times) {
    const uint64_t from = now_ns();
    if (!file->write_and_sync(bytes)) return false;
    times.record(now_ns() - from);
    return true;
  });
}

Result<double> measure_round_trip(Duration time) {
  auto listener = listen_on_loopback();
  if (!listener.ok()) return listener.error();
  auto echo = fork_child([&]() -> int {
    Fd peer(::accept4(listener->first.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!peer.valid()) return 1;
    set_nodelay(peer.get());
    char bytes[kBytes];
    while (read_exactly(peer.get(), bytes, kBytes) && write_exactly(peer.get(), bytes, 8)) {
    }
    return 0;
  });
  if (!echo.ok()) return echo.error();
  auto fd = connect_to_loopback(listener->second);
  if (!fd.ok()) return fd.error();
  char bytes[kBytes] = {};
  return median_us(time, [&](Histogram& times) {
    const uint64_t from = now_ns();
    if (!write_exactly(fd->get(), bytes, kBytes) || !read_exactly(fd->get(), bytes, 8)) return false;
    times.record(now_ns() - from);
    return true;
  });
}

// The own sync and one peer's. The slower peer is waited for outside the measured time, so that all three
// sync at once every time.
Result<double> measure_two_of_three(const std::string& folder, Duration time) {
  std::array<Child, 2> children;
  std::array<Fd, 2> peers;
  for (size_t i = 0; i < 2; ++i) {
    auto listener = listen_on_loopback();
    if (!listener.ok()) return listener.error();
    auto child = fork_child([&]() -> int {
      return run_null_follower(listener->first, folder + "/floor-" + std::to_string(i + 2), kFileBytes);
    });
    if (!child.ok()) return child.error();
    children[i] = std::move(*child);
    auto fd = connect_to_loopback(listener->second);
    if (!fd.ok()) return fd.error();
    peers[i] = std::move(*fd);
    listener->first.reset();
    uint64_t ready = 0;
    if (!read_exactly(peers[i].get(), &ready, sizeof(ready)))
      return errno_error("a peer of L* did not start");
  }
  auto file = ZeroFile::create(folder + "/floor-1", kFileBytes);
  if (!file.ok()) return file.error();

  std::string batch(kBytes, 'x');
  const auto length = static_cast<uint32_t>(kBytes - kBatchHeaderBytes);
  std::memcpy(batch.data(), &length, sizeof(length));
  return median_us(time, [&](Histogram& times) {
    const uint64_t from = now_ns();
    for (const Fd& peer : peers) {
      if (!write_exactly(peer.get(), batch.data(), batch.size())) return false;
    }
    if (!file->write_and_sync(batch)) return false;
    std::array<pollfd, 2> waits{{{peers[0].get(), POLLIN, 0}, {peers[1].get(), POLLIN, 0}}};
    if (::poll(waits.data(), waits.size(), -1) <= 0) return false;
    const size_t first = waits[0].revents != 0 ? 0 : 1;
    uint64_t number = 0;
    if (!read_exactly(peers[first].get(), &number, sizeof(number))) return false;
    times.record(now_ns() - from);
    return read_exactly(peers[1 - first].get(), &number, sizeof(number));
  });
}

}  // namespace

Result<Floors> measure_floors(const std::string& folder, Duration each) {
  auto f = measure_sync(folder, each);
  if (!f.ok()) return f.error();
  auto r = measure_round_trip(each);
  if (!r.ok()) return r.error();
  auto both = measure_two_of_three(folder, each);
  if (!both.ok()) return both.error();
  return Floors{*f, *r, *r + *both};
}

}  // namespace quorate::bench
