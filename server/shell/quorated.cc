// The server's program: reads the command line, binds both ports, opens the data folder, and runs the loop.
//
// The order is what keeps a refused start harmless: ports are bound before the data folder is touched, and
// the folder is looked at before anything in it is written.
#include <sys/random.h>

#include <utility>

#include <fmt/format.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <csignal>
#include <cstdio>
#include <functional>

#include "base/check.h"
#include "server/shell/config.h"
#include "server/shell/descriptors.h"
#include "server/shell/driver.h"
#include "server/shell/log.h"
#include "server/shell/start.h"

namespace quorate::server {

namespace {

constexpr int kExitRefused = 1;

uint64_t random_number() {
  uint64_t number = 0;
  while (number == 0) CHECK(::getrandom(&number, sizeof(number), 0) == sizeof(number));
  return number;
}

int refuse(const Error& error) {
  std::fprintf(stderr, "quorated: %s\n", error.message.c_str());
  return kExitRefused;
}

ServerFacts facts_of(const ServerConfig& config) {
  return {config.data + "/wal", config.data + "/state", config.session_timeout_min_ms,
          config.session_timeout_max_ms, config.clients.connections_per_address_max};
}

void leave_room_for_own_files(ServerConfig& config) {
  const size_t asked = config.clients.connections_max;
  const uint64_t limit = raise_descriptor_limit(asked);
  config.clients.connections_max = clients_with_room(asked, limit);
  if (config.clients.connections_max == asked) return;
  log(LogLevel::kWarning,
      fmt::format("{} client connections at most, not {} (client-connections-max): this process may have {} "
                  "files open, and needs some for itself; raise the limit (ulimit -n)",
                  config.clients.connections_max, asked, limit));
}

int run(ServerConfig config) {
  if (config.rebuild_state) {
    const auto rebuilt = rebuild_state(config);
    if (!rebuilt.ok()) return refuse(rebuilt.error());
    std::printf("%s\n", rebuilt->c_str());
    return 0;
  }
  if (const Status set_up = set_up_log(config.log_level, config.log_file); !set_up.ok())
    return refuse(set_up.error());
  leave_room_for_own_files(config);
  // One thread runs it; the locks stay, because the resolver's thread hands its answers in.
  boost::asio::io_context loop(1);
  // What rotates logs says so by it, also while a large state is read: that is taken up behind it.
  boost::asio::signal_set hangups(loop);
  if (!config.log_file.empty()) hangups.add(SIGHUP);
  PeerTransport peers(loop, config.peers, random_number());
  config.clients.facts = facts_of(config);
  ClientListener clients(loop, config.clients);
  if (config.listen_peer) {
    if (const Status bound = peers.listen(*config.listen_peer); !bound.ok()) return refuse(bound.error());
  }
  if (const Status bound = clients.listen(config.listen_client); !bound.ok()) return refuse(bound.error());
  if (config.advertise_client.empty()) {
    config.advertise_client = to_string(Address{config.listen_client.host, clients.port()});
  }
  config.kv.hash_key = random_number();
  auto folder = open_folder(config, Incarnation(random_number()));
  if (!folder.ok()) return refuse(folder.error());
  for (const LogLine& line : describe_start(config, *folder)) log(line.level, line.text);

  Driver driver(loop, driver_options(config, *folder, BootNonce(random_number()), random_number()),
                std::move(folder->recovered), std::move(folder->wal), std::move(folder->state),
                folder->create_log, folder->founded, peers, clients);
  boost::asio::signal_set signals(loop, SIGTERM, SIGINT);
  const auto stop = [&] {
    // A second signal has its default effect: the process ends at once, which is as safe as a crash.
    signals.clear();
    driver.stop();
  };
  signals.async_wait([&](const boost::system::error_code& error, int) {
    if (!error) stop();
  });
  std::function<void()> reopen_at_hangup = [&] {
    hangups.async_wait([&](const boost::system::error_code& error, int) {
      if (error) return;
      if (const Status reopened = reopen_log(); !reopened.ok()) {
        log(LogLevel::kError, reopened.error().message);
      } else {
        log(LogLevel::kInfo, "the log file is opened again");
      }
      reopen_at_hangup();
    });
  };
  if (!config.log_file.empty()) {
    reopen_at_hangup();
  } else if (std::signal(SIGHUP, SIG_IGN) != SIG_IGN) {
    // The terminal has gone; nohup has it ignored, and it stays so. A shell and the kernel both tell of it,
    // so that a second one means no more than the first.
    hangups.add(SIGHUP);
    hangups.async_wait([&](const boost::system::error_code& error, int) {
      if (!error) stop();
    });
  }
  const int exit_code = driver.run();
  log(LogLevel::kInfo, "stopped");
  return exit_code;
}

}  // namespace

}  // namespace quorate::server

int main(int argc, char** argv) {
  quorate::server::occupy_closed_streams();
  std::signal(SIGPIPE, SIG_IGN);
  // A file at its limit (ulimit -f) is then an error of the write, which is told.
  std::signal(SIGXFSZ, SIG_IGN);
  quorate::server::CommandLine line = quorate::server::parse_command_line(argc, argv);
  if (!line.config) {
    std::fputs(line.text.c_str(), line.exit_code == 0 ? stdout : stderr);
    return line.exit_code;
  }
  return quorate::server::run(std::move(*line.config));
}
