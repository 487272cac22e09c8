#include "tests/bench/report.h"

#include <algorithm>

#include "tests/bench/report_text.h"

namespace quorate::bench {
namespace {

void add_figures(Cells& cells, const Figures& f) {
  cells.insert(cells.end(),
               {with_commas(f.rate), time_text(f.p50_us), time_text(f.p99_us), time_text(f.p999_us)});
}

Cells cells_of(const Row& row) {
  Cells cells{std::string(work_name(row.work)), with_commas(row.clients)};
  if (row.quorate) {
    add_figures(cells, *row.quorate);
  } else {
    cells.insert(cells.end(), 4, "-");
  }
  cells.push_back(row.floor_name);
  add_figures(cells, row.floor);
  if (row.quorate && row.floor.rate > 0 && row.floor.p50_us > 0) {
    cells.push_back(format("%.0f %%", row.quorate->rate / row.floor.rate * 100));
    cells.push_back(format("%.2f x", row.quorate->p50_us / row.floor.p50_us));
  } else {
    cells.insert(cells.end(), 2, "-");
  }
  return cells;
}

const Row* find_row(const Report& report, Work work, uint32_t clients) {
  for (const Row& row : report.rows) {
    if (row.work == work && row.clients == clients && row.quorate) return &row;
  }
  return nullptr;
}

void add_session_aims(const SessionsFigures& figures, std::vector<Cells>& table) {
  for (const IdleSessions& idle : figures.idle) {
    const double allowed = 4.0 * idle.sessions / 10'000;
    table.push_back({format("aim: %u idle sessions, at most %.0f %% of one core", idle.sessions, allowed),
                     format("%.1f %%", idle.cpu_percent), verdict(idle.cpu_percent <= allowed)});
    table.push_back({format("aim: %u idle sessions, at most 8.0 kB each", idle.sessions),
                     format("%.1f kB", idle.bytes_each / 1e3), verdict(idle.bytes_each <= 8'000)});
  }
  const double ratio = figures.p99_before_us > 0 ? figures.p99_during_us / figures.p99_before_us : 0;
  table.push_back({"aim: sessions expiring at once, all gone within 1 s",
                   format("%.0f ms", figures.expiry_ms), verdict(figures.expiry_ms <= 1000)});
  table.push_back(
      {"aim: others' p99 meanwhile at most doubled", format("%.2f x", ratio), verdict(ratio <= 2)});
}

// What a figure may be, where it is made of round trips and synced writes (Floors::l_us), and what it is.
void add_floor_aim(const std::string& what, double us, double floors, double more_us, const Report& report,
                   std::vector<Cells>& table) {
  if (!report.floors || us <= 0) return;
  const double allowed = floors * report.floors->l_us + more_us;
  table.push_back(
      {"aim: " + what + format(", p50 at most %.1f L* + %.0f us = ", floors, more_us) + time_text(allowed),
       time_text(us), verdict(us <= allowed)});
}

void add_hand_over_aims(const HandOvers& found, const Report& report, std::vector<Cells>& table) {
  const std::string who = with_commas(found.waiters) + " waiters";
  add_floor_aim("hand-over, " + who, found.released_p50_us, 1.3, 25, report, table);
  add_floor_aim("session closed, " + who, found.closed_p50_us, 1.5, 25, report, table);
  table.push_back({"aim: " + who + ", one woken by each hand-over, in the order of arrival",
                   format("%.2f", static_cast<double>(found.woken) / static_cast<double>(found.hand_overs)),
                   verdict(found.woken == found.hand_overs && found.in_order)});
  if (found.killed_ms.empty()) return;
  const double slowest = *std::max_element(found.killed_ms.begin(), found.killed_ms.end());
  table.push_back(
      {"aim: holder killed, " + who + ", the next one has it within the session's timeout + 100 ms",
       format("%.0f ms", slowest - found.killed_timeout_ms),
       verdict(slowest <= found.killed_timeout_ms + 100)});
}

std::string hand_overs_text(const std::vector<HandOvers>& all) {
  std::vector<Cells> table{{"waiters for one lock", "released, p50", "p99", "session closed, p50",
                            "killed, timeout", "slowest", "hand-overs", "woken", "order of arrival"}};
  for (const HandOvers& found : all) {
    const double slowest =
        found.killed_ms.empty() ? 0 : *std::max_element(found.killed_ms.begin(), found.killed_ms.end());
    table.push_back({with_commas(found.waiters), time_text(found.released_p50_us),
                     time_text(found.released_p99_us), time_text(found.closed_p50_us),
                     format("%u ms", found.killed_timeout_ms), format("%.0f ms", slowest),
                     with_commas(static_cast<double>(found.hand_overs)),
                     with_commas(static_cast<double>(found.woken)), found.in_order ? "yes" : "NO"});
  }
  return aligned(table);
}

std::string json_hand_overs(const HandOvers& found) {
  std::string text =
      format(R"({"waiters": %u, "released_p50_us": %.1f, "released_p99_us": %.1f, "closed_p50_us": %.1f, )",
             found.waiters, found.released_p50_us, found.released_p99_us, found.closed_p50_us);
  text +=
      format(R"("hand_overs": %llu, "woken": %llu, "in_order": %s, "killed_timeout_ms": %u, "killed_ms": [)",
             static_cast<unsigned long long>(found.hand_overs), static_cast<unsigned long long>(found.woken),
             found.in_order ? "true" : "false", found.killed_timeout_ms);
  for (size_t i = 0; i < found.killed_ms.size(); ++i)
    text += (i == 0 ? "" : ", ") + format("%.1f", found.killed_ms[i]);
  return text + "]}";
}

std::string restart_text(const Restarts& found) {
  std::vector<Cells> table{
      {"restart of a server with " + with_commas(found.nodes) + " nodes", "to its first read", "bare scan"}};
  for (size_t i = 0; i < found.restarts.size(); ++i)
    table.push_back(
        {format("round %zu", i + 1), format("%.2f s", found.restarts[i]), format("%.2f s", found.scans[i])});
  return aligned(table);
}

std::string json_restart(const Restarts& found) {
  std::string text = format(R"({"nodes": %u, "ratio": %.2f, "rounds": [)", found.nodes, found.ratio());
  for (size_t i = 0; i < found.restarts.size(); ++i) {
    text += (i == 0 ? "" : ", ") +
            format(R"({"restart_s": %.3f, "scan_s": %.3f})", found.restarts[i], found.scans[i]);
  }
  return text + "]}";
}

std::string sessions_text(const SessionsFigures& figures);

constexpr double kCheckpointRatioMax = 1.3, kSnapshotRatioMax = 1.5;

void add_disturbance_aim(const char* what, const Disturbance& figures, double ratio_max,
                         std::vector<Cells>& table) {
  table.push_back({format("aim: p99 of writes at half load while a %s, at most %.1f x", what, ratio_max),
                   format("%.2f x", figures.ratio()), verdict(figures.ratio() <= ratio_max)});
}

std::string disturbance_text(const char* what, const Disturbance& figures) {
  std::vector<Cells> table{
      {std::string(what), "plain p99", "p99 during", "ratio", "two plain ones", "it took"}};
  for (size_t i = 0; i < figures.pairs.size(); ++i) {
    const DisturbedPair& pair = figures.pairs[i];
    table.push_back({format("pair %zu", i + 1), time_text(pair.plain_p99_us), time_text(pair.during_p99_us),
                     format("%.2f x", pair.ratio()), format("%.2f x", pair.plains_ratio),
                     format("%.0f ms", pair.during_ms)});
  }
  table.push_back(
      {"median", "", "", format("%.2f x", figures.ratio()), format("%.2f x", figures.plains_ratio()), ""});
  return "\n" + aligned(table) +
         format("%s writes/s, half of what 256 clients reach; %s nodes; %zu pairs were taken again%s\n",
                with_commas(figures.rate).c_str(), with_commas(static_cast<double>(figures.nodes)).c_str(),
                figures.repeated,
                figures.unquiet ? "; the machine was not quiet: pairs of unequal plain runs count" : "");
}

// The product's aims, for whatever of them this run measured.
std::string aims(const Report& report) {
  std::vector<Cells> table;
  if (const Row* row = find_row(report, Work::kSet, 1)) {
    const double ratio = row->quorate->p50_us / row->floor.p50_us;
    table.push_back({"aim: set, 1 client, p50 at most 1.50 x the null cluster's", format("%.2f x", ratio),
                     verdict(ratio <= 1.5)});
  }
  if (const Row* row = find_row(report, Work::kSet, 64)) {
    const double share = row->quorate->rate / row->floor.rate * 100;
    table.push_back({"aim: set, 64 clients, at least 40 % of the null cluster's rate",
                     format("%.0f %%", share), verdict(share >= 40)});
  }
  if (const Row* row = find_row(report, Work::kLock, 1))
    add_floor_aim("lock, 1 client, acquire and release", row->quorate->p50_us, 2.3, 50, report, table);
  for (const HandOvers& found : report.waiters) add_hand_over_aims(found, report, table);
  if (report.failover) {
    const double ms = report.failover->median();
    table.push_back({"aim: failover, median at most 100 ms", format("%.1f ms", ms), verdict(ms <= 100)});
  }
  if (report.idle_percent) {
    table.push_back({"aim: idle cluster at most 3.0 % of one core", format("%.1f %%", *report.idle_percent),
                     verdict(*report.idle_percent <= 3)});
  }
  if (report.sessions) add_session_aims(*report.sessions, table);
  if (report.restart) {
    table.push_back({"aim: a restart to the first read at most 7.0 x a bare scan of its store",
                     format("%.1f x", report.restart->ratio()), verdict(report.restart->ratio() <= 7)});
  }
  if (report.checkpoint)
    add_disturbance_aim("checkpoint of 100,000 changed nodes runs", *report.checkpoint, kCheckpointRatioMax,
                        table);
  if (report.snapshot)
    add_disturbance_aim("snapshot streams to a server that lags", *report.snapshot, kSnapshotRatioMax, table);
  return table.empty() ? "" : "\n" + aligned(table);
}

std::string sessions_text(const SessionsFigures& figures) {
  std::vector<Cells> table{{"idle sessions", "CPU of one core", "memory each", "log entries"}};
  for (const IdleSessions& idle : figures.idle) {
    table.push_back({with_commas(idle.sessions), format("%.1f %%", idle.cpu_percent),
                     format("%.1f kB", idle.bytes_each / 1e3),
                     with_commas(static_cast<double>(idle.entries))});
  }
  return aligned(table) + format(
                              "%s sessions expiring at once: gone within %.0f ms; p99 of others' writes %s "
                              "before, %s during\n",
                              with_commas(figures.expired).c_str(), figures.expiry_ms,
                              time_text(figures.p99_before_us).c_str(),
                              time_text(figures.p99_during_us).c_str());
}

std::string json_sessions(const SessionsFigures& figures) {
  std::string text = "{\"idle\": [";
  for (size_t i = 0; i < figures.idle.size(); ++i) {
    const IdleSessions& idle = figures.idle[i];
    text +=
        (i == 0 ? "" : ", ") +
        format(R"({"sessions": %u, "cpu_percent": %.2f, "bytes_each": %.0f, "entries": %llu})", idle.sessions,
               idle.cpu_percent, idle.bytes_each, static_cast<unsigned long long>(idle.entries));
  }
  return text +
         format(R"(], "expired": %u, "expiry_ms": %.1f, "p99_before_us": %.1f, "p99_during_us": %.1f})",
                figures.expired, figures.expiry_ms, figures.p99_before_us, figures.p99_during_us);
}

std::string json_disturbance(const Disturbance& figures) {
  std::string text =
      format(R"({"ops_per_s": %.1f, "nodes": %llu, "ratio": %.3f, "plains_ratio": %.3f, "repeated": %zu, )",
             figures.rate, static_cast<unsigned long long>(figures.nodes), figures.ratio(),
             figures.plains_ratio(), figures.repeated);
  text += format(R"("unquiet": %s, "pairs": [)", figures.unquiet ? "true" : "false");
  for (size_t i = 0; i < figures.pairs.size(); ++i) {
    const DisturbedPair& pair = figures.pairs[i];
    text +=
        (i == 0 ? "" : ", ") +
        format(R"({"plain_p99_us": %.1f, "during_p99_us": %.1f, "plains_ratio": %.3f, "during_ms": %.0f})",
               pair.plain_p99_us, pair.during_p99_us, pair.plains_ratio, pair.during_ms);
  }
  return text + "]}";
}

}  // namespace

std::string as_table(const Report& report) {
  std::string text = "machine: " + report.machine.describe() + "\n";
  text += format("load: %zu-byte values, %u keys, %.1f s after 1 s of warm-up, clients attached to %s\n",
                 kValueBytes, kKeys, report.seconds,
                 report.attach == "leader" ? "the leader" : "all servers in turn");
  if (report.floors) {
    text += format("floor: fdatasync of 256 bytes (F) %.0f us, loopback round trip (R) %.0f us, L* %.0f us\n",
                   report.floors->f_us, report.floors->r_us, report.floors->l_us);
  }
  if (!report.rows.empty()) {
    std::vector<Cells> table{{"work", "clients", "Quorate ops/s", "p50", "p99", "p99.9", "beside", "ops/s",
                              "p50", "p99", "p99.9", "ops/s ratio", "p50 ratio"}};
    for (const Row& row : report.rows) table.push_back(cells_of(row));
    text += "\n" + aligned(table);
  }
  if (report.failover || report.idle_percent) text += "\n";
  if (report.failover) {
    text += format(
        "failover, SIGKILL of the leader to the next acknowledged write, %zu rounds: median %.1f ms, max "
        "%.1f ms\n",
        report.failover->ms.size(), report.failover->median(), report.failover->max());
  }
  if (report.idle_percent)
    text += format("idle: %.1f %% of one core for all three servers\n", *report.idle_percent);
  if (!report.waiters.empty()) text += "\n" + hand_overs_text(report.waiters);
  if (report.sessions) text += "\n" + sessions_text(*report.sessions);
  if (report.restart) text += "\n" + restart_text(*report.restart);
  if (report.checkpoint) text += disturbance_text("checkpoints", *report.checkpoint);
  if (report.snapshot) text += disturbance_text("snapshots", *report.snapshot);
  return text + aims(report);
}

std::string as_json(const Report& report) {
  std::string text = "{\"machine\": " + json_machine(report.machine);
  text += format(", \"seconds\": %.3f, \"attach\": ", report.seconds) + json_string(report.attach);
  if (report.floors) {
    text += format(R"(, "floors": {"f_us": %.1f, "r_us": %.1f, "l_us": %.1f})", report.floors->f_us,
                   report.floors->r_us, report.floors->l_us);
  }
  text += ", \"loads\": [";
  for (size_t i = 0; i < report.rows.size(); ++i) {
    const Row& row = report.rows[i];
    text += i == 0 ? "" : ", ";
    text += "{\"work\": " + json_string(std::string(work_name(row.work))) +
            format(", \"clients\": %u", row.clients);
    if (row.quorate) text += ", \"quorate\": " + json_figures(*row.quorate);
    text += ", \"beside\": " + json_string(row.floor_name) + ", \"floor\": " + json_figures(row.floor) + "}";
  }
  text += "]";
  if (report.failover) {
    text += format(R"(, "failover": {"median_ms": %.2f, "max_ms": %.2f, "rounds_ms": [)",
                   report.failover->median(), report.failover->max());
    for (size_t i = 0; i < report.failover->ms.size(); ++i) {
      text += (i == 0 ? "" : ", ") + format("%.2f", report.failover->ms[i]);
    }
    text += "]}";
  }
  if (report.idle_percent) text += format(", \"idle_percent\": %.2f", *report.idle_percent);
  if (!report.waiters.empty()) {
    text += ", \"waiters\": [";
    for (size_t i = 0; i < report.waiters.size(); ++i)
      text += (i == 0 ? "" : ", ") + json_hand_overs(report.waiters[i]);
    text += "]";
  }
  if (report.sessions) text += ", \"sessions\": " + json_sessions(*report.sessions);
  if (report.restart) text += ", \"restart\": " + json_restart(*report.restart);
  if (report.checkpoint) text += ", \"checkpoint\": " + json_disturbance(*report.checkpoint);
  if (report.snapshot) text += ", \"snapshot\": " + json_disturbance(*report.snapshot);
  return text + "}\n";
}

}  // namespace quorate::bench
