// What a run found, and how it is shown: an aligned table for people, or one JSON object for programs.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "tests/bench/disturbance.h"
#include "tests/bench/failover.h"
#include "tests/bench/floors.h"
#include "tests/bench/machine.h"
#include "tests/bench/report_text.h"
#include "tests/bench/restart.h"
#include "tests/bench/sessions.h"
#include "tests/bench/waiters.h"

namespace quorate::bench {

struct Row {
  Work work = Work::kSet;
  uint32_t clients = 0;
  std::optional<Figures> quorate;
  std::string floor_name;  // "null cluster" or "null server"
  Figures floor;
};

// What was not asked for, or failed, is absent.
struct Report {
  Machine machine;
  double seconds = 0;  // measured for each load, after its warm-up
  std::string attach;  // "leader" or "all"
  std::optional<Floors> floors;
  std::vector<Row> rows;
  std::optional<FailoverTimes> failover;
  std::optional<double> idle_percent;
  std::optional<SessionsFigures> sessions;
  std::vector<HandOvers> waiters;
  std::optional<Restarts> restart;
  std::optional<Disturbance> checkpoint, snapshot;
};

std::string as_table(const Report& report);
std::string as_json(const Report& report);

}  // namespace quorate::bench
