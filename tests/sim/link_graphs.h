// One-way links: every graph of directed links between three servers, and any number of those between five.
// In 2020 one broken link kept a cluster electing for hours; here each graph has to give a leader that stays
// wherever one can.
//
// Thread safety: none.
#pragma once

#include <cstdint>

#include "tests/sim/world.h"

namespace quorate::sim {

// With three servers the graph is the last six bits of `number`: 64 in a row are all of them. With others it
// is drawn from it. Before the links are cut the logs are made to differ, in a way drawn from `number`.
//
// Demanded: safety, as in every run; a leader that stays wherever some server has two-way links to a quorum
// and a log at least as complete as each of that quorum's; and, once all links are back, progress and
// agreement. The other graphs are counted: in those there may be none (OmniPaxos, 2023).
RunResult run_link_graph(uint32_t servers, uint64_t number, Trace trace = Trace());

}  // namespace quorate::sim
